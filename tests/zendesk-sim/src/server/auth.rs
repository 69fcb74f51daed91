//! Who asks.

use std::collections::HashMap;

use base64::Engine;
use base64::engine::general_purpose::STANDARD as BASE64;
use serde::{Deserialize, Serialize};

use super::answer::Answer;
use super::oauth::{Code, Grant};
use crate::model::{Collection, Role};

/// An API token: `Authorization: Basic base64("<email>/token:<token>")`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ApiToken {
    /// The user's address.
    pub email: String,
    /// The token.
    pub token: String,
    /// What the user may do.
    pub role: Role,
}

/// An OAuth client.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct OauthClient {
    /// Its id.
    pub id: String,
    /// Its secret; none for a public client, which must use PKCE.
    pub secret: Option<String>,
    /// What its owner may do.
    pub role: Role,
}

/// Who may ask.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Credentials {
    /// API tokens.
    pub api_tokens: Vec<ApiToken>,
    /// OAuth clients.
    pub clients: Vec<OauthClient>,
    /// Seconds of the account's time that an access token lives, unless the request says otherwise.
    pub access_seconds: u32,
    /// The same of refresh tokens.
    pub refresh_seconds: u32,
}

impl Credentials {
    /// The address that goes with the default API token.
    pub const EMAIL: &str = "admin@desk.example";
    /// The default API token.
    pub const TOKEN: &str = "sim-api-token";
    /// The default OAuth client.
    pub const CLIENT_ID: &str = "sim-client";
    /// Its secret.
    pub const CLIENT_SECRET: &str = "sim-client-secret";

    /// An admin's API token and an admin's client, of which nothing is secret.
    pub fn of_role(role: Role) -> Self {
        Self {
            api_tokens: vec![ApiToken {
                email: Self::EMAIL.into(),
                token: Self::TOKEN.into(),
                role,
            }],
            clients: vec![OauthClient {
                id: Self::CLIENT_ID.into(),
                secret: Some(Self::CLIENT_SECRET.into()),
                role,
            }],
            access_seconds: 1_799,
            refresh_seconds: 2_592_000,
        }
    }
}

impl Default for Credentials {
    fn default() -> Self {
        Self::of_role(Role::Admin)
    }
}

/// Someone whose credentials are right.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Caller {
    pub(crate) role: Role,
    /// The scopes of an access token; none for API tokens, which may do all.
    pub(crate) scopes: Option<String>,
    /// The access token.
    pub(crate) token: Option<String>,
}

/// Credentials and the tokens that have been granted.
#[derive(Debug)]
pub(crate) struct Gate {
    pub(super) credentials: Credentials,
    /// By access token.
    pub(super) grants: HashMap<String, Grant>,
    /// Access token by refresh token.
    pub(super) refreshes: HashMap<String, String>,
    pub(super) codes: HashMap<String, Code>,
    /// Tokens and codes so far.
    pub(super) issued: u64,
}

impl Gate {
    pub(crate) fn new(credentials: Credentials) -> Self {
        Self {
            credentials,
            grants: HashMap::new(),
            refreshes: HashMap::new(),
            codes: HashMap::new(),
            issued: 0,
        }
    }

    /// Tells who asks from the header; `Ok(None)` is an anonymous user.
    pub(crate) fn caller(&self, header: Option<&str>, now: i64) -> Result<Option<Caller>, Answer> {
        let Some(header) = header else {
            return Ok(None);
        };
        match header.split_once(' ') {
            Some((scheme, pair)) if scheme.eq_ignore_ascii_case("basic") => {
                self.by_api_token(pair).map(Some).ok_or_else(Answer::unauthenticated)
            }
            Some((scheme, token)) if scheme.eq_ignore_ascii_case("bearer") => self
                .by_access_token(token, now)
                .map(Some)
                .ok_or_else(Answer::invalid_token),
            _ => Err(Answer::unauthenticated()),
        }
    }

    fn by_api_token(&self, pair: &str) -> Option<Caller> {
        let pair = String::from_utf8(BASE64.decode(pair.trim()).ok()?).ok()?;
        let (email, token) = pair.split_once("/token:")?;
        let is_meant = |known: &&ApiToken| known.email == email && known.token == token;
        self.credentials.api_tokens.iter().find(is_meant).map(|known| Caller {
            role: known.role,
            scopes: None,
            token: None,
        })
    }

    fn by_access_token(&self, token: &str, now: i64) -> Option<Caller> {
        let token = token.trim();
        let grant = self.grants.get(token).filter(|grant| now < grant.expires_at)?;
        Some(Caller {
            role: grant.role,
            scopes: Some(grant.scope.clone()),
            token: Some(token.into()),
        })
    }

    /// Makes all access tokens invalid at once.
    pub(crate) fn revoke(&mut self) {
        self.grants.clear();
    }
}

impl Caller {
    /// Refuses who may not read a collection.
    pub(crate) fn may_read(&self, collection: Collection, is_export: bool) -> Result<(), Answer> {
        self.has_role(if is_export { Role::Admin } else { Role::Agent })?;
        self.has_scope(scopes(collection))
    }

    pub(crate) fn has_role(&self, role: Role) -> Result<(), Answer> {
        if self.role >= role {
            Ok(())
        } else {
            Err(Answer::forbidden())
        }
    }

    /// Refuses a token that has neither `read` nor one of these scopes.
    pub(crate) fn has_scope(&self, enough: &[&str]) -> Result<(), Answer> {
        let Some(scopes) = &self.scopes else {
            return Ok(());
        };
        let has = |scope: &str| scope == "read" || enough.contains(&scope);
        if scopes.split_whitespace().any(has) {
            return Ok(());
        }
        Err(Answer::missing_scope(enough.first().unwrap_or(&"read")))
    }
}

/// The scopes of which one is enough for a collection, besides `read`.
fn scopes(collection: Collection) -> &'static [&'static str] {
    match collection {
        Collection::Tickets
        | Collection::TicketEvents
        | Collection::TicketFields
        | Collection::TicketForms
        | Collection::TicketMetricEvents
        | Collection::ConversationLogs => &["tickets:read"],
        Collection::AuditLogs => &["auditlogs:read"],
        Collection::Users | Collection::UserFields => &["users:read"],
        Collection::Organizations | Collection::OrganizationFields => &["organizations:read"],
        Collection::OrganizationMemberships => &["users:read", "organizations:read"],
        Collection::Groups
        | Collection::GroupMemberships
        | Collection::SlaPolicies
        | Collection::TicketSkips
        | Collection::SatisfactionRatings
        | Collection::Activities
        | Collection::SideConversations
        | Collection::Brands
        | Collection::Macros
        | Collection::Views
        | Collection::Schedules => &[],
        Collection::Triggers => &["triggers:read"],
    }
}
