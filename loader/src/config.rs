use std::time::Duration;

use bytesize::ByteSize;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// When flushes happen, and how much may be in hand.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// Time between flushes. The ticks are multiples of it since 1970, the same for all loaders, so that a warehouse
    /// that sleeps between flushes wakes once for all tables.
    #[serde(with = "humantime_serde")]
    #[schemars(with = "String")]
    pub flush_interval: Duration,
    /// Flush before the tick when so many rows are in hand, of all tables together.
    pub flush_rows: usize,
    /// Flush before the tick when rows in hand take so much memory, of all tables together.
    #[schemars(with = "String")]
    pub flush_size: ByteSize,
    /// Flush before the tick when the files in which rows wait take so much, of all tables together. Only Snowflake's
    /// rows wait in files; what `flush_size` does not hold goes there.
    #[schemars(with = "String")]
    pub flush_file: ByteSize,
    /// How often new topics are looked for.
    #[serde(with = "humantime_serde")]
    #[schemars(with = "String")]
    pub discover: Duration,
    /// The longest wait between two attempts while a log, registry or destination is away.
    #[serde(with = "humantime_serde")]
    #[schemars(with = "String")]
    pub longest_wait: Duration,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            flush_interval: Duration::from_secs(60),
            flush_rows: 100_000,
            // With the client's own queues this keeps a loader below 64 MB.
            flush_size: ByteSize::mib(8),
            flush_file: ByteSize::mib(64),
            discover: Duration::from_secs(30),
            longest_wait: Duration::from_secs(10),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_written_form_is_read_and_unknown_fields_are_refused() {
        let config: Config =
            toml::from_str("flush_interval = '5m'\nflush_size = '64MiB'").expect("the documented form");
        assert_eq!(
            (config.flush_interval.as_secs(), config.flush_size.as_u64()),
            (300, 64 << 20)
        );
        assert_eq!(config.flush_rows, 100_000);
        assert!(toml::from_str::<Config>("flush_intervall = '1m'").is_err());
    }
}
