use bytes::Bytes;
use zenfloe_catalog::Collection;
use zenfloe_pacing::Reading;
use zenfloe_record::Micros;

use crate::{Place, envelope};

/// One answer of the API.
#[derive(Debug, Clone)]
pub struct Page {
    /// In the order of the answer, without those that an earlier page delivered.
    pub records: Vec<RawRecord>,
    /// The place behind them.
    pub next: Place,
    /// There is nothing more for now: the pass is complete.
    pub is_caught_up: bool,
    /// When Zendesk answered, by its own clock.
    pub date: Micros,
    /// Everything that changed up to here has been delivered; `None` where a page does not tell.
    pub reached: Option<Micros>,
    /// Records of the answer that were left out because an earlier page delivered them.
    pub repeats: u32,
    /// What the answer said about rate limits.
    pub readings: Vec<Reading>,
    /// The size of the answer, decompressed.
    pub bytes: u64,
    /// Path and query of the request.
    pub request: String,
    /// What a person may want to know.
    pub notes: Vec<Note>,
}

impl Page {
    /// The same page in a past that ends there.
    pub(crate) fn until(mut self, until: Option<i64>) -> Self {
        if let Some(until) = until {
            self.next = self.next.until(until);
        }
        self
    }
}

/// A record as Zendesk sent it, its sideloads attached.
#[derive(Clone, PartialEq, Eq)]
pub struct RawRecord {
    /// The primary key's parts, joined; empty where the record has none.
    pub key: Vec<u8>,
    /// What decides the partition; empty where the record has none.
    pub partition_key: Vec<u8>,
    /// The record.
    pub json: Bytes,
}

impl RawRecord {
    /// A record that came without a page, as in a file of the account's own export.
    pub fn read(collection: &Collection, json: Bytes) -> Self {
        let partition_key = envelope::text_at(&json, &collection.record.partition_key);
        Self {
            key: envelope::record_key(&json, &collection.record.key),
            partition_key: partition_key.unwrap_or_default().into_bytes(),
            json,
        }
    }
}

/// Prints lengths, never contents.
impl std::fmt::Debug for RawRecord {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "RawRecord({} bytes)", self.json.len())
    }
}

/// Something out of the ordinary that a page coped with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Note {
    /// The cursor was refused; reading starts again at this second, so that some records repeat.
    CursorRefused {
        /// Whole seconds since 1970; `None` for a list, which starts again at its first page.
        since: Option<i64>,
    },
    /// The server cut a page within one second; the page size was raised.
    SecondWasCut {
        /// The second.
        second: i64,
    },
    /// The server cut the largest page within one second: records of that second may be missing.
    PossibleGap {
        /// The second.
        second: i64,
    },
    /// Zendesk leaves a sideload out that was asked for; the tables that it feeds get what is asked for another way, where
    /// there is one. Said once.
    SideloadMissing {
        /// The sideload.
        name: String,
        /// It is asked for another way, at the price of further requests.
        has_other_way: bool,
    },
}

impl std::fmt::Display for Note {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::CursorRefused { since: Some(since) } => {
                write!(
                    f,
                    "the cursor was refused: starting again at {since} (seconds since 1970)"
                )
            }
            Self::CursorRefused { since: None } => write!(f, "the cursor was refused: starting the list again"),
            Self::SecondWasCut { second } => {
                write!(
                    f,
                    "a page was cut within second {second}: asking again for the largest page"
                )
            }
            Self::PossibleGap { second } => {
                write!(
                    f,
                    "second {second} holds more records than the largest page: some may be missing"
                )
            }
            Self::SideloadMissing {
                name,
                has_other_way: true,
            } => write!(
                f,
                "this account's exports leave `{name}` out: it is asked for by record, many at once"
            ),
            Self::SideloadMissing { name, .. } => write!(
                f,
                "this account's answers leave `{name}` out: the tables that it feeds stay empty"
            ),
        }
    }
}

/// Who the credentials belong to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Identity {
    /// The user's id.
    pub user_id: i64,
    /// `admin`, `agent` or `end-user`.
    pub role: String,
}
