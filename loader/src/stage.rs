use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use metrics::counter;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use zenfloe_destination::Class::Retry;
use zenfloe_destination::{Destination, LoadError, Row, RowKind};
use zenfloe_log::{Assign, Batch, Class, Limit, Log, LogError, Read, Reader, ReaderSpec, Record};
use zenfloe_record::{SourceName, Topic, TopicPartition};

use crate::dead::{Dead, DeadLetters};
use crate::erase::Erasures;
use crate::lag::Lag;
use crate::patience::{Patience, patiently};
use crate::read::{Content, Unshaped, content};
use crate::shapes::Shapes;
use crate::table::Table;
use crate::{Config, Deleted, Drained, Parts, Progress, StageError, Tables, group_id, tick, writer_id};

/// Loads the source's topics until `stop` fires, or until all is loaded after [`Parts::caught_up`] has fired.
///
/// When `stop` fires, what is in hand is flushed once; what the destination does not take at once is given up and read
/// again by whoever comes next.
pub async fn run(parts: Parts, stop: CancellationToken) -> Result<Drained, StageError> {
    Stage::new(parts, stop).work().await
}

pub(crate) struct Stage {
    pub(crate) name: String,
    pub(crate) source: SourceName,
    pub(crate) selected: Tables,
    config: Config,
    member: String,
    caught_up: CancellationToken,
    pub(crate) destination: Arc<dyn Destination>,
    pub(crate) log: Arc<dyn Log>,
    pub(crate) progress: Progress,
    pub(crate) patience: Patience,
    pub(crate) dead: DeadLetters,
    pub(crate) lag: Lag,
    pub(crate) shapes: Shapes,
    pub(crate) erasures: Erasures,
    /// By topic.
    pub(crate) tables: BTreeMap<Arc<str>, Table>,
}

/// Why one reader's work is over.
enum End {
    /// There are other topics now: a new reader is needed.
    Topics,
    /// The stage ends.
    Stage(Drained),
}

/// What one read may bring.
const MOST_RECORDS: usize = 2_000;
const MOST_BYTES: usize = 1 << 20;
/// The longest time that a read waits.
const LONGEST_READ: Duration = Duration::from_millis(500);
/// The same while the end is near.
const SHORTEST_READ: Duration = Duration::from_millis(20);

impl Stage {
    fn new(parts: Parts, stop: CancellationToken) -> Self {
        let (log, source, progress) = (parts.log, parts.source, parts.progress);
        Self {
            patience: Patience {
                longest: parts.config.longest_wait,
                stop,
                progress: progress.clone(),
            },
            erasures: Erasures::new(&source),
            dead: DeadLetters::new(log.clone(), source.clone(), writer_id(&parts.name, &parts.member)),
            lag: Lag::new(log.clone(), source.clone(), parts.name.clone(), progress.clone()),
            shapes: Shapes::new(parts.registry, parts.destination.clone(), parts.name.clone()),
            name: parts.name,
            source,
            selected: parts.tables,
            config: parts.config,
            member: parts.member,
            caught_up: parts.caught_up,
            destination: parts.destination,
            log,
            progress,
            tables: BTreeMap::new(),
        }
    }

    /// One reader after the other, as topics appear.
    async fn work(mut self) -> Result<Drained, StageError> {
        let opened = patiently!(self.patience, self.destination.open().await);
        if opened.map_err(|error| self.failed(error))?.is_none() {
            return Ok(Drained::default());
        }
        loop {
            let is_last = self.caught_up.is_cancelled();
            let Some(topics) = self.topics().await? else {
                return Ok(Drained::default());
            };
            if topics.is_empty() {
                if is_last {
                    return Ok(Drained {
                        is_complete: true,
                        ..Drained::default()
                    });
                }
                if !self.wait_for_topics().await {
                    return Ok(Drained::default());
                }
                continue;
            }
            let spec = self.reader_spec(&topics);
            let Some(mut reader) = patiently!(self.patience, self.log.reader(spec.clone()).await)? else {
                return Ok(Drained::default());
            };
            let end = self.read(&mut *reader, &topics).await;
            if let Err(error) = reader.close().await {
                tracing::debug!("the group was left without a word: {error}");
            }
            self.tables.clear();
            self.lag.clear();
            if let End::Stage(drained) = end? {
                return Ok(drained);
            }
        }
    }

    /// The topics that are loaded; `None` when the stage is to stop before they are known.
    async fn topics(&self) -> Result<Option<Vec<String>>, StageError> {
        // What stands before any table's name.
        let prefix = Topic::clean(&self.source, "");
        let found = patiently!(self.patience, self.log.topics(&prefix).await)?;
        let wanted = |found: Vec<String>| {
            self.selected
                .of(&self.source, &found)
                .into_iter()
                .map(str::to_owned)
                .collect()
        };
        Ok(found.map(wanted))
    }

