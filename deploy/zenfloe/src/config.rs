//! The one configuration file: every crate's own configuration under a name, and the rules between them.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Duration;

use schemars::JsonSchema;
use serde::Deserialize;
use serde::de::IgnoredAny;
use toml::Spanned;
use zenfloe_loader::DestinationConfig;
use zenfloe_log_kafka::KafkaConfig;
use zenfloe_process::{AdminConfig, ExitCode, Failure, LogFormat, load_config};
use zenfloe_record::SourceName;
use zenfloe_zendesk::Auth;

/// The configuration file.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Config {
    /// The queue between the stages.
    pub(crate) log: LogConfig,
    /// Where the schemas of the clean topics are registered.
    #[serde(default)]
    pub(crate) registry: RegistryConfig,
    /// The key files.
    #[serde(default)]
    pub(crate) keys: KeysConfig,
    /// The Zendesk accounts, each under a name of your choice: lower-case letters, digits and `_`.
    #[schemars(with = "BTreeMap<String, SourceConfig>")]
    pub(crate) sources: BTreeMap<SourceName, SourceConfig>,
    /// The databases that are loaded, each under a name of your choice.
    pub(crate) destinations: BTreeMap<String, DestinationConfig>,
    /// How the loader batches.
    #[serde(default)]
    pub(crate) load: zenfloe_loader::Config,
    /// This process.
    #[serde(default)]
    pub(crate) process: ProcessConfig,
    /// The port for probes and metrics.
    #[serde(default)]
    pub(crate) admin: AdminConfig,
    /// The source that stands first in the file.
    #[serde(skip)]
    first: Option<SourceName>,
}

/// The sources by their place in the file.
#[derive(Deserialize)]
struct Order {
    #[serde(default)]
    sources: BTreeMap<Spanned<SourceName>, IgnoredAny>,
}

impl Order {
    fn first(text: &str) -> Option<SourceName> {
        let order: Self = toml::from_str(text).ok()?;
        let first = order.sources.into_keys().min_by_key(|name| name.span().start)?;
        Some(first.into_inner())
    }
}

/// The queue between the stages.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub(crate) enum LogConfig {
    /// One SQLite file, for everything on one machine.
    File(zenfloe_log_file::Config),
    /// Apache Kafka.
    Kafka(Box<KafkaConfig>),
}

/// Where the schemas of the clean topics are registered.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub(crate) enum RegistryConfig {
    /// In the file log's own file.
    #[default]
    Embedded,
    /// A Confluent-compatible registry.
    Http(zenfloe_registry::Config),
}

/// The key files that `zenfloe keys new` makes.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct KeysConfig {
    /// Seals raw values; extractor and transformer need it.
    pub(crate) seal: PathBuf,
    /// Makes tokens; the transformer needs it.
    pub(crate) token: PathBuf,
}

impl Default for KeysConfig {
    fn default() -> Self {
        Self {
            seal: "seal.key".into(),
            token: "token.key".into(),
        }
    }
}

/// One Zendesk account.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct SourceConfig {
    /// How the account is reached.
    pub(crate) zendesk: zenfloe_zendesk::Config,
    /// What is read of it, and how often.
    #[serde(default)]
    pub(crate) extract: zenfloe_extractor::Config,
    /// What is made of it.
    #[serde(default)]
    pub(crate) transform: zenfloe_transformer::Config,
}

/// What concerns the process as such.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct ProcessConfig {
    /// This process's stable name among its like; the host's name (in Kubernetes the pod's) by default.
    pub(crate) member: Option<String>,
    /// How long the batch in hand may take after SIGTERM before it is given up.
    #[serde(with = "humantime_serde")]
    #[schemars(with = "String")]
    pub(crate) drain: Duration,
    /// How log lines are written.
    pub(crate) logs: LogFormat,
}

impl Default for ProcessConfig {
    fn default() -> Self {
        Self {
            member: None,
            // Below Kafka's session time-out of 15 s, so that partitions are handed over by a living process.
            drain: Duration::from_secs(10),
            logs: LogFormat::Auto,
        }
    }
}

