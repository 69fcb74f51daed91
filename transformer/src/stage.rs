use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use zenfloe_keyring::Opener;
use zenfloe_log::{Append, Assign, Batch, Class, Done, Limit, Log, Read, Reader, ReaderSpec, Record, Start, Writer};
use zenfloe_record::{Positions, SourceName, TopicPartition};

use crate::config::bytes;
use crate::custom::{Fields, Pending};
use crate::erase::{Eraser, Suppressed};
use crate::goals::Goals;
use crate::hand::Hand;
use crate::meter::Meter;
use crate::patience::{Patience, Stop, or_stopped, patiently};
use crate::people::Directory;
use crate::rules::{Began, Fingerprint, Rules};
use crate::tally::Tally;
use crate::topics::RawTopic;
use crate::worker::{Keying, Worker, away};
use crate::{Config, Drained, Parts, Progress, StageError, Status, group, plans, topics, writer_id};

/// Transforms the source's raw records until `stop` fires, or until all of them are transformed once
/// [`Parts::caught_up`] has fired.
///
/// When `stop` fires, a commit in hand is finished; a batch that waits for a log that is away is given up.
pub async fn run(parts: Parts, stop: CancellationToken) -> Result<Drained, StageError> {
    let progress = parts.progress.clone();
    let stop = Stop::new(stop, progress.clone());
    let ended = match Stage::open(parts, &stop).await {
        Ok(Some(Opened::Stage(stage))) => stage.work(&stop).await,
        Ok(Some(Opened::Nothing)) => Ok(COMPLETE),
        Ok(None) => Ok(STOPPED),
        Err(error) => Err(error),
    };
    progress.set_status(Status::Ended);
    ended
}

/// What there is to do.
enum Opened {
    Stage(Box<Stage>),
    /// There are no raw topics, and none will come.
    Nothing,
}

/// All is transformed.
const COMPLETE: Drained = Drained {
    is_complete: true,
    abandoned: 0,
};

/// Stopped with nothing in hand.
const STOPPED: Drained = Drained {
    is_complete: false,
    abandoned: 0,
};
/// How long a read waits for the first record; also how late the end of a single pass may be noticed.
const IDLE_WAIT: Duration = Duration::from_millis(250);
/// How often the rules are read again and the lag is shown, at the most.
const TEND_EVERY: Duration = Duration::from_secs(1);
/// How much longer than that took the next time is away: asking a cluster for the ends of many partitions takes a while.
const TEND_PAUSE: u32 = 30;
/// How often the log tells what was done.
const TELL_EVERY: Duration = Duration::from_secs(60);

struct Stage {
    source: SourceName,
    config: Config,
    log: Arc<dyn Log>,
    progress: Progress,
    caught_up: CancellationToken,
    writer: Box<dyn Writer>,
    reader: Box<dyn Reader>,
    /// Away while it works on a batch.
    worker: Option<Worker>,
    suppressed: Suppressed,
    eraser: Eraser,
    directory: Directory,
    fields: Fields,
    pending: Pending,
    rules: Rules,
    fingerprint: Fingerprint,
    revision: i32,
    raw: Vec<RawTopic>,
    owned: BTreeSet<TopicPartition>,
    /// What is committed of the partitions that are ours.
    positions: Positions,
    /// An event that was read while a batch waited for more.
    ahead: Option<Read>,
    /// What is to be reached before a single pass is complete; set when no more records will come.
    goals: Option<Goals>,
    meter: Meter,
    tend_at: Instant,
    told: Instant,
    untold: Tally,
}

