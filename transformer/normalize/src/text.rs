//! JSON strings as they are meant, and JSON texts as they are kept.

use crate::scan::{Kind, Scanner, Slot};

/// Appends what a string with escapes means; halves of surrogate pairs become U+FFFD and are counted.
///
/// Contract: `inner` stands between the quotes of a string that the scanner has passed.
pub(crate) fn unescape(inner: &str, out: &mut String, replaced: &mut u64) {
    let mut rest = inner;
    while let Some(place) = memchr::memchr(b'\\', rest.as_bytes()) {
        out.push_str(&rest[..place]);
        let (meant, length) = escape(&rest.as_bytes()[place..]);
        *replaced += u64::from(meant.is_none());
        out.push(meant.unwrap_or(char::REPLACEMENT_CHARACTER));
        rest = &rest[place + length..];
    }
    out.push_str(rest);
}

/// The character of an escape (`None` for half a pair) and the bytes that it takes.
fn escape(bytes: &[u8]) -> (Option<char>, usize) {
    let meant = match bytes[1] {
        b'n' => '\n',
        b't' => '\t',
        b'r' => '\r',
        b'b' => '\u{8}',
        b'f' => '\u{c}',
        b'u' => return code_point(bytes),
        other => char::from(other),
    };
    (Some(meant), 2)
}

fn code_point(bytes: &[u8]) -> (Option<char>, usize) {
    let Some(first) = unit(bytes) else {
        return (None, 6);
    };
    if let (0xd800..=0xdbff, Some(second @ 0xdc00..=0xdfff)) = (first, unit(&bytes[6..])) {
        let point = 0x1_0000 + ((first - 0xd800) << 10) + (second - 0xdc00);
        return (char::from_u32(point), 12);
    }
    (char::from_u32(first), 6)
}

/// The code unit of `\uXXXX`, if that is what the bytes begin with.
fn unit(bytes: &[u8]) -> Option<u32> {
    let digits = bytes.strip_prefix(b"\\u")?.get(..4)?;
    digits
        .iter()
        .try_fold(0, |unit, digit| Some(unit << 4 | char::from(*digit).to_digit(16)?))
}

/// Appends a text as a JSON string, with its quotes.
pub(crate) fn quote(text: &str, out: &mut String) {
    out.push('"');
    let mut copied = 0;
    for (place, byte) in text.bytes().enumerate() {
        if byte >= 0x20 && byte != b'"' && byte != b'\\' {
            continue;
        }
        out.push_str(&text[copied..place]);
        copied = place + 1;
        match byte {
            b'"' => out.push_str("\\\""),
            b'\\' => out.push_str("\\\\"),
            b'\n' => out.push_str("\\n"),
            b'\r' => out.push_str("\\r"),
            b'\t' => out.push_str("\\t"),
            0x08 => out.push_str("\\b"),
            0x0c => out.push_str("\\f"),
            control => {
                let digit = |value: u8| char::from_digit(u32::from(value), 16).unwrap_or('0');
                out.push_str("\\u00");
                out.push(digit(control >> 4));
                out.push(digit(control & 15));
            }
        }
    }
    out.push_str(&text[copied..]);
    out.push('"');
}

/// Appends a JSON text without white space between its parts; strings and numbers stay as written.
///
/// Contract: the scanner has passed it.
pub(crate) fn compact(json: &str, out: &mut String) {
    strings(json, out, |_, whole, out| out.push_str(whole));
}

/// Appends a JSON text without white space between its parts, every string, names of members included,
/// replaced by what `change` appends: it gets the string's slot within `json` and the string with its quotes.
///
/// Contract: the scanner has passed it.
pub(crate) fn strings(json: &str, out: &mut String, mut change: impl FnMut(Slot, &str, &mut String)) {
    let bytes = json.as_bytes();
    let mut at = 0;
    while let Some(byte) = bytes.get(at) {
        match byte {
            b'"' => {
                let mut scanner = Scanner::new(json, at);
                let string = scanner.scalar().expect("the text has been passed before");
                change(string, string.whole(json), out);
                at = scanner.at();
            }
            b' ' | b'\n' | b'\r' | b'\t' => at += 1,
            _ => {
                let run = bytes[at..]
                    .iter()
                    .position(|byte| matches!(byte, b'"' | b' ' | b'\n' | b'\r' | b'\t'));
                let end = run.map_or(bytes.len(), |run| at + run);
                out.push_str(&json[at..end]);
                at = end;
            }
        }
    }
}

