//! Telephone numbers, by the numbering plans of the source's regions.
//!
//! Asking the numbering plans takes microseconds, so that groups of digits are judged by their look first.

use std::ops::Range;

use super::run::{Run, joins_after, joins_before};
use super::{Span, is_announced};
use crate::kind::Kind;
use crate::phone::{Phones, Region, international};

/// Words that announce a number which is not written as one.
const WORDS: [&str; 19] = [
    "phone",
    "call",
    "tel",
    "mobile",
    "cell",
    "fax",
    "whatsapp",
    "contact",
    "reach",
    "dial",
    "ring",
    "handy",
    "sms",
    "text me",
    "my number",
    "number is",
    "hotline",
    "landline",
    "mobil",
];

pub(crate) fn find(run: &Run<'_>, phones: &Phones, found: &mut Vec<Span>) {
    let mut start = 0;
    while start < run.groups.len() {
        match number(run, start, phones) {
            Some((range, end)) => {
                found.push(Span::new(run.view, range, Kind::Phone));
                start = end;
            }
            None => start += 1,
        }
    }
}

/// The longest number that begins with a group, and the group after it.
fn number(run: &Run<'_>, start: usize, phones: &Phones) -> Option<(Range<usize>, usize)> {
    let ends = (start + 1..=run.groups.len().min(start + 7)).rev();
    for end in ends.filter(|end| (7..=15).contains(&run.count(start..*end))) {
        let range = written(run, start..end);
        if joins_before(run.view, range.start) || joins_after(run.view, range.end) || is_date(run, start..end) {
            continue;
        }
        let text = &run.view[range.clone()];
        let is_number = match (text.starts_with('+'), dialled(run, start..end)) {
            (true, _) => international(text, &mut String::new()),
            (false, Some(dialled)) if international(&dialled, &mut String::new()) => true,
            _ => phones
                .regions()
                .iter()
                .any(|region| is_national(run, start..end, text, region)),
        };
        if is_number {
            return Some((range, end));
        }
    }
    None
}

/// From a plus or bracket before the first digit to the last digit.
fn written(run: &Run<'_>, groups: Range<usize>) -> Range<usize> {
    let range = run.range(groups);
    let before = &run.view[..range.start];
    let begin = before.trim_end_matches(['(', '+']).len();
    // Two of them at most: `+(` and `(+`.
    begin.max(range.start.saturating_sub(2))..range.end
}

/// `0049 30 …` as `+4930…`.
fn dialled(run: &Run<'_>, groups: Range<usize>) -> Option<String> {
    let digits = run.digits(groups);
    let rest = digits.strip_prefix("00").or_else(|| digits.strip_prefix("011"))?;
    (rest.len() >= 9 && !rest.starts_with('0')).then(|| format!("+{rest}"))
}

