//! Reads JSON text without building anything: where values stand and what they are.
//!
//! Invariant: what it has passed over is JSON (RFC 8259), skipped containers included.

/// The deepest nesting of containers that is read; the limit of `serde_json`.
const DEEPEST: u32 = 127;

/// What a value is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// There is none.
    Absent,
    Null,
    False,
    True,
    Number,
    /// A string without escapes.
    Text,
    /// A string with escapes.
    Escaped,
    Object,
    Array,
}

impl Kind {
    /// The name for people.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Absent => "nothing",
            Self::Null => "null",
            Self::False | Self::True => "a truth value",
            Self::Number => "a number",
            Self::Text | Self::Escaped => "a text",
            Self::Object => "an object",
            Self::Array => "an array",
        }
    }
}

/// A value: what it is, and where it stands; of a string the part between the quotes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Slot {
    pub(crate) kind: Kind,
    pub(crate) start: u32,
    pub(crate) end: u32,
}

impl Slot {
    pub(crate) const ABSENT: Self = Self {
        kind: Kind::Absent,
        start: 0,
        end: 0,
    };

    /// Claims that there is neither a value nor a null.
    pub(crate) fn is_nothing(self) -> bool {
        matches!(self.kind, Kind::Absent | Kind::Null)
    }

    /// Claims that it is an array without elements.
    pub(crate) fn is_empty_array(self, json: &str) -> bool {
        self.kind == Kind::Array && json[self.start as usize + 1..self.end as usize - 1].trim().is_empty()
    }

    pub(crate) fn is_text(self) -> bool {
        matches!(self.kind, Kind::Text | Kind::Escaped)
    }

    /// The bytes of the value, of a string between the quotes.
    pub(crate) fn of(self, json: &str) -> &str {
        &json[self.start as usize..self.end as usize]
    }

    /// The bytes of the value, of a string with its quotes.
    pub(crate) fn whole(self, json: &str) -> &str {
        let quotes = usize::from(self.is_text());
        &json[self.start as usize - quotes..self.end as usize + quotes]
    }
}

/// Why a text is not read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum NotJson {
    /// It is not JSON at this byte.
    Syntax(usize),
    /// It is nested too deeply.
    Deep,
}

/// A place in a JSON text of less than 4 GiB.
#[derive(Debug, Clone)]
pub(crate) struct Scanner<'j> {
    bytes: &'j [u8],
    at: usize,
    /// The last container of [`WORTH_NOTING`] bytes or more that was passed: where it begins and ends.
    passed: (usize, usize),
}

/// Bytes of a container from which on comparing it with the next one is worth while.
const WORTH_NOTING: usize = 64;

type Scanned<T> = Result<T, NotJson>;

impl<'j> Scanner<'j> {
    /// Contract: `at` is within the text, and the text is shorter than 4 GiB.
    pub(crate) fn new(json: &'j str, at: usize) -> Self {
        Self {
            bytes: json.as_bytes(),
            at,
            passed: (0, 0),
        }
    }

    pub(crate) fn at(&self) -> usize {
        self.at
    }

    #[cold]
    fn syntax<T>(&self) -> Scanned<T> {
        Err(NotJson::Syntax(self.at))
    }

    /// Passes white space and shows the next byte.
    #[inline]
    pub(crate) fn peek(&mut self) -> Scanned<u8> {
        loop {
            match self.bytes.get(self.at) {
                Some(b' ' | b'\n' | b'\r' | b'\t') => self.at += 1,
                Some(byte) => return Ok(*byte),
                None => return self.syntax(),
            }
        }
    }

    /// Passes white space and this byte.
    #[inline]
    pub(crate) fn expect(&mut self, byte: u8) -> Scanned<()> {
        if self.peek()? != byte {
            return self.syntax();
        }
        self.at += 1;
        Ok(())
    }

    /// Passes white space to the end of the text.
    pub(crate) fn end(&mut self) -> Scanned<()> {
        match self.peek() {
            Ok(_) => self.syntax(),
            Err(_) => Ok(()),
        }
    }

