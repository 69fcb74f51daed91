//! OAuth: codes, access tokens that expire, refresh tokens that are good for one use.

use axum::http::Uri;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::Deserialize;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use super::answer::Answer;
use super::auth::{Caller, Gate, OauthClient};
use super::query::Query;
use crate::model::Role;
use crate::stamp::Stamp;

/// What an access token stands for.
#[derive(Debug, Clone)]
pub(crate) struct Grant {
    pub(super) id: u64,
    client: String,
    pub(super) scope: String,
    pub(super) role: Role,
    created_at: i64,
    pub(super) expires_at: i64,
}

/// What an authorization code stands for.
#[derive(Debug, Clone)]
pub(crate) struct Code {
    client: String,
    scope: String,
    redirect_uri: String,
    /// Of PKCE, by SHA-256.
    challenge: Option<String>,
    expires_at: i64,
}

#[derive(Debug, Deserialize)]
struct TokenRequest {
    grant_type: String,
    client_id: String,
    client_secret: Option<String>,
    scope: Option<String>,
    code: Option<String>,
    redirect_uri: Option<String>,
    code_verifier: Option<String>,
    refresh_token: Option<String>,
    expires_in: Option<u32>,
}

/// Seconds that a code lives.
const CODE_SECONDS: i64 = 120;

impl Gate {
    /// `GET /oauth/authorizations/new`: there is no one to ask, so the answer is yes.
    pub(crate) fn authorize(&mut self, query: &Query, now: i64) -> Answer {
        let client = query
            .get("client_id")
            .and_then(|id| self.client(id))
            .map(|client| client.id.clone());
        let (Some(client), Some(redirect_uri)) = (client, query.get("redirect_uri")) else {
            return refused(
                400,
                "invalid_request",
                "client_id or redirect_uri is missing or unknown",
            );
        };
        if query.get("response_type") != Some("code") {
            return refused(400, "unsupported_response_type", "only code is supported");
        }
        let code = self.issue("code");
        let known = Code {
            client,
            scope: query.get("scope").unwrap_or("read").to_owned(),
            redirect_uri: redirect_uri.to_owned(),
            challenge: query.get("code_challenge").map(str::to_owned),
            expires_at: now + CODE_SECONDS,
        };
        self.codes.insert(code.clone(), known);
        let mut with = vec![("code", code.as_str())];
        with.extend(query.get("state").map(|state| ("state", state)));
        let target = Query::of(&Uri::default()).address(redirect_uri, &[], &with);
        Answer::html(302).header("location", target)
    }

    /// `POST /oauth/tokens`.
    pub(crate) fn token(&mut self, body: &[u8], now: i64) -> Answer {
        let Ok(request) = serde_json::from_slice::<TokenRequest>(body) else {
            return refused(
                400,
                "invalid_request",
                "the body is no JSON object with grant_type and client_id",
            );
        };
        let Some(client) = self.client(&request.client_id).cloned() else {
            return refused(401, "invalid_client", "the client is unknown");
        };
        if client.secret.is_some() && client.secret != request.client_secret {
            return refused(401, "invalid_client", "the client's secret is wrong");
        }
        match request.grant_type.as_str() {
            "client_credentials" if client.secret.is_none() => {
                refused(400, "unauthorized_client", "a public client has no credentials")
            }
            "client_credentials" => {
                let scope = request.scope.clone().unwrap_or_else(|| "read".into());
                self.grant(&client, scope, &request, false, now)
            }
            "authorization_code" => self.by_code(&client, &request, now),
            "refresh_token" => self.by_refresh_token(&client, &request, now),
            _ => refused(400, "unsupported_grant_type", "the grant is not supported"),
        }
    }

    fn by_code(&mut self, client: &OauthClient, request: &TokenRequest, now: i64) -> Answer {
        let code = request.code.as_ref().and_then(|code| self.codes.remove(code));
        let Some(code) = code.filter(|code| code.fits(client, request, now)) else {
            return refused(
                400,
                "invalid_grant",
                "the code is unknown, used, expired or of another request",
            );
        };
        self.grant(client, code.scope, request, true, now)
    }

    fn by_refresh_token(&mut self, client: &OauthClient, request: &TokenRequest, now: i64) -> Answer {
        let refresh = request.refresh_token.as_ref();
        let old = refresh
            .and_then(|refresh| self.refreshes.remove(refresh))
            .and_then(|access| self.grants.remove(&access));
        let Some(old) = old.filter(|old| old.client == client.id) else {
            return refused(400, "invalid_grant", "the refresh token is unknown, used or expired");
        };
        self.grant(client, old.scope, request, true, now)
    }

    fn grant(&mut self, client: &OauthClient, scope: String, request: &TokenRequest, renews: bool, now: i64) -> Answer {
        let life = request.expires_in.unwrap_or(self.credentials.access_seconds);
        let access = self.issue("access");
        let grant = Grant {
            id: self.issued,
            client: client.id.clone(),
            scope: scope.clone(),
            role: client.role,
            created_at: now,
            expires_at: now + i64::from(life),
        };
        self.grants.insert(access.clone(), grant);
        let mut answer = json!({
            "access_token": access, "scope": scope, "token_type": "bearer", "expires_in": life,
        });
        if renews {
            let refresh = self.issue("refresh");
            self.refreshes.insert(refresh.clone(), access);
            answer["refresh_token"] = refresh.into();
            answer["refresh_token_expires_in"] = self.credentials.refresh_seconds.into();
        }
        Answer::json(200, &answer)
    }

    /// `GET /api/v2/oauth/tokens/current`.
    pub(crate) fn current(&self, caller: &Caller) -> Answer {
        let held = caller
            .token
            .as_ref()
            .and_then(|token| Some((token, self.grants.get(token)?)));
        let Some((token, grant)) = held else {
            return Answer::no_such_record();
        };
        let scopes: Vec<&str> = grant.scope.split_whitespace().collect();
        Answer::json(
            200,
            &json!({"token": {
                "id": grant.id,
                "url": format!("https://simulated.zendesk.com/api/v2/oauth/tokens/{}.json", grant.id),
                "client_id": grant.client,
                "token": &token[..10],
                "scopes": scopes,
                "created_at": stamp(grant.created_at),
                "expires_at": stamp(grant.expires_at),
                "used_at": Value::Null,
            }}),
        )
    }

    fn client(&self, id: &str) -> Option<&OauthClient> {
        self.credentials.clients.iter().find(|client| client.id == id)
    }

    /// A text that has not been given before.
    fn issue(&mut self, what: &str) -> String {
        self.issued += 1;
        let digest = Sha256::digest(format!("{what} {} {:?}", self.issued, std::process::id()));
        digest.iter().map(|byte| format!("{byte:02x}")).collect()
    }
}

impl Code {
    fn fits(&self, client: &OauthClient, request: &TokenRequest, now: i64) -> bool {
        let verified = match (&self.challenge, &request.code_verifier) {
            (Some(challenge), Some(verifier)) => URL_SAFE_NO_PAD.encode(Sha256::digest(verifier)) == *challenge,
            (Some(_), None) => false,
            // A public client has nothing else to show.
            (None, _) => client.secret.is_some(),
        };
        let is_same = request.redirect_uri.as_ref() == Some(&self.redirect_uri) && self.client == client.id;
        verified && is_same && now < self.expires_at
    }
}

fn stamp(at: i64) -> Value {
    serde_json::to_value(Stamp(at)).expect("a text")
}

fn refused(status: u16, error: &str, words: &str) -> Answer {
    Answer::json(status, &json!({"error": error, "error_description": words}))
}
