use std::path::PathBuf;
use std::time::Duration;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use tokio_postgres::config::{Host, SslMode};
use zenfloe_destination::{LoadError, legal_name};

use crate::error::forbidden;

/// Which database, who signs in, and how patient a session is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// `postgres://user@host:port/database` or `host=… user=…`, without a password; the alternative to `host`, `port`, `user` and `database`.
    pub url: Option<String>,
    /// The server's name or address, or the folder of its socket.
    pub host: Option<String>,
    /// The server's port.
    pub port: u16,
    /// Who signs in.
    pub user: Option<String>,
    /// The database, which must exist.
    pub database: Option<String>,
    /// The schema, made if it is missing; `[a-z_][a-z0-9_]*`.
    pub schema: String,
    /// A file that holds the password; read at each sign-in, so that it may be changed while the loader runs.
    pub password_file: Option<PathBuf>,
    /// The environment variable that holds the password.
    pub password_env: Option<String>,
    /// What is asked of the connection. It counts, whatever `url` says of `sslmode`.
    pub tls: Tls,
    /// A PEM file of the authorities to trust instead of the system's.
    pub ca_file: Option<PathBuf>,
    /// How long a sign-in may take.
    #[serde(with = "humantime_serde")]
    #[schemars(with = "String")]
    pub connect_timeout: Duration,
    /// How long a statement may take. A first flush into a large table is the longest.
    #[serde(with = "humantime_serde")]
    #[schemars(with = "String")]
    pub statement_timeout: Duration,
    /// How long a statement waits for another session's lock.
    #[serde(with = "humantime_serde")]
    #[schemars(with = "String")]
    pub lock_timeout: Duration,
}

/// What is asked of a connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Tls {
    /// Clear text.
    Disable,
    /// Encrypted; whoever answers is taken for the server.
    Require,
    /// Encrypted, with a certificate that a trusted authority issued for the server's name.
    #[default]
    Verify,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            url: None,
            host: None,
            port: 5432,
            user: None,
            database: None,
            schema: "mart_zendesk".into(),
            password_file: None,
            password_env: None,
            tls: Tls::Verify,
            ca_file: None,
            connect_timeout: Duration::from_secs(15),
            statement_timeout: Duration::from_secs(600),
            // An erasure or another loader's flush may hold the lock so long.
            lock_timeout: Duration::from_secs(120),
        }
    }
}

/// A configuration that contradicts itself or lacks something.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ConfigError {
    /// Neither or both of two alternatives.
    #[error("give either `url`, or `host`, `user` and `database`")]
    Address,
    /// The address is not understood.
    #[error("`url` is not understood: write postgres://user@host:port/database")]
    Url,
    /// A secret stands in the file.
    #[error(
        "`url` holds a password: put it into a file and name that in `password_file`, or in `password_env` a variable"
    )]
    PasswordInUrl,
    /// Two places for one password.
    #[error("give `password_file` or `password_env`, not both")]
    TwoPasswords,
    /// A name that would need quoting.
    #[error("`schema` must be made of a-z, 0-9 and _, begin with a letter or _, and have at most 63 characters")]
    Schema,
}

impl Config {
    /// Says what contradicts itself.
    pub fn check(&self) -> Result<(), ConfigError> {
        if self.password_file.is_some() && self.password_env.is_some() {
            return Err(ConfigError::TwoPasswords);
        }
        if !legal_name(&self.schema) {
            return Err(ConfigError::Schema);
        }
        let address = self.address()?;
        if address.get_password().is_some() {
            return Err(ConfigError::PasswordInUrl);
        }
        Ok(())
    }

    fn address(&self) -> Result<tokio_postgres::Config, ConfigError> {
        match (&self.url, &self.host, &self.user, &self.database) {
            (Some(url), None, None, None) => url.parse().map_err(|_| ConfigError::Url),
            (None, Some(host), Some(user), Some(database)) => {
                let mut address = tokio_postgres::Config::new();
                address.host(host).port(self.port).user(user).dbname(database);
                Ok(address)
            }
            _ => Err(ConfigError::Address),
        }
    }

