//! Credentials as request headers; access tokens are fetched, renewed and replaced here.

use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::STANDARD as BASE64;
use reqwest::Url;
use reqwest::header::HeaderValue;
use secrecy::{ExposeSecret, SecretString};
use serde::{Deserialize, Serialize};
use tokio::sync::Mutex;
use zenfloe_pacing::Moment;

use crate::body::{self, Unread};
use crate::refusal::{self, Said};
use crate::rotation::Rotation;
use crate::{Auth, ConfigError, Fault, TokenPair};

/// How requests are signed.
pub(crate) enum Credentials {
    /// The same header for ever.
    Fixed(HeaderValue),
    /// An access token that expires.
    Granted(Grant),
    /// The same of a person's login, whose refresh token is good for one use.
    Rotating(Rotation),
}

/// A header and the number of the token in it.
pub(crate) struct Signature {
    pub(crate) header: HeaderValue,
    pub(crate) number: u64,
}

/// The grant `client_credentials`.
pub(crate) struct Grant {
    client_id: String,
    client_secret: SecretString,
    scope: String,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    token: Option<Token>,
    /// Tokens fetched so far.
    number: u64,
    /// The present token replaces a refused one and has not been accepted yet.
    is_second_try: bool,
}

struct Token {
    header: HeaderValue,
    /// At 80 % of its life.
    renew_at: Option<Moment>,
}

/// A request for a token.
#[derive(Serialize, Default)]
pub(crate) struct Asked<'r> {
    pub(crate) grant_type: &'static str,
    pub(crate) client_id: &'r str,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) client_secret: Option<&'r str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) scope: Option<&'r str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) code: Option<&'r str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) redirect_uri: Option<&'r str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) code_verifier: Option<&'r str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) refresh_token: Option<&'r str>,
}

/// The answer to it.
#[derive(Deserialize)]
pub(crate) struct TokenAnswer {
    access_token: String,
    refresh_token: Option<String>,
    expires_in: Option<f64>,
}

/// A token is replaced after this share of its life.
pub(crate) const RENEW_AT: f64 = 0.8;
/// A token with its scopes has some hundred bytes.
const LARGEST_TOKEN_ANSWER: usize = 1 << 20;

impl Credentials {
    /// Reads the secrets.
    pub(crate) fn new(auth: &Auth) -> Result<Self, ConfigError> {
        match auth {
            Auth::ApiToken { email, token } => {
                let token = token.read("the API token")?;
                let pair = format!("{email}/token:{}", token.expose_secret());
                let header = sensitive(&format!("Basic {}", BASE64.encode(pair)));
                Ok(Self::Fixed(header.expect("base64 is legal in a header")))
            }
            Auth::OauthClient {
                client_id,
                client_secret,
                scope,
            } => Ok(Self::Granted(Grant {
                client_id: client_id.clone(),
                client_secret: client_secret.read("the OAuth client's secret")?,
                scope: scope.clone(),
                state: Mutex::default(),
            })),
            Auth::OauthLogin {
                client_id,
                client_secret,
                tokens,
                ..
            } => {
                let secret = client_secret
                    .as_ref()
                    .map(|secret| secret.read("the OAuth client's secret"));
                let seed = TokenPair::read(tokens)?;
                Ok(Self::Rotating(Rotation::new(
                    client_id.clone(),
                    secret.transpose()?,
                    seed,
                )))
            }
        }
    }

    /// The header for a request; fetches a token where none is held or the held one nears its end.
    pub(crate) async fn sign(&self, http: &reqwest::Client, base: &Url, now: Moment) -> Result<Signature, Fault> {
        match self {
            Self::Fixed(header) => Ok(Signature {
                header: header.clone(),
                number: 0,
            }),
            Self::Granted(grant) => grant.sign(http, base, now).await,
            Self::Rotating(rotation) => rotation.sign(http, base, now).await,
        }
    }

    /// A request was answered 401. Claims that another token may be tried.
    pub(crate) async fn refused(&self, signature: &Signature) -> bool {
        match self {
            Self::Fixed(_) => false,
            Self::Granted(grant) => grant.state.lock().await.refused(signature.number),
            Self::Rotating(rotation) => rotation.refused(signature.number).await,
        }
    }

