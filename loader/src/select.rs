use std::borrow::Cow;
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
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
/// kind = "postgres"          # or "sqlite", "snowflake"
/// mode = "upsert"            # the newest state of a row, or "append": every state
/// deleted = "kept"           # of deleted rows everything, or "emptied": key and version alone
/// table_prefix = ""          # before each table's name
/// table_suffix = ""          # after it: a destination of its own with mode "append" and "_history" keeps every state
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
    /// A schema of a Snowflake account.
    #[cfg(feature = "snowflake")]
    Snowflake(Box<zenfloe_snowflake::Config>),
}

/// Which tables a destination takes, under which names, and what they keep.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Tables {
    /// What a table keeps of a row's states.
    pub mode: Mode,
    /// What it keeps of a row that is deleted.
    pub deleted: Deleted,
    /// What stands before each table's name.
    pub prefix: String,
    /// What stands after it.
    pub suffix: String,
    /// Which tables.
    pub selection: Selection,
}

/// What a table keeps of a row that Zendesk calls deleted and still tells, as a ticket in the bin.
///
/// A row that is gone for good, or erased, keeps its key and version alone in any case.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Deleted {
    /// Everything, marked as deleted.
    #[default]
    Kept,
    /// Its key and version alone.
    Emptied,
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
    /// A suffix that would need quoting.
    #[error("`table_suffix` must be made of a-z, 0-9 and _, and have at most 20 characters")]
    Suffix,
    /// PostgreSQL's settings contradict each other.
    #[error(transparent)]
    Postgres(#[from] zenfloe_postgres::ConfigError),
    /// Snowflake's settings contradict each other.
    #[cfg(feature = "snowflake")]
    #[error(transparent)]
    Snowflake(#[from] zenfloe_snowflake::ConfigError),
    /// This build does without the kind.
    #[error(
        "this program was built without `{kind}`: build it with `cargo build --release --features {kind}`, or take the image"
    )]
    NotBuilt {
        /// The kind.
        kind: &'static str,
    },
    /// It cannot even be begun, for a file that it names.
    #[error("{what}")]
    Unusable {
        /// Which, and why.
        what: String,
    },
}

/// The flat form of the file: the kind, what all kinds share, and the rest.
#[derive(Deserialize)]
struct Written {
    kind: WrittenKind,
    #[serde(flatten)]
    shared: Shared<Map<String, Value>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "lowercase")]
enum WrittenKind {
    Sqlite,
    Postgres,
    Snowflake,
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
    /// A schema of a Snowflake account; in the image, and where the program is built with `--features snowflake`.
    #[cfg(feature = "snowflake")]
    Snowflake(Box<Shared<zenfloe_snowflake::Config>>),
}

/// What all kinds share, and the settings of one.
#[derive(Deserialize, JsonSchema)]
struct Shared<C> {
    /// What a table keeps of a row's states.
    #[serde(default)]
    mode: Mode,
    /// What a table keeps of a row that Zendesk calls deleted and still tells, as a ticket in the bin: everything, marked
    /// as deleted (`kept`), or key and version alone (`emptied`). Rows that were loaded before stay as they are.
    #[serde(default)]
    deleted: Deleted,
    /// What stands before each table's name: `[a-z_][a-z0-9_]*`, at most 20 characters.
    #[serde(default)]
    table_prefix: String,
    /// What stands after it: `[a-z0-9_]*`, at most 20 characters. A second destination of the same place with `mode =
    /// "append"` and `table_suffix = "_history"` keeps every state of the tables that it names.
    #[serde(default)]
    table_suffix: String,
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

    fn try_from(Written { kind, shared }: Written) -> Result<Self, ConfigError> {
        let kind = match kind {
            WrittenKind::Sqlite => Kind::Sqlite(settings("sqlite", shared.settings)?),
            WrittenKind::Postgres => Kind::Postgres(Box::new(settings("postgres", shared.settings)?)),
            WrittenKind::Snowflake => snowflake(shared.settings)?,
        };
        let prefix = shared.table_prefix;
        if !prefix.is_empty() && (!legal_name(&prefix) || prefix.len() > 20) {
            return Err(ConfigError::Prefix);
        }
        let suffix = shared.table_suffix;
        if !legal_name(&format!("t{suffix}")) || suffix.len() > 20 {
            return Err(ConfigError::Suffix);
        }
        kind.check()?;
        let tables = Tables {
            mode: shared.mode,
            deleted: shared.deleted,
            prefix,
            suffix,
            selection: shared.tables,
        };
        Ok(Self { kind, tables })
    }
}

#[cfg(feature = "snowflake")]
fn snowflake(held: Map<String, Value>) -> Result<Kind, ConfigError> {
    Ok(Kind::Snowflake(Box::new(settings("snowflake", held)?)))
}