impl Config {
    /// Reads and checks a file; relative paths in it are relative to its folder.
    pub(crate) fn load(path: &Path) -> Result<Self, Failure> {
        let mut config: Self =
            load_config(path).map_err(|error| Failure::from_error(ExitCode::Configuration, &error))?;
        // It has just been read; should it be gone, there is no order to keep.
        let text = std::fs::read_to_string(path).unwrap_or_default();
        config.first = Order::first(&text);
        config.resolve(path.parent().unwrap_or(Path::new("")));
        config.check(path)?;
        Ok(config)
    }

    /// Makes paths relative to the folder of the file.
    fn resolve(&mut self, folder: &Path) {
        let at = |path: &mut PathBuf| *path = folder.join(&*path);
        at(&mut self.keys.seal);
        at(&mut self.keys.token);
        if let LogConfig::File(file) = &mut self.log {
            at(&mut file.path);
        }
        for source in self.sources.values_mut() {
            if let Auth::OauthLogin { tokens, .. } = &mut source.zendesk.auth {
                at(tokens);
            }
        }
        for destination in self.destinations.values_mut() {
            destination.resolve(folder);
        }
    }

    /// The rules that no crate can check alone.
    fn check(&self, path: &Path) -> Result<(), Failure> {
        let refuse = |what: &str, remedy: &str| {
            let what = format!("configuration `{}`: {what}", path.display());
            Err(Failure::new(ExitCode::Configuration, what).remedy(remedy))
        };
        if self.sources.is_empty() {
            return refuse(
                "it names no source",
                "add a table `[sources.acme.zendesk]`; `zenfloe init` shows one",
            );
        }
        match (&self.log, &self.registry) {
            (LogConfig::Kafka(_), RegistryConfig::Embedded) => refuse(
                "the embedded registry needs the file log",
                "with Kafka, set `[registry]` to `kind = \"http\"` and the `url` of your schema registry",
            ),
            (LogConfig::Kafka(kafka), _) if self.process.drain >= kafka.session_timeout => refuse(
                "`process.drain` must be shorter than `log.session_timeout`",
                "else the brokers give partitions away while this process still finishes its batch",
            ),
            _ => Ok(()),
        }
    }

    /// This process's stable name.
    pub(crate) fn member(&self) -> String {
        let host = || std::fs::read_to_string("/proc/sys/kernel/hostname").ok();
        let named = self
            .process
            .member
            .clone()
            .or_else(|| std::env::var("HOSTNAME").ok())
            .or_else(host);
        named
            .map(|name| name.trim().to_owned())
            .filter(|name| !name.is_empty())
            .unwrap_or_else(|| "local".into())
    }

    /// A destination as a source fills it: from the second source on each has a schema, or a file, of its own name.
    pub(crate) fn destination(&self, name: &str, source: &SourceName) -> DestinationConfig {
        let written = &self.destinations[name];
        match self.is_first(source) {
            true => written.clone(),
            false => written.of_source(source),
        }
    }

    /// Claims that a source has the destinations as they are written: the first one of the file. Another one that is
    /// added to the file later moves no table.
    fn is_first(&self, source: &SourceName) -> bool {
        self.sources.len() == 1 || self.first.as_ref() == Some(source)
    }

    /// This process's name among the loaders of a destination, which has one for each source.
    pub(crate) fn loader_member(&self, source: &SourceName) -> String {
        match self.is_first(source) {
            true => self.member(),
            false => format!("{}-{source}", self.member()),
        }
    }

    /// The source of a command: the one named, or the only one there is.
    pub(crate) fn source(&self, named: Option<&str>) -> Result<(&SourceName, &SourceConfig), Failure> {
        let names = || {
            self.sources
                .keys()
                .map(SourceName::as_str)
                .collect::<Vec<_>>()
                .join(", ")
        };
        let found = match named {
            Some(name) => self.sources.iter().find(|(held, _)| held.as_str() == name),
            None if self.sources.len() == 1 => self.sources.iter().next(),
            None => {
                let what = "the configuration has several sources";
                return Err(Failure::new(ExitCode::Usage, what).remedy(format!("name one with --source: {}", names())));
            }
        };
        found.ok_or_else(|| {
            let what = format!("the configuration has no source `{}`", named.unwrap_or_default());
            Failure::new(ExitCode::Usage, what).remedy(format!("it has: {}", names()))
        })
    }
}
