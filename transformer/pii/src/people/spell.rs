//! How a name is spelt for comparing: words of folded letters without their marks, and hashes of them.

use std::hash::{BuildHasher, RandomState};
use std::sync::LazyLock;

use unicode_normalization::UnicodeNormalization;
use unicode_normalization::char::is_combining_mark;

/// The most words of a name that is looked for.
pub(crate) const LONGEST: usize = 8;

/// A word of a text or a name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Word {
    /// Of its folded letters.
    pub(crate) hash: u64,
    /// Where it stands.
    pub(crate) start: usize,
    pub(crate) end: usize,
    /// Folded letters, or one for each character of a script without spaces.
    pub(crate) letters: u16,
    /// Begins with a capital, or with a letter that has none.
    pub(crate) is_capital: bool,
    /// A character of a script without spaces.
    pub(crate) is_sign: bool,
}

/// Chosen anew by each process, so that nobody can prepare texts whose words meet names by chance.
static SEED: LazyLock<u64> = LazyLock::new(|| RandomState::new().hash_one(0x7a65_6e66_u64));

const PRIME: u64 = 0x9e37_79b9_7f4a_7c15;

/// One step of a hash: every bit of both reaches the upper and the lower half.
#[inline]
fn mix(state: u64, value: u64) -> u64 {
    let product = u128::from(state ^ value) * u128::from(PRIME);
    (product as u64) ^ (product >> 64) as u64
}

/// The hash of a sequence of words.
pub(crate) fn phrase(words: &[Word]) -> u64 {
    words
        .iter()
        .fold(*SEED ^ 1, |state, word| mix(state.rotate_left(7), word.hash))
}

/// The hash of a phrase with one more word.
#[inline]
pub(crate) fn longer(state: u64, word: &Word) -> u64 {
    mix(state.rotate_left(7), word.hash)
}

/// The state that [`longer`] begins with.
#[inline]
pub(crate) fn empty() -> u64 {
    *SEED ^ 1
}

/// The hash of a text as it is.
pub(crate) fn string(text: &str) -> u64 {
    text.bytes()
        .fold(*SEED ^ 2, |state, byte| mix(state.rotate_left(5), u64::from(byte) + 1))
}

/// The hash of a name's normal form, marks and all.
pub(crate) fn exact(normal: &str) -> u64 {
    string(normal) ^ PRIME
}

/// The words of a text.
pub(crate) fn words(text: &str) -> Vec<Word> {
    let mut all = Vec::new();
    each(text, |word| all.push(word));
    all
}

/// Shows the words of a text in order.
#[inline]
pub(crate) fn each(text: &str, mut show: impl FnMut(Word)) {
    let seed = *SEED;
    let bytes = text.as_bytes();
    let mut at = 0;
    while at < bytes.len() {
        let class = CLASSES[usize::from(bytes[at])];
        if class == BREAK {
            at += 1;
            continue;
        }
        // Letters and digits of ASCII, at once.
        let start = at;
        let mut state = seed;
        while at < bytes.len() {
            let folded = CLASSES[usize::from(bytes[at])];
            if folded <= WIDE {
                break;
            }
            state = step(state, u32::from(folded));
            at += 1;
        }
        let letters = at - start;
        if at < bytes.len() && bytes[at] >= 0x80 {
            at = wide(text, start, at, state, letters, &mut show);
        } else {
            show(Word {
                hash: state,
                start,
                end: at,
                letters: u16::try_from(letters).unwrap_or(u16::MAX),
                is_capital: !bytes[start].is_ascii_lowercase(),
                is_sign: false,
            });
        }
    }
}

/// A byte that parts words, and one of a character beyond ASCII; the others are what they fold to.
const BREAK: u8 = 0;
const WIDE: u8 = 1;

const CLASSES: [u8; 256] = {
    let mut classes = [BREAK; 256];
    let mut byte = 0;
    while byte < 256 {
        let own = byte as u8;
        classes[byte] = if own >= 0x80 {
            WIDE
        } else if own.is_ascii_alphanumeric() {
            own.to_ascii_lowercase()
        } else {
            BREAK
        };
        byte += 1;
    }
    classes
};

#[inline]
fn step(state: u64, folded: u32) -> u64 {
    let next = (state ^ u64::from(folded)).wrapping_mul(PRIME);
    next ^ (next >> 29)
}

/// Goes on with a word that has characters beyond ASCII; gives the place after it.
#[cold]
fn wide(
    text: &str,
    start: usize,
    from: usize,
    mut state: u64,
    mut letters: usize,
    show: &mut impl FnMut(Word),
) -> usize {
    let first = text[start..].chars().next();
    let is_capital = first.is_some_and(|c| !c.is_lowercase());
    let mut end = from;
    for c in text[from..].chars() {
        if is_sign(c) || !(c.is_alphanumeric() || is_combining_mark(c)) {
            break;
        }
        fold(c, |folded| {
            state = step(state, u32::from(folded));
            letters += 1;
        });
        end += c.len_utf8();
    }
    if end > start {
        show(Word {
            hash: state,
            start,
            end,
            letters: u16::try_from(letters).unwrap_or(u16::MAX),
            is_capital,
            is_sign: false,
        });
        return end;
    }
    let Some(c) = first else { return text.len() };
    let end = start + c.len_utf8();
    if is_sign(c) {
        let hash = step(*SEED, u32::from(c));
        show(Word {
            hash,
            start,
            end,
            letters: 1,
            is_capital: true,
            is_sign: true,
        });
    }
    end
}