    /// Enters a container of which the opening byte is next; `false` where it is empty, and passed.
    #[inline]
    pub(crate) fn enter(&mut self, close: u8) -> Scanned<bool> {
        self.at += 1;
        if self.peek()? == close {
            self.at += 1;
            return Ok(false);
        }
        Ok(true)
    }

    /// After a member: `true` where another follows, `false` where the container is closed, and passed.
    #[inline]
    pub(crate) fn more(&mut self, close: u8) -> Scanned<bool> {
        let byte = self.peek()?;
        if byte != b',' && byte != close {
            return self.syntax();
        }
        self.at += 1;
        Ok(byte == b',')
    }

    /// Passes a member's name and the colon.
    #[inline]
    pub(crate) fn key(&mut self) -> Scanned<Slot> {
        if self.peek()? != b'"' {
            return self.syntax();
        }
        let key = self.string()?;
        self.expect(b':')?;
        Ok(key)
    }

    /// Passes a value whatever it is.
    pub(crate) fn skip(&mut self) -> Scanned<Slot> {
        match self.peek()? {
            b'{' | b'[' => self.container(),
            _ => self.scalar(),
        }
    }

    /// Passes a value that is no container.
    #[inline]
    pub(crate) fn scalar(&mut self) -> Scanned<Slot> {
        match self.peek()? {
            b'"' => self.string(),
            b'n' => self.word(b"null", Kind::Null),
            b't' => self.word(b"true", Kind::True),
            b'f' => self.word(b"false", Kind::False),
            b'-' | b'0'..=b'9' => self.number(),
            _ => self.syntax(),
        }
    }

    /// Passes a string of which the opening quote is next.
    #[inline]
    fn string(&mut self) -> Scanned<Slot> {
        let start = self.at + 1;
        let mut kind = Kind::Text;
        self.at = plain(self.bytes, start);
        loop {
            match self.bytes.get(self.at) {
                Some(b'"') => {
                    self.at += 1;
                    return Ok(slot(kind, start, self.at - 1));
                }
                Some(b'\\') => {
                    kind = Kind::Escaped;
                    self.escape()?;
                    self.at = plain(self.bytes, self.at);
                }
                _ => return self.syntax(),
            }
        }
    }

    fn escape(&mut self) -> Scanned<()> {
        match self.bytes.get(self.at + 1) {
            Some(b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't') => self.at += 2,
            Some(b'u') => match self.bytes.get(self.at + 2..self.at + 6) {
                Some(digits) if digits.iter().all(u8::is_ascii_hexdigit) => self.at += 6,
                _ => return self.syntax(),
            },
            _ => return self.syntax(),
        }
        Ok(())
    }

    #[inline]
    fn word(&mut self, word: &[u8], kind: Kind) -> Scanned<Slot> {
        let start = self.at;
        if !self.bytes[start..].starts_with(word) {
            return self.syntax();
        }
        self.at += word.len();
        Ok(slot(kind, start, self.at))
    }

    #[inline]
    fn number(&mut self) -> Scanned<Slot> {
        let start = self.at;
        self.at += usize::from(self.bytes[start] == b'-');
        if self.bytes.get(self.at) == Some(&b'0') {
            self.at += 1;
        } else {
            self.digits()?;
        }
        if self.bytes.get(self.at) == Some(&b'.') {
            self.at += 1;
            self.digits()?;
        }
        if let Some(b'e' | b'E') = self.bytes.get(self.at) {
            self.at += 1;
            self.at += usize::from(matches!(self.bytes.get(self.at), Some(b'+' | b'-')));
            self.digits()?;
        }
        Ok(slot(Kind::Number, start, self.at))
    }

    /// Passes one or more digits.
    #[inline]
    fn digits(&mut self) -> Scanned<()> {
        let before = self.at;
        while self.bytes.get(self.at).is_some_and(u8::is_ascii_digit) {
            self.at += 1;
        }
        if self.at == before { self.syntax() } else { Ok(()) }
    }

