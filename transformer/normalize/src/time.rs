//! Times and dates of the years 1 to 9999.

use zenfloe_record::Micros;

/// Why a text is no time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum NoTime {
    /// It is not written as one.
    Form,
    /// It is, but no calendar of the years 1 to 9999 has it.
    Absurd,
}

const SECOND: i64 = 1_000_000;
const DAY: i64 = 86_400 * SECOND;

/// Microseconds of 0001-01-01 and of 10000-01-01.
const FIRST: Micros = -62_135_596_800 * SECOND;
const END: Micros = 253_402_300_800 * SECOND;

/// Reads `2026-01-31T12:00:00Z`: `T` or a space, seconds with or without a fraction (of which digits beyond
/// the sixth are dropped), `Z` or an offset as `+02:00`, `+0200`, `+02`, with or without a space before it.
pub(crate) fn timestamp(text: &str) -> Result<Micros, NoTime> {
    let bytes = text.as_bytes();
    let (date, clock) = match bytes {
        // The form that Zendesk writes: the shortest way.
        [date @ .., b'T', h1, h2, b':', m1, m2, b':', s1, s2, b'Z'] if date.len() == 10 => {
            let clock = seconds(&[*h1, *h2, *m1, *m2, *s1, *s2])?;
            (date, clock)
        }
        _ => loose(bytes)?,
    };
    within(days(date)? * DAY + clock)
}

/// Microseconds of whole seconds since 1970.
pub(crate) fn epoch_seconds(seconds: i64) -> Result<Micros, NoTime> {
    within(seconds.checked_mul(SECOND).ok_or(NoTime::Absurd)?)
}

fn within(micros: Micros) -> Result<Micros, NoTime> {
    if (FIRST..END).contains(&micros) {
        Ok(micros)
    } else {
        Err(NoTime::Absurd)
    }
}

/// Days since 1970 of `2026-01-31`.
pub(crate) fn date(text: &str) -> Result<i32, NoTime> {
    let days = days(text.as_bytes())?;
    Ok(i32::try_from(days).expect("ten thousand years are few days"))
}

/// Midnight of the first of January of the year.
pub(crate) fn year_of_timestamp(micros: Micros) -> Micros {
    year_of_days(micros.div_euclid(DAY)) * DAY
}

/// The first of January of the year.
pub(crate) fn year_of_date(days: i32) -> i32 {
    i32::try_from(year_of_days(i64::from(days))).expect("earlier than a date by less than a year")
}

fn year_of_days(days: i64) -> i64 {
    // 400 years have 146,097 days; the estimate is at most one year too late.
    let estimate = 1970 + days * 400 / 146_097;
    let start = |year| days_of(year, 1, 1);
    (estimate - 1..=estimate + 1)
        .rev()
        .map(start)
        .find(|first| *first <= days)
        .unwrap_or(start(estimate - 1))
}

/// The parts of the forms that Zendesk seldom writes: date and microseconds from its midnight, UTC.
fn loose(bytes: &[u8]) -> Result<(&[u8], i64), NoTime> {
    let mark = bytes
        .iter()
        .position(|byte| matches!(byte, b'T' | b't' | b' '))
        .ok_or(NoTime::Form)?;
    let (date, rest) = (&bytes[..mark], &bytes[mark + 1..]);
    let clock = match rest.first_chunk::<8>() {
        Some([h1, h2, b':', m1, m2, b':', s1, s2]) => seconds(&[*h1, *h2, *m1, *m2, *s1, *s2])?,
        _ => return Err(NoTime::Form),
    };
    let (fraction, rest) = fraction(&rest[8..])?;
    Ok((date, clock + fraction - offset(rest.trim_ascii())?))
}

