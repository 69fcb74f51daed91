//! zenfloe-transformer
