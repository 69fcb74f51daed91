//! The destination contract over a real PostgreSQL, and what is PostgreSQL's own.

mod contract;
mod faults;
mod rights;
mod tls;

use std::sync::Arc;

use zenfloe_destination::contract::{Line, Sample};
use zenfloe_destination::{Cover, Faults, Flush, Mode, Target, TopicRef};
use zenfloe_harness::Postgres as Server;
use zenfloe_postgres::{Config, Postgres, Tls};

/// A server and an empty database on it.
pub(crate) struct Database {
    pub(crate) server: Server,
    pub(crate) url: String,
}

impl Database {
    pub(crate) async fn new() -> Self {
        let server = Server::start().await.expect("a server");
        let url = server.create_database("mart").await.expect("an empty database");
        Self { server, url }
    }

    pub(crate) fn config(&self) -> Config {
        Config {
            url: Some(self.url.clone()),
            tls: Tls::Disable,
            ..Config::default()
        }
    }

    pub(crate) fn destination(&self) -> Postgres {
        destination(self.config())
    }

    /// Rows as lines, columns separated by `|`.
    pub(crate) async fn query(&self, sql: &str) -> String {
        self.server.query("mart", sql).await.expect("a query")
    }
}

pub(crate) fn destination(config: Config) -> Postgres {
    Postgres::with_faults(config, Faults::none()).expect("the configuration is in order")
}

pub(crate) fn place() -> (Target, TopicRef) {
    let target = Target {
        table: "things".into(),
        mode: Mode::Upsert,
    };
    let topic = TopicRef {
        name: "acme.clean.things".into(),
        id: "1".into(),
    };
    (target, topic)
}

/// A flush of lines at consecutive offsets of partition 0.
pub(crate) fn flush(from: i64, lines: &[Line]) -> Arc<Flush> {
    let (target, topic) = place();
    let sample = Sample::new("things");
    let rows = lines
        .iter()
        .zip(from..)
        .map(|(line, offset)| sample.row_at(0, offset, line))
        .collect();
    let to = from + lines.len() as i64;
    Arc::new(Flush::new(
        target,
        topic,
        vec![Cover { partition: 0, from, to }],
        rows,
        Vec::new(),
    ))
}
