//! What loading costs beside the engine's own bulk path: `cargo run --release -p zenfloe-loader --example speed`.
//!
//! 100,000 rows of 40 columns, 2.6 KB of Avro each. "Stage" is a whole loader over a log that makes its records as they
//! are read, so that its memory is the loader's; "flushes" are the destination's part alone, of rows in hand; "own path" is what a program that knows the database does with values
//! that are decoded already: a prepared upsert for SQLite, COPY of finished bytes and one upsert for PostgreSQL.

mod endless;
mod engine;
mod rows;

use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio_util::sync::CancellationToken;
use zenfloe_destination::Destination;
use zenfloe_loader::{Config, Parts, Progress, Tables, run};
use zenfloe_record::SourceName;

use endless::{Made, OneSchema};

const ROWS: i64 = 100_000;

/// CPU seconds of this process so far, in all its threads.
fn cpu() -> f64 {
    let stat = std::fs::read_to_string("/proc/self/stat").expect("Linux");
    let fields: Vec<&str> = stat.rsplit_once(") ").expect("a name").1.split(' ').collect();
    let ticks: f64 = fields[11].parse::<f64>().expect("utime") + fields[12].parse::<f64>().expect("stime");
    ticks / 100.0
}

/// The most memory this process has had, in MB.
fn peak() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").expect("Linux");
    let line = status.lines().find(|line| line.starts_with("VmHWM")).expect("a peak");
    let kilobytes = line
        .split_whitespace()
        .nth(1)
        .and_then(|number| number.parse::<u64>().ok());
    kilobytes.expect("a number") / 1024
}

async fn measured<T>(what: &str, work: impl Future<Output = T>) -> T {
    let (cpu_before, began) = (cpu(), Instant::now());
    let done = work.await;
    println!(
        "{what:<32} {:6.2} CPU s {:6.2} s, peak so far {} MB",
        cpu() - cpu_before,
        began.elapsed().as_secs_f64(),
        peak()
    );
    done
}

async fn stage(destination: Arc<dyn Destination>) {
    let caught_up = CancellationToken::new();
    caught_up.cancel();
    let parts = Parts {
        name: "speed".into(),
        destination,
        source: SourceName::new("acme").expect("a legal name"),
        tables: Tables::default(),
        config: Config {
            flush_interval: Duration::from_secs(3_600),
            ..Config::default()
        },
        log: Arc::new(Made::new(ROWS)),
        registry: Arc::new(OneSchema),
        member: "speed".into(),
        progress: Progress::default(),
        caught_up,
    };
    let drained = run(parts, CancellationToken::new())
        .await
        .expect("nothing is in the way");
    assert!(drained.is_complete);
}

#[tokio::main]
async fn main() {
    let folder = tempfile::tempdir().expect("a folder");
    let server = zenfloe_harness::Postgres::start().await.expect("a server");
    let url = server.create_database("mart").await.expect("a database");
    measured("making the records alone", async { rows::make_all(ROWS) }).await;

    let postgres = |schema: &str| {
        let config = zenfloe_postgres::Config {
            url: Some(url.clone()),
            tls: zenfloe_postgres::Tls::Disable,
            schema: schema.into(),
            ..zenfloe_postgres::Config::default()
        };
        Arc::new(zenfloe_postgres::Postgres::new(config).expect("in order"))
    };
    let sqlite = |name: &str| {
        Arc::new(zenfloe_sqlite::Sqlite::new(zenfloe_sqlite::Config {
            path: folder.path().join(name),
            ..zenfloe_sqlite::Config::default()
        }))
    };
    measured("PostgreSQL, stage", stage(postgres("stage"))).await;
    measured("SQLite, stage", stage(sqlite("stage.sqlite"))).await;
    flushes("PostgreSQL, flushes", &*postgres("flushes")).await;
    engine::postgres(&url).await;
    flushes("SQLite, flushes", &*sqlite("flushes.sqlite")).await;
    engine::sqlite(&folder.path().join("own.sqlite")).await;
}

/// The destination alone.
async fn flushes(what: &str, destination: &dyn Destination) {
    let (target, topic) = rows::place();
    destination.prepare(&target, &rows::shape()).await.expect("a new table");
    destination.positions(&target, &topic, &[0]).await.expect("entered");
    let flushes = rows::flushes(ROWS, engine::BATCH);
    measured(what, async {
        for flush in flushes {
            destination.flush(flush).await.expect("in order");
        }
    })
    .await;
}
