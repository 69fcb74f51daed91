use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use metrics::{counter, gauge};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;
use zenfloe_catalog::Collection;
use zenfloe_log::{Append, Cleanup, Log, LogError, TopicSpec, Writer};
use zenfloe_pacing::{Backoff, Budget, Leave, Mode, Moment, Next, Schedule};
use zenfloe_record::{Partition, SourceName, Topic, TopicPartition};
use zenfloe_zendesk::{Class, Clock, Fault, Page, Source, SourceError};

use crate::check::remedy;
use crate::patience::patiently;
use crate::progress::{micros, moment};
use crate::publish::{Publisher, Times};
use crate::work::Work;
use crate::{Config, Drained, Parts, Progress, StageError, Status, plan, state, writer_id};

/// Reads the source until `stop` fires, or until a single pass is complete.
///
/// When `stop` fires, a commit in hand is finished and a page under way is given up: it will be asked
/// for again.
pub async fn run(parts: Parts, stop: CancellationToken) -> Result<Drained, StageError> {
    let collections = plan::selected(parts.catalog, &parts.config)?;
    let opened = Stage::open(parts, &collections, &stop).await;
    match opened? {
        Some(stage) => stage.work(&stop).await,
        None => Ok(Drained {
            is_complete: false,
            abandoned: Vec::new(),
        }),
    }
}

/// A request that has ended.
struct Fetched {
    name: String,
    leave: Leave,
    /// When the answer was here.
    at: Moment,
    result: Result<Page, SourceError>,
}

/// The commit of a page, and what is in it.
struct Prepared {
    out: Vec<Append>,
    /// Records and deletions.
    published: u64,
    letters: u64,
    /// Deletions.
    gone: u64,
    /// Deletions that wait for a person's word.
    held: u64,
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
}

