//! Postal addresses, by the words that streets are called in the languages of the regions: heuristics, made to
//! leave sentences with numbers alone. What follows a street (flat, code and town) goes with it.

use std::ops::Range;

use super::run::next_digit;
use super::{Span, before};
use crate::kind::Kind;

/// English words that a street's name ends with.
const ENDINGS: &[&str] = &[
    "street",
    "st",
    "avenue",
    "ave",
    "av",
    "road",
    "rd",
    "drive",
    "dr",
    "boulevard",
    "blvd",
    "lane",
    "ln",
    "court",
    "ct",
    "place",
    "pl",
    "square",
    "sq",
    "highway",
    "hwy",
    "parkway",
    "pkwy",
    "terrace",
    "ter",
    "crescent",
    "cres",
    "close",
    "way",
    "circle",
    "cir",
    "trail",
    "trl",
    "grove",
    "gardens",
    "mews",
    "parade",
    "esplanade",
    "loop",
    "alley",
    "row",
    "turnpike",
    "route",
];

/// Words before such an ending that make it a thing: `10 Google Drive folders`.
const THINGS: &[&str] = &[
    "google", "hard", "flash", "usb", "thumb", "disk", "one", "two", "no", "any", "this", "that", "the", "by",
    "market", "test", "shared", "my", "our", "your", "local", "network", "backup", "external", "internal", "old",
    "new", "solid",
];

/// Words that a street's name begins with; `true`: the number stands before it as well.
const BEGINNINGS: &[(&str, bool)] = &[
    ("rue", true),
    ("avenue", true),
    ("boulevard", true),
    ("chemin", true),
    ("impasse", true),
    ("allée", true),
    ("quai", true),
    ("place", true),
    ("via", false),
    ("viale", false),
    ("piazza", false),
    ("corso", false),
    ("calle", false),
    ("c/", false),
    ("avenida", false),
    ("avda", false),
    ("paseo", false),
    ("plaza", false),
    ("rua", false),
    ("travessa", false),
    ("praça", false),
    ("largo", false),
    ("vicolo", false),
    ("strada", false),
];

/// Ends of words that are streets, `Hauptstraße`, and whether one alone is: `Straße`.
const TAILS: &[&str] = &[
    "straße", "strasse", "str", "straat", "laan", "gasse", "allee", "gracht", "kade", "plein", "platz", "weg", "damm",
    "steig", "singel", "vägen", "gatan", "katu", "veien", "vegen", "vej", "gade", "utca",
];

/// Words within names of streets that begin small.
const SMALL: &[&str] = &[
    "de", "la", "le", "les", "du", "des", "del", "della", "delle", "dei", "da", "do", "dos", "das", "di", "el", "los",
    "las", "y", "e", "et", "den", "der", "of", "the", "van",
];

/// What is no name of a street after `via`.
const CHANNELS: &[&str] = &[
    "email", "mail", "chat", "phone", "web", "api", "sms", "facebook", "twitter", "whatsapp",
];

pub(crate) fn find(view: &str, found: &mut Vec<Span>) {
    let bytes = view.as_bytes();
    let mut at = 0;
    while let Some(digit) = next_digit(bytes, at) {
        let end = digit + bytes[digit..].iter().take_while(|byte| byte.is_ascii_digit()).count();
        at = end;
        if let Some(range) = address(view, digit..end) {
            at = at.max(range.end);
            found.push(Span::new(view, range, Kind::Address));
        }
    }
}

/// The address that a number is a part of.
fn address(view: &str, number: Range<usize>) -> Option<Range<usize>> {
    let is_code =
        before(view, number.start).is_some_and(|c| c.is_alphanumeric() || matches!(c, '#' | '$' | '€' | '£' | '_'));
    if number.len() > 5 || is_code {
        return None;
    }
    let numbered = numbered(view, &number);
    let street = box_of(view, &number)
        .or_else(|| named_before(view, number.start).map(|start| start..numbered))
        .or_else(|| named_after(view, numbered).map(|end| number.start..end))?;
    Some(street.start..place(view, unit(view, street.end)))
}

