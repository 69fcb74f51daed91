//! What is loaded at once.

use std::fmt;
use std::sync::Arc;

use bytes::Bytes;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use zenfloe_record::{Fence, FenceScope, Offset, Origin, Partition, RowVersion};

use crate::{LoadError, TableShape};

/// What a table keeps of a row's states.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Mode {
    /// The newest.
    #[default]
    Upsert,
    /// Every one, each a row of its own. Nothing hides a double here: exactly once is the positions' doing alone.
    Append,
}

/// A table of the destination.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Target {
    /// Its name there.
    pub table: Arc<str>,
    /// What it keeps.
    pub mode: Mode,
}

/// A topic, and which one of that name.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct TopicRef {
    /// The full name.
    pub name: Arc<str>,
    /// The log's id of it: another one means that the topic was deleted and made again.
    pub id: Arc<str>,
}

/// The offsets of one partition that a flush moves its position over: `from` is where it must stand, `to` where it goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Cover {
    /// The partition.
    pub partition: Partition,
    /// The stored position that the flush begins at.
    pub from: Offset,
    /// The position after the last record read, kept or not.
    pub to: Offset,
}

/// The name of a flush: equal for equal topic and ranges, so that a repeated flush is recognised.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct BatchId(String);

impl BatchId {
    /// Hashes the ranges, whatever their order.
    pub fn of(topic: &TopicRef, covers: &[Cover]) -> Self {
        let mut covers = covers.to_vec();
        covers.sort_unstable();
        let mut hash = Sha256::new();
        hash.update(topic.name.as_bytes());
        hash.update([0]);
        hash.update(topic.id.as_bytes());
        for cover in covers {
            hash.update(cover.partition.to_be_bytes());
            hash.update(cover.from.to_be_bytes());
            hash.update(cover.to.to_be_bytes());
        }
        Self(data_encoding::HEXLOWER.encode(&hash.finalize()[..16]))
    }

    /// The id as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// What becomes of a row.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum RowKind {
    /// It is written.
    Live,
    /// It is emptied down to its key and version and marked deleted.
    Delete,
}

/// One clean record that is a row.
#[derive(Clone)]
pub struct Row {
    /// The clean record's partition.
    pub partition: Partition,
    /// The clean record's offset.
    pub offset: Offset,
    /// What becomes of it.
    pub kind: RowKind,
    /// The row key.
    pub key: Bytes,
    /// Its place among the states of its row.
    pub version: RowVersion,
    /// The raw record it was made from.
    pub origin: Origin,
    /// The Avro record, without the registry's header.
    pub body: Bytes,
    /// The schema of the body.
    pub shape: Arc<TableShape>,
    /// An erasure wrote the record anew. Where every state is kept, it is written only if its first writing is not there
    /// (see [`STATE_COLUMNS`](crate::STATE_COLUMNS)).
    pub is_rewritten: bool,
}

impl Row {
    /// Claims that both are one state of one row, written twice.
    pub fn is_state_of(&self, other: &Self) -> bool {
        (&self.origin, self.version, &self.key) == (&other.origin, other.version, &other.key)
    }

    /// What it takes of a batch's size, in bytes.
    pub fn size(&self) -> usize {
        self.key.len() + self.body.len()
    }
}

/// Prints lengths, never contents.
impl fmt::Debug for Row {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{:?} {}@{} ({} bytes)",
            self.kind,
            self.partition,
            self.offset,
            self.body.len()
        )
    }
}

/// Rows of a flush that one statement can take: of one schema and one kind, written anew or not.
#[derive(Debug, Clone)]
pub struct Segment {
    /// The schema of all of them.
    pub shape: Arc<TableShape>,
    /// The kind of all of them.
    pub kind: RowKind,
    /// Whether all of them were written anew, or none.
    pub is_rewritten: bool,
    /// At least one.
    pub rows: Vec<Row>,
}

/// Rows of one topic and the positions that they cover.
#[derive(Debug, Clone)]
pub struct Flush {
    /// Where to.
    pub target: Target,
    /// Where from.
    pub topic: TopicRef,
    /// Which positions move, each partition once.
    pub covers: Vec<Cover>,
    /// The name of those ranges.
    pub batch: BatchId,
    /// The rows; in upsert mode a key may occur more than once, the newest version wins.
    pub segments: Vec<Segment>,
    /// At most one per scope; they act on older rows of the table and of this flush.
    pub fences: Vec<Fence>,
    /// How many erasures its rows have been cleaned by; a destination that has entered more for the table refuses it.
    pub erasures: u64,
}

impl Flush {
    /// Puts rows into segments.
    pub fn new(target: Target, topic: TopicRef, covers: Vec<Cover>, rows: Vec<Row>, fences: Vec<Fence>) -> Self {
        Self {
            batch: BatchId::of(&topic, &covers),
            target,
            topic,
            covers,
            segments: segments(rows),
            fences,
            erasures: 0,
        }
    }

