//! The warehouse's surroundings: generated files, set-up SQL, dbt.

mod postgres;
mod project;
mod snowflake;
