//! Custom fields as columns: named and typed once, at first sight, for ever.
//!
//! The definitions stand in the raw topics of the collections of fields; the columns that they were given stand in the
//! rules topic under `column/TABLE/ID`, written by one fenced writer. A column is never removed, renamed or given
//! another type; a title that changes changes what is said about the column alone. A record with a value of a field
//! without a column is transformed without it and noted in the pending topic in the same commit, and transformed again
//! once the field has its column.

mod columns;
mod fields;
mod pending;
mod shape;

pub(crate) use columns::{Columns, Definition};
pub(crate) use fields::Fields;
pub(crate) use pending::{Pending, Waiting, waits};
pub(crate) use shape::extended;
