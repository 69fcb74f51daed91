//! Rate buckets: windows of one minute of the account's time, or of ten.

use std::collections::HashMap;

use serde::{Deserialize, Serialize};

/// What requests are counted in. Every request counts in the account's bucket too.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Bucket {
    /// All requests.
    Account,
    /// All incremental exports but the next one.
    IncrementalExports,
    /// The cursor export of users.
    IncrementalExportsCursor,
    /// The list of tickets.
    TicketsIndex,
    /// The events of side conversations.
    SideConversationEvents,
}

impl Bucket {
    /// The name in snake case.
    pub fn name(self) -> &'static str {
        match self {
            Self::Account => "account",
            Self::IncrementalExports => "incremental_exports",
            Self::IncrementalExportsCursor => "incremental_exports_cursor",
            Self::TicketsIndex => "tickets_index",
            Self::SideConversationEvents => "side_conversation_events",
        }
    }

    /// The header that tells how it stands, where one is known.
    fn header(self) -> Option<&'static str> {
        match self {
            Self::Account => Some("x-rate-limit"),
            Self::IncrementalExports => Some("zendesk-ratelimit-incremental-exports"),
            Self::IncrementalExportsCursor => Some("zendesk-ratelimit-incremental-exports-cursor"),
            Self::TicketsIndex => Some("zendesk-ratelimit-tickets-index"),
            Self::SideConversationEvents => None,
        }
    }

    /// How long its window lasts.
    fn window_ms(self) -> i64 {
        match self {
            Self::SideConversationEvents => 10 * WINDOW_MS,
            _ => WINDOW_MS,
        }
    }
}

/// A plan of Zendesk.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Plan {
    /// 10 requests a minute.
    Essential,
    /// 200.
    Team,
    /// 400; Growth has as many.
    Professional,
    /// 700.
    Enterprise,
    /// 2,500.
    EnterprisePlus,
}

impl Plan {
    /// Requests a minute.
    pub fn requests(self) -> u32 {
        match self {
            Self::Essential => 10,
            Self::Team => 200,
            Self::Professional => 400,
            Self::Enterprise => 700,
            Self::EnterprisePlus => 2_500,
        }
    }
}

/// How many requests a minute are answered, where nothing else is said; without a number, all.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Limits {
    /// Which collections the account has; none for all.
    pub plan: Option<Plan>,
    /// All requests.
    pub account: Option<u32>,
    /// Incremental exports but those of users by cursor.
    pub incremental_exports: Option<u32>,
    /// Incremental exports of users by cursor.
    pub incremental_exports_cursor: Option<u32>,
    /// The list of tickets.
    pub tickets_index: Option<u32>,
    /// The events of side conversations, in ten minutes.
    pub side_conversation_events: Option<u32>,
    /// Refusals tell in `Retry-After` when to come back; otherwise a `ratelimit-reset` with a date is all.
    pub tells_retry_after: bool,
}

impl Limits {
    /// Answers everything, without rate headers.
    pub fn none() -> Self {
        Self {
            plan: None,
            account: None,
            incremental_exports: None,
            incremental_exports_cursor: None,
            tickets_index: None,
            side_conversation_events: None,
            tells_retry_after: true,
        }
    }

    /// A plan's limits.
    pub fn of(plan: Plan) -> Self {
        Self {
            plan: Some(plan),
            account: Some(plan.requests()),
            incremental_exports: Some(10),
            incremental_exports_cursor: Some(20),
            tickets_index: Some(100),
            side_conversation_events: Some(600),
            tells_retry_after: true,
        }
    }

    /// The same with the High Volume add-on.
    pub fn with_high_volume(self) -> Self {
        Self {
            account: Some(2_500),
            incremental_exports: Some(30),
            incremental_exports_cursor: Some(60),
            tickets_index: Some(300),
            ..self
        }
    }

    fn total(&self, bucket: Bucket) -> Option<u32> {
        match bucket {
            Bucket::Account => self.account,
            Bucket::IncrementalExports => self.incremental_exports,
            Bucket::IncrementalExportsCursor => self.incremental_exports_cursor,
            Bucket::TicketsIndex => self.tickets_index,
            Bucket::SideConversationEvents => self.side_conversation_events,
        }
    }
}

/// The windows' states.
#[derive(Debug)]
pub(crate) struct Buckets {
    limits: Limits,
    windows: HashMap<Bucket, Window>,
}

#[derive(Debug, Clone, Copy)]
struct Window {
    /// Milliseconds since 1970.
    began: i64,
    used: u32,
}

