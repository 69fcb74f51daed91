//! PostgreSQL as a destination: one schema per source, rows by `COPY`, one guarded upsert per table and flush.
//!
//! A flush is one transaction of a handful of statements, whatever its size: the positions are locked, compared and
//! moved; rows stream in binary form, straight from their Avro bytes, into a temporary table of the session; one
//! `INSERT … SELECT … ON CONFLICT … DO UPDATE … WHERE newer` brings them into the table, filtered by
//! `_zenfloe_suppressed`, which is read in later statements than the lock was taken.
//!
//! Texts are `text`, times `timestamptz`, dates `date`. JSON is `jsonb`: analysts ask into it with operators and
//! indexes, which `text` and `json` would parse anew for each query; what `jsonb` cannot hold (`\u0000`, half a
//! surrogate pair) is replaced and counted, and a text that is no JSON is a refused row. Comments of the columns say
//! what they are for.
//!
//! Invariants:
//! - transactions are `READ COMMITTED`, so that a later statement sees what was committed while the lock was waited for;
//! - positions rows are locked in one order everywhere, so that loaders and an erasure wait for each other and never
//!   in a circle;
//! - a session that failed in a way that may mend is dropped, with whatever it had begun.
//!
//! It needs a session of its own: a pooler that hands a connection on after each transaction loses the temporary
//! tables. What it does not know: where rows come from.

mod config;
mod encode;
mod erase;
mod error;
mod ledger;
mod load;
mod session;
mod sql;
mod staging;
mod suppress;
mod table;
mod tls;

use std::collections::BTreeMap;
use std::sync::Arc;

use async_trait::async_trait;
use tokio::sync::Mutex;
use zenfloe_destination::{
    Class, Destination, Faults, Flush, LoadError, Loaded, Suppression, TableShape, Target, TopicRef,
};
use zenfloe_record::{Partition, Positions};

pub use config::{Config, ConfigError, Tls};
use session::Session;

/// A schema of a PostgreSQL database as a destination; see the crate's documentation.
#[derive(Clone)]
pub struct Postgres(Arc<Inner>);

struct Inner {
    config: Config,
    faults: Arc<Faults>,
    /// `None` before the first use and after a lost session.
    session: Mutex<Option<Session>>,
}

impl Postgres {
    /// Checks the configuration; nothing is connected yet.
    pub fn new(config: Config) -> Result<Self, ConfigError> {
        Self::with_faults(config, Faults::none())
    }

    /// The same with faults between the statements, for tests.
    pub fn with_faults(config: Config, faults: Arc<Faults>) -> Result<Self, ConfigError> {
        config.check()?;
        Ok(Self(Arc::new(Inner {
            config,
            faults,
            session: Mutex::new(None),
        })))
    }

    /// Runs `work` on the session. A session whose work ended with [`Class::Retry`], or was dropped midway, is gone.
    async fn with<T>(
        &self,
        work: impl AsyncFnOnce(&mut Session, &Faults) -> Result<T, LoadError>,
    ) -> Result<T, LoadError> {
        let mut held = self.0.session.lock().await;
        let mut session = match held.take().filter(Session::is_alive) {
            Some(session) => session,
            None => Session::open(&self.0.config).await?,
        };
        let result = work(&mut session, &self.0.faults).await;
        if !matches!(&result, Err(error) if error.class() == Class::Retry) {
            *held = Some(session);
        }
        result
    }
}

#[async_trait]
impl Destination for Postgres {
    async fn open(&self) -> Result<(), LoadError> {
        self.with(async |session, _| session.check_rights().await).await
    }

    async fn prepare(&self, target: &Target, shape: &TableShape) -> Result<(), LoadError> {
        self.with(async |session, _| table::prepare(session, target, shape).await)
            .await
    }

    async fn positions(
        &self,
        target: &Target,
        topic: &TopicRef,
        partitions: &[Partition],
    ) -> Result<Positions, LoadError> {
        self.with(async |session, _| ledger::positions(session, target, topic, partitions).await)
            .await
    }

    async fn flush(&self, flush: Arc<Flush>) -> Result<Loaded, LoadError> {
        self.with(async |session, faults| load::flush(session, faults, &flush).await)
            .await
    }

    async fn suppress(&self, target: &Target, what: &[Suppression]) -> Result<u64, LoadError> {
        self.with(async |session, faults| suppress::suppress(session, faults, target, what).await)
            .await
    }

    async fn erased(&self, target: &Target) -> Result<BTreeMap<String, bool>, LoadError> {
        self.with(async |session, _| erase::erased(session, target).await).await
    }

    async fn rows(&self, target: &Target) -> Result<Option<u64>, LoadError> {
        self.with(async |session, _| table::rows(session, target).await).await
    }
}
