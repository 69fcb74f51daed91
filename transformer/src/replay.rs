//! Transforms again what is in the raw topics, while live traffic goes on.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use zenfloe_keyring::Opener;
use zenfloe_log::{Append, Batch, Bounds, Done, Log, Writer};
use zenfloe_record::{Offset, Positions, TopicPartition};

use crate::config::bytes;
use crate::custom::Fields;
use crate::erase::Suppressed;
use crate::meter::Meter;
use crate::patience::{Stop, or_stopped, patiently};
use crate::people::Directory;
use crate::plans::Plans;
use crate::rules::{Fingerprint, Rules};
use crate::span::{Bound, Plan};
use crate::topics::RawTopic;
use crate::walk::Walk;
use crate::worker::{Keying, Worker, away};
use crate::{
    From, Parts, Replay, ReplayProgress, Replayed, StageError, group, plans, replay_group, replay_writer_id, topics,
};

/// How often it is made sure that no newer configuration has come.
const CHECK_EVERY: Duration = Duration::from_secs(5);

/// Transforms raw records again under the configuration in force, up to where live transformation stood when the
/// replay began.
///
/// A partition in which the present revision began after the replay's beginning is transformed up to that offset:
/// what comes after was made under it already. Rows are keyed by row and version, so that compaction never puts an
/// older row in a newer one's place. An interrupted replay goes on when it is asked for again with the same words;
/// of two replays of a source the older one is fenced.
///
/// Errors with [`StageError::NotNewest`] when a transformer with another configuration is in force.
pub async fn replay(
    parts: Parts,
    what: Replay,
    progress: ReplayProgress,
    stop: CancellationToken,
) -> Result<Replayed, StageError> {
    let stop = Stop::new(stop, parts.progress.clone());
    let Some(job) = Job::open(parts, &what, progress, &stop).await? else {
        return Ok(Replayed::nothing());
    };
    if what.is_dry_run {
        return Ok(job.report(false));
    }
    job.work(&stop).await
}

impl Replayed {
    /// Stopped before anything was known.
    fn nothing() -> Self {
        Self {
            is_complete: false,
            is_resumed: false,
            revision: 0,
            records: 0,
            rows: 0,
            dead: 0,
            spans: Vec::new(),
        }
    }
}

/// A replay under way.
struct Job {
    log: Arc<dyn Log>,
    source: String,
    /// `None` in a dry run.
    crew: Option<Crew>,
    walk: Walk,
    rules: Rules,
    suppressed: Suppressed,
    fingerprint: Fingerprint,
    plan: Plan,
    is_resumed: bool,
    progress: ReplayProgress,
    checked: Instant,
    meter: Meter,
    records: u64,
    rows: u64,
    dead: u64,
}

/// Who writes.
struct Crew {
    writer: Box<dyn Writer>,
    worker: Option<Worker>,
    directory: Directory,
    fields: Fields,
}

impl Job {
    async fn open(
        parts: Parts,
        what: &Replay,
        progress: ReplayProgress,
        stop: &Stop,
    ) -> Result<Option<Self>, StageError> {
        let log = parts.log.clone();
        let meter = Meter::new(&parts.source);
        let plans = plans::compile(&parts)?;
        let writer = if what.is_dry_run {
            None
        } else {
            let id = replay_writer_id(&parts.source);
            Some(or_stopped!(patiently!(stop, log.writer(&id).await)))
        };
        let raw = or_stopped!(topics::existing_raw_topics(&parts, &what.collections, stop).await?);
        let mut rules = or_stopped!(topics::rules_of(&parts, stop).await?);
        let revision = rules.in_force(&plans.fingerprint)?;
        plans.suppressed.learn(&rules);
        let suppressed = plans.suppressed.clone();
        let wanted = or_stopped!(planned(&parts, what, &raw, &rules, revision, stop).await?);
        let held = rules.replay().filter(|held| held.is_same_request(&wanted)).cloned();
        let is_resumed = held.is_some();
        let plan = held.unwrap_or(wanted);
        let group = replay_group(&parts.source);
        let reached = if is_resumed {
            or_stopped!(resumed(&parts, &plan, stop).await?)
        } else {
            plan.start()
        };
        progress.set(plan.spans(&reached));
        let until = plan.spans.iter().map(|bound| (bound.at(), bound.until)).collect();
        let (records, size) = (parts.config.batch_records, bytes(parts.config.batch_bytes));
        let fingerprint = plans.fingerprint;
        let (source, shared) = (parts.source.to_string(), log.clone());
        let crew = match writer {
            None => None,
            Some(writer) => {
                let directory = Directory::new(&parts, &plans);
                let (worker, fields) = or_stopped!(worker(parts, plans, &raw, &mut rules, revision, stop).await?);
                Some(Crew {
                    writer,
                    directory,
                    fields,
                    worker: Some(worker),
                })
            }
        };
        Ok(Some(Self {
            log: shared,
            source,
            crew,
            walk: Walk::new(group, reached, until, records, size),
            rules,
            suppressed,
            fingerprint,
            plan,
            is_resumed,
            progress,
            checked: Instant::now(),
            meter,
            records: 0,
            rows: 0,
            dead: 0,
        }))
    }

