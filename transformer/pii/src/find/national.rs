//! National ids that are digits alone: an id whose form or check digits say little needs a word that announces it.
//!
//! Those of the United States have a file of their own.

use std::ops::Range;

use super::Span;
use super::announce::is_named;
use super::checksum;
use super::run::Run;
use crate::kind::Kind;

/// A kind of id.
struct Id {
    /// The lengths of the groups that it is written in, beside all digits in one.
    groups: &'static [&'static [usize]],
    digits: Range<usize>,
    holds: fn(&[u32]) -> bool,
    /// Words that announce it.
    words: &'static [&'static str],
    /// Without a word it is one in its groups (`Grouped`), however it is written (`Always`), or never.
    alone: Alone,
}

#[derive(PartialEq, Eq)]
enum Alone {
    Always,
    Grouped,
    Never,
}

const IDS: &[Id] = &[
    // Canada: social insurance number.
    Id {
        groups: &[&[3, 3, 3]],
        digits: 9..10,
        holds: checksum::luhn,
        words: &["sin", "social insurance", "nas", "assurance sociale"],
        alone: Alone::Never,
    },
    // United Kingdom: NHS number.
    Id {
        groups: &[&[3, 3, 4]],
        digits: 10..11,
        holds: checksum::nhs,
        words: &["nhs", "national health"],
        alone: Alone::Never,
    },
    // Germany: tax id.
    Id {
        groups: &[&[2, 3, 3, 3]],
        digits: 11..12,
        holds: checksum::german_tax_id,
        words: &[
            "steuer",
            "idnr",
            "identifikationsnummer",
            "tax id",
            "tax identification",
            "tin",
        ],
        alone: Alone::Grouped,
    },
    // France: NIR with its key.
    Id {
        groups: &[&[1, 2, 2, 2, 3, 3, 2], &[13, 2]],
        digits: 15..16,
        holds: checksum::french,
        words: &[],
        alone: Alone::Always,
    },
    // Netherlands: citizen service number.
    Id {
        groups: &[&[3, 3, 3], &[4, 2, 3]],
        digits: 9..10,
        holds: checksum::dutch,
        words: &["bsn", "burgerservice", "sofi"],
        alone: Alone::Never,
    },
    // Australia: tax file number, Medicare number.
    Id {
        groups: &[&[3, 3, 3]],
        digits: 9..10,
        holds: checksum::australian_tax,
        words: &["tfn", "tax file"],
        alone: Alone::Never,
    },
    Id {
        groups: &[&[4, 5, 1], &[4, 5, 2]],
        digits: 10..12,
        holds: checksum::australian_medicare,
        words: &["medicare"],
        alone: Alone::Never,
    },
    // India: Aadhaar.
    Id {
        groups: &[&[4, 4, 4]],
        digits: 12..13,
        holds: |digits| digits[0] >= 2 && checksum::verhoeff(digits),
        words: &["aadhaar", "aadhar", "adhaar", "uidai", "uid"],
        alone: Alone::Grouped,
    },
    // Brazil: CPF.
    Id {
        groups: &[&[3, 3, 3, 2]],
        digits: 11..12,
        holds: checksum::brazilian,
        words: &["cpf", "cadastro"],
        alone: Alone::Grouped,
    },
];

/// The most groups that an id is written in.
const MOST_GROUPS: usize = 7;

pub(crate) fn find(run: &Run<'_>, found: &mut Vec<Span>) {
    let mut start = 0;
    while start < run.groups.len() {
        let last = run.groups.len().min(start + MOST_GROUPS);
        match (start + 1..=last).rev().find(|end| is_id(run, start..*end)) {
            Some(end) => {
                found.push(Span::new(run.view, run.range(start..end), Kind::NationalId));
                start = end;
            }
            None => start += 1,
        }
    }
}

fn is_id(run: &Run<'_>, groups: Range<usize>) -> bool {
    let count = run.count(groups.clone());
    if !(9..16).contains(&count) || !run.stands_alone(groups.clone()) {
        return false;
    }
    let digits: Vec<u32> = run
        .digits(groups.clone())
        .chars()
        .filter_map(|c| c.to_digit(10))
        .collect();
    IDS.iter()
        .filter(|id| id.digits.contains(&count))
        .any(|id| (id.holds)(&digits) && is_written(run, &groups, id))
}

/// Claims that an id is written as its country does, and announced where that is needed.
fn is_written(run: &Run<'_>, groups: &Range<usize>, id: &Id) -> bool {
    let lengths = || run.groups[groups.clone()].iter().map(Range::len);
    let is_grouped = id.groups.iter().any(|form| lengths().eq(form.iter().copied())) && is_even(run, groups);
    let is_alone = match id.alone {
        Alone::Always => true,
        Alone::Grouped => is_grouped,
        Alone::Never => false,
    };
    (is_grouped || groups.len() == 1) && (is_alone || is_named(run.view, run.groups[groups.start].start, id.words))
}

/// One separator of one character in each place; the last one may differ: `529.982.247-25`.
fn is_even(run: &Run<'_>, groups: &Range<usize>) -> bool {
    let between = |group| run.between(group);
    let first = between(groups.start);
    first.len() == 1
        && (groups.start..groups.end - 2).all(|group| between(group) == first)
        && between(groups.end - 2).len() == 1
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
    fn ids() {
        check("my SIN is 046-454-286.", &["046-454-286"]);
        check("Social insurance number: 046454286", &["046454286"]);
        check("NHS no. 943 476 5919", &["943 476 5919"]);
        check("Steuer-ID 86095742719", &["86095742719"]);
        check("86 095 742 719", &["86 095 742 719"]);
        check("n° 2 55 08 14 168 025 38,", &["2 55 08 14 168 025 38"]);
        check("255081416802538", &["255081416802538"]);
        check("BSN 111222333 and bsn: 123456782", &["111222333", "123456782"]);
        check("TFN: 123 456 782", &["123 456 782"]);
        check("Medicare card 2123 45670 1", &["2123 45670 1"]);
        check(
            "Aadhaar 234123412346, or 2341 2341 2346",
            &["234123412346", "2341 2341 2346"],
        );
        check(
            "meu CPF é 52998224725 (529.982.247-25)",
            &["52998224725", "529.982.247-25"],
        );
    }

    #[test]
    fn what_is_none() {
        for view in [
            "046-454-286",
            "since 046454286",
            "943 476 5919",
            "86095742719",
            "86 095 742 718",
            "111222333",
            "234123412346",
            "2341 2341 2347",
            "52998224725",
            "529.982.247-26",
            "52.998.224-725",
            "cpf 111.111.111-11",
            "BSN 111222334",
            "X-255081416802538",
        ] {
            check(view, &[]);
        }
    }
}
