use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use serde::{Deserialize, Serialize};
use tokio::time::Instant;
use zenfloe_log::{Append, Class, Log, Record, Writer};
use zenfloe_record::{Headers, Origin, Positions, SourceName, Topic, TopicPartition};

use crate::patience::{Patience, Stop, or_stopped, patiently};
use crate::rules::Rules;
use crate::walk::Walk;
use crate::worker::{Worker, away};
use crate::{Parts, StageError};

/// Records that are transformed anew in one commit.
const RECORDS: usize = 500;
/// Bytes that are read at once.
const BYTES: usize = 4 << 20;
/// Records that are read for nothing between two that wait.
const GAP: i64 = 2_000;
/// How long another process is left alone that does the same.
const PAUSE: Duration = Duration::from_secs(10);

/// What a record of the pending topic says: fields that its origin has values of and that have no column yet.
///
/// Its key is the origin; without a value the origin waits no more.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Waiting {
    /// The table whose fields they are.
    pub(crate) table: String,
    /// Ids or keys.
    pub(crate) fields: Vec<String>,
}

/// The id of the one living process that transforms what waited.
pub(crate) fn pending_writer_id(source: &SourceName) -> String {
    format!("zenfloe-pending-{source}")
}

/// The record that says what an origin waits for; of `None` that it waits no more.
pub(crate) fn waits(topic: &Arc<str>, origin: &Origin, waiting: Option<&Waiting>) -> Append {
    Append {
        at: TopicPartition::new(topic.clone(), 0),
        timestamp: None,
        key: origin.encode().into_bytes().into(),
        value: waiting.map(|waiting| serde_json::to_vec(waiting).expect("plain data").into()),
        headers: Headers::new(),
    }
}

/// Transforms anew what has waited for the definition of a field.
pub(crate) struct Pending {
    log: Arc<dyn Log>,
    source: SourceName,
    at: TopicPartition,
    /// The columns' stamp at the last look; `None` before the first.
    seen: Option<u64>,
    look_at: Instant,
    due: VecDeque<Origin>,
    writer: Option<Box<dyn Writer>>,
}

impl Pending {
    pub(crate) fn new(parts: &Parts) -> Self {
        Self {
            log: parts.log.clone(),
            source: parts.source.clone(),
            at: TopicPartition::new(Topic::pending(&parts.source), 0),
            seen: None,
            look_at: Instant::now(),
            due: VecDeque::new(),
            writer: None,
        }
    }

    /// Transforms all that is due; `None` when `stop` fires first.
    pub(crate) async fn finish(
        &mut self,
        rules: &Rules,
        worker: &mut Option<Worker>,
        stop: &Stop,
    ) -> Result<Option<()>, StageError> {
        // What another process has in hand is committed by it.
        while or_stopped!(self.turn(rules, worker, stop).await?) {}
        Ok(Some(()))
    }

    /// Transforms a part of what is due; claims that there is more.
    ///
    /// Contract: the worker writes the columns that the rules tell.
    pub(crate) async fn turn(
        &mut self,
        rules: &Rules,
        worker: &mut Option<Worker>,
        stop: &Stop,
    ) -> Result<Option<bool>, StageError> {
        let stamp = rules.columns().stamp();
        if self.due.is_empty() && self.seen != Some(stamp) && Instant::now() >= self.look_at {
            or_stopped!(self.look(rules, stop).await?);
            self.seen = Some(stamp);
        }
        let Some(part) = self.part() else {
            self.writer = None;
            return Ok(Some(false));
        };
        let records = or_stopped!(self.raw(&part, stop).await?);
        let gone = part
            .iter()
            .filter(|origin| !records.iter().any(|record| is_at(record, origin)));
        let mut out: Vec<Append> = gone.map(|origin| waits(&self.at.topic, origin, None)).collect();
        if !out.is_empty() {
            let (source, records) = (self.source.as_str(), out.len());
            tracing::warn!(source, records, "records expired before the definition of a field came");
        }
        let own = worker.take().expect("it is back after every batch");
        let (own, made) = away(own, Arc::new(records), |worker, records| worker.anew(records)).await;
        *worker = Some(own);
        out.extend(made?.out);
        let is_ours = or_stopped!(self.commit(out, stop).await?);
        if !is_ours {
            self.leave();
        }
        Ok(Some(!self.due.is_empty()))
    }

    /// Another process does it: whatever it leaves is looked for later.
    fn leave(&mut self) {
        self.due.clear();
        self.writer = None;
        self.seen = None;
        self.look_at = Instant::now() + PAUSE;
    }

