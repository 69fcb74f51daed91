//! People and organizations that the source knows, by the words of their names, and numbers and addresses that are
//! somebody's.

use std::ops::Range;

use super::Span;
use super::run::Run;
use crate::fold;
use crate::kind::Kind;
use crate::people::{Gap, LONGEST, Rank, Store, Word, each, empty, exact, is_gap, longer, string};

/// The words before the one that is looked at; reused.
#[derive(Debug, Clone, Default)]
pub(crate) struct Words {
    all: Vec<Word>,
}

/// Finds names.
pub(crate) fn find(view: &str, store: &Store, words: &mut Words, found: &mut Vec<Span>) {
    let all = &mut words.all;
    all.clear();
    each(view, |word| all.push(word));
    let mut at = 0;
    while at < all.len() {
        let lengths = store.lengths(all[at].hash);
        let next = if lengths == 0 {
            None
        } else {
            longest(view, store, all, at, lengths, found)
        };
        at = next.unwrap_or(at + 1);
    }
}

/// Appends the longest name that begins with a word; gives the word after it.
fn longest(view: &str, store: &Store, all: &[Word], at: usize, lengths: u8, found: &mut Vec<Span>) -> Option<usize> {
    let mut best = None;
    let mut state = empty();
    let mut is_turned = false;
    for (count, word) in all[at..].iter().take(LONGEST).enumerate() {
        if count > 0 {
            match is_gap(view, all[at + count - 1].end, word.start) {
                Gap::Apart => break,
                Gap::Turned if count > 1 => break,
                Gap::Turned => is_turned = true,
                Gap::Within => {}
            }
        }
        state = longer(state, word);
        if lengths & (1 << count) == 0 {
            continue;
        }
        let name = &all[at..=at + count];
        let key = if is_turned { turned(name) } else { state };
        let Some((known, form)) = store.get(key) else { continue };
        if fits(view, all, at, name, known.rank) {
            best = Some((name, known, form));
        }
    }
    let (name, known, form) = best?;
    let range = name[0].start..name[name.len() - 1].end;
    found.push(span(view, range, known.kind, form, store));
    Some(at + name.len())
}

/// The key of a name whose last word stands first.
fn turned(name: &[Word]) -> u64 {
    name[1..].iter().chain(&name[..1]).fold(empty(), longer)
}

/// Claims that a name stands as it has to.
fn fits(view: &str, all: &[Word], at: usize, name: &[Word], rank: Rank) -> bool {
    let are_capitals = || name.iter().all(|word| word.is_capital);
    match rank {
        Rank::Sure => true,
        Rank::Capital => are_capitals(),
        Rank::Part => are_capitals() && is_addressed(view, all, at),
        Rank::Never => false,
    }
}

/// Words that a name follows: greetings, titles, ends of letters.
const BEFORE: &[&str] = &[
    "hi",
    "hello",
    "hey",
    "dear",
    "mr",
    "mrs",
    "ms",
    "mx",
    "dr",
    "prof",
    "sir",
    "herr",
    "frau",
    "hallo",
    "liebe",
    "lieber",
    "bonjour",
    "monsieur",
    "madame",
    "mme",
    "señor",
    "señora",
    "hola",
    "estimado",
    "estimada",
    "signor",
    "signora",
    "ciao",
    "caro",
    "cara",
    "regards",
    "thanks",
    "cheers",
    "sincerely",
    "best",
    "grüße",
    "gruß",
    "saludos",
    "cordialement",
    "groeten",
    "morning",
    "afternoon",
    "evening",
    "beste",
    "sr",
    "sra",
    "senhor",
    "senhora",
    "olá",
    "greetings",
];

/// Claims that the word before a name, or the end of a letter in the line above, leads to a name.
fn is_addressed(view: &str, all: &[Word], at: usize) -> bool {
    let Some(before) = at.checked_sub(1).map(|before| &all[before]) else {
        return false;
    };
    let between = &view[before.end..all[at].start];
    let is_near = between.len() <= 6
        && between
            .chars()
            .all(|c| c.is_whitespace() || matches!(c, ',' | '.' | '>' | '!' | '-'));
    // No word that leads to a name is longer.
    if !is_near || before.end - before.start > 12 {
        return false;
    }
    let word = view[before.start..before.end].to_lowercase();
    BEFORE.contains(&word.as_str())
}

/// The span of a known value; a spelling with the marks of another known name is that name's.
fn span(view: &str, range: Range<usize>, kind: Kind, form: Option<&str>, store: &Store) -> Span {
    let text = &view[range.clone()];
    let mut value = String::new();
    match form {
        Some(form) => {
            value.push_str(form);
            if !text.is_ascii() {
                let mut own = String::new();
                fold::name(text, &mut own);
                if store.get(exact(&own)).is_some() {
                    value = own;
                }
            }
        }
        None => fold::name(text, &mut value),
    }
    Span {
        range,
        kind,
        value,
        is_normal: true,
        is_erased: false,
    }
}

/// Finds known numbers among groups of digits, whatever they look like.
pub(crate) fn find_numbers(run: &Run<'_>, store: &Store, found: &mut Vec<Span>) {
    const MOST_GROUPS: usize = 7;
    let mut start = 0;
    while start < run.groups.len() {
        let last = run.groups.len().min(start + MOST_GROUPS);
        let known = (start + 1..=last).rev().find_map(|end| number(run, start..end, store));
        match known {
            Some((span, end)) => {
                found.push(span);
                start = end;
            }
            None => start += 1,
        }
    }
}

fn number(run: &Run<'_>, groups: Range<usize>, store: &Store) -> Option<(Span, usize)> {
    let count = run.count(groups.clone());
    if !(6..=18).contains(&count) {
        return None;
    }
    let digits = run.digits(groups.clone());
    let bare = digits.trim_start_matches('0');
    let (known, form) = store.get(string(&digits)).or_else(|| store.get(string(bare)))?;
    if !matches!(known.kind, Kind::Phone | Kind::PhoneRaw) || !run.stands_alone(groups.clone()) {
        return None;
    }
    let range = run.range(groups.clone());
    let begin = range.start - usize::from(run.view[..range.start].ends_with('+'));
    let span = Span {
        range: begin..range.end,
        kind: known.kind,
        value: form?.to_owned(),
        is_normal: true,
        is_erased: false,
    };
    Some((span, groups.end))
}

/// Finds known addresses that have no domain as the world knows it: `ann@intranet`.
pub(crate) fn find_emails(view: &str, store: &Store, found: &mut Vec<Span>) {
    let is_part = |c: char| c.is_alphanumeric() || matches!(c, '.' | '_' | '+' | '-' | '\'');
    for at in memchr::memchr_iter(b'@', view.as_bytes()) {
        let before: usize = view[..at]
            .chars()
            .rev()
            .take_while(|c| is_part(*c))
            .map(char::len_utf8)
            .sum();
        let after: usize = view[at + 1..]
            .chars()
            .take_while(|c| is_part(*c))
            .map(char::len_utf8)
            .sum();
        let end = at + 1 + view[at + 1..at + 1 + after].trim_end_matches(['.', '-', '\'']).len();
        let range = at - before..end;
        let mut value = String::new();
        fold::lower(&view[range.clone()], &mut value);
        if store
            .get(string(&value))
            .is_some_and(|(known, _)| known.kind == Kind::Email)
        {
            found.push(Span {
                range,
                kind: Kind::Email,
                value,
                is_normal: true,
                is_erased: false,
            });
        }
    }
}
