use std::borrow::Cow;
use std::collections::BTreeSet;
use std::sync::Arc;

use schemars::{JsonSchema, Schema, SchemaGenerator};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use zenfloe_destination::{Destination, Mode, Target, legal_name};
use zenfloe_postgres::Postgres;
use zenfloe_record::{SourceName, Topic};
use zenfloe_sqlite::Sqlite;

/// A destination as the configuration names it.
///
/// ```toml
/// kind = "postgres"          # or "sqlite"
/// mode = "upsert"            # the newest state of a row, or "append": every state
/// table_prefix = ""          # before each table's name
/// tables = { only = [], off = ["group_memberships"] }
/// url = "postgres://…"       # and what else this kind asks for
/// ```
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(try_from = "Written")]
pub struct DestinationConfig {
    /// What it is, with the settings of its kind.
    pub kind: Kind,
    /// Which tables it takes, and how.
    pub tables: Tables,
}

/// A kind of destination.
#[derive(Debug, Clone, PartialEq)]
pub enum Kind {
    /// One SQLite file.
    Sqlite(zenfloe_sqlite::Config),
    /// A schema of a PostgreSQL database.
    Postgres(Box<zenfloe_postgres::Config>),
}

/// Which tables a destination takes, under which names, and what they keep.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Tables {
    /// What a table keeps of a row's states.
    pub mode: Mode,
    /// What stands before each table's name.
    pub prefix: String,
    /// Which tables.
    pub selection: Selection,
}

/// A choice of tables, by the names of the source.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Selection {
    /// Only these; empty for all.
    pub only: BTreeSet<String>,
    /// All but these.
    pub off: BTreeSet<String>,
}

/// A destination that cannot be used as it is written.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ConfigError {
    /// A setting that its kind does not know, or of another type.
    #[error("{kind}: {what}")]
    Setting {
        /// The kind.
        kind: &'static str,
        /// What is not understood.
        what: String,
    },
    /// A prefix that would need quoting.
    #[error("`table_prefix` must be made of a-z, 0-9 and _, begin with a letter or _, and have at most 20 characters")]
    Prefix,
    /// PostgreSQL's settings contradict each other.
    #[error(transparent)]
    Postgres(#[from] zenfloe_postgres::ConfigError),
}

/// The flat form of the file: what all kinds share, and the rest.
#[derive(Deserialize)]
struct Written {
    kind: WrittenKind,
    #[serde(default)]
    mode: Mode,
    #[serde(default)]
    table_prefix: String,
    #[serde(default)]
    tables: Selection,
    #[serde(flatten)]
    settings: Map<String, Value>,
}

#[derive(Deserialize)]
#[serde(rename_all = "lowercase")]
enum WrittenKind {
    Sqlite,
    Postgres,
}

/// The same with the settings of each kind, for the configuration reference.
#[derive(JsonSchema)]
#[serde(tag = "kind", rename_all = "lowercase")]
#[expect(dead_code, reason = "it is described, never made")]
enum Described {
    /// One SQLite file.
    Sqlite(Shared<zenfloe_sqlite::Config>),
    /// A schema of a PostgreSQL database.
    Postgres(Box<Shared<zenfloe_postgres::Config>>),
}

/// What all kinds share, and the settings of one.
#[derive(JsonSchema)]
#[expect(dead_code, reason = "it is described, never made")]
struct Shared<C> {
    /// What a table keeps of a row's states.
    #[serde(default)]
    mode: Mode,
    /// What stands before each table's name: `[a-z_][a-z0-9_]*`, at most 20 characters.
    #[serde(default)]
    table_prefix: String,
    /// Which tables.
    #[serde(default)]
    tables: Selection,
    #[serde(flatten)]
    settings: C,
}

impl JsonSchema for DestinationConfig {
    fn schema_name() -> Cow<'static, str> {
        "Destination".into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        Described::json_schema(generator)
    }
}

impl TryFrom<Written> for DestinationConfig {
    type Error = ConfigError;

    fn try_from(written: Written) -> Result<Self, ConfigError> {
        let kind = match written.kind {
            WrittenKind::Sqlite => Kind::Sqlite(settings("sqlite", written.settings)?),
            WrittenKind::Postgres => Kind::Postgres(Box::new(settings("postgres", written.settings)?)),
        };
        let prefix = written.table_prefix;
        if !prefix.is_empty() && (!legal_name(&prefix) || prefix.len() > 20) {
            return Err(ConfigError::Prefix);
        }
        if let Kind::Postgres(config) = &kind {
            config.check()?;
        }
        let tables = Tables {
            mode: written.mode,
            prefix,
            selection: written.tables,
        };
        Ok(Self { kind, tables })
    }
}

