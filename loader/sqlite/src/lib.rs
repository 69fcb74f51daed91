//! zenfloe-sqlite
