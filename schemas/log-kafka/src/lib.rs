//! zenfloe-log-kafka
