use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use bytesize::ByteSize;
use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use zenfloe_pacing::{Mode, Rules};
use zenfloe_record::Partition;

/// What is read of one source, how often, and how its topics are made.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// Which collections are read.
    pub collections: Selection,
    /// The time from the end of one pass over a collection to the next.
    #[serde(with = "humantime_serde")]
    #[schemars(with = "String")]
    pub interval: Duration,
    /// Other intervals, by collection: `{ group_memberships = "6h" }`.
    #[serde(with = "durations")]
    #[schemars(with = "BTreeMap<String, String>")]
    pub intervals: BTreeMap<String, Duration>,
    /// Polls as fast as the budget allows instead of at the interval; lists keep their interval.
    pub continuous: bool,
    /// History is read from this time on, by collection; all of it where none is given.
    #[schemars(with = "BTreeMap<String, String>")]
    pub since: BTreeMap<String, Timestamp>,
    /// Requests a minute that are never exceeded, whatever the account allows.
    pub account_requests_per_minute: u32,
    /// The share of the account's requests, 0 to 0.9, that is left to its other integrations.
    pub headroom: f64,
    /// Partitions of the topics of tickets, users and what is keyed by them; for ever.
    pub partitions: Partition,
    /// How long raw records are kept.
    #[serde(with = "humantime_serde")]
    #[schemars(with = "String")]
    pub raw_retention: Duration,
    /// The largest message of a topic that is made here.
    #[schemars(with = "String")]
    pub max_message: ByteSize,
    /// How long a collection that the plan or the role forbids is left alone.
    #[serde(with = "humantime_serde")]
    #[schemars(with = "String")]
    pub retry_forbidden: Duration,
    /// Lists that shrank by more than a fifth, and truly did: their missing rows are told as deleted.
    pub accept_shrunk: BTreeSet<String>,
}

impl Default for Config {
    fn default() -> Self {
        let rules = Rules::default();
        Self {
            collections: Selection::default(),
            interval: Duration::from_secs(30 * 60),
            intervals: BTreeMap::new(),
            continuous: false,
            since: BTreeMap::new(),
            // The smallest plan of today allows 200.
            account_requests_per_minute: rules.account_cap,
            headroom: rules.headroom,
            partitions: 12,
            raw_retention: Duration::from_secs(30 * 86_400),
            // A ticket with long custom fields has some 100 KB; Kafka's own default is 1 MiB.
            max_message: ByteSize::mib(5),
            retry_forbidden: Duration::from_secs(86_400),
            accept_shrunk: BTreeSet::new(),
        }
    }
}

/// Which collections are read: those of tier 1, and what is added or taken away.
#[derive(Debug, Clone, Default, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Selection {
    /// Only these; empty for those of tier 1.
    pub only: BTreeSet<String>,
    /// These as well.
    pub on: BTreeSet<String>,
    /// All but these.
    pub off: BTreeSet<String>,
}

/// How fast a continuous schedule polls after a pass that found something.
const FASTEST_POLL: Duration = Duration::from_secs(10);
/// How slowly it polls a quiet account.
const SLOWEST_POLL: Duration = Duration::from_secs(60);

impl Config {
    /// The schedule of a service.
    pub fn mode(&self) -> Mode {
        match self.continuous {
            true => Mode::Continuous {
                fastest: FASTEST_POLL,
                slowest: SLOWEST_POLL,
            },
            false => Mode::Interval,
        }
    }

    /// The limits of the rate budget.
    pub(crate) fn rules(&self) -> Rules {
        Rules {
            account_cap: self.account_requests_per_minute.max(1),
            headroom: self.headroom.clamp(0.0, 0.9),
        }
    }

    /// The interval of a collection.
    pub(crate) fn interval_of(&self, collection: &str) -> Duration {
        self.intervals.get(collection).copied().unwrap_or(self.interval)
    }
}

/// A map of durations in their written form.
mod durations {
    use super::{BTreeMap, Deserialize, Duration, Serialize};
    use serde::{Deserializer, Serializer};

    #[derive(Serialize, Deserialize)]
    struct Written(#[serde(with = "humantime_serde")] Duration);

    pub(super) fn serialize<S: Serializer>(map: &BTreeMap<String, Duration>, to: S) -> Result<S::Ok, S::Error> {
        to.collect_map(map.iter().map(|(name, duration)| (name, Written(*duration))))
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<BTreeMap<String, Duration>, D::Error> {
        let map = BTreeMap::<String, Written>::deserialize(from)?;
        Ok(map
            .into_iter()
            .map(|(name, Written(duration))| (name, duration))
            .collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_written_form_is_read_and_unknown_fields_are_refused() {
        let text = r#"
            interval = "15m"
            intervals = { group_memberships = "6h" }
            since = { tickets = "2024-01-01T00:00:00Z" }
            max_message = "2MiB"
            collections = { off = ["groups"] }
        "#;
        let config: Config = toml::from_str(text).expect("the documented form");
        assert_eq!(config.interval_of("groups"), Duration::from_secs(900));
        assert_eq!(config.interval_of("group_memberships"), Duration::from_secs(21_600));
        assert_eq!(config.since["tickets"].as_second(), 1_704_067_200);
        assert_eq!(config.max_message.as_u64(), 2 << 20);
        assert_eq!(config.account_requests_per_minute, 200);
        assert!(toml::from_str::<Config>("intervall = \"1m\"").is_err());
        let written = toml::to_string(&config).expect("it is written");
        assert_eq!(
            toml::from_str::<Config>(&written).expect("and read back").intervals,
            config.intervals
        );
    }
}
