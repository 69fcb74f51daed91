//! Which account, who signs in, how, and how patient a session is.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Duration;

use bytesize::ByteSize;
use reqwest::Url;
use schemars::JsonSchema;
use secrecy::SecretString;
use serde::{Deserialize, Serialize};
use zenfloe_destination::{LoadError, legal_name};

use crate::error::forbidden;

/// Which account, who signs in, how, and how patient a session is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// The account's identifier, `organisation-account`, or its locator.
    pub account: String,
    /// Where the account answers, when it is not `https://<account>.snowflakecomputing.com`: a private link, a test.
    pub url: Option<String>,
    /// Who signs in.
    pub user: String,
    /// The role whose rights the session has; the user's own default without it.
    pub role: Option<String>,
    /// The warehouse that runs the statements; the user's own default without it.
    pub warehouse: Option<String>,
    /// The database, which must exist.
    pub database: String,
    /// The schema, which must exist; `[a-z_][a-z0-9_]*`, written in capitals.
    pub schema: String,
    /// What proves who signs in.
    pub authenticator: Authenticator,
    /// With `key-pair`: a PKCS#8 file in PEM, encrypted or not. Read at each sign-in, as every secret here is.
    pub private_key_file: Option<PathBuf>,
    /// With an encrypted key: a file that holds its passphrase.
    pub passphrase_file: Option<PathBuf>,
    /// With an encrypted key: the environment variable that holds its passphrase.
    pub passphrase_env: Option<String>,
    /// With `oauth` and `access-token`: a file that holds the token.
    pub token_file: Option<PathBuf>,
    /// With `oauth` and `access-token`: the environment variable that holds the token.
    pub token_env: Option<String>,
    /// The internal stage that files pass through; made where it is missing.
    pub stage: String,
    /// How rows get into a table that keeps the newest state.
    pub upsert: Upsert,
    /// Makes tables transient: no fail-safe days, which cost storage.
    pub transient: bool,
    /// Clustering keys of tables that are made, table to columns.
    pub cluster_by: BTreeMap<String, Vec<String>>,
    /// A batch of no more rows than this goes as text in one statement instead of a file.
    pub inline_rows: usize,
    /// The same in bytes of its rows.
    #[schemars(with = "String")]
    pub inline_bytes: ByteSize,
    /// Where files wait for their upload; the system's temporary folder without it.
    pub spool_folder: Option<PathBuf>,
    /// How long a statement may take. A first flush into a large table is the longest.
    #[serde(with = "humantime_serde")]
    #[schemars(with = "String")]
    pub statement_timeout: Duration,
    /// How long a transaction waits for another one's lock, and is tried again after being refused for one.
    #[serde(with = "humantime_serde")]
    #[schemars(with = "String")]
    pub lock_timeout: Duration,
    /// How long a request is sent again while the account is not reached, or says that it is busy.
    #[serde(with = "humantime_serde")]
    #[schemars(with = "String")]
    pub retry_timeout: Duration,
    /// A PEM file of authorities to trust beside the system's.
    pub ca_file: Option<PathBuf>,
}

/// What proves who signs in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Authenticator {
    /// A token signed with the user's private key.
    #[default]
    KeyPair,
    /// An OAuth access token, renewed by whoever writes its file.
    Oauth,
    /// A programmatic access token.
    AccessToken,
}

/// How rows get into a table that keeps the newest state.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Upsert {
    /// One MERGE.
    #[default]
    Merge,
    /// An UPDATE and an INSERT: for stand-ins whose MERGE does not work within a transaction.
    UpdateInsert,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            account: String::new(),
            url: None,
            user: String::new(),
            role: None,
            warehouse: None,
            database: String::new(),
            schema: "mart_zendesk".into(),
            authenticator: Authenticator::KeyPair,
            private_key_file: None,
            passphrase_file: None,
            passphrase_env: None,
            token_file: None,
            token_env: None,
            stage: "load_stage".into(),
            upsert: Upsert::Merge,
            transient: false,
            cluster_by: BTreeMap::new(),
            inline_rows: 5_000,
            // A bound text may have 16 MB; parsing it is slower than COPY above a few.
            inline_bytes: ByteSize::mib(4),
            spool_folder: None,
            statement_timeout: Duration::from_secs(600),
            lock_timeout: Duration::from_secs(120),
            retry_timeout: Duration::from_secs(120),
            ca_file: None,
        }
    }
}

