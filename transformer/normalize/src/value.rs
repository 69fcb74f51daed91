//! Values of JSON as the types of columns.

use zenfloe_record::{Micros, Reason};

use crate::scan::{Kind, Scanner, Slot};
use crate::text;
use crate::time::{self, NoTime};

/// What is wrong with a value; the path comes from who knows it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Wrong {
    /// It is of this kind and not what is wanted.
    Type { wanted: &'static str, found: Kind },
    /// It is outside what the type holds.
    Range,
    /// It is a time outside the years 1 to 9999.
    Absurd,
    /// A part of the key is absent, null or empty.
    Missing,
}

impl Wrong {
    pub(crate) fn reason(self) -> Reason {
        match self {
            Self::Type { .. } | Self::Range => Reason::WrongType,
            Self::Absurd => Reason::AbsurdDate,
            Self::Missing => Reason::MissingKey,
        }
    }

    /// For people, behind the path.
    pub(crate) fn describe(self) -> String {
        match self {
            Self::Type { wanted, found } => format!("is {}, not {wanted}", found.name()),
            Self::Range => "is outside the range of its type".to_owned(),
            Self::Absurd => "is a time that no calendar of the years 1 to 9999 has".to_owned(),
            Self::Missing => "is missing".to_owned(),
        }
    }
}

type Read<T> = Result<T, Wrong>;

fn wrong<T>(wanted: &'static str, slot: Slot) -> Read<T> {
    Err(Wrong::Type {
        wanted,
        found: slot.kind,
    })
}

/// Reads a string with escapes as the text that it means; no number or time is written so, but it may be.
#[cold]
fn escaped<T>(slot: Slot, json: &str, read: impl FnOnce(Slot, &str) -> Read<T>) -> Read<T> {
    let mut text = String::new();
    text::unescape(slot.of(json), &mut text, &mut 0);
    let meant = Slot {
        kind: Kind::Text,
        start: 0,
        // No longer than the string itself.
        end: text.len() as u32,
    };
    read(meant, &text)
}

/// A whole number, or a string of its digits.
#[inline]
pub(crate) fn long(slot: Slot, json: &str) -> Read<i64> {
    match slot.kind {
        Kind::Number | Kind::Text => whole(slot, slot.of(json)),
        Kind::Escaped => escaped(slot, json, long),
        _ => wrong("a whole number", slot),
    }
}

/// A minus sign at most and digits, by hand: `str::parse` tells neither too large from not a number, nor `+`.
#[inline]
fn whole(slot: Slot, text: &str) -> Read<i64> {
    let (digits, is_negative) = match text.strip_prefix('-') {
        Some(digits) => (digits, true),
        None => (text, false),
    };
    if digits.is_empty() || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return wrong("a whole number", slot);
    }
    let step = |value: i64, byte: u8| {
        let digit = i64::from(byte - b'0');
        let value = value.checked_mul(10)?;
        if is_negative {
            value.checked_sub(digit)
        } else {
            value.checked_add(digit)
        }
    };
    digits.bytes().try_fold(0_i64, step).ok_or(Wrong::Range)
}

/// A number, or a string of one.
pub(crate) fn double(slot: Slot, json: &str) -> Read<f64> {
    let text = slot.of(json);
    let is_number = match slot.kind {
        Kind::Number => true,
        Kind::Text => is_number(text),
        Kind::Escaped => return escaped(slot, json, double),
        _ => false,
    };
    if !is_number {
        return wrong("a number", slot);
    }
    let value: f64 = text.parse().map_err(|_| Wrong::Range)?;
    if value.is_finite() {
        Ok(value)
    } else {
        Err(Wrong::Range)
    }
}

fn is_number(text: &str) -> bool {
    let mut scan = Scanner::new(text, 0);
    scan.scalar()
        .is_ok_and(|slot| slot.kind == Kind::Number && slot.end as usize == text.len() && slot.start == 0)
}

/// A truth value, or its word as a string.
pub(crate) fn boolean(slot: Slot, json: &str) -> Read<bool> {
    let is = |word| slot.kind == Kind::Text && slot.of(json).eq_ignore_ascii_case(word);
    match slot.kind {
        Kind::True => Ok(true),
        Kind::False => Ok(false),
        Kind::Escaped => escaped(slot, json, boolean),
        _ if is("true") => Ok(true),
        _ if is("false") => Ok(false),
        _ => wrong("a truth value", slot),
    }
}

/// A time in ISO 8601.
#[inline]
pub(crate) fn timestamp(slot: Slot, json: &str) -> Read<Micros> {
    match slot.kind {
        Kind::Text => time::timestamp(slot.of(json)).map_err(|fault| no_time(fault, "a time", slot)),
        Kind::Escaped => escaped(slot, json, timestamp),
        _ => wrong("a time", slot),
    }
}

/// A date in ISO 8601.
pub(crate) fn date(slot: Slot, json: &str) -> Read<i32> {
    match slot.kind {
        Kind::Text => time::date(slot.of(json)).map_err(|fault| no_time(fault, "a date", slot)),
        Kind::Escaped => escaped(slot, json, date),
        _ => wrong("a date", slot),
    }
}

