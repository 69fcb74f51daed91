//! zenfloe-extractor