/// A configuration that contradicts itself or lacks something.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ConfigError {
    /// A field without which nobody can sign in.
    #[error("`{0}` is missing")]
    Missing(&'static str),
    /// The account is not an identifier.
    #[error("`account` is the identifier alone, as in `myorg-myaccount`; another address goes into `url`")]
    Account,
    /// The address is not understood.
    #[error("`url` is not understood: write https://host")]
    Url,
    /// Two places for one secret.
    #[error("give `{0}` or `{1}`, not both")]
    Two(&'static str, &'static str),
    /// A secret that the authenticator does not use, or one that it lacks.
    #[error("`authenticator` = `{authenticator}` takes {takes}")]
    Secret {
        /// As written.
        authenticator: &'static str,
        /// What it takes.
        takes: &'static str,
    },
    /// A name that would need quoting.
    #[error("`{0}` must be made of a-z, 0-9 and _, begin with a letter or _, and have at most 63 characters")]
    Name(&'static str),
}

impl Config {
    /// Says what contradicts itself.
    pub fn check(&self) -> Result<(), ConfigError> {
        let required = [
            ("account", &self.account),
            ("user", &self.user),
            ("database", &self.database),
        ];
        if let Some((name, _)) = required.iter().find(|(_, value)| value.is_empty()) {
            return Err(ConfigError::Missing(name));
        }
        let legal = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
        if !self.account.chars().all(legal) {
            return Err(ConfigError::Account);
        }
        self.base()?;
        self.check_secrets()?;
        for (name, value) in [("schema", &self.schema), ("stage", &self.stage)] {
            if !legal_name(value) {
                return Err(ConfigError::Name(name));
            }
        }
        let clustered = self
            .cluster_by
            .iter()
            .flat_map(|(table, columns)| [table].into_iter().chain(columns));
        if clustered.into_iter().any(|name| !legal_name(name)) {
            return Err(ConfigError::Name("cluster_by"));
        }
        Ok(())
    }

    fn check_secrets(&self) -> Result<(), ConfigError> {
        if self.passphrase_file.is_some() && self.passphrase_env.is_some() {
            return Err(ConfigError::Two("passphrase_file", "passphrase_env"));
        }
        if self.token_file.is_some() && self.token_env.is_some() {
            return Err(ConfigError::Two("token_file", "token_env"));
        }
        let (has_key, has_token) = (
            self.private_key_file.is_some(),
            self.token_file.is_some() || self.token_env.is_some(),
        );
        match self.authenticator {
            Authenticator::KeyPair if !has_key || has_token => Err(ConfigError::Secret {
                authenticator: "key-pair",
                takes: "`private_key_file`, and no token",
            }),
            Authenticator::Oauth if has_key || !has_token => Err(ConfigError::Secret {
                authenticator: "oauth",
                takes: "`token_file` or `token_env`, and no private key",
            }),
            Authenticator::AccessToken if has_key || !has_token => Err(ConfigError::Secret {
                authenticator: "access-token",
                takes: "`token_file` or `token_env`, and no private key",
            }),
            _ => Ok(()),
        }
    }

    /// Where the account answers. Underscores of an account's name are hyphens in its host name:
    /// <https://docs.snowflake.com/en/user-guide/admin-account-identifier>.
    pub(crate) fn base(&self) -> Result<Url, ConfigError> {
        let host = self.account.to_ascii_lowercase().replace('_', "-");
        let url = self.url.clone();
        let url = url.unwrap_or_else(|| format!("https://{host}.snowflakecomputing.com"));
        let url = Url::parse(&url).map_err(|_| ConfigError::Url)?;
        let is_local = matches!(url.host_str(), Some("127.0.0.1" | "localhost" | "[::1]"));
        match url.scheme() {
            "https" => Ok(url),
            "http" if is_local => Ok(url),
            _ => Err(ConfigError::Url),
        }
    }

    /// The account's name as sign-in wants it: without region and cloud.
    pub(crate) fn account_name(&self) -> String {
        let account = self.account.to_ascii_uppercase();
        let end = if account.contains(".GLOBAL") { '-' } else { '.' };
        account.split(end).next().unwrap_or_default().to_owned()
    }

    pub(crate) fn passphrase(&self) -> Result<Option<SecretString>, LoadError> {
        secret(
            "passphrase_file",
            self.passphrase_file.as_deref(),
            self.passphrase_env.as_deref(),
        )
    }

    pub(crate) fn token(&self) -> Result<Option<SecretString>, LoadError> {
        secret("token_file", self.token_file.as_deref(), self.token_env.as_deref())
    }
}

fn secret(field: &str, file: Option<&Path>, variable: Option<&str>) -> Result<Option<SecretString>, LoadError> {
    if let Some(file) = file {
        let text = std::fs::read_to_string(file)
            .map_err(|error| forbidden(format!("{field} {} cannot be read: {error}", file.display())))?;
        return Ok(Some(SecretString::from(text.trim_end_matches(['\r', '\n']).to_owned())));
    }
    let Some(name) = variable else {
        return Ok(None);
    };
    let held = std::env::var(name).map_err(|_| forbidden(format!("the environment variable {name} is not set")))?;
    Ok(Some(SecretString::from(held)))
}

#[cfg(test)]
mod tests {
    use super::*;

    const BASE: &str = "account = 'myorg-acme'\nuser = 'LOADER'\ndatabase = 'ZENDESK'\n";

    fn read(text: &str) -> Config {
        toml::from_str(&format!("{BASE}{text}")).expect("the documented form")
    }

    #[test]
    fn the_documented_forms_are_taken() {
        for text in [
            "private_key_file = 'k.p8'",
            "private_key_file = 'k.p8'\npassphrase_env = 'P'\nrole = 'R'\nwarehouse = 'W'\nschema = 'acme'",
            "authenticator = 'oauth'\ntoken_file = 't'",
            "authenticator = 'access-token'\ntoken_env = 'T'\nupsert = 'update_insert'\ninline_bytes = '1MiB'",
            "private_key_file = 'k'\ntransient = true\nlock_timeout = '5s'\n[cluster_by]\ntickets = ['created_at']",
        ] {
            assert_eq!(read(text).check(), Ok(()), "{text}");
        }
        assert!(toml::from_str::<Config>("acount = 'x'").is_err());
    }

    #[test]
    fn contradictions_are_named() {
        let secret = |authenticator, takes| ConfigError::Secret { authenticator, takes };
        let token = "`token_file` or `token_env`, and no private key";
        let cases = [
            ("", secret("key-pair", "`private_key_file`, and no token")),
            (
                "authenticator = 'oauth'\nprivate_key_file = 'k'",
                secret("oauth", token),
            ),
            ("authenticator = 'access-token'", secret("access-token", token)),
            (
                "private_key_file = 'k'\npassphrase_file = 'f'\npassphrase_env = 'E'",
                ConfigError::Two("passphrase_file", "passphrase_env"),
            ),
            ("private_key_file = 'k'\nurl = 'http://acme.example'", ConfigError::Url),
            ("private_key_file = 'k'\nschema = 'Mart'", ConfigError::Name("schema")),
        ];
        for (text, expected) in cases {
            assert_eq!(read(text).check(), Err(expected), "{text}");
        }
        let mut config = read("private_key_file = 'k'");
        config.account = "https://acme.snowflakecomputing.com".into();
        assert_eq!(config.check(), Err(ConfigError::Account));
        config.account = String::new();
        assert_eq!(config.check(), Err(ConfigError::Missing("account")));
    }

    #[test]
    fn accounts_have_a_host_and_a_name() {
        for (account, host, name) in [
            ("myorg-my_acme", "myorg-my-acme.snowflakecomputing.com", "MYORG-MY_ACME"),
            (
                "xy12345.eu-central-1",
                "xy12345.eu-central-1.snowflakecomputing.com",
                "XY12345",
            ),
            (
                "xy12345-abc.global",
                "xy12345-abc.global.snowflakecomputing.com",
                "XY12345",
            ),
        ] {
            let config = Config {
                account: account.into(),
                ..Config::default()
            };
            assert_eq!(config.base().expect("an address").host_str(), Some(host));
            assert_eq!(config.account_name(), name);
        }
    }
}