impl Stage {
    /// Fences a predecessor, then makes all ready. `None` when `stop` fired first.
    async fn open(parts: Parts, stop: &Stop) -> Result<Option<Opened>, StageError> {
        let eraser = Eraser::new(parts.clone());
        let log = parts.log.clone();
        let plans = plans::compile(&parts)?;
        let id = writer_id(&parts.source, &parts.member);
        let writer = or_stopped!(patiently!(stop, log.writer(&id).await));
        let raw = or_stopped!(topics::raw_topics(&parts, stop).await?);
        if raw.is_empty() {
            return Ok(Some(Opened::Nothing));
        }
        let written = or_stopped!(topics::ensure(&parts, &raw, stop).await?);
        let mut rules = Rules::new(&parts.source);
        let revision = or_stopped!(rules.settle(&parts, &plans.fingerprint, stop).await?);
        topics::check_ids(&raw, &rules, &parts.config)?;
        let mut directory = Directory::new(&parts, &plans);
        or_stopped!(directory.complete(&parts, stop).await?);
        let mut fields = Fields::new(&parts, &plans, &raw);
        or_stopped!(fields.read(&mut rules, stop).await?);
        let lanes = or_stopped!(fields.lanes(&rules, &written, stop).await?);
        let pending = Pending::new(&parts);
        parts
            .progress
            .begin(revision, raw.iter().map(|topic| topic.collection.name.clone()));
        let spec = ReaderSpec {
            group: group(&parts.source),
            member: Some(parts.member.clone()),
            assign: Assign::Shared(raw.iter().map(|topic| topic.name.to_string()).collect()),
        };
        let reader = or_stopped!(patiently!(stop, log.reader(spec.clone()).await));
        let opener = Opener::new(parts.seal_keys, &parts.source);
        plans.suppressed.learn(&rules);
        let suppressed = plans.suppressed.clone();
        let safe = (plans.privacy, plans.suppressed);
        let worker = Worker::new(lanes, written, opener, safe, revision, Keying::Live);
        tracing::info!(
            source = parts.source.as_str(),
            revision,
            topics = raw.len(),
            "transforming"
        );
        parts.progress.turn();
        Ok(Some(Opened::Stage(Box::new(Self {
            meter: Meter::new(&parts.source),
            source: parts.source,
            config: parts.config,
            log,
            progress: parts.progress,
            caught_up: parts.caught_up,
            writer,
            reader,
            worker: Some(worker),
            suppressed,
            eraser,
            directory,
            fields,
            pending,
            rules,
            fingerprint: plans.fingerprint,
            revision,
            raw,
            owned: BTreeSet::new(),
            positions: Positions::new(),
            ahead: None,
            goals: None,
            tend_at: Instant::now(),
            told: Instant::now(),
            untold: Tally::default(),
        }))))
    }

    async fn work(mut self, stop: &Stop) -> Result<Drained, StageError> {
        let ended = self.turn(stop).await;
        self.tell();
        // Whoever takes the partitions over need not wait for a time-out; after an error it must.
        if let Err(error) = self.reader.close().await {
            tracing::debug!(source = self.source.as_str(), "leaving the group: {error}");
        }
        ended
    }

    async fn turn(&mut self, stop: &Stop) -> Result<Drained, StageError> {
        loop {
            self.progress.turn();
            if stop.is_cancelled() {
                return Ok(STOPPED);
            }
            if self.is_done(stop).await? {
                if self.check_rules(stop).await?.is_none() || self.finish_pending(stop).await?.is_none() {
                    return Ok(STOPPED);
                }
                if self.eraser.finish(&self.rules, stop).await?.is_none() {
                    return Ok(STOPPED);
                }
                self.show_lag().await;
                return Ok(COMPLETE);
            }
            let Some(read) = self.next(stop).await? else {
                return Ok(STOPPED);
            };
            let went_on = match read {
                Read::Assigned(partitions) => self.assigned(partitions, stop).await?,
                Read::Revoked(partitions) => self.revoked(&partitions, stop).await?,
                Read::Batch(batch) => {
                    let abandoned = batch.records.len();
                    match self.batch(batch, stop).await? {
                        Some(()) => Some(()),
                        None => {
                            return Ok(Drained {
                                is_complete: false,
                                abandoned,
                            });
                        }
                    }
                }
            };
            if went_on.is_none() || self.tend(stop).await?.is_none() {
                return Ok(STOPPED);
            }
        }
    }

