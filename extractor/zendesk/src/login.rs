//! A person's login: authorization code with PKCE, and the pair of tokens that comes of it.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use reqwest::Url;
use secrecy::{ExposeSecret, SecretString};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use zenfloe_pacing::Moment;

use crate::auth::{self, Asked};
use crate::client::http;
use crate::{Auth, Config, ConfigError, Fault};

/// An access token, and the refresh token that is good for one use.
#[derive(Clone)]
pub struct TokenPair {
    pub(crate) access: SecretString,
    pub(crate) refresh: SecretString,
    /// Seconds since 1970.
    pub(crate) issued_at: i64,
    /// Seconds since 1970; `None` for a token without an end.
    pub(crate) expires_at: Option<i64>,
    /// When the person logged in of whose login this pair comes: the later login wins.
    pub(crate) logged_in_at: i64,
}

/// Prints no token.
impl std::fmt::Debug for TokenPair {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "TokenPair(issued at {}, of {})", self.issued_at, self.logged_in_at)
    }
}

/// The form of the token file, and of what is kept of a rotation.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Written {
    access_token: String,
    refresh_token: String,
    issued_at: i64,
    expires_at: Option<i64>,
    logged_in_at: i64,
}

impl TokenPair {
    /// Reads a token file.
    pub fn read(path: &Path) -> Result<Self, ConfigError> {
        let failed = |why: String| ConfigError::Secret {
            what: "the token file",
            place: path.display().to_string(),
            why,
        };
        let bytes = fs::read(path).map_err(|error| failed(format!("{error}; `zenfloe login` writes it")))?;
        Self::decode(&bytes).ok_or_else(|| failed("it is no token file; `zenfloe login` writes one".into()))
    }

    /// Writes a token file that its owner alone may read; an older one is replaced as a whole.
    pub fn write(&self, path: &Path) -> io::Result<()> {
        let new = path.with_extension("new");
        // A file of an interrupted write may have other rights.
        let _ = fs::remove_file(&new);
        let mut file: File = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&new)?;
        file.write_all(&self.encode())?;
        file.sync_all()?;
        fs::rename(&new, path)
    }

    /// The bytes of a token file.
    pub fn encode(&self) -> Vec<u8> {
        let written = Written {
            access_token: self.access.expose_secret().to_owned(),
            refresh_token: self.refresh.expose_secret().to_owned(),
            issued_at: self.issued_at,
            expires_at: self.expires_at,
            logged_in_at: self.logged_in_at,
        };
        serde_json::to_vec(&written).expect("strings and numbers serialise")
    }

    /// Reads the bytes of a token file.
    pub fn decode(bytes: &[u8]) -> Option<Self> {
        let written: Written = serde_json::from_slice(bytes).ok()?;
        Some(Self {
            access: written.access_token.into(),
            refresh: written.refresh_token.into(),
            issued_at: written.issued_at,
            expires_at: written.expires_at,
            logged_in_at: written.logged_in_at,
        })
    }
}

/// A login that waits for a person's word in the browser.
pub struct Login {
    client_id: String,
    client_secret: Option<SecretString>,
    base: Url,
    redirect: String,
    state: String,
    verifier: SecretString,
    address: Url,
    http: reqwest::Client,
}

/// Why there is no login.
#[derive(Debug, thiserror::Error)]
pub enum LoginError {
    /// The configuration does not ask for one, or cannot be used.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// Another method of authentication is configured.
    #[error("`auth` has another method: a login needs `method = \"oauth_login\"`")]
    OtherMethod,
    /// The browser came back with another state than it was sent away with: an answer to somebody else's question.
    #[error("the answer does not belong to this login")]
    Foreign,
    /// Zendesk did not give a token.
    #[error("Zendesk gave no token")]
    Refused(#[source] Fault),
}

impl Login {
    /// Prepares a login whose answer comes to `redirect`, which must be one of the OAuth client's redirect URLs.
    pub fn new(config: &Config, redirect: &str) -> Result<Self, LoginError> {
        let Auth::OauthLogin {
            client_id,
            client_secret,
            scope,
            ..
        } = &config.auth
        else {
            return Err(LoginError::OtherMethod);
        };
        let secret = client_secret
            .as_ref()
            .map(|secret| secret.read("the OAuth client's secret"));
        let base = config.base()?;
        let (state, verifier) = (random(), random());
        let challenge = URL_SAFE_NO_PAD.encode(Sha256::digest(&verifier));
        let mut address = base.clone();
        address.set_path(&format!(
            "{}/oauth/authorizations/new",
            base.path().trim_end_matches('/')
        ));
        address.query_pairs_mut().extend_pairs([
            ("response_type", "code"),
            ("client_id", client_id),
            ("redirect_uri", redirect),
            ("scope", scope),
            ("state", &state),
            ("code_challenge", &challenge),
            ("code_challenge_method", "S256"),
        ]);
        Ok(Self {
            client_id: client_id.clone(),
            client_secret: secret.transpose()?,
            http: http(config, &base)?,
            base,
            redirect: redirect.to_owned(),
            state,
            verifier: verifier.into(),
            address,
        })
    }

    /// Where the person gives the word.
    pub fn address(&self) -> &str {
        self.address.as_str()
    }

    /// Turns the code that the browser brought back into tokens. `now` is the time of the login.
    pub async fn finish(&self, code: &str, state: &str, now: Moment) -> Result<TokenPair, LoginError> {
        if state != self.state {
            return Err(LoginError::Foreign);
        }
        let asked = Asked {
            grant_type: "authorization_code",
            client_id: &self.client_id,
            client_secret: self.client_secret.as_ref().map(ExposeSecret::expose_secret),
            code: Some(code),
            redirect_uri: Some(&self.redirect),
            code_verifier: Some(self.verifier.expose_secret()),
            ..Asked::default()
        };
        let answer = auth::ask(&self.http, &self.base, &asked)
            .await
            .map_err(LoginError::Refused)?;
        let logged_in_at = i64::try_from(now.as_secs()).unwrap_or(i64::MAX);
        answer.pair(logged_in_at, logged_in_at).map_err(LoginError::Refused)
    }
}

/// 32 random bytes as text: more than PKCE asks of a verifier.
fn random() -> String {
    let mut bytes = [0_u8; 32];
    getrandom::fill(&mut bytes).expect("the operating system gives random bytes");
    URL_SAFE_NO_PAD.encode(bytes)
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    #[test]
    fn the_token_file_is_its_owners_alone_and_prints_nothing() {
        let pair = TokenPair {
            access: "access-s3cret".to_owned().into(),
            refresh: "refresh-s3cret".to_owned().into(),
            issued_at: 5,
            expires_at: Some(7),
            logged_in_at: 5,
        };
        let folder = tempfile::tempdir().expect("a temporary folder");
        let path = folder.path().join("tokens.json");
        fs::write(&path, "older").expect("written");
        fs::set_permissions(&path, fs::Permissions::from_mode(0o644)).expect("changed");
        pair.write(&path).expect("written");
        let mode = fs::metadata(&path).expect("there").permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
        let read = TokenPair::read(&path).expect("its own form");
        assert_eq!(read.refresh.expose_secret(), "refresh-s3cret");
        assert!(!format!("{read:?}").contains("s3cret"));
        fs::write(&path, "nonsense").expect("written");
        let error = TokenPair::read(&path).expect_err("nonsense").to_string();
        assert!(error.contains("zenfloe login"), "{error}");
    }
}