/// The end of `12`, `12a`, `12 bis`, `12-14`, `12/3`.
fn numbered(view: &str, number: &Range<usize>) -> usize {
    let rest = &view[number.end..];
    let joined = rest
        .bytes()
        .take_while(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'/'))
        .count();
    let joined = rest[..joined].trim_end_matches(['-', '/']).len();
    if (1..=5).contains(&joined) {
        return number.end + joined;
    }
    let suffix = [" bis", " ter", " A", " B"]
        .iter()
        .find(|suffix| rest.starts_with(**suffix));
    number.end + suffix.map_or(0, |suffix| suffix.len())
}

/// `P.O. Box 123`, `PSC 3294, Box 9168`, `Postfach 12 34`.
fn box_of(view: &str, number: &Range<usize>) -> Option<Range<usize>> {
    let line = &view[..number.start];
    let near = line.trim_end_matches([' ', '#', '.', ':']);
    let names = [
        "P.O. Box",
        "PO Box",
        "P.O.Box",
        "P. O. Box",
        "Post Office Box",
        "Postfach",
        "Postbus",
        "Apartado",
        "Caixa Postal",
        "Casella Postale",
    ];
    let named = names.iter().find_map(|name| {
        let start = near.len().checked_sub(name.len())?;
        near.get(start..)
            .is_some_and(|held| held.eq_ignore_ascii_case(name))
            .then_some(start)
    });
    let military = || {
        let line = near
            .strip_suffix("Box")
            .or_else(|| near.strip_suffix("BOX"))?
            .trim_end_matches([' ', ',']);
        let unit = line.trim_end_matches(|c: char| c.is_ascii_digit());
        let name = unit.trim_end();
        ["PSC", "CMR", "Unit", "UNIT"]
            .iter()
            .find(|kind| name.ends_with(**kind))
            .map(|kind| name.len() - kind.len())
    };
    let start = named.or_else(military)?;
    Some(start..number.end)
}

/// Where the street begins whose name stands before its number: `Berliner Str. 12`, `Calle de Alcalá, 12`.
fn named_before(view: &str, number: usize) -> Option<usize> {
    let near = view[..number].trim_end_matches([' ', ',', '.']);
    if view[near.len()..number].len() > 2 {
        return None;
    }
    let last = Word::last(view, near.len())?;
    if let Some(tail) = TAILS.iter().find(|tail| last.lower.ends_with(**tail)) {
        let is_whole = last.lower.len() > tail.len() + 2;
        if is_whole && last.is_capital {
            return Some(last.range.start);
        }
        // `Berliner Straße`, `Berliner-Straße`: the name before it begins with a capital.
        let named = Word::last(view, view[..last.range.start].trim_end_matches([' ', '-']).len())?;
        let is_near = last.range.start - named.range.end == 1;
        return (last.is_capital && named.is_capital && is_near && last.lower == **tail).then_some(named.range.start);
    }
    romance_before(view, last)
}

/// Walks back over a street's name to the word that it begins with.
fn romance_before(view: &str, last: Word<'_>) -> Option<usize> {
    let mut word = last;
    if !word.is_capital || CHANNELS.contains(&word.lower.as_str()) {
        return None;
    }
    for _ in 0..4 {
        let gap = view[..word.range.start].trim_end_matches([' ', '\'', '’']).len();
        if word.range.start - gap > 3 {
            return None;
        }
        word = Word::last(view, gap)?;
        let begins = BEGINNINGS.iter().any(|(name, _)| *name == word.lower);
        if begins && (word.is_capital || word.lower.len() > 3) {
            return Some(word.range.start);
        }
        if !word.is_capital && !SMALL.contains(&word.lower.as_str()) && word.lower.len() > 2 {
            return None;
        }
    }
    None
}

/// Where the street ends whose number stands before its name: `24 Clarke Avenue`, `12, rue de la Paix`.
fn named_after(view: &str, number: usize) -> Option<usize> {
    let begin = number + view[number..].len() - view[number..].trim_start_matches([' ', ',']).len();
    if begin == number || begin - number > 2 {
        return None;
    }
    let first = Word::at(view, begin)?;
    if let Some((name, _)) = BEGINNINGS
        .iter()
        .find(|(name, is_after)| *is_after && *name == first.lower)
    {
        let needs_small = *name == "place" || *name == "avenue";
        return romance_after(view, first.range.end, needs_small);
    }
    let mut word = first;
    for names in 0..5 {
        let is_ending = names > 0 && ENDINGS.contains(&word.lower.as_str());
        if is_ending && word.is_capital {
            return Some(ending(view, word.range.end));
        }
        let is_name = (word.is_capital || word.text.starts_with(|c: char| c.is_ascii_digit()))
            && !THINGS.contains(&word.lower.as_str());
        if !is_name {
            return None;
        }
        let next = view[word.range.end..]
            .strip_prefix(". ")
            .or_else(|| view[word.range.end..].strip_prefix(' '))?;
        word = Word::at(view, view.len() - next.len())?;
    }
    None
}

