//! A page that did not come: what its failure means for its collection.

use std::time::Duration;

use metrics::counter;
use tokio_util::sync::CancellationToken;
use zenfloe_pacing::Mode;
use zenfloe_zendesk::{Class, Fault, SourceError};

use super::{Job, Stage};
use crate::check::remedy;
use crate::patience::patiently;
use crate::progress::micros;
use crate::report::{Report, Trouble};
use crate::work::Track;
use crate::{StageError, Status, plan, state};

/// Failures in a row after which a single pass ends: some ten minutes of full jitter.
const FAILURES_IN_ONE_PASS: u32 = 25;
/// The wait after a refusal that does not say how long.
const UNSAID_PENALTY: Duration = Duration::from_secs(10);

impl Stage {
    /// Decides what a failure means for its collection.
    pub(super) async fn failed(
        &mut self,
        job: Job,
        error: SourceError,
        stop: &CancellationToken,
    ) -> Result<(), StageError> {
        let trouble = match error.class() {
            Class::Stop => return Err(error.into()),
            Class::Reject if job.track == Track::Errands => {
                self.put_off(job, &error);
                None
            }
            Class::Reject => Some(self.switch_off(job, &error)),
            Class::Retry { after } => self.retry_later(job, error, after)?,
        };
        if let Some(trouble) = trouble {
            let report = Report::of(&self.progress.get(job.name()), Some(trouble));
            let out = vec![state::report_record(&self.state_at, job.name(), &report)];
            // When the log stays away until the stop, only the report is missing.
            let _ = patiently!(stop, self.writer.commit(out.clone(), None).await);
        }
        Ok(())
    }

    /// What a record asks for is not there: its ticket may come back, or be gone for good.
    fn put_off(&mut self, job: Job, error: &SourceError) {
        let (source, collection) = (self.source.as_str(), job.name());
        tracing::info!(source, collection, "{}; tried again later", chain(&error.fault));
        let now = self.clock.now();
        let until = now + self.config.retry_forbidden;
        self.work
            .get_mut(job.name())
            .expect("every collection is at work")
            .errands
            .put_off(until);
        self.schedule.postpone(&job.scheduled(), now);
    }

    fn switch_off(&mut self, job: Job, error: &SourceError) -> Trouble {
        let remedy = remedy(error, job.collection);
        let why = chain(&error.fault);
        tracing::warn!(
            source = self.source.as_str(),
            collection = job.name(),
            remedy,
            "{why}; switched off for now"
        );
        let again = self.clock.now() + self.config.retry_forbidden;
        self.schedule.switch_off(&job.scheduled(), again);
        let status = Status::NotAvailable {
            why: why.clone(),
            remedy: remedy.clone(),
        };
        self.progress.set_status(job.name(), status);
        Trouble::NotAvailable {
            why,
            remedy,
            until: micros(again),
        }
    }

    /// Returns what is worth a report: the second failure in a row, the fourth, the eighth, and so on.
    fn retry_later(
        &mut self,
        job: Job,
        error: SourceError,
        after: Option<Duration>,
    ) -> Result<Option<Trouble>, StageError> {
        let failures = self.count_failure(job);
        if self.mode == Mode::Once && failures >= FAILURES_IN_ONE_PASS {
            return Err(StageError::GaveUp {
                collection: job.name().to_owned(),
                attempts: failures,
                last: error,
            });
        }
        let now = self.clock.now();
        if let Fault::RateLimited { after } = error.fault {
            let buckets = refused_buckets(plan::buckets_of(job.collection, job.track), &error);
            self.budget.block(&buckets, now + after.unwrap_or(UNSAID_PENALTY));
        }
        let wait = match error.fault {
            Fault::TokenRefused => Duration::ZERO,
            _ => self.backoff.wait(failures, after, fastrand::f64()),
        };
        let what = chain(&error.fault);
        tracing::warn!(
            source = self.source.as_str(),
            collection = job.name(),
            failures,
            wait_ms = wait.as_millis() as u64,
            "{what}"
        );
        self.schedule.postpone(&job.scheduled(), now + wait);
        let until = micros(now + wait);
        let is_told = failures > 1 && failures.is_power_of_two();
        let trouble = is_told.then(|| Trouble::Failing {
            what: what.clone(),
            failures,
        });
        self.progress.set_status(job.name(), Status::Failing { what, until });
        Ok(trouble)
    }

    /// Returns the failures in a row.
    fn count_failure(&mut self, job: Job) -> u32 {
        counter!("zenfloe_extract_retries_total", "source" => self.source.to_string(), "collection" => job.name())
            .increment(1);
        let work = self.work.get_mut(job.name()).expect("every collection is at work");
        let standing = work.standing(job.track);
        standing.failures += 1;
        standing.failures
    }
}

/// The buckets that a 429 speaks of: those with nothing left; all of them where it does not tell.
fn refused_buckets(buckets: &[&'static str], error: &SourceError) -> Vec<&'static str> {
    let is_empty = |bucket: &&&str| {
        let mut readings = error.readings.iter();
        readings.any(|reading| reading.bucket == **bucket && reading.remaining == Some(0))
    };
    let empty: Vec<_> = buckets.iter().filter(is_empty).copied().collect();
    if empty.is_empty() { buckets.to_vec() } else { empty }
}

/// An error and its causes in one line.
pub(crate) fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        let said = error.to_string();
        if !text.contains(&said) {
            text.push_str(": ");
            text.push_str(&said);
        }
        cause = error.source();
    }
    text
}
