//! zenfloe-loader
