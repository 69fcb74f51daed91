use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

/// A loop that has not turned for this long is taken for dead.
///
/// Longer than any step that a healthy loop takes: a commit with all its retries, a flush of a full batch.
const SILENCE: Duration = Duration::from_secs(300);

/// What the admin port answers about this process.
#[derive(Clone)]
pub struct Health {
    started: Instant,
    loops: Arc<Mutex<Vec<Arc<Loop>>>>,
}

struct Loop {
    name: String,
    turned: AtomicU64,
    ready: AtomicBool,
}

/// One loop's sign of life.
#[derive(Clone)]
pub struct Pulse {
    started: Instant,
    held: Arc<Loop>,
}

impl Default for Health {
    fn default() -> Self {
        Self {
            started: Instant::now(),
            loops: Arc::default(),
        }
    }
}

impl Health {
    /// Adds a loop that must turn and must become ready.
    pub fn pulse(&self, name: &str) -> Pulse {
        let held = Arc::new(Loop {
            name: name.to_owned(),
            turned: AtomicU64::new(seconds(self.started)),
            ready: AtomicBool::new(false),
        });
        self.loops.lock().expect("no panic while held").push(held.clone());
        Pulse {
            started: self.started,
            held,
        }
    }

    /// The loops that have not turned lately.
    pub fn silent(&self) -> Vec<String> {
        let now = seconds(self.started);
        self.names(|held| now.saturating_sub(held.turned.load(Ordering::Relaxed)) > SILENCE.as_secs())
    }

    /// The loops that are not ready yet.
    pub fn unready(&self) -> Vec<String> {
        self.names(|held| !held.ready.load(Ordering::Relaxed))
    }

    fn names(&self, wanted: impl Fn(&Loop) -> bool) -> Vec<String> {
        let loops = self.loops.lock().expect("no panic while held");
        loops
            .iter()
            .filter(|held| wanted(held))
            .map(|held| held.name.clone())
            .collect()
    }
}

impl Pulse {
    /// The loop turned, and with that it is ready: it has its configuration and has joined.
    pub fn beat(&self) {
        self.held.turned.store(seconds(self.started), Ordering::Relaxed);
        self.held.ready.store(true, Ordering::Relaxed);
    }
}

fn seconds(since: Instant) -> u64 {
    since.elapsed().as_secs()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_loop_is_ready_once_it_turned_and_silent_once_it_stopped() {
        let mut health = Health::default();
        let pulse = health.pulse("load");
        assert_eq!(health.unready(), ["load"]);
        assert!(health.silent().is_empty());
        pulse.beat();
        assert!(health.unready().is_empty());
        health.started -= SILENCE + Duration::from_secs(5);
        assert_eq!(health.silent(), ["load"]);
    }
}