    /// The next event; a batch that is not full waits for more. `None` when `stop` fires first.
    async fn next(&mut self, stop: &Stop) -> Result<Option<Read>, StageError> {
        if let Some(read) = self.ahead.take() {
            return Ok(Some(read));
        }
        let first = Limit {
            records: self.config.batch_records.max(1),
            bytes: bytes(self.config.batch_bytes).max(1),
            wait: IDLE_WAIT,
        };
        let read = or_stopped!(self.read(first, stop).await?);
        match read {
            Read::Batch(batch) if !batch.records.is_empty() => {
                let batch = self.filled(Hand::new(batch), stop).await?;
                Ok(Some(Read::Batch(batch)))
            }
            other => Ok(Some(other)),
        }
    }

    async fn filled(&mut self, mut hand: Hand, stop: &Stop) -> Result<Batch, StageError> {
        let deadline = Instant::now() + self.config.linger;
        loop {
            let left = deadline.saturating_duration_since(Instant::now());
            let room = hand.room(&self.config, left);
            let (Some(limit), false) = (room, left.is_zero() || self.caught_up.is_cancelled()) else {
                break;
            };
            match self.read(limit, stop).await? {
                Some(Read::Batch(batch)) => hand.add(batch),
                Some(event) => {
                    if let Read::Revoked(partitions) = &event {
                        hand.give_up(partitions);
                    }
                    self.ahead = Some(event);
                    break;
                }
                None => break,
            }
        }
        Ok(hand.into_batch())
    }

    async fn read(&mut self, limit: Limit, stop: &Stop) -> Result<Option<Read>, StageError> {
        let mut patience = Patience::default();
        loop {
            let read = tokio::select! {
                biased;
                () = stop.cancelled() => return Ok(None),
                read = self.reader.read(limit) => read,
            };
            match read {
                Ok(read) => return Ok(Some(read)),
                Err(error) if error.class() == Class::Reread => {}
                Err(error) => {
                    if !patience.wait(error, stop).await? {
                        return Ok(None);
                    }
                }
            }
        }
    }

    /// Starts partitions where the group stands, once the rules have been read to their end.
    async fn assigned(&mut self, partitions: Vec<TopicPartition>, stop: &Stop) -> Result<Option<()>, StageError> {
        or_stopped!(self.check_rules(stop).await?);
        topics::check_ids(&self.raw, &self.rules, &self.config)?;
        let group = group(&self.source);
        let committed = or_stopped!(patiently!(stop, self.log.committed(&group, &partitions).await));
        let starts: Vec<_> = partitions.iter().map(|at| (at.clone(), Start::Committed)).collect();
        or_stopped!(self.begin(&starts, stop).await?);
        for at in partitions {
            match committed.get(&at) {
                Some(next) => self.positions.set(at.clone(), next),
                None => _ = self.positions.remove(&at),
            }
            self.owned.insert(at);
        }
        self.progress.set_partitions(self.owned.len());
        tracing::info!(
            source = self.source.as_str(),
            partitions = self.owned.len(),
            "partitions assigned"
        );
        Ok(Some(()))
    }

    async fn begin(&mut self, starts: &[(TopicPartition, Start)], stop: &Stop) -> Result<Option<()>, StageError> {
        Ok(patiently!(stop, self.reader.begin(starts).await))
    }

    async fn revoked(&mut self, partitions: &[TopicPartition], stop: &Stop) -> Result<Option<()>, StageError> {
        for at in partitions {
            self.owned.remove(at);
            self.positions.remove(at);
        }
        self.progress.set_partitions(self.owned.len());
        tracing::info!(
            source = self.source.as_str(),
            partitions = self.owned.len(),
            "partitions revoked"
        );
        self.check_rules(stop).await
    }

