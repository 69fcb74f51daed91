//! The people and organizations that a source knows.
//!
//! What is kept of a name is a hash of 64 bits, so that a million people fit into a few hundred megabytes and a dump
//! of the process's memory holds none of them in clear text: [`spell`] says what is hashed. A second value with the
//! same hash would be taken for the first; with a million values that is one chance in a million.

mod spell;
mod store;
mod words;

use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard};

use crate::find::is_email;
use crate::kind::Kind;
use crate::normal::normal_form;
use crate::phone::Phones;
use spell::phrase;
pub(crate) use spell::{Gap, LONGEST, Word, each, empty, exact, is_gap, longer, string};
pub(crate) use spell::{folded, words};
pub(crate) use store::{Known, Store};
pub(crate) use words::{Rank, rank as rank_of};

/// What a known value is of whom: one record of `.people`, or an organization's name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Identifier {
    /// A person's name or alias.
    Name,
    /// An e-mail address.
    Email,
    /// A telephone number.
    Phone,
    /// A name in a social network or messenger.
    Handle,
    /// An organization's name.
    Organization,
}

impl From<Identifier> for Kind {
    fn from(identifier: Identifier) -> Self {
        match identifier {
            Identifier::Name => Self::Person,
            Identifier::Email => Self::Email,
            Identifier::Phone => Self::Phone,
            Identifier::Handle => Self::Handle,
            Identifier::Organization => Self::Organization,
        }
    }
}

/// The known people and organizations of a source; clones share them, so that what one stage's worker learns
/// the others know with their next text.
///
/// A value counts as often as it was learnt, as two people may share one: it is forgotten when it was forgotten as
/// often. Contract: forget what was learnt, once, with the same regions.
#[derive(Clone, Default)]
pub struct People {
    store: Arc<RwLock<Store>>,
}

impl People {
    /// Nobody.
    pub fn new() -> Self {
        Self::default()
    }

    /// Learns a value; `false`: nothing was learnt, because it is too short or too common a word to be
    /// looked for, or (an e-mail address of the usual form) is found without having been learnt.
    ///
    /// `phones` is the source's, as in [`Privacy`](crate::Privacy).
    pub fn learn(&self, identifier: Identifier, value: &str, phones: &Phones) -> bool {
        self.change(identifier, value, phones, Store::add)
    }

    /// Forgets a value that was learnt; `false`: it never was.
    pub fn forget(&self, identifier: Identifier, value: &str, phones: &Phones) -> bool {
        self.change(identifier, value, phones, |store, key, known, _| {
            store.remove(key, known)
        })
    }

    fn change(
        &self,
        identifier: Identifier,
        value: &str,
        phones: &Phones,
        mut change: impl FnMut(&mut Store, u64, Known, &str) -> bool,
    ) -> bool {
        let mut normal = String::new();
        let keys = keys(identifier, value, phones, &mut normal);
        if keys.is_empty() {
            return false;
        }
        let mut store = self.store.write().unwrap_or_else(PoisonError::into_inner);
        // Every form has to change: no short cut.
        keys.iter().fold(false, |any, key| {
            for first in [key.first, key.turned].into_iter().flatten() {
                store.begin(first, key.words);
            }
            change(&mut store, key.hash, key.known, &normal) | any
        })
    }

    /// Makes room for so many more values, so that a store that fills up does not grow on the way.
    ///
    /// Of a person with a name and a telephone number three or four are kept.
    pub fn reserve(&self, values: usize) {
        self.store
            .write()
            .unwrap_or_else(PoisonError::into_inner)
            .reserve(values);
    }

    /// Knows from now on what `others` know, and nothing else; `others` know nobody any more.
    pub fn become_those(&self, others: &Self) {
        if Arc::ptr_eq(&self.store, &others.store) {
            return;
        }
        let theirs = std::mem::take(&mut *others.store.write().unwrap_or_else(PoisonError::into_inner));
        *self.store.write().unwrap_or_else(PoisonError::into_inner) = theirs;
    }

    /// Bytes of memory that the people take.
    pub fn memory(&self) -> usize {
        self.read().memory()
    }

