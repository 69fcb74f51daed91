//! Payment cards: 12 to 19 digits that pass Luhn's check and begin as a brand's numbers do, or are called a card.

use std::ops::Range;

use super::Span;
use super::announce::is_preceded;
use super::run::Run;
use crate::kind::Kind;

/// Words that announce a card of whatever issuer.
const WORDS: &[&str] = &[
    "card",
    "cc ",
    "visa",
    "mastercard",
    "maestro",
    "amex",
    "credit",
    "debit",
    "jcb",
];

pub(crate) fn find(run: &Run<'_>, found: &mut Vec<Span>) {
    let count = run.groups.len();
    let mut start = 0;
    while start < count {
        match card(run, start) {
            Some(end) => {
                found.push(Span::new(run.view, run.range(start..end), Kind::Card));
                start = end;
            }
            None => start += 1,
        }
    }
}

/// The end of the longest card that begins with a group.
fn card(run: &Run<'_>, start: usize) -> Option<usize> {
    let ends = (start + 1..=run.groups.len().min(start + 6)).rev();
    ends.into_iter().find(|end| is_card(run, start..*end))
}

fn is_card(run: &Run<'_>, groups: Range<usize>) -> bool {
    if !(12..=19).contains(&run.count(groups.clone()))
        || !is_grouped(run, groups.clone())
        || !run.stands_alone(groups.clone())
    {
        return false;
    }
    let start = run.groups[groups.start].start;
    let digits = run.digits(groups);
    luhn3::valid(digits.as_bytes()) && (has_brand(&digits) || is_preceded(run.view, start, WORDS))
}

/// One block, or blocks of three digits and more (the last one may be shorter) with the same single separator.
fn is_grouped(run: &Run<'_>, groups: Range<usize>) -> bool {
    if groups.len() == 1 {
        return true;
    }
    let is_even = matches!(run.separator(groups.clone()), Some(" " | "-" | "."));
    is_even
        && run.groups[groups.start..groups.end - 1]
            .iter()
            .all(|group| (3..=6).contains(&group.len()))
}

/// Issuer ranges of ISO/IEC 7812 that are in use, with the lengths of their numbers.
fn has_brand(digits: &str) -> bool {
    let starts = |length: usize| digits[..length].parse::<u32>().unwrap_or_default();
    let (two, three, four) = (starts(2), starts(3), starts(4));
    match digits.len() {
        12 => is_maestro(two, four),
        13 => two / 10 == 4 || is_maestro(two, four),
        // 39 is Diners Club's as well, and what Zendesk's own ids of this length begin with: a word has to say so.
        14 => matches!(three, 300..=305 | 309) || matches!(two, 36 | 38) || is_maestro(two, four),
        15 => matches!(two, 34 | 37) || matches!(four, 2131 | 1800) || is_maestro(two, four),
        16 => {
            two / 10 == 4
                || (51..=55).contains(&two)
                || (2221..=2720).contains(&four)
                || matches!(two, 30 | 35 | 36 | 38 | 39)
                || four == 6011
                || matches!(three, 644..=649)
                || matches!(two, 62 | 65 | 81)
                || matches!(four, 2200..=2204)
                || is_maestro(two, four)
        }
        19 => two / 10 == 4 || matches!(two, 62 | 65) || four == 6011 || is_maestro(two, four),
        _ => two == 62 || is_maestro(two, four),
    }
}

fn is_maestro(two: u32, four: u32) -> bool {
    matches!(four, 5018 | 5020 | 5038 | 5893 | 6304 | 6759 | 6761..=6763) || matches!(two, 56..=58)
}

#[cfg(test)]
mod tests {
    use super::super::run::values;
    use super::*;

    #[track_caller]
    fn check(view: &str, expected: &[&str]) {
        assert_eq!(values(view, find), expected, "{view}");
    }

    #[test]
    fn cards() {
        for card in [
            "4111111111111111",
            "4111 1111 1111 1111",
            "4111-1111-1111-1111",
            "5555555555554444",
            "2223003122003222",
            "378282246310005",
            "3782 822463 10005",
            "6011111111111117",
            "30569309025904",
            "3530111333300000",
            "4222222222222",
            "6759649826438453",
            "6200000000000005",
        ] {
            check(card, &[card]);
            check(&format!("my card ({card}), exp 12/26"), &[card]);
            check(&format!("{card} 12/26 123"), &[card]);
        }
        check(
            "4111 1111 1111 1111 5555 5555 5555 4444",
            &["4111 1111 1111 1111", "5555 5555 5555 4444"],
        );
    }

    #[test]
    fn what_is_none() {
        for view in [
            "4111111111111112",
            "1234567812345670",
            "00340434161094015902",
            "x4111111111111111",
            "4111111111111111x",
            "41 11 11 11 11 11 11 11",
            "4111 1111-1111 1111",
            "1767225600000",
            "e4111-1111-1111-1111",
            "4111-1111-1111-1111-5",
            "411111111111111111111",
        ] {
            check(view, &[]);
        }
    }
}
