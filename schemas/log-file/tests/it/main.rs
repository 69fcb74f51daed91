//! The file log against the contract, and what only a file can go through.

mod clean;
mod contract;
mod damage;
mod processes;
mod readers;
