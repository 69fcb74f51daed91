//! The normal form of each kind of value; what tokens are made of. Golden: a change is a new `RULES_VERSION`.

use std::net::IpAddr;

use crate::fold;
use crate::kind::Kind;
use crate::phone::Phones;

/// Appends the normal form of a value and gives the kind whose token it is made into; `None`: there is
/// nothing to tell, `out` is as before.
///
/// | kind | form |
/// |---|---|
/// | email | trimmed, NFKC, lower case, domain in ASCII; dots and `+tags` kept |
/// | phone | E.164; what cannot be read is `phone_raw` over its digits |
/// | person, organization, address | NFKC, case folded, white space collapsed |
/// | ip | canonical text; an IPv4 address within IPv6 is the IPv4 address |
/// | card, iban, ssn, national_id | letters and digits alone, upper case |
/// | birth_date | `YYYY-MM-DD` |
/// | external_id, handle, url, text | trimmed, NFKC, case kept: ids of most systems differ by it |
pub(crate) fn normal_form(kind: Kind, value: &str, phones: &Phones, out: &mut String) -> Option<Kind> {
    let begin = out.len();
    let kind = match kind {
        Kind::Email => email(value, out),
        Kind::Phone | Kind::PhoneRaw => return phone(value, phones, out),
        Kind::Person | Kind::Address | Kind::Organization => {
            fold::name(value, out);
            kind
        }
        Kind::Ip => ip(value, out),
        Kind::Card | Kind::Iban | Kind::Ssn | Kind::NationalId => {
            out.extend(
                value
                    .chars()
                    .filter(char::is_ascii_alphanumeric)
                    .map(|c| c.to_ascii_uppercase()),
            );
            kind
        }
        Kind::ExternalId | Kind::Handle | Kind::Url | Kind::Text | Kind::BirthDate => {
            fold::plain(value, out);
            kind
        }
    };
    (out.len() > begin).then_some(kind)
}

fn email(value: &str, out: &mut String) -> Kind {
    let begin = out.len();
    fold::lower(value, out);
    let Some(at) = out[begin..].rfind('@') else {
        return Kind::Email;
    };
    let domain = begin + at + 1;
    // `mailto` forms and ends of sentences are not part of an address.
    let end = begin + out[begin..].trim_end_matches('.').len();
    out.truncate(end.max(domain));
    let is_plain = out[domain..].is_ascii() && !out[domain..].contains("xn--");
    if !is_plain && let Ok(ascii) = idna::domain_to_ascii(&out[domain..]) {
        out.truncate(domain);
        out.push_str(&ascii);
    }
    Kind::Email
}

fn phone(value: &str, phones: &Phones, out: &mut String) -> Option<Kind> {
    let visible = value
        .contains(fold::is_invisible)
        .then(|| value.replace(fold::is_invisible, ""));
    let value = visible.as_deref().unwrap_or(value);
    if phones.column(value, out) {
        return Some(Kind::Phone);
    }
    let begin = out.len();
    out.extend(
        value
            .chars()
            .filter_map(|c| c.to_digit(10))
            .filter_map(|digit| char::from_digit(digit, 10)),
    );
    (out.len() > begin).then_some(Kind::PhoneRaw)
}

fn ip(value: &str, out: &mut String) -> Kind {
    use std::fmt::Write;
    match value.trim().parse::<IpAddr>() {
        Ok(address) => {
            // Writing into a text does not fail.
            let _ = write!(out, "{}", address.to_canonical());
        }
        Err(_) => fold::lower(value, out),
    }
    Kind::Ip
}

/// Appends the network of an address: the first 24 bits of IPv4, 48 of IPv6; `false`: it is no address.
pub(crate) fn network(value: &str, out: &mut String) -> bool {
    use std::fmt::Write;
    let written = match value.trim().parse::<IpAddr>().map(|address| address.to_canonical()) {
        Ok(IpAddr::V4(address)) => {
            let [a, b, c, _] = address.octets();
            write!(out, "{a}.{b}.{c}.0/24")
        }
        Ok(IpAddr::V6(address)) => {
            let [a, b, c, ..] = address.segments();
            write!(out, "{}/48", std::net::Ipv6Addr::new(a, b, c, 0, 0, 0, 0, 0))
        }
        Err(_) => return false,
    };
    written.is_ok()
}

