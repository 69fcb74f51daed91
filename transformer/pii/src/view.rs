//! A text as it is meant: entities, look-alikes and what is not seen resolved, every place traceable.
//!
//! Invariant: a range of the view maps to a range of the text that holds everything the view's range
//! was made from, at character boundaries.

use std::borrow::Cow;
use std::ops::Range;

use crate::fold;

/// A view and the way back to the text.
#[derive(Debug)]
pub(crate) struct View<'t> {
    pub(crate) text: Cow<'t, str>,
    /// Where pieces of the view begin, and where in the text; empty where view and text are one.
    pieces: Vec<Piece>,
    length: usize,
}

/// From `view` on, up to the next piece, the view is a copy of the text from `text` on, or (`is_copy` false)
/// stands for the whole of the text up to the next piece.
#[derive(Debug, Clone, Copy)]
struct Piece {
    view: usize,
    text: usize,
    is_copy: bool,
}

/// What a view resolves.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Tags {
    /// Tags stay: addresses stand in their attributes.
    Kept,
    /// Tags within a line are left out, others end it: `a<b>nn</b>@example.com`.
    Removed,
}

impl<'t> View<'t> {
    /// A view of a text; the text itself where there is nothing to resolve.
    pub(crate) fn of(text: &'t str, tags: Tags) -> Self {
        let mut view = Self {
            text: Cow::Borrowed(text),
            pieces: Vec::new(),
            length: text.len(),
        };
        if needs_none(text, tags) {
            return view;
        }
        let mut builder = Builder {
            text,
            made: String::new(),
            pieces: Vec::new(),
            copied: 0,
        };
        builder.build(tags);
        if !builder.pieces.is_empty() {
            builder.copy(text.len());
            view.text = Cow::Owned(builder.made);
            view.pieces = builder.pieces;
        }
        view
    }

    /// The range of the text that a range of the view was made from.
    pub(crate) fn back(&self, range: Range<usize>) -> Range<usize> {
        if self.pieces.is_empty() {
            return range;
        }
        let start = self.piece(range.start);
        let begin = if start.0.is_copy {
            start.0.text + (range.start - start.0.view)
        } else {
            start.0.text
        };
        if range.is_empty() {
            return begin..begin;
        }
        let (last, next) = self.piece(range.end - 1);
        let end = if last.is_copy {
            last.text + (range.end - last.view)
        } else {
            next
        };
        begin..end
    }

    /// The piece that holds a byte of the view, and where the next one begins in the text.
    fn piece(&self, place: usize) -> (Piece, usize) {
        let after = self.pieces.partition_point(|piece| piece.view <= place);
        let next = self.pieces.get(after).map_or(self.length, |piece| piece.text);
        (self.pieces[after.saturating_sub(1)], next)
    }
}

fn needs_none(text: &str, tags: Tags) -> bool {
    let bytes = text.as_bytes();
    let is_marked =
        memchr::memchr3(b'&', b'%', b'\\', bytes).is_some() || (tags == Tags::Removed && bytes.contains(&b'<'));
    !is_marked && text.is_ascii()
}

struct Builder<'t> {
    text: &'t str,
    made: String,
    pieces: Vec<Piece>,
    /// Up to where the text has been taken over.
    copied: usize,
}

impl Builder<'_> {
    fn build(&mut self, tags: Tags) {
        let text = self.text;
        let mut at = 0;
        while let Some(c) = text[at..].chars().next() {
            let found = match c {
                '&' => entity(&text[at..]),
                '%' => percent(&text[at..]),
                '\\' => escape(&text[at..]),
                '<' if tags == Tags::Removed => tag(&text[at..]),
                c if c.is_ascii() => None,
                c => look_alike(c).map(|meant| (meant, c.len_utf8())),
            };
            match found {
                Some((meant, length)) => {
                    self.replace(at, meant, length);
                    at += length;
                }
                None => at += c.len_utf8(),
            }
        }
    }

    /// Takes the text over up to `end`.
    fn copy(&mut self, end: usize) {
        if end > self.copied {
            self.pieces.push(Piece {
                view: self.made.len(),
                text: self.copied,
                is_copy: true,
            });
            self.made.push_str(&self.text[self.copied..end]);
            self.copied = end;
        }
    }

    /// Puts `meant` (or nothing) in the place of `length` bytes.
    fn replace(&mut self, at: usize, meant: Option<char>, length: usize) {
        self.copy(at);
        self.pieces.push(Piece {
            view: self.made.len(),
            text: at,
            is_copy: false,
        });
        self.made.extend(meant);
        self.copied = at + length;
    }
}

