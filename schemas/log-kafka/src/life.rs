//! The age of a transaction.

use std::cell::Cell;
use std::time::{Duration, Instant};

/// How long a transaction has been open, and whether this process was awake all the time.
///
/// Invariant: a process that stood still for as long as a transaction lasts takes every fence for a successor's: it is
/// for the sake of such ones that fences exist.
pub(crate) struct Life {
    limit: Duration,
    begun: Cell<Instant>,
    beaten: Cell<Instant>,
    has_slept: Cell<bool>,
}

impl Life {
    pub(crate) fn new(limit: Duration) -> Self {
        let now = Instant::now();
        Self {
            limit,
            begun: Cell::new(now),
            beaten: Cell::new(now),
            has_slept: Cell::new(false),
        }
    }

    pub(crate) fn begin(&self) {
        let now = Instant::now();
        self.begun.set(now);
        self.beaten.set(now);
        self.has_slept.set(false);
    }

    pub(crate) fn beat(&self) {
        let before = self.beaten.replace(Instant::now());
        if before.elapsed() >= self.limit {
            self.has_slept.set(true);
        }
    }

    /// Claims that the brokers may have ended the transaction for its age.
    pub(crate) fn was_outlived(&self) -> bool {
        self.beat();
        self.begun.get().elapsed() >= self.limit && !self.has_slept.get()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIMIT: Duration = Duration::from_millis(200);

    /// Ages a transaction by `steps` beats, one every `pause`.
    fn is_outlived(steps: u32, pause: Duration) -> bool {
        let life = Life::new(LIMIT);
        life.begin();
        for _ in 0..steps {
            std::thread::sleep(pause);
            life.beat();
        }
        life.was_outlived()
    }

    #[test]
    fn only_what_was_watched_for_long_is_outlived() {
        assert!(!is_outlived(0, Duration::ZERO), "it is young");
        assert!(!is_outlived(1, LIMIT), "nobody watched it");
        let life = Life::new(LIMIT);
        life.begin();
        while life.begun.get().elapsed() < LIMIT {
            life.beat();
        }
        assert!(life.was_outlived());
        life.begin();
        assert!(!life.was_outlived(), "another one has begun");
    }
}
