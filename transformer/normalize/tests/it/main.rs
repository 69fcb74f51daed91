//! Plans against a second opinion: rows worked out over trees of values, bytes written by apache-avro.

#![recursion_limit = "256"] // a ticket in `json!` has many members

mod bytes;
mod choice;
mod custom;
mod events;
mod fuzz;
mod judge;
mod random;
mod rows;
mod samples;
mod speed;
