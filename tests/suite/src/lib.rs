//! The product as a user runs it: processes of the real binary over a real broker, registry and database.
//!
//! [`World`] holds the services, the simulated account and the processes; [`chaos`] kills them; [`counts`]
//! proves from the topics alone that nothing was lost or doubled; [`tables`] reads the destination for the
//! oracle; [`snow`] holds Snowflake's tables against them; [`clear`] looks for clear-text personal data everywhere.
//!
//! What it does not know: any stage's code. Processes, topics and tables are all that it looks at.

pub mod chaos;
pub mod clear;
pub mod counts;
pub mod snow;
pub mod tables;
mod topics;
mod world;

pub use topics::{CleanRecord, RawState, Topics};
pub use world::{Stage, World};
