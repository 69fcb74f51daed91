//! What was asked and how it was answered.

use serde::{Deserialize, Serialize};

use super::bucket::Bucket;

/// One request.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LoggedRequest {
    /// The account's time, milliseconds since 1970.
    pub at_ms: i64,
    /// `GET` or `POST`.
    pub method: String,
    /// The path without `.json`.
    pub path: String,
    /// The query as sent.
    pub query: String,
    /// The bucket that it counts in besides the account's; none of what counts nowhere, such as `/oauth/tokens`.
    pub bucket: Option<Bucket>,
    /// The status; 0 where the connection was dropped.
    pub status: u16,
    /// Records in the answer.
    pub rows: u32,
    /// Bytes of the body before compression.
    pub bytes: u64,
    /// A scripted fault spoilt it.
    pub is_fault: bool,
    /// The client sent sideloads that nobody knows; Zendesk is silent about them.
    pub unknown_includes: Vec<String>,
}

impl LoggedRequest {
    /// Claims that the client could have known better: a refusal by the real limits.
    pub fn is_avoidable_refusal(&self) -> bool {
        self.status == 429 && !self.is_fault
    }
}
