use std::path::PathBuf;
use std::time::Duration;

use bytesize::ByteSize;
use reqwest::Url;
use schemars::JsonSchema;
use secrecy::SecretString;
use serde::{Deserialize, Serialize};

/// How an account's API is reached.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// The account's name in its address: `acme` for `acme.zendesk.com`.
    pub subdomain: String,
    /// Another address of the API, for a proxy or a test; by default `https://<subdomain>.zendesk.com`.
    #[serde(default)]
    pub base_url: Option<String>,
    /// Who we are.
    pub auth: Auth,
    /// The longest that one request may take, its answer included.
    #[serde(default = "default_timeout", with = "humantime_serde")]
    #[schemars(with = "String")]
    pub timeout: Duration,
    /// The largest answer that is read; larger ones are asked for again in smaller pages.
    #[serde(default = "default_max_response")]
    #[schemars(with = "String")]
    pub max_response: ByteSize,
}

/// Zendesk gives up on a page after a minute; a slow line may take as long again to deliver it.
fn default_timeout() -> Duration {
    Duration::from_secs(120)
}

/// A page of 1,000 tickets has some 6 MB; this is forty times that.
fn default_max_response() -> ByteSize {
    ByteSize::mib(256)
}

/// The credentials of an account.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "method", rename_all = "snake_case", deny_unknown_fields)]
pub enum Auth {
    /// An OAuth client of the account (grant `client_credentials`); it acts as the user who owns it, who must be an admin.
    OauthClient {
        /// The client's unique identifier.
        client_id: String,
        /// Its secret.
        client_secret: Secret,
        /// What the token may do; `read` reads everything.
        #[serde(default = "default_scope")]
        scope: String,
    },
    /// A person's login by `zenfloe login` (grant `authorization_code` with PKCE); it acts as that person, who must be
    /// an admin. The token file is the seed: once the extractor has renewed the tokens, they live in its state topic.
    OauthLogin {
        /// The client's unique identifier.
        client_id: String,
        /// Its secret; none for a public client.
        #[serde(default)]
        client_secret: Option<Secret>,
        /// The token file that `zenfloe login` writes.
        tokens: PathBuf,
        /// What the tokens may do; `read` reads everything.
        #[serde(default = "default_scope")]
        scope: String,
    },
    /// An API token of an admin. Zendesk has announced the end of API tokens.
    ApiToken {
        /// The admin's e-mail address.
        email: String,
        /// The token.
        token: Secret,
    },
}

fn default_scope() -> String {
    "read".into()
}

/// Where a secret stands; never the secret itself.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Secret {
    /// In a file that holds nothing else; a line end at its end does not count.
    File(PathBuf),
    /// In an environment variable.
    Env(String),
}

/// A configuration that cannot be used; said before any request is made.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// The subdomain is a host name or an address.
    #[error("subdomain `{given}` is an address: write `{hint}` alone")]
    SubdomainIsAddress {
        /// What was configured.
        given: String,
        /// The part of it that is the subdomain.
        hint: String,
    },
    /// The subdomain is none of Zendesk's.
    #[error("subdomain `{given}` is not possible: 3 to 63 of a-z, 0-9 and `-`, the first a letter")]
    Subdomain {
        /// What was configured.
        given: String,
    },
    /// The base address is no http or https address.
    #[error("base_url `{given}` is not usable: {why}")]
    BaseUrl {
        /// What was configured.
        given: String,
        /// What is wrong with it.
        why: &'static str,
    },
    /// A secret cannot be read.
    #[error("{what} cannot be read from {place}: {why}")]
    Secret {
        /// Which secret.
        what: &'static str,
        /// The file or variable.
        place: String,
        /// What was said.
        why: String,
    },
    /// The HTTP client could not be made.
    #[error("the HTTP client cannot be made")]
    Http(#[source] reqwest::Error),
}

impl Config {
    /// The address under which `/api/v2/…` stands, without a slash at its end.
    pub fn base(&self) -> Result<Url, ConfigError> {
        let subdomain = checked_subdomain(&self.subdomain)?;
        match &self.base_url {
            Some(given) => checked_base(given),
            None => checked_base(&format!("https://{subdomain}.zendesk.com")),
        }
    }
}

/// Takes a subdomain and refuses what would lead a request to another host.
fn checked_subdomain(given: &str) -> Result<String, ConfigError> {
    let name = given.trim().to_ascii_lowercase();
    if name.contains(['.', '/', ':', '@', '?', '#']) || name.contains("zendesk.com") {
        let host = name.split_once("://").map_or(name.as_str(), |(_, rest)| rest);
        let hint = host.split(['.', '/', ':', '?', '#']).next().unwrap_or_default();
        return Err(ConfigError::SubdomainIsAddress {
            given: given.to_owned(),
            hint: hint.to_owned(),
        });
    }
    let legal = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
    let starts_well = name.starts_with(|c: char| c.is_ascii_lowercase());
    if starts_well && (3..=63).contains(&name.len()) && name.chars().all(legal) {
        Ok(name)
    } else {
        Err(ConfigError::Subdomain {
            given: given.to_owned(),
        })
    }
}