/// Microseconds of `.123` and what follows it.
fn fraction(bytes: &[u8]) -> Result<(i64, &[u8]), NoTime> {
    let Some((b'.' | b',', digits)) = bytes.split_first() else {
        return Ok((0, bytes));
    };
    let length = digits.iter().take_while(|byte| byte.is_ascii_digit()).count();
    if length == 0 {
        return Err(NoTime::Form);
    }
    let digit = |place: usize| {
        if place < length {
            i64::from(digits[place] - b'0')
        } else {
            0
        }
    };
    let micros = (0..6).fold(0, |micros, place| micros * 10 + digit(place));
    Ok((micros, &digits[length..]))
}

/// Microseconds by which the local time is ahead of UTC.
fn offset(bytes: &[u8]) -> Result<i64, NoTime> {
    let (sign, digits) = match bytes {
        [b'Z' | b'z'] | b"UTC" => return Ok(0),
        [b'+', digits @ ..] => (1, digits),
        [b'-', digits @ ..] => (-1, digits),
        _ => return Err(NoTime::Form),
    };
    let (hours, minutes) = match digits {
        [h1, h2, b':', m1, m2] | [h1, h2, m1, m2] => (two(*h1, *h2)?, two(*m1, *m2)?),
        [h1, h2] => (two(*h1, *h2)?, 0),
        _ => return Err(NoTime::Form),
    };
    if hours > 23 || minutes > 59 {
        return Err(NoTime::Absurd);
    }
    Ok(sign * (hours * 3_600 + minutes * 60) * SECOND)
}

#[inline]
fn two(tens: u8, ones: u8) -> Result<i64, NoTime> {
    let (tens, ones) = (tens.wrapping_sub(b'0'), ones.wrapping_sub(b'0'));
    if tens > 9 || ones > 9 {
        return Err(NoTime::Form);
    }
    Ok(i64::from(tens * 10 + ones))
}

/// Microseconds from midnight of `HHMMSS`; a leap second is the second before it.
#[inline]
fn seconds(digits: &[u8; 6]) -> Result<i64, NoTime> {
    let [h1, h2, m1, m2, s1, s2] = *digits;
    let (hours, minutes, seconds) = (two(h1, h2)?, two(m1, m2)?, two(s1, s2)?);
    if hours > 23 || minutes > 59 || seconds > 60 {
        return Err(NoTime::Absurd);
    }
    Ok((hours * 3_600 + minutes * 60 + seconds.min(59)) * SECOND)
}

/// Days since 1970 of `YYYY-MM-DD`.
#[inline]
fn days(bytes: &[u8]) -> Result<i64, NoTime> {
    let [y1, y2, y3, y4, b'-', m1, m2, b'-', d1, d2] = bytes else {
        return Err(odd_year(bytes));
    };
    let year = two(*y1, *y2)? * 100 + two(*y3, *y4)?;
    let (month, day) = (two(*m1, *m2)?, two(*d1, *d2)?);
    if year < 1 || !(1..=12).contains(&month) || day < 1 || day > length(year, month) {
        return Err(NoTime::Absurd);
    }
    Ok(days_of(year, month, day))
}

/// A date whose year has a sign or more digits is one, but an absurd one.
fn odd_year(bytes: &[u8]) -> NoTime {
    let unsigned = bytes.strip_prefix(b"-").or(bytes.strip_prefix(b"+")).unwrap_or(bytes);
    let year = unsigned.iter().take_while(|byte| byte.is_ascii_digit()).count();
    match &unsigned[year..] {
        [b'-', m1, m2, b'-', d1, d2] if year >= 4 && [m1, m2, d1, d2].iter().all(|byte| byte.is_ascii_digit()) => {
            NoTime::Absurd
        }
        _ => NoTime::Form,
    }
}

fn length(year: i64, month: i64) -> i64 {
    match month {
        2 if year % 4 == 0 && (year % 100 != 0 || year % 400 == 0) => 29,
        2 => 28,
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    }
}

