//! Fates of a log: it fails now and then before anything has happened, and kills its caller at a call of its choice.

use std::sync::Arc;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU32, Ordering};

use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;
use zenfloe_log::fated::{Call, Fate, FatedLog, RefusedCommits};
use zenfloe_log::{Log, LogError};

pub(crate) type FlakyLog = FatedLog<Flaws>;

/// What happens to the calls.
pub(crate) struct Flaws {
    /// Calls until the caller is killed; none left: it lives for ever.
    left: AtomicU32,
    random: Mutex<fastrand::Rng>,
    /// Of 100 calls so many fail.
    failures: u32,
    killed: Notify,
    /// Fired instead of a kill.
    stop: Option<CancellationToken>,
}

/// Where within a call the caller is killed.
#[derive(PartialEq)]
enum Moment {
    Never,
    Before,
    After,
}

/// Kills its caller at call `kill_at` (0 for never) and lets `failures` of 100 calls fail.
pub(crate) fn flaky(inner: Arc<dyn Log>, seed: u64, kill_at: u32, failures: u32) -> Arc<FlakyLog> {
    FatedLog::new(inner, Flaws::new(seed, kill_at, failures, None))
}

/// Fires `stop` at call `at`.
pub(crate) fn stopping(inner: Arc<dyn Log>, at: u32, stop: CancellationToken) -> Arc<FlakyLog> {
    FatedLog::new(inner, Flaws::new(0, at, 0, Some(stop)))
}

/// Refuses the transformers' next commits, before anything has happened.
pub(crate) fn unwritable(inner: Arc<dyn Log>, failures: u32, error: fn() -> LogError) -> Arc<dyn Log> {
    let fate = RefusedCommits {
        writers: "zenfloe-transform-",
        left: AtomicU32::new(failures),
        error,
    };
    FatedLog::new(inner, fate)
}

impl Flaws {
    fn new(seed: u64, at: u32, failures: u32, stop: Option<CancellationToken>) -> Self {
        Self {
            left: AtomicU32::new(at),
            random: Mutex::new(fastrand::Rng::with_seed(seed)),
            failures,
            killed: Notify::new(),
            stop,
        }
    }

    pub(crate) async fn killed(&self) {
        self.killed.notified().await;
    }

    fn moment(&self) -> Moment {
        let left = self.left.load(Ordering::Relaxed);
        self.left.store(left.saturating_sub(1), Ordering::Relaxed);
        match left {
            1 if self.random.lock().expect("not poisoned").bool() => Moment::Before,
            1 => Moment::After,
            _ => Moment::Never,
        }
    }

    async fn kill(&self) {
        if let Some(stop) = &self.stop {
            return stop.cancel();
        }
        self.killed.notify_one();
        std::future::pending().await
    }
}

impl Fate for Flaws {
    async fn meet<T: Send>(
        &self,
        _call: Call<'_>,
        made: impl Future<Output = Result<T, LogError>> + Send,
    ) -> Result<T, LogError> {
        let moment = self.moment();
        if moment == Moment::Before {
            self.kill().await;
        }
        if self.random.lock().expect("not poisoned").u32(0..100) < self.failures {
            return Err(LogError::Unavailable {
                what: "the broker is away".into(),
            });
        }
        let outcome = made.await;
        if moment == Moment::After {
            self.kill().await;
        }
        outcome
    }
}
