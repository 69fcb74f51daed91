//! zenfloe-postgres
