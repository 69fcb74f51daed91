//! No text makes the redactor panic, and none is left with what it was asked to find.

use std::cell::RefCell;

use proptest::prelude::*;
use zenfloe_catalog::Class;
use zenfloe_pii::Guard;

use crate::privacy;

/// Bits of texts that detectors and views look at.
fn bits() -> impl Strategy<Value = String> {
    let bit = prop_oneof![
        "[ -~]{0,6}",
        ".{0,3}",
        proptest::sample::select(vec![
            "@",
            "&#64;",
            "&amp;",
            "&",
            "<b>",
            "</",
            "<",
            ">",
            "://",
            "www.",
            "?",
            "%40",
            "\\u0040",
            "\\u",
            "::",
            ":",
            "1",
            "0049 ",
            "+",
            "(",
            ") ",
            "2025550123",
            "4111111111111111",
            "DE89",
            "DE89370400440532013000",
            "10.0.0.1",
            "123-45-6789",
            "\u{200d}",
            "\u{202e}",
            "＠",
            "٣",
            "ß",
            "İ",
            "xn--",
            "example.com",
            "ann",
            ".",
            "-",
            "\n",
            "\0",
            "'",
            "[",
            "]",
        ])
        .prop_map(str::to_owned),
    ];
    proptest::collection::vec(bit, 0..24).prop_map(|bits| bits.concat())
}

fn config() -> ProptestConfig {
    ProptestConfig {
        cases: 1_000,
        failure_persistence: None,
        ..ProptestConfig::default()
    }
}

#[test]
fn no_text_makes_it_panic() {
    let guard = RefCell::new(privacy(&["US", "DE"]));
    proptest!(config(), |(text in bits())| {
        let mut guard = guard.borrow_mut();
        let mut out = String::new();
        guard.redact(&text, &mut out);
        for class in [Class::Email, Class::Phone, Class::Person, Class::Ip, Class::Handle] {
            guard.token(class, &text, &mut out);
            guard.coarse(class, &text, &mut out);
        }
    });
}

#[test]
fn a_value_is_found_in_any_sentence() {
    const VALUES: &[&str] = &[
        "qanary.zfc01@canary-mail.example",
        "+1 (202) 555-0123",
        "+12025550123",
        "4111111111111111",
        "DE89370400440532013000",
        "45.101.102.103",
    ];
    let guard = RefCell::new(privacy(&["US"]));
    let sentences = (
        "[a-z ,.:;!?()\"\n]{0,20}",
        "[ ,;:!?)\"\n][a-z ]{0,20}",
        proptest::sample::select(VALUES),
    );
    proptest!(config(), |((before, after, value) in sentences)| {
        let mut out = String::new();
        guard.borrow_mut().redact(&format!("{before} at {value}{after}"), &mut out);
        prop_assert!(!out.contains(value), "{}", out);
        prop_assert!(out.starts_with(before.as_str()) && out.ends_with(after.as_str()), "{}", out);
    });
}

#[test]
fn large_texts_and_deep_html_are_taken_in_their_stride() {
    let mut guard = privacy(&["US", "DE"]);
    // In a debug build everything takes ten times as long.
    const LENGTH: usize = if cfg!(debug_assertions) { 20_000 } else { 500_000 };
    let lines = [
        "1234 ".repeat(LENGTH),
        "<div>".repeat(LENGTH),
        "@".repeat(LENGTH),
        "a@".repeat(LENGTH),
        "1.".repeat(LENGTH),
        "::1".repeat(LENGTH),
        "&amp;".repeat(LENGTH),
        "DE89 ".repeat(LENGTH),
        "://".repeat(LENGTH),
        "<".repeat(LENGTH),
        "<a".repeat(LENGTH),
        "&".repeat(LENGTH),
        "a.".repeat(LENGTH) + "@" + &"Bb.".repeat(LENGTH),
        "www.".repeat(LENGTH),
    ];
    for line in lines {
        let start = std::time::Instant::now();
        let mut out = String::new();
        guard.redact(&line, &mut out);
        println!("{:>10} bytes of `{}`: {:?}", line.len(), &line[..3], start.elapsed());
    }
}
