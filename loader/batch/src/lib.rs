//! zenfloe-batch
