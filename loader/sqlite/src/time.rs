//! Times as texts.

use std::time::{SystemTime, UNIX_EPOCH};

use jiff::SignedDuration;
use jiff::civil::date;

const DAY: i64 = 86_400_000_000;

/// The text of a time, `2026-01-31 23:59:59.000001`.
pub(crate) struct TimeText([u8; 26]);

impl TimeText {
    pub(crate) fn as_str(&self) -> &str {
        std::str::from_utf8(&self.0).expect("digits and signs are ASCII")
    }
}

/// Writes microseconds since 1970 as UTC; `None` outside the years 1 to 9999.
pub(crate) fn time_text(micros: i64) -> Option<TimeText> {
    let days = i32::try_from(micros.div_euclid(DAY)).ok()?;
    let date = date_text(days)?;
    let within = micros.rem_euclid(DAY);
    let seconds = within / 1_000_000;
    let mut text = *b"0000-00-00 00:00:00.000000";
    text[..10].copy_from_slice(&date.0);
    digits(&mut text[11..13], seconds / 3_600);
    digits(&mut text[14..16], seconds / 60 % 60);
    digits(&mut text[17..19], seconds % 60);
    digits(&mut text[20..26], within % 1_000_000);
    Some(TimeText(text))
}

/// The same for a bound: a time before the years that a text can tell sorts before all of them, one after, after.
pub(crate) fn bound_text(micros: i64) -> String {
    match time_text(micros) {
        Some(text) => text.as_str().to_owned(),
        None if micros < 0 => String::new(),
        None => "9999-12-31 24".to_owned(),
    }
}

/// The present.
pub(crate) fn now_text() -> TimeText {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    let micros = i64::try_from(since.as_micros()).unwrap_or(0);
    time_text(micros).expect("clocks stand before the year 10000")
}

/// The text of a date, `2026-01-31`.
pub(crate) struct DateText([u8; 10]);

impl DateText {
    pub(crate) fn as_str(&self) -> &str {
        std::str::from_utf8(&self.0).expect("digits and signs are ASCII")
    }
}

/// Writes days since 1970-01-01; `None` outside the years 1 to 9999.
pub(crate) fn date_text(days: i32) -> Option<DateText> {
    let since = SignedDuration::from_hours(24 * i64::from(days));
    let date = date(1970, 1, 1).checked_add(since).ok()?;
    if date.year() < 1 {
        return None;
    }
    let mut text = *b"0000-00-00";
    digits(&mut text[..4], date.year().into());
    digits(&mut text[5..7], date.month().into());
    digits(&mut text[8..], date.day().into());
    Some(DateText(text))
}

fn digits(to: &mut [u8], mut number: i64) {
    for place in to.iter_mut().rev() {
        *place = b'0' + (number % 10) as u8;
        number /= 10;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_written_as_sqlite_reads_them() {
        let db = rusqlite::Connection::open_in_memory().expect("memory");
        for seconds in [
            0,
            1,
            -1,
            951_782_400,
            1_709_164_800,
            4_107_542_399,
            -62_135_596_800,
            253_402_300_799,
            -2_203_977_600,
        ] {
            let text = time_text(seconds * 1_000_000).expect("within the years 1 to 9999");
            let query = "SELECT strftime('%Y-%m-%d %H:%M:%S', ?1, 'unixepoch')";
            let oracle: String = db.query_row(query, [seconds], |row| row.get(0)).expect("a time");
            assert_eq!(text.as_str(), format!("{oracle}.000000"));
        }
        assert_eq!(time_text(-1).expect("1969").as_str(), "1969-12-31 23:59:59.999999");
    }

    #[test]
    fn what_a_text_cannot_tell_is_refused() {
        assert!(time_text(-62_135_596_800_000_001).is_none());
        assert!(time_text(253_402_300_800_000_000).is_none());
        assert!(time_text(i64::MIN).is_none() && time_text(i64::MAX).is_none());
        assert!(date_text(i32::MIN).is_none() && date_text(i32::MAX).is_none());
        assert!(bound_text(i64::MIN) < bound_text(0) && bound_text(0) < bound_text(i64::MAX));
    }
}