    /// Stops this process when another configuration is in force.
    async fn check_rules(&mut self, stop: &Stop) -> Result<Option<()>, StageError> {
        or_stopped!(self.rules.follow(&*self.log, stop).await?);
        self.suppressed.learn(&self.rules);
        self.rules.in_force(&self.fingerprint).map(|_| Some(()))
    }

    /// Transforms and commits a batch; `None` when `stop` fires before it could be committed.
    async fn batch(&mut self, batch: Batch, stop: &Stop) -> Result<Option<()>, StageError> {
        let advanced = self.advanced(&batch.positions);
        let records = Arc::new(batch.records);
        if records.is_empty() && advanced.is_empty() {
            return Ok(Some(()));
        }
        let began = self.beginnings(&records);
        let mut patience = Patience::default();
        or_stopped!(self.directory.follow(&*self.log, stop).await?);
        or_stopped!(self.follow_fields(stop).await?);
        loop {
            let (mut out, tally) = self.transformed(&records).await?;
            out.extend(began.iter().map(|(at, began)| self.rules.began_record(at, began)));
            let done = Done {
                by: self.reader.membership(),
                positions: advanced.clone(),
            };
            match self.writer.commit(out, Some(done)).await {
                Ok(()) => {
                    self.committed(&advanced, began, tally);
                    return Ok(Some(()));
                }
                Err(error) if error.class() == Class::Reread => {
                    tracing::info!(
                        source = self.source.as_str(),
                        records = records.len(),
                        "dropped a batch: {error}"
                    );
                    return self.read_again(&advanced, stop).await;
                }
                Err(error) => {
                    if !patience.wait(error, stop).await? {
                        return Ok(None);
                    }
                }
            }
        }
    }

    /// Learns of custom fields that have come.
    async fn follow_fields(&mut self, stop: &Stop) -> Result<Option<()>, StageError> {
        let worker = self.worker.as_mut().expect("it is back after every batch");
        self.fields.follow(&mut self.rules, worker, stop).await
    }

    /// Transforms what waited for the definitions that have come.
    async fn finish_pending(&mut self, stop: &Stop) -> Result<Option<()>, StageError> {
        or_stopped!(self.follow_fields(stop).await?);
        self.pending.finish(&self.rules, &mut self.worker, stop).await
    }

    /// Reads again what was dropped, from where the group stands; what is no longer ours is passed over.
    async fn read_again(&mut self, dropped: &Positions, stop: &Stop) -> Result<Option<()>, StageError> {
        let starts: Vec<_> = dropped.iter().map(|(at, _)| (at.clone(), Start::Committed)).collect();
        self.begin(&starts, stop).await
    }

    async fn transformed(&mut self, records: &Arc<Vec<Record>>) -> Result<(Vec<Append>, Tally), StageError> {
        if records.is_empty() {
            return Ok((Vec::new(), Tally::default()));
        }
        let worker = self.worker.take().expect("it is back after every batch");
        let (worker, made) = away(worker, records.clone(), |worker, records| worker.batch(records)).await;
        self.worker = Some(worker);
        made.map(|made| (made.out, made.tally))
    }

    /// The positions of our partitions that are not committed yet.
    fn advanced(&self, positions: &Positions) -> Positions {
        let is_news =
            |(at, next): &(&TopicPartition, i64)| self.owned.contains(*at) && self.positions.get(at) != Some(*next);
        let news = positions.iter().filter(is_news);
        news.map(|(at, next)| (at.clone(), next)).collect()
    }

    /// The partitions in which this revision begins with this batch.
    fn beginnings(&self, records: &[Record]) -> Vec<(TopicPartition, Began)> {
        let mut firsts: Vec<&Record> = Vec::new();
        for record in records {
            if !firsts.iter().any(|first| first.at == record.at) {
                firsts.push(record);
            }
        }
        let began = |record: &Record| Began {
            revision: self.revision,
            offset: record.offset,
            topic_id: self.topic(&record.at).id.clone(),
        };
        let is_known = |at: &TopicPartition, new: &Began| {
            let held = self.rules.began(at);
            held.is_some_and(|held| held.revision == new.revision && held.topic_id == new.topic_id)
        };
        let all = firsts.into_iter().map(|record| (record.at.clone(), began(record)));
        all.filter(|(at, new)| !is_known(at, new)).collect()
    }

