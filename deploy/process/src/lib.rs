//! zenfloe-process
