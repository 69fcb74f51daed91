//! Holds the structure of the workspace: who may depend on whom, and what no file may say.
//!
//! The rules are tests (`tests/tidy.rs`); this library is empty so that nothing can depend on it.
