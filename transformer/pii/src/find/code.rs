//! National ids with letters among their digits, and codes that a word announces as a passport's or a licence's.

use std::ops::Range;

use super::announce::is_named;
use super::run::next_digit;
use super::{Detector, Span, before, checksum};
use crate::kind::Kind;

/// Letters and digits of the longest of them.
const LONGEST: usize = 16;

/// Finds words that have digits, and looks at them with the words after them.
pub(crate) struct Codes;

impl Detector for Codes {
    fn find(&self, view: &str, found: &mut Vec<Span>) {
        let bytes = view.as_bytes();
        let mut at = 0;
        while let Some(digit) = next_digit(bytes, at) {
            let start = word_start(bytes, digit);
            let end = digit
                + bytes[digit..]
                    .iter()
                    .take_while(|byte| byte.is_ascii_alphanumeric())
                    .count();
            at = end;
            let range = code(view, start)
                .or_else(|| spaced(view, start).and_then(|start| code(view, start)))
                .or_else(|| announced(view, start..end));
            if let Some(range) = range {
                at = at.max(range.end);
                found.push(Span::new(view, range, Kind::NationalId));
            }
        }
    }
}

fn word_start(bytes: &[u8], place: usize) -> usize {
    let near = &bytes[place.saturating_sub(LONGEST + 1)..place];
    place
        - near
            .iter()
            .rev()
            .take_while(|byte| byte.is_ascii_alphanumeric())
            .count()
}

/// Where a word of two or six letters before a place begins: `AB 12 34 56 C`.
fn spaced(view: &str, start: usize) -> Option<usize> {
    let bytes = view.as_bytes();
    let gap = start.checked_sub(1).filter(|gap| bytes[*gap] == b' ')?;
    let word = word_start(bytes, gap);
    let is_word = matches!(gap - word, 2 | 6) && bytes[word..gap].iter().all(u8::is_ascii_uppercase);
    is_word.then_some(word)
}

/// The longest id that begins with a word.
fn code(view: &str, start: usize) -> Option<Range<usize>> {
    if joins(before(view, start)) {
        return None;
    }
    let bytes = &view.as_bytes()[start..];
    let mut compact = [0; LONGEST];
    let mut length = 0;
    let mut found = None;
    for (place, byte) in bytes.iter().enumerate() {
        if byte.is_ascii_alphanumeric() && length < LONGEST {
            compact[length] = byte.to_ascii_uppercase();
            length += 1;
            let is_end = !bytes
                .get(place + 1)
                .is_some_and(|next| next.is_ascii_alphanumeric() || *next == b'_');
            let ends = start + place + 1;
            if is_end && is_id(&compact[..length]) && !joins(view[ends..].chars().next()) {
                found = Some(start..ends);
            }
        } else if !matches!(byte, b' ' | b'-') {
            break;
        }
    }
    found
}

fn joins(c: Option<char>) -> bool {
    c.is_some_and(|c| c.is_alphanumeric() || matches!(c, '_' | '-' | '/' | '#' | '='))
}

/// Claims that letters and digits are an id, by form and check letter.
fn is_id(code: &[u8]) -> bool {
    match code.len() {
        9 => is_british(code) || is_spanish(code),
        10 => has_form(code, "LLLLLDDDDL") && b"ABCFGHJLPT".contains(&code[3]),
        12 => has_form(code, "DDDDDDDDLDDD") && is_day(&code[2..6]) && checksum::german_pension(code),
        15 => is_corsican(code),
        16 => is_italian(code),
        _ => false,
    }
}

/// `L` for a letter, `D` for a digit.
fn has_form(code: &[u8], form: &str) -> bool {
    let fits = |(byte, sort): (&u8, u8)| {
        if sort == b'L' {
            byte.is_ascii_uppercase()
        } else {
            byte.is_ascii_digit()
        }
    };
    code.len() == form.len() && code.iter().zip(form.bytes()).all(fits)
}

fn is_day(digits: &[u8]) -> bool {
    let number = |pair: &[u8]| (pair[0] - b'0') * 10 + (pair[1] - b'0');
    (1..=31).contains(&number(&digits[..2])) && (1..=12).contains(&number(&digits[2..4]))
}

/// National insurance number: <https://www.gov.uk/hmrc-internal-manuals/national-insurance-manual/nim39110>.
fn is_british(code: &[u8]) -> bool {
    let never = [b"BG", b"GB", b"NK", b"KN", b"TN", b"NT", b"ZZ"];
    has_form(code, "LLDDDDDDL")
        && !b"DFIQUV".contains(&code[0])
        && !b"DFIOQUV".contains(&code[1])
        && !never.iter().any(|pair| code.starts_with(*pair))
        && b"ABCD".contains(&code[8])
}