    /// Looks what waits for fields that have a column by now; the writer is opened before the look that counts.
    async fn look(&mut self, rules: &Rules, stop: &Stop) -> Result<Option<()>, StageError> {
        if or_stopped!(patiently!(stop, self.log.topic(&self.at.topic).await)).is_none() {
            return Ok(Some(()));
        }
        if or_stopped!(self.waiting(rules, stop).await?).is_empty() {
            return Ok(Some(()));
        }
        let id = pending_writer_id(&self.source);
        self.writer = Some(or_stopped!(patiently!(stop, self.log.writer(&id).await)));
        self.due = or_stopped!(self.waiting(rules, stop).await?);
        let (source, records) = (self.source.as_str(), self.due.len());
        tracing::info!(
            source,
            records,
            "definitions of fields have come for records that waited"
        );
        Ok(Some(()))
    }

    async fn waiting(&self, rules: &Rules, stop: &Stop) -> Result<Option<VecDeque<Origin>>, StageError> {
        let start = or_stopped!(patiently!(stop, self.log.bounds(&self.at).await)).start;
        let (records, _) = or_stopped!(patiently!(stop, self.log.scan(&self.at, start).await));
        let mut last: BTreeMap<Bytes, Option<Bytes>> = BTreeMap::new();
        for record in records {
            last.insert(record.key, record.value);
        }
        let columns = rules.columns();
        let due = |(key, value): (Bytes, Option<Bytes>)| {
            let waiting: Waiting = serde_json::from_slice(&value?).ok()?;
            let mut fields = waiting.fields.iter();
            fields
                .any(|field| columns.knows(&waiting.table, field))
                .then(|| Origin::decode(std::str::from_utf8(&key).ok()?).ok())?
        };
        let mut due: Vec<Origin> = last.into_iter().filter_map(due).collect();
        due.sort();
        Ok(Some(due.into()))
    }

    /// Takes records of one partition that lie close together.
    fn part(&mut self) -> Option<Vec<Origin>> {
        let mut part = vec![self.due.pop_front()?];
        while let Some(next) = self.due.front() {
            let last = part.last().expect("it begins with one");
            let is_near = next.topic == last.topic
                && next.partition == last.partition
                && next.offset - last.offset <= GAP
                && part.len() < RECORDS;
            if !is_near {
                break;
            }
            part.extend(self.due.pop_front());
        }
        Some(part)
    }

    /// The raw records, but for those that have expired.
    async fn raw(&self, part: &[Origin], stop: &Stop) -> Result<Option<Vec<Record>>, StageError> {
        let (Some(first), Some(last)) = (part.first(), part.last()) else {
            return Ok(Some(Vec::new()));
        };
        let at = TopicPartition::new(first.topic.clone(), first.partition);
        if or_stopped!(patiently!(stop, self.log.topic(&at.topic).await)).is_none() {
            return Ok(Some(Vec::new()));
        }
        let bounds = or_stopped!(patiently!(stop, self.log.bounds(&at).await));
        let from = Positions::from_iter([(at.clone(), first.offset.max(bounds.start))]);
        let until = Positions::from_iter([(at, (last.offset + 1).min(bounds.end))]);
        let mut walk = Walk::new(pending_writer_id(&self.source), from, until, RECORDS, BYTES);
        let mut records = Vec::new();
        while !walk.is_over() {
            let batch = or_stopped!(walk.next(&*self.log, stop).await?);
            let is_wanted = |record: &Record| part.iter().any(|origin| is_at(record, origin));
            records.extend(batch.records.into_iter().filter(is_wanted));
        }
        Ok(Some(records))
    }

    /// Claims that it was committed by this process, and not fenced by another one.
    async fn commit(&mut self, out: Vec<Append>, stop: &Stop) -> Result<Option<bool>, StageError> {
        let writer = self.writer.as_mut().expect("opened with the look");
        let mut patience = Patience::default();
        loop {
            match writer.commit(out.clone(), None).await {
                Ok(()) => return Ok(Some(true)),
                Err(error) if error.class() == Class::Fenced => return Ok(Some(false)),
                Err(error) => {
                    if !patience.wait(error, stop).await? {
                        return Ok(None);
                    }
                }
            }
        }
    }
}

fn is_at(record: &Record, origin: &Origin) -> bool {
    record.offset == origin.offset && record.at.partition == origin.partition && record.at.topic == origin.topic
}
