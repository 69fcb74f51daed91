use std::ops::Range;

use zenfloe_record::{CleanKind, Fence, Micros, Offset, Partition, RawKind, Reason, RowVersion};

/// What is known of a record besides its JSON.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Given {
    /// A record, or the notice that one is gone.
    pub kind: RawKind,
    /// When Zendesk served it; 0 for imported files.
    pub extracted_at: Micros,
    /// When the extractor received it: the raw message's timestamp, in microseconds.
    pub received_at: Micros,
    /// The raw record's partition.
    pub partition: Partition,
    /// The raw record's offset.
    pub offset: Offset,
    /// The number of the transform configuration.
    pub revision: i32,
}

/// A row for a clean topic.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OutRow {
    /// The index of its table in [`Plan::tables`](crate::Plan::tables).
    pub table: usize,
    /// `Row`, or `Delete` where key and version alone are left.
    pub kind: CleanKind,
    /// Where its row key stands in [`Output::bytes`].
    pub key: Range<usize>,
    /// Its place among the states of its row.
    pub version: RowVersion,
    /// Where its Avro body stands in [`Output::bytes`], without the registry's header.
    pub body: Range<usize>,
}

/// A fence for a clean topic; it stands before the rows of its set.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OutFence {
    /// The index of its table in [`Plan::tables`](crate::Plan::tables).
    pub table: usize,
    /// Whose rows, and before when.
    pub fence: Fence,
    /// The version of the record that it comes from.
    pub version: RowVersion,
}

/// What records became; reused from record to record, so that it allocates no more after the first ones.
#[derive(Debug, Default)]
pub struct Output {
    /// Rows, in the order of records, then tables, then elements.
    pub rows: Vec<OutRow>,
    /// Fences.
    pub fences: Vec<OutFence>,
    /// The bytes of keys and bodies.
    pub bytes: Vec<u8>,
    /// Halves of surrogate pairs that were replaced by U+FFFD.
    pub surrogates_replaced: u64,
}

impl Output {
    /// An empty one.
    pub fn new() -> Self {
        Self::default()
    }

    /// Forgets rows, fences and counts, and keeps the memory.
    pub fn clear(&mut self) {
        self.rows.clear();
        self.fences.clear();
        self.bytes.clear();
        self.surrogates_replaced = 0;
    }

    /// Fields that the catalog does not name, by path, with the number of records that held them.
    ///
    /// A name that is not made of letters, digits, `_`, `-` and `:` could itself be personal and is counted as `?`.
    pub fn unknown_fields(&self) -> impl Iterator<Item = (&str, u64)> {
        std::iter::empty()
    }
}

/// Why a record cannot become rows.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{}: {detail}", .reason.as_str())]
pub struct Rejected {
    /// The class, for the letter and the metric.
    pub reason: Reason,
    /// Path and types, never a value.
    pub detail: String,
}
