//! zenfloe-normalize
