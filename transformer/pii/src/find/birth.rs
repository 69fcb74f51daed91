//! Dates of birth: a date shortly after a word of being born. Dates alone are no personal data.

use std::ops::Range;

use super::run::next_digit;
use super::{Span, after, before};
use crate::kind::Kind;

/// Words of being born, in lower case; those that stand for more than that are whole phrases.
const WORDS: &[&str] = &[
    "born",
    "birth",
    "birthdate",
    "birthday",
    "dob",
    "d.o.b",
    "geboren",
    "geburtsdatum",
    "geburtstag",
    "geb.",
    "né le",
    "née le",
    "naissance",
    "nacido",
    "nacida",
    "nacimiento",
    "nato il",
    "nata il",
    "nascita",
    "nascimento",
    "nascido",
    "nascida",
    "geboortedatum",
    "bday",
];

/// Bytes between such a word and its date.
const REACH: usize = 40;

const MONTHS: [&[&str]; 12] = [
    &[
        "jan", "janv", "ene", "gen", "january", "januar", "janvier", "enero", "gennaio", "januari", "janeiro",
    ],
    &[
        "feb",
        "fév",
        "fev",
        "february",
        "februar",
        "février",
        "febrero",
        "febbraio",
        "februari",
        "fevereiro",
    ],
    &["mar", "mär", "mrt", "march", "märz", "mars", "marzo", "maart", "março"],
    &["apr", "avr", "abr", "april", "avril", "abril", "aprile"],
    &["may", "mai", "mei", "mag", "mayo", "maggio", "maio"],
    &["jun", "june", "juni", "juin", "junio", "giugno", "giu", "junho"],
    &["jul", "july", "juli", "juillet", "julio", "luglio", "lug", "julho"],
    &["aug", "ago", "august", "août", "agosto", "augustus"],
    &[
        "sep",
        "sept",
        "set",
        "september",
        "septembre",
        "septiembre",
        "settembre",
        "setembro",
    ],
    &[
        "oct", "okt", "ott", "out", "october", "oktober", "octobre", "octubre", "ottobre", "outubro",
    ],
    &["nov", "november", "novembre", "noviembre", "novembro"],
    &[
        "dec",
        "dez",
        "déc",
        "dic",
        "december",
        "dezember",
        "décembre",
        "diciembre",
        "dicembre",
        "dezembro",
    ],
];

/// Finds them; `month_first`: how dates with slashes are written where the source is at home.
pub(crate) fn find(view: &str, month_first: bool, found: &mut Vec<Span>) {
    let bytes = view.as_bytes();
    let mut at = 0;
    while let Some(digit) = next_digit(bytes, at) {
        at = digit + bytes[digit..].iter().take_while(|byte| byte.is_ascii_digit()).count();
        if at - digit > 4 || !is_announced(view, digit) {
            continue;
        }
        if let Some((range, value)) = date(view, digit, month_first) {
            at = at.max(range.end);
            found.push(Span {
                range,
                kind: Kind::BirthDate,
                value,
                is_normal: true,
                is_erased: false,
            });
        }
    }
}

fn is_announced(view: &str, place: usize) -> bool {
    let mut start = place.saturating_sub(REACH);
    while !view.is_char_boundary(start) {
        start += 1;
    }
    // A word of being born has `b` or `n`; most numbers stand in lines without any.
    let near = view[start..place].to_lowercase();
    let is_whole = |at: usize| !near[..at].chars().next_back().is_some_and(char::is_alphanumeric);
    let others = |at: usize| near[at..].bytes().filter(u8::is_ascii_digit).count() == 0;
    WORDS
        .iter()
        .any(|word| near.match_indices(word).any(|(at, _)| is_whole(at) && others(at)))
}

/// A word or number of a date, and where it stands.
struct Part<'v> {
    text: &'v str,
    range: Range<usize>,
}

/// The three parts of what may be a date: the number at a place, and what stands beside it.
fn date(view: &str, digit: usize, month_first: bool) -> Option<(Range<usize>, String)> {
    let first = part(view, digit)?;
    if before(view, digit).is_some_and(|c| c.is_alphanumeric() || matches!(c, '#' | '$' | '€')) {
        return None;
    }
    let second = next(view, first.range.end)?;
    let whole = |start: usize, end: usize| (start..end, ());
    // `March 12, 1980`
    if let Some((month, begin)) = month_before(view, digit) {
        let range = whole(begin, second.range.end).0;
        return Some((range, normal(year(second.text)?, month, number(first.text)?)?));
    }
    let third = next(view, second.range.end)?;
    let range = whole(first.range.start, third.range.end).0;
    if after(view, range.end).is_some_and(char::is_alphanumeric) {
        return None;
    }
    if let Some(month) = month(second.text) {
        return Some((range, normal(year(third.text)?, month, number(first.text)?)?));
    }
    if first.text.len() == 4 {
        return Some((
            range,
            normal(year(first.text)?, number(second.text)?, number(third.text)?)?,
        ));
    }
    let has_slash = view[first.range.end..second.range.start].contains('/');
    let (a, b) = (number(first.text)?, number(second.text)?);
    let is_month_first = b > 12 || (has_slash && month_first && a <= 12);
    let (month, day) = if is_month_first { (a, b) } else { (b, a) };
    Some((range, normal(year(third.text)?, month, day)?))
}

