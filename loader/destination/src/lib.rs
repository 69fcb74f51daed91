//! What a destination is to the loader: one trait, the types of a flush, a decoder of rows, one contract suite.
//!
//! A destination is a database that keeps, beside its tables, a ledger of positions (`_zenfloe_positions`: how far
//! each partition of each topic is loaded) and a list of what must not come back (`_zenfloe_suppressed`).
//!
//! Invariants, for every implementation:
//! - rows and the positions that they cover become visible in one transaction, or not at all;
//! - that transaction moves the positions first, by compare-and-swap: this is the table's lock, and of several loaders
//!   that believe they own a partition one wins;
//! - it reads `_zenfloe_suppressed` in a later statement than that, so that an erasure that was committed before is
//!   seen, and one that comes after waits for the lock and cleans what the flush wrote;
//! - of the states of a row the newest [`RowVersion`](zenfloe_record::RowVersion) stays, in whatever order they arrive;
//! - tables are made and widened, never narrowed or dropped; a column that a row's schema lacks is left untouched.
//!
//! [`contract`] proves it for each destination. What this crate does not know: where rows come from, and any database.

pub mod contract;
mod cost;
mod decode;
mod erase;
mod error;
mod faults;
mod finding;
mod flush;
mod shape;
mod spool;
mod text;

pub use cost::{Cost, Costs};
pub use decode::{DecodeError, Value};
pub use erase::{TextColumn, empty_columns, take_out};
pub use error::{Class, LoadError, RefusedRow};
pub use faults::Faults;
pub use finding::Finding;
pub use flush::{
    BatchId, Cover, Emptied, ErasedToken, Erasure, Flush, Loaded, Mode, Row, RowKind, Segment, Suppression, Target,
    TopicRef,
};
pub use shape::{
    ColumnShape, ColumnType, LOADED_AT, META, Role, STATE_COLUMNS, TableShape, VERSION_COLUMNS, current_view,
    legal_name,
};
pub use spool::Spool;
pub use text::{Cleaned, json_without_nul, text_without_nul};

use std::collections::BTreeMap;
use std::sync::Arc;

use async_trait::async_trait;
use zenfloe_record::{Partition, Positions};

/// A database that takes rows together with the positions that they cover.
///
/// Every method may be called again after an error of class [`Class::Retry`], on the same value: a destination that
/// lost its session opens a new one.
#[async_trait]
pub trait Destination: Send + Sync + 'static {
    /// Connects, and makes the ledger if it is missing.
    ///
    /// On `Ok` the destination answers and grants what loading needs. Nothing else calls for it: the other methods
    /// do the same at their first use.
    async fn open(&self) -> Result<(), LoadError>;

    /// Looks at everything that loading needs, each by itself, so that whatever is missing is named at once.
    ///
    /// Makes nothing that loading would not make.
    async fn check(&self) -> Vec<Finding> {
        vec![match self.open().await {
            Ok(()) => Finding::good("", "answers and can be loaded"),
            Err(error) => Finding::bad("", &error, ""),
        }]
    }

    /// Makes the table of `shape` under the target's name, or widens it by the columns that it lacks.
    ///
    /// On `Ok` every column of the shape exists, and beside a table that keeps the newest states a view of those that are
    /// not deleted ([`current_view`]). Never narrows, renames or drops; a column that exists with another
    /// type is [`LoadError::Schema`]. On an error a part of the columns may have been added. Several loaders may call
    /// it at once.
    async fn prepare(&self, target: &Target, shape: &TableShape) -> Result<(), LoadError>;

    /// Returns the next offset to load for each of the partitions: the authority at every assignment.
    ///
    /// Partitions that the ledger has not seen are entered with 0, in one statement for all. A stored topic id that
    /// differs from the given one is [`LoadError::TopicRecreated`].
    async fn positions(
        &self,
        target: &Target,
        topic: &TopicRef,
        partitions: &[Partition],
    ) -> Result<Positions, LoadError>;

    /// Loads rows and fences and moves the positions, in one transaction.
    ///
    /// On `Ok` all of it is durable; a flush that had been committed before (a lost reply) is recognised by its
    /// batch id and answers [`Loaded::repeated`]. On [`Class::Retry`] it is committed or not, and the same flush may be
    /// offered again. On [`Class::Moved`] nothing of it is committed and another loader has been here: drop it, read the
    /// positions, seek. On [`Class::Reject`] nothing is committed: offer it again without the rows named. On
    /// [`Class::Behind`] nothing is committed: the table knows more erasures than the flush ([`Flush::erasures`]).
    ///
    /// Contract: [`Destination::prepare`] has returned `Ok` for every shape of the flush.
    async fn flush(&self, flush: Arc<Flush>) -> Result<Loaded, LoadError>;

    /// Begins to take rows of these shapes as they arrive; `None`, always or never, where rows wait in memory.
    ///
    /// Contract: at least one shape, all of one table; [`Destination::prepare`] has returned `Ok` for each.
    fn spool(&self, _shapes: &[Arc<TableShape>]) -> Option<Box<dyn Spool>> {
        None
    }

    /// Takes rows or columns away for ever, from what is loaded and from every later flush; returns the rows changed.
    ///
    /// Commits the entries of `_zenfloe_suppressed` first, then cleans the table in a transaction that updates all of
    /// its positions rows. On an error the entries may be there and the cleaning not: call it again.
    async fn suppress(&self, target: &Target, what: &[Suppression]) -> Result<u64, LoadError>;

    /// The subjects of the erasures that have been entered for a table, and whether it was cleaned of each: one of a process
    /// that ended in between is to be entered again.
    async fn erased(&self, target: &Target) -> Result<BTreeMap<String, bool>, LoadError>;

    /// Counts a table's rows, those that are marked as deleted left out; of a large table it may be an estimate.
    ///
    /// `None` where there is no such table, or where counting would cost more than it tells. Changes nothing.
    async fn rows(&self, _target: &Target) -> Result<Option<u64>, LoadError> {
        Ok(None)
    }

    /// What loading cost in the last hours, by the destination's own account; `None` where nothing is charged for.
    async fn costs(&self, _hours: u32) -> Result<Option<Costs>, LoadError> {
        Ok(None)
    }
}
