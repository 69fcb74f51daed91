//! zenfloe-pii
