//! People who were erased: recognised by their marks alone, whatever the record's time and the token keys.
//!
//! What is kept of a value is a keyed digest. A name is looked for in texts as runs of folded words; a short hint of
//! each name's first word keeps that cheap. What is found becomes `[erased]`, a column of its own null.

use std::collections::HashSet;
use std::ops::Range;
use std::sync::{Arc, PoisonError, RwLock};

use zenfloe_keyring::{Mark, Marks};

use crate::Identifier;
use crate::find::{Run, Span};
use crate::kind::Kind;
use crate::normal::normal_form;
use crate::people::{Gap, Rank, Word, folded, is_gap, rank_of, words};
use crate::phone::Phones;

/// The most words of a name that is recognised.
const LONGEST: usize = 4;
/// Digits of a telephone number that is recognised.
const DIGITS: std::ops::RangeInclusive<usize> = 7..=15;

const WORDS: &str = "words";
const NUMBER: &str = "number";

/// A value's mark.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct ErasedMark {
    /// The digest.
    pub mark: Mark,
    /// Of a name: the hint of its first word.
    pub first: Option<u16>,
}

/// The erased people of a source; clones share them.
#[derive(Clone)]
pub struct Erased {
    marks: Marks,
    held: Arc<RwLock<Held>>,
}

#[derive(Default)]
struct Held {
    marks: HashSet<Mark>,
    /// Hints of first words; empty where nobody's name is erased.
    firsts: Vec<bool>,
}

impl Erased {
    /// Nobody.
    pub fn new(marks: Marks) -> Self {
        Self {
            marks,
            held: Arc::default(),
        }
    }

    /// The marks of a value in every form in which it is recognised; none of what tells nothing.
    pub fn marks_of(&self, identifier: Identifier, value: &str, phones: &Phones) -> Vec<ErasedMark> {
        let kind = Kind::from(identifier);
        let mut normal = String::new();
        let Some(kind) = normal_form(kind, value, phones, &mut normal) else {
            return Vec::new();
        };
        let whole = |domain: &str, text: &str| ErasedMark {
            mark: self.marks.mark(domain, text.as_bytes()),
            first: None,
        };
        let mut all = vec![whole(kind.as_str(), &normal)];
        match identifier {
            Identifier::Name | Identifier::Handle | Identifier::Organization => all.extend(self.name(kind, &normal)),
            Identifier::Phone => {
                let digits = normal.trim_start_matches('+').to_owned();
                let national = phones.national(value);
                let forms = national.into_iter().chain([digits]);
                let forms = forms.filter(|digits| DIGITS.contains(&digits.len()));
                all.extend(forms.map(|digits| whole(NUMBER, &digits)));
            }
            Identifier::Email => {}
        }
        all.sort();
        all.dedup();
        all
    }

    /// A name in its order, and with its last word first.
    fn name(&self, kind: Kind, normal: &str) -> Vec<ErasedMark> {
        let bare = normal.trim_start_matches('@');
        let all = words(bare);
        let is_sought = !all.is_empty() && all.len() <= LONGEST && rank_of(&all, kind) != Rank::Never;
        if !is_sought {
            return Vec::new();
        }
        let folded: Vec<String> = all.iter().map(|word| folded(&bare[word.start..word.end])).collect();
        let mut orders = vec![folded.clone()];
        if folded.len() > 1 {
            let mut turned = folded;
            turned.rotate_right(1);
            orders.push(turned);
        }
        let mark = |words: Vec<String>| ErasedMark {
            mark: self.marks.mark(WORDS, words.join(" ").as_bytes()),
            first: Some(self.marks.hint(words[0].chars())),
        };
        orders.into_iter().map(mark).collect()
    }

    /// Erases whoever has these marks.
    pub fn add(&self, marks: impl IntoIterator<Item = ErasedMark>) {
        let mut held = self.held.write().unwrap_or_else(PoisonError::into_inner);
        for erased in marks {
            held.marks.insert(erased.mark);
            if let Some(first) = erased.first {
                held.firsts.resize(1 << 16, false);
                held.firsts[usize::from(first)] = true;
            }
        }
    }

    /// Claims that a value in its normal form is an erased person's.
    pub(crate) fn holds(&self, kind: Kind, normal: &str) -> bool {
        let held = self.held.read().unwrap_or_else(PoisonError::into_inner);
        !held.marks.is_empty() && held.marks.contains(&self.marks.mark(kind.as_str(), normal.as_bytes()))
    }

    /// Claims that nobody is erased.
    pub(crate) fn is_empty(&self) -> bool {
        self.held
            .read()
            .unwrap_or_else(PoisonError::into_inner)
            .marks
            .is_empty()
    }

    /// Finds names of erased people.
    pub(crate) fn find_names(&self, view: &str, found: &mut Vec<Span>) {
        let held = self.held.read().unwrap_or_else(PoisonError::into_inner);
        if held.firsts.is_empty() {
            return;
        }
        let all = words(view);
        let mut at = 0;
        while at < all.len() {
            let first = folded(&view[all[at].start..all[at].end]);
            let is_sought = held.firsts[usize::from(self.marks.hint(first.chars()))];
            let length = if is_sought {
                self.longest(view, &all[at..], first, &held)
            } else {
                None
            };
            if let Some(length) = length {
                found.push(erased(view, all[at].start..all[at + length - 1].end, Kind::Person));
            }
            at += length.unwrap_or(1);
        }
    }

    /// The words of the longest erased name that begins here.
    fn longest(&self, view: &str, all: &[Word], first: String, held: &Held) -> Option<usize> {
        let mut best = None;
        let mut name = first;
        for count in 1..=LONGEST.min(all.len()) {
            if count > 1 {
                let (before, word) = (&all[count - 2], &all[count - 1]);
                if is_gap(view, before.end, word.start) == Gap::Apart {
                    break;
                }
                name.push(' ');
                name.push_str(&folded(&view[word.start..word.end]));
            }
            if held.marks.contains(&self.marks.mark(WORDS, name.as_bytes())) {
                best = Some(count);
            }
        }
        best
    }

    /// Finds telephone numbers of erased people, however they are written.
    pub(crate) fn find_numbers(&self, run: &Run<'_>, found: &mut Vec<Span>) {
        let held = self.held.read().unwrap_or_else(PoisonError::into_inner);
        for start in 0..run.groups.len() {
            for end in start + 1..=run.groups.len().min(start + 7) {
                let groups = start..end;
                if !DIGITS.contains(&run.count(groups.clone())) || !run.stands_alone(groups.clone()) {
                    continue;
                }
                let digits = run.digits(groups.clone());
                let bare = digits.trim_start_matches('0');
                let is_erased = |digits: &str| held.marks.contains(&self.marks.mark(NUMBER, digits.as_bytes()));
                if is_erased(&digits) || is_erased(bare) {
                    let range = run.range(groups);
                    let begin = range.start - usize::from(run.view[..range.start].ends_with('+'));
                    found.push(erased(run.view, begin..range.end, Kind::Phone));
                }
            }
        }
    }
}

fn erased(view: &str, range: Range<usize>, kind: Kind) -> Span {
    Span {
        value: view[range.clone()].to_owned(),
        range,
        kind,
        is_normal: true,
        is_erased: true,
    }
}

impl std::fmt::Debug for Erased {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Erased")
    }
}
