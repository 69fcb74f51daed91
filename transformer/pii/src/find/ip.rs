//! Internet addresses.

use std::net::Ipv6Addr;

use super::run::Run;
use super::{Detector, Span, after, before};
use crate::kind::Kind;

/// What turns four numbers into a version.
const VERSIONS: &[&str] = &[
    "version", "ver", "release", "build", "firmware", "fw", "sdk", "rev", "revision", "section", "patch",
];

/// Finds four numbers up to 255 with dots between them.
pub(crate) fn find_v4(run: &Run<'_>, found: &mut Vec<Span>) {
    let count = run.groups.len();
    for start in 0..count.saturating_sub(3) {
        let groups = start..start + 4;
        let dotted = |group: usize| group + 1 < count && run.between(group) == ".";
        let is_four = groups.clone().take(3).all(dotted) && !dotted(start + 3) && (start == 0 || !dotted(start - 1));
        if is_four && is_v4(run, start) {
            found.push(Span::new(run.view, run.range(groups), Kind::Ip));
        }
    }
}

fn is_v4(run: &Run<'_>, start: usize) -> bool {
    let range = run.range(start..start + 4);
    let is_octet = |group: &std::ops::Range<usize>| {
        let text = &run.view[group.clone()];
        text.len() <= 3
            && (text == "0" || !text.starts_with('0'))
            && text.parse::<u16>().is_ok_and(|octet| octet <= 255)
    };
    let joins = |c: Option<char>| c.is_some_and(|c| c.is_alphanumeric() || c == '_');
    let is_code = joins(before(run.view, range.start)) || joins(after(run.view, range.end));
    run.groups[start..start + 4].iter().all(is_octet) && !is_code && !is_version(run.view, range.start)
}

/// The word right before is `version` or the like.
fn is_version(view: &str, place: usize) -> bool {
    let last = view[..place]
        .trim_end_matches([' ', ':', '=', '('])
        .rsplit(|c: char| !c.is_alphanumeric())
        .next()
        .unwrap_or_default();
    VERSIONS.iter().any(|word| last.eq_ignore_ascii_case(word))
}

/// Finds groups of hexadecimal digits with colons between them.
pub(crate) struct V6;

impl Detector for V6 {
    fn find(&self, view: &str, found: &mut Vec<Span>) {
        let bytes = view.as_bytes();
        let is_part = |byte: &u8| byte.is_ascii_hexdigit() || matches!(byte, b':' | b'.');
        let mut at = 0;
        while let Some(colon) = memchr::memchr(b':', &bytes[at..]).map(|place| at + place) {
            let start = colon - bytes[at..colon].iter().rev().take_while(|byte| is_part(byte)).count();
            let end = colon + bytes[colon..].iter().take_while(|byte| is_part(byte)).count();
            at = end;
            let text = view[start..end].trim_end_matches(['.', ':']);
            let text = if view[start..end].starts_with(&format!("{text}::")) {
                &view[start..start + text.len() + 2]
            } else {
                text
            };
            let range = start..start + text.len();
            if is_v6(text) && !joins(view, &range) {
                found.push(Span::new(view, range, Kind::Ip));
            }
        }
    }
}

/// An address of at least three groups, or two of which the first one is long: `a::b` is code.
fn is_v6(text: &str) -> bool {
    let groups = text.split([':', '.']).filter(|group| !group.is_empty()).count();
    let begins_long = text.split(':').next().is_some_and(|group| group.len() == 4);
    let is_long = groups >= 3 || (groups == 2 && begins_long);
    text.len() >= 6 && is_long && text.bytes().any(|byte| byte.is_ascii_digit()) && text.parse::<Ipv6Addr>().is_ok()
}

fn joins(view: &str, range: &std::ops::Range<usize>) -> bool {
    let is_word = |c: Option<char>| c.is_some_and(|c| c.is_alphanumeric() || c == '_' || c == ':');
    is_word(before(view, range.start)) || is_word(after(view, range.end))
}

#[cfg(test)]
mod tests {
    use super::super::run::runs;
    use super::*;

    #[track_caller]
    fn check(view: &str, expected: &[&str]) {
        let mut found = Vec::new();
        V6.find(view, &mut found);
        runs(view, |run| find_v4(run, &mut found));
        let values: Vec<_> = found.iter().map(|span| span.value.as_str()).collect();
        assert_eq!(values, expected, "{view}");
    }

    #[test]
    fn addresses() {
        check("from 203.0.113.77 at noon", &["203.0.113.77"]);
        check("203.0.113.77:8080, (198.51.100.1)", &["203.0.113.77", "198.51.100.1"]);
        check("203.0.113.77.", &["203.0.113.77"]);
        check("ip=203.0.113.0/24", &["203.0.113.0"]);
        check("8.8.8.8", &["8.8.8.8"]);
        check("[2001:db8::1]:443", &["2001:db8::1"]);
        check(
            "2001:0db8:85a3:0000:0000:8a2e:0370:7334.",
            &["2001:0db8:85a3:0000:0000:8a2e:0370:7334"],
        );
        check(
            "fe80::1 and ::ffff:203.0.113.7",
            &["fe80::1", "::ffff:203.0.113.7", "203.0.113.7"],
        );
        check("2a02:8109::", &["2a02:8109::"]);
    }

    #[test]
    fn what_is_none() {
        for view in [
            "v4.11.2.1",
            "version 1.2.3.4",
            "firmware: 10.2.0.33",
            "1.2.3",
            "1.2.3.4.5",
            "300.1.1.1",
            "01.02.03.04",
            "a1.2.3.4",
            "1.2.3.4b",
            "10:11:12",
            "2026-01-31T12:00:00",
            "std::fmt",
            "a::b",
            "::1",
            "::",
            "aa:bb:cc:dd:ee:ff",
            "1:2",
            "dead::beef::1",
            "ratio 16:9:4",
        ] {
            check(view, &[]);
        }
    }
}
