//! Snowflake as a destination: a driver session, one explicit transaction per flush.
//!
//! A table's session uploads a batch (as Parquet to an internal stage, or within a statement when it is small), begins,
//! moves the positions by compare-and-swap, which is the table's lock, stages the rows, reads what is suppressed, merges,
//! commits. That is 7 statements, 8 when fences are in it, whatever the number of partitions.
//!
//! Invariants, beside those of [`zenfloe_destination`]:
//! - a statement whose answer is lost is sent again under the same request id, which the account runs once; a session
//!   that is lost takes its transaction with it, and a flush whose COMMIT was lost is recognised by its batch id;
//! - a COPY stages every row of a batch or the flush fails; a row that the account refuses is found by halving the batch;
//! - messages name columns, objects and codes, never a value.
//!
//! What it does not know: where rows come from, and how Snowflake is set up (roles, warehouse, schema, users).

mod auth;
mod check;
mod columns;
mod config;
mod cost;
mod driver;
mod erase;
mod error;
mod fence;
mod file;
mod http;
mod inline;
mod layout;
mod ledger;
mod load;
mod pending;
mod rows;
mod rules;
mod session;
mod spool;
mod sql;
mod stage;
mod staging;
mod suppress;
mod table;
mod time;
mod upsert;
mod wire;

use std::collections::BTreeMap;
use std::sync::Arc;

use async_trait::async_trait;
use zenfloe_destination::{
    Costs, Destination, Faults, Finding, Flush, LoadError, Loaded, Spool, Suppression, TableShape, Target, TopicRef,
};
use zenfloe_record::{Partition, Positions};

pub use config::{Authenticator, Config, ConfigError, Upsert};

use crate::http::Account;
use crate::load::{Done, Load, find_bad};
use crate::pending::Pending;
use crate::session::{Open, Trouble, Warehouse, Work};
use crate::spool::{Batch, Encoder, Manner};

/// How patient a check is.
const CHECK_PATIENCE: std::time::Duration = std::time::Duration::from_secs(10);

/// A Snowflake schema as a destination; see the crate's documentation.
#[derive(Clone)]
pub struct Snowflake(Arc<Warehouse>);

impl Snowflake {
    /// Checks the configuration; makes no request.
    pub fn new(config: Config) -> Result<Self, LoadError> {
        Self::with_faults(config, Faults::none())
    }

    /// The same with faults between the statements, for tests.
    pub fn with_faults(config: Config, faults: Arc<Faults>) -> Result<Self, LoadError> {
        let account = Account::new(config.clone())?;
        Ok(Self(Arc::new(Warehouse::new(config, faults, Box::new(account)))))
    }

    async fn load(&self, head: &Flush, batch: Option<&Batch>) -> Result<Loaded, LoadError> {
        if head.covers.is_empty() {
            return Ok(Loaded::default());
        }
        let table = &*head.target.table;
        match (self.0.perform(table, &Load { head, batch }).await?, batch) {
            (Done::Loaded(loaded), _) => Ok(loaded),
            (Done::Refused { code }, Some(batch)) => Err(LoadError::Refused {
                table: table.to_owned(),
                rows: find_bad(&self.0, head, batch, &code).await?,
            }),
            (Done::Refused { code }, None) => Err(LoadError::Broken {
                what: format!("a flush without rows was refused ({code})"),
            }),
        }
    }
}

/// Encodes the rows of a flush; `None` when there are none.
fn encode(flush: &Flush, manner: Manner) -> Result<Option<Batch>, LoadError> {
    let mut shapes: Vec<Arc<TableShape>> = Vec::new();
    for segment in &flush.segments {
        if !shapes.iter().any(|held| Arc::ptr_eq(held, &segment.shape)) {
            shapes.push(segment.shape.clone());
        }
    }
    if shapes.is_empty() {
        return Ok(None);
    }
    let mut encoder = Encoder::new(flush.batch.as_str().to_owned(), &shapes, manner);
    let mut refused = Vec::new();
    for row in flush.rows() {
        refused.extend(encoder.push(row)?);
    }
    match refused.is_empty() {
        true => encoder.finish().map(Some),
        false => Err(LoadError::Refused {
            table: flush.target.table.to_string(),
            rows: refused,
        }),
    }
}

async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, LoadError> + Send + 'static,
) -> Result<T, LoadError> {
    tokio::task::spawn_blocking(work).await.unwrap_or_else(|_| {
        Err(LoadError::Broken {
            what: "encoding a batch panicked".into(),
        })
    })
}

/// Signs in and makes what all tables share.
struct Greet;

#[async_trait]
impl Work for Greet {
    type Done = ();

    async fn attempt(&self, _: &Warehouse, _: &mut Open) -> Result<(), Trouble> {
        Ok(())
    }
}

#[async_trait]
impl Destination for Snowflake {
    async fn open(&self) -> Result<(), LoadError> {
        self.0.perform("", &Greet).await
    }

    async fn check(&self) -> Vec<Finding> {
        // Whoever looks wants an answer now.
        let config = Config {
            retry_timeout: self.0.config.retry_timeout.min(CHECK_PATIENCE),
            lock_timeout: self.0.config.lock_timeout.min(CHECK_PATIENCE),
            ..self.0.config.clone()
        };
        match Self::new(config) {
            Ok(hasty) => check::check(&hasty.0).await,
            Err(error) => vec![Finding::bad("configuration", &error, "")],
        }
    }

    async fn prepare(&self, target: &Target, shape: &TableShape) -> Result<(), LoadError> {
        self.0.perform(&target.table, &table::Prepare { target, shape }).await
    }

    async fn positions(
        &self,
        target: &Target,
        topic: &TopicRef,
        partitions: &[Partition],
    ) -> Result<Positions, LoadError> {
        let read = ledger::Read {
            target,
            topic,
            partitions,
        };
        self.0.perform(&target.table, &read).await
    }

    async fn flush(&self, flush: Arc<Flush>) -> Result<Loaded, LoadError> {
        let (encoded, manner) = (flush.clone(), self.0.manner());
        let batch = blocking(move || encode(&encoded, manner)).await?;
        self.load(&flush, batch.as_ref()).await
    }

    fn spool(&self, shapes: &[Arc<TableShape>]) -> Option<Box<dyn Spool>> {
        let encoder = Encoder::new(http::unique(), shapes, self.0.manner());
        Some(Box::new(Pending::new(self.clone(), encoder)))
    }

    async fn erased(&self, target: &Target) -> Result<BTreeMap<String, bool>, LoadError> {
        self.0.perform(&target.table, &erase::ReadErased { target }).await
    }

    async fn rows(&self, target: &Target) -> Result<Option<u64>, LoadError> {
        self.0.perform(&target.table, &table::Count { target }).await
    }

    async fn costs(&self, hours: u32) -> Result<Option<Costs>, LoadError> {
        self.0.perform("", &cost::Read { hours }).await.map(Some)
    }

    async fn suppress(&self, target: &Target, what: &[Suppression]) -> Result<u64, LoadError> {
        if what.is_empty() {
            return Ok(0);
        }
        self.0.perform(&target.table, &suppress::Enter { target, what }).await?;
        self.0.perform(&target.table, &suppress::Clean { target, what }).await
    }
}
