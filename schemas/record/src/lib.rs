//! What two stages must agree on about a record: names, keys, partitions, versions, headers.
//!
//! Invariant: nothing here reads a clock, a network or a key file; every function is a pure
//! function of its arguments, and every encoding has a golden test, because records written by
//! one release are read by the next.
//!
//! What it does not know: how a log stores records, what a collection's fields mean, what is personal.

mod clean;
mod cursor;
mod fence;
mod headers;
mod letter;
mod name;
mod partition;
mod people;
mod position;
mod raw;
mod version;

pub use clean::{CleanHeaders, CleanKey, CleanKind, Origin, row_key};
pub use cursor::Cursor;
pub use fence::{Fence, FenceScope};
pub use headers::{Headers, header};
pub use letter::{Letter, Reason, Stage};
pub use name::{InvalidName, SourceName, Topic};
pub use partition::partition_of;
pub use people::{KnownKind, KnownValue, Owner};
pub use position::{Offset, Partition, Positions, TopicPartition};
pub use raw::{RawHeaders, RawKind};
pub use version::{Micros, RowVersion};

/// A header or value that another release or another program wrote and that this one cannot read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Malformed {
    /// A header that every record of this kind carries is absent.
    #[error("header `{0}` is missing")]
    MissingHeader(&'static str),
    /// A header's bytes do not have the documented form.
    #[error("header `{0}` cannot be read")]
    Header(&'static str),
    /// A value does not have the documented form.
    #[error("{0} cannot be read")]
    Value(&'static str),
}
