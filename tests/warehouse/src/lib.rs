//! What stands around the tables in a warehouse, tested: the set-up SQL of `deploy/warehouse` and the dbt project of
//! `deploy/dbt`, over tables that the pipeline wrote into a real PostgreSQL.
//!
//! It also writes the parts of the dbt project that follow from the catalog ([`generated`]), so that a new column is
//! never missed: with `ZENFLOE_WRITE=1` the test writes them, without it compares them.
//!
//! What it cannot show: grants and masking of a real Snowflake, which no stand-in enforces.

pub mod dbt;
pub mod fivetran;
pub mod generated;
pub mod rules;
pub mod statements;
pub mod world;

use std::path::PathBuf;

/// A path in the repository: tests run in their package's folder.
#[must_use]
pub fn repository(path: &str) -> PathBuf {
    std::path::absolute("../..").expect("a folder to run in").join(path)
}
