//! Tokens that must never change while `RULES_VERSION` does not; computed with Python's `hmac` and `hashlib`.

use zenfloe_catalog::Class;
use zenfloe_pii::{Guard, RULES_VERSION};

use crate::{privacy, redacted};

#[track_caller]
fn check(class: Class, value: &str, expected: Option<&str>) {
    let mut out = "x".to_owned();
    let is_something = privacy(&["US", "DE"]).token(class, value, &mut out);
    assert_eq!(is_something.then_some(&out[1..]), expected, "{value}");
    assert!(is_something || out == "x", "nothing is appended");
}

#[test]
fn tokens_of_every_class() {
    assert_eq!(RULES_VERSION, 2, "new rules make new golden tokens");
    for value in ["ann@example.com", " ANN@Example.com ", "ann@example.com\u{200b}"] {
        check(Class::Email, value, Some("k1_7mgt2av3r4kjfcliq422vwr4wh"));
    }
    for value in ["+12025550123", "(202) 555-0123", "1-202-555-0123"] {
        check(Class::Phone, value, Some("k1_uidstfudz6tdbvegeljasmhklx"));
    }
    check(Class::Phone, "ext. 12", Some("k1_cf545pjspiyqk2iqmx7cl2r2ac"));
    check(Class::Person, "Ann  LEE", Some("k1_nafyedl4ngdrynbmyo26667zdd"));
    check(Class::Address, "12 Main St", Some("k1_htbyh6sgkuoaszxsmqn3o3biwh"));
    check(Class::Ip, "2001:DB8:0::1", Some("k1_sb5q6dmeii6znpmvulhiz7px7y"));
    check(Class::ExternalId, "order-5", Some("k1_5tw67nl65qaid7kpmaim5uolqq"));
    check(Class::Handle, "ann_lee", Some("k1_7snx4sjzz72eon5gspixeq4gkg"));
    check(
        Class::Url,
        "https://photos.example/ann.jpg",
        Some("k1_t6z7l5b3fxiqboykqokud7qd2y"),
    );
}

#[test]
fn nothing_has_no_token() {
    for class in [
        Class::Email,
        Class::Phone,
        Class::Person,
        Class::Address,
        Class::Ip,
        Class::ExternalId,
        Class::Handle,
        Class::Url,
    ] {
        for value in ["", "  ", "\u{a0}\u{200b}", "\n"] {
            check(class, value, None);
        }
    }
    check(Class::Phone, "unknown", None);
}

#[test]
fn placeholders_join_with_columns() {
    assert_eq!(
        redacted("to Ann@Example.COM!"),
        "to [email:k1_7mgt2av3r4kjfcliq422vwr4wh]!"
    );
    assert_eq!(
        redacted("call (202) 555-0123"),
        "call [phone:k1_uidstfudz6tdbvegeljasmhklx]"
    );
    assert_eq!(redacted("from 2001:db8::1"), "from [ip:k1_sb5q6dmeii6znpmvulhiz7px7y]");
    assert_eq!(
        redacted("card 4111 1111 1111 1111"),
        "card [card:k1_ycaz7oxqu6khr5xiwxaaowxko7]"
    );
    assert_eq!(
        redacted("iban de89 3704 0044 0532 0130 00"),
        "iban [iban:k1_apifqizu7r6jgn4yztkjezq5cf]"
    );
    assert_eq!(redacted("ssn 123-45-6789"), "ssn [ssn:k1_mbocsaiudyji5nrech5ekmvphg]");
}

#[test]
fn coarse_addresses() {
    for (class, value, expected) in [
        (Class::Ip, "203.0.113.77", Some("203.0.113.0/24")),
        (Class::Ip, "2001:db8:1:2::3", Some("2001:db8:1::/48")),
        (Class::Ip, "home", None),
        (Class::Email, "ann@example.com", None),
    ] {
        let mut out = String::new();
        let is_something = privacy(&["US"]).coarse(class, value, &mut out);
        assert_eq!(is_something.then_some(out.as_str()), expected);
    }
}