    /// The same flush with other ranges, and their name.
    #[must_use]
    pub fn covering(self, covers: Vec<Cover>) -> Self {
        Self {
            batch: BatchId::of(&self.topic, &covers),
            covers,
            ..self
        }
    }

    /// Refuses the flush where the destination has entered more erasures than its rows have been cleaned by.
    ///
    /// Contract: `entered` was read after the flush moved its positions, in a later statement, or still holds.
    pub fn refuse_behind(&self, entered: u64) -> Result<(), LoadError> {
        if entered <= self.erasures {
            return Ok(());
        }
        Err(LoadError::Behind {
            table: self.target.table.to_string(),
            entered,
            known: self.erasures,
        })
    }

    /// The same flush with its rows changed: `None` from `change` keeps a row as it is.
    #[must_use]
    pub fn changed(&self, mut change: impl FnMut(&Row) -> Option<Row>) -> Self {
        let rows = self
            .rows()
            .map(|row| change(row).unwrap_or_else(|| row.clone()))
            .collect();
        Self {
            segments: segments(rows),
            ..self.clone()
        }
    }

    /// The same flush without the rows for which `refused` holds; they are returned.
    pub fn without(&self, refused: impl Fn(&Row) -> bool) -> (Self, Vec<Row>) {
        let (out, kept): (Vec<Row>, Vec<Row>) = self.rows().cloned().partition(refused);
        let flush = Self {
            segments: segments(kept),
            ..self.clone()
        };
        (flush, out)
    }

    /// Every row.
    pub fn rows(&self) -> impl Iterator<Item = &Row> {
        self.segments.iter().flat_map(|segment| &segment.rows)
    }

    /// The number of rows.
    pub fn len(&self) -> usize {
        self.segments.iter().map(|segment| segment.rows.len()).sum()
    }

    /// Claims that it moves positions only.
    pub fn is_empty(&self) -> bool {
        self.segments.is_empty() && self.fences.is_empty()
    }
}

fn segments(rows: Vec<Row>) -> Vec<Segment> {
    let mut segments: Vec<Segment> = Vec::new();
    for row in rows {
        let fits = |segment: &&mut Segment| {
            (segment.kind, segment.is_rewritten) == (row.kind, row.is_rewritten)
                && Arc::ptr_eq(&segment.shape, &row.shape)
        };
        match segments.iter_mut().find(fits) {
            Some(segment) => segment.rows.push(row),
            None => segments.push(Segment {
                shape: row.shape.clone(),
                kind: row.kind,
                is_rewritten: row.is_rewritten,
                rows: vec![row],
            }),
        }
    }
    // What was written anew looks for its first writing.
    segments.sort_by_key(|segment| segment.is_rewritten);
    segments
}

/// What a flush did.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Loaded {
    /// Rows inserted or updated; the rest were older than what is there, or suppressed.
    pub written: u64,
    /// Rows of the table that fences emptied.
    pub fenced: u64,
    /// NULs replaced in texts.
    pub nul_replaced: u64,
    /// The flush had been committed before; the counts are 0.
    pub repeated: bool,
}

/// What must not come back.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Suppression {
    /// Rows of a parent, older than the fence's time or for ever.
    Rows(Fence),
    /// A column of rows whose revision is smaller than this one.
    Column {
        /// The column.
        column: String,
        /// The first revision that may fill it.
        revision: i32,
    },
    /// What identifies somebody. Later flushes bring it no more: whoever offers them has cleaned their rows
    /// ([`Flush::erasures`]).
    Erasure(Erasure),
}

impl Suppression {
    /// The erasure that it is, if it is one.
    pub fn erasure(&self) -> Option<&Erasure> {
        match self {
            Self::Erasure(erasure) => Some(erasure),
            Self::Rows(_) | Self::Column { .. } => None,
        }
    }
}

/// What an erasure does to one table.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Erasure {
    /// Whose: what the destination remembers of it.
    pub subject: String,
    /// Rows that are emptied down to key and version.
    pub rows: Option<FenceScope>,
    /// Tokens: a column that holds one becomes null, in a text it is replaced.
    pub tokens: Vec<ErasedToken>,
    /// What becomes null in rows that stay.
    pub emptied: Vec<Emptied>,
}

/// Columns that become null in some rows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Emptied {
    /// The rows.
    pub scope: FenceScope,
    /// The columns; those that a table does not have are left out.
    pub columns: Vec<String>,
}

/// A token that is to stand nowhere.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ErasedToken {
    /// Its class, as in placeholders.
    pub class: String,
    /// The token.
    pub token: String,
}
