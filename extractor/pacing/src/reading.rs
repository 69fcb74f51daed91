use std::collections::BTreeMap;
use std::time::Duration;

use crate::budget::ACCOUNT;

/// What a response said about one bucket.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reading {
    /// The bucket: the end of the header's name, `account` for the general headers.
    pub bucket: String,
    /// Requests per period.
    pub total: Option<u32>,
    /// Requests left in the server's present window, other clients' use deducted.
    pub remaining: Option<u32>,
    /// How long until the server's window starts anew.
    pub resets: Option<Duration>,
}

impl Reading {
    /// Reads the rate headers of a response, in any of the spellings that Zendesk has used.
    ///
    /// `zendesk-ratelimit-<bucket>: total=10; remaining=2; resets=38` speaks of a bucket;
    /// `x-rate-limit`, `ratelimit-limit`, `-remaining` and `-reset` of the account. What cannot be
    /// read is passed over: some endpoints send a date where a number is due.
    pub fn from_headers<'h>(headers: impl IntoIterator<Item = (&'h str, &'h str)>) -> Vec<Self> {
        let mut readings: BTreeMap<String, Self> = BTreeMap::new();
        for (name, value) in headers {
            let Some(rest) = limit_name(name) else { continue };
            let (bucket, fields) = match rest.as_str() {
                "" | "limit" => (ACCOUNT, vec![("total", value)]),
                "remaining" => (ACCOUNT, vec![("remaining", value)]),
                "reset" | "resets" => (ACCOUNT, vec![("resets", value)]),
                bucket => (
                    bucket,
                    value.split(';').filter_map(|part| part.split_once('=')).collect(),
                ),
            };
            let reading = readings.entry(bucket.to_owned()).or_insert_with(|| Self::empty(bucket));
            fields
                .into_iter()
                .for_each(|(field, value)| reading.set(field.trim(), value.trim()));
        }
        readings.into_values().filter(Self::says_something).collect()
    }

    fn empty(bucket: &str) -> Self {
        Self {
            bucket: bucket.to_owned(),
            total: None,
            remaining: None,
            resets: None,
        }
    }

    fn says_something(&self) -> bool {
        self.total.is_some() || self.remaining.is_some() || self.resets.is_some()
    }

    fn set(&mut self, field: &str, value: &str) {
        let Some(number) = whole(value) else { return };
        match field {
            "total" | "limit" => self.total = Some(number),
            "remaining" => self.remaining = Some(number),
            "resets" | "reset" => self.resets = Some(Duration::from_secs(number.into())),
            _ => {}
        }
    }
}

/// What stands behind `ratelimit-` in a header's name, if it is a rate header.
fn limit_name(name: &str) -> Option<String> {
    let name = name.to_ascii_lowercase().replace("rate-limit", "ratelimit");
    let name = name.strip_prefix("x-").unwrap_or(&name);
    let name = name.strip_prefix("zendesk-").unwrap_or(name);
    let rest = name.strip_prefix("ratelimit")?;
    Some(rest.trim_start_matches('-').to_owned())
}

/// A number of requests or seconds; fractions are rounded up, negative ones are none left.
fn whole(value: &str) -> Option<u32> {
    let number: f64 = value.parse().ok()?;
    (number.is_finite() && number < 1e9).then(|| number.max(0.0).ceil() as u32)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Bucket, total, remaining, seconds to the reset.
    type Said = (&'static str, Option<u32>, Option<u32>, Option<u64>);

    fn check(headers: &[(&str, &str)], expected: &[Said]) {
        let expected: Vec<_> = expected
            .iter()
            .map(|(bucket, total, remaining, resets)| Reading {
                bucket: (*bucket).into(),
                total: *total,
                remaining: *remaining,
                resets: resets.map(Duration::from_secs),
            })
            .collect();
        assert_eq!(Reading::from_headers(headers.iter().copied()), expected, "{headers:?}");
    }

    #[test]
    fn all_spellings_are_read() {
        check(
            &[(
                "zendesk-ratelimit-incremental-exports",
                "total=10; remaining=2; resets=38",
            )],
            &[("incremental-exports", Some(10), Some(2), Some(38))],
        );
        check(
            &[(
                "Zendesk-Rate-Limit-Incremental-Exports-Cursor",
                "total=20;remaining=19;resets=1",
            )],
            &[("incremental-exports-cursor", Some(20), Some(19), Some(1))],
        );
        check(
            &[("X-Rate-Limit", "700"), ("X-Rate-Limit-Remaining", "699")],
            &[("account", Some(700), Some(699), None)],
        );
        check(
            &[
                ("ratelimit-limit", "400"),
                ("ratelimit-remaining", "0"),
                ("ratelimit-reset", "12.5"),
            ],
            &[("account", Some(400), Some(0), Some(13))],
        );
        check(&[("rate-limit-reset", "2026-10-09T10:00:00Z"), ("date", "x")], &[]);
        check(&[("zendesk-ratelimit-odd", "nonsense")], &[]);
    }
}
