//! Loads the rows of a source's clean topics into one destination.
//!
//! The stage reads the topics of a source as one member of the destination's group (`zenfloe-load-<destination>`),
//! groups rows by table, and flushes all tables together on ticks that every loader shares, or earlier when enough is
//! in hand. The destination remembers in the same transaction how far each partition is loaded, and at every
//! assignment it is asked where to begin: what the group has committed is a report for those who watch the lag.
//!
//! Invariants:
//! - a position is stored only together with every row before it, or with the dead letter that stands for the row,
//!   which is published first;
//! - rows of a partition that went to another loader are dropped, and a flush whose positions another loader moved
//!   changes nothing;
//! - what is in hand is bounded, rows and letters of all tables together; beyond that nothing is read;
//! - a topic that was recreated, truncated or expired below a stored position ends the stage loudly.
//!
//! What it does not know: what a column means, how a log or a database works.

mod config;
mod dead;
mod end;
mod erase;
mod error;
mod flush;
mod lag;
mod load;
mod names;
mod parts;
mod patience;
mod progress;
mod read;
mod select;
mod shapes;
mod stage;
mod start;
mod table;
mod tick;

pub use config::Config;
pub use error::StageError;
pub use names::{group_id, writer_id};
pub use parts::{Drained, Parts};
pub use progress::{Progress, Snapshot, TableProgress};
pub use select::{ConfigError, Deleted, DestinationConfig, Kind, Selection, Tables};
pub use stage::run;