    /// Claims that nobody is known.
    pub fn is_empty(&self) -> bool {
        self.read().is_empty()
    }

    pub(crate) fn read(&self) -> RwLockReadGuard<'_, Store> {
        self.store.read().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Holds no values.
impl std::fmt::Debug for People {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("People")
            .field("memory", &self.memory())
            .finish_non_exhaustive()
    }
}

/// A form in which a value is looked for.
struct Key {
    hash: u64,
    known: Known,
    /// The first word of a phrase, and how many words it has.
    first: Option<u64>,
    words: usize,
    /// The word that begins the phrase where its last word stands first.
    turned: Option<u64>,
}

/// The forms of a value; `normal` becomes its normal form.
fn keys(identifier: Identifier, value: &str, phones: &Phones, normal: &mut String) -> Vec<Key> {
    let Some(kind) = normal_form(identifier.into(), value, phones, normal) else {
        return Vec::new();
    };
    match identifier {
        Identifier::Name | Identifier::Organization => names(kind, normal),
        Identifier::Handle => handle(normal),
        // Every text is searched for addresses of the usual form anyway.
        Identifier::Email if is_email(normal) => Vec::new(),
        Identifier::Email => whole(kind, normal, false),
        Identifier::Phone => numbers(kind, normal, value, phones),
    }
}

/// A key over a whole text.
fn whole(kind: Kind, text: &str, is_kept: bool) -> Vec<Key> {
    vec![Key {
        hash: string(text),
        known: Known {
            kind,
            is_kept,
            rank: Rank::Sure,
        },
        first: None,
        words: 0,
        turned: None,
    }]
}

/// A name in its order; as its own spelling where letters have marks, so that names that differ in them alone
/// keep their own tokens; the parts of a person's name, which are looked for after a greeting alone.
fn names(kind: Kind, normal: &str) -> Vec<Key> {
    let words = words(normal);
    let rank = words::rank(&words, kind);
    if words.is_empty() || words.len() > LONGEST || rank == Rank::Never {
        return Vec::new();
    }
    let key = |words: &[Word], is_kept: bool, rank: Rank| Key {
        hash: phrase(words),
        known: Known { kind, is_kept, rank },
        first: Some(words[0].hash),
        words: words.len(),
        turned: None,
    };
    let mut keys = vec![key(&words, true, rank)];
    if !normal.is_ascii() {
        keys.push(Key {
            hash: exact(normal),
            ..key(&words, true, rank)
        });
    }
    if kind == Kind::Person && words.len() > 1 {
        let parts = [0, words.len() - 1].map(|place| &words[place..=place]);
        let parts = parts.into_iter().filter(|part| words::is_part(&part[0]));
        keys.extend(parts.map(|part| key(part, false, Rank::Part)));
        // `Lee, Ann` is looked up as `Ann Lee`, and begins with its last word.
        keys[0].turned = Some(words[words.len() - 1].hash);
    }
    keys
}

/// A handle with or without its `@`.
fn handle(normal: &str) -> Vec<Key> {
    let bare = normal.trim_start_matches('@');
    let words = words(bare);
    if words::rank(&words, Kind::Handle) == Rank::Never || words.is_empty() || words.len() > LONGEST {
        return Vec::new();
    }
    vec![Key {
        hash: phrase(&words),
        known: Known {
            kind: Kind::Handle,
            is_kept: true,
            rank: words::rank(&words, Kind::Handle),
        },
        first: Some(words[0].hash),
        words: words.len(),
        turned: None,
    }]
}

/// A number with its country's code and without it; what cannot be read, by its digits.
fn numbers(kind: Kind, normal: &str, value: &str, phones: &Phones) -> Vec<Key> {
    let digits = normal.trim_start_matches('+');
    if digits.len() < 6 {
        return Vec::new();
    }
    let mut keys = whole(kind, digits, true);
    if let Some(national) = phones
        .national(value)
        .filter(|national| national.len() >= 7 && national != digits)
    {
        keys.extend(whole(kind, &national, true));
    }
    keys
}
