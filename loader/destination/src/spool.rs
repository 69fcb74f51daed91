//! Rows that a destination takes while they arrive.

use std::sync::Arc;

use async_trait::async_trait;
use zenfloe_record::Partition;

use crate::{Flush, LoadError, Loaded, RefusedRow, Row, TableShape};

/// Takes the rows of a coming flush one by one, so that memory holds few of them, and loads them with the flush.
///
/// It keeps every state of a row that it is given; the newest is chosen as they are loaded.
#[async_trait]
pub trait Spool: Send + Sync {
    /// Claims that it was made for rows of this very shape.
    fn takes(&self, shape: &Arc<TableShape>) -> bool;

    /// Takes a row, or says why the row can never be loaded; then the spool is as before.
    ///
    /// After an error the spool cannot be relied on: drop it and read its rows again.
    ///
    /// Contract: [`Spool::takes`] holds for the row's shape.
    fn push(&mut self, row: &Row) -> Result<Option<RefusedRow>, LoadError>;

    /// Moves what is in memory to disk, where there is a way.
    fn settle(&mut self) -> Result<(), LoadError>;

    /// Claims that it cannot load what it was given, for want of disk: drop it and read its rows again.
    fn is_lost(&self) -> bool {
        false
    }

    /// Gives up the rows that it has of a partition so far; returns how many these were.
    fn drop_partition(&mut self, partition: Partition) -> usize;

    /// The rows that it would load.
    fn rows(&self) -> usize;

    /// What it holds in memory, in bytes.
    fn in_memory(&self) -> usize;

    /// What it holds on disk, in bytes.
    fn on_disk(&self) -> usize;

    /// Loads its rows with the positions and fences of `head`, which has no rows of its own.
    ///
    /// What [`Destination::flush`](crate::Destination::flush) promises holds here, and the call may be repeated in the
    /// same way, unless [`Spool::is_lost`]. On [`Class::Reject`](crate::Class::Reject) the spool cannot leave rows out: drop it, read its
    /// rows again, and push all but those that were named. Nothing is pushed after the first call.
    async fn flush(&mut self, head: &Flush) -> Result<Loaded, LoadError>;
}
