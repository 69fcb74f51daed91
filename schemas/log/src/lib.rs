//! The queue between the stages: one trait, three implementations, one contract suite.
//!
//! A log holds topics of numbered partitions; appends become visible together with the positions
//! that they were made from, or not at all. Implementations: [`memory`] (tests), `zenfloe-log-file`
//! (embedded default), `zenfloe-log-kafka` (production). [`contract`] is the suite all three pass.
//!
//! Invariants, for every implementation:
//! - readers see committed records only, each partition in the order of its offsets;
//! - opening a [`Writer`] ends and fences every earlier writer of the same id;
//! - a position beyond a partition's end is an error, never a stall;
//! - a partition without a stored position starts at its beginning, and only if that beginning is offset 0
//!   or was never expired, as the caller decides through [`Start`].
//!
//! What it does not know: what a record means.

pub mod contract;
mod error;
pub mod fated;
pub mod memory;
mod share;
mod types;

pub use error::{Class, LogError};
pub use share::share;
pub use types::{
    Append, Assign, Batch, Bounds, Cleanup, Done, Limit, Membership, Read, ReaderSpec, Record, Start, TopicInfo,
    TopicSpec,
};

use std::time::Duration;

use async_trait::async_trait;
use zenfloe_record::{Offset, Partition, Positions, TopicPartition};

/// A connection to a log; cheap to share.
#[async_trait]
pub trait Log: Send + Sync + 'static {
    /// Makes sure that the topics exist with these partition counts.
    ///
    /// On `Ok` each exists: made with all its settings, or found with the same partition count
    /// (other settings of an existing topic are left as they are). Errors: [`LogError::PartitionCount`]
    /// for a topic with another count, [`LogError::Forbidden`] where topics may not be created, naming what is missing.
    /// May be called again, and by several processes at once.
    async fn ensure(&self, topics: &[TopicSpec]) -> Result<(), LogError>;

    /// Describes a topic; `None` when it does not exist.
    async fn topic(&self, name: &str) -> Result<Option<TopicInfo>, LogError>;

    /// The names of all topics that begin with `prefix`, sorted.
    async fn topics(&self, prefix: &str) -> Result<Vec<String>, LogError>;

    /// The first offset still kept and the one after the last committed record.
    async fn bounds(&self, at: &TopicPartition) -> Result<Bounds, LogError>;

    /// The offset of the first record whose timestamp (milliseconds) is at least `timestamp`; the end if there is none.
    async fn offset_at(&self, at: &TopicPartition, timestamp: i64) -> Result<Offset, LogError>;

    /// Reads the committed records of a partition from `from` to its end as of now; for the small compacted topics.
    ///
    /// Also returns the position after the last one, to go on from. Errors: [`LogError::OutOfRange`] for a `from`
    /// before the first kept or beyond the end.
    async fn scan(&self, at: &TopicPartition, from: Offset) -> Result<(Vec<Record>, Offset), LogError>;

    /// The committed positions of a group; partitions without one are absent.
    async fn committed(&self, group: &str, partitions: &[TopicPartition]) -> Result<Positions, LogError>;

    /// Opens the one living writer of this id; ends and fences every earlier one.
    ///
    /// On `Ok` an unfinished commit of a predecessor has been settled, so that what is read from now on
    /// is what the predecessor truly left.
    async fn writer(&self, id: &str) -> Result<Box<dyn Writer>, LogError>;

    /// Opens a reader.
    async fn reader(&self, spec: ReaderSpec) -> Result<Box<dyn Reader>, LogError>;
}

/// Appends records; see [`Log::writer`].
#[async_trait]
pub trait Writer: Send + Sync {
    /// Appends `out` and marks `done` as read, together or not at all.
    ///
    /// On `Ok` both are durable and visible. On [`Class::Retry`] nothing is visible and the same call may be made
    /// again. On [`LogError::Fenced`] a newer writer of this id lives: nothing of this commit is visible, give up.
    /// On [`LogError::Rebalanced`] the partitions of `done` belong to another reader by now: nothing is visible,
    /// drop the batch and read on. On [`LogError::Lapsed`] nothing is visible and this writer lives, but another one of
    /// its id may have come and gone: drop what the commit was made from, read what is there now, and go on from that.
    /// Both arguments may be empty.
    ///
    /// Contract: after any error, and after a commit that was dropped before it returned, the reader stands beyond what
    /// was not committed: the caller begins its partitions again ([`Reader::begin`]); after a dropped one it opens the
    /// writer anew first, which settles it.
    async fn commit(&mut self, out: Vec<Append>, done: Option<Done>) -> Result<(), LogError>;
}

/// Reads records; see [`Log::reader`].
///
/// Reading is by events: a shared reader first reports [`Read::Assigned`] and delivers nothing from those
/// partitions until [`Reader::begin`] has said where each starts.
#[async_trait]
pub trait Reader: Send + Sync {
    /// Returns the next event, at the latest after `limit.wait` (then an empty batch).
    ///
    /// Cancel safe: a read that is dropped loses nothing.
    async fn read(&mut self, limit: Limit) -> Result<Read, LogError>;

    /// Starts (or restarts) partitions of this reader at a place.
    ///
    /// A partition that a shared reader has lost meanwhile is passed over: [`Read::Revoked`] follows.
    /// Errors: [`LogError::OutOfRange`] for an offset before the first kept or beyond the end, and for
    /// [`Start::Committed`] without a committed position where the beginning has expired (first kept offset above 0).
    async fn begin(&mut self, starts: &[(TopicPartition, Start)]) -> Result<(), LogError>;

    /// Stays a member of its group for `wait` without reading.
    ///
    /// For whoever is busy with what was read for longer than a reader may be silent: each call is a sign of life.
    /// What comes meanwhile is told by the next read, a revocation too. Cancel safe.
    async fn stay(&mut self, wait: Duration) -> Result<(), LogError> {
        tokio::time::sleep(wait).await; // where members need not be heard of
        Ok(())
    }

    /// What [`Done`] needs to prove that this reader still owns what it read.
    fn membership(&self) -> Membership;

    /// Stores positions for the group outside any commit: a lag report, not a promise.
    async fn report(&mut self, positions: &Positions) -> Result<(), LogError>;

    /// Leaves the group at once, so that others need not wait for a time-out.
    async fn close(self: Box<Self>) -> Result<(), LogError>;
}

/// The partitions of a topic.
pub fn partitions_of(topic: &str, count: Partition) -> Vec<TopicPartition> {
    let topic: std::sync::Arc<str> = topic.into();
    (0..count)
        .map(|partition| TopicPartition::new(topic.clone(), partition))
        .collect()
}
