//! E-mail addresses.

use super::{Detector, Span, after};
use crate::kind::Kind;

/// Finds what stands around an `@`.
pub(crate) struct Emails;

impl Detector for Emails {
    fn find(&self, view: &str, found: &mut Vec<Span>) {
        for at in memchr::memchr_iter(b'@', view.as_bytes()) {
            let start = local(view, at);
            let end = domain(view, at + 1);
            if start < at && end > at + 1 {
                found.push(Span::new(view, start..end, Kind::Email));
            }
        }
    }
}

/// Where the part before the `@` begins. Of the characters that RFC 5322 allows there, those that part
/// words of texts and addresses of pages (`=`, `/`, `?`, `&` …) are taken as such.
fn local(view: &str, at: usize) -> usize {
    let is_local =
        |c: char| c.is_alphanumeric() || matches!(c, '.' | '_' | '%' | '+' | '-' | '\'' | '~' | '#' | '!' | '$' | '^');
    let start = view[..at]
        .rfind(|c: char| !is_local(c))
        .map_or(0, |place| place + after(view, place).map_or(1, char::len_utf8));
    let trimmed = view[start..at].trim_start_matches(|c: char| !c.is_alphanumeric() && c != '_' && c != '+');
    at - trimmed.len()
}

/// Where the part after the `@` ends; `from` where there is no domain with a top level of letters.
fn domain(view: &str, from: usize) -> usize {
    if let Some(end) = literal(view, from) {
        return end;
    }
    let is_domain = |c: char| c.is_alphanumeric() || matches!(c, '.' | '-');
    let rest = &view[from..];
    let length = rest.find(|c: char| !is_domain(c)).unwrap_or(rest.len());
    let mut whole = rest[..length].trim_end_matches(['.', '-']);
    while let Some((before, top)) = whole.rsplit_once('.') {
        if is_top_level(top) && !begins_sentence(before, top) && !is_picture(before, top) {
            return from + whole.len();
        }
        whole = before;
    }
    from
}

/// `[192.0.2.1]`.
fn literal(view: &str, from: usize) -> Option<usize> {
    let inner = view[from..].strip_prefix('[')?;
    let length = inner.find(']').filter(|length| *length <= 45)?;
    let is_address = inner[..length]
        .trim_start_matches("IPv6:")
        .parse::<std::net::IpAddr>()
        .is_ok();
    is_address.then_some(from + length + 2)
}

fn is_top_level(label: &str) -> bool {
    let is_plain = label.chars().count() >= 2 && label.chars().all(char::is_alphabetic);
    is_plain || label.get(..4).is_some_and(|start| start.eq_ignore_ascii_case("xn--"))
}

/// `ann@example.com.Please write`: the sentence ended before the last label.
fn begins_sentence(before: &str, top: &str) -> bool {
    let mut letters = top.chars();
    let is_capitalised = letters.next().is_some_and(char::is_uppercase) && letters.all(char::is_lowercase);
    is_capitalised && before.contains('.') && !before.chars().any(char::is_uppercase)
}

/// `logo@2x.png`.
fn is_picture(before: &str, top: &str) -> bool {
    let is_scale = before.len() == 2 && before.ends_with('x') && before.as_bytes()[0].is_ascii_digit();
    is_scale && ["png", "jpg", "jpeg", "gif", "webp", "svg"].contains(&top)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(view: &str, expected: &[&str]) {
        let mut found = Vec::new();
        Emails.find(view, &mut found);
        let values: Vec<_> = found.iter().map(|span| span.value.as_str()).collect();
        assert_eq!(values, expected, "{view}");
    }

    #[test]
    fn addresses() {
        check("write to ann.lee+shop@example.com.", &["ann.lee+shop@example.com"]);
        check("ANN@EXAMPLE.COM!", &["ANN@EXAMPLE.COM"]);
        check(
            "<ann@example.com>, \"bob@example.co.uk\"",
            &["ann@example.com", "bob@example.co.uk"],
        );
        check("mailto:ann@example.com?subject=x", &["ann@example.com"]);
        check("email=ann@example.com&x=1", &["ann@example.com"]);
        check("'ann@example.com'", &["ann@example.com"]);
        check("o'neil@example.com", &["o'neil@example.com"]);
        check(
            "jörg@bücher.example 用户@例子.公司",
            &["jörg@bücher.example", "用户@例子.公司"],
        );
        check("ann@example.com.Please write", &["ann@example.com"]);
        check("ann@example.com.I know", &["ann@example.com"]);
        check("ann@sub.example.xn--p1ai", &["ann@sub.example.xn--p1ai"]);
        check("ann@[192.0.2.1]", &["ann@[192.0.2.1]"]);
        check("(ann_lee@my-shop.example)", &["ann_lee@my-shop.example"]);
        check("a@b.co;c@d.org", &["a@b.co", "c@d.org"]);
        check("x@ann.z1@example.com", &["ann.z1@example.com"]);
    }

    #[test]
    fn what_is_none() {
        for view in [
            "@ann",
            "ann@",
            "ann @ example.com",
            "ann@localhost",
            "x@1.2.3",
            "logo@2x.png",
            "5 @ 3.50",
            "a@b.c",
            "@",
            "@@",
            "",
            "@types/node@18.0.1",
        ] {
            check(view, &[]);
        }
    }
}
