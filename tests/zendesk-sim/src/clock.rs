//! The account's time: real, faster than real, or moved by hand.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use serde::{Deserialize, Serialize};

/// Tells the account's time. Clones share it.
#[derive(Debug, Clone)]
pub struct Clock {
    kind: Kind,
}

#[derive(Debug, Clone)]
enum Kind {
    Real,
    Scaled { origin: Instant, start_ms: i64, speed: f64 },
    Manual(Arc<AtomicI64>),
}

/// How a clock runs.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Pace {
    Real,
    Scaled { speed: f64 },
    Manual,
}

impl Clock {
    /// The machine's clock.
    pub fn real() -> Self {
        Self { kind: Kind::Real }
    }

    /// A clock that begins at the machine's time and runs `speed` times as fast.
    pub fn scaled(speed: f64) -> Self {
        Self::scaled_from(real_ms(), speed)
    }

    fn scaled_from(start_ms: i64, speed: f64) -> Self {
        let kind = Kind::Scaled {
            origin: Instant::now(),
            start_ms,
            speed,
        };
        Self { kind }
    }

    /// A clock that goes on at a pace, not before a time (milliseconds since 1970).
    pub(crate) fn resumed(pace: Pace, not_before_ms: i64) -> Self {
        match pace {
            Pace::Real => Self::real(),
            Pace::Scaled { speed } => Self::scaled_from(real_ms().max(not_before_ms), speed),
            Pace::Manual => Self::manual(not_before_ms.div_euclid(1_000)),
        }
    }

    /// How the clock runs.
    pub(crate) fn pace(&self) -> Pace {
        match self.kind {
            Kind::Real => Pace::Real,
            Kind::Scaled { speed, .. } => Pace::Scaled { speed },
            Kind::Manual(_) => Pace::Manual,
        }
    }

    /// A clock that stands at `start` (whole seconds since 1970) until [`Clock::advance`] moves it.
    pub fn manual(start: i64) -> Self {
        Self {
            kind: Kind::Manual(Arc::new(AtomicI64::new(start * 1_000))),
        }
    }

    /// Milliseconds since 1970.
    pub fn now_ms(&self) -> i64 {
        match &self.kind {
            Kind::Real => real_ms(),
            Kind::Scaled {
                origin,
                start_ms,
                speed,
            } => start_ms + (origin.elapsed().as_secs_f64() * speed * 1_000.0) as i64,
            Kind::Manual(now) => now.load(Ordering::SeqCst),
        }
    }

    /// Whole seconds since 1970.
    pub fn now(&self) -> i64 {
        self.now_ms().div_euclid(1_000)
    }

    /// Moves a manual clock on; returns false where the clock runs by itself.
    pub fn advance(&self, by: Duration) -> bool {
        let Kind::Manual(now) = &self.kind else {
            return false;
        };
        let by = i64::try_from(by.as_millis()).unwrap_or(i64::MAX / 4);
        now.fetch_add(by, Ordering::SeqCst);
        true
    }
}

fn real_ms() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_millis()).expect("milliseconds of this age fit")
}