/// The same for every string and every number.
///
/// Contract: the scanner has passed it.
pub(crate) fn scalars(json: &str, out: &mut String, mut change: impl FnMut(Slot, &str, &mut String)) {
    let bytes = json.as_bytes();
    let mut at = 0;
    while let Some(byte) = bytes.get(at) {
        match byte {
            b'"' | b'-' | b'0'..=b'9' => {
                let mut scanner = Scanner::new(json, at);
                let scalar = scanner.scalar().expect("the text has been passed before");
                change(scalar, scalar.whole(json), out);
                at = scanner.at();
            }
            b' ' | b'\n' | b'\r' | b'\t' => at += 1,
            // Outside of strings JSON is ASCII.
            other => {
                out.push(char::from(*other));
                at += 1;
            }
        }
    }
}

/// The text of a string, read into `decoded` where it has escapes.
pub(crate) fn meant<'t>(slot: Slot, json: &'t str, decoded: &'t mut String, replaced: &mut u64) -> &'t str {
    if slot.kind == Kind::Escaped {
        decoded.clear();
        unescape(slot.of(json), decoded, replaced);
        decoded
    } else {
        slot.of(json)
    }
}

/// Appends a column name made from a title: lower-case ASCII letters and digits, `_` between words.
pub fn slug(title: &str, out: &mut String) {
    let begin = out.len();
    let mut is_between = false;
    for c in title.to_lowercase().chars() {
        if !c.is_ascii_alphanumeric() {
            is_between = true;
            continue;
        }
        if is_between && out.len() > begin {
            out.push('_');
        }
        is_between = false;
        out.push(c);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn unescaped(inner: &str) -> (String, u64) {
        let (mut out, mut replaced) = (String::new(), 0);
        unescape(inner, &mut out, &mut replaced);
        (out, replaced)
    }

    #[test]
    fn escapes_are_what_serde_json_reads() {
        for inner in [
            "plain",
            "\\\"\\\\\\/\\b\\f\\n\\r\\t",
            "a\\u00e4b",
            "\\ud83d\\ude00!",
            "ä\\u0000",
            "\\u0040",
        ] {
            let expected: String = serde_json::from_str(&format!("\"{inner}\"")).expect("JSON");
            assert_eq!(unescaped(inner), (expected, 0), "{inner}");
        }
    }

    #[test]
    fn halves_of_pairs_are_replaced_and_counted() {
        assert_eq!(unescaped("a\\ud83db"), ("a\u{fffd}b".into(), 1));
        assert_eq!(unescaped("\\ude00"), ("\u{fffd}".into(), 1));
        assert_eq!(unescaped("\\ud83d\\ud83d\\ude00"), ("\u{fffd}😀".into(), 1));
        assert_eq!(unescaped("\\ud83d\\u0041"), ("\u{fffd}A".into(), 1));
    }

    #[test]
    fn quoting_is_serde_jsons() {
        let text = "a\"b\\c\n\r\t\u{1}\u{1f}ä😀/";
        let mut quoted = String::new();
        quote(text, &mut quoted);
        assert_eq!(serde_json::from_str::<String>(&quoted).expect("JSON"), text);
    }

    #[test]
    fn compact_json_loses_its_white_space_alone() {
        let mut out = String::new();
        compact(" { \"a b\" : [ 1.0 , \"x \\\" y\" ] ,\n\t\"c\":1e5 } ", &mut out);
        assert_eq!(out, "{\"a b\":[1.0,\"x \\\" y\"],\"c\":1e5}");
    }

    #[test]
    fn scalars_are_strings_and_numbers_and_nothing_else() {
        let (mut out, mut seen) = (String::new(), Vec::new());
        scalars(
            " { \"a-1\" : [ -1.5e3 , true , null, 20 ] } ",
            &mut out,
            |slot, written, out| {
                seen.push((slot.kind == Kind::Number, written.to_owned()));
                out.push('x');
            },
        );
        assert_eq!(out, "{x:[x,true,null,x]}");
        let seen: Vec<_> = seen
            .iter()
            .map(|(is_number, text)| (*is_number, text.as_str()))
            .collect();
        assert_eq!(seen, [(false, "\"a-1\""), (true, "-1.5e3"), (true, "20")]);
    }

    #[test]
    fn slugs() {
        for (title, expected) in [
            ("Order No. 5", "order_no_5"),
            ("  Ärger -- Größe!", "rger_gr_e"),
            ("***", ""),
            ("a", "a"),
        ] {
            let mut out = "x".to_owned();
            slug(title, &mut out);
            assert_eq!(out, format!("x{expected}"), "{title}");
        }
    }
}
