//! zenfloe-harness