    fn topic(&self, at: &TopicPartition) -> &RawTopic {
        let topic = self.raw.iter().find(|topic| topic.name == at.topic);
        topic.expect("only raw topics are read")
    }

    /// Notes what has become visible.
    fn committed(&mut self, advanced: &Positions, began: Vec<(TopicPartition, Began)>, tally: Tally) {
        for (at, next) in advanced.iter() {
            self.positions.set(at.clone(), next);
        }
        for (at, began) in began {
            self.rules.set_began(at, began);
        }
        let (records, rows, dead) = (tally.records(), tally.rows(), tally.dead());
        tracing::debug!(source = self.source.as_str(), records, rows, dead, "batch");
        self.meter.count(&tally);
        self.progress.add(&tally);
        self.untold.merge(tally);
    }

    /// Claims that a single pass is complete.
    async fn is_done(&mut self, stop: &Stop) -> Result<bool, StageError> {
        if !self.caught_up.is_cancelled() {
            return Ok(false);
        }
        if self.goals.is_none() {
            self.goals = Goals::set(&*self.log, &self.source, &self.raw, stop).await?;
        }
        let Some(goals) = &self.goals else { return Ok(false) };
        goals.are_reached(&*self.log, &self.owned, &self.positions, stop).await
    }

    /// Does now and then what no event calls for.
    async fn tend(&mut self, stop: &Stop) -> Result<Option<()>, StageError> {
        let begun = Instant::now();
        if begun < self.tend_at {
            return Ok(Some(()));
        }
        self.show_lag().await;
        if self.told.elapsed() >= TELL_EVERY {
            self.tell();
        }
        or_stopped!(self.check_rules(stop).await?);
        self.eraser.tend(&self.rules).await?;
        or_stopped!(self.follow_fields(stop).await?);
        self.tend_at = Instant::now() + TEND_EVERY.max(begun.elapsed() * TEND_PAUSE);
        // In parts, so that what comes live does not wait for all that has waited.
        let enough = Instant::now() + TEND_EVERY / 2;
        while or_stopped!(self.pending.turn(&self.rules, &mut self.worker, stop).await?) && Instant::now() < enough {}
        Ok(Some(()))
    }

    /// Shows how far our partitions lie behind; a log that is away says nothing.
    async fn show_lag(&self) {
        for topic in &self.raw {
            let mut lag = 0;
            for at in self.owned.iter().filter(|at| at.topic == topic.name) {
                let Ok(bounds) = self.log.bounds(at).await else { return };
                let next = self.positions.get(at).unwrap_or(bounds.start);
                lag += u64::try_from(bounds.end - next).unwrap_or(0);
            }
            let collection = &topic.collection.name;
            let seconds = self.progress.set_lag(collection, lag, now_ms());
            self.meter.lag(collection, lag, seconds);
        }
    }

    /// One line about what was done since the last one.
    fn tell(&mut self) {
        self.told = Instant::now();
        let told = std::mem::take(&mut self.untold);
        if told.records() > 0 {
            let (records, rows, dead) = (told.records(), told.rows(), told.dead());
            tracing::info!(source = self.source.as_str(), records, rows, dead, "transformed");
        }
        if told.dead() > 0 {
            let (source, dead) = (self.source.as_str(), told.dead());
            tracing::warn!(
                source,
                dead,
                "records could not be transformed: see `zenfloe dead list`"
            );
        }
    }
}

/// Milliseconds since 1970.
pub(crate) fn now_ms() -> i64 {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    since.map_or(0, |since| i64::try_from(since.as_millis()).unwrap_or(i64::MAX))
}
