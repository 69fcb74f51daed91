use std::any::Any;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use zenfloe_record::{Headers, Offset, Partition, Positions, TopicPartition};

/// What a topic must be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TopicSpec {
    /// The full name.
    pub name: Arc<str>,
    /// The number of partitions, for ever.
    pub partitions: Partition,
    /// How old records go.
    pub cleanup: Cleanup,
    /// The largest message in bytes, headers included.
    pub max_message_bytes: usize,
}

/// How a topic forgets.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Cleanup {
    /// Records older than this go (by message timestamp).
    Delete(Duration),
    /// Of records with one key the last one stays.
    Compact,
}

/// What a topic is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TopicInfo {
    /// Changes when a topic is deleted and made again under its name (Kafka's topic id).
    pub id: String,
    /// The number of partitions.
    pub partitions: Partition,
    /// The largest message in bytes, where the log tells.
    pub max_message_bytes: Option<usize>,
}

/// The span of a partition that can be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Bounds {
    /// The first offset still kept.
    pub start: Offset,
    /// The offset after the last committed record (Kafka's last stable offset).
    pub end: Offset,
}

/// A record as read.
#[derive(Clone, PartialEq, Eq)]
pub struct Record {
    /// Where it stands.
    pub at: TopicPartition,
    /// Its number there.
    pub offset: Offset,
    /// Milliseconds since 1970; our own clock when it was appended, or as the writer said.
    pub timestamp: i64,
    /// Its key; empty when it has none.
    pub key: Bytes,
    /// Its value; `None` is a tombstone, empty bytes are a value.
    pub value: Option<Bytes>,
    /// Its headers.
    pub headers: Headers,
}

/// A record to append. The partition is the caller's: see `zenfloe_record::partition_of`.
#[derive(Clone, PartialEq, Eq)]
pub struct Append {
    /// Where to.
    pub at: TopicPartition,
    /// Milliseconds since 1970; `None` means now.
    pub timestamp: Option<i64>,
    /// Its key.
    pub key: Bytes,
    /// Its value; `None` is a tombstone.
    pub value: Option<Bytes>,
    /// Its headers.
    pub headers: Headers,
}

impl Append {
    /// The bytes of key, value and headers; what [`TopicSpec::max_message_bytes`] is held against where a log adds
    /// nothing of its own.
    pub fn size(&self) -> usize {
        let headers: usize = self.headers.iter().map(|(name, value)| name.len() + value.len()).sum();
        self.key.len() + self.value.as_ref().map_or(0, Bytes::len) + headers
    }
}

/// Records print as lengths, never as contents.
impl fmt::Debug for Record {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{}@{} ({} bytes)",
            self.at,
            self.offset,
            self.value.as_ref().map_or(0, Bytes::len)
        )
    }
}

impl fmt::Debug for Append {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ({} bytes)", self.at, self.value.as_ref().map_or(0, Bytes::len))
    }
}

/// How much one read may return.
#[derive(Debug, Clone, Copy)]
pub struct Limit {
    /// At most so many records (at least 1).
    pub records: usize,
    /// Stop adding records once so many bytes of key and value are in hand; one larger record is still returned.
    pub bytes: usize,
    /// Return after this time even with nothing. A read returns as soon as it has something.
    pub wait: Duration,
}

impl Default for Limit {
    fn default() -> Self {
        Self {
            records: 1_000,
            bytes: 4 << 20,
            wait: Duration::from_millis(500),
        }
    }
}

/// Where a partition starts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Start {
    /// At the group's committed position; at the very beginning when there is none.
    Committed,
    /// At the first offset still kept, whatever has expired before it.
    Earliest,
    /// At this offset, which must lie between the first kept and the end, both included.
    At(Offset),
}

/// What happened.
#[derive(Debug)]
pub enum Read {
    /// These partitions are ours now; nothing comes from them before [`crate::Reader::begin`].
    Assigned(Vec<TopicPartition>),
    /// These partitions are ours no longer; a batch of theirs in hand must be dropped.
    Revoked(Vec<TopicPartition>),
    /// Records, or none when the wait is over.
    Batch(Batch),
}

/// Consecutive records of the reader's partitions.
#[derive(Debug, Default)]
pub struct Batch {
    /// In order of offset within each partition.
    pub records: Vec<Record>,
    /// Where the reader stands after them, beyond transaction markers and aborted records too; at least for those
    /// partitions that moved, so that it is merged into what is known. An empty batch may move partitions as well.
    pub positions: Positions,
}

/// Who reads what.
#[derive(Debug, Clone)]
pub struct ReaderSpec {
    /// The consumer group under which positions are committed.
    pub group: String,
    /// This reader's stable name in its group (Kafka's `group.instance.id`); `None` for a passing one.
    pub member: Option<String>,
    /// Which partitions.
    pub assign: Assign,
}

/// How partitions come to a reader.
#[derive(Debug, Clone)]
pub enum Assign {
    /// Shared with the other readers of the group, each partition with one of them.
    Shared(Vec<String>),
    /// Exactly these; no [`Read::Assigned`] is reported, [`crate::Reader::begin`] starts them.
    Exact(Vec<TopicPartition>),
}

/// A reader's proof of membership, understood by its own implementation only.
#[derive(Clone)]
pub struct Membership(pub Arc<dyn Any + Send + Sync>);

impl fmt::Debug for Membership {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Membership")
    }
}

/// What a commit marks as read.
#[derive(Debug, Clone)]
pub struct Done {
    /// Who read it: [`crate::Reader::membership`], taken after the read.
    pub by: Membership,
    /// The next offset of each partition.
    pub positions: Positions,
}