/// A time in whole seconds since 1970.
pub(crate) fn epoch_seconds(slot: Slot, json: &str) -> Read<Micros> {
    time::epoch_seconds(long(slot, json)?).map_err(|fault| no_time(fault, "a time", slot))
}

/// Whole milliseconds since 1970.
pub(crate) fn epoch_millis(slot: Slot, json: &str) -> Read<Micros> {
    long(slot, json)?.checked_mul(1_000).ok_or(Wrong::Absurd)
}

/// The last member of an object by that name; the object has been passed before.
pub(crate) fn member(object: Slot, json: &str, name: &str) -> Option<Slot> {
    let mut found = None;
    let mut scan = Scanner::new(json, object.start as usize);
    let mut more = scan.enter(b'}').ok()?;
    while more {
        let key = scan.key().ok()?;
        let value = scan.skip().ok()?;
        if key.of(json) == name {
            found = Some(value);
        }
        more = scan.more(b'}').ok()?;
    }
    found
}

fn no_time(fault: NoTime, wanted: &'static str, slot: Slot) -> Wrong {
    match fault {
        NoTime::Absurd => Wrong::Absurd,
        NoTime::Form => Wrong::Type {
            wanted,
            found: slot.kind,
        },
    }
}

/// Whole minutes from an object with one of `minutes`, `hours`, `days`; `None` where it has none of them.
pub(crate) fn minutes(slot: Slot, json: &str) -> Read<Option<i64>> {
    if slot.kind != Kind::Object {
        return wrong("an object", slot);
    }
    let passed = "the scanner has passed the object before";
    let mut held = [Slot::ABSENT; 3];
    let mut scan = Scanner::new(json, slot.start as usize);
    let mut more = scan.enter(b'}').expect(passed);
    while more {
        let key = scan.key().expect(passed);
        let value = scan.skip().expect(passed);
        if let Some(unit) = ["minutes", "hours", "days"]
            .iter()
            .position(|unit| *unit == key.of(json))
        {
            held[unit] = value;
        }
        more = scan.more(b'}').expect(passed);
    }
    let Some(unit) = held.iter().position(|value| !value.is_nothing()) else {
        return Ok(None);
    };
    let count = long(held[unit], json)?;
    count.checked_mul([1, 60, 1_440][unit]).map(Some).ok_or(Wrong::Range)
}

/// The text of a string, or a number or truth value as written.
#[inline]
pub(crate) fn text<'t>(slot: Slot, json: &'t str, decoded: &'t mut String, replaced: &mut u64) -> Read<&'t str> {
    match slot.kind {
        Kind::Object | Kind::Array => wrong("a text", slot),
        _ => Ok(text::meant(slot, json, decoded, replaced)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn slot(json: &str) -> Slot {
        Scanner::new(json, 0).skip().expect("JSON")
    }

    #[test]
    fn whole_numbers() {
        let read = |json: &str| long(slot(json), json).map_err(Wrong::reason);
        for (json, expected) in [
            ("0", 0),
            ("-12", -12),
            ("\"39771850850017\"", 39_771_850_850_017),
            ("9223372036854775807", i64::MAX),
            ("-9223372036854775808", i64::MIN),
        ] {
            assert_eq!(read(json), Ok(expected), "{json}");
        }
        for json in [
            "1.0",
            "1e3",
            "\"\"",
            "\"-\"",
            "\"12a\"",
            "\" 12\"",
            "\"+1\"",
            "true",
            "[]",
            "9223372036854775808",
            "-9223372036854775809",
        ] {
            assert_eq!(read(json), Err(Reason::WrongType), "{json}");
        }
    }

    #[test]
    fn numbers_and_truth_values() {
        for (json, expected) in [
            ("1.5", Some(1.5)),
            ("\"-2e3\"", Some(-2000.0)),
            ("7", Some(7.0)),
            ("\"x\"", None),
            ("\" 1\"", None),
            ("1e999", None),
            ("\"\"", None),
        ] {
            assert_eq!(double(slot(json), json).ok(), expected, "{json}");
        }
        for (json, expected) in [
            ("true", Some(true)),
            ("\"False\"", Some(false)),
            ("\"true\"", Some(true)),
            ("1", None),
            ("\"yes\"", None),
        ] {
            assert_eq!(boolean(slot(json), json).ok(), expected, "{json}");
        }
    }

    #[test]
    fn minutes_of_any_unit() {
        let read = |json: &str| minutes(slot(json), json).map_err(Wrong::reason);
        assert_eq!(read("{\"minutes\": -5, \"hours\": 1}"), Ok(Some(-5)));
        assert_eq!(read("{\"minutes\": null, \"hours\": 2}"), Ok(Some(120)));
        assert_eq!(read("{\"x\": [], \"days\": \"3\"}"), Ok(Some(4_320)));
        assert_eq!(read("{}"), Ok(None));
        assert_eq!(read("{\"days\": 9223372036854775807}"), Err(Reason::WrongType));
        assert_eq!(read("{\"days\": 1.5}"), Err(Reason::WrongType));
        assert_eq!(read("5"), Err(Reason::WrongType));
    }
}
