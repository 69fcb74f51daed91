//! Telephone numbers, by the numbering plans of the source's regions.
//!
//! Asking the numbering plans takes microseconds, so that groups of digits are judged by their look first.

use std::ops::Range;

use super::Span;
use super::announce::{Announced, announced};
use super::run::{Run, joins_after, joins_before};
use crate::kind::Kind;
use crate::phone::{Phones, Region, international};

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
        let written = written(run, start..end);
        let range = written.start..extension(run.view, written.end);
        if joins_before(run.view, range.start) || joins_after(run.view, range.end) || is_date(run, start..end) {
            continue;
        }
        if let Some((kind, value)) = read(run, start..end, written, phones) {
            let span = Span {
                range,
                kind,
                value,
                is_normal: true,
                is_erased: false,
            };
            return Some((span, end));
        }
    }
    None
}

/// The normal form of a number, if it is one and looks like one.
fn read(run: &Run<'_>, groups: Range<usize>, written: Range<usize>, phones: &Phones) -> Option<(Kind, String)> {
    let text = &run.view[written.clone()];
    let mut number = String::new();
    let dialled = || dialled(run, groups.clone()).is_some_and(|dialled| international(&dialled, &mut String::new()));
    if text.starts_with('+') && international(text, &mut number) {
        return Some((Kind::Phone, number));
    }
    if dialled() || is_national(run, groups, written, phones) {
        return Some(column(text, phones));
    }
    None
}

/// The form that a column of numbers would give it, so that both join.
fn column(text: &str, phones: &Phones) -> (Kind, String) {
    let mut number = String::new();
    if phones.column(text, &mut number) {
        return (Kind::Phone, number);
    }
    (Kind::PhoneRaw, text.chars().filter(char::is_ascii_digit).collect())
}

/// Claims that a number without its country's code looks like one, or is announced as one.
fn is_national(run: &Run<'_>, groups: Range<usize>, written: Range<usize>, phones: &Phones) -> bool {
    let text = &run.view[written.clone()];
    let mut asked = None;
    let mut announced = || *asked.get_or_insert_with(|| announced(run.view, &written));
    for region in phones.regions() {
        let is_number = match looks(run, groups.clone(), region) {
            // Ten digits in these three groups are no code of anything else.
            Looks::Right if region.is_north_american => true,
            Looks::Right => region.valid(text, &mut String::new()),
            Looks::Open => announced() != Announced::Not && region.valid(text, &mut String::new()),
            Looks::Wrong => false,
        };
        if is_number {
            return true;
        }
    }
    announced() == Announced::Directly
}

/// The end of `x123` or `ext. 123` behind a number, or the place itself.
fn extension(view: &str, place: usize) -> usize {
    let rest = view[place..].trim_start_matches(' ');
    let marks = ["ext. ", "ext.", "ext ", "ext", "x", "X"];
    let Some(digits) = marks.iter().find_map(|mark| rest.strip_prefix(mark)) else {
        return place;
    };
    let count = digits.bytes().take_while(u8::is_ascii_digit).count();
    if (1..=6).contains(&count) {
        view.len() - digits.len() + count
    } else {
        place
    }
}

/// From a plus before the first digit, or a bracket that is closed within, to the last digit.
fn written(run: &Run<'_>, groups: Range<usize>) -> Range<usize> {
    let range = run.range(groups);
    let before = &run.view[..range.start];
    let is_closed = run.view[range.clone()].contains(')');
    let marks = match before.strip_suffix('(') {
        Some(rest) if is_closed => 1 + usize::from(rest.ends_with('+')),
        Some(_) => 0,
        None => usize::from(before.ends_with('+')),
    };
    range.start - marks..range.end
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

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Looks {
    /// As nothing but a telephone number.
    Right,
    /// As one, if a word says so.
    Open,
    Wrong,
}

fn looks(run: &Run<'_>, groups: Range<usize>, region: &Region) -> Looks {
    if region.is_north_american {
        is_north_american(run, groups)
    } else {
        is_spaced(run, groups, region)
    }
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
        // Extensions belong to the span, and not to the number.
        let shown = |span: &Span| {
            view[span.range.clone()]
                .split(['x', 'e'])
                .next()
                .unwrap_or_default()
                .trim_end()
                .to_owned()
        };
        let values: Vec<_> = found.iter().map(shown).collect();
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
    fn announced_numbers_and_extensions() {
        check(&["US"], "Phone: 467 3395", &["467 3395"]);
        check(&["US"], "they are not answering at 78 651 450", &["78 651 450"]);
        check(&["US"], "(37) 788-063-Office", &["(37) 788-063"]);
        check(
            &["US"],
            "fax 259.735.7502x459, desk +1-903-140-4508 ext. 12",
            &["259.735.7502", "+1-903-140-4508"],
        );
        check(
            &["US"],
            "+447700 921 916 and 001-518-640-0854",
            &["+447700 921 916", "001-518-640-0854"],
        );
        check(&["US"], "call me about order 2025550123", &[]);
        check(&["US"], "call on 2026-01-31 or 31.01.2026", &[]);
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