    /// Passes a container of which the opening byte is next, with all that it holds.
    ///
    /// One that is the last one again, byte for byte, is passed at once: Zendesk sends the custom fields of a ticket
    /// twice. What it holds has been seen to be JSON, and a container's end does not depend on what follows.
    pub(crate) fn container(&mut self) -> Scanned<Slot> {
        let start = self.at;
        let kind = if self.bytes[start] == b'{' {
            Kind::Object
        } else {
            Kind::Array
        };
        let passed = &self.bytes[self.passed.0..self.passed.1];
        if !passed.is_empty() && self.bytes[start..].starts_with(passed) {
            self.at += passed.len();
            return Ok(slot(kind, start, self.at));
        }
        self.checked()?;
        if self.at - start >= WORTH_NOTING {
            self.passed = (start, self.at);
        }
        Ok(slot(kind, start, self.at))
    }

    /// Notes the container that began at `start` and has just been read member by member as the last one passed.
    pub(crate) fn note_passed(&mut self, start: usize) {
        self.passed = (start, self.at);
    }

    /// Passes a container by its grammar.
    fn checked(&mut self) -> Scanned<()> {
        // One bit per open container, the innermost lowest: 1 for an object.
        let (mut open, mut depth) = (0_u128, 0_u32);
        loop {
            // A value is next.
            match self.peek()? {
                byte @ (b'{' | b'[') => {
                    depth += 1;
                    if depth > DEEPEST {
                        return Err(NotJson::Deep);
                    }
                    let is_object = byte == b'{';
                    open = open << 1 | u128::from(is_object);
                    if self.enter(byte + 2)? {
                        if is_object {
                            self.key()?;
                        }
                        continue;
                    }
                    open >>= 1;
                    depth -= 1;
                }
                _ => {
                    self.scalar()?;
                }
            }
            // A value has ended: close what it closes.
            loop {
                if depth == 0 {
                    return Ok(());
                }
                let is_object = open & 1 == 1;
                if self.more(if is_object { b'}' } else { b']' })? {
                    if is_object {
                        self.key()?;
                    }
                    break;
                }
                open >>= 1;
                depth -= 1;
            }
        }
    }
}

#[inline]
fn slot(kind: Kind, start: usize, end: usize) -> Slot {
    // A record is shorter than 4 GiB: `Plan::run` sees to it.
    Slot {
        kind,
        start: start as u32,
        end: end as u32,
    }
}

const ONES: u64 = u64::from_ne_bytes([1; 8]);
const TOPS: u64 = u64::from_ne_bytes([0x80; 8]);

/// The index of the first quote, backslash or control character from `at` on, or the length.
#[inline]
fn plain(bytes: &[u8], mut at: usize) -> usize {
    for _ in 0..2 {
        match word(bytes, at) {
            Some(0) => at += 8,
            Some(stops) => return at + (stops.trailing_zeros() / 8) as usize,
            None => return bytewise(bytes, at),
        }
    }
    at = by_blocks(bytes, at);
    while let Some(stops) = word(bytes, at) {
        if stops != 0 {
            return at + (stops.trailing_zeros() / 8) as usize;
        }
        at += 8;
    }
    bytewise(bytes, at)
}

/// The top bits of those of eight bytes that end plain text; bits above the lowest may be wrong.
#[inline]
fn word(bytes: &[u8], at: usize) -> Option<u64> {
    let word = u64::from_le_bytes(*bytes.get(at..)?.first_chunk::<8>()?);
    let zero = |word: u64| word.wrapping_sub(ONES) & !word;
    let control = word.wrapping_sub(ONES * 0x20) & !word;
    let stops = control | zero(word ^ (ONES * u64::from(b'"'))) | zero(word ^ (ONES * u64::from(b'\\')));
    Some(stops & TOPS)
}

/// Passes blocks of plain text; the compiler makes this wide.
fn by_blocks(bytes: &[u8], mut at: usize) -> usize {
    while let Some(block) = bytes.get(at..).and_then(|rest| rest.first_chunk::<32>()) {
        let mut stops = false;
        for byte in block {
            stops |= (*byte == b'"') | (*byte == b'\\') | (*byte < 0x20);
        }
        if stops {
            break;
        }
        at += 32;
    }
    at
}

