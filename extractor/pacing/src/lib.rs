//! zenfloe-pacing
