//! Who is erased, and what that does to a row: what transformer, loader and `zenfloe erase` agree on.
//!
//! A person, a ticket or an address is erased by an [`Entry`] under its [`Subject`]'s key in `.rules`. [`Erased`] is
//! what all entries come to; [`Layout::apply`] changes a row in its Avro bytes by it: a person's own row and a scrubbed
//! ticket's keep key and version alone, columns that hold the person's tokens become null, placeholders in texts become
//! `[erased]`, texts that the person wrote are dropped, and so is what describes the person as a row's sender.
//!
//! Invariants: an entry is never taken back; to apply a second time changes nothing; a row keeps its schema, its key
//! and its version.
//!
//! What it does not know: who a person is, keys, how a log or a warehouse is written.

mod entry;
mod known;
mod row;
mod text;

pub use entry::{Asker, Entry, EntryMark, EntryToken, KEYS, REQUESTS, State, Subject};
pub use known::Erased;
pub use row::{Layout, Malformed, Verdict};
pub use text::{Cleaned, ERASED, clean};
