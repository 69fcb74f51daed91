use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use zenfloe_pacing::Moment;

/// The time as this process sees it: it never goes back, and in tests it may run faster.
#[derive(Debug, Clone)]
pub struct Clock {
    began: Instant,
    began_at: Moment,
    speed: f64,
}

impl Clock {
    /// The machine's clock as of now, going on steadily from there.
    pub fn real() -> Self {
        Self::scaled(SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default(), 1.0)
    }

    /// A clock that shows `at` now and runs `speed` times as fast as the machine's.
    pub fn scaled(at: Moment, speed: f64) -> Self {
        Self {
            began: Instant::now(),
            began_at: at,
            speed,
        }
    }

    /// The time.
    pub fn now(&self) -> Moment {
        self.began_at + self.began.elapsed().mul_f64(self.speed)
    }

    /// How long the machine has to wait for this clock to show `moment`.
    pub fn until(&self, moment: Moment) -> Duration {
        moment.saturating_sub(self.now()).div_f64(self.speed)
    }

    /// Sleeps until this clock shows `moment`.
    pub async fn sleep_until(&self, moment: Moment) {
        // Timers fire on full milliseconds, possibly just before the moment: look again.
        while self.now() < moment {
            tokio::time::sleep(self.until(moment).max(Duration::from_micros(100))).await;
        }
    }
}

impl Default for Clock {
    fn default() -> Self {
        Self::real()
    }
}
