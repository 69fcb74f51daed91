//! Finds personal spans in free text.

mod address;
mod announce;
mod birth;
mod card;
mod checksum;
mod code;
mod email;
mod iban;
mod ip;
mod known;
mod national;
mod phone;
mod run;
mod ssn;
mod url;

use std::ops::Range;

use crate::Erased;
use crate::kind::Kind;
use crate::people::{People, Store};
use crate::phone::Phones;
use crate::view::{Tags, View};
pub(crate) use run::Run;
use run::runs;

/// A personal span.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Span {
    /// Where it stands.
    pub(crate) range: Range<usize>,
    pub(crate) kind: Kind,
    /// The value as it stands in the view, or in its normal form where finding it has told that.
    pub(crate) value: String,
    pub(crate) is_normal: bool,
    /// It is an erased person's.
    pub(crate) is_erased: bool,
}

impl Span {
    fn new(view: &str, range: Range<usize>, kind: Kind) -> Self {
        Self {
            value: view[range.clone()].to_owned(),
            range,
            kind,
            is_normal: false,
            is_erased: false,
        }
    }
}

/// Finds spans in a view; one file each.
pub(crate) trait Detector {
    /// Appends what it finds, in any order; spans may overlap those of other detectors.
    fn find(&self, view: &str, found: &mut Vec<Span>);
}

/// All detectors.
#[derive(Debug, Clone)]
pub(crate) struct Finder {
    phones: Phones,
    people: People,
    erased: Option<Erased>,
    // Reused from text to text.
    words: known::Words,
}

impl Finder {
    pub(crate) fn new(phones: Phones, people: People) -> Self {
        Self {
            phones,
            people,
            erased: None,
            words: known::Words::default(),
        }
    }

    /// The same with people who were erased.
    pub(crate) fn with_erased(self, erased: Option<Erased>) -> Self {
        Self { erased, ..self }
    }

    /// Whoever was erased; `None` where nobody was.
    pub(crate) fn erased(&self) -> Option<&Erased> {
        self.erased.as_ref().filter(|erased| !erased.is_empty())
    }

    pub(crate) fn whoever_erased(&self) -> Option<Erased> {
        self.erased.clone()
    }

    pub(crate) fn phones(&self) -> &Phones {
        &self.phones
    }

    /// Puts the spans of a text into `found`, sorted and apart from one another.
    pub(crate) fn find(&mut self, text: &str, found: &mut Vec<Span>) {
        found.clear();
        let people = self.people.clone();
        let store = people.read();
        self.find_in(text, Tags::Kept, &store, found);
        if is_html(text) {
            self.find_in(text, Tags::Removed, &store, found);
        }
        merge(found);
    }

    fn find_in(&mut self, text: &str, tags: Tags, store: &Store, found: &mut Vec<Span>) {
        let view = View::of(text, tags);
        let before = found.len();
        email::Emails.find(&view.text, found);
        url::Urls.find(&view.text, found);
        ip::V6.find(&view.text, found);
        if run::next_digit(view.text.as_bytes(), 0).is_some() {
            self.find_numbers(&view.text, store, found);
        }
        if !store.is_empty() {
            known::find(&view.text, store, &mut self.words, found);
            known::find_emails(&view.text, store, found);
        }
        if let Some(erased) = self.erased() {
            erased.find_names(&view.text, found);
        }
        for span in &mut found[before..] {
            span.range = view.back(span.range.clone());
        }
    }

    /// What has a digit.
    fn find_numbers(&self, view: &str, store: &Store, found: &mut Vec<Span>) {
        iban::Ibans.find(view, found);
        code::Codes.find(view, found);
        address::find(view, found);
        birth::find(view, self.phones.is_month_first(), found);
        runs(view, |run: &Run<'_>| {
            card::find(run, found);
            ssn::find(run, found);
            national::find(run, found);
            ip::find_v4(run, found);
            phone::find(run, &self.phones, found);
            if !store.is_empty() {
                known::find_numbers(run, store, found);
            }
            if let Some(erased) = self.erased() {
                erased.find_numbers(run, found);
            }
        });
    }
}

fn is_html(text: &str) -> bool {
    let follows = |place: usize| {
        text.as_bytes()
            .get(place + 1)
            .is_some_and(|byte| byte.is_ascii_alphabetic() || *byte == b'/')
    };
    memchr::memchr_iter(b'<', text.as_bytes()).any(follows)
}

/// Claims that a text is an address which every text is searched for.
pub(crate) fn is_email(text: &str) -> bool {
    let mut found = Vec::new();
    email::Emails.find(text, &mut found);
    found.iter().any(|span| span.range == (0..text.len()))
}

/// Which of two spans that overlap says what both are.
fn weight(kind: Kind) -> u8 {
    match kind {
        Kind::Url => 9,
        Kind::Iban => 8,
        Kind::Card => 7,
        Kind::Email => 6,
        Kind::Ssn | Kind::NationalId => 5,
        Kind::Ip => 4,
        Kind::Phone | Kind::PhoneRaw => 3,
        Kind::Address | Kind::BirthDate => 2,
        _ => 1,
    }
}

/// Sorts spans and joins those that overlap: the range covers both, the weightier names it.
fn merge(found: &mut Vec<Span>) {
    found.sort_by_key(|span| (span.range.start, std::cmp::Reverse(span.range.end)));
    let mut merged: Vec<Span> = Vec::with_capacity(found.len());
    for span in found.drain(..) {
        match merged.last_mut() {
            Some(last) if span.range.start < last.range.end => {
                let range = last.range.start..last.range.end.max(span.range.end);
                let weighs = |span: &Span| (weight(span.kind), span.is_erased, span.value.len());
                if weighs(&span) > weighs(last) {
                    *last = span;
                }
                last.range = range;
            }
            _ => merged.push(span),
        }
    }
    *found = merged;
}

/// The character before a place.
fn before(text: &str, place: usize) -> Option<char> {
    text[..place].chars().next_back()
}

/// The character at a place.
fn after(text: &str, place: usize) -> Option<char> {
    text[place..].chars().next()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn span(range: Range<usize>, kind: Kind) -> Span {
        Span {
            value: "x".repeat(range.len()),
            range,
            kind,
            is_normal: false,
            is_erased: false,
        }
    }

    #[test]
    fn spans_that_overlap_are_one_under_the_weightier_name() {
        let mut found = vec![
            span(20..25, Kind::Phone),
            span(0..10, Kind::Email),
            span(5..12, Kind::Url),
            span(12..14, Kind::Ip),
            span(21..23, Kind::Card),
        ];
        merge(&mut found);
        let kinds: Vec<_> = found.iter().map(|span| (span.range.clone(), span.kind)).collect();
        assert_eq!(kinds, [(0..12, Kind::Url), (12..14, Kind::Ip), (20..25, Kind::Card)]);
    }
}
