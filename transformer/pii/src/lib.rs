//! Makes personal data safe: tokens for single values, placeholders for personal spans of free text.
//!
//! A value is brought into its class's normal form ([`normal_form`]) and becomes the token of it, in a
//! column of its own and in a text alike, so that both join. Free text is searched by detectors, one
//! file each, and by the names and numbers of [`People`] that the source knows, over a *view* of it in which HTML entities and look-alike characters are what they mean;
//! what they find is replaced by typed placeholders, `[email:k1_…]`.
//!
//! Invariants: nothing that a detector finds leaves in clear text; an empty value becomes null, never
//! the token of nothing; equal persons have equal tokens in columns and texts; no text makes it panic.
//!
//! People who were erased are recognised by marks alone ([`Erased`]); what is found of them becomes `[erased]`.
//!
//! What it does not know: columns, records, which action a column has, key bytes.

mod erased;
mod find;
mod fold;
mod guard;
mod kind;
mod normal;
mod people;
mod phone;
mod privacy;
mod view;

pub use erased::{Erased, ErasedMark};
pub use guard::Guard;
pub use kind::{Kind, TOKEN_CLASSES};
pub use normal::Normal;
pub use people::{Identifier, People};
pub use phone::{Phones, UnknownRegion};
pub use privacy::{Counts, Privacy};

/// The version of the normal forms and of the rules that find personal spans; a part of a transform
/// configuration's fingerprint, because a change of either changes rows.
pub const RULES_VERSION: u32 = 2;