    /// Waits some time for a first topic; `false` when the stage is to stop.
    async fn wait_for_topics(&self) -> bool {
        tracing::info!(source = self.source.as_str(), "waiting for the transformer's topics");
        tokio::select! {
            biased;
            () = self.patience.stop.cancelled() => false,
            () = self.caught_up.cancelled() => true,
            () = tokio::time::sleep(self.config.discover) => true,
        }
    }

    fn reader_spec(&self, topics: &[String]) -> ReaderSpec {
        ReaderSpec {
            group: group_id(&self.name),
            member: Some(self.member.clone()),
            assign: Assign::Shared(topics.to_vec()),
        }
    }

    async fn read(&mut self, reader: &mut dyn Reader, topics: &[String]) -> Result<End, StageError> {
        let mut flush_at = tick::next(self.config.flush_interval);
        let mut look_at = Instant::now() + self.config.discover;
        let mut goal = None;
        let (stop, caught_up) = (self.patience.stop.clone(), self.caught_up.clone());
        let (mut attempt, mut setbacks) = (0, 0);
        loop {
            self.progress.turn();
            if stop.is_cancelled() {
                return self.end(reader, false).await;
            }
            let is_new_goal = goal.is_none() && caught_up.is_cancelled();
            if is_new_goal || Instant::now() >= look_at {
                look_at = Instant::now() + self.config.discover;
                if self.topics().await?.is_some_and(|found| found != topics) {
                    self.flush(reader).await?;
                    return Ok(End::Topics);
                }
                if is_new_goal {
                    goal = self.goal(topics).await?;
                }
            }
            let limit = self.limit(flush_at.min(look_at), goal.is_some());
            let event = tokio::select! {
                biased;
                () = stop.cancelled() => continue,
                () = caught_up.cancelled(), if goal.is_none() => continue,
                event = reader.read(limit) => event,
            };
            let taken = match event {
                Ok(event) => self.take_event(reader, event).await,
                Err(error) => {
                    self.survive(error, &mut attempt).await?;
                    continue;
                }
            };
            let is_idle = match taken {
                Err(StageError::Destination { error, .. }) if error.class() == Retry => {
                    setbacks += 1;
                    self.recover(reader, setbacks, &error).await?;
                    continue;
                }
                taken => taken?,
            };
            if attempt > 0 {
                self.patience.over();
                attempt = 0;
            }
            let is_due = Instant::now() >= flush_at;
            if is_due || self.is_full() || (is_idle && goal.is_some()) {
                self.flush(reader).await?;
                setbacks = 0;
            }
            if is_due {
                flush_at = tick::next(self.config.flush_interval);
            }
            if let Some(goal) = goal.as_mut().filter(|_| is_idle)
                && self.has_reached(reader, goal).await?
            {
                return self.end(reader, true).await;
            }
        }
    }

    /// Flushes what is in hand and says how the stage ended.
    async fn end(&mut self, reader: &mut dyn Reader, is_complete: bool) -> Result<End, StageError> {
        let abandoned = self.flush(reader).await?;
        Ok(End::Stage(Drained { is_complete, abandoned }))
    }

    /// Waits after a failed read, if waiting helps.
    async fn survive(&self, error: LogError, attempt: &mut u32) -> Result<(), StageError> {
        match error.class() {
            Class::Retry => {
                *attempt += 1;
                self.patience.wait(*attempt, &error).await;
                Ok(())
            }
            // What moved to other readers is told as revoked.
            Class::Reread => Ok(()),
            Class::Fenced | Class::Stop => Err(error.into()),
        }
    }

    /// Waits after rows could not be put by, and reads everything again that was in hand: what was read with them is lost.
    async fn recover(&mut self, reader: &mut dyn Reader, setbacks: u32, error: &LoadError) -> Result<(), StageError> {
        let mut all = Vec::new();
        for (topic, table) in &mut self.tables {
            let partitions = table.give_up().into_iter();
            all.extend(partitions.map(|partition| TopicPartition::new(topic.clone(), partition)));
        }
        if !self.patience.wait_with(reader, setbacks, error).await {
            return Ok(());
        }
        self.patience.over();
        self.start(reader, &all).await.map(drop)
    }

    fn limit(&self, until: Instant, is_ending: bool) -> Limit {
        let longest = if is_ending { SHORTEST_READ } else { LONGEST_READ };
        Limit {
            records: self.config.flush_rows.clamp(1, MOST_RECORDS),
            // What is read comes on top of what is in hand.
            bytes: usize::try_from(self.config.flush_size.as_u64())
                .unwrap_or(MOST_BYTES)
                .clamp(1, MOST_BYTES),
            wait: until.saturating_duration_since(Instant::now()).min(longest),
        }
    }

    fn is_full(&self) -> bool {
        let (mut rows, mut in_memory, mut spooled) = (0, 0, 0);
        for table in self.tables.values() {
            rows += table.rows();
            in_memory += table.in_memory();
            spooled += table.spooled();
        }
        rows >= self.config.flush_rows
            || in_memory as u64 >= self.config.flush_size.as_u64()
            || spooled as u64 >= self.config.flush_file.as_u64()
    }

