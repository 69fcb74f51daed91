//! The embedded destination: one SQLite file per source, readable by others while it is loaded.
//!
//! Tables, positions and suppression stand in the same file and change in the same transaction. Times are texts in UTC,
//! `2026-01-31 23:59:59.000001`, which SQLite's date functions, DuckDB and spreadsheets read and which sort as they are;
//! dates are `2026-01-31`, booleans 0 and 1, JSON is text. What each column is for stands in `_zenfloe_columns`.
//!
//! Invariant: `synchronous=NORMAL` may lose the last commits with the power, rows and positions together, and the
//! loader reads them again.
//!
//! What it does not know: where rows come from.

mod erase;
mod error;
mod ledger;
mod load;
mod suppress;
mod table;
mod time;

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use rusqlite::Connection;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use zenfloe_destination::{
    Class, Destination, Faults, Flush, LoadError, Loaded, Suppression, TableShape, Target, TopicRef,
};
use zenfloe_record::{Partition, Positions};

use crate::error::broken;

/// The page size of a new file in bytes: SQLite's own.
const PAGE: u32 = 4096;

/// Where the file is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// The database file; made with its folder if it is missing.
    pub path: PathBuf,
    /// How long a transaction waits for another process that writes to the file.
    #[serde(with = "humantime_serde")]
    #[schemars(with = "String")]
    pub busy: Duration,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            path: PathBuf::from("warehouse.sqlite"),
            busy: Duration::from_secs(15),
        }
    }
}

/// A SQLite file as a destination; see the crate's documentation.
#[derive(Clone)]
pub struct Sqlite(Arc<Inner>);

struct Inner {
    config: Config,
    faults: Arc<Faults>,
    /// `None` before the first use and after a lost session.
    session: Mutex<Option<Connection>>,
}

impl Sqlite {
    /// Names the file; nothing is opened yet.
    pub fn new(config: Config) -> Self {
        Self::with_faults(config, Faults::none())
    }

    /// The same with faults between the statements, for tests.
    pub fn with_faults(config: Config, faults: Arc<Faults>) -> Self {
        Self(Arc::new(Inner {
            config,
            faults,
            session: Mutex::new(None),
        }))
    }

    /// Runs `work` on the session, on a thread that may block; a session that fails with [`Class::Retry`] is dropped.
    async fn with<T: Send + 'static>(
        &self,
        work: impl FnOnce(&mut Connection, &Faults) -> Result<T, LoadError> + Send + 'static,
    ) -> Result<T, LoadError> {
        let inner = self.0.clone();
        let run = move || {
            let mut held = inner
                .session
                .lock()
                .map_err(|_| broken("an earlier transaction panicked"))?;
            let mut session = match held.take() {
                Some(session) => session,
                None => open(&inner.config)?,
            };
            let result = work(&mut session, &inner.faults);
            let lost = result.as_ref().is_err_and(|error| error.class() == Class::Retry);
            if !lost {
                *held = Some(session);
            }
            result
        };
        tokio::task::spawn_blocking(run)
            .await
            .unwrap_or_else(|_| Err(broken("a transaction panicked")))
    }
}

/// Opens the file and makes the ledger.
fn open(config: &Config) -> Result<Connection, LoadError> {
    let session = zenfloe_wal::open(&config.path, PAGE, config.busy).map_err(error::of_opening)?;
    session.set_prepared_statement_cache_capacity(256);
    // Checkpoints every 16 MiB of log: a flush is about that. Its pages fit the cache, else they are written twice.
    let settings = "PRAGMA synchronous=NORMAL; PRAGMA wal_autocheckpoint=4000;
        PRAGMA temp_store=MEMORY; PRAGMA cache_size=-16000;";
    session.execute_batch(settings).map_err(error::from)?;
    ledger::make(&session)?;
    Ok(session)
}

#[async_trait]
impl Destination for Sqlite {
    async fn open(&self) -> Result<(), LoadError> {
        self.with(|_, _| Ok(())).await
    }

    async fn prepare(&self, target: &Target, shape: &TableShape) -> Result<(), LoadError> {
        let (target, shape) = (target.clone(), shape.clone());
        self.with(move |session, _| table::prepare(session, &target, &shape))
            .await
    }

    async fn positions(
        &self,
        target: &Target,
        topic: &TopicRef,
        partitions: &[Partition],
    ) -> Result<Positions, LoadError> {
        let (target, topic, partitions) = (target.clone(), topic.clone(), partitions.to_vec());
        self.with(move |session, _| ledger::positions(session, &target, &topic, &partitions))
            .await
    }

    async fn flush(&self, flush: Arc<Flush>) -> Result<Loaded, LoadError> {
        self.with(move |session, faults| load::flush(session, faults, &flush))
            .await
    }

    async fn suppress(&self, target: &Target, what: &[Suppression]) -> Result<u64, LoadError> {
        let (target, what) = (target.clone(), what.to_vec());
        self.with(move |session, faults| suppress::suppress(session, faults, &target, &what))
            .await
    }

    async fn erased(&self, target: &Target) -> Result<BTreeMap<String, bool>, LoadError> {
        let target = target.clone();
        self.with(move |session, _| erase::erased(session, &target)).await
    }

    async fn rows(&self, target: &Target) -> Result<Option<u64>, LoadError> {
        let (config, target) = (self.0.config.clone(), target.clone());
        tokio::task::spawn_blocking(move || table::rows(&config, &target))
            .await
            .unwrap_or_else(|_| Err(broken("a count panicked")))
    }
}
