//! How well personal spans are found: texts with labels of others, tickets and hard negatives of our own making.
//!
//! Invariant: everything made here is a function of a seed. What counts as found is what a reader of the redacted
//! text can no longer read: a label is found where none of its characters but separators are left in clear.
//!
//! It does not know how anything is found.

mod labelled;
mod negatives;
mod table;
mod tickets;

pub use labelled::{Label, Labelled, is_url_detected};
pub use negatives::{Negative, negatives};
pub use table::Table;
pub use tickets::{Ticket, Who, people, tickets};

use zenfloe_keyring::{TokenKeys, Tokens};
use zenfloe_pii::{Guard, Privacy, TOKEN_CLASSES};

/// The regions of all measurements.
pub const REGIONS: &[&str] = &["US", "CA", "GB", "DE", "FR", "ES", "IT", "NL", "AU", "IN", "BR"];

/// A guard of those regions under keys of its own.
///
/// # Panics
///
/// Where a region of [`REGIONS`] is none.
#[must_use]
pub fn privacy() -> Privacy {
    let tokens = Tokens::new(&TokenKeys::generate(), "acme", TOKEN_CLASSES);
    Privacy::new(tokens, REGIONS).expect("the regions are regions")
}

/// A text as it leaves, every placeholder reduced to its kind: `[email]`.
#[must_use]
pub fn redacted(privacy: &mut Privacy, text: &str) -> String {
    let mut out = String::new();
    privacy.redact(text, &mut out);
    let mut short = String::new();
    let mut rest = out.as_str();
    while let Some(start) = rest.find(":k1_") {
        short.push_str(&rest[..start]);
        rest = rest[start..].split_once(']').map_or("", |(_, after)| after);
        short.push(']');
    }
    short + rest
}

/// The ranges of a text that a redaction of it has replaced, by what is left: placeholders hold no clear text.
#[must_use]
pub fn replaced(text: &str, redacted: &str) -> Option<Vec<std::ops::Range<usize>>> {
    let mut ranges = Vec::new();
    let mut at = 0;
    let mut rest = redacted;
    loop {
        let open = placeholder(rest);
        let piece = open.map_or(rest, |(start, _)| &rest[..start]);
        let found = if open.is_none() {
            text.len()
                .checked_sub(piece.len())
                .filter(|found| *found >= at && text.ends_with(piece))?
        } else if ranges.is_empty() && at == 0 {
            text.starts_with(piece).then_some(0)?
        } else {
            at + text[at..].find(piece)?
        };
        if let Some(last) = ranges.last_mut() {
            let last: &mut std::ops::Range<usize> = last;
            last.end = found;
        }
        at = found + piece.len();
        let Some((_, end)) = open else { return Some(ranges) };
        ranges.push(at..at);
        rest = &rest[end..];
    }
}

/// The first placeholder: where it begins and ends.
fn placeholder(text: &str) -> Option<(usize, usize)> {
    text.match_indices('[').find_map(|(start, _)| {
        let length = text[start..].find(']')?;
        let kind = &text[start + 1..start + length];
        let is_kind = TOKEN_CLASSES.contains(&kind);
        is_kind.then_some((start, start + length + 1))
    })
}
