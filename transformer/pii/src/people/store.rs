//! The table of known values.

use std::collections::HashMap;
use std::hash::{BuildHasherDefault, Hasher};
use std::mem::size_of;

use crate::kind::Kind;

use super::LONGEST;
use super::words::Rank;

/// What is known of a value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Known {
    pub(crate) kind: Kind,
    /// The normal form of what was learnt is kept, because a text may spell it in another way.
    pub(crate) is_kept: bool,
    pub(crate) rank: Rank,
}

#[derive(Debug, Clone, Copy)]
struct Entry {
    known: Known,
    /// How often it was learnt.
    count: u32,
    /// The normal form in `forms`; [`NONE`]: that of the text.
    form: u32,
}

const NONE: u32 = u32::MAX;

/// First words, by the lower bits of their hashes: which lengths of phrases begin with one. What is in nobody's name
/// is passed after one look at a table that fits into a processor's cache.
const STARTS: usize = 1 << 20;

/// Known values by their hashes.
#[derive(Default)]
pub(crate) struct Store {
    entries: HashMap<u64, Entry, BuildHasherDefault<Hashed>>,
    starts: Vec<u8>,
    /// Normal forms, each behind its length.
    forms: Vec<u8>,
}

impl Store {
    /// Notes that a phrase of so many words begins with a word.
    pub(crate) fn begin(&mut self, first: u64, words: usize) {
        if self.starts.is_empty() {
            self.starts = vec![0; STARTS];
        }
        self.starts[place(first)] |= 1 << (words.clamp(1, LONGEST) - 1);
    }

    /// Bit n says that a phrase of n + 1 words may begin with a word.
    #[inline]
    pub(crate) fn lengths(&self, first: u64) -> u8 {
        self.starts.get(place(first)).copied().unwrap_or_default()
    }

    /// Learns a value once more.
    pub(crate) fn add(&mut self, key: u64, known: Known, normal: &str) -> bool {
        if let Some(held) = self.entries.get_mut(&key) {
            held.count = held.count.saturating_add(1);
            // The surest of several meanings counts.
            if known.rank < held.known.rank {
                held.known = known;
                if known.is_kept {
                    held.form = keep(&mut self.forms, normal);
                }
            }
            return true;
        }
        let form = if known.is_kept {
            keep(&mut self.forms, normal)
        } else {
            NONE
        };
        self.entries.insert(key, Entry { known, count: 1, form });
        true
    }

    /// Forgets a value once. Its normal form's place is not used again.
    pub(crate) fn remove(&mut self, key: u64, _known: Known) -> bool {
        let Some(held) = self.entries.get_mut(&key) else {
            return false;
        };
        held.count -= 1;
        if held.count > 0 {
            return true;
        }
        let form = held.form;
        self.entries.remove(&key);
        self.wipe(form);
        true
    }

    /// Overwrites a form, if no other value uses it.
    fn wipe(&mut self, form: u32) {
        if form == NONE || self.entries.values().any(|entry| entry.form == form) {
            return;
        }
        let begin = form as usize;
        let length = usize::from(self.forms[begin]);
        self.forms[begin + 1..=begin + length].fill(b'x');
    }

    /// A known value, and its normal form where it is kept.
    #[inline]
    pub(crate) fn get(&self, key: u64) -> Option<(Known, Option<&str>)> {
        let entry = self.entries.get(&key)?;
        let form = (entry.form != NONE).then(|| {
            let begin = entry.form as usize;
            let length = usize::from(self.forms[begin]);
            std::str::from_utf8(&self.forms[begin + 1..=begin + length]).unwrap_or_default()
        });
        Some((entry.known, form))
    }

    pub(crate) fn reserve(&mut self, values: usize) {
        self.entries.reserve(values);
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// A table of the standard library has one byte beside every place, and room for a seventh more than it holds.
    pub(crate) fn memory(&self) -> usize {
        let places = (self.entries.capacity() * 8 / 7).next_power_of_two();
        places * (size_of::<(u64, Entry)>() + 1) + self.starts.capacity() + self.forms.capacity()
    }
}

#[inline]
fn place(first: u64) -> usize {
    (first >> 20) as usize & (STARTS - 1)
}

/// Appends a normal form; those that are the last one already are not written again: the forms of one value follow
/// one another.
fn keep(forms: &mut Vec<u8>, normal: &str) -> u32 {
    let length = u8::try_from(normal.len());
    let (Ok(length), Ok(begin)) = (length, u32::try_from(forms.len())) else {
        return NONE;
    };
    let size = normal.len() + 1;
    if forms.len() >= size
        && forms[forms.len() - size] == length
        && &forms[forms.len() - size + 1..] == normal.as_bytes()
    {
        return begin - u32::from(length) - 1;
    }
    if begin > NONE - 512 {
        return NONE;
    }
    forms.push(length);
    forms.extend_from_slice(normal.as_bytes());
    begin
}

/// What is hashed already.
#[derive(Default)]
struct Hashed(u64);

impl Hasher for Hashed {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        self.0 = bytes.iter().fold(self.0, |state, byte| state << 8 ^ u64::from(*byte));
    }

    fn write_u64(&mut self, value: u64) {
        self.0 = value;
    }
}
