//! Finds the values of a JSON text without building anything and without judging what stands in them.
//!
//! A page's structure is read strictly enough to notice a cut or foreign text; what stands inside a
//! record may be anything that keeps its brackets and quotes, because a broken record must reach the
//! dead topic instead of stopping its collection.

use std::ops::Range;

/// The text is not JSON of the expected shape, or it ends too early.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("no JSON value at byte {at}")]
pub(crate) struct NotJson {
    pub(crate) at: usize,
}

/// Strings shorter than this are looked through byte by byte: calling a vector search costs more.
const SHORT: usize = 24;

fn byte(text: &[u8], at: usize) -> Result<u8, NotJson> {
    text.get(at).copied().ok_or(NotJson { at })
}

fn expect(text: &[u8], at: usize, wanted: u8) -> Result<usize, NotJson> {
    if byte(text, at)? == wanted {
        Ok(at + 1)
    } else {
        Err(NotJson { at })
    }
}

/// The first byte from `at` on that is no white space.
pub(crate) fn skip_space(text: &[u8], mut at: usize) -> usize {
    while text
        .get(at)
        .is_some_and(|byte| matches!(byte, b' ' | b'\n' | b'\r' | b'\t'))
    {
        at += 1;
    }
    at
}

/// The place after the string that begins at `at`.
fn skip_string(text: &[u8], at: usize) -> Result<usize, NotJson> {
    let mut next = expect(text, at, b'"')?;
    loop {
        let rest = text.get(next..).ok_or(NotJson { at: next })?;
        let head = &rest[..rest.len().min(SHORT)];
        let found = match head.iter().position(|byte| matches!(byte, b'"' | b'\\')) {
            Some(found) => found,
            None => head.len() + memchr::memchr2(b'"', b'\\', &rest[head.len()..]).ok_or(NotJson { at })?,
        };
        match rest[found] {
            b'"' => return Ok(next + found + 1),
            _ => next += found + 2,
        }
    }
}

/// The place after the value that begins at `at`.
pub(crate) fn skip_value(text: &[u8], at: usize) -> Result<usize, NotJson> {
    match byte(text, at)? {
        b'"' => skip_string(text, at),
        b'{' | b'[' => skip_container(text, at),
        b',' | b':' | b'}' | b']' => Err(NotJson { at }),
        _ => {
            let ends = |byte: &u8| matches!(byte, b',' | b'}' | b']' | b' ' | b'\n' | b'\r' | b'\t');
            Ok(text[at..]
                .iter()
                .position(ends)
                .map_or(text.len(), |length| at + length))
        }
    }
}

fn skip_container(text: &[u8], at: usize) -> Result<usize, NotJson> {
    let mut depth = 0_usize;
    let mut next = at;
    loop {
        match byte(text, next)? {
            b'"' => {
                next = skip_string(text, next)?;
                continue;
            }
            b'{' | b'[' => depth += 1,
            b'}' | b']' => depth -= 1,
            _ => {}
        }
        next += 1;
        if depth == 0 {
            return Ok(next);
        }
    }
}

/// Walks the entries of the object at `at`: `visit` gets each key (without quotes) and the place of its
/// value, and returns the place after the value, or `None` to stop the walk.
///
/// Returns the place after the object, or where the walk was stopped.
pub(crate) fn walk_object(
    text: &[u8],
    at: usize,
    mut visit: impl FnMut(&[u8], usize) -> Result<Option<usize>, NotJson>,
) -> Result<usize, NotJson> {
    let mut next = skip_space(text, expect(text, at, b'{')?);
    if byte(text, next)? == b'}' {
        return Ok(next + 1);
    }
    loop {
        let key_end = skip_string(text, next)?;
        let key = &text[next + 1..key_end - 1];
        let value = skip_space(text, expect(text, skip_space(text, key_end), b':')?);
        let Some(value_end) = visit(key, value)? else {
            return Ok(value);
        };
        next = skip_space(text, value_end);
        match byte(text, next)? {
            b',' => next = skip_space(text, next + 1),
            b'}' => return Ok(next + 1),
            _ => return Err(NotJson { at: next }),
        }
    }
}