/// Claims that a region has the number and that it is written as one, or announced by a word.
fn is_national(run: &Run<'_>, groups: Range<usize>, text: &str, region: &Region) -> bool {
    let looks_right = if region.is_north_american {
        is_north_american(run, groups.clone())
    } else {
        is_spaced(run, groups.clone(), region)
    };
    if looks_right == Looks::Wrong {
        return false;
    }
    let start = run.groups[groups.start].start;
    (looks_right == Looks::Right || is_announced(run.view, start, &WORDS)) && region.valid(text, &mut String::new())
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Looks {
    /// As nothing but a telephone number.
    Right,
    /// As one, if a word says so.
    Open,
    Wrong,
}

/// Three, three and four digits, with or without a leading 1.
fn is_north_american(run: &Run<'_>, groups: Range<usize>) -> Looks {
    let lengths: Vec<usize> = run.groups[groups.clone()].iter().map(Range::len).collect();
    let first = run.digits(groups.start..groups.start + 1);
    let lengths = match lengths.as_slice() {
        [1, rest @ ..] if first == "1" => rest,
        [11] if first.starts_with('1') => &[10],
        lengths => lengths,
    };
    match lengths {
        [3, 3, 4] => Looks::Right,
        [3, 7] | [10] | [6, 4] => Looks::Open,
        _ => Looks::Wrong,
    }
}

/// A number with its leading zero and gaps looks like one; without either a word must say so.
fn is_spaced(run: &Run<'_>, groups: Range<usize>, region: &Region) -> Looks {
    let count = run.count(groups.clone());
    let is_grouped = groups.len() > 1;
    let has_zero = run.view.as_bytes()[run.groups[groups.start].start] == b'0';
    if count < 8 && !is_grouped {
        return Looks::Wrong;
    }
    match (region.has_trunk_zero, has_zero, is_grouped) {
        (true, true, true) if count >= 9 => Looks::Right,
        (true, true, _) => Looks::Open,
        (true, false, _) => Looks::Wrong,
        (false, ..) => Looks::Open,
    }
}

/// `2026-01-31`, `31.01.2026`: year, month and day.
fn is_date(run: &Run<'_>, groups: Range<usize>) -> bool {
    let parts: Vec<u32> = run.groups[groups.clone()]
        .iter()
        .map(|group| run.view[group.clone()].parse().unwrap_or(u32::MAX))
        .collect();
    let is_day = |day: u32| (1..=31).contains(&day);
    let is_year = |year: u32| (1900..=2100).contains(&year);
    let begins = |window: &[u32]| match window {
        [year, month, day, ..] if is_year(*year) => is_day(*month) && is_day(*day),
        [day, month, year, ..] if is_year(*year) => is_day(*month) && is_day(*day),
        _ => false,
    };
    begins(&parts)
}

#[cfg(test)]
mod tests {
    use super::super::run::runs;
    use super::*;

    #[track_caller]
    fn check(regions: &[&str], view: &str, expected: &[&str]) {
        let phones = Phones::new(regions).expect("regions");
        let mut found = Vec::new();
        runs(view, |run| find(run, &phones, &mut found));
        let values: Vec<_> = found.iter().map(|span| span.value.as_str()).collect();
        assert_eq!(values, expected, "{view}");
    }

    #[test]
    fn numbers_with_their_country() {
        for number in [
            "+12025550123",
            "+1 (202) 555-0123",
            "+1-202-555-0123",
            "+49 30 901820",
            "+49 (0)30 901820",
            "+44 20 7946 0958",
            "0049 30 901820",
            "+33 1 42 68 53 00",
        ] {
            for regions in [&["US"][..], &[], &["DE", "US"]] {
                check(regions, number, &[number]);
                check(regions, &format!("call {number}, any time"), &[number]);
                check(regions, &format!("<a href=\"tel:{number}\">"), &[number]);
            }
        }
    }

    #[test]
    fn numbers_of_a_region() {
        for number in [
            "(202) 555-0123",
            "202-555-0123",
            "202.555.0123",
            "202 555 0123",
            "1-202-555-0123",
            "1 (202) 555-0123",
        ] {
            check(&["US"], number, &[number]);
            check(&["US"], &format!("I am at {number}."), &[number]);
            check(&["US"], &format!("order 12345 {number}"), &[number]);
        }
        check(&["US"], "my cell is 2025550123", &["2025550123"]);
        check(&["US"], "phone:12025550123", &["12025550123"]);
        check(&["US"], "phone=2025550123&x", &["2025550123"]);
        check(
            &["US"],
            "202-555-0123,and 202-555-0124.And",
            &["202-555-0123", "202-555-0124"],
        );
        check(&["GB"], "020 7946 0958", &["020 7946 0958"]);
        check(&["DE"], "030 / 901820 99", &["030 / 901820 99"]);
        check(&["DE"], "Tel. 030901820", &["030901820"]);
        check(&["FR"], "01 42 68 53 00", &["01 42 68 53 00"]);
        check(&["ES"], "llame al tel 912 345 678", &["912 345 678"]);
    }

    #[test]
    fn what_is_none() {
        let all = ["US", "GB", "DE", "FR", "ES", "IT", "NL", "AU", "IN", "BR"];
        for view in [
            "Order 88-20417",
            "order number 2025550123",
            "ticket 39771850850017",
            "SKU 4410-228-B",
            "00340434161094015902",
            "v4.11.2",
            "build 20260114",
            "2026-01-31 12:00:00",
            "31.01.2026 10.30",
            "01/02/2026",
            "$1,249.50",
            "1767225600",
            "1767225600123",
            "e1b7c0de-5a1f-4c8b-9f6e-0d6f2f1a77aa",
            "12345678-1234-1234-1234-123456789012",
            "row 65536 of 100000",
            "ISBN 978-3-16-148410-0",
            "202-555-0123-77",
            "#202-555-0123",
            "INV-202-555-0123",
            "202.555.0123.4",
            "100 200 300 400",
            "10.0.0.1",
            "1Z999AA10123456784",
            "size 12 14 16 18 20",
        ] {
            check(&all, view, &[]);
        }
    }
}
