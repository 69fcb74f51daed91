//! What loading costs where the destination charges for it.

use std::collections::BTreeMap;

use serde::Serialize;

/// What statements of one table took.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize)]
pub struct Cost {
    /// Statements run.
    pub statements: u64,
    /// How long these took together.
    pub seconds: f64,
    /// Bytes that they read.
    pub bytes: u64,
}

/// What the destination charged for in some span of time.
#[derive(Debug, Clone, PartialEq, Default, Serialize)]
pub struct Costs {
    /// By the destination's table; under the empty name what belongs to none.
    pub tables: BTreeMap<String, Cost>,
    /// The destination tells no more than this many statements, and told as many: older ones are left out.
    pub is_cut: bool,
}
