//! Texts and what is left of them.

use zenfloe_pii::{Guard, Kind};

use crate::{privacy, redacted, shape};

#[track_caller]
fn check(text: &str, expected: &str) {
    assert_eq!(shape(&redacted(text)), expected);
}

#[test]
fn every_kind_in_a_sentence() {
    check(
        "Write to ann@example.com or BOB@EXAMPLE.COM.",
        "Write to [email] or [email].",
    );
    check("Call +1 (202) 555-0123, or 030 901820 99!", "Call [phone], or [phone]!");
    check(
        "I paid with 4111 1111 1111 1111 last week.",
        "I paid with [card] last week.",
    );
    check(
        "Refund to DE89370400440532013000, thank you.",
        "Refund to [iban], thank you.",
    );
    check(
        "It came from 203.0.113.77 and 2001:db8::1 at noon",
        "It came from [ip] and [ip] at noon",
    );
    check("My SSN is 123-45-6789", "My SSN is [ssn]");
    check("See https://ann:pw@portal.example/x?y=1 .", "See [url] .");
    check("Nothing here.", "Nothing here.");
    check("", "");
}

#[test]
fn whatever_its_form() {
    check("ann&#64;example.com", "[email]");
    check("ann&amp;#64;example&period;com", "[email]");
    check("Ann&#x40;Example&#46;com, please", "[email], please");
    check("ann\\u0040example.com", "[email]");
    check("ann%40example.com", "[email]");
    check("ａｎｎ＠ｅｘａｍｐｌｅ．ｃｏｍ", "[email]");
    check("a\u{200d}nn@exam\u{200b}ple.com", "[email]");
    check("\u{202e}ann@example.com\u{202c}", "\u{202e}[email]\u{202c}");
    check("jörg@bücher.example", "[email]");
    check("+1\u{a0}(202)\u{a0}555–0123", "[phone]");
    check("4111\u{2011}1111\u{2011}1111\u{2011}1111", "[card]");
    check("+١٢٠٢٥٥٥٠١٢٣", "[phone]");
    check(
        "{\\\"mail\\\":\\\"ann@example.com\\\",\\n\\\"x\\\":1}",
        "{\\\"mail\\\":\\\"[email]\\\",\\n\\\"x\\\":1}",
    );
}

#[test]
fn html() {
    check("<p>Mail <b>ann@example.com</b></p>", "<p>Mail <b>[email]</b></p>");
    check(
        "<a href=\"mailto:ann@example.com\">Ann</a>",
        "<a href=\"mailto:[email]\">Ann</a>",
    );
    check(
        "<td>202-555-0123</td><td>4111111111111111</td>",
        "<td>[phone]</td><td>[card]</td>",
    );
    check("ann<wbr>@<b>example</b>.com<br>x", "[email]<br>x");
    check(
        "<a href=\"https://x.example/?a=1&amp;b=2\">x</a>",
        "<a href=\"[url]\">x</a>",
    );
    check("1 < 2 and 3 > 2", "1 < 2 and 3 > 2");
}

#[test]
fn a_value_has_one_token_in_every_form() {
    let token = |text: &str| redacted(text);
    for form in [
        "ANN@EXAMPLE.COM",
        "ann&#64;example.com",
        "ann\\u0040example.com",
        "ann%40example.com",
        "a\u{200d}nn@example.com",
    ] {
        assert_eq!(token(form), token("ann@example.com"), "{form}");
    }
    for form in [
        "(202) 555-0123",
        "+1 202.555.0123",
        "1-202-555-0123",
        "001 202 555 0123",
    ] {
        assert_eq!(token(form), token("+12025550123"), "{form}");
    }
    assert_eq!(token("4111-1111-1111-1111"), token("4111 1111 1111 1111"));
    assert_eq!(token("DE89 3704 0044 0532 0130 00"), token("de89370400440532013000"));
}

#[test]
fn what_is_redacted_stays_as_it_is() {
    let text = "ann@example.com 202-555-0123 4111111111111111 DE89370400440532013000 203.0.113.77 https://a.example/?b=c 123-45-6789";
    let once = redacted(text);
    assert_eq!(redacted(&once), once);
}

#[test]
fn placeholders_are_counted_by_kind() {
    let mut privacy = privacy(&["US"]);
    privacy.redact("a@b.example c@d.example 203.0.113.77", &mut String::new());
    assert_eq!(
        privacy.counts().placeholders().collect::<Vec<_>>(),
        [(Kind::Email, 2), (Kind::Ip, 1)]
    );
    privacy.token(zenfloe_catalog::Class::Phone, "x5", &mut String::new());
    assert_eq!(privacy.counts().tokens().collect::<Vec<_>>(), [(Kind::PhoneRaw, 1)]);
}

#[test]
fn debug_output_holds_nothing() {
    let mut privacy = privacy(&["US"]);
    privacy.redact("ann@example.com", &mut String::new());
    assert!(!format!("{privacy:?}").contains("ann"));
}

/// The forms in which a value can stand in a text: as it is, in capitals, escaped for HTML and JSON.
fn forms(value: &str) -> Vec<String> {
    let html = |text: &str| {
        text.replace('&', "&amp;")
            .replace('<', "&lt;")
            .replace('"', "&quot;")
            .replace('\'', "&#39;")
    };
    let json = |text: &str| text.replace('\\', "\\\\").replace('"', "\\\"").replace('/', "\\/");
    let entities: String = value.chars().map(|c| format!("&#{};", u32::from(c))).collect();
    let escapes: String = value.chars().map(|c| format!("\\u{:04x}", u32::from(c))).collect();
    vec![
        value.to_owned(),
        value.to_uppercase(),
        html(value),
        html(&html(value)),
        json(value),
        json(&html(value)),
        value.replace('@', "&#64;"),
        value.replace('@', "\\u0040"),
        value.replace(' ', "&nbsp;"),
        entities,
        escapes,
    ]
}

#[test]
fn no_form_of_a_value_is_left() {
    for value in [
        "qanary.zfc01a2b3@canary-mail.example",
        "zfc01a2b3+work@canary-mail.example",
        "+12025550123",
        "+1 (202) 555-0123",
        "4111111111111111",
        "DE89370400440532013000",
        "45.101.102.103",
        "https://qanary:zfc01a2b3@portal.canary-mail.example/login?session=zfc01a2b3&step=2",
    ] {
        for form in forms(value) {
            for text in [
                form.clone(),
                format!("Reach them at {form}."),
                format!("<p>{form}</p>"),
                format!("({form}), \"{form}\""),
            ] {
                let out = redacted(&text);
                assert!(!out.contains(&form), "{form}: {out}");
                assert!(
                    !out.to_lowercase().contains("zfc01a2b3") && !out.contains("0123"),
                    "{form}: {out}"
                );
            }
        }
    }
}