    /// A request was answered otherwise.
    pub(crate) async fn accepted(&self, signature: &Signature) {
        match self {
            Self::Fixed(_) => {}
            Self::Granted(grant) => {
                let mut state = grant.state.lock().await;
                if state.number == signature.number {
                    state.is_second_try = false;
                }
            }
            Self::Rotating(rotation) => rotation.accepted(signature.number).await,
        }
    }
}

impl State {
    fn refused(&mut self, number: u64) -> bool {
        if number != self.number || self.token.is_none() {
            return true;
        }
        let may_try = !self.is_second_try;
        self.is_second_try = true;
        self.token = None;
        may_try
    }
}

impl Grant {
    async fn sign(&self, http: &reqwest::Client, base: &Url, now: Moment) -> Result<Signature, Fault> {
        let mut state = self.state.lock().await;
        let held = state
            .token
            .as_ref()
            .filter(|token| token.renew_at.is_none_or(|at| now < at));
        if let Some(token) = held {
            return Ok(Signature {
                header: token.header.clone(),
                number: state.number,
            });
        }
        let token = self.fetch(http, base, now).await?;
        let header = token.header.clone();
        state.token = Some(token);
        state.number += 1;
        Ok(Signature {
            header,
            number: state.number,
        })
    }

    async fn fetch(&self, http: &reqwest::Client, base: &Url, now: Moment) -> Result<Token, Fault> {
        let asked = Asked {
            grant_type: "client_credentials",
            client_id: &self.client_id,
            client_secret: Some(self.client_secret.expose_secret()),
            scope: Some(&self.scope),
            ..Asked::default()
        };
        ask(http, base, &asked).await?.token(now)
    }
}

/// Asks for a token.
pub(crate) async fn ask(http: &reqwest::Client, base: &Url, asked: &Asked<'_>) -> Result<TokenAnswer, Fault> {
    let url = format!("{}/oauth/tokens", base.as_str().trim_end_matches('/'));
    let sent = http.post(url).json(asked).send().await;
    let answer = sent.map_err(|error| Unread::from(error).fault())?;
    let (status, headers) = (answer.status(), answer.headers().clone());
    let body = body::read(answer, 0, LARGEST_TOKEN_ANSWER)
        .await
        .map_err(Unread::fault)?;
    if status.is_success() {
        return serde_json::from_slice(&body).map_err(|_| broken("no access token in it"));
    }
    match refusal::fault(status, &headers, &body, base.host_str().unwrap_or_default()) {
        // What passes by itself, and what is wrong with the address rather than with the client.
        fault @ (Fault::RateLimited { .. } | Fault::Unavailable { .. } | Fault::NoSuchAccount { .. }) => Err(fault),
        _ => Err(Fault::Unauthorized {
            said: format!(
                "no access token, status {}: {}",
                status.as_u16(),
                Said::read(&body).text()
            ),
        }),
    }
}

impl TokenAnswer {
    fn life(&self) -> Option<Duration> {
        let life = self.expires_in.filter(|seconds| seconds.is_finite() && *seconds > 0.0);
        life.map(|seconds| Duration::from_secs_f64(seconds.min(1e9)))
    }

    fn token(self, now: Moment) -> Result<Token, Fault> {
        let header = bearer(&self.access_token)?;
        let renew_at = self.life().map(|life| now + life.mul_f64(RENEW_AT));
        Ok(Token { header, renew_at })
    }

    /// Both tokens; times are seconds since 1970.
    pub(crate) fn pair(self, now: i64, logged_in_at: i64) -> Result<TokenPair, Fault> {
        let life = self
            .life()
            .map(|life| i64::try_from(life.as_secs()).unwrap_or(i64::MAX));
        let refresh = self.refresh_token.ok_or_else(|| broken("no refresh token in it"))?;
        Ok(TokenPair {
            access: self.access_token.into(),
            refresh: refresh.into(),
            issued_at: now,
            expires_at: life.map(|life| now.saturating_add(life)),
            logged_in_at,
        })
    }
}

/// The header of an access token.
pub(crate) fn bearer(token: &str) -> Result<HeaderValue, Fault> {
    sensitive(&format!("Bearer {token}")).ok_or_else(|| broken("the access token is no header value"))
}

fn broken(what: &str) -> Fault {
    Fault::Broken { what: what.into() }
}

fn sensitive(text: &str) -> Option<HeaderValue> {
    let mut header = HeaderValue::from_str(text).ok()?;
    header.set_sensitive(true);
    Some(header)
}