/// The letters and digits at a place.
fn part(view: &str, start: usize) -> Option<Part<'_>> {
    let rest = &view[start..];
    let is_number = rest.starts_with(|c: char| c.is_ascii_digit());
    let ends = |c: char| {
        if is_number {
            !c.is_ascii_digit()
        } else {
            !c.is_alphabetic()
        }
    };
    let length = rest.find(ends).unwrap_or(rest.len());
    (length > 0).then(|| Part {
        text: &rest[..length],
        range: start..start + length,
    })
}

/// The part after at most three characters that stand between parts of dates; `12th of May` is one as well.
fn next(view: &str, end: usize) -> Option<Part<'_>> {
    let mut rest = &view[end..];
    for suffix in ["st ", "nd ", "rd ", "th ", "st,", "nd,", "rd,", "th,", "er "] {
        rest = rest.strip_prefix(suffix).unwrap_or(rest);
    }
    let trimmed = rest.trim_start_matches(['.', '/', '-', ' ', ',']);
    if rest.len() - trimmed.len() > 3 {
        return None;
    }
    let mut rest = trimmed;
    for small in ["of ", "de "] {
        rest = rest.strip_prefix(small).unwrap_or(rest);
    }
    part(view, view.len() - rest.len())
}

fn month(text: &str) -> Option<u32> {
    let text = text.to_lowercase();
    let place = MONTHS.iter().position(|names| names.contains(&text.as_str()))?;
    u32::try_from(place + 1).ok()
}

/// The month whose name stands right before a place, and where it begins.
fn month_before(view: &str, place: usize) -> Option<(u32, usize)> {
    let line = view[..place].trim_end_matches([' ', '.']);
    let length = line
        .chars()
        .rev()
        .take_while(|c| c.is_alphabetic())
        .map(char::len_utf8)
        .sum::<usize>();
    let begin = line.len() - length;
    Some((month(&line[begin..])?, begin))
}

fn number(text: &str) -> Option<u32> {
    text.parse().ok().filter(|_| text.len() <= 2)
}

/// Two digits are of the last hundred years, seen from 2030.
fn year(text: &str) -> Option<u32> {
    let year: u32 = text.parse().ok()?;
    match (text.len(), year) {
        (4, 1900..=2100) => Some(year),
        (2, 0..=30) => Some(2000 + year),
        (2, _) => Some(1900 + year),
        _ => None,
    }
}

fn normal(year: u32, month: u32, day: u32) -> Option<String> {
    let is_date = (1..=12).contains(&month) && (1..=31).contains(&day);
    is_date.then(|| format!("{year:04}-{month:02}-{day:02}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(view: &str, expected: &[(&str, &str)]) {
        let mut found = Vec::new();
        find(view, true, &mut found);
        let dates: Vec<_> = found
            .iter()
            .map(|span| (&view[span.range.clone()], span.value.as_str()))
            .collect();
        assert_eq!(dates, expected, "{view}");
    }

    #[test]
    fn dates_of_birth() {
        check("She was born on 7/30/1964. Her", &[("7/30/1964", "1964-07-30")]);
        check(
            "Please tell me your date of birth. It's 9/25/1945",
            &[("9/25/1945", "1945-09-25")],
        );
        check("DOB: 1980-03-12", &[("1980-03-12", "1980-03-12")]);
        check("D.O.B. 13/02/80!", &[("13/02/80", "1980-02-13")]);
        check("geboren am 12. März 1980 in Ulm", &[("12. März 1980", "1980-03-12")]);
        check("geb. 12.03.1980", &[("12.03.1980", "1980-03-12")]);
        check("born March 12, 1980", &[("March 12, 1980", "1980-03-12")]);
        check("birthday: 12th of May 1980", &[("12th of May 1980", "1980-05-12")]);
        check("née le 1er avril 1971", &[("1er avril 1971", "1971-04-01")]);
        check(
            "fecha de nacimiento: 3 de enero de 1990",
            &[("3 de enero de 1990", "1990-01-03")],
        );
    }

    #[test]
    fn other_dates_stay() {
        for view in [
            "delivered on 7/30/1964",
            "airborne since 7/30/1964",
            "born in 1964",
            "birth weight 3 kg",
            "date of birth: unknown, order 12345 of 2024-01-02",
            "born to be wild 100 times",
            "birth 45/45/2000",
        ] {
            check(view, &[]);
        }
    }
}
