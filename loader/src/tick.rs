//! The moments at which all loaders flush.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use tokio::time::Instant;

/// The next multiple of the interval since 1970.
pub(crate) fn next(interval: Duration) -> Instant {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    Instant::now() + until(since, interval)
}

fn until(since: Duration, interval: Duration) -> Duration {
    let interval = interval.as_nanos().max(1);
    let rest = interval - since.as_nanos() % interval;
    Duration::from_nanos(u64::try_from(rest).unwrap_or(u64::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ticks_are_the_same_for_all_who_wait() {
        let at = |seconds: u64| Duration::from_secs(seconds);
        let cases = [
            (0, 60, 60),
            (1, 60, 59),
            (59, 60, 1),
            (60, 60, 60),
            (1_700_000_001, 300, 99),
            (7, 0, 0),
        ];
        for (since, interval, expected) in cases {
            assert_eq!(until(at(since), at(interval)).as_secs(), expected, "{since} {interval}");
        }
    }
}
