//! What the words around a number say of it.

use std::ops::Range;

/// What a number is announced as.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Announced {
    /// As a telephone number, by the word right before or after it: `call me on`, `… (office)`.
    Directly,
    /// As a telephone number, by a word of the same line.
    Nearby,
    /// As something else, or not at all.
    Not,
}

/// Words of telephoning; plurals and other forms are known by their beginning.
const PHONES: &[&str] = &[
    "phone",
    "telephone",
    "telefon",
    "tel",
    "mobile",
    "mobil",
    "cell",
    "fax",
    "whatsapp",
    "sms",
    "call",
    "reach",
    "dial",
    "ring",
    "handy",
    "contact",
    "hotline",
    "landline",
    "answer",
    "message",
    "text",
    "voicemail",
];

/// Words for other things that have numbers; the nearest word counts.
const OTHERS: &[&str] = &[
    "order",
    "ticket",
    "invoice",
    "case",
    "ref",
    "reference",
    "tracking",
    "id",
    "account",
    "sku",
    "item",
    "part",
    "serial",
    "model",
    "po",
    "zip",
    "isbn",
    "parcel",
    "shipment",
    "build",
    "version",
    "row",
    "error",
    "code",
    "job",
    "transaction",
    "batch",
    "customer",
    "request",
    "incident",
    "epoch",
    "timestamp",
    "claim",
    "policy",
    "booking",
    "reservation",
    "confirmation",
    "total",
];

/// Words between an announcement and its number.
const FILLERS: &[&str] = &[
    "me", "us", "him", "her", "them", "you", "at", "on", "is", "no", "nr", "to", "my", "our", "the", "a", "your",
    "number", "numbers", "via", "under", "or",
];

/// Words right behind a number.
const BEHIND: &[&str] = &["office", "fax", "mobile", "cell", "phone", "tel", "handy"];

/// Bytes before a number that are looked at.
const REACH: usize = 48;

/// What the number that stands in a range is announced as.
pub(crate) fn announced(view: &str, range: &Range<usize>) -> Announced {
    let behind = view[range.end..].trim_start_matches([' ', '-', '(']);
    let behind = behind.split(|c: char| !c.is_alphabetic()).next().unwrap_or_default();
    if BEHIND.iter().any(|word| behind.eq_ignore_ascii_case(word)) {
        return Announced::Directly;
    }
    let line = line_before(view, range.start);
    if ["desk:", "office:", "home:", "work:"]
        .iter()
        .any(|label| line.trim_end().to_ascii_lowercase().ends_with(label))
    {
        return Announced::Directly;
    }
    let mut is_right_before = true;
    for word in line
        .split(|c: char| !c.is_alphabetic())
        .rev()
        .filter(|word| !word.is_empty())
    {
        let word = word.to_ascii_lowercase();
        if FILLERS.contains(&word.as_str()) {
            continue;
        }
        if OTHERS.iter().any(|other| is_form(&word, other)) {
            return Announced::Not;
        }
        if PHONES.iter().any(|phone| is_form(&word, phone)) {
            return if is_right_before {
                Announced::Directly
            } else {
                Announced::Nearby
            };
        }
        is_right_before = false;
    }
    Announced::Not
}

/// Claims that one of some words stands before a place on the same line.
pub(crate) fn is_preceded(view: &str, place: usize, words: &[&str]) -> bool {
    let line = line_before(view, place).to_ascii_lowercase();
    let starts_word = |at: usize| !line[..at].chars().next_back().is_some_and(char::is_alphanumeric);
    words
        .iter()
        .any(|word| line.match_indices(word).any(|(at, _)| starts_word(at)))
}

/// Claims that one of some names stands before a place on the same line: whole words, or for names of six letters
/// and more the beginning of one.
pub(crate) fn is_named(view: &str, place: usize, names: &[&str]) -> bool {
    let line = line_before(view, place).to_lowercase();
    let is_part = |c: Option<char>| c.is_some_and(char::is_alphanumeric);
    let stands = |at: usize, name: &str| {
        let after = line[at + name.len()..].chars().next();
        !is_part(line[..at].chars().next_back()) && (name.len() >= 6 || !is_part(after))
    };
    names
        .iter()
        .any(|name| line.match_indices(name).any(|(at, _)| stands(at, name)))
}

/// The end of the line before a place; of the line above where that is a label, `Phone:`.
fn line_before(view: &str, place: usize) -> &str {
    let mut start = place.saturating_sub(REACH);
    while !view.is_char_boundary(start) {
        start += 1;
    }
    let before = &view[start..place];
    let line = before.rsplit('\n').next().unwrap_or_default();
    let above = before.trim_end();
    if line.trim().is_empty() && above.ends_with(':') {
        above.rsplit('\n').next().unwrap_or_default()
    } else {
        line
    }
}

/// `calls`, `called`, `calling` are forms of `call`; `tell` is none of `tel`.
fn is_form(word: &str, base: &str) -> bool {
    match word.strip_prefix(base) {
        Some("" | "s" | "ed" | "ing" | "er" | "no" | "nr") => true,
        Some(_) => base.len() >= 5,
        None => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(view: &str, expected: Announced) {
        let start = view.find(|c: char| c.is_ascii_digit()).expect("a number");
        let end = view.rfind(|c: char| c.is_ascii_digit()).expect("a number") + 1;
        assert_eq!(announced(view, &(start..end)), expected, "{view}");
    }

    #[test]
    fn numbers_are_announced() {
        for view in [
            "Phone: 5550123",
            "please call me on 5550123",
            "my mobile number is 5550123",
            "Tel.: 5550123",
            "5550123 (office)",
            "5550123-Fax",
            "They are not answering at 5550123",
            "Phone:\n5550123",
            "Office: 5550123",
            "telephoneno 5550123",
        ] {
            check(view, Announced::Directly);
        }
        check("you can call my wife Ann at 5550123", Announced::Nearby);
        for view in [
            "call about order 5550123",
            "phone case, order number 5550123",
            "5550123",
            "I tell you 5550123",
            "call me\n5550123",
            "hotel 5550123",
            "our office is at 5550123",
            "call me, it is a very long line in which nobody remembers 5550123",
        ] {
            check(view, Announced::Not);
        }
    }

    #[test]
    fn words_precede_from_their_beginning_on_the_same_line() {
        let text = "please call me: 5 or\ntel. 6 hotel 7";
        let at = |c: char| text.find(c).expect("there");
        assert!(is_preceded(text, at('5'), &["call"]));
        assert!(!is_preceded(text, at('6'), &["call"]));
        assert!(is_preceded(text, at('6'), &["tel"]));
        assert!(!is_preceded("hotel 7", 6, &["tel"]));
        let wide = "Ä".repeat(40);
        assert!(!is_preceded(&wide, wide.len() - 2, &["tel"]));
    }
}