/// DNI, or NIE with X, Y or Z for a first digit 0, 1 or 2.
fn is_spanish(code: &[u8]) -> bool {
    let first = match code[0] {
        letter @ b'X'..=b'Z' => letter - b'X',
        digit if digit.is_ascii_digit() => digit - b'0',
        _ => return false,
    };
    let number = code[1..8].iter().fold(u32::from(first), |number, byte| {
        number.wrapping_mul(10).wrapping_add(u32::from(byte.wrapping_sub(b'0')))
    });
    has_form(&code[1..], "DDDDDDDL") && code[8] == checksum::spanish_letter(number)
}

/// France's NIR of someone born in Corsica: for 2A and 2B the key is that of 19 and 18.
fn is_corsican(code: &[u8]) -> bool {
    let mut plain = code.to_vec();
    match &code[5..7] {
        b"2A" => plain[5..7].copy_from_slice(b"19"),
        b"2B" => plain[5..7].copy_from_slice(b"18"),
        _ => return false,
    }
    let digits: Vec<u32> = plain.iter().filter_map(|byte| char::from(*byte).to_digit(10)).collect();
    checksum::french(&digits)
}

/// Codice fiscale; letters stand for digits where two people had the same.
fn is_italian(code: &[u8]) -> bool {
    let digits = [6, 7, 9, 10, 12, 13, 14];
    let fits = |(place, byte): (usize, &u8)| match digits.contains(&place) {
        true => byte.is_ascii_digit() || b"LMNPQRSTUV".contains(byte),
        false => byte.is_ascii_uppercase(),
    };
    code.iter().enumerate().all(fits)
        && b"ABCDEHLMPRST".contains(&code[8])
        && checksum::italian_letter(&code[..15]) == Some(code[15])
}

/// Words that announce a document by its number.
const DOCUMENTS: &[&str] = &[
    "passport",
    "reisepass",
    "passeport",
    "pasaporte",
    "passaporto",
    "paspoort",
    "passaporte",
    "driver's license",
    "drivers license",
    "driver license",
    "driving licence",
    "driver's licence",
    "driving license",
    "führerschein",
    "permis de conduire",
    "rijbewijs",
    "personalausweis",
    "ausweisnummer",
    "identity card",
    "id card",
    "national id",
    "carte d'identité",
    "carta d'identità",
    "identiteitskaart",
];

/// A word with digits, and the groups of digits after it, that a document's name stands before.
fn announced(view: &str, word: Range<usize>) -> Option<Range<usize>> {
    let start = word.start;
    let rest = &view.as_bytes()[word.end..];
    let more = rest
        .iter()
        .take_while(|byte| byte.is_ascii_digit() || **byte == b'-')
        .count();
    let end = word.end + more - rest[..more].iter().rev().take_while(|byte| **byte == b'-').count();
    let digits = view[start..end].bytes().filter(u8::is_ascii_digit).count();
    let is_long = digits >= 5 && (6..=20).contains(&(end - start));
    (is_long && !joins(before(view, start)) && is_named(view, start, DOCUMENTS)).then_some(start..end)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(view: &str, expected: &[&str]) {
        let mut found = Vec::new();
        Codes.find(view, &mut found);
        let values: Vec<_> = found.iter().map(|span| span.value.as_str()).collect();
        assert_eq!(values, expected, "{view}");
    }

    #[test]
    fn ids() {
        check("NI AB123456C, please", &["AB123456C"]);
        check("my number is AB 12 34 56 C.", &["AB 12 34 56 C"]);
        check("DNI 12345678Z y NIE X1234567L", &["12345678Z", "X1234567L"]);
        check("12345678-z", &["12345678-z"]);
        check("codice RSSMRA85T10A562S.", &["RSSMRA85T10A562S"]);
        check("PAN ABCPE1234F", &["ABCPE1234F"]);
        check("Rentenversicherung 15 070649 C 103", &["15 070649 C 103"]);
        check("my passport number is C01X00T47", &["C01X00T47"]);
        check("driver's license number is 2270-66-1551", &["2270-66-1551"]);
        check("My driver's license number is F162823540116", &["F162823540116"]);
    }

    #[test]
    fn what_is_none() {
        for view in [
            "QQ123456C",
            "AB123456E",
            "12345678A",
            "X1234567A",
            "SKU-AB123456C",
            "AB123456C-7",
            "RSSMRA85T10A562T",
            "ABCDE12345",
            "order C01X00T47",
            "passport page 12",
            "7 apples",
        ] {
            check(view, &[]);
        }
    }
}