fn settings<C: serde::de::DeserializeOwned>(kind: &'static str, held: Map<String, Value>) -> Result<C, ConfigError> {
    serde_json::from_value(Value::Object(held)).map_err(|error| ConfigError::Setting {
        kind,
        what: error.to_string(),
    })
}

impl DestinationConfig {
    /// A SQLite file with everything as it is by default.
    pub fn sqlite(config: zenfloe_sqlite::Config) -> Self {
        Self {
            kind: Kind::Sqlite(config),
            tables: Tables::default(),
        }
    }

    /// Makes the destination; nothing is opened yet.
    pub fn build(&self) -> Result<Arc<dyn Destination>, ConfigError> {
        Ok(match &self.kind {
            Kind::Sqlite(config) => Arc::new(Sqlite::new(config.clone())),
            Kind::Postgres(config) => Arc::new(Postgres::new((**config).clone())?),
        })
    }

    /// The same for a source beside the first one: a schema, or a file, of the source's name.
    #[must_use]
    pub fn of_source(&self, source: &SourceName) -> Self {
        let mut config = self.clone();
        match &mut config.kind {
            Kind::Sqlite(sqlite) => {
                let extension = sqlite.path.extension().unwrap_or_default().to_owned();
                sqlite.path.set_file_name(source.as_str());
                sqlite.path.set_extension(extension);
            }
            Kind::Postgres(postgres) => source.as_str().clone_into(&mut postgres.schema),
        }
        config
    }

    /// What it is, for people; never a secret.
    pub fn describe(&self) -> String {
        match &self.kind {
            Kind::Sqlite(config) => format!("sqlite {}", config.path.display()),
            Kind::Postgres(config) => format!("postgres, schema {}", config.schema),
        }
    }
}

impl Tables {
    /// Claims that a table of the source is loaded.
    pub fn takes(&self, table: &str) -> bool {
        let Selection { only, off } = &self.selection;
        (only.is_empty() || only.contains(table)) && !off.contains(table)
    }

    /// A table as the destination calls it.
    pub fn target(&self, table: &str) -> Target {
        Target {
            table: format!("{}{table}", self.prefix).into(),
            mode: self.mode,
        }
    }

    /// Those of a source's topics that are loaded.
    pub(crate) fn of<'t>(&self, source: &SourceName, topics: &'t [String]) -> Vec<&'t str> {
        let wanted = |topic: &&str| Topic::table_of(source, topic).is_some_and(|table| self.takes(table));
        topics.iter().map(String::as_str).filter(wanted).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<DestinationConfig, String> {
        toml::from_str(text).map_err(|error| error.to_string())
    }

    #[test]
    fn destinations_are_read_by_their_kind() {
        let file = read("kind = 'sqlite'\npath = '/data/w.sqlite'\nbusy = '3s'").expect("a file");
        assert_eq!(
            (file.tables.mode, file.describe().as_str()),
            (Mode::Upsert, "sqlite /data/w.sqlite")
        );
        let postgres = read(
            "kind = 'postgres'\nurl = 'postgres://zf@h/d'\nschema = 'mart'\nmode = 'append'\ntable_prefix = 'zd_'
            tables = { off = ['groups'] }",
        )
        .expect("a schema");
        assert_eq!(postgres.tables.target("users").table.as_ref(), "zd_users");
        assert_eq!(postgres.tables.target("users").mode, Mode::Append);
        assert!(postgres.tables.takes("users") && !postgres.tables.takes("groups"));
        assert!(postgres.build().is_ok());
    }

    #[test]
    fn what_a_kind_does_not_know_is_refused_by_name() {
        let cases = [
            ("kind = 'sqlite'\nurl = 'x'", "url"),
            ("kind = 'postgres'\nurl = 'postgres://zf@h/d'\npath = 'x'", "path"),
            ("kind = 'postgres'", "url"),
            ("kind = 'oracle'", "oracle"),
            ("kind = 'sqlite'\ntable_prefix = 'A'", "table_prefix"),
            ("kind = 'sqlite'\ntables = { of = [] }", "of"),
            ("path = 'x'", "kind"),
        ];
        for (text, expected) in cases {
            let error = read(text).expect_err(text);
            assert!(error.contains(expected), "{text}: {error}");
        }
    }

    #[test]
    fn a_second_source_has_a_place_of_its_own() {
        let source = SourceName::new("acme_eu").expect("a legal name");
        let file = read("kind = 'sqlite'\npath = '/data/w.sqlite'")
            .expect("a file")
            .of_source(&source);
        assert_eq!(file.describe(), "sqlite /data/acme_eu.sqlite");
        let postgres = read("kind = 'postgres'\nurl = 'postgres://zf@h/d'")
            .expect("a schema")
            .of_source(&source);
        assert_eq!(postgres.describe(), "postgres, schema acme_eu");
    }
}
