//! zenfloe-tidy
