use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::Moment;

/// The past requests of one bucket.
///
/// A request fills its slot from the moment it is sent until one period after its **answer**: the
/// server counted it at some time in between, so that however the server cuts its windows, and however
/// long the request was under way, a slot that is free here is free there.
#[derive(Debug, Clone)]
pub(crate) struct Window {
    limit: u32,
    period: Duration,
    cap: Option<u32>,
    headroom: f64,
    answered: VecDeque<Moment>,
    in_flight: u32,
    hold: Option<Hold>,
    blocked_until: Moment,
}

/// What is left to us of a window that others use as well.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
struct Hold {
    left: u32,
    until: Moment,
}

/// What a window must remember over a restart.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct WindowState {
    limit: u32,
    /// Answers by the second in which they came, rounded up.
    answered: Vec<(u64, u32)>,
    hold: Option<Hold>,
    blocked_until: Moment,
}

/// Whole seconds in the server's headers are rounded, either way.
const ROUNDING: Duration = Duration::from_secs(1);
/// How long to wait when answers that are still out fill the window.
const ANSWERS_OUT: Duration = Duration::from_millis(250);

impl Window {
    pub(crate) fn new(limit: u32, period: Duration) -> Self {
        Self {
            limit,
            period,
            cap: None,
            headroom: 0.0,
            answered: VecDeque::new(),
            in_flight: 0,
            hold: None,
            blocked_until: Moment::ZERO,
        }
    }

    /// Restricts our own share: to `cap` requests a period, and to what `headroom` (0..1) leaves of the limit.
    pub(crate) fn restricted(mut self, cap: u32, headroom: f64) -> Self {
        self.cap = Some(cap);
        self.headroom = headroom;
        self
    }

    /// The share of the limit that is kept for others.
    fn reserved(&self) -> u32 {
        (f64::from(self.limit) * self.headroom).floor() as u32
    }

    /// Requests a period that we allow ourselves.
    pub(crate) fn share(&self) -> u32 {
        let share = self.limit.saturating_sub(self.reserved());
        share.min(self.cap.unwrap_or(u32::MAX)).max(1)
    }

    fn used(&self) -> u32 {
        u32::try_from(self.answered.len())
            .unwrap_or(u32::MAX)
            .saturating_add(self.in_flight)
    }

    fn forget(&mut self, now: Moment) {
        while self.answered.front().is_some_and(|at| *at + self.period <= now) {
            self.answered.pop_front();
        }
        if self.hold.is_some_and(|hold| hold.until <= now) {
            self.hold = None;
        }
    }

    /// Claims that a request may be sent now; otherwise says when to ask again.
    pub(crate) fn is_free(&mut self, now: Moment) -> Result<(), Moment> {
        self.forget(now);
        if now < self.blocked_until {
            return Err(self.blocked_until);
        }
        if let Some(Hold { left: 0, until }) = self.hold {
            return Err(until);
        }
        if self.used() < self.share() {
            return Ok(());
        }
        // The slot that must fall free: with a lowered limit it is not the oldest one.
        let excess = (self.used() - self.share()) as usize;
        Err(match self.answered.get(excess) {
            Some(at) => *at + self.period,
            None => now + ANSWERS_OUT,
        })
    }

    /// Counts a request that is being sent.
    pub(crate) fn sent(&mut self) {
        self.in_flight += 1;
        if let Some(hold) = &mut self.hold {
            hold.left = hold.left.saturating_sub(1);
        }
    }

    /// Counts the answer (or the failure) of a request.
    pub(crate) fn answered(&mut self, now: Moment) {
        self.in_flight = self.in_flight.saturating_sub(1);
        let latest = self.answered.back().copied().unwrap_or(Moment::ZERO);
        self.answered.push_back(now.max(latest));
    }

    /// Takes over what the server said. Less left than our own requests explain means that others use the bucket.
    pub(crate) fn learn(&mut self, total: Option<u32>, remaining: Option<u32>, resets: Option<Duration>, now: Moment) {
        if let Some(total) = total.filter(|total| *total > 0) {
            self.limit = total;
        }
        self.forget(now);
        let Some(remaining) = remaining else { return };
        let ours_alone = self.limit.saturating_sub(self.used());
        self.hold = (remaining < ours_alone).then(|| Hold {
            left: remaining.saturating_sub(self.reserved()).saturating_sub(self.in_flight),
            until: now + resets.unwrap_or(self.period) + ROUNDING,
        });
    }

    /// Sends nothing before `until`.
    pub(crate) fn block(&mut self, until: Moment) {
        self.blocked_until = self.blocked_until.max(until);
    }

    /// Requests that could be sent at once.
    pub(crate) fn free(&mut self, now: Moment) -> u32 {
        self.forget(now);
        if now < self.blocked_until {
            return 0;
        }
        let free = self.share().saturating_sub(self.used());
        self.hold.map_or(free, |hold| free.min(hold.left))
    }

    pub(crate) fn snapshot(&self) -> WindowState {
        let mut seconds: BTreeMap<u64, u32> = BTreeMap::new();
        for at in &self.answered {
            *seconds.entry(at.as_secs() + 1).or_default() += 1;
        }
        WindowState {
            limit: self.limit,
            answered: seconds.into_iter().collect(),
            hold: self.hold,
            blocked_until: self.blocked_until,
        }
    }

    /// Goes on from a snapshot. A request may have been under way when its process ended: where the
    /// window was in use, one more is counted, as answered now.
    pub(crate) fn restore(&mut self, state: &WindowState, now: Moment) {
        self.limit = state.limit.max(1);
        self.hold = state.hold.filter(|hold| hold.until <= now + self.period + ROUNDING);
        // A clock that was set back must not hold us up for longer than the server ever would.
        self.blocked_until = state.blocked_until.min(now + self.period);
        self.answered = state
            .answered
            .iter()
            .flat_map(|(second, count)| {
                std::iter::repeat_n(Duration::from_secs(*second).min(now), (*count).min(100_000) as usize)
            })
            .collect();
        self.forget(now);
        if !self.answered.is_empty() {
            self.answered.push_back(now);
        }
    }
}