#[cfg(not(feature = "snowflake"))]
fn snowflake(_: Map<String, Value>) -> Result<Kind, ConfigError> {
    Err(ConfigError::NotBuilt { kind: "snowflake" })
}

impl Kind {
    /// The rules of its kind.
    fn check(&self) -> Result<(), ConfigError> {
        match self {
            Self::Sqlite(_) => {}
            Self::Postgres(config) => config.check()?,
            #[cfg(feature = "snowflake")]
            Self::Snowflake(config) => config.check()?,
        }
        Ok(())
    }

    /// The files that it names.
    fn files(&mut self) -> Vec<&mut PathBuf> {
        match self {
            Self::Sqlite(config) => vec![&mut config.path],
            Self::Postgres(config) => [&mut config.password_file, &mut config.ca_file]
                .into_iter()
                .flatten()
                .collect(),
            #[cfg(feature = "snowflake")]
            Self::Snowflake(config) => [
                &mut config.private_key_file,
                &mut config.passphrase_file,
                &mut config.token_file,
                &mut config.ca_file,
                &mut config.spool_folder,
            ]
            .into_iter()
            .flatten()
            .collect(),
        }
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
            #[cfg(feature = "snowflake")]
            Kind::Snowflake(config) => {
                let made = zenfloe_snowflake::Snowflake::new((**config).clone());
                Arc::new(made.map_err(|error| ConfigError::Unusable {
                    what: error.to_string(),
                })?)
            }
        })
    }

    /// Makes the paths of files relative to a folder.
    pub fn resolve(&mut self, folder: &Path) {
        for file in self.kind.files() {
            *file = folder.join(&*file);
        }
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
            #[cfg(feature = "snowflake")]
            Kind::Snowflake(snowflake) => source.as_str().clone_into(&mut snowflake.schema),
        }
        config
    }

    /// What it is, for people; never a secret.
    pub fn describe(&self) -> String {
        match &self.kind {
            Kind::Sqlite(config) => format!("sqlite {}", config.path.display()),
            Kind::Postgres(config) => format!("postgres, schema {}", config.schema),
            #[cfg(feature = "snowflake")]
            Kind::Snowflake(config) => format!("snowflake {}, {}.{}", config.account, config.database, config.schema),
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
            table: format!("{}{table}{}", self.prefix, self.suffix).into(),
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
            "kind = 'postgres'\nurl = 'postgres://zf@h/d'\nschema = 'mart'\nmode = 'append'\ndeleted = 'emptied'\ntable_prefix = 'zd_'
            table_suffix = '_history'
            tables = { off = ['groups'] }",
        )
        .expect("a schema");
        assert_eq!(postgres.tables.target("users").table.as_ref(), "zd_users_history");
        assert_eq!(postgres.tables.target("users").mode, Mode::Append);
        assert_eq!(
            (file.tables.deleted, postgres.tables.deleted),
            (Deleted::Kept, Deleted::Emptied)
        );
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
            ("kind = 'sqlite'\ntable_suffix = '-h'", "table_suffix"),
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

    #[test]
    fn files_are_found_from_the_folder_of_the_configuration() {
        let mut file = read("kind = 'sqlite'\npath = 'w.sqlite'").expect("a file");
        file.resolve(Path::new("/etc/zenfloe"));
        assert_eq!(file.describe(), "sqlite /etc/zenfloe/w.sqlite");
    }

    #[cfg(feature = "snowflake")]
    #[test]
    fn snowflake_is_read_where_it_is_built_in() {
        let text = "kind = 'snowflake'\naccount = 'myorg-acme'\nuser = 'LOADER'\ndatabase = 'ZENDESK'";
        let mut config = read(&format!("{text}\nprivate_key_file = 'k.p8'\ninline_bytes = '1MiB'")).expect("a schema");
        assert_eq!(config.describe(), "snowflake myorg-acme, ZENDESK.mart_zendesk");
        assert!(config.build().is_ok());
        config.resolve(Path::new("/etc/zenfloe"));
        let Kind::Snowflake(snowflake) = &config.kind else {
            panic!("{config:?}")
        };
        assert_eq!(
            snowflake.private_key_file.as_deref(),
            Some(Path::new("/etc/zenfloe/k.p8"))
        );
        assert!(read(text).expect_err("no key").contains("private_key_file"));
        assert!(
            read(&format!("{text}\nacount = 'x'"))
                .expect_err("no such setting")
                .contains("acount")
        );
    }

    #[cfg(not(feature = "snowflake"))]
    #[test]
    fn a_build_without_snowflake_says_so() {
        let error = read("kind = 'snowflake'\naccount = 'x'").expect_err("not built in");
        assert!(error.contains("--features snowflake"), "{error}");
    }
}
