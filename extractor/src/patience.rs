//! Waiting for a log that is away.

use std::time::Duration;

use tokio_util::sync::CancellationToken;
use zenfloe_log::{Class, LogError};
use zenfloe_pacing::Backoff;

/// The longest wait between two attempts.
const LONGEST_WAIT: Duration = Duration::from_secs(5);

/// The attempts of one call.
#[derive(Default)]
pub(crate) struct Patience {
    attempts: u32,
}

impl Patience {
    /// Waits until a failed call may be made again; `false` when `stop` fires first, the error itself
    /// when waiting would not help.
    pub(crate) async fn wait(&mut self, error: LogError, stop: &CancellationToken) -> Result<bool, LogError> {
        if error.class() != Class::Retry {
            return Err(error);
        }
        tracing::warn!("waiting for the log: {error}");
        self.attempts += 1;
        let backoff = Backoff {
            base: Duration::from_millis(200),
            max: LONGEST_WAIT,
        };
        tokio::select! {
            () = stop.cancelled() => Ok(false),
            () = tokio::time::sleep(backoff.wait(self.attempts, None, fastrand::f64())) => Ok(true),
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

pub(crate) use patiently;
