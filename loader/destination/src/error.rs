use zenfloe_record::{Offset, Partition};

use crate::DecodeError;

/// What a caller does about an error.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Class {
    /// The world is at fault and may mend: wait and call again.
    Retry,
    /// Another loader moved the positions: drop the batch, read the positions, seek.
    Moved,
    /// Some rows are not acceptable: set them aside and call again without them.
    Reject,
    /// The destination knows of erasures that the rows have not been cleaned by: clean them and call again.
    Behind,
    /// A person is needed.
    Stop,
}

/// A row that a destination does not take.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RefusedRow {
    /// The clean record's partition.
    pub partition: Partition,
    /// The clean record's offset.
    pub offset: Offset,
    /// Why: columns, types and codes, never a value.
    pub detail: String,
}

/// Why a destination did not do what it was asked.
#[derive(Debug, thiserror::Error)]
pub enum LoadError {
    /// The database is away, busy, locked or slow.
    #[error("the destination is not available: {what}")]
    Unavailable {
        /// What was tried and what was said.
        what: String,
    },
    /// The positions are not where the flush begins.
    #[error("the positions of `{table}` were moved by another loader")]
    Moved {
        /// The table.
        table: String,
    },
    /// The table was cleaned of people whom the flush's rows may hold still.
    #[error("`{table}` has seen {entered} erasures, the rows that are offered {known}")]
    Behind {
        /// The table.
        table: String,
        /// Erasures that the destination has entered for the table.
        entered: u64,
        /// Erasures that the rows have been cleaned by.
        known: u64,
    },
    /// Rows that the database, or their own schema, refuses.
    #[error("{} rows of `{table}` are refused, the first one because {}", rows.len(), rows.first().map_or("", |row| row.detail.as_str()))]
    Refused {
        /// The table.
        table: String,
        /// Which, at least one.
        rows: Vec<RefusedRow>,
    },
    /// The topic is not the one that was loaded so far.
    #[error(
        "topic `{topic}` was recreated: `{table}` was loaded from id {stored}, the log now has id {found}; load it into an empty destination, or remove its rows from _zenfloe_positions when its content may be loaded again"
    )]
    TopicRecreated {
        /// The table.
        table: String,
        /// The topic.
        topic: String,
        /// The id in the ledger.
        stored: String,
        /// The id of today.
        found: String,
    },
    /// A schema that cannot become, or does not fit, a table.
    #[error("table `{table}` cannot take this schema: {what}")]
    Schema {
        /// The table.
        table: String,
        /// What does not fit.
        what: String,
    },
    /// Refused by sign-in or rights.
    #[error("the destination refused: {what}")]
    Forbidden {
        /// What was tried, what was said, what is missing.
        what: String,
    },
    /// The database is damaged, or this build and the database do not fit.
    #[error("the destination cannot be used: {what}")]
    Broken {
        /// What was found.
        what: String,
    },
}

impl LoadError {
    /// What the caller does about it.
    pub fn class(&self) -> Class {
        match self {
            Self::Unavailable { .. } => Class::Retry,
            Self::Moved { .. } => Class::Moved,
            Self::Behind { .. } => Class::Behind,
            Self::Refused { .. } => Class::Reject,
            Self::TopicRecreated { .. } | Self::Schema { .. } | Self::Forbidden { .. } | Self::Broken { .. } => {
                Class::Stop
            }
        }
    }

    /// One row of `table` that does not decode.
    pub fn undecodable(table: &str, partition: Partition, offset: Offset, why: &DecodeError) -> Self {
        Self::Refused {
            table: table.to_owned(),
            rows: vec![RefusedRow {
                partition,
                offset,
                detail: why.to_string(),
            }],
        }
    }
}
