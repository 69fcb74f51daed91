use std::time::Duration;

use zenfloe_pacing::Reading;

/// What the caller does about an error.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Class {
    /// The world is at fault and may mend: make the same call again.
    Retry {
        /// Not before, as the server said.
        after: Option<Duration>,
    },
    /// This collection cannot be read: go on with the others.
    Reject,
    /// Nothing can be read: a person is needed.
    Stop,
}

/// A page that was not delivered.
#[derive(Debug, thiserror::Error)]
#[error("{subject}: {fault}")]
pub struct SourceError {
    /// The collection, or what else was asked for.
    pub subject: String,
    /// The status of the answer, where there was one.
    pub status: Option<u16>,
    /// What the answer said about rate limits.
    pub readings: Vec<Reading>,
    /// What went wrong.
    #[source]
    pub fault: Fault,
}

/// What went wrong.
#[derive(Debug, thiserror::Error)]
pub enum Fault {
    /// 429.
    #[error("too many requests")]
    RateLimited {
        /// What the server asked for.
        after: Option<Duration>,
    },
    /// 5xx and their like.
    #[error("Zendesk is not available (status {status})")]
    Unavailable {
        /// The status.
        status: u16,
        /// What the server asked for.
        after: Option<Duration>,
    },
    /// The page took Zendesk or the line too long, or was larger than allowed.
    #[error("a page of {asked} records {what}; asking for {next}")]
    TooHeavy {
        /// What was too much.
        what: String,
        /// The page size that was asked for.
        asked: u32,
        /// The page size of the next request.
        next: u32,
    },
    /// No answer, or only a part of one.
    #[error("no complete answer")]
    Transport(#[source] reqwest::Error),
    /// An answer that is no page.
    #[error("the answer is no page: {what}")]
    Broken {
        /// What was found instead.
        what: String,
    },
    /// Asked for the last minute.
    #[error("the start lies in the last minute")]
    TooRecent,
    /// The access token has expired or was withdrawn; a new one is fetched.
    #[error("the access token was refused; fetching a new one")]
    TokenRefused,
    /// A new pair of tokens is not kept yet; it is not used before.
    #[error("the new access token is not kept yet: {what}")]
    NotKept {
        /// Why.
        what: String,
    },
    /// The account's plan, the role or the scope does not allow it.
    #[error("not available ({why}): Zendesk said `{said}`")]
    NotAvailable {
        /// What is missing.
        why: Unavailability,
        /// The title of Zendesk's answer.
        said: String,
    },
    /// A request that Zendesk does not understand.
    #[error("the request was refused with status {status}: `{said}`")]
    Refused {
        /// The status.
        status: u16,
        /// The code or title of Zendesk's answer.
        said: String,
    },
    /// Wrong credentials.
    #[error("the credentials were refused: {said}")]
    Unauthorized {
        /// What was said.
        said: String,
    },
    /// There is no account under the address.
    #[error("no Zendesk account answers at {host}; check the subdomain")]
    NoSuchAccount {
        /// The host that was asked.
        host: String,
    },
    /// Redirected to another host, which would get the credentials.
    #[error("redirected to another host, {host}, which is not followed; check the subdomain and base_url")]
    ForeignRedirect {
        /// The host.
        host: String,
    },
}

/// What a collection would need.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unavailability {
    /// The account's plan does not have it.
    Plan,
    /// The user may not read it.
    Role,
    /// The token may not read it.
    Scope,
}

impl std::fmt::Display for Unavailability {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Plan => "not on this plan",
            Self::Role => "missing role",
            Self::Scope => "missing scope",
        })
    }
}

impl SourceError {
    /// What the caller does about it.
    pub fn class(&self) -> Class {
        match &self.fault {
            Fault::RateLimited { after } | Fault::Unavailable { after, .. } => Class::Retry { after: *after },
            Fault::TooRecent => Class::Retry {
                after: Some(Duration::from_secs(60)),
            },
            Fault::TooHeavy { .. }
            | Fault::Transport(_)
            | Fault::Broken { .. }
            | Fault::TokenRefused
            | Fault::NotKept { .. } => Class::Retry { after: None },
            Fault::NotAvailable { .. } | Fault::Refused { .. } => Class::Reject,
            Fault::Unauthorized { .. } | Fault::NoSuchAccount { .. } | Fault::ForeignRedirect { .. } => Class::Stop,
        }
    }
}
