//! Waiting for a log or a registry that is away.

use std::fmt::Display;
use std::time::Duration;

use metrics::counter;
use tokio_util::sync::CancellationToken;
use zenfloe_log::{Class, LogError};

use crate::{Progress, StageError};

/// The first wait; doubled from attempt to attempt.
const FIRST_WAIT: Duration = Duration::from_millis(100);
/// The longest wait between two attempts.
const LONGEST_WAIT: Duration = Duration::from_secs(5);

/// The wish to end, and where it is shown what is waited for meanwhile.
pub(crate) struct Stop {
    token: CancellationToken,
    progress: Progress,
}

impl Stop {
    pub(crate) fn new(token: CancellationToken, progress: Progress) -> Self {
        Self { token, progress }
    }

    pub(crate) fn is_cancelled(&self) -> bool {
        self.token.is_cancelled()
    }

    pub(crate) async fn cancelled(&self) {
        self.token.cancelled().await;
    }
}

/// The attempts of one call.
#[derive(Default)]
pub(crate) struct Patience {
    attempts: u32,
}

impl Patience {
    /// Waits until a failed call may be made again; `false` when `stop` fires first, the error itself
    /// when waiting would not help.
    pub(crate) async fn wait(&mut self, error: LogError, stop: &Stop) -> Result<bool, StageError> {
        match error.class() {
            Class::Retry => Ok(self.pause("log", &error, stop).await),
            Class::Reread | Class::Fenced | Class::Stop => Err(error.into()),
        }
    }

    /// Tells what is waited for and waits; `false` when `stop` fires first.
    pub(crate) async fn pause(&mut self, part: &'static str, why: &(dyn Display + Sync), stop: &Stop) -> bool {
        tracing::warn!("waiting for the {part}: {why}");
        stop.progress.wait(part);
        counter!("zenfloe_transform_retries_total", "part" => part).increment(1);
        let ceiling = LONGEST_WAIT.min(FIRST_WAIT * 2_u32.saturating_pow(self.attempts.min(10)));
        self.attempts += 1;
        // Between half and all of it, so that several processes do not call in step.
        let wait = ceiling.mul_f64(0.5 + fastrand::f64() / 2.0);
        tokio::select! {
            () = stop.cancelled() => false,
            () = tokio::time::sleep(wait) => true,
        }
    }
}

/// Makes a call of the log until it does not ask for a retry; `None` when `stop` fires first.
///
/// A macro because a closure that returns a borrowing future cannot be `Send`.
macro_rules! patiently {
    ($stop:expr, $call:expr) => {{
        let mut patience = $crate::patience::Patience::default();
        loop {
            match $call {
                Ok(done) => break Some(done),
                Err(error) => {
                    if !patience.wait(error, $stop).await? {
                        break None;
                    }
                }
            }
        }
    }};
}

/// The same for a function that answers `Ok(None)` when it was stopped.
macro_rules! or_stopped {
    ($answer:expr) => {
        match $answer {
            Some(done) => done,
            None => return Ok(None),
        }
    };
}

pub(crate) use {or_stopped, patiently};
