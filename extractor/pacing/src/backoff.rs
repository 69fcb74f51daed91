use std::time::Duration;

/// How long to wait before a failed request is repeated: exponential with full jitter.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Backoff {
    /// The upper bound of the first wait.
    pub base: Duration,
    /// The upper bound of every wait.
    pub max: Duration,
}

impl Default for Backoff {
    fn default() -> Self {
        Self {
            base: Duration::from_secs(1),
            max: Duration::from_secs(60),
        }
    }
}

impl Backoff {
    /// The wait before attempt `attempt` (the first repetition is 1); `random` is uniform in 0..1.
    ///
    /// A wait that the server asked for is waited for in full, and the jitter added to it, so that
    /// clients that were refused together do not come back together.
    pub fn wait(&self, attempt: u32, asked: Option<Duration>, random: f64) -> Duration {
        let doublings = attempt.saturating_sub(1).min(16);
        let bound = self.base.saturating_mul(1 << doublings).min(self.max);
        match asked {
            Some(asked) => asked + bound.min(self.base).mul_f64(random),
            None => bound.mul_f64(random),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_double_up_to_the_bound_and_never_cut_what_was_asked() {
        let backoff = Backoff::default();
        assert_eq!(backoff.wait(1, None, 1.0), Duration::from_secs(1));
        assert_eq!(backoff.wait(4, None, 1.0), Duration::from_secs(8));
        assert_eq!(backoff.wait(4, None, 0.5), Duration::from_secs(4));
        assert_eq!(backoff.wait(99, None, 1.0), Duration::from_secs(60));
        assert_eq!(
            backoff.wait(5, Some(Duration::from_secs(38)), 0.0),
            Duration::from_secs(38)
        );
        assert!(backoff.wait(5, Some(Duration::from_secs(38)), 0.9) < Duration::from_secs(39));
    }
}
