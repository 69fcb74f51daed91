use std::ops::Range;

use crate::encode::Texts;
use crate::walk::Notes;
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
    /// The index of its table in [`Plan::tables`](crate::Plan::tables), or behind them in
    /// [`Plan::erased_tables`](crate::Plan::erased_tables).
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
    pub(crate) unknown: Unknown,
    pub(crate) work: Work,
}

/// What one record needs on its way; of no meaning afterwards.
#[derive(Debug, Default)]
pub(crate) struct Work {
    pub(crate) notes: Notes,
    pub(crate) texts: Texts,
    /// The fields that every row of the record carries, but for the last one.
    pub(crate) meta: Vec<u8>,
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
        self.unknown.counts.clear();
    }

    /// Custom fields of the last record that have a value and no column: their ids or keys.
    pub fn undefined_fields(&self) -> &[String] {
        &self.work.notes.undefined
    }

    /// Fields that the catalog does not name, by path, with the number of times that they were met.
    ///
    /// A name that is not made of letters, digits, `_`, `-` and `:` could itself be personal and is counted as
    /// `?`, and so is every further one once 200 names are held.
    pub fn unknown_fields(&self) -> impl Iterator<Item = (&str, u64)> {
        self.unknown.counts.iter().map(|(path, count)| (path.as_str(), *count))
    }
}

/// Fields that nobody names.
#[derive(Debug, Default)]
pub(crate) struct Unknown {
    counts: Vec<(String, u64)>,
}

/// Names that are told apart; more would be data in the place of names.
const NAMES: usize = 200;

impl Unknown {
    pub(crate) fn count(&mut self, parent: &str, name: &str) {
        let legal = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-' | b':');
        let is_name = (1..=63).contains(&name.len()) && name.bytes().all(legal);
        let name = if is_name { name } else { "?" };
        if !self.is_counted(parent, name) {
            let name = if self.counts.len() < NAMES { name } else { "?" };
            if !self.is_counted(parent, name) {
                let dot = if parent.is_empty() { "" } else { "." };
                self.counts.push((format!("{parent}{dot}{name}"), 1));
            }
        }
    }

    fn is_counted(&mut self, parent: &str, name: &str) -> bool {
        let is_this = |path: &str| match path.strip_suffix(name) {
            Some(rest) if parent.is_empty() => rest.is_empty(),
            Some(rest) => rest.strip_suffix('.') == Some(parent),
            None => false,
        };
        let held = self.counts.iter_mut().find(|(path, _)| is_this(path));
        held.map(|(_, count)| *count += 1).is_some()
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn unknown_names_are_counted_by_path_and_strange_ones_together() {
        let mut out = Output::new();
        for (parent, name) in [
            ("", "a"),
            ("", "a"),
            ("x", "a"),
            ("", "ann@example.com"),
            ("", ""),
            ("x", "b c"),
        ] {
            out.unknown.count(parent, name);
        }
        let counts: Vec<_> = out.unknown_fields().collect();
        assert_eq!(counts, [("a", 2), ("x.a", 1), ("?", 2), ("x.?", 1)]);
        for n in 0..1_000 {
            out.unknown.count("", &format!("n{n}"));
        }
        assert_eq!(out.unknown_fields().count(), NAMES);
        out.clear();
        assert_eq!(out.unknown_fields().count(), 0);
    }
}