    /// What the driver is told, password included.
    pub(crate) fn driver(&self) -> Result<tokio_postgres::Config, LoadError> {
        let mut driver = self.address().map_err(|error| forbidden(error.to_string()))?;
        let ssl_mode = self.ssl_mode(&driver);
        driver
            .application_name("zenfloe-load")
            .connect_timeout(self.connect_timeout)
            .tcp_user_timeout(Duration::from_secs(60))
            .keepalives_idle(Duration::from_secs(30))
            .ssl_mode(ssl_mode);
        if let Some(password) = self.password()? {
            driver.password(password);
        }
        Ok(driver)
    }

    /// A socket's folder is on this machine and speaks no TLS.
    fn ssl_mode(&self, driver: &tokio_postgres::Config) -> SslMode {
        let is_local = |host: &Host| matches!(host, Host::Unix(_));
        match self.tls {
            Tls::Disable => SslMode::Disable,
            _ if driver.get_hosts().iter().all(is_local) => SslMode::Disable,
            Tls::Require | Tls::Verify => SslMode::Require,
        }
    }

    fn password(&self) -> Result<Option<String>, LoadError> {
        if let Some(file) = &self.password_file {
            let text = std::fs::read_to_string(file)
                .map_err(|error| forbidden(format!("password_file {} cannot be read: {error}", file.display())))?;
            return Ok(Some(text.trim_end_matches(['\r', '\n']).to_owned()));
        }
        let Some(name) = &self.password_env else {
            return Ok(None);
        };
        let held = std::env::var(name).map_err(|_| forbidden(format!("the environment variable {name} is not set")))?;
        Ok(Some(held))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Config {
        toml::from_str(text).expect("the documented form")
    }

    #[test]
    fn addresses_are_taken_in_both_forms() {
        for text in [
            "url = 'postgres://zf@db.example.org:5433/mart'",
            "url = 'host=/run/postgresql user=zf dbname=mart'",
            "host = 'db.example.org'\nuser = 'zf'\ndatabase = 'mart'\nschema = 'acme'\ntls = 'require'\nlock_timeout = '5s'",
        ] {
            assert_eq!(read(text).check(), Ok(()), "{text}");
        }
        assert!(toml::from_str::<Config>("hots = 'x'").is_err());
    }

    #[test]
    fn contradictions_are_named() {
        let cases = [
            ("", ConfigError::Address),
            ("url = 'postgres://zf@h/d'\nhost = 'h'", ConfigError::Address),
            ("host = 'h'\nuser = 'zf'", ConfigError::Address),
            ("url = 'http://h'", ConfigError::Url),
            ("url = 'postgres://zf:secret@h/d'", ConfigError::PasswordInUrl),
            ("url = 'postgres://zf@h/d'\nschema = 'Mart'", ConfigError::Schema),
            (
                "url = 'postgres://zf@h/d'\npassword_file = 'f'\npassword_env = 'E'",
                ConfigError::TwoPasswords,
            ),
        ];
        for (text, expected) in cases {
            assert_eq!(read(text).check(), Err(expected), "{text}");
        }
    }

    #[test]
    fn a_socket_speaks_no_tls_and_a_server_must() {
        let mode = |text: &str| read(text).driver().expect("complete").get_ssl_mode();
        assert_eq!(mode("url = 'host=/run/postgresql user=zf'"), SslMode::Disable);
        assert_eq!(mode("url = 'postgres://zf@h/d?sslmode=disable'"), SslMode::Require);
        assert_eq!(mode("url = 'postgres://zf@h/d'\ntls = 'disable'"), SslMode::Disable);
    }

    #[test]
    fn a_missing_secret_is_named() {
        let error = |text: &str| read(text).driver().expect_err("no password").to_string();
        assert!(error("url = 'postgres://zf@h/d'\npassword_file = '/absent'").contains("/absent"));
        assert!(error("url = 'postgres://zf@h/d'\npassword_env = 'ZENFLOE_ABSENT'").contains("ZENFLOE_ABSENT"));
    }
}
