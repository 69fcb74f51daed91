use std::collections::BTreeMap;
use std::time::Duration;

use crate::window::{Window, WindowState};
use crate::{Moment, Reading};

/// The bucket that every request counts against.
pub const ACCOUNT: &str = "account";

const MINUTE: Duration = Duration::from_secs(60);

/// Limits before the first answer has told the true ones: bucket, requests, period (CATALOG: rate limits).
const FIRST_LIMITS: [(&str, u32, Duration); 5] = [
    (ACCOUNT, 200, MINUTE),
    ("incremental-exports", 10, MINUTE),
    ("incremental-exports-cursor", 20, MINUTE),
    ("search-export", 100, MINUTE),
    ("side-conversation-events", 600, Duration::from_secs(600)),
];
/// For a bucket that the table does not name.
const FIRST_LIMIT: (u32, Duration) = (50, MINUTE);

/// How much of the account's limit is ours.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Rules {
    /// Requests a minute that we never exceed, whatever the account allows.
    pub account_cap: u32,
    /// The share of the account's limit, 0 to 1, that is left to the account's other integrations.
    pub headroom: f64,
}

impl Default for Rules {
    fn default() -> Self {
        Self {
            account_cap: 200,
            headroom: 0.2,
        }
    }
}

/// The rate budget of one account: a window per bucket.
#[derive(Debug, Clone)]
pub struct Budget {
    windows: BTreeMap<String, Window>,
    rules: Rules,
}

/// What a budget must remember over a restart.
pub type Snapshot = BTreeMap<String, WindowState>;

/// The permission to send one request; must be handed back to [`Budget::answered`].
#[derive(Debug)]
#[must_use = "a leave that is not handed back fills its slot for ever"]
pub struct Leave {
    buckets: Vec<String>,
}

impl Budget {
    /// A budget that has sent nothing yet.
    pub fn new(rules: Rules) -> Self {
        Self {
            windows: BTreeMap::new(),
            rules,
        }
    }

    /// Takes a slot in every one of `buckets`, or says when to ask again.
    pub fn take(&mut self, buckets: &[&str], now: Moment) -> Result<Leave, Moment> {
        let mut wait = None;
        for bucket in buckets {
            wait = wait.max(self.window(bucket).is_free(now).err());
        }
        if let Some(until) = wait {
            return Err(until);
        }
        buckets.iter().for_each(|bucket| self.window(bucket).sent());
        Ok(Leave {
            buckets: buckets.iter().map(|bucket| (*bucket).to_owned()).collect(),
        })
    }

    /// Counts the answer to a request, or its failure, and takes over what the answer said.
    pub fn answered(&mut self, leave: Leave, readings: &[Reading], now: Moment) {
        for bucket in &leave.buckets {
            self.window(bucket).answered(now);
        }
        for reading in readings {
            if let Some(window) = self.windows.get_mut(&reading.bucket) {
                window.learn(reading.total, reading.remaining, reading.resets, now);
            }
        }
    }

    /// Sends nothing against these buckets before `until`: the server asked for it.
    pub fn block(&mut self, buckets: &[&str], until: Moment) {
        buckets.iter().for_each(|bucket| self.window(bucket).block(until));
    }

    /// Requests that could be sent at once, by bucket.
    pub fn free(&mut self, now: Moment) -> Vec<(String, u32)> {
        self.windows
            .iter_mut()
            .map(|(name, window)| (name.clone(), window.free(now)))
            .collect()
    }

    /// Requests a period that we allow ourselves in a bucket.
    pub fn share(&mut self, bucket: &str) -> u32 {
        self.window(bucket).share()
    }

    /// What to keep over a restart.
    pub fn snapshot(&self) -> Snapshot {
        self.windows
            .iter()
            .map(|(name, window)| (name.clone(), window.snapshot()))
            .collect()
    }

    /// Goes on from a snapshot, so that a restart does not send a window's requests twice.
    pub fn restore(&mut self, snapshot: &Snapshot, now: Moment) {
        for (name, state) in snapshot {
            self.window(name).restore(state, now);
        }
    }

    fn window(&mut self, bucket: &str) -> &mut Window {
        // Looked up twice because an entry would need an owned name for every request.
        if !self.windows.contains_key(bucket) {
            let window = first_window(bucket, self.rules);
            self.windows.insert(bucket.to_owned(), window);
        }
        self.windows
            .get_mut(bucket)
            .expect("it was there or has just been put there")
    }
}

fn first_window(bucket: &str, rules: Rules) -> Window {
    let known = FIRST_LIMITS.iter().find(|(name, ..)| *name == bucket);
    let (limit, period) = known.map_or(FIRST_LIMIT, |(_, limit, period)| (*limit, *period));
    let window = Window::new(limit, period);
    if bucket == ACCOUNT {
        window.restricted(rules.account_cap, rules.headroom)
    } else {
        window
    }
}
