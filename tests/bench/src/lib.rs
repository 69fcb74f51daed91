//! zenfloe-bench
