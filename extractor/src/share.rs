//! Several processes share the sources: a source's state topic belongs to one of them at a time.
//!
//! The group's assignment is the lease: who holds a source's state topic reads what stands there and goes on.
//! It decides who works; that nobody else's work counts is the writer's doing, which fences a predecessor.
//!
//! Invariants: a source that was given away is stopped before the next event is taken; while the group
//! does not answer for as long as a lease lasts, nothing is requested; one source's trouble stops no other.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use metrics::{counter, gauge};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;
use zenfloe_log::{Assign, Class, Limit, Log, LogError, Read, Reader, ReaderSpec};
use zenfloe_record::{Topic, TopicPartition};

use crate::patience::patiently;
use crate::stage::failure::chain;
use crate::{Drained, Parts, StageError, plan, run};

/// What a process that shares sources works with.
pub struct Shared {
    /// The sources, each as it is run when it falls to this process.
    pub sources: Vec<Parts>,
    /// This process's stable name among its like.
    pub member: String,
    /// Where the group meets.
    pub log: Arc<dyn Log>,
    /// Counts the turns.
    pub turns: Turns,
}

/// How often the process has come round, all its sources with it.
#[derive(Debug, Clone, Default)]
pub struct Turns(Arc<AtomicU64>);

impl Turns {
    /// The turns so far; they rise every second or so as long as all is alive.
    pub fn count(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

/// The group in which extractors share their sources.
pub const GROUP: &str = "zenfloe-extract";
/// A lease that nobody confirms is unsure after this long: the brokers' session time-out.
const LEASE: Duration = Duration::from_secs(15);
/// The longest wait for the group's news.
const BEAT: Duration = Duration::from_secs(1);
/// The wait after a group that did not answer.
const PAUSE: Duration = Duration::from_millis(500);
/// The wait before a source is taken up again that another process has just fenced.
const AFTER_FENCE: Duration = Duration::from_secs(5);
/// The wait before a source is tried again that a person must mend; it doubles.
const AFTER_FAILURE: Duration = Duration::from_secs(60);
/// The longest such wait.
const LONGEST_WAIT: Duration = Duration::from_secs(15 * 60);
/// A source that has not turned for so long hangs.
const SILENCE: Duration = Duration::from_secs(240);

/// Runs those of the sources that fall to this process, until `stop` fires.
///
/// Errors: of the log; of the source, where there is only one.
pub async fn share(shared: Shared, stop: CancellationToken) -> Result<Drained, StageError> {
    let mut drained = Drained {
        is_complete: false,
        abandoned: Vec::new(),
    };
    let Some(mut share) = Share::open(shared, &stop).await? else {
        return Ok(drained);
    };
    let result = share.work(&stop).await;
    drained.abandoned = share.end().await;
    result.map(|()| drained)
}

/// A source, and what it is to this process.
struct Held {
    parts: Parts,
    is_ours: bool,
    running: Option<CancellationToken>,
    /// Not to be started before.
    due: Instant,
    /// Failures in a row.
    failures: u32,
    /// The last turn that was seen of it, and when.
    turned: (u64, Instant),
}

type Ended = (Arc<str>, Result<Drained, StageError>);

struct Share {
    reader: Box<dyn Reader>,
    /// By state topic.
    held: BTreeMap<Arc<str>, Held>,
    tasks: JoinSet<Ended>,
    /// When the group fell silent.
    unsure_since: Option<Instant>,
    turns: Turns,
    abandoned: Vec<String>,
}

impl Share {
    /// Makes the state topics where they are missing and joins. `None` when `stop` fired before.
    async fn open(shared: Shared, stop: &CancellationToken) -> Result<Option<Self>, StageError> {
        let mut held = BTreeMap::new();
        for parts in shared.sources {
            let topics = plan::topics(&parts.source, &[], &parts.config);
            if patiently!(stop, shared.log.ensure(&topics).await).is_none() {
                return Ok(None);
            }
            held.insert(Topic::state(&parts.source), Held::new(parts));
        }
        let spec = ReaderSpec {
            group: GROUP.to_owned(),
            member: Some(shared.member),
            assign: Assign::Shared(held.keys().map(ToString::to_string).collect()),
        };
        let reader = patiently!(stop, shared.log.reader(spec.clone()).await);
        Ok(reader.map(|reader| Self {
            reader,
            held,
            tasks: JoinSet::new(),
            unsure_since: None,
            turns: shared.turns,
            abandoned: Vec::new(),
        }))
    }

    async fn work(&mut self, stop: &CancellationToken) -> Result<(), StageError> {
        loop {
            self.start_due(stop);
            self.turn();
            let limit = Limit {
                wait: BEAT,
                ..Limit::default()
            };
            tokio::select! {
                biased;
                () = stop.cancelled() => return Ok(()),
                Some(ended) = self.tasks.join_next() => self.ended(taken(ended))?,
                event = self.reader.read(limit) => self.event(event).await?,
            }
        }
    }

    /// Starts what is ours, does not run, and may be tried.
    fn start_due(&mut self, stop: &CancellationToken) {
        if self.is_unsure() {
            return;
        }
        let now = Instant::now();
        for (topic, held) in &mut self.held {
            if held.is_ours && held.running.is_none() && held.due <= now {
                let (stop, parts, topic) = (stop.child_token(), held.parts.clone(), topic.clone());
                tracing::info!(source = parts.source.as_str(), "this process reads the source");
                held.running = Some(stop.clone());
                held.turned = (parts.progress.turns(), now);
                self.tasks.spawn(async move { (topic, run(parts, stop).await) });
            }
        }
    }

    fn is_unsure(&self) -> bool {
        self.unsure_since.is_some_and(|since| since.elapsed() >= LEASE)
    }

    /// Counts a turn unless a running source hangs.
    fn turn(&mut self) {
        let mut is_alive = true;
        for held in self.held.values_mut() {
            let now = held.parts.progress.turns();
            if held.running.is_none() || now != held.turned.0 {
                held.turned = (now, Instant::now());
            }
            is_alive &= held.turned.1.elapsed() < SILENCE;
            let is_here = f64::from(u8::from(held.running.is_some()));
            gauge!("zenfloe_extract_source_held", "source" => held.parts.source.to_string()).set(is_here);
        }
        if is_alive {
            self.turns.0.fetch_add(1, Ordering::Relaxed);
        }
    }

    async fn event(&mut self, event: Result<Read, LogError>) -> Result<(), StageError> {
        match event {
            Ok(Read::Assigned(new)) => self.assigned(&new),
            Ok(Read::Revoked(gone)) => self.revoked(&gone).await,
            Ok(Read::Batch(_)) => {}
            Err(error) => return self.unanswered(error).await,
        }
        self.unsure_since = None;
        Ok(())
    }

    fn assigned(&mut self, new: &[TopicPartition]) {
        for at in new {
            if let Some(held) = self.held.get_mut(&at.topic) {
                held.is_ours = true;
                held.due = Instant::now();
            }
        }
    }

    /// Stops what was given away and waits for its end, so that two do not ask for the same pages for long.
    async fn revoked(&mut self, gone: &[TopicPartition]) {
        for at in gone {
            let Some(held) = self.held.get_mut(&at.topic) else {
                continue;
            };
            held.is_ours = false;
            tracing::info!(
                source = held.parts.source.as_str(),
                "another process may read the source now"
            );
            self.stop_one(&at.topic).await;
        }
    }

    async fn stop_one(&mut self, topic: &Arc<str>) {
        let running = self.held.get(topic).and_then(|held| held.running.clone());
        let Some(running) = running else { return };
        running.cancel();
        while self.held[topic].running.is_some() {
            let Some(ended) = self.tasks.join_next().await else {
                return;
            };
            // What else has ended is looked at as always; an only source's failure ends the next turn.
            if let Err(error) = self.ended(taken(ended)) {
                tracing::warn!("while the source was given away: {error}");
            }
        }
    }

    /// The group does not answer. After a lease's time nothing is ours for sure, and nothing runs.
    async fn unanswered(&mut self, error: LogError) -> Result<(), StageError> {
        match error.class() {
            Class::Retry | Class::Reread => {}
            Class::Fenced | Class::Stop => return Err(error.into()),
        }
        self.unsure_since.get_or_insert_with(Instant::now);
        if self.is_unsure() {
            let all: Vec<_> = self.held.keys().cloned().collect();
            for topic in all {
                self.stop_one(&topic).await;
            }
        }
        tracing::warn!("waiting for the group of extractors: {error}");
        tokio::time::sleep(PAUSE).await;
        Ok(())
    }

    /// A source's run is over.
    fn ended(&mut self, (topic, result): Ended) -> Result<(), StageError> {
        let is_only = self.held.len() == 1;
        let held = self.held.get_mut(&topic).expect("only what is held is run");
        let was_stopped = held.running.take().is_some_and(|running| running.is_cancelled());
        held.parts.progress.clear();
        let source = held.parts.source.as_str();
        match result {
            Ok(drained) => {
                self.abandoned.extend(drained.abandoned);
                held.failures = 0;
            }
            Err(error) if error.is_fenced() => {
                tracing::info!(source, "another process has taken the source over");
                held.due = Instant::now() + AFTER_FENCE;
            }
            Err(error) if is_only && !was_stopped => return Err(error),
            Err(error) => {
                let wait = AFTER_FAILURE * 2_u32.saturating_pow(held.failures.min(8));
                held.failures += 1;
                held.due = Instant::now() + wait.min(LONGEST_WAIT);
                counter!("zenfloe_extract_source_failures_total", "source" => source.to_owned()).increment(1);
                let remedy = "the other sources go on; `zenfloe check` says what to mend";
                tracing::error!(source, remedy, "the source cannot be read: {}", chain(&error));
            }
        }
        Ok(())
    }

    /// Ends every source and leaves the group. Returns what was given up midway.
    async fn end(mut self) -> Vec<String> {
        for running in self.held.values().filter_map(|held| held.running.as_ref()) {
            running.cancel();
        }
        while let Some(ended) = self.tasks.join_next().await {
            if let Err(error) = self.ended(taken(ended)) {
                tracing::warn!("at the end: {error}");
            }
        }
        if let Err(error) = self.reader.close().await {
            tracing::debug!("leaving the group of extractors: {error}");
        }
        self.abandoned
    }
}

impl Held {
    fn new(parts: Parts) -> Self {
        let now = Instant::now();
        Self {
            parts,
            is_ours: false,
            running: None,
            due: now,
            failures: 0,
            turned: (0, now),
        }
    }
}

fn taken(ended: Result<Ended, tokio::task::JoinError>) -> Ended {
    ended.unwrap_or_else(|broken| std::panic::resume_unwind(broken.into_panic()))
}
