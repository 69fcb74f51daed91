//! The command line as a person uses it.

mod bench;
mod clocks;
mod commands;
mod conversations;
mod deletions;
mod demo;
mod faults;
mod holidays;
mod import;
mod login;
mod snowflake;
mod sources;
mod status;
