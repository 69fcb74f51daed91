//! Waiting for a log, a registry or a destination that is away.

use std::fmt::Display;
use std::time::Duration;

use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use zenfloe_destination::LoadError;
use zenfloe_log::{LogError, Reader};
use zenfloe_registry::RegistryError;

use crate::Progress;

/// The wait after a first failure.
const FIRST_WAIT: Duration = Duration::from_millis(100);

/// A reader whose rows take longer than this to load says now and then that it lives; less than any group's patience.
const SIGN_OF_LIFE: Duration = Duration::from_secs(4);

/// An error that may mend by itself.
pub(crate) trait MayMend: Display + Sync {
    fn may_mend(&self) -> bool;
}

impl MayMend for LogError {
    fn may_mend(&self) -> bool {
        self.class() == zenfloe_log::Class::Retry
    }
}

impl MayMend for LoadError {
    fn may_mend(&self) -> bool {
        self.class() == zenfloe_destination::Class::Retry
    }
}

impl MayMend for RegistryError {
    fn may_mend(&self) -> bool {
        self.class() == zenfloe_registry::Class::Retry
    }
}

/// How long this stage waits, and what ends the wait.
#[derive(Clone)]
pub(crate) struct Patience {
    pub(crate) longest: Duration,
    pub(crate) stop: CancellationToken,
    pub(crate) progress: Progress,
}

impl Patience {
    /// Waits after the `attempt`th failure in a row, from 1; `false` when the stage is to stop.
    pub(crate) async fn wait(&self, attempt: u32, error: &(dyn Display + Sync)) -> bool {
        self.until(self.told(attempt, error)).await
    }

    /// As [`Self::wait`], and keeps the reader's partitions meanwhile.
    pub(crate) async fn wait_with(&self, reader: &mut dyn Reader, attempt: u32, error: &(dyn Display + Sync)) -> bool {
        let until = self.told(attempt, error);
        let left = until.saturating_duration_since(Instant::now());
        tokio::select! {
            () = self.stop.cancelled() => return false,
            stayed = reader.stay(left) => note(stayed),
        }
        self.until(until).await
    }

    /// Tells what is waited for; returns the end of the wait.
    fn told(&self, attempt: u32, error: &(dyn Display + Sync)) -> Instant {
        tracing::warn!(attempt, "waiting: {error}");
        self.progress.waiting(Some(error.to_string()));
        let full = FIRST_WAIT.saturating_mul(1 << attempt.min(16)).min(self.longest);
        Instant::now() + full.mul_f64(0.5 + fastrand::f64() / 2.0)
    }

    async fn until(&self, end: Instant) -> bool {
        tokio::select! {
            () = self.stop.cancelled() => false,
            () = tokio::time::sleep_until(end) => true,
        }
    }

    /// What is waited for has come.
    pub(crate) fn over(&self) {
        self.progress.waiting(None);
    }
}

/// Waits for work that may take long, and keeps the reader's partitions meanwhile.
pub(crate) async fn busy<T>(reader: &mut dyn Reader, work: impl Future<Output = T> + Send) -> T {
    let mut work = std::pin::pin!(work);
    loop {
        tokio::select! {
            biased;
            done = &mut work => return done,
            () = tokio::time::sleep(SIGN_OF_LIFE) => {}
        }
        tokio::select! {
            biased;
            done = &mut work => return done,
            stayed = reader.stay(Duration::ZERO) => note(stayed),
        }
    }
}

/// A log that is away takes no sign of life; the next read tells.
fn note(stayed: Result<(), LogError>) {
    if let Err(error) = stayed {
        tracing::debug!("the group was not told that this loader is busy: {error}");
    }
}

/// Makes a call until it does not ask for a retry; `None` when the stage is to stop.
///
/// With a reader its partitions are kept during the waits. A macro because a closure that returns a borrowing future
/// cannot be `Send`.
macro_rules! patiently {
    ($patience:expr, $call:expr) => {
        patiently!(@ $patience, $call, attempt, error, $patience.wait(attempt, &error).await)
    };
    ($patience:expr, $reader:expr, $call:expr) => {
        patiently!(@ $patience, $call, attempt, error, $patience.wait_with($reader, attempt, &error).await)
    };
    (@ $patience:expr, $call:expr, $attempt:ident, $error:ident, $wait:expr) => {{
        let mut $attempt = 0;
        loop {
            match $call {
                Ok(done) => {
                    if $attempt > 0 {
                        $patience.over();
                    }
                    break Ok(Some(done));
                }
                Err($error) if $crate::patience::MayMend::may_mend(&$error) => {
                    $attempt += 1;
                    if !$wait {
                        break Ok(None);
                    }
                }
                Err(error) => break Err(error),
            }
        }
    }};
}

pub(crate) use patiently;
