//! zenfloe-destination
