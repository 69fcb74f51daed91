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
            Some((span, end)) => {
                found.push(span);
                start = end;
            }
            None => start += 1,
        }
    }
}

/// Groups of which a number has at most so many: `+33 1 42 68 53 00` has six.
const MOST_GROUPS: usize = 7;

/// The longest number that begins with a group, and the group after it.
fn number(run: &Run<'_>, start: usize, phones: &Phones) -> Option<(Span, usize)> {
    let last = run.groups.len().min(start + MOST_GROUPS);
    let mut counts = [0; MOST_GROUPS];
    let mut count = 0;
    for (held, group) in counts.iter_mut().zip(&run.groups[start..last]) {
        count += group.len();
        *held = count;
    }
    let ends = (start + 1..=last)
        .rev()
        .filter(|end| (7..=15).contains(&counts[end - start - 1]));
    for end in ends {
        let range = written(run, start..end);
        if joins_before(run.view, range.start) || joins_after(run.view, range.end) || is_date(run, start..end) {
            continue;
        }
        if let Some(value) = read(run, start..end, &run.view[range.clone()], phones) {
            let span = Span {
                range,
                kind: Kind::Phone,
                value,
                is_normal: true,
            };
            return Some((span, end));
        }
    }
    None
}

/// The number in E.164, if it is one and looks like one.
fn read(run: &Run<'_>, groups: Range<usize>, text: &str, phones: &Phones) -> Option<String> {
    let mut number = String::new();
    if text.starts_with('+') {
        return international(text, &mut number).then_some(number);
    }
    if dialled(run, groups.clone()).is_some_and(|dialled| international(&dialled, &mut number)) {
        return Some(number);
    }
    let mut regions = phones.regions().iter();
    let is_number = regions.any(|region| is_national(run, groups.clone(), text, region, &mut number));
    is_number.then_some(number)
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
    if run.view.as_bytes()[run.groups[groups.start].start] != b'0' {
        return None;
    }
    let digits = run.digits(groups);
    let rest = digits.strip_prefix("00").or_else(|| digits.strip_prefix("011"))?;
    (rest.len() >= 9 && !rest.starts_with('0')).then(|| format!("+{rest}"))
}

/// Claims that a region has the number and that it is written as one, or announced by a word.
fn is_national(run: &Run<'_>, groups: Range<usize>, text: &str, region: &Region, out: &mut String) -> bool {
    let looks_right = if region.is_north_american {
        is_north_american(run, groups.clone())
    } else {
        is_spaced(run, groups.clone(), region)
    };
    if looks_right == Looks::Wrong {
        return false;
    }
    let start = run.groups[groups.start].start;
    (looks_right == Looks::Right || is_announced(run.view, start, &WORDS)) && region.valid(text, out)
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
    let begins_with_one = run.view.as_bytes()[run.groups[groups.start].start] == b'1';
    let length = |place: usize| run.groups[groups.clone()].get(place).map_or(0, Range::len);
    let skipped = usize::from(begins_with_one && length(0) == 1);
    match (
        length(skipped),
        length(skipped + 1),
        length(skipped + 2),
        length(skipped + 3),
    ) {
        (3, 3, 4, 0) => Looks::Right,
        (11, 0, ..) if begins_with_one => Looks::Open,
        (3, 7, 0, _) | (6, 4, 0, _) | (10, 0, ..) => Looks::Open,
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
    let part = |place: usize| {
        let group = run.groups[groups.clone()].get(place)?;
        run.view[group.clone()].parse::<u32>().ok()
    };
    let (Some(first), Some(second), Some(third)) = (part(0), part(1), part(2)) else {
        return false;
    };
    let is_day = |day: u32| (1..=31).contains(&day);
    let is_year = |year: u32| (1900..=2100).contains(&year);
    is_day(second) && ((is_year(first) && is_day(third)) || (is_day(first) && is_year(third)))
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
