use std::path::PathBuf;
use std::time::Duration;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Where the file is and how it is treated.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// The file; made with its folder if it is missing.
    pub path: PathBuf,
    /// What a commit outlives.
    pub durability: Durability,
    /// How long a reader keeps its partitions when its process says nothing any more.
    #[serde(with = "humantime_serde")]
    #[schemars(with = "String")]
    pub session: Duration,
    /// How long a transaction waits for another process that writes to the file.
    #[serde(with = "humantime_serde")]
    #[schemars(with = "String")]
    pub busy: Duration,
    /// The time between two rounds of retention and compaction.
    #[serde(with = "humantime_serde")]
    #[schemars(with = "String")]
    pub clean_every: Duration,
    /// Compacted topics keep every record for this long (by its timestamp), so that readers see all versions.
    #[serde(with = "humantime_serde")]
    #[schemars(with = "String")]
    pub compact_after: Duration,
}

/// What a commit outlives.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Durability {
    /// A power cut: every commit waits for the disk, some milliseconds.
    #[default]
    Power,
    /// The end of the process. For trials: a destination may be ahead of the log after a power cut.
    Process,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            path: PathBuf::from("log.sqlite"),
            durability: Durability::default(),
            session: Duration::from_secs(10),
            busy: Duration::from_secs(30),
            clean_every: Duration::from_secs(60),
            compact_after: Duration::from_secs(3_600),
        }
    }
}

impl Config {
    /// The defaults for a file.
    pub fn new(path: impl Into<PathBuf>) -> Self {
        Self {
            path: path.into(),
            ..Self::default()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_written_form_is_read_and_unknown_fields_are_refused() {
        let config: Config = toml::from_str("path = 'a.sqlite'\nsession = '3s'\ndurability = 'process'").expect("read");
        assert_eq!(
            (config.session, config.durability),
            (Duration::from_secs(3), Durability::Process)
        );
        assert_eq!(config.busy, Config::default().busy);
        assert!(toml::from_str::<Config>("file = 'a.sqlite'").is_err());
        let written = toml::to_string(&config).expect("written");
        assert_eq!(toml::from_str::<Config>(&written).expect("read back"), config);
    }
}