/// The ending's point, and a direction: `Main St. NW`.
fn ending(view: &str, end: usize) -> usize {
    let rest = &view[end..];
    let dotted = end + usize::from(rest.starts_with('.') && rest[1..].starts_with([' ', ',']));
    let directions = [" NW", " NE", " SW", " SE", " N", " S", " E", " W"];
    let direction = directions.iter().find(|direction| {
        view[dotted..]
            .strip_prefix(**direction)
            .is_some_and(|rest| !rest.starts_with(char::is_alphanumeric))
    });
    dotted + direction.map_or(0, |direction| direction.len())
}

/// The end of a name of small words and at least one that begins with a capital.
fn romance_after(view: &str, from: usize, needs_small: bool) -> Option<usize> {
    let mut end = from;
    let mut found = None;
    let mut is_met = !needs_small;
    for _ in 0..6 {
        let rest = view[end..]
            .strip_prefix(' ')
            .or_else(|| view[end..].strip_prefix(['\'', '’', '-']))?;
        let Some(word) = Word::at(view, view.len() - rest.len()) else {
            break;
        };
        let is_small = SMALL.contains(&word.lower.as_str()) || word.lower.chars().count() == 1;
        is_met |= is_small && !word.is_capital;
        if word.is_capital && is_met {
            found = Some(word.range.end);
        } else if !is_small {
            break;
        }
        end = word.range.end;
        if !view[end..].starts_with([' ', '\'', '’', '-']) {
            break;
        }
    }
    found
}

/// The end of a flat or suite behind an address, or the place itself.
fn unit(view: &str, end: usize) -> usize {
    let rest = view[end..].trim_start_matches([' ', ',', '\n', '\r', '>']);
    let gap = view.len() - rest.len() - end;
    let names = [
        "apartment",
        "apt.",
        "apt",
        "suite",
        "ste.",
        "ste",
        "unit",
        "flat",
        "floor",
        "#",
        "wohnung",
        "piso",
        "appt",
    ];
    let named = names.iter().find_map(|name| {
        let held = rest.get(..name.len())?;
        held.eq_ignore_ascii_case(name).then(|| &rest[name.len()..])
    });
    let Some(named) = named.filter(|_| gap <= 4) else {
        return end;
    };
    let code = named.trim_start_matches([' ', '.', '#']);
    let length = code.bytes().take_while(u8::is_ascii_alphanumeric).count();
    if (1..=5).contains(&length) && named.len() - code.len() <= 2 {
        view.len() - code.len() + length
    } else {
        end
    }
}

/// The end of code and town behind an address, in either order, or the place itself.
fn place(view: &str, end: usize) -> usize {
    const WORDS: usize = 6;
    let mut reached = end;
    let mut has_code = false;
    let mut has_town = false;
    for _ in 0..WORDS {
        let rest = view[reached..].trim_start_matches([' ', ',', '\n', '\r', '>']);
        let gap = view.len() - rest.len() - reached;
        let Some(word) = Word::at(view, view.len() - rest.len()).filter(|_| (1..=4).contains(&gap)) else {
            break;
        };
        let digits = word.text.bytes().filter(u8::is_ascii_digit).count();
        let is_code = digits >= 1
            && word.text.len() <= 6
            && (digits >= 4 || word.text.bytes().any(|byte| byte.is_ascii_uppercase()));
        if is_code && has_code && digits >= 4 {
            break;
        }
        if !is_code && (!word.is_capital || (has_code && has_town)) {
            break;
        }
        // The letters of a Dutch code, `1016 GV`, are no town.
        let is_letters =
            has_code && !has_town && word.text.len() == 2 && word.text.bytes().all(|byte| byte.is_ascii_uppercase());
        has_code |= is_code;
        has_town |= !is_code && !is_letters;
        reached = word.range.end;
        if has_code && has_town && is_code && !is_half(view, reached) {
            return reached;
        }
    }
    if has_code && has_town { reached } else { end }
}