    /// Moves rows to disk while too many are in memory, of the fullest table first.
    fn settle(&mut self) -> Result<(), StageError> {
        let mut in_memory: usize = self.tables.values().map(Table::in_memory).sum();
        while in_memory as u64 >= self.config.flush_size.as_u64() {
            let Some(fullest) = self.tables.values_mut().max_by_key(|table| table.in_memory()) else {
                break;
            };
            let before = fullest.in_memory();
            let settled = fullest.settle();
            let after = fullest.in_memory();
            settled.map_err(|error| self.failed(error))?;
            if after >= before {
                break;
            }
            in_memory -= before - after;
        }
        Ok(())
    }

    /// Returns whether nothing was there to read.
    async fn take_event(&mut self, reader: &mut dyn Reader, event: Read) -> Result<bool, StageError> {
        match event {
            Read::Assigned(partitions) => {
                self.start(reader, &partitions).await?;
                Ok(false)
            }
            Read::Revoked(partitions) => {
                self.drop_partitions(&partitions);
                Ok(false)
            }
            Read::Batch(batch) => {
                let is_idle = batch.records.is_empty();
                self.take_batch(reader, batch).await?;
                Ok(is_idle)
            }
        }
    }

    fn drop_partitions(&mut self, partitions: &[TopicPartition]) {
        let mut rows = 0;
        for at in partitions {
            self.lag.forget(at);
            if let Some(table) = self.tables.get_mut(&at.topic) {
                rows += table.drop_partition(at.partition);
            }
        }
        tracing::info!(
            partitions = partitions.len(),
            rows,
            "partitions moved to another loader; their rows in hand are dropped"
        );
    }

    async fn take_batch(&mut self, reader: &mut dyn Reader, batch: Batch) -> Result<(), StageError> {
        self.count(&batch.records);
        for record in batch.records {
            if !self.take_record(reader, record).await? {
                // The stage is to stop: what has been taken so far is consistent.
                return Ok(());
            }
        }
        for (at, next) in batch.positions.iter() {
            if let Some(table) = self.tables.get_mut(&at.topic) {
                table.advance(at.partition, next);
            }
        }
        self.settle()
    }

    /// Takes one record into its table; `false` when the stage is to stop before its schema is known.
    async fn take_record(&mut self, reader: &mut dyn Reader, record: Record) -> Result<bool, StageError> {
        let Some(table) = self.tables.get_mut(&record.at.topic) else {
            return Ok(true);
        };
        table.timestamp = table.timestamp.max(record.timestamp);
        let (partition, offset) = (record.at.partition, record.offset);
        match content(&record) {
            Content::Row(row) => {
                let target = table.target().clone();
                let Some(shape) = self
                    .shapes
                    .get(&table.name, &target, row.schema_id, &self.patience, reader)
                    .await?
                else {
                    return Ok(false);
                };
                let is_spooled = table.has_spool_of(&shape, || self.erasures.cleaned_by(&target));
                let mut row = shaped(row, shape, partition, offset);
                if self.selected.deleted == Deleted::Emptied && row.shape.says_deleted(&row.body) {
                    row.kind = RowKind::Delete;
                }
                if is_spooled || table.has_refusals() {
                    row = self
                        .erasures
                        .clean(&table.name, row, &self.shapes, &self.patience)
                        .await?;
                }
                let taken = table.row(row);
                taken.map_err(|error| self.failed(error))?;
            }
            Content::Fence(fence) => table.fence(partition, offset, fence),
            Content::Nothing => table.pass(partition, offset),
            Content::Unreadable(reason, detail) => table.dead(Dead::unreadable(&record, reason, detail)),
        }
        Ok(true)
    }

    /// Counts records by table.
    fn count(&self, records: &[Record]) {
        for run in records.chunk_by(|one, other| one.at.topic == other.at.topic) {
            let topic = &run[0].at.topic;
            counter!("zenfloe_load_records_total", &self.labels(topic)).increment(run.len() as u64);
            if let Some(table) = self.tables.get(topic) {
                self.progress.of(&table.name, |shown| shown.read(run.len() as u64));
            }
        }
    }

    /// The labels of a topic's metrics.
    pub(crate) fn labels(&self, topic: &str) -> [(&'static str, String); 3] {
        let table = Topic::table_of(&self.source, topic).unwrap_or_default();
        [
            ("destination", self.name.clone()),
            ("source", self.source.to_string()),
            ("table", table.to_owned()),
        ]
    }

    /// An error of the destination as the stage's.
    pub(crate) fn failed(&self, error: LoadError) -> StageError {
        StageError::Destination {
            name: self.name.clone(),
            error,
        }
    }
}

fn shaped(
    row: Unshaped,
    shape: Arc<zenfloe_destination::TableShape>,
    partition: zenfloe_record::Partition,
    offset: zenfloe_record::Offset,
) -> Row {
    Row {
        partition,
        offset,
        kind: row.kind,
        key: row.key,
        version: row.version,
        origin: row.origin,
        body: row.body,
        shape,
        is_rewritten: row.is_rewritten,
    }
}
