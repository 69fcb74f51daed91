use std::time::Duration;

use tokio::task::JoinHandle;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::{Erase, ErasedCounts, erase, erased};
use crate::patience::Stop;
use crate::rules::Rules;
use crate::{Class, Parts, StageError};

/// Between two runs: each reads the clean topics, and what is asked for meanwhile goes with the next one.
const PAUSE: Duration = Duration::from_secs(60);

/// Does beside a stage what has been asked to be erased.
pub(crate) struct Eraser {
    parts: Parts,
    running: Option<JoinHandle<Result<ErasedCounts, StageError>>>,
    next: Instant,
}

impl Eraser {
    pub(crate) fn new(parts: Parts) -> Self {
        Self {
            parts,
            running: None,
            next: Instant::now(),
        }
    }

    /// Begins what is due, and tells of what has ended.
    pub(crate) async fn tend(&mut self, rules: &Rules) -> Result<(), StageError> {
        if self.running.as_ref().is_some_and(JoinHandle::is_finished)
            && let Some(ended) = self.running.take()
        {
            self.next = Instant::now() + PAUSE;
            let ended = ended
                .await
                .unwrap_or_else(|broken| std::panic::resume_unwind(broken.into_panic()));
            tell(&self.parts, ended)?;
        }
        if self.running.is_none() && Instant::now() >= self.next && rules.has_open_erasures() {
            let parts = self.parts.clone();
            self.running = Some(tokio::spawn(async move {
                erase(&parts, &Erase::default(), CancellationToken::new()).await
            }));
        }
        Ok(())
    }

    /// Does all that is asked for; `None` when `stop` fires first.
    pub(crate) async fn finish(&mut self, rules: &Rules, stop: &Stop) -> Result<Option<()>, StageError> {
        if let Some(running) = self.running.take() {
            running.abort();
        }
        if !rules.has_open_erasures() {
            return Ok(Some(()));
        }
        match erased(&self.parts, &Erase::default(), stop).await {
            Ok(None) => Ok(None),
            Ok(Some(counts)) => tell(&self.parts, Ok(counts)).map(Some),
            Err(error) => tell(&self.parts, Err(error)).map(Some),
        }
    }
}

/// Another process that erases just now does it for this one.
fn tell(parts: &Parts, ended: Result<ErasedCounts, StageError>) -> Result<(), StageError> {
    match ended {
        Ok(counts) => {
            let source = parts.source.as_str();
            tracing::info!(
                source,
                subjects = counts.subjects,
                tokens = counts.tokens,
                rows = counts.rows,
                "erased"
            );
            Ok(())
        }
        Err(error) if error.class() == Class::Replaced => Ok(()),
        Err(error) => Err(error),
    }
}

impl Drop for Eraser {
    fn drop(&mut self) {
        if let Some(running) = &self.running {
            running.abort();
        }
    }
}