/// The code goes on behind a gap: `K1A 0B1`, `SW1A 1AA`.
fn is_half(view: &str, end: usize) -> bool {
    let rest = view[end..].strip_prefix(' ').unwrap_or_default().as_bytes();
    rest.len() >= 3 && rest[..3].iter().any(u8::is_ascii_digit) && rest[..3].iter().all(u8::is_ascii_alphanumeric)
}

/// A word, in lower case as well.
struct Word<'v> {
    text: &'v str,
    lower: String,
    range: Range<usize>,
    is_capital: bool,
}

impl<'v> Word<'v> {
    /// The word that begins at a place.
    fn at(view: &'v str, start: usize) -> Option<Self> {
        let rest = &view[start..];
        let length = rest.find(|c: char| !c.is_alphanumeric()).unwrap_or(rest.len());
        Self::of(view, start..start + length)
    }

    /// The word that ends at a place; `c/` counts as one.
    fn last(view: &'v str, end: usize) -> Option<Self> {
        let before = &view[..end];
        let length: usize = before
            .chars()
            .rev()
            .take_while(|c| c.is_alphanumeric())
            .map(char::len_utf8)
            .sum();
        match before.strip_suffix('/') {
            Some(held) if held.ends_with(['c', 'C']) => Self::of(view, end - 2..end),
            _ => Self::of(view, end - length..end),
        }
    }

    fn of(view: &'v str, range: Range<usize>) -> Option<Self> {
        let text = &view[range.clone()];
        // Longer than any street's word: nothing is made of it.
        (!text.is_empty() && text.len() <= 60).then(|| Self {
            lower: text.to_lowercase(),
            is_capital: text.starts_with(char::is_uppercase),
            text,
            range,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(view: &str, expected: &[&str]) {
        let mut found = Vec::new();
        find(view, &mut found);
        let values: Vec<_> = found.iter().map(|span| span.value.as_str()).collect();
        assert_eq!(values, expected, "{view}");
    }

    #[test]
    fn addresses() {
        check("I live at 24 Clarke Avenue.", &["24 Clarke Avenue"]);
        check(
            "to 1600 Pennsylvania Ave. NW, Washington, DC 20500 please",
            &["1600 Pennsylvania Ave. NW, Washington, DC 20500"],
        );
        check(
            "12 5th Avenue, Apt. 805\nNew York, NY 10001",
            &["12 5th Avenue, Apt. 805\nNew York, NY 10001"],
        );
        check(
            "221B Baker Street, London NW1 6XE",
            &["221B Baker Street, London NW1 6XE"],
        );
        check("Musterstraße 12a, 10115 Berlin", &["Musterstraße 12a, 10115 Berlin"]);
        check("Berliner Str. 5", &["Berliner Str. 5"]);
        check("12 rue de la Paix, 75002 Paris", &["12 rue de la Paix, 75002 Paris"]);
        check(
            "Calle de Alcalá, 12, 28014 Madrid",
            &["Calle de Alcalá, 12, 28014 Madrid"],
        );
        check("Via Roma 12", &["Via Roma 12"]);
        check(
            "Prinsengracht 263, 1016 GV Amsterdam",
            &["Prinsengracht 263, 1016 GV Amsterdam"],
        );
        check("Rua Augusta, 1500", &["Rua Augusta, 1500"]);
        check(
            "P.O. Box 123 or PSC 3294, Box 9168",
            &["P.O. Box 123", "PSC 3294, Box 9168"],
        );
        check("90 Whitchurch Road street", &["90 Whitchurch Road"]);
    }

    #[test]
    fn what_is_none() {
        for view in [
            "order 5 of them",
            "3 new street signs",
            "10 Google Drive folders",
            "2 One Way tickets",
            "on 12 May by road",
            "Windows 11 Home is slow",
            "via Email 5 times",
            "Via Chat 5",
            "Step 3 Way to go",
            "room 12, floor 3",
            "Norway 5, Sweden 3",
            "24 hours a day in any place",
            "$20 Fast Lane",
            "line 12 Place the cursor here",
            "gate 5 Platz 12",
        ] {
            check(view, &[]);
        }
    }
}
