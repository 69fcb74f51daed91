//! Turns the JSON of one record into the rows of its tables, as Avro, by a plan compiled once.
//!
//! [`Plan::compile`] reads a collection of the catalog and the user's [`Choice`]; [`Plan::run`] walks a
//! record once, notes where the values that columns need stand, and encodes the rows from there. There
//! is no tree of values and no struct per table. Columns that are known at run time alone (custom
//! fields) are columns of the [`Collection`](zenfloe_catalog::Collection) that is compiled.
//!
//! Invariants: a record gives all its rows or a [`Rejected`] and none; what the catalog does not name
//! leaves in no row; every value with an action other than `clear` passes the [`Guard`]; errors hold
//! paths and types, never a value.
//!
//! What it does not know: logs, keys, schema ids, the time.

mod avro;
mod cell;
mod choice;
mod compile;
mod encode;
mod keys;
mod output;
mod plan;
mod run;
mod scan;
mod text;
mod time;
mod tree;
mod value;
mod walk;

pub use choice::{Choice, PlanError};
pub use output::{Given, OutFence, OutRow, Output, Rejected};
pub use plan::{Plan, TablePlan};
pub use text::slug;
pub use zenfloe_pii::Guard;
