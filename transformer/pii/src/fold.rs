//! Texts that mean the same made the same.

use unicode_normalization::UnicodeNormalization;

/// Appends NFKC in lower case, without what is not seen, trimmed.
pub(crate) fn lower(text: &str, out: &mut String) {
    let text = text.trim();
    if text.is_ascii() {
        out.extend(text.bytes().map(|byte| char::from(byte.to_ascii_lowercase())));
        return;
    }
    let begin = out.len();
    let lowered = text.nfkc().filter(|c| !is_invisible(*c)).flat_map(char::to_lowercase);
    out.extend(lowered.nfkc());
    trim(out, begin);
}

/// Appends NFKC, trimmed.
pub(crate) fn plain(text: &str, out: &mut String) {
    let text = text.trim();
    if text.is_ascii() {
        out.push_str(text);
        return;
    }
    let begin = out.len();
    out.extend(text.nfkc().filter(|c| !is_invisible(*c)));
    trim(out, begin);
}

/// Appends NFKC, case folded, white space collapsed: `Straße` and `STRASSE` are one.
///
/// Folding is the lower case of the upper case, character by character, so that no letter depends on
/// its place in the word.
pub(crate) fn name(text: &str, out: &mut String) {
    let begin = out.len();
    if text.is_ascii() {
        let mut between = "";
        for word in text.split_ascii_whitespace() {
            out.push_str(between);
            out.extend(word.bytes().map(|byte| char::from(byte.to_ascii_lowercase())));
            between = " ";
        }
        return;
    }
    let folded = text
        .nfkc()
        .filter(|c| !is_invisible(*c))
        .flat_map(char::to_uppercase)
        .flat_map(char::to_lowercase)
        .nfkc();
    let mut is_between = false;
    for c in folded {
        if c.is_whitespace() {
            is_between = out.len() > begin;
        } else {
            if is_between {
                out.push(' ');
            }
            is_between = false;
            out.push(c);
        }
    }
}

fn trim(out: &mut String, begin: usize) {
    out.truncate(begin + out[begin..].trim_end().len());
    let leading = out[begin..].len() - out[begin..].trim_start().len();
    out.drain(begin..begin + leading);
}

/// Claims that a character shows nothing: joiners, marks of direction, soft hyphens, byte order marks.
pub(crate) fn is_invisible(c: char) -> bool {
    matches!(
        c,
        '\u{ad}' | '\u{34f}' | '\u{61c}' | '\u{180e}' | '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{206f}'
            | '\u{fe00}'..='\u{fe0f}' | '\u{feff}'
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(fold: fn(&str, &mut String), text: &str, expected: &str) {
        let mut out = "x".to_owned();
        fold(text, &mut out);
        assert_eq!(out, format!("x{expected}"), "{text}");
    }

    #[test]
    fn names_of_one_person_are_one() {
        for text in [
            "Straße  Groß",
            "STRASSE GROSS",
            " strasse\u{a0}groß\t",
            "ＳＴＲＡＳＳＥ ＧＲＯＳＳ",
            "Stra\u{ad}ße Gro\u{200b}ß",
        ] {
            check(name, text, "strasse gross");
        }
        check(name, "ΟΔΥΣΣΕΥΣ", "οδυσσευσ");
        check(name, "Οδυσσεύς", "οδυσσεύσ");
        check(name, "A\u{308}nne", "änne");
        check(name, "  ", "");
        check(name, "\u{200b}", "");
        check(name, "Ann  Lee ", "ann lee");
    }

    #[test]
    fn others_keep_their_spaces_and_some_their_case() {
        check(lower, " Ann@Example.COM ", "ann@example.com");
        check(lower, "Ann＠Example.com\u{200b}", "ann@example.com");
        check(lower, "ÄB", "äb");
        check(plain, " Ab C\u{a0}", "Ab C");
        check(plain, "\u{fb01}X", "fiX");
        check(plain, "\u{feff}", "");
    }
}
