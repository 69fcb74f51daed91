use serde::{Deserialize, Serialize};
use zenfloe_record::{Offset, Positions, TopicPartition};

/// What is transformed again.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Replay {
    /// Collections by name; all of the parts' when empty.
    pub collections: Vec<String>,
    /// Where it begins.
    pub from: From,
    /// Says what would be transformed, and does nothing.
    pub is_dry_run: bool,
}

/// Where a replay begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum From {
    /// At the first record still kept.
    All,
    /// At this offset of every partition, or the first one still kept.
    Offset(Offset),
    /// At the first record received at this time or later, in milliseconds since 1970.
    Time(i64),
}

/// The part of one partition that is transformed again.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Span {
    /// The raw topic.
    pub topic: String,
    /// Its partition.
    pub partition: i32,
    /// The first offset.
    pub from: Offset,
    /// The offset after the last one: where live transformation stood, or where the present revision began.
    pub until: Offset,
    /// The next offset.
    pub next: Offset,
    /// Records transformed by this process.
    pub records: u64,
}

impl Span {
    /// Offsets that are left; as transactions take offsets too, at least as many as there are records.
    pub fn left(&self) -> u64 {
        u64::try_from(self.until - self.next).unwrap_or(0)
    }
}

/// How a replay ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Replayed {
    /// Everything is transformed; otherwise the same replay goes on where this one stopped.
    pub is_complete: bool,
    /// An interrupted replay was taken up.
    pub is_resumed: bool,
    /// The number of the configuration.
    pub revision: i32,
    /// Records transformed.
    pub records: u64,
    /// Rows written.
    pub rows: u64,
    /// Dead letters written.
    pub dead: u64,
    /// Partition by partition.
    pub spans: Vec<Span>,
}

/// A replay under way, as the rules topic remembers it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Plan {
    pub(crate) revision: i32,
    pub(crate) collections: Vec<String>,
    pub(crate) from: From,
    pub(crate) spans: Vec<Bound>,
}

/// The ends of a span.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Bound {
    pub(crate) topic: String,
    pub(crate) partition: i32,
    pub(crate) from: Offset,
    pub(crate) until: Offset,
}

impl Plan {
    /// Claims that both were asked for with the same words, under the same configuration.
    pub(crate) fn is_same_request(&self, other: &Self) -> bool {
        self.revision == other.revision && self.collections == other.collections && self.from == other.from
    }

    /// The positions before the first record.
    pub(crate) fn start(&self) -> Positions {
        self.spans.iter().map(|bound| (bound.at(), bound.from)).collect()
    }

    /// The spans, as far as `reached` says.
    pub(crate) fn spans(&self, reached: &Positions) -> Vec<Span> {
        let span = |bound: &Bound| Span {
            topic: bound.topic.clone(),
            partition: bound.partition,
            from: bound.from,
            until: bound.until,
            next: reached
                .get(&bound.at())
                .unwrap_or(bound.from)
                .clamp(bound.from, bound.until),
            records: 0,
        };
        self.spans.iter().map(span).collect()
    }
}

impl Bound {
    pub(crate) fn at(&self) -> TopicPartition {
        TopicPartition::new(self.topic.as_str(), self.partition)
    }
}