    async fn work(mut self, stop: &Stop) -> Result<Replayed, StageError> {
        let is_complete = self.turn(stop).await?.is_some();
        Ok(self.report(is_complete))
    }

    fn report(&self, is_complete: bool) -> Replayed {
        Replayed {
            is_complete,
            is_resumed: self.is_resumed,
            revision: self.plan.revision,
            records: self.records,
            rows: self.rows,
            dead: self.dead,
            spans: self.progress.snapshot(),
        }
    }

    /// Works until all is transformed; `None` when `stop` fires first.
    async fn turn(&mut self, stop: &Stop) -> Result<Option<()>, StageError> {
        if self.walk.is_over() && !self.is_resumed {
            return Ok(Some(()));
        }
        if !self.walk.is_over() {
            or_stopped!(self.walk.open(&*self.log, stop).await?);
        }
        if !self.is_resumed {
            // From here on an interrupted replay is known, and the group stands at its beginning.
            let record = self.rules.replay_record(Some(&self.plan));
            let start = self.plan.start();
            or_stopped!(self.commit(vec![record], start, stop).await?);
        }
        let (source, revision, is_resumed) = (self.source.as_str(), self.plan.revision, self.is_resumed);
        tracing::info!(
            source,
            revision,
            is_resumed,
            partitions = self.plan.spans.len(),
            "replay"
        );
        while !self.walk.is_over() {
            if stop.is_cancelled() {
                return Ok(None);
            }
            let batch = or_stopped!(self.walk.next(&*self.log, stop).await?);
            or_stopped!(self.batch(batch, stop).await?);
            or_stopped!(self.check(stop).await?);
        }
        let over = self.rules.replay_record(None);
        self.end(over, stop).await
    }

    /// Transforms and commits a batch.
    async fn batch(&mut self, batch: Batch, stop: &Stop) -> Result<Option<()>, StageError> {
        if batch.positions.is_empty() {
            return Ok(Some(()));
        }
        let records = Arc::new(batch.records);
        let crew = self.crew.as_mut().expect("no dry run");
        or_stopped!(crew.directory.follow(&*self.log, stop).await?);
        let own = crew.worker.as_mut().expect("it is back after every batch");
        or_stopped!(crew.fields.follow(&mut self.rules, own, stop).await?);
        let worker = crew.worker.take().expect("it is back after every batch");
        let (worker, made) = away(worker, records.clone(), |worker, records| worker.batch(records)).await;
        crew.worker = Some(worker);
        let made = made?;
        or_stopped!(self.commit(made.out, batch.positions.clone(), stop).await?);
        self.meter.count(&made.tally);
        self.records += made.tally.records();
        self.rows += made.tally.rows();
        self.dead += made.tally.dead();
        for (at, next) in batch.positions.iter() {
            let count = records.iter().filter(|record| record.at == *at).count();
            self.progress.advance(at, next, count as u64);
        }
        Ok(Some(()))
    }

    async fn commit(&mut self, out: Vec<Append>, positions: Positions, stop: &Stop) -> Result<Option<()>, StageError> {
        let crew = self.crew.as_mut().expect("no dry run");
        let by = self.walk.membership();
        let done = |positions: &Positions| {
            Some(Done {
                by: by.clone(),
                positions: positions.clone(),
            })
        };
        Ok(patiently!(
            stop,
            crew.writer.commit(out.clone(), done(&positions)).await
        ))
    }