fn bytewise(bytes: &[u8], mut at: usize) -> usize {
    while bytes
        .get(at)
        .is_some_and(|byte| !matches!(byte, b'"' | b'\\' | 0..0x20))
    {
        at += 1;
    }
    at
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(json: &str, is_json: bool) {
        let mut scanner = Scanner::new(json, 0);
        let read = scanner.skip().and_then(|_| scanner.end());
        assert_eq!(read.is_ok(), is_json, "{json}");
        assert_eq!(
            serde_json::from_str::<serde_json::Value>(json).is_ok(),
            is_json,
            "{json}"
        );
    }

    #[test]
    fn what_is_json_is_passed() {
        for json in [
            "null",
            " true ",
            "false",
            "0",
            "-0",
            "12.5e-3",
            "1E+9",
            "\"\"",
            "\"ä\\u00e4\\n\\\"\"",
            "[]",
            "{}",
            "[[],{}]",
            "{\"a\":[1,2,{\"b\":null}],\"c\":\"d\"}",
            " [ 1 , { \"a\" : [ ] } ] ",
            "\"a text that is longer than a block of thirty-two bytes and has a quote \\\" in it\"",
        ] {
            check(json, true);
        }
    }

    #[test]
    fn a_container_that_stands_twice_is_passed_at_once_and_one_that_goes_on_is_not() {
        let fields = format!("[{{\"id\":1,\"value\":\"{}\"}}]", "x".repeat(80));
        let json = format!("{{\"a\":{fields},\"b\":{fields},\"c\":{fields}}}");
        check(&json, true);
        let mut scanner = Scanner::new(&json, 5);
        let first = scanner.skip().expect("JSON");
        let start = json.rfind(&fields).expect("there");
        scanner.at = start;
        let last = scanner.skip().expect("JSON");
        assert_eq!((last.of(&json), last.kind), (first.of(&json), first.kind));
        assert_eq!(last.start as usize, start);
        check(&format!("{{\"a\":{fields},\"b\":{fields}]}}"), false);
        check(
            &format!("{{\"a\":{fields},\"b\":{}}}", &fields[..fields.len() - 1]),
            false,
        );
    }

    #[test]
    fn what_is_not_is_refused() {
        for json in [
            "",
            "nul",
            "nulll",
            "tru",
            "01",
            "-",
            "1.",
            ".5",
            "1e",
            "+1",
            "\"",
            "\"\\",
            "\"\\x\"",
            "\"\\u12g4\"",
            "\"\n\"",
            "[1,]",
            "[,1]",
            "[1 2]",
            "{\"a\"}",
            "{\"a\":}",
            "{a:1}",
            "{\"a\":1,}",
            "{,}",
            "[1}",
            "{\"a\":1]",
            "[[]",
            "1 2",
            "{\"a\":1}x",
            "NaN",
            "\"a text that is longer than a block of thirty-two bytes and holds a tab\t\"",
        ] {
            check(json, false);
        }
    }

    #[test]
    fn nesting_has_an_end() {
        let nested = |depth: usize| format!("{}{}", "[".repeat(depth), "]".repeat(depth));
        check(&nested(127), true);
        let deep = nested(100_000);
        assert_eq!(Scanner::new(&deep, 0).skip(), Err(NotJson::Deep));
    }

    #[test]
    fn plain_text_ends_at_the_first_stop_wherever_it_stands() {
        for length in 0..100 {
            for stop in [b'"', b'\\', 0x1f, 0, b'\n'] {
                for after in [0, 1, 40] {
                    let mut bytes = vec![0x20; length];
                    bytes
                        .iter_mut()
                        .enumerate()
                        .for_each(|(place, byte)| *byte = [0x20, 0xff, 0x80, b'a'][place % 4]);
                    bytes.push(stop);
                    bytes.extend(std::iter::repeat_n(b'"', after));
                    assert_eq!(plain(&bytes, 0), length, "{stop} after {length}");
                }
            }
            assert_eq!(plain(&vec![b'a'; length], 0), length);
        }
    }
}
