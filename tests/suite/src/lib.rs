//! zenfloe-suite
