//! Times as Zendesk writes them: `2026-01-31T23:59:59Z`, whole seconds.

use serde::{Serialize, Serializer};

/// Whole seconds since 1970 that serialise as Zendesk's text.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Stamp(pub(crate) i64);

impl Serialize for Stamp {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut text = *b"0000-00-00T00:00:00Z";
        let (year, month, day) = civil(self.0.div_euclid(86_400));
        let second = self.0.rem_euclid(86_400);
        put(&mut text[0..4], year);
        put(&mut text[5..7], month);
        put(&mut text[8..10], day);
        put(&mut text[11..13], second / 3_600);
        put(&mut text[14..16], second / 60 % 60);
        put(&mut text[17..19], second % 60);
        serializer.serialize_str(std::str::from_utf8(&text).expect("ASCII digits"))
    }
}

/// A time with milliseconds, which a number decides: `2026-01-31T23:59:59.141Z`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Fine(pub(crate) i64, pub(crate) i64);

impl Serialize for Fine {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let Self(seconds, number) = *self;
        let (of_day, millis) = (seconds.rem_euclid(86_400), number.rem_euclid(1_000));
        let (hour, minute, second) = (of_day / 3_600, of_day / 60 % 60, of_day % 60);
        let day = Day(seconds.div_euclid(86_400));
        serializer.collect_str(&format_args!("{day}T{hour:02}:{minute:02}:{second:02}.{millis:03}Z"))
    }
}

/// A day of the calendar that serialises as `2026-01-31`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Day(pub(crate) i64);

impl std::fmt::Display for Day {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let (year, month, day) = civil(self.0);
        write!(f, "{year:04}-{month:02}-{day:02}")
    }
}

fn put(digits: &mut [u8], mut number: i64) {
    for digit in digits.iter_mut().rev() {
        *digit = b'0' + u8::try_from(number % 10).expect("a digit");
        number /= 10;
    }
}

/// Year, month and day of a day since 1970 (Howard Hinnant's `civil_from_days`).
fn civil(days: i64) -> (i64, i64, i64) {
    let shifted = days + 719_468;
    let era = shifted.div_euclid(146_097);
    let of_era = shifted.rem_euclid(146_097);
    let year_of_era = (of_era - of_era / 1_460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month_shifted = (5 * of_year + 2) / 153;
    let day = of_year - (153 * month_shifted + 2) / 5 + 1;
    let month = if month_shifted < 10 {
        month_shifted + 3
    } else {
        month_shifted - 9
    };
    let year = year_of_era + era * 400 + i64::from(month <= 2);
    (year, month, day)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_written_as_zendesk_writes_them() {
        let text = |seconds| serde_json::to_string(&Stamp(seconds)).expect("a string");
        assert_eq!(text(0), "\"1970-01-01T00:00:00Z\"");
        assert_eq!(text(951_827_696), "\"2000-02-29T12:34:56Z\"");
        assert_eq!(text(1_791_532_660), "\"2026-10-09T07:57:40Z\"");
        assert_eq!(Day(20_454).to_string(), "2026-01-01");
        let fine = serde_json::to_string(&Fine(1_791_532_660, 7_141)).expect("a string");
        assert_eq!(fine, "\"2026-10-09T07:57:40.141Z\"");
    }
}
