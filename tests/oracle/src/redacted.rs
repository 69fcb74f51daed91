//! Tells whether a text is another one with spans replaced by placeholders, and nothing else.

use serde_json::Value;

/// Claims that `found` is `original` where some spans were replaced by `[class:token]` or `[class]`.
///
/// What stands between the placeholders must stand in the original, in the same order, the first and the
/// last piece at its ends. What was replaced is not judged here: a scan for clear text does.
pub fn is_redaction_of(found: &str, original: &str) -> bool {
    let pieces = literals(found);
    let (first, rest) = pieces.split_first().expect("a text has one piece at least");
    let Some(mut left) = original.strip_prefix(first.as_str()) else {
        return false;
    };
    let Some((last, middle)) = rest.split_last() else {
        return left.is_empty();
    };
    for piece in middle {
        let Some(at) = left.find(piece.as_str()) else {
            return false;
        };
        left = &left[at + piece.len()..];
    }
    left.ends_with(last.as_str()) && left.len() >= last.len()
}

/// The same for the strings of JSON values; everything else must be equal.
pub fn is_redaction_of_json(found: &Value, original: &Value) -> bool {
    match (found, original) {
        (Value::String(found), Value::String(original)) => is_redaction_of(found, &original.replace('\0', "\u{fffd}")),
        (Value::Array(found), Value::Array(original)) => {
            found.len() == original.len()
                && found
                    .iter()
                    .zip(original)
                    .all(|(found, original)| is_redaction_of_json(found, original))
        }
        (Value::Object(found), Value::Object(original)) => {
            found.len() == original.len()
                && found
                    .iter()
                    .zip(original)
                    .all(|((name, found), (held, original))| name == held && is_redaction_of_json(found, original))
        }
        // A number whose digits are somebody's becomes a text.
        (Value::String(found), Value::Number(original)) => is_redaction_of(found, &original.to_string()),
        (found, original) => found == original,
    }
}

/// The pieces of a text between its placeholders.
fn literals(text: &str) -> Vec<String> {
    let mut pieces = vec![String::new()];
    let mut rest = text;
    while let Some(open) = rest.find('[') {
        let piece = pieces.last_mut().expect("begun with one");
        piece.push_str(&rest[..open]);
        match placeholder(&rest[open..]) {
            Some(length) => {
                pieces.push(String::new());
                rest = &rest[open + length..];
            }
            None => {
                piece.push('[');
                rest = &rest[open + 1..];
            }
        }
    }
    pieces.last_mut().expect("begun with one").push_str(rest);
    pieces
}

/// The length of the placeholder that `text` begins with: `[email:k1_…]` or `[card]`.
fn placeholder(text: &str) -> Option<usize> {
    let close = text.find(']')?;
    let inner = &text[1..close];
    let (class, token) = inner
        .split_once(':')
        .map_or((inner, None), |(class, token)| (class, Some(token)));
    let is_class = !class.is_empty() && class.chars().all(|c| c.is_ascii_lowercase() || c == '_');
    let is_token = token.is_none_or(|token| {
        token.split_once('_').is_some_and(|(version, body)| {
            version.len() > 1
                && version.starts_with('k')
                && version[1..].chars().all(|c| c.is_ascii_digit())
                && body.len() == 26
                && body.chars().all(|c| c.is_ascii_lowercase() || ('2'..='7').contains(&c))
        })
    });
    (is_class && is_token).then_some(close + 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    const TOKEN: &str = "[email:k1_abcdefghijklmnopqrstuvwxyz]";

    #[test]
    fn only_replaced_spans_may_differ() {
        let yes = |found: &str, original: &str| assert!(is_redaction_of(found, original), "{found}");
        let no = |found: &str, original: &str| assert!(!is_redaction_of(found, original), "{found}");
        yes("hello", "hello");
        yes("", "");
        yes(&format!("to {TOKEN}, thanks"), "to ann@example.com, thanks");
        yes(&format!("{TOKEN}{TOKEN}"), "a@b.c d@e.f");
        yes("card [card] used", "card 4111111111111111 used");
        yes("[not a placeholder] stays", "[not a placeholder] stays");
        no("hello", "hello!");
        no("ello", "hello");
        no(&format!("to {TOKEN}"), "from ann@example.com");
        no(&format!("to {TOKEN} thanks!"), "to ann@example.com thanks");
        no("[not a placeholder]", "something else");
    }

    #[test]
    fn json_may_differ_in_its_strings_alone() {
        let json = |text: &str| serde_json::from_str::<Value>(text).expect("JSON");
        let original = json(r#"{"a":["x ann@example.com",1],"b":null}"#);
        assert!(is_redaction_of_json(
            &json(&format!(r#"{{"a":["x {TOKEN}",1],"b":null}}"#)),
            &original
        ));
        assert!(!is_redaction_of_json(
            &json(&format!(r#"{{"a":["x {TOKEN}",2],"b":null}}"#)),
            &original
        ));
        assert!(!is_redaction_of_json(&json(r#"{"a":[],"b":null}"#), &original));
    }
}