    async fn end(&mut self, over: Append, stop: &Stop) -> Result<Option<()>, StageError> {
        let crew = self.crew.as_mut().expect("no dry run");
        Ok(patiently!(stop, crew.writer.commit(vec![over.clone()], None).await))
    }

    /// Stops this process when another configuration is in force.
    async fn check(&mut self, stop: &Stop) -> Result<Option<()>, StageError> {
        if self.checked.elapsed() < CHECK_EVERY {
            return Ok(Some(()));
        }
        self.checked = Instant::now();
        or_stopped!(self.rules.follow(&*self.log, stop).await?);
        self.suppressed.learn(&self.rules);
        self.rules.in_force(&self.fingerprint).map(|_| Some(()))
    }
}

/// A worker beside the live one: its rows have keys of their own.
pub(crate) async fn worker(
    parts: Parts,
    plans: Plans,
    raw: &[RawTopic],
    rules: &mut Rules,
    revision: i32,
    stop: &Stop,
) -> Result<Option<(Worker, Fields)>, StageError> {
    let written = or_stopped!(topics::ensure(&parts, raw, stop).await?);
    let mut fields = Fields::new(&parts, &plans, raw);
    or_stopped!(fields.read(rules, stop).await?);
    let lanes = or_stopped!(fields.lanes(rules, &written, stop).await?);
    let opener = Opener::new(parts.seal_keys, &parts.source);
    let safe = (plans.privacy, plans.suppressed);
    let worker = Worker::new(lanes, written, opener, safe, revision, Keying::Versioned);
    Ok(Some((worker, fields)))
}

/// What is to be transformed, partition by partition.
async fn planned(
    parts: &Parts,
    what: &Replay,
    raw: &[RawTopic],
    rules: &Rules,
    revision: i32,
    stop: &Stop,
) -> Result<Option<Plan>, StageError> {
    let mut spans = Vec::new();
    let partitions = topics::all_partitions(raw);
    let live = or_stopped!(patiently!(
        stop,
        parts.log.committed(&group(&parts.source), &partitions).await
    ));
    for at in partitions {
        let bounds = or_stopped!(patiently!(stop, parts.log.bounds(&at).await));
        let from = match what.from {
            From::All => bounds.start,
            From::Offset(offset) => offset.max(bounds.start),
            From::Time(time) => or_stopped!(patiently!(stop, parts.log.offset_at(&at, time).await)),
        };
        let until = end(rules, revision, &at, from, live.get(&at).unwrap_or(bounds.start));
        if from < until {
            spans.push(Bound {
                topic: at.topic.to_string(),
                partition: at.partition,
                from,
                until,
            });
        }
    }
    Ok(Some(Plan {
        revision,
        collections: what.collections.clone(),
        from: what.from,
        spans,
    }))
}

/// Where the replay of a partition ends: where live transformation stands, or where the present revision began.
fn end(rules: &Rules, revision: i32, at: &TopicPartition, from: Offset, live: Offset) -> Offset {
    match rules.began(at) {
        Some(began) if began.revision == revision && began.offset > from => live.min(began.offset),
        _ => live,
    }
}

/// Where an interrupted replay stands; what has expired meanwhile is passed over with a warning.
async fn resumed(parts: &Parts, plan: &Plan, stop: &Stop) -> Result<Option<Positions>, StageError> {
    let partitions: Vec<_> = plan.spans.iter().map(Bound::at).collect();
    let group = replay_group(&parts.source);
    let mut reached = or_stopped!(patiently!(stop, parts.log.committed(&group, &partitions).await));
    for bound in &plan.spans {
        let at = bound.at();
        let Bounds { start, .. } = or_stopped!(patiently!(stop, parts.log.bounds(&at).await));
        let held = reached.get(&at).unwrap_or(bound.from).max(bound.from);
        if held < start.min(bound.until) {
            tracing::warn!(
                "{at}: {} offsets have expired before they were transformed again",
                start - held
            );
        }
        reached.set(at, held.max(start));
    }
    Ok(Some(reached))
}
