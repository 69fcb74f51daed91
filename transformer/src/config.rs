use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use bytesize::ByteSize;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use zenfloe_catalog::Action;

/// How records of one source become rows.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// Columns that never leave the transformer, as `table.column`; `*` stands for any letters, so that
    /// `ticket_slas.*` is a whole table. Columns of custom fields are named `custom_…`, as in `tickets.custom_*`.
    pub exclude: BTreeSet<String>,
    /// The columns that leave the transformer, written alike; all where none is named. A table that no pattern names
    /// is left out, the key of one that is named stays, and columns that a later release adds are not there until they
    /// are named. What `exclude` names is taken out of these.
    pub include: BTreeSet<String>,
    /// Whether a custom field has a column that neither `include` nor `actions` names.
    pub new_fields: NewFields,
    /// Other treatments than the catalog's, as `table.column`: `{ "users.name" = "drop" }`. A treatment
    /// that shows more than the catalog's own names its reason:
    /// `{ "users.locale" = { action = "clear", reason = "needed by the routing report" } }`. Of custom fields texts are
    /// redacted and the rest is clear; what an action cannot be done to (a token of a number) is dropped.
    pub actions: BTreeMap<String, Treatment>,
    /// The countries in whose national form telephone numbers are written, as in ISO 3166: `["US"]`. Columns
    /// are read by the first; without one only numbers that begin with `+` are recognised.
    pub regions: Vec<String>,
    /// Records of one commit.
    pub batch_records: usize,
    /// Bytes of sealed records of one commit; with what they become this bounds the memory.
    #[schemars(with = "String")]
    pub batch_bytes: ByteSize,
    /// How long a batch that is not full waits for more records.
    #[serde(with = "humantime_serde")]
    #[schemars(with = "String")]
    pub linger: Duration,
    /// The largest message of a topic that is made here.
    #[schemars(with = "String")]
    pub max_message: ByteSize,
    /// Collections whose raw topic was deleted and made again, and was meant to: it is transformed from its beginning.
    pub accept_recreated: BTreeSet<String>,
    /// How long dead letters are kept in a dead topic that is made here.
    #[serde(with = "humantime_serde")]
    #[schemars(with = "String")]
    pub dead_retention: Duration,
}

/// What becomes of custom fields that the configuration does not name.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum NewFields {
    /// They are columns.
    #[default]
    Allow,
    /// They are left out.
    Block,
}

/// What happens to a column instead of the catalog's own action.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(untagged)]
pub enum Treatment {
    /// This action; it must not show more than the catalog's.
    Plain(#[schemars(with = "String")] Action),
    /// This action, whatever the catalog says.
    Reasoned(Reasoned),
}

/// A treatment that may show more than the catalog's, and why.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Reasoned {
    /// What happens to the column.
    #[schemars(with = "String")]
    pub action: Action,
    /// Why; for whoever reads the configuration next.
    pub reason: String,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            exclude: BTreeSet::new(),
            include: BTreeSet::new(),
            new_fields: NewFields::Allow,
            actions: BTreeMap::new(),
            regions: Vec::new(),
            // A transaction costs some 25 ms on Kafka, a record some 10 µs.
            batch_records: 2_000,
            batch_bytes: ByteSize::mib(4),
            linger: Duration::from_millis(50),
            max_message: ByteSize::mib(5),
            accept_recreated: BTreeSet::new(),
            dead_retention: Duration::from_secs(30 * 86_400),
        }
    }
}

impl Treatment {
    /// What happens to the column.
    pub fn action(&self) -> Action {
        match self {
            Self::Plain(action) | Self::Reasoned(Reasoned { action, .. }) => *action,
        }
    }

    /// Claims that it may show more than the catalog's own action.
    pub(crate) fn is_reasoned(&self) -> bool {
        matches!(self, Self::Reasoned(held) if !held.reason.trim().is_empty())
    }
}

/// A size as a number of bytes in memory.
pub(crate) fn bytes(size: ByteSize) -> usize {
    usize::try_from(size.as_u64()).unwrap_or(usize::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_written_form_is_read_and_unknown_fields_are_refused() {
        let text = r#"
            exclude = ["users.notes", "ticket_slas.*"]
            regions = ["US"]
            batch_bytes = "1MiB"
            linger = "20ms"
            [actions]
            "users.name" = "drop"
            "users.locale" = { action = "clear", reason = "the routing report" }
        "#;
        let config: Config = toml::from_str(text).expect("the documented form");
        assert_eq!(config.actions["users.name"].action(), Action::Drop);
        assert!(config.actions["users.locale"].is_reasoned());
        assert_eq!(config.linger, Duration::from_millis(20));
        assert_eq!(bytes(config.batch_bytes), 1 << 20);
        assert!(toml::from_str::<Config>("exclud = []").is_err());
        let wrong = "actions = { \"users.name\" = \"hide\" }";
        assert!(toml::from_str::<Config>(wrong).is_err());
        let written = toml::to_string(&config).expect("it is written");
        assert_eq!(toml::from_str::<Config>(&written).expect("and read back"), config);
    }
}