/// Adds the places of the elements of the array at `at` to `elements`; returns the place after the array.
pub(crate) fn elements(text: &[u8], at: usize, elements: &mut Vec<Range<usize>>) -> Result<usize, NotJson> {
    let mut next = skip_space(text, expect(text, at, b'[')?);
    if byte(text, next)? == b']' {
        return Ok(next + 1);
    }
    loop {
        let end = skip_value(text, next)?;
        elements.push(next..end);
        next = skip_space(text, end);
        match byte(text, next)? {
            b',' => next = skip_space(text, next + 1),
            b']' => return Ok(next + 1),
            _ => return Err(NotJson { at: next }),
        }
    }
}

/// The bytes of the value under `keys`, each step an object's key; `None` where there is none.
pub(crate) fn find<'t, 'k>(record: &'t [u8], keys: impl IntoIterator<Item = &'k str>) -> Option<&'t [u8]> {
    let mut at = skip_space(record, 0);
    for key in keys {
        let mut found = None;
        walk_object(record, at, |held, value| {
            if held == key.as_bytes() {
                found = Some(value);
                return Ok(None);
            }
            skip_value(record, value).map(Some)
        })
        .ok()?;
        at = found?;
    }
    let end = skip_value(record, at).ok()?;
    Some(&record[at..end])
}

/// The text of a string, number or truth value; `None` for null, objects and arrays.
pub(crate) fn text_of(value: &[u8]) -> Option<String> {
    match value.first()? {
        b'"' if !value.contains(&b'\\') => String::from_utf8(value[1..value.len() - 1].to_vec()).ok(),
        b'"' => serde_json::from_slice(value).ok(),
        b'{' | b'[' => None,
        _ if value == b"null" => None,
        _ => String::from_utf8(value.to_vec()).ok(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_skipped_whole() {
        for value in [
            "1",
            "-1.5e3",
            "true",
            "null",
            "\"\"",
            "\"a\\\"b\"",
            "\"\\\\\"",
            "{}",
            "[]",
            "[[[]]]",
            "{\"a\":{\"b\":[1,2,{\"c\":\"]}\"}]}}",
            "\"a string that is longer than the short ones, with \\\" in it\"",
        ] {
            let text = format!("{value} ,");
            assert_eq!(skip_value(text.as_bytes(), 0), Ok(value.len()), "{value}");
        }
    }

    #[test]
    fn every_cut_is_noticed() {
        let text = br#"{"rows":[{"a":"x\"y"},{"b":[1,2]}],"more":false}"#;
        let walk = |text: &[u8]| {
            walk_object(text, 0, |key, value| {
                if key == b"rows" {
                    elements(text, value, &mut Vec::new()).map(Some)
                } else {
                    skip_value(text, value).map(Some)
                }
            })
        };
        assert_eq!(walk(text), Ok(text.len()));
        for cut in 0..text.len() {
            assert!(walk(&text[..cut]).is_err(), "cut at {cut}");
        }
    }

    #[test]
    fn values_are_found_by_their_path() {
        let record = br#" {"a":{"id":1},"id":42,"s":"x\u0041","n":null,"user":{"id":7},"bad":"\xff"}"#;
        let text = |keys: &[&str]| find(record, keys.iter().copied()).and_then(text_of);
        assert_eq!(text(&["id"]).as_deref(), Some("42"));
        assert_eq!(text(&["user", "id"]).as_deref(), Some("7"));
        assert_eq!(text(&["s"]).as_deref(), Some("xA"));
        assert_eq!(text(&["n"]), None);
        assert_eq!(text(&["a"]), None);
        assert_eq!(text(&["missing"]), None);
        assert_eq!(text(&["id", "id"]), None);
    }
}
