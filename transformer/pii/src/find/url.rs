//! Addresses of pages that show who someone is, or let their holder in: with credentials, with a query, or
//! with a path to a person. Others are no personal data and stay.

use super::{Detector, Span, before};
use crate::kind::Kind;

/// Finds what stands around `://` and after `www.`.
pub(crate) struct Urls;

impl Detector for Urls {
    fn find(&self, view: &str, found: &mut Vec<Span>) {
        addresses(
            view,
            found,
            memchr::memmem::find_iter(view.as_bytes(), "://").map(|place| (scheme(view, place), place + 3)),
        );
        let bare = memchr::memmem::find_iter(view.as_bytes(), "www.").map(|place| (place, place));
        let bare =
            bare.filter(|(place, _)| !before(view, *place).is_some_and(|c| c.is_alphanumeric() || "/.-_@".contains(c)));
        addresses(view, found, bare);
    }
}

/// Judges what begins at places in order: where the address begins, and its authority.
fn addresses(view: &str, found: &mut Vec<Span>, places: impl Iterator<Item = (usize, usize)>) {
    let mut last = 0;
    for (start, authority) in places {
        // What stands within an address has been judged with it.
        if authority < last {
            continue;
        }
        let end = end(view, authority);
        last = end;
        if end > authority && is_personal(&view[authority..end]) {
            found.push(Span::new(view, start..end, Kind::Url));
        }
    }
}

fn scheme(view: &str, place: usize) -> usize {
    let is_scheme = |c: char| c.is_ascii_alphanumeric() || matches!(c, '+' | '-' | '.');
    let length = view[..place].chars().rev().take_while(|c| is_scheme(*c)).count();
    place - length
}

/// Up to white space, a quote or an angle bracket; signs that end a sentence are not part of it.
fn end(view: &str, from: usize) -> usize {
    let stops =
        |c: char| c.is_whitespace() || c.is_control() || matches!(c, '<' | '>' | '"' | '`' | '{' | '}' | '|' | '^');
    let rest = &view[from..];
    let whole = &rest[..rest.find(stops).unwrap_or(rest.len())];
    let mut trimmed = whole.trim_end_matches(['.', ',', ';', ':', '!', '?', '\'', '*', '_']);
    for (open, close) in [('(', ')'), ('[', ']')] {
        if trimmed.ends_with(close) && !trimmed.contains(open) {
            trimmed = trimmed.trim_end_matches([close, '.', ',', ';', ':']);
        }
    }
    from + trimmed.len()
}

/// Claims that what follows the scheme is personal.
fn is_personal(url: &str) -> bool {
    let (url, fragment) = url.split_once('#').unwrap_or((url, ""));
    let (url, query) = url.split_once('?').unwrap_or((url, ""));
    let (authority, path) = url.split_once('/').unwrap_or((url, ""));
    authority.contains('@') || !query.is_empty() || fragment.contains(['=', '@']) || is_personal_path(authority, path)
}

/// Segments after which a person is named.
const PEOPLE: &[&str] = &[
    "user",
    "users",
    "u",
    "profile",
    "profiles",
    "people",
    "person",
    "member",
    "members",
    "in",
    "customer",
    "customers",
    "account",
    "accounts",
    "contact",
    "contacts",
    "employee",
    "employees",
    "patient",
    "patients",
    "author",
    "authors",
];

/// Hosts where the first segment is a person.
const NETWORKS: &[&str] = &[
    "facebook.com",
    "instagram.com",
    "twitter.com",
    "x.com",
    "linkedin.com",
    "t.me",
    "wa.me",
    "tiktok.com",
    "threads.net",
    "github.com",
    "paypal.me",
];

fn is_personal_path(host: &str, path: &str) -> bool {
    let path = path.trim_end_matches('/');
    if path.is_empty() {
        return false;
    }
    let host = host.split(':').next().unwrap_or_default().to_ascii_lowercase();
    let is_network = NETWORKS
        .iter()
        .any(|network| host == *network || host.strip_suffix(network).is_some_and(|rest| rest.ends_with('.')));
    let mut segments = path.split('/').peekable();
    let mut names_someone = false;
    while let Some(segment) = segments.next() {
        let leads = PEOPLE.iter().any(|word| segment.eq_ignore_ascii_case(word)) && segments.peek().is_some();
        names_someone |= leads || segment.contains(['@', '~']) || is_secret(segment);
    }
    is_network || names_someone
}

/// Claims that a segment looks like a key to something: long, letters and digits mixed, no words.
fn is_secret(segment: &str) -> bool {
    let digits = segment.bytes().filter(u8::is_ascii_digit).count();
    let letters = segment.bytes().filter(u8::is_ascii_alphabetic).count();
    let hyphens = segment.bytes().filter(|byte| *byte == b'-').count();
    digits >= 4 && letters >= 4 && digits + letters >= 24 && (hyphens <= 2 || is_uuid(segment))
}

fn is_uuid(segment: &str) -> bool {
    let lengths: Vec<usize> = segment.split('-').map(str::len).collect();
    lengths == [8, 4, 4, 4, 12]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(view: &str, expected: &[&str]) {
        let mut found = Vec::new();
        Urls.find(view, &mut found);
        let values: Vec<_> = found.iter().map(|span| span.value.as_str()).collect();
        assert_eq!(values, expected, "{view}");
    }

    #[test]
    fn credentials_queries_and_people() {
        for url in [
            "https://ann:secret@portal.example/login",
            "http://ann@portal.example",
            "https://shop.example/login?session=abc&step=2",
            "https://shop.example/#access_token=abc",
            "www.shop.example/?id=5",
            "https://acme.zendesk.com/agent/users/39771850850017",
            "https://www.linkedin.com/in/ann-lee",
            "https://facebook.com/ann.lee.5",
            "https://blog.example/@ann",
            "https://uni.example/~ann/",
            "https://files.example/d/Zm9vYmFyMTIzNDU2Nzg5MGFiY2RlZg",
            "https://files.example/d/e1b7c0de-5a1f-4c8b-9f6e-0d6f2f1a77aa",
            "ftp://ann:x@files.example/a.txt",
        ] {
            check(url, &[url]);
            check(&format!("see ({url}), please"), &[url]);
            check(&format!("<a href=\"{url}\">x</a>"), &[url]);
        }
        check(
            "https://a.example/?x=1 https://b.example/?y=2.",
            &["https://a.example/?x=1", "https://b.example/?y=2"],
        );
    }

    #[test]
    fn pages_that_tell_nobody() {
        for url in [
            "https://www.example.com",
            "https://docs.example.com/guide/how-to-fix-error-2024-in-version-12345-of-it",
            "https://acme.zendesk.com/agent/tickets/123456",
            "https://shop.example/users",
            "https://shop.example/cart?",
            "https://docs.example/guide#install",
            "std::fmt://",
            "://",
        ] {
            check(url, &[]);
        }
    }
}
