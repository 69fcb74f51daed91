//! Waiting for a log, a registry or a destination that is away.

use std::fmt::Display;
use std::time::Duration;

use tokio_util::sync::CancellationToken;
use zenfloe_destination::LoadError;
use zenfloe_log::LogError;
use zenfloe_registry::RegistryError;

use crate::Progress;

/// The wait after a first failure.
const FIRST_WAIT: Duration = Duration::from_millis(100);

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
        tracing::warn!(attempt, "waiting: {error}");
        self.progress.waiting(Some(error.to_string()));
        let full = FIRST_WAIT.saturating_mul(1 << attempt.min(16)).min(self.longest);
        tokio::select! {
            () = self.stop.cancelled() => false,
            () = tokio::time::sleep(full.mul_f64(0.5 + fastrand::f64() / 2.0)) => true,
        }
    }

    /// What is waited for has come.
    pub(crate) fn over(&self) {
        self.progress.waiting(None);
    }
}

/// Makes a call until it does not ask for a retry; `None` when the stage is to stop.
///
/// A macro because a closure that returns a borrowing future cannot be `Send`.
macro_rules! patiently {
    ($patience:expr, $call:expr) => {{
        let mut attempt = 0;
        loop {
            match $call {
                Ok(done) => {
                    if attempt > 0 {
                        $patience.over();
                    }
                    break Ok(Some(done));
                }
                Err(error) if $crate::patience::MayMend::may_mend(&error) => {
                    attempt += 1;
                    if !$patience.wait(attempt, &error).await {
                        break Ok(None);
                    }
                }
                Err(error) => break Err(error),
            }
        }
    }};
}

pub(crate) use patiently;
