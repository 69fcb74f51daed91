//! The loop: what is due is fetched as far as the budget goes, and what comes is committed.

mod commit;
pub(crate) mod failure;
mod requests;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use metrics::{counter, gauge};
use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;
use zenfloe_catalog::Collection;
use zenfloe_log::{Class, Cleanup, Log, LogError, TopicSpec, Writer};
use zenfloe_pacing::{Backoff, Budget, Leave, Mode, Moment, Next, Schedule};
use zenfloe_record::{Offset, Partition, SourceName, Topic, TopicPartition};
use zenfloe_zendesk::{Clock, Page, Place, Source, SourceError, collection_of};

use crate::patience::patiently;
use crate::progress::{micros, moment};
use crate::publish::Publisher;
use crate::vault::{Keep, StateVault};
use crate::work::{Track, Work};
use crate::{Config, Drained, Parts, Past, Progress, StageError, Status, plan, state, vault, writer_id};

/// Reads the source until `stop` fires, or until a single pass is complete.
///
/// When `stop` fires, a commit in hand is finished and a page under way is given up: it will be asked
/// for again.
pub async fn run(parts: Parts, stop: CancellationToken) -> Result<Drained, StageError> {
    let collections = plan::selected(parts.catalog, &parts.config)?;
    loop {
        let Some(stage) = Stage::open(parts.clone(), &collections, &stop).await? else {
            return Ok(Drained {
                is_complete: false,
                abandoned: Vec::new(),
            });
        };
        match stage.work(&stop).await {
            // Somebody else may have gone on from the same state: it is read again, and pages under way are given up.
            Err(StageError::Log(error)) if error.class() == Class::Reread => tracing::info!(
                source = parts.source.as_str(),
                "{error}: what is there now is read again"
            ),
            ended => return ended,
        }
    }
}

/// What a request is made for.
#[derive(Clone, Copy)]
struct Job {
    collection: &'static Collection,
    track: Track,
}

impl Job {
    fn name(self) -> &'static str {
        &self.collection.name
    }

    /// The name under which it is scheduled.
    fn scheduled(self) -> String {
        plan::scheduled(self.name(), self.track)
    }
}

/// A request that has ended.
struct Fetched {
    job: Job,
    leave: Leave,
    /// When the answer was here.
    at: Moment,
    result: Result<Page, SourceError>,
}

struct Stage {
    source: SourceName,
    config: Config,
    mode: Mode,
    api: Arc<dyn Source>,
    clock: Clock,
    progress: Progress,
    writer: Box<dyn Writer>,
    state_at: TopicPartition,
    publisher: Publisher,
    budget: Budget,
    schedule: Schedule,
    backoff: Backoff,
    work: BTreeMap<String, Work>,
    fetches: JoinSet<Fetched>,
    under_way: BTreeSet<String>,
    log: Arc<dyn Log>,
    /// When requests were looked for last, and the offset of the state topic to go on from.
    looked: (Moment, Offset),
    /// Collections whose history is asked for again.
    resyncs: BTreeSet<String>,
    /// Secrets that wait to be kept.
    vault: mpsc::Receiver<Keep>,
}

/// How often gauges are brought up to date while nothing happens.
const GAUGES_EVERY: Duration = Duration::from_secs(10);

