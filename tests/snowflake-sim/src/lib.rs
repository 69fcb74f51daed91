//! snowflake-sim
pub mod auth; pub mod engine; pub mod python; pub mod results; pub mod script;
