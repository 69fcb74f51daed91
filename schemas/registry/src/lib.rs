//! zenfloe-registry
