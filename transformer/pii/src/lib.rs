//! Makes personal data safe: tokens for single values, placeholders for personal spans of free text.
//!
//! Invariants: nothing that is personal leaves a [`Guard`] in clear text but what its action says; an
//! empty value becomes null, never the token of nothing.
//!
//! What it does not know: columns, records, which action a column has, key bytes.

mod guard;
mod privacy;

pub use guard::Guard;
pub use privacy::{Counts, Privacy, PrivacyError, TOKEN_CLASSES};

/// The version of the normal forms and of the rules that find personal spans; a part of a transform
/// configuration's fingerprint, because a change of either changes rows.
pub const RULES_VERSION: u32 = 1;