/// Failures in a row after which a single pass ends: some ten minutes of full jitter.
const FAILURES_IN_ONE_PASS: u32 = 25;
/// The wait after a refusal that does not say how long.
const UNSAID_PENALTY: Duration = Duration::from_secs(10);
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
        let Some(dead_partitions) = patiently!(stop, dead_partitions(&*log, &parts).await) else {
            return Ok(None);
        };
        let state_at = TopicPartition::new(Topic::state(&parts.source), 0);
        let Some(records) = patiently!(stop, state::records(&*log, &state_at).await) else {
            return Ok(None);
        };
        let mut left = state::read(records, &state_at)?;
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
                item.place.is_midway(),
            );
            parts.progress.of(&collection.name, |shown| {
                shown.records_ever = item.cursor.records;
                shown.completed_at = item.cursor.completed_at;
            });
            work.insert(collection.name.clone(), item);
        }
        Ok(Some(Self {
            publisher: Publisher::new(parts.sealer, Topic::dead(&parts.source), dead_partitions),
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
                () = wait => {}
                () = tokio::time::sleep(GAUGES_EVERY) => {}
            }
        }
        self.fetches.abort_all();
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
                    Next::Run(name) => {
                        let buckets = plan::buckets(self.work[&name].target.collection);
                        match self.budget.take(buckets, now) {
                            Ok(leave) => self.fetch(name, leave),
                            Err(until) => {
                                self.progress
                                    .set_status(&name, Status::Waiting { until: micros(until) });
                                self.schedule.postpone(&name, until);
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

    fn fetch(&mut self, name: String, leave: Leave) {
        let work = &self.work[&name];
        let (api, collection, place) = (self.api.clone(), work.target.collection, work.place.clone());
        let clock = self.clock.clone();
        self.progress.set_status(&name, Status::Running);
        self.under_way.insert(name.clone());
        self.fetches.spawn(async move {
            let result = api.page(collection, &place).await;
            Fetched {
                name,
                leave,
                at: clock.now(),
                result,
            }
        });
    }

    async fn finish(&mut self, fetched: Fetched, stop: &CancellationToken) -> Result<(), StageError> {
        let Fetched {
            name,
            leave,
            at,
            result,
        } = fetched;
        let now = self.clock.now();
        self.under_way.remove(&name);
        let (status, readings) = match &result {
            Ok(page) => ("200".to_owned(), &page.readings),
            Err(error) => (
                error
                    .status
                    .map_or_else(|| "none".to_owned(), |status| status.to_string()),
                &error.readings,
            ),
        };
        let bucket = plan::buckets(self.work[&name].target.collection)[0];
        counter!("zenfloe_extract_requests_total", "source" => self.source.to_string(), "bucket" => bucket, "status" => status)
            .increment(1);
        self.budget.answered(leave, readings, at);
        self.progress.of(&name, |shown| shown.requests += 1);
        match result {
            Ok(page) => self.commit(&name, page, stop).await,
            Err(error) => self.failed(&name, error, now),
        }
    }

    /// Publishes a page and its cursor together.
    async fn commit(&mut self, name: &str, page: Page, stop: &CancellationToken) -> Result<(), StageError> {
        let prepared = self.prepare(name, &page);
        if patiently!(stop, self.writer.commit(prepared.out.clone(), None).await).is_none() {
            // The log stayed away until the stop: nothing of the page is visible, and nothing is lost.
            return Ok(());
        }
        let now = self.clock.now();
        self.schedule
            .page_done(name, prepared.published, page.is_caught_up, now);
        let due = self.schedule.due(name).unwrap_or(now);
        let cursor = &self.work[name].cursor;
        self.progress.of(name, |shown| {
            shown.page(&page, prepared.published, now);
            shown.dead_letters += prepared.letters;
            shown.completed_at = cursor.completed_at;
            shown.records_ever = cursor.records;
            shown.held_deletions = prepared.held;
            shown.status = Status::Waiting { until: micros(due) };
        });
        self.count(name, &page, &prepared);
        self.tell(name, &page, &prepared);
        Ok(())
    }

    /// Makes the records of a page's commit and moves the collection behind the page.
    fn prepare(&mut self, name: &str, page: &Page) -> Prepared {
        let work = self.work.get_mut(name).expect("only what is at work is fetched");
        let times = Times {
            extracted_at: work.cursor.next_extracted_at(page.date),
            now: micros(self.clock.now()),
        };
        let change = work.look_through(page, self.config.accept_shrunk.contains(name));
        let is_news = |index: usize| change.as_ref().is_none_or(|change| change.is_new[index]);
        let mut out = Vec::with_capacity(page.records.len() + 4);
        let mut letters = 0;
        for (_, record) in page.records.iter().enumerate().filter(|(index, _)| is_news(*index)) {
            let (append, is_letter) = self.publisher.record(&work.target, record, times, &page.request);
            letters += u64::from(is_letter);
            out.push(append);
        }
        let change = change.unwrap_or_default();
        for (key, partition) in &change.gone {
            out.push(self.publisher.deletion(&work.target, key, *partition, times));
        }
        let published = out.len() as u64 - letters;
        work.advance(page, published, out.is_empty(), times);
        out.push(state::cursor_record(&self.state_at, name, &work.cursor));
        for (part, value) in change.state {
            out.push(state::ledger_record(&self.state_at, name, &part, value));
        }
        out.push(state::pacing_record(&self.state_at, &self.budget.snapshot()));
        Prepared {
            out,
            published,
            letters,
            gone: change.gone.len() as u64,
            held: change.held as u64,
        }
    }

    fn count(&self, name: &str, page: &Page, prepared: &Prepared) {
        let source = self.source.to_string();
        let labels = [("source", source.clone()), ("collection", name.to_owned())];
        counter!("zenfloe_extract_records_total", &labels).increment(prepared.published);
        counter!("zenfloe_extract_bytes_total", &labels).increment(page.bytes);
        counter!("zenfloe_extract_commits_total", "source" => source.clone()).increment(1);
        counter!("zenfloe_extract_dead_letters_total", "source" => source, "reason" => "too_large")
            .increment(prepared.letters);
    }

    /// One line about a page that has been committed, and one for each thing that a person should know.
    fn tell(&self, name: &str, page: &Page, prepared: &Prepared) {
        let source = self.source.as_str();
        for note in &page.notes {
            tracing::warn!(source, collection = name, "{note}");
        }
        if prepared.letters > 0 {
            let letters = prepared.letters;
            tracing::warn!(
                source,
                collection = name,
                letters,
                "too large for their topic: see `zenfloe dead list`"
            );
        }
        if prepared.held > 0 {
            tracing::warn!(
                source,
                collection = name,
                missing = prepared.held,
                "the list shrank by more than a fifth, its missing rows stay; if they are truly gone: \
                 accept_shrunk = [\"{name}\"]"
            );
        }
        let shown = page.records.len() as u64 + u64::from(page.repeats) + prepared.gone;
        tracing::info!(
            source,
            collection = name,
            records = prepared.published,
            repeats = shown - prepared.published - prepared.letters,
            deletions = prepared.gone,
            bytes = page.bytes,
            caught_up = page.is_caught_up,
            "page"
        );
    }

    /// Decides what a failure means for its collection.
    fn failed(&mut self, name: &str, error: SourceError, now: Moment) -> Result<(), StageError> {
        match error.class() {
            Class::Stop => Err(error.into()),
            Class::Reject => {
                self.switch_off(name, &error, now);
                Ok(())
            }
            Class::Retry { after } => self.retry_later(name, error, after, now),
        }
    }

    fn switch_off(&mut self, name: &str, error: &SourceError, now: Moment) {
        let remedy = remedy(error, self.work[name].target.collection);
        let why = chain(&error.fault);
        tracing::warn!(
            source = self.source.as_str(),
            collection = name,
            remedy,
            "{why}; switched off for now"
        );
        self.schedule.switch_off(name, now + self.config.retry_forbidden);
        self.progress.set_status(name, Status::NotAvailable { why, remedy });
    }

    fn retry_later(
        &mut self,
        name: &str,
        error: SourceError,
        after: Option<Duration>,
        now: Moment,
    ) -> Result<(), StageError> {
        let work = self.work.get_mut(name).expect("only what is at work is fetched");
        work.failures += 1;
        let failures = work.failures;
        if self.mode == Mode::Once && failures >= FAILURES_IN_ONE_PASS {
            return Err(StageError::GaveUp {
                collection: name.to_owned(),
                attempts: failures,
                last: error,
            });
        }
        if let Fault::RateLimited { after } = error.fault {
            let buckets = refused_buckets(plan::buckets(work.target.collection), &error);
            self.budget.block(&buckets, now + after.unwrap_or(UNSAID_PENALTY));
        }
        let wait = match error.fault {
            Fault::TokenRefused => Duration::ZERO,
            _ => self.backoff.wait(failures, after, fastrand::f64()),
        };
        let (source, what) = (self.source.as_str(), chain(&error.fault));
        tracing::warn!(
            source,
            collection = name,
            failures,
            wait_ms = wait.as_millis() as u64,
            "{what}"
        );
        counter!("zenfloe_extract_retries_total", "source" => source.to_owned(), "collection" => name.to_owned())
            .increment(1);
        self.schedule.postpone(name, now + wait);
        self.progress.set_status(
            name,
            Status::Failing {
                what,
                until: micros(now + wait),
            },
        );
        Ok(())
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
async fn dead_partitions(log: &dyn Log, parts: &Parts) -> Result<Partition, LogError> {
    let name = Topic::dead(&parts.source);
    if let Some(topic) = log.topic(&name).await? {
        return Ok(topic.partitions);
    }
    let spec = TopicSpec {
        name,
        partitions: 1,
        cleanup: Cleanup::Delete(parts.config.raw_retention),
        max_message_bytes: usize::try_from(parts.config.max_message.as_u64()).unwrap_or(usize::MAX),
    };
    log.ensure(std::slice::from_ref(&spec)).await?;
    Ok(spec.partitions)
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
fn chain(error: &dyn std::error::Error) -> String {
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
