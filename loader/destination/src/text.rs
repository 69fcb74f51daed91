//! Characters that databases refuse in texts.

use std::borrow::Cow;

/// A text without NUL, and how many were replaced.
pub type Cleaned<'t> = (Cow<'t, str>, u64);

/// Replaces each NUL, which PostgreSQL refuses and SQLite's functions stop at, by U+FFFD.
pub fn text_without_nul(text: &str) -> Cleaned<'_> {
    if !text.as_bytes().contains(&0) {
        return (Cow::Borrowed(text), 0);
    }
    let count = text.bytes().filter(|byte| *byte == 0).count() as u64;
    (Cow::Owned(text.replace('\0', "\u{fffd}")), count)
}

/// Replaces in a JSON text each escape that `jsonb` refuses (`\u0000` and halves of surrogate pairs), and each bare NUL, by U+FFFD.
pub fn json_without_nul(json: &str) -> Cleaned<'_> {
    let (json, bare) = text_without_nul(json);
    if !json.contains("\\u") {
        return (json, bare);
    }
    match without_bad_escapes(&json) {
        Some((text, escaped)) => (Cow::Owned(text), bare + escaped),
        None => (json, bare),
    }
}

/// The text without bad escapes and their number, or `None` when there is none.
fn without_bad_escapes(json: &str) -> Option<(String, u64)> {
    let bytes = json.as_bytes();
    let mut out = String::new();
    let (mut copied, mut at, mut count) = (0, 0, 0);
    while let Some(step) = bytes[at..].iter().position(|byte| *byte == b'\\') {
        let escape = at + step;
        let (length, good) = match unit(bytes, escape) {
            None => (2, true),
            Some(0) | Some(0xdc00..=0xdfff) => (6, false),
            Some(0xd800..=0xdbff) => match unit(bytes, escape + 6) {
                Some(0xdc00..=0xdfff) => (12, true),
                _ => (6, false),
            },
            Some(_) => (6, true),
        };
        if !good {
            out.push_str(&json[copied..escape]);
            out.push('\u{fffd}');
            copied = escape + length;
            count += 1;
        }
        at = (escape + length).min(bytes.len());
    }
    (count > 0).then(|| {
        out.push_str(&json[copied..]);
        (out, count)
    })
}

/// The code unit of the escape `\uXXXX` at `at`; `None` for anything else.
fn unit(bytes: &[u8], at: usize) -> Option<u16> {
    let escape = bytes.get(at..at + 6)?;
    let digits = escape.strip_prefix(b"\\u")?;
    digits.iter().try_fold(0_u16, |sum, digit| {
        let digit = char::from(*digit).to_digit(16)?;
        Some(sum << 4 | digit as u16)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nul_in_texts_is_replaced_and_counted() {
        for (given, expected, count) in [("", "", 0), ("abc", "abc", 0), ("a\0b\0", "a\u{fffd}b\u{fffd}", 2)] {
            assert_eq!(text_without_nul(given), (Cow::Borrowed(expected), count));
        }
    }

    #[test]
    fn escapes_that_jsonb_refuses_are_replaced_and_no_others() {
        let cases = [
            (r#"{"a":1}"#, r#"{"a":1}"#, 0),
            (r#"["\u0000"]"#, "[\"\u{fffd}\"]", 1),
            (r#"["\\u0000"]"#, r#"["\\u0000"]"#, 0),
            (r#"["\\\u0000x"]"#, "[\"\\\\\u{fffd}x\"]", 1),
            (r#"["\ud83d\ude00"]"#, r#"["\ud83d\ude00"]"#, 0),
            (r#"["\ud83d","\ude00"]"#, "[\"\u{fffd}\",\"\u{fffd}\"]", 2),
            (r#"["\ud83d\u0000"]"#, "[\"\u{fffd}\u{fffd}\"]", 2),
            (r#"["\u00e4\n"]"#, r#"["\u00e4\n"]"#, 0),
            ("[\"a\0\"]", "[\"a\u{fffd}\"]", 1),
            (r#"["\"#, r#"["\"#, 0),
            (r#"["\u00"#, r#"["\u00"#, 0),
            (r#"["ä\u0000ä"]"#, "[\"ä\u{fffd}ä\"]", 1),
        ];
        for (given, expected, count) in cases {
            assert_eq!(json_without_nul(given), (Cow::Borrowed(expected), count), "{given}");
        }
    }
}