/// A word's letters without case and marks.
pub(crate) fn folded(word: &str) -> String {
    let mut out = String::with_capacity(word.len());
    word.chars()
        .filter(|c| !is_combining_mark(*c))
        .for_each(|c| fold(c, |folded| out.push(folded)));
    out
}

/// Shows a character's letters without case and marks: `Ä` is `a`, `ß` is `ss`, `Ł` is `l`.
fn fold(c: char, mut show: impl FnMut(char)) {
    for c in c.nfkd().filter(|c| !is_combining_mark(*c)) {
        let bare = match c {
            'ł' | 'Ł' => "l",
            'ø' | 'Ø' => "o",
            'đ' | 'Đ' | 'ð' | 'Ð' => "d",
            'æ' | 'Æ' => "ae",
            'œ' | 'Œ' => "oe",
            'þ' | 'Þ' => "th",
            'ı' | 'İ' => "i",
            'ß' | 'ẞ' => "ss",
            _ => {
                c.to_uppercase()
                    .flat_map(char::to_lowercase)
                    .filter(|c| !is_combining_mark(*c))
                    .for_each(&mut show);
                continue;
            }
        };
        bare.chars().for_each(&mut show);
    }
}

/// Characters of scripts that write no spaces between words: each is a word.
fn is_sign(c: char) -> bool {
    matches!(c, '\u{3040}'..='\u{30ff}' | '\u{3400}'..='\u{4dbf}' | '\u{4e00}'..='\u{9fff}' | '\u{f900}'..='\u{faff}'
        | '\u{ac00}'..='\u{d7af}' | '\u{e00}'..='\u{eff}' | '\u{20000}'..='\u{3ffff}')
}

/// What stands between two words.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Gap {
    /// What parts the words of one name: `Ann-Marie O'Neil`, `ann_lee`, a line's end and the mark of quoted mail.
    Within,
    /// The same with a comma: `Lee, Ann`.
    Turned,
    /// Anything else.
    Apart,
}

/// What stands between two words, from the end of one to the beginning of the next.
pub(crate) fn is_gap(text: &str, from: usize, to: usize) -> Gap {
    let between = &text[from..to];
    if between.len() > 6 {
        return Gap::Apart;
    }
    let mut lines = 0;
    let mut has_comma = false;
    for c in between.chars() {
        match c {
            '\n' => lines += 1,
            ',' => has_comma = true,
            ' ' | '\t' | '\r' | '-' | '\'' | '’' | '.' | '_' | '>' | '"' | '“' | '”' | '·' | '・' => {}
            _ => return Gap::Apart,
        }
    }
    match (lines > 1, has_comma) {
        (true, _) => Gap::Apart,
        (false, true) => Gap::Turned,
        (false, false) => Gap::Within,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn same(one: &str, other: &str) {
        assert_eq!(phrase(&words(one)), phrase(&words(other)), "{one}, {other}");
    }

    #[test]
    fn words_that_mean_the_same_are_the_same() {
        same("Ann Lee", "ANN  lee");
        same("Jörg Müller", "jorg muller");
        same("Jo\u{308}rg", "JÖRG");
        same("Łukasz Groß", "lukasz GROSS");
        same("O'Neil-Smith", "o neil smith");
        same("Οδυσσεύς", "ΟΔΥΣΣΕΥΣ");
        assert_ne!(phrase(&words("ann lee")), phrase(&words("lee ann")));
        assert_ne!(phrase(&words("ann lee")), phrase(&words("annlee")));
    }

    #[test]
    fn words_stand_where_they_stand() {
        let text = "Hi, Jörg! 山田 (x)";
        let all: Vec<_> = words(text).iter().map(|word| &text[word.start..word.end]).collect();
        assert_eq!(all, ["Hi", "Jörg", "山", "田", "x"]);
        assert!(words("").is_empty() && words("…!? ").is_empty());
        assert_eq!(words("a\u{301}b é").len(), 2);
    }

    #[test]
    fn gaps() {
        for (text, expected) in [
            (" ", Gap::Within),
            ("-", Gap::Within),
            ("\n> ", Gap::Within),
            (", ", Gap::Turned),
            (" (", Gap::Apart),
            ("\n\n", Gap::Apart),
            ("         ", Gap::Apart),
        ] {
            assert_eq!(is_gap(text, 0, text.len()), expected, "{text:?}");
        }
    }
}
