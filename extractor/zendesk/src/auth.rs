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
use crate::{Auth, ConfigError, Fault};

/// How requests are signed.
pub(crate) enum Credentials {
    /// The same header for ever.
    Fixed(HeaderValue),
    /// An access token that expires.
    Granted(Grant),
}

/// A header and the number of the token in it.
pub(crate) struct Signature {
    pub(crate) header: HeaderValue,
    number: u64,
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

#[derive(Serialize)]
struct TokenRequest<'r> {
    grant_type: &'static str,
    client_id: &'r str,
    client_secret: &'r str,
    scope: &'r str,
}

#[derive(Deserialize)]
struct TokenAnswer {
    access_token: String,
    expires_in: Option<f64>,
}

/// A token is replaced after this share of its life.
const RENEW_AT: f64 = 0.8;
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
        }
    }

    /// A request was answered 401. Claims that another token may be tried.
    pub(crate) async fn refused(&self, signature: &Signature) -> bool {
        match self {
            Self::Fixed(_) => false,
            Self::Granted(grant) => grant.state.lock().await.refused(signature.number),
        }
    }

    /// A request was answered otherwise.
    pub(crate) async fn accepted(&self, signature: &Signature) {
        if let Self::Granted(grant) = self {
            let mut state = grant.state.lock().await;
            if state.number == signature.number {
                state.is_second_try = false;
            }
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
        let request = TokenRequest {
            grant_type: "client_credentials",
            client_id: &self.client_id,
            client_secret: self.client_secret.expose_secret(),
            scope: &self.scope,
        };
        let url = format!("{}/oauth/tokens", base.as_str().trim_end_matches('/'));
        let sent = http.post(url).json(&request).send().await;
        let answer = sent.map_err(|error| Unread::from(error).fault())?;
        let (status, headers) = (answer.status(), answer.headers().clone());
        let body = body::read(answer, 0, LARGEST_TOKEN_ANSWER)
            .await
            .map_err(Unread::fault)?;
        if status.is_success() {
            return token(&body, now);
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
}

/// Reads the answer to a request for a token.
fn token(body: &[u8], now: Moment) -> Result<Token, Fault> {
    let broken = |what: &str| Fault::Broken { what: what.into() };
    let token: TokenAnswer = serde_json::from_slice(body).map_err(|_| broken("no access token in it"))?;
    let header = sensitive(&format!("Bearer {}", token.access_token))
        .ok_or_else(|| broken("the access token is no header value"))?;
    let life = token.expires_in.filter(|seconds| seconds.is_finite() && *seconds > 0.0);
    let renew_at = life.map(|seconds| now + Duration::from_secs_f64(seconds.min(1e9) * RENEW_AT));
    Ok(Token { header, renew_at })
}

fn sensitive(text: &str) -> Option<HeaderValue> {
    let mut header = HeaderValue::from_str(text).ok()?;
    header.set_sensitive(true);
    Some(header)
}