impl Stage {
    /// Fences a predecessor, then reads what it left. `None` when `stop` fired before the log could be used.
    async fn open(
        parts: Parts,
        collections: &[&'static Collection],
        stop: &CancellationToken,
    ) -> Result<Option<Self>, StageError> {
        let id = writer_id(&parts.source);
        let log = parts.log.clone();
        let Some(writer) = patiently!(stop, log.writer(&id).await) else {
            return Ok(None);
        };
        let topics = plan::topics(&parts.source, collections, &parts.config);
        if patiently!(stop, log.ensure(&topics).await).is_none() {
            return Ok(None);
        }
        let Some(dead_partitions) = patiently!(stop, dead_partitions(&*log, &parts.source, &parts.config).await) else {
            return Ok(None);
        };
        let state_at = TopicPartition::new(Topic::state(&parts.source), 0);
        let Some(records) = patiently!(stop, state::records(&*log, &state_at).await) else {
            return Ok(None);
        };
        let state_end = records.last().map_or(0, |record| record.offset + 1);
        let mut left = state::read(records, &state_at)?;
        let kept = left
            .login
            .as_ref()
            .map(|record| vault::open(&parts.seal_keys, &parts.source, record));
        let kept = kept.transpose().map_err(|error| StageError::Login { source: error })?;
        let (to_vault, vault) = mpsc::channel(1);
        parts.api.entrust(Some(Arc::new(StateVault(to_vault))), kept).await;
        let now = parts.clock.now();
        let mut budget = Budget::new(parts.config.rules());
        if let Some(pacing) = &left.pacing {
            budget.restore(pacing, now);
        }
        let mut schedule = Schedule::new(parts.mode, plan::plans(collections, &parts.config));
        let mut work = BTreeMap::new();
        for collection in collections {
            let mut item = Work::resume(collection, &topics, &parts, &mut left)?;
            // A topic that was there before may take less, or more, than the configuration says.
            let Some(topic) = patiently!(stop, log.topic(&item.target.topic).await) else {
                return Ok(None);
            };
            let limit = topic.and_then(|topic| topic.max_message_bytes);
            item.target.max_message_bytes = limit.unwrap_or(item.target.max_message_bytes);
            schedule.resume(
                &collection.name,
                item.cursor.completed_at.map(moment),
                item.live.place.is_midway(),
            );
            if !item.errands.is_empty() {
                schedule.add(plan::errands(collection, &parts.config));
            }
            if item.past.is_some() {
                schedule.add(plan::past(collection, &parts.config));
            }
            parts.progress.of(&collection.name, |shown| {
                shown.records_ever = item.cursor.records;
                shown.completed_at = item.cursor.completed_at;
                shown.past = item.past.as_ref().map(|_| Past::default());
                if let Some(report) = left.reports.get(&collection.name) {
                    report.resume(shown);
                }
            });
            work.insert(collection.name.clone(), item);
        }
        for name in left
            .cursors
            .keys()
            .filter(|name| parts.catalog.collection(name).is_some())
        {
            tracing::info!(
                source = parts.source.as_str(),
                collection = name,
                "switched off: its topics, rows and cursor stay; switched on again it goes on where it stood"
            );
        }
        Ok(Some(Self {
            publisher: Publisher::new(&parts.source, &parts.seal_keys, dead_partitions),
            log,
            looked: (now, state_end),
            resyncs: left.resyncs,
            vault,
            source: parts.source,
            config: parts.config,
            mode: parts.mode,
            api: parts.api,
            clock: parts.clock,
            progress: parts.progress,
            writer,
            state_at,
            budget,
            schedule,
            backoff: Backoff::default(),
            work,
            fetches: JoinSet::new(),
            under_way: BTreeSet::new(),
        }))
    }

    async fn work(mut self, stop: &CancellationToken) -> Result<Drained, StageError> {
        loop {
            self.progress.turn();
            self.look_for_requests(stop).await?;
            let wake = self.start_fetches();
            self.show_gauges();
            if self.fetches.is_empty() && self.schedule.is_done() {
                return Ok(Drained {
                    is_complete: true,
                    abandoned: Vec::new(),
                });
            }
            let clock = self.clock.clone();
            let wait = async move {
                match wake {
                    Some(wake) => clock.sleep_until(wake).await,
                    None => std::future::pending().await,
                }
            };
            tokio::select! {
                biased;
                () = stop.cancelled() => break,
                Some(fetched) = self.fetches.join_next() => {
                    let fetched = fetched.unwrap_or_else(|ended| std::panic::resume_unwind(ended.into_panic()));
                    self.finish(fetched, stop).await?;
                }
                Some(keep) = self.vault.recv() => self.keep(keep, stop).await?,
                () = wait => {}
                () = tokio::time::sleep(GAUGES_EVERY) => {}
            }
        }
        self.fetches.abort_all();
        self.settle().await;
        let abandoned = self.under_way.into_iter().collect();
        Ok(Drained {
            is_complete: false,
            abandoned,
        })
    }

    /// Starts what each lane has to do. Returns when to look again, where that is known.
    fn start_fetches(&mut self) -> Option<Moment> {
        let mut wake: Option<Moment> = None;
        for lane in self.schedule.lanes() {
            loop {
                let now = self.clock.now();
                match self.schedule.next(&lane, now) {
                    Next::Run(scheduled) => {
                        let job = self.job(&scheduled);
                        if job.track == Track::Errands && !self.has_errand(job, now) {
                            continue;
                        }
                        match self.budget.take(plan::buckets_of(job.collection, job.track), now) {
                            Ok(leave) => self.fetch(job, leave),
                            Err(until) => {
                                let status = Status::Waiting { until: micros(until) };
                                self.progress.set_status(job.name(), status);
                                self.schedule.postpone(&scheduled, until);
                            }
                        }
                    }
                    Next::Wait(until) => {
                        wake = Some(wake.map_or(until, |held| held.min(until)));
                        break;
                    }
                    Next::Blocked | Next::Done => break,
                }
            }
        }
        wake
    }

    fn job(&self, scheduled: &str) -> Job {
        let (name, track) = plan::track(scheduled);
        Job {
            collection: self.work[name].target.collection,
            track,
        }
    }

    /// Claims that there is an errand to do now; where there is none the errands wait, or are over.
    fn has_errand(&mut self, job: Job, now: Moment) -> bool {
        match self.work[job.name()].errands.due() {
            Some(due) if due <= now => return true,
            // A single pass does not wait for another day.
            Some(due) if self.mode != Mode::Once => self.schedule.postpone(&job.scheduled(), due),
            _ => self.schedule.remove(&job.scheduled()),
        }
        false
    }

    /// What is asked for, and the place in it.
    fn asked(&mut self, job: Job) -> (Arc<Collection>, Place) {
        let now = self.clock.now();
        let work = self.work.get_mut(job.name()).expect("every collection is at work");
        let errand = (job.track == Track::Errands).then(|| work.errands.begin(now)).flatten();
        match errand.and_then(|(errand, place)| Some((job.collection.follows.get(errand.follow)?, errand, place))) {
            Some((follow, errand, place)) => (collection_of(job.collection, follow, &errand.parent).into(), place),
            None => (work.asked.clone(), work.standing(job.track).place.clone()),
        }
    }

    fn fetch(&mut self, job: Job, leave: Leave) {
        let (collection, place) = self.asked(job);
        let (api, clock) = (self.api.clone(), self.clock.clone());
        self.progress.set_status(job.name(), Status::Running);
        self.under_way.insert(job.scheduled());
        self.fetches.spawn(async move {
            let result = api.page(&collection, &place).await;
            Fetched {
                job,
                leave,
                at: clock.now(),
                result,
            }
        });
    }

    async fn finish(&mut self, fetched: Fetched, stop: &CancellationToken) -> Result<(), StageError> {
        let job = fetched.job;
        self.under_way.remove(&job.scheduled());
        let (status, readings) = match &fetched.result {
            Ok(page) => (Some(200), &page.readings),
            Err(error) => (error.status, &error.readings),
        };
        let status = status.map_or_else(|| "none".to_owned(), |status| status.to_string());
        let bucket = plan::buckets_of(job.collection, job.track)[0];
        counter!("zenfloe_extract_requests_total", "source" => self.source.to_string(), "bucket" => bucket, "status" => status)
            .increment(1);
        self.budget.answered(fetched.leave, readings, fetched.at);
        self.progress.of(job.name(), |shown| {
            shown.requests += 1;
            shown.requests_ever += 1;
        });
        match fetched.result {
            Ok(page) => self.commit(job, page, stop).await,
            Err(error) => self.failed(job, error, stop).await,
        }
    }

    fn show_gauges(&mut self) {
        let now = self.clock.now();
        let free = self.budget.free(now);
        for (bucket, free) in &free {
            gauge!("zenfloe_extract_budget_remaining", "source" => self.source.to_string(), "bucket" => bucket.clone())
                .set(f64::from(*free));
        }
        self.progress.set_budget(free);
        for name in self.work.keys() {
            self.progress.of(name, |shown| {
                if let Some(lag) = shown.lag(now) {
                    gauge!("zenfloe_extract_lag_seconds", "source" => self.source.to_string(), "collection" => name.clone())
                        .set(lag.as_secs_f64());
                }
            });
        }
    }
}

/// The dead topic may be another stage's: it is made where it is missing and otherwise taken as it is.
pub(crate) async fn dead_partitions(
    log: &dyn Log,
    source: &SourceName,
    config: &Config,
) -> Result<Partition, LogError> {
    let name = Topic::dead(source);
    if let Some(topic) = log.topic(&name).await? {
        return Ok(topic.partitions);
    }
    let spec = TopicSpec {
        name,
        partitions: 1,
        cleanup: Cleanup::Delete(config.raw_retention),
        max_message_bytes: usize::try_from(config.max_message.as_u64()).unwrap_or(usize::MAX),
    };
    log.ensure(std::slice::from_ref(&spec)).await?;
    Ok(spec.partitions)
}