/// What stands for a character (`None`: for nothing), and the bytes that it takes.
type Meant = Option<(Option<char>, usize)>;

/// An HTML entity, `&amp;` before it resolved as often as it was escaped.
fn entity(text: &str) -> Meant {
    let mut rest = &text[1..];
    while let Some(inner) = rest.strip_prefix("amp;") {
        rest = inner;
    }
    let before = text.len() - rest.len();
    let end = rest.bytes().take(12).position(|byte| byte == b';');
    let known = end.and_then(|end| Some((named(&rest[..end])?, end + 1)));
    match known {
        Some((c, length)) => Some((look_alike(c).unwrap_or(Some(c)), before + length)),
        None if before > 1 => Some((Some('&'), before)),
        None => None,
    }
}

fn named(name: &str) -> Option<char> {
    if let Some(number) = name.strip_prefix('#') {
        let code = match number.strip_prefix(['x', 'X']) {
            Some(hex) => u32::from_str_radix(hex, 16).ok()?,
            None => number.parse().ok()?,
        };
        return char::from_u32(code);
    }
    Some(match name {
        "lt" => '<',
        "gt" => '>',
        "quot" => '"',
        "apos" => '\'',
        "nbsp" | "ensp" | "emsp" | "thinsp" => ' ',
        "commat" => '@',
        "period" => '.',
        "plus" => '+',
        "hyphen" | "dash" | "ndash" | "mdash" | "minus" => '-',
        "lowbar" => '_',
        "colon" => ':',
        "sol" => '/',
        "lpar" => '(',
        "rpar" => ')',
        "shy" | "zwj" | "zwnj" | "lrm" | "rlm" => '\u{ad}',
        _ => return None,
    })
}

/// `%40` and the like of addresses in addresses.
fn percent(text: &str) -> Meant {
    let meant = match text.get(1..3)? {
        "40" => '@',
        "2E" | "2e" => '.',
        "2B" | "2b" => '+',
        "20" => ' ',
        _ => return None,
    };
    Some((Some(meant), 3))
}

/// `\u0040` of JSON within a text, its `\n`, `\/` and `\"`.
fn escape(text: &str) -> Meant {
    if let Some(hex) = text.strip_prefix("\\u").and_then(|rest| rest.get(..4)) {
        let c = char::from_u32(u32::from_str_radix(hex, 16).ok()?)?;
        return Some((look_alike(c).unwrap_or(Some(c)), 6));
    }
    match text.as_bytes().get(1)? {
        b'n' | b'r' | b't' => Some((Some(' '), 2)),
        b'/' => Some((Some('/'), 2)),
        b'"' => Some((Some('"'), 2)),
        _ => None,
    }
}

/// Bytes in which a tag ends, if it is one: signs of comparison are many, and the way to the text's end is long.
const LONGEST_TAG: usize = 4_096;

/// A tag or comment: nothing where it is within a line, a line's end otherwise.
fn tag(text: &str) -> Meant {
    let inner = text[1..].strip_prefix('/').unwrap_or(&text[1..]);
    if !inner.starts_with(|c: char| c.is_ascii_alphabetic() || c == '!') {
        return None;
    }
    let near = &text.as_bytes()[..text.len().min(LONGEST_TAG)];
    let length = memchr::memchr(b'>', near)? + 1;
    let name = inner
        .split(|c: char| !c.is_ascii_alphanumeric())
        .next()
        .unwrap_or_default();
    let within = [
        "b", "i", "u", "em", "strong", "span", "a", "font", "small", "big", "wbr", "mark", "s", "code", "sub", "sup",
        "",
    ];
    let is_within = within.iter().any(|held| held.eq_ignore_ascii_case(name));
    Some((if is_within { None } else { Some('\n') }, length))
}

