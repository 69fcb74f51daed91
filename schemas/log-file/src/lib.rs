//! The embedded log: one SQLite file, durable and transactional, for several processes on one machine.
//!
//! A commit is one SQLite transaction, so records, positions and fencing go together by nature. Others may read the
//! file meanwhile: the view `log` shows topic, partition, offset and contents of every record.
//!
//! Invariants:
//! - a commit that returned `Ok` survives the end of the process, however it comes, and with [`Durability::Power`] the
//!   end of the machine; with [`Durability::Process`] a power cut may take the last commits, whole ones, and a reader
//!   that was ahead then finds its position beyond the end;
//! - one transaction writes at a time, and none is long: retention and compaction go in small steps, and what they free
//!   is used again (the file does not shrink);
//! - who owns a partition is decided in the transaction that needs it.
//!
//! Groups: a reader holds its partitions while its process says so now and then ([`Config::session`]), or until it is
//! closed or dropped. A process that is seen to be gone (Linux) loses them at once. A reader that is alive and never
//! reads keeps them. A hand-over is immediate: the earlier owner's next commit is refused.
//!
//! What it does not know: what a record means; machines other than its own (SQLite's shared memory does not reach them,
//! so the file must not lie on a network drive).

mod clean;
mod config;
mod fault;
mod group;
mod keeper;
mod lanes;
mod layout;
mod log;
mod process;
mod reader;
mod records;
mod store;
mod writer;

pub use clean::Cleaned;
pub use config::{Config, Durability};
pub use log::FileLog;
