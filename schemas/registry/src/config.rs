use std::path::PathBuf;
use std::time::Duration;

use reqwest::{Certificate, Url};
use schemars::JsonSchema;
use secrecy::SecretString;
use serde::{Deserialize, Serialize};

use crate::RegistryError;
use crate::error::broken;

/// Where a Confluent-compatible registry is, and how to sign in.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// Its address, with the path under which it speaks Confluent's protocol.
    pub url: String,
    /// The user, or the API key.
    #[serde(default)]
    pub user: Option<String>,
    /// The file that holds the password, or the API key's secret; a newline at its end is dropped.
    #[serde(default)]
    pub password_file: Option<PathBuf>,
    /// The environment variable that holds it.
    #[serde(default)]
    pub password_env: Option<String>,
    /// The file with the certificates to trust (PEM), instead of the system's.
    #[serde(default)]
    pub ca_file: Option<PathBuf>,
    /// How long one request may take.
    #[serde(default = "timeout", with = "humantime_serde")]
    #[schemars(with = "String")]
    pub timeout: Duration,
}

fn timeout() -> Duration {
    Duration::from_secs(10)
}

impl Config {
    /// An open registry.
    pub fn new(url: impl Into<String>) -> Self {
        Self {
            url: url.into(),
            user: None,
            password_file: None,
            password_env: None,
            ca_file: None,
            timeout: timeout(),
        }
    }

    /// The address without a slash at its end.
    pub(crate) fn base(&self) -> Result<Url, RegistryError> {
        let refuse = |why: &str| broken(format!("`url`: {why}"));
        let mut url: Url = self.url.parse().map_err(|error| refuse(&format!("{error}")))?;
        if !matches!(url.scheme(), "http" | "https") || !url.has_host() {
            return Err(refuse("it must begin with http:// or https://"));
        }
        if !url.username().is_empty() || url.password().is_some() {
            return Err(refuse("give `user` and `password_file` instead of credentials in it"));
        }
        if url.query().is_some() || url.fragment().is_some() {
            return Err(refuse("it must end with its path"));
        }
        let path = url.path().trim_end_matches('/').to_owned();
        url.set_path(&path);
        Ok(url)
    }

    /// User and password, when there is to be a sign-in.
    pub(crate) fn credentials(&self) -> Result<Option<(String, SecretString)>, RegistryError> {
        match (&self.user, self.password()?) {
            (Some(user), Some(password)) => Ok(Some((user.clone(), password))),
            (None, None) => Ok(None),
            _ => Err(broken(
                "`user` and one of `password_file` and `password_env` belong together",
            )),
        }
    }

    fn password(&self) -> Result<Option<SecretString>, RegistryError> {
        let (place, text) = match (&self.password_file, &self.password_env) {
            (None, None) => return Ok(None),
            (Some(_), Some(_)) => return Err(broken("give one of `password_file` and `password_env`")),
            (Some(file), None) => {
                let text = std::fs::read_to_string(file).map_err(|error| error.to_string());
                (file.display().to_string(), text)
            }
            (None, Some(name)) => (
                format!("${name}"),
                std::env::var(name).map_err(|error| error.to_string()),
            ),
        };
        let text = text.and_then(|text| match text.trim_end_matches(['\r', '\n']) {
            "" => Err("it is empty".into()),
            text => Ok(SecretString::from(text)),
        });
        text.map(Some)
            .map_err(|why| broken(format!("the password in {place} cannot be read: {why}")))
    }

    /// The certificates to trust, when they are not the system's.
    pub(crate) fn certificates(&self) -> Result<Option<Vec<Certificate>>, RegistryError> {
        let Some(file) = &self.ca_file else { return Ok(None) };
        let unreadable = |why: String| broken(format!("`ca_file` {} cannot be used: {why}", file.display()));
        let text = std::fs::read(file).map_err(|error| unreadable(error.to_string()))?;
        let certificates = Certificate::from_pem_bundle(&text).map_err(|error| unreadable(error.to_string()))?;
        match certificates.is_empty() {
            true => Err(unreadable("it holds no certificate".into())),
            false => Ok(Some(certificates)),
        }
    }
}

#[cfg(test)]
mod tests {
    use secrecy::ExposeSecret;

    use super::*;

    #[test]
    fn the_written_form_is_read_and_unknown_fields_are_refused() {
        let text = "url = 'https://r.example/apis/ccompat/v7/'\nuser = 'key'\npassword_env = 'SECRET'\ntimeout = '3s'";
        let config: Config = toml::from_str(text).expect("the documented form");
        assert_eq!(config.timeout, Duration::from_secs(3));
        assert_eq!(
            config.base().expect("an address").as_str(),
            "https://r.example/apis/ccompat/v7"
        );
        assert!(toml::from_str::<Config>("url = 'http://a'\nurls = 'http://b'").is_err());
        assert!(toml::from_str::<Config>("user = 'a'").is_err(), "an address is needed");
        let written = toml::to_string(&config).expect("it is written");
        assert_eq!(toml::from_str::<Config>(&written).expect("and read back"), config);
    }

    #[test]
    fn addresses_that_cannot_be_or_carry_secrets_are_refused() {
        for url in [
            "",
            "localhost:8081",
            "ftp://a",
            "http://u:p@a",
            "http://u@a",
            "http://a?x=1",
            "http://a#x",
        ] {
            let refused = Config::new(url).base().expect_err(url);
            assert!(refused.to_string().contains("`url`"), "{refused}");
        }
        assert_eq!(
            Config::new("http://a:1").base().expect("an address").as_str(),
            "http://a:1/"
        );
    }

    #[test]
    fn passwords_come_from_files_or_variables_and_never_alone() {
        let folder = tempfile::tempdir().expect("a folder");
        let file = folder.path().join("password");
        std::fs::write(&file, "s3cret\n").expect("written");
        let mut config = Config {
            user: Some("me".into()),
            password_file: Some(file),
            ..Config::new("http://a")
        };
        let (user, password) = config.credentials().expect("readable").expect("both");
        assert_eq!((user.as_str(), password.expose_secret()), ("me", "s3cret"));
        config.password_env = Some("ZENFLOE_NO_SUCH".into());
        assert!(config.credentials().is_err(), "one place, not two");
        config.password_file = None;
        assert!(config.credentials().is_err(), "the variable is not set");
        config.password_env = None;
        assert!(config.credentials().is_err(), "a user without a password");
        config.user = None;
        assert!(config.credentials().expect("no sign-in").is_none());
    }

    #[test]
    fn a_file_without_a_certificate_is_refused() {
        let folder = tempfile::tempdir().expect("a folder");
        let file = folder.path().join("ca.pem");
        for text in ["", "no certificate"] {
            std::fs::write(&file, text).expect("written");
            let config = Config {
                ca_file: Some(file.clone()),
                ..Config::new("https://a")
            };
            let refused = config.certificates().expect_err("nothing to trust").to_string();
            assert!(refused.contains("ca.pem"), "{refused}");
        }
    }
}
