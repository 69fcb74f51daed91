//! zenfloe-log-file
