//! The stage over a log in memory and a SQLite file.

mod arrivals;
mod bad;
mod bench;
mod erase;
mod kills;
mod places;
mod rows;
mod spooled;
