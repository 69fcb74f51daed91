//! Times within the years that a text can tell, 1 to 9999, and their texts.

use jiff::SignedDuration;

const DAY: i64 = 86_400_000_000;
const FIRST: i64 = -62_135_596_800_000_000;
const LAST: i64 = 253_402_300_799_999_999;

/// Microseconds since 1970 when they are within those years.
pub(crate) fn checked_micros(micros: i64) -> Option<i64> {
    (FIRST..=LAST).contains(&micros).then_some(micros)
}

/// Days since 1970 when they are within those years.
pub(crate) fn checked_days(days: i32) -> Option<i32> {
    (FIRST / DAY..=LAST / DAY).contains(&i64::from(days)).then_some(days)
}

/// `2026-01-31 23:59:59.000001`; what is outside the years is taken for their first or last moment.
pub(crate) fn micros_text(micros: i64) -> String {
    let micros = micros.clamp(FIRST, LAST);
    let (days, within) = (micros.div_euclid(DAY), micros.rem_euclid(DAY));
    let (seconds, fraction) = (within / 1_000_000, within % 1_000_000);
    format!(
        "{} {:02}:{:02}:{:02}.{fraction:06}",
        date(days),
        seconds / 3_600,
        seconds / 60 % 60,
        seconds % 60
    )
}

/// `2026-01-31`.
pub(crate) fn days_text(days: i32) -> String {
    date(i64::from(days).clamp(FIRST / DAY, LAST / DAY))
}

fn date(days: i64) -> String {
    let since = SignedDuration::from_hours(24 * days);
    let date = jiff::civil::date(1970, 1, 1).checked_add(since);
    date.expect("within the years of a text").to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_have_texts() {
        for (micros, text) in [
            (0, "1970-01-01 00:00:00.000000"),
            (-1, "1969-12-31 23:59:59.999999"),
            (951_782_400_000_000, "2000-02-29 00:00:00.000000"),
            (1_767_323_045_000_001, "2026-01-02 03:04:05.000001"),
            (LAST, "9999-12-31 23:59:59.999999"),
            (i64::MAX, "9999-12-31 23:59:59.999999"),
            (FIRST, "0001-01-01 00:00:00.000000"),
            (i64::MIN, "0001-01-01 00:00:00.000000"),
        ] {
            assert_eq!(micros_text(micros), text);
        }
        assert_eq!(days_text(20_000), "2024-10-04");
    }

    #[test]
    fn what_a_text_cannot_tell_is_refused() {
        assert!(checked_micros(FIRST - 1).is_none() && checked_micros(LAST + 1).is_none());
        assert!(checked_micros(FIRST).is_some() && checked_days(-719_162).is_some());
        assert!(
            checked_days(-719_163).is_none() && checked_days(2_932_897).is_none() && checked_days(i32::MAX).is_none()
        );
    }
}
