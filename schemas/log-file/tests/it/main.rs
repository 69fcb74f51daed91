//! The file log against the contract, and what only a file can go through.

mod contract;
