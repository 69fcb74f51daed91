//! Access tokens of a person's login: renewed with a refresh token that is good for one use.
//!
//! Invariant: a new pair is kept durably before it is used. A pair that Zendesk gave and that was lost before
//! it was kept cannot be had again: the next renewal is refused, and the person logs in again.

use std::sync::Arc;

use async_trait::async_trait;
use reqwest::Url;
use reqwest::header::HeaderValue;
use secrecy::{ExposeSecret, SecretString};
use tokio::sync::Mutex;
use zenfloe_pacing::Moment;

use crate::auth::{self, Asked, RENEW_AT, Signature};
use crate::{Fault, TokenPair};

/// Where what must not be lost is kept.
#[async_trait]
pub trait Vault: Send + Sync + 'static {
    /// Keeps a secret; on `Ok` it is durable, and what the next process is entrusted with. On `Err` (what went
    /// wrong, for people) it may be kept or not, and the same call may be made again.
    async fn keep(&self, secret: Vec<u8>) -> Result<(), String>;
}

/// The grant `refresh_token`.
pub(crate) struct Rotation {
    client: Arc<OauthClient>,
    state: Arc<Mutex<State>>,
}

struct OauthClient {
    id: String,
    secret: Option<SecretString>,
}

struct State {
    pair: TokenPair,
    /// A pair that was given and is not kept yet.
    unkept: Option<TokenPair>,
    /// Pairs so far.
    number: u64,
    /// The present token was refused.
    is_refused: bool,
    /// It replaces a refused one and has not been accepted yet.
    is_second_try: bool,
    vault: Option<Arc<dyn Vault>>,
}

impl Rotation {
    pub(crate) fn new(client_id: String, client_secret: Option<SecretString>, seed: TokenPair) -> Self {
        Self {
            client: Arc::new(OauthClient {
                id: client_id,
                secret: client_secret,
            }),
            state: Arc::new(Mutex::new(State {
                pair: seed,
                unkept: None,
                number: 0,
                is_refused: false,
                is_second_try: false,
                vault: None,
            })),
        }
    }

    /// Goes on with a pair that was kept, unless the person has logged in since.
    pub(crate) async fn entrust(&self, vault: Option<Arc<dyn Vault>>, kept: Option<TokenPair>) {
        let mut state = self.state.lock().await;
        state.vault = vault;
        let Some(kept) = kept else { return };
        // Within one second it is the kept one that came later: it was renewed from what the person began with.
        let is_newer = (kept.logged_in_at, kept.issued_at) >= (state.pair.logged_in_at, state.pair.issued_at);
        if is_newer {
            state.take(kept);
        }
    }

    pub(crate) async fn sign(&self, http: &reqwest::Client, base: &Url, now: Moment) -> Result<Signature, Fault> {
        let mut state = self.state.clone().lock_owned().await;
        let now = i64::try_from(now.as_secs()).unwrap_or(i64::MAX);
        let is_due = state.is_refused || state.pair.renew_at().is_some_and(|at| now >= at);
        if is_due || state.unkept.is_some() {
            match state.vault.clone() {
                Some(vault) => {
                    // A task of its own: a request that is given up must not take a pair with it that Zendesk has given.
                    let (client, http, base) = (self.client.clone(), http.clone(), base.clone());
                    let renewing = tokio::spawn(async move {
                        let renewed = client.renew(&mut state, &*vault, &http, &base, now).await;
                        renewed.map(|()| state)
                    });
                    state = renewing
                        .await
                        .unwrap_or_else(|broken| std::panic::resume_unwind(broken.into_panic()))?;
                }
                None => state.still_good(now)?,
            }
        }
        Ok(Signature {
            header: state.header()?,
            number: state.number,
        })
    }

    /// Waits for a renewal that is under way.
    pub(crate) async fn settle(&self) {
        drop(self.state.lock().await);
    }

    /// A request was answered 401. Claims that another token may be tried.
    pub(crate) async fn refused(&self, number: u64) -> bool {
        let mut state = self.state.lock().await;
        if number != state.number || state.is_refused {
            return true;
        }
        let may_try = !state.is_second_try && state.vault.is_some();
        state.is_second_try = true;
        state.is_refused = true;
        may_try
    }

    /// A request was answered otherwise.
    pub(crate) async fn accepted(&self, number: u64) {
        let mut state = self.state.lock().await;
        if state.number == number {
            state.is_second_try = false;
        }
    }
}

impl OauthClient {
    async fn renew(
        &self,
        state: &mut State,
        vault: &dyn Vault,
        http: &reqwest::Client,
        base: &Url,
        now: i64,
    ) -> Result<(), Fault> {
        let pair = match state.unkept.take() {
            Some(pair) => pair,
            None => self.fetch(&state.pair, http, base, now).await?,
        };
        // Held until it is kept: whoever drops this call in between must not lose it.
        state.unkept = Some(pair.clone());
        let kept = vault.keep(pair.encode()).await;
        kept.map_err(|what| Fault::NotKept { what })?;
        state.take(pair);
        Ok(())
    }

    async fn fetch(&self, old: &TokenPair, http: &reqwest::Client, base: &Url, now: i64) -> Result<TokenPair, Fault> {
        let asked = Asked {
            grant_type: "refresh_token",
            client_id: &self.id,
            client_secret: self.secret.as_ref().map(ExposeSecret::expose_secret),
            refresh_token: Some(old.refresh.expose_secret()),
            ..Asked::default()
        };
        let answer = auth::ask(http, base, &asked).await;
        let answer = answer.map_err(|fault| match fault {
            Fault::Unauthorized { said } => Fault::Unauthorized {
                said: format!("the login is over ({said}): log in again with `zenfloe login`"),
            },
            fault => fault,
        })?;
        answer.pair(now, old.logged_in_at)
    }
}

impl State {
    fn take(&mut self, pair: TokenPair) {
        self.pair = pair;
        self.unkept = None;
        self.number += 1;
        self.is_refused = false;
    }

    fn header(&self) -> Result<HeaderValue, Fault> {
        auth::bearer(self.pair.access.expose_secret())
    }

    /// A command that only looks uses a token to its end and renews none: its refresh token is the extractor's.
    fn still_good(&self, now: i64) -> Result<(), Fault> {
        let is_over = self.is_refused || self.pair.expires_at.is_some_and(|at| now >= at);
        match is_over {
            false => Ok(()),
            true => Err(Fault::Unauthorized {
                said: "the access token is over, and only a running extractor renews it".into(),
            }),
        }
    }
}

impl TokenPair {
    /// When it is to be replaced, in seconds since 1970.
    fn renew_at(&self) -> Option<i64> {
        let life = self.expires_at?.saturating_sub(self.issued_at).max(0);
        Some(self.issued_at.saturating_add((life as f64 * RENEW_AT) as i64))
    }
}