/// How a bucket stands behind a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Standing {
    bucket: Bucket,
    total: u32,
    remaining: u32,
    /// Seconds to the next window, at least 1.
    resets: i64,
}

const WINDOW_MS: i64 = 60_000;

impl Buckets {
    pub(crate) fn new(limits: Limits) -> Self {
        Self {
            limits,
            windows: HashMap::new(),
        }
    }

    pub(crate) fn limits(&self) -> &Limits {
        &self.limits
    }

    /// Counts a request in its own bucket and the account's. On `Err` nothing is counted, and the standing
    /// of the bucket that is empty comes first.
    pub(crate) fn take(&mut self, own: Bucket, now_ms: i64) -> Result<Vec<Standing>, Vec<Standing>> {
        let mut wanted = vec![Bucket::Account];
        if own != Bucket::Account {
            wanted.push(own);
        }
        let mut standings = self.standings(&wanted, now_ms);
        if let Some(empty) = standings.iter().position(|standing| standing.remaining == 0) {
            standings.swap(0, empty);
            return Err(standings);
        }
        for bucket in &wanted {
            self.use_up(*bucket, 1, now_ms);
        }
        Ok(self.standings(&wanted, now_ms))
    }

    /// Counts requests that someone else made.
    pub(crate) fn use_up(&mut self, bucket: Bucket, requests: u32, now_ms: i64) {
        let window = self.window(bucket, now_ms);
        let used = window.used.saturating_add(requests);
        self.windows.insert(bucket, Window { used, ..window });
    }

    /// The window of now; one begins with its first request.
    fn window(&self, bucket: Bucket, now_ms: i64) -> Window {
        let window = self.windows.get(&bucket).copied();
        let current = window.filter(|window| (0..bucket.window_ms()).contains(&(now_ms - window.began)));
        current.unwrap_or(Window { began: now_ms, used: 0 })
    }

    fn standings(&self, buckets: &[Bucket], now_ms: i64) -> Vec<Standing> {
        let standing = |bucket: &Bucket| {
            let total = self.limits.total(*bucket)?;
            let window = self.window(*bucket, now_ms);
            let left_ms = window.began + bucket.window_ms() - now_ms;
            Some(Standing {
                bucket: *bucket,
                total,
                remaining: total.saturating_sub(window.used),
                resets: (left_ms + 999) / 1_000,
            })
        };
        buckets.iter().filter_map(standing).collect()
    }
}

impl Standing {
    /// The headers that tell it, in the spellings of 2026.
    pub(crate) fn headers(&self) -> Vec<(&'static str, String)> {
        let Self {
            bucket,
            total,
            remaining,
            resets,
        } = *self;
        let Some(header) = bucket.header() else {
            return Vec::new();
        };
        if bucket != Bucket::Account {
            return vec![(header, format!("total={total}; remaining={remaining}; resets={resets}"))];
        }
        vec![
            (header, total.to_string()),
            ("x-rate-limit-remaining", remaining.to_string()),
            ("ratelimit-limit", total.to_string()),
            ("ratelimit-remaining", remaining.to_string()),
            ("ratelimit-reset", resets.to_string()),
        ]
    }

    /// Seconds to the next window.
    pub(crate) fn resets(&self) -> i64 {
        self.resets
    }

    pub(crate) fn bucket(&self) -> Bucket {
        self.bucket
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_window_lasts_a_minute_from_its_first_request() {
        let mut buckets = Buckets::new(Limits::of(Plan::Team));
        let own = Bucket::IncrementalExports;
        for left in (0..10).rev() {
            let standings = buckets.take(own, 5_000).expect("within the limit");
            assert_eq!((standings[1].remaining, standings[1].resets), (left, 60));
        }
        let refused = buckets.take(own, 64_001).expect_err("beyond the limit");
        assert_eq!((refused[0].bucket, refused[0].resets), (own, 1));
        assert!(
            buckets.take(Bucket::IncrementalExportsCursor, 64_001).is_ok(),
            "a bucket of its own"
        );
        let standings = buckets.take(own, 65_000).expect("the next window");
        assert_eq!((standings[1].remaining, standings[0].remaining), (9, 199));
    }

    #[test]
    fn others_use_up_the_account_too() {
        let mut buckets = Buckets::new(Limits::of(Plan::Team));
        buckets.use_up(Bucket::Account, 199, 0);
        assert!(buckets.take(Bucket::IncrementalExports, 1).is_ok());
        let refused = buckets.take(Bucket::IncrementalExports, 2).expect_err("all used up");
        assert_eq!(refused[0].bucket, Bucket::Account);
    }
}