/// The character that another one is read as; `Some(None)` for what is not seen.
fn look_alike(c: char) -> Option<Option<char>> {
    Some(match c {
        '\u{a0}' | '\u{2000}'..='\u{200a}' | '\u{202f}' | '\u{205f}' | '\u{3000}' => Some(' '),
        '\u{2010}'..='\u{2015}' | '\u{2212}' | '\u{fe63}' | '\u{ff0d}' => Some('-'),
        '\u{3002}' | '\u{ff61}' | '\u{2024}' => Some('.'),
        '\u{fe6b}' => Some('@'),
        '\u{ff01}'..='\u{ff5e}' => char::from_u32(u32::from(c) - 0xfee0),
        '\u{660}'..='\u{669}' => char::from_u32(u32::from(c) - 0x660 + 0x30),
        '\u{6f0}'..='\u{6f9}' => char::from_u32(u32::from(c) - 0x6f0 + 0x30),
        c if fold::is_invisible(c) => None,
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(text: &str, tags: Tags, expected: &str) {
        let view = View::of(text, tags);
        assert_eq!(view.text, expected);
        // Every part of the view goes back to characters of the text, in order and without a gap.
        let mut end = 0;
        for (place, c) in view.text.char_indices() {
            let back = view.back(place..place + c.len_utf8());
            assert!(
                back.start >= end && text.is_char_boundary(back.start) && text.is_char_boundary(back.end),
                "{back:?}"
            );
            end = back.end;
        }
        let whole = view.back(0..view.text.len());
        assert!(whole.end <= text.len());
    }

    #[test]
    fn what_is_escaped_is_resolved() {
        check("plain", Tags::Kept, "plain");
        check(
            "a&#64;b&amp;c&nbsp;d &unknown; & e",
            Tags::Kept,
            "a@b&c d &unknown; & e",
        );
        check("&amp;amp;#x40;&amp;", Tags::Kept, "@&");
        check("a%40b%2Ecom 100% %zz", Tags::Kept, "a@b.com 100% %zz");
        check("a\\u0040b\\nc\\x", Tags::Kept, "a@b c\\x");
        check("ａ＠ｂ。ｃ ä\u{200d}b–c", Tags::Kept, "a@b.c äb-c");
        check("٠١٢", Tags::Kept, "012");
        check("&", Tags::Kept, "&");
        check("&#xffffffff; &#0; \\ud800", Tags::Kept, "&#xffffffff; \0 \\ud800");
    }

    #[test]
    fn tags_go_where_asked() {
        check("a<b>n</b>n", Tags::Kept, "a<b>n</b>n");
        check(
            "a<b class='x'>n</b>n<br/>x<td>1</TD>2 < 3 <",
            Tags::Removed,
            "ann\nx\n1\n2 < 3 <",
        );
        check("<!-- x -->y", Tags::Removed, "y");
    }

    #[test]
    fn a_range_goes_back_to_all_that_it_was_made_from() {
        let text = "to: ann&amp;#64;example.com!";
        let view = View::of(text, Tags::Kept);
        let start = view.text.find("ann").expect("there");
        let back = view.back(start..start + "ann@example.com".len());
        assert_eq!(&text[back], "ann&amp;#64;example.com");
        let text = "x a\u{200d}<b>nn</b>@b.com";
        let view = View::of(text, Tags::Removed);
        let start = view.text.find("ann@b.com").expect("there");
        assert_eq!(&text[view.back(start..view.text.len())], "a\u{200d}<b>nn</b>@b.com");
    }
}