/// Days since 1970 in the Gregorian calendar, by Howard Hinnant's `days_from_civil`.
#[inline]
fn days_of(year: i64, month: i64, day: i64) -> i64 {
    let year = year - i64::from(month <= 2);
    let era = year.div_euclid(400);
    let of_era = year.rem_euclid(400);
    let of_year = (153 * (month + if month > 2 { -3 } else { 9 }) + 2) / 5 + day - 1;
    era * 146_097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year - 719_468
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(text: &str, expected: Result<i64, NoTime>) {
        assert_eq!(timestamp(text), expected, "{text}");
    }

    #[test]
    fn times_are_read_in_every_form() {
        check("1970-01-01T00:00:00Z", Ok(0));
        check("2026-01-01T00:00:00Z", Ok(1_767_225_600_000_000));
        check("2026-01-01T02:00:00+02:00", Ok(1_767_225_600_000_000));
        check("2025-12-31T16:00:00-0800", Ok(1_767_225_600_000_000));
        check("2025-12-31 16:00:00 -0800", Ok(1_767_225_600_000_000));
        check("2026-01-01 00:00:00 UTC", Ok(1_767_225_600_000_000));
        check("2026-01-01T01:00:00+01", Ok(1_767_225_600_000_000));
        check("2026-01-01t00:00:00.5z", Ok(1_767_225_600_500_000));
        check("2026-01-01T00:00:00.123456789Z", Ok(1_767_225_600_123_456));
        check("2024-02-29T23:59:60Z", Ok(1_709_251_199_000_000));
        check("0001-01-01T00:00:00Z", Ok(FIRST));
        check("9999-12-31T23:59:59.999999Z", Ok(END - 1));
    }

    #[test]
    fn what_no_calendar_has_is_absurd() {
        for text in [
            "0000-01-01T00:00:00Z",
            "2026-13-01T00:00:00Z",
            "2026-00-10T00:00:00Z",
            "2026-02-30T00:00:00Z",
            "2025-02-29T00:00:00Z",
            "2026-01-01T24:00:00Z",
            "2026-01-01T00:61:00Z",
            "12026-01-01T00:00:00Z",
            "-0001-01-01T00:00:00Z",
            "+02026-01-01T00:00:00Z",
            "9999-12-31T23:59:59-01:00",
            "0001-01-01T00:00:00+01:00",
            "2026-01-01T00:00:00+99:00",
        ] {
            check(text, Err(NoTime::Absurd));
        }
        assert_eq!(epoch_seconds(i64::MAX), Err(NoTime::Absurd));
        assert_eq!(epoch_seconds(253_402_300_800), Err(NoTime::Absurd));
        assert_eq!(epoch_seconds(253_402_300_799), Ok(END - SECOND));
        assert_eq!(date("2026-02-30"), Err(NoTime::Absurd));
    }

    #[test]
    fn what_is_no_time_is_not_read() {
        for text in [
            "",
            "T",
            "yesterday",
            "2026-01-01",
            "2026-01-01T00:00Z",
            "2026-01-01T00:00:00",
            "2026-01-01T00:00:00.Z",
            "2026/01/01T00:00:00Z",
            "2026-01-01T00:00:00Zx",
            "2026-01-01T00:00:00+1",
            "1767225600",
            "2026-1-1T00:00:00Z",
            "aaaa-bb-ccT00:00:00Z",
        ] {
            check(text, Err(NoTime::Form));
        }
        assert_eq!(date("2026-1-1"), Err(NoTime::Form));
    }

    #[test]
    fn days_and_years_agree_with_a_calendar_counted_day_by_day() {
        let mut expected = -719_162; // 0001-01-01
        for year in 1..=9999 {
            let first = expected;
            for month in 1..=12 {
                for day in 1..=length(year, month) {
                    if day == 1 || day == 28 || year % 100 == 0 {
                        assert_eq!(date(&format!("{year:04}-{month:02}-{day:02}")), Ok(expected));
                        assert_eq!(year_of_date(expected), first);
                        let noon = i64::from(expected) * DAY + DAY / 2;
                        assert_eq!(year_of_timestamp(noon), i64::from(first) * DAY);
                    }
                    expected += 1;
                }
            }
        }
    }
}
