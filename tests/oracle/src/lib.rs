//! What the end-to-end tests and the demo compare with: the rows that a record must become, worked out a second
//! time over trees of values, and a scan for clear-text personal data.
//!
//! Invariant: nothing here calls the transformer, the redactor or the keyring, so that a fault of
//! theirs cannot hide itself. The catalog is shared: it is the promise that is tested.

pub mod compare;
pub mod custom;
pub mod oracle;
pub mod redacted;
pub mod scan;
pub mod sqlite;
pub mod token;
