//! The contract that every log passes.