fn checked_base(given: &str) -> Result<Url, ConfigError> {
    let refuse = |why| ConfigError::BaseUrl {
        given: given.to_owned(),
        why,
    };
    let url = Url::parse(given).map_err(|_| refuse("it is no address"))?;
    if !matches!(url.scheme(), "http" | "https") {
        return Err(refuse("only http and https are spoken"));
    }
    if !url.username().is_empty() || url.password().is_some() {
        return Err(refuse("credentials stand under `auth`, not in an address"));
    }
    if url.query().is_some() || url.fragment().is_some() {
        return Err(refuse("it must end with its path"));
    }
    Ok(url)
}

impl Secret {
    /// Reads the secret; `what` names it in the error.
    pub fn read(&self, what: &'static str) -> Result<SecretString, ConfigError> {
        let (place, text) = match self {
            Self::File(path) => (
                path.display().to_string(),
                std::fs::read_to_string(path).map_err(|error| error.to_string()),
            ),
            Self::Env(name) => (
                format!("${name}"),
                std::env::var(name).map_err(|error| error.to_string()),
            ),
        };
        let text = text.and_then(|text| match text.trim_end_matches(['\r', '\n']) {
            "" => Err("it is empty".into()),
            text => Ok(SecretString::from(text)),
        });
        text.map_err(|why| ConfigError::Secret { what, place, why })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn subdomains_are_names_and_addresses_are_refused_with_the_name() {
        for (given, taken) in [("acme", "acme"), ("Acme", "acme"), ("a-1", "a-1"), ("z3nz", "z3nz")] {
            assert_eq!(checked_subdomain(given).expect("legal"), taken);
        }
        for (given, hint) in [
            ("acme.zendesk.com", "acme"),
            ("https://acme.zendesk.com", "acme"),
            ("https://acme.zendesk.com/agent", "acme"),
            ("acme/../evil", "acme"),
            ("acme:8080", "acme"),
        ] {
            let error = checked_subdomain(given).expect_err("an address");
            assert!(error.to_string().ends_with(&format!("write `{hint}` alone")), "{error}");
        }
        for given in ["", "ab", "1acme", "-acme", "ac me", "acmé", "a_b", &"a".repeat(64)] {
            assert!(
                matches!(checked_subdomain(given), Err(ConfigError::Subdomain { .. })),
                "{given}"
            );
        }
    }

    #[test]
    fn base_addresses_are_http_and_carry_no_secrets() {
        for good in ["http://127.0.0.1:8080", "https://proxy.example/zendesk"] {
            assert!(checked_base(good).is_ok(), "{good}");
        }
        for bad in [
            "ftp://x",
            "file:///etc/passwd",
            "acme",
            "https://u:p@x",
            "https://x?y=1",
            "https://x#y",
        ] {
            assert!(checked_base(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn the_file_form_is_read_and_unknown_fields_are_refused() {
        let good = r#"
            subdomain = "acme"
            timeout = "30s"
            max_response = "5MiB"
            [auth]
            method = "oauth_client"
            client_id = "zenfloe"
            client_secret = { file = "/run/secrets/zendesk" }
        "#;
        let config: Config = toml::from_str(good).expect("the documented form");
        assert_eq!(config.timeout, Duration::from_secs(30));
        assert!(matches!(config.auth, Auth::OauthClient { scope, .. } if scope == "read"));
        assert!(toml::from_str::<Config>(&good.replace("timeout", "time_out")).is_err());
        assert!(toml::from_str::<Config>(&good.replace("client_id", "client")).is_err());
    }

    #[test]
    fn secrets_come_from_files_without_their_line_end() {
        use secrecy::ExposeSecret;
        let dir = tempfile::tempdir().expect("a temporary folder");
        let path = dir.path().join("token");
        std::fs::write(&path, "s3cret\n").expect("writable");
        let secret = Secret::File(path.clone()).read("the token").expect("there");
        assert_eq!(secret.expose_secret(), "s3cret");
        std::fs::write(&path, "\n").expect("writable");
        let error = Secret::File(path).read("the token").expect_err("empty");
        assert!(error.to_string().contains("it is empty"), "{error}");
        assert!(
            Secret::Env("ZENFLOE_NO_SUCH_VARIABLE".into())
                .read("the token")
                .is_err()
        );
    }
}