/// A normal form, for whoever computes tokens outside of records: `zenfloe erase`, the dictionary of people.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Normal {
    /// The kind whose token it is made into.
    pub kind: Kind,
    /// The form.
    pub text: String,
}

impl Normal {
    /// The normal form of a value; `None`: there is nothing to tell.
    pub fn of(kind: Kind, value: &str, phones: &Phones) -> Option<Self> {
        let mut text = String::new();
        let kind = normal_form(kind, value, phones, &mut text)?;
        Some(Self { kind, text })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(kind: Kind, value: &str, expected: Option<(Kind, &str)>) {
        let phones = Phones::new(&["US", "DE"]).expect("regions");
        let normal = Normal::of(kind, value, &phones);
        let expected = expected.map(|(kind, text)| Normal {
            kind,
            text: text.to_owned(),
        });
        assert_eq!(normal, expected, "{value}");
    }

    #[test]
    fn emails() {
        for (value, expected) in [
            (" Ann.Lee+Shop@Example.COM ", "ann.lee+shop@example.com"),
            ("ann@bücher.example", "ann@xn--bcher-kva.example"),
            ("ANN@BÜCHER.EXAMPLE", "ann@xn--bcher-kva.example"),
            ("ann@xn--bcher-kva.example", "ann@xn--bcher-kva.example"),
            ("ａｎｎ＠ｅｘａｍｐｌｅ．ｃｏｍ", "ann@example.com"),
            ("a\u{200d}nn@exam\u{ad}ple.com", "ann@example.com"),
            ("ännE@example.com.", "änne@example.com"),
            ("no address", "no address"),
            ("ann@", "ann@"),
        ] {
            check(Kind::Email, value, Some((Kind::Email, expected)));
        }
        check(Kind::Email, " \u{200b}", None);
    }

    #[test]
    fn phones() {
        check(Kind::Phone, "(202) 555-0123", Some((Kind::Phone, "+12025550123")));
        check(Kind::Phone, "+49 30\u{200b} 901820", Some((Kind::Phone, "+4930901820")));
        check(Kind::Phone, "ext 12", Some((Kind::PhoneRaw, "12")));
        check(Kind::Phone, "00", Some((Kind::PhoneRaw, "00")));
        check(Kind::Phone, "unknown", None);
        check(Kind::Phone, "", None);
    }

    #[test]
    fn others() {
        check(Kind::Person, " Ann  LEE", Some((Kind::Person, "ann lee")));
        check(Kind::Address, "12 Main\nSt", Some((Kind::Address, "12 main st")));
        check(Kind::Ip, " 2001:DB8:0::1 ", Some((Kind::Ip, "2001:db8::1")));
        check(Kind::Ip, "::ffff:192.0.2.1", Some((Kind::Ip, "192.0.2.1")));
        check(Kind::Ip, "Unknown", Some((Kind::Ip, "unknown")));
        check(Kind::ExternalId, " Ab-1 ", Some((Kind::ExternalId, "Ab-1")));
        check(Kind::Handle, "@Ann", Some((Kind::Handle, "@Ann")));
        check(
            Kind::Card,
            "4111 1111-1111 1111",
            Some((Kind::Card, "4111111111111111")),
        );
        check(Kind::Iban, "de89 3704 0044", Some((Kind::Iban, "DE8937040044")));
        for kind in Kind::ALL {
            check(kind, "  ", None);
        }
    }

    #[test]
    fn networks() {
        for (value, expected) in [
            ("203.0.113.77", Some("203.0.113.0/24")),
            ("2001:db8:1:2::3", Some("2001:db8:1::/48")),
            ("::ffff:203.0.113.77", Some("203.0.113.0/24")),
            ("home", None),
        ] {
            let mut out = String::new();
            assert_eq!(network(value, &mut out).then_some(out.as_str()), expected, "{value}");
        }
    }
}
