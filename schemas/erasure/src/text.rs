use std::ops::Range;

use crate::Erased;

/// What stands in a text in the place of what was erased.
pub const ERASED: &str = "[erased]";

/// Characters of a token after its version.
const TOKEN: usize = 26;

/// What becomes of a text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Cleaned {
    /// It holds nothing that is erased.
    Same,
    /// It is a token that is erased, and nothing else.
    Null,
    /// The same without what is erased.
    Text(String),
}

/// Takes the tokens of erased people out of a text, and with each the placeholder that it stands in.
pub fn clean(text: &str, erased: &Erased) -> Cleaned {
    let mut out = String::new();
    let mut copied = 0;
    for token in tokens(text) {
        if token.start < copied || !erased.is_token(&text[token.clone()]) {
            continue;
        }
        if token == (0..text.len()) {
            return Cleaned::Null;
        }
        let placeholder = placeholder(text, token);
        out.push_str(&text[copied..placeholder.start]);
        out.push_str(ERASED);
        copied = placeholder.end;
    }
    if copied == 0 {
        return Cleaned::Same;
    }
    out.push_str(&text[copied..]);
    Cleaned::Text(out)
}

/// Where tokens stand: `k`, a version, `_`, 26 letters of base32.
fn tokens(text: &str) -> impl Iterator<Item = Range<usize>> {
    let bytes = text.as_bytes();
    memchr::memchr_iter(b'_', bytes).filter_map(move |mark| {
        let digits = bytes[..mark]
            .iter()
            .rev()
            .take(5)
            .take_while(|byte| byte.is_ascii_digit())
            .count();
        let start = (mark - digits)
            .checked_sub(1)
            .filter(|start| digits > 0 && bytes[*start] == b'k')?;
        let end = mark + 1 + TOKEN;
        let is_base32 = |byte: &u8| byte.is_ascii_lowercase() || (b'2'..=b'7').contains(byte);
        bytes.get(mark + 1..end)?.iter().all(is_base32).then_some(start..end)
    })
}

/// `[class:token]` around a token, or the token alone.
fn placeholder(text: &str, token: Range<usize>) -> Range<usize> {
    let is_class = |byte: &u8| byte.is_ascii_lowercase() || *byte == b'_';
    let before = text.as_bytes()[..token.start].strip_suffix(b":");
    let class = before.map_or(0, |before| {
        before.iter().rev().take(24).take_while(|byte| is_class(byte)).count()
    });
    let bracket = (token.start).checked_sub(class + 2);
    match bracket {
        Some(start) if class > 0 && text.as_bytes()[start] == b'[' && text[token.end..].starts_with(']') => {
            start..token.end + 1
        }
        _ => token,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Asker, Entry, EntryToken, Subject};

    const ANN: &str = "k1_7mgt2av3r4kjfcliq422vwr4wh";
    const NEXT: &str = "k12_w7nul4r4e5mxdj554e4ukyikkv";
    const BOB: &str = "k1_aaaaaaaaaaaaaaaaaaaaaaaaaa";

    fn erased() -> Erased {
        let token = |token: &str| EntryToken {
            class: "email".into(),
            token: token.into(),
        };
        let mut erased = Erased::new();
        let entry = Entry {
            tokens: vec![token(ANN), token(NEXT)],
            ..Entry::asked(Asker::Command, 0)
        };
        erased.take(Subject::Person(7), entry);
        erased
    }

    #[track_caller]
    fn check(text: &str, expected: Option<&str>) {
        let expected = expected.map_or(Cleaned::Same, |text| Cleaned::Text(text.to_owned()));
        assert_eq!(clean(text, &erased()), expected, "{text}");
    }

    #[test]
    fn tokens_of_the_erased_leave_and_others_stay() {
        assert_eq!(clean(ANN, &erased()), Cleaned::Null);
        assert_eq!(clean(BOB, &erased()), Cleaned::Same);
        check(
            &format!("to [email:{ANN}], [email:{BOB}]"),
            Some(&format!("to [erased], [email:{BOB}]")),
        );
        check(&format!("[phone_raw:{NEXT}]"), Some("[erased]"));
        check(
            &format!(r#"{{"a":"{ANN}","b":["{NEXT}"]}}"#),
            Some(r#"{"a":"[erased]","b":["[erased]"]}"#),
        );
        check(&format!("[email:{ANN}"), Some("[email:[erased]"));
        check(&format!("ä[:{ANN}]"), Some("ä[:[erased]]"));
    }

    #[test]
    fn texts_without_tokens_stay() {
        for text in [
            "",
            "_",
            "k_",
            "k1_",
            "k1_short",
            "a_b_c",
            "kk1_7mgt2av3r4kjfcliq422vwr4w",
            "ä_ö",
        ] {
            check(text, None);
        }
    }

    #[test]
    fn a_second_time_changes_nothing() {
        let Cleaned::Text(once) = clean(&format!("x [email:{ANN}] y"), &erased()) else {
            panic!("it held a token")
        };
        check(&once, None);
    }
}
