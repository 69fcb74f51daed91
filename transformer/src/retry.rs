//! Dead letters, tried again.

use std::collections::BTreeSet;
use std::sync::Arc;

use bytes::Bytes;
use tokio_util::sync::CancellationToken;
use zenfloe_log::{Append, Log, Record, Writer};
use zenfloe_record::{
    CleanHeaders, CleanKey, Headers, Letter, Offset, Origin, Partition, Positions, SourceName, Stage, Topic,
    TopicPartition, header,
};

use crate::letters::{info, inner_headers, listed, whole};
use crate::patience::{Stop, or_stopped, patiently};
use crate::people::Directory;
use crate::replay::worker;
use crate::walk::Walk;
use crate::worker::{Fault, Made, Worker};
use crate::{LetterInfo, Parts, StageError, plans, retry_writer_id, topics};

/// Which letters are tried again.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Which {
    /// All that are not settled.
    All,
    /// Those at these places of the dead topic.
    At(Vec<(Partition, Offset)>),
}

/// What became of the letters.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Retried {
    /// All chosen letters were tried; otherwise it was stopped, and what is counted here is committed.
    pub is_complete: bool,
    /// Letters that became rows, and are marked as settled.
    pub settled: u64,
    /// Rows written.
    pub rows: u64,
    /// Letters that failed again, each with what was wrong this time.
    pub still_dead: Vec<(LetterInfo, String)>,
    /// Letters of the extractor: their record was never written; `zenfloe dead show` has the request that repeats it.
    pub of_extractor: u64,
}

/// Tries letters again under the configuration in force.
///
/// A transformer's letter is transformed, a loader's clean row is appended to its topic once more; either way under
/// the key of row and version, in one commit with the mark that the letter is settled. One that fails again stays.
///
/// Errors with [`StageError::NotNewest`] when a transformer with another configuration is in force.
pub async fn retry_dead(parts: Parts, which: Which, stop: CancellationToken) -> Result<Retried, StageError> {
    let stop = Stop::new(stop, parts.progress.clone());
    let mut retried = Retried::default();
    let Some(mut desk) = Desk::open(parts, &which, &stop).await? else {
        return Ok(retried);
    };
    retried.is_complete = desk.work(&mut retried, &stop).await?.is_some();
    Ok(retried)
}

struct Desk {
    log: Arc<dyn Log>,
    source: SourceName,
    writer: Box<dyn Writer>,
    worker: Worker,
    chosen: BTreeSet<(Partition, Offset)>,
    walk: Option<Walk>,
}

/// Why a letter is not settled.
enum Failed {
    /// The same or another fault.
    Still(String),
    /// It is not ours to mend.
    OfExtractor,
}

impl Desk {
    async fn open(mut parts: Parts, which: &Which, stop: &Stop) -> Result<Option<Self>, StageError> {
        let log = parts.log.clone();
        let plans = plans::compile(&parts)?;
        let writer = or_stopped!(patiently!(stop, log.writer(&retry_writer_id(&parts.source)).await));
        let mut rules = or_stopped!(topics::rules_of(&parts, stop).await?);
        let revision = rules.in_force(&plans.fingerprint)?;
        plans.suppressed.learn(&rules);
        let open = or_stopped!(listed(&*log, &parts.source, stop).await?).into_iter();
        let chosen: Vec<_> = open
            .filter(|info| info.settled_at.is_none() && which.names(info))
            .collect();
        // The catalog's collections, as a letter may be of one that is no longer selected.
        let named = |name: &str| {
            let topics = chosen.iter().map(|info| &*info.letter.origin.topic);
            topics
                .filter_map(|topic| Topic::collection_of(&parts.source, topic))
                .any(|held| held == name)
        };
        let collections = parts.catalog.collections().iter();
        parts.collections = collections.filter(|collection| named(&collection.name)).collect();
        // A topic that does not exist is not waited for, but told letter by letter.
        parts.caught_up = CancellationToken::new();
        parts.caught_up.cancel();
        let raw = or_stopped!(topics::raw_topics(&parts, stop).await?);
        let mut directory = Directory::new(&parts, &plans);
        or_stopped!(directory.follow(&*log, stop).await?);
        let source = parts.source.clone();
        let (worker, _) = or_stopped!(worker(parts, plans, &raw, &mut rules, revision, stop).await?);
        let walk = or_stopped!(whole(&*log, &source, stop).await?);
        Ok(Some(Self {
            log,
            source,
            writer,
            worker,
            chosen: chosen.into_iter().map(|info| (info.partition, info.offset)).collect(),
            walk,
        }))
    }

    async fn work(&mut self, retried: &mut Retried, stop: &Stop) -> Result<Option<()>, StageError> {
        let Some(mut walk) = self.walk.take() else {
            return Ok(Some(()));
        };
        while !walk.is_over() {
            let batch = or_stopped!(walk.next(&*self.log, stop).await?);
            let chosen = &self.chosen;
            let is_chosen = |record: &Record| chosen.contains(&(record.at.partition, record.offset));
            let letters: Vec<_> = batch.records.into_iter().filter(is_chosen).collect();
            or_stopped!(self.batch(letters, retried, stop).await?);
        }
        Ok(Some(()))
    }

    async fn batch(
        &mut self,
        letters: Vec<Record>,
        retried: &mut Retried,
        stop: &Stop,
    ) -> Result<Option<()>, StageError> {
        let mut out = Vec::new();
        let (mut settled, mut rows) = (0, 0);
        for record in letters {
            let info = info(&record).expect("only letters are chosen");
            let before = out.len();
            match or_stopped!(self.letter(&record, &info.letter, &mut out, stop).await?) {
                Ok(()) => {
                    rows += (out.len() - before) as u64;
                    settled += 1;
                    out.push(settled_mark(&record));
                }
                Err(Failed::Still(detail)) => retried.still_dead.push((info, detail)),
                Err(Failed::OfExtractor) => retried.of_extractor += 1,
            }
        }
        if out.is_empty() {
            return Ok(Some(()));
        }
        or_stopped!(patiently!(stop, self.writer.commit(out.clone(), None).await));
        retried.settled += settled;
        retried.rows += rows;
        Ok(Some(()))
    }

    /// Appends to `out` what a letter becomes now.
    async fn letter(
        &mut self,
        record: &Record,
        letter: &Letter,
        out: &mut Vec<Append>,
        stop: &Stop,
    ) -> Result<Option<Result<(), Failed>>, StageError> {
        match letter.stage {
            Stage::Extract => Ok(Some(Err(Failed::OfExtractor))),
            Stage::Load => {
                let row = or_stopped!(self.row(record, letter, stop).await?);
                Ok(Some(row.map(|append| out.push(append)).map_err(Failed::Still)))
            }
            Stage::Transform => {
                let raw = match or_stopped!(self.raw(record, letter, stop).await?) {
                    Ok(raw) => raw,
                    Err(detail) => return Ok(Some(Err(Failed::Still(detail)))),
                };
                self.transform(&raw, out).map(Some)
            }
        }
    }

    fn transform(&mut self, raw: &Record, out: &mut Vec<Append>) -> Result<Result<(), Failed>, StageError> {
        let mut made = Made::default();
        match self.worker.record(raw, &mut made) {
            Ok(()) => {
                out.append(&mut made.out);
                Ok(Ok(()))
            }
            Err(Fault::Bad(reason, detail)) => Ok(Err(Failed::Still(format!("{}: {detail}", reason.as_str())))),
            Err(Fault::KeyVersion(version)) => Err(StageError::KeyVersion {
                at: raw.at.clone(),
                offset: raw.offset,
                version,
            }),
        }
    }

    /// The raw record that a letter holds, or that it names.
    async fn raw(
        &self,
        record: &Record,
        letter: &Letter,
        stop: &Stop,
    ) -> Result<Option<Result<Record, String>>, StageError> {
        let origin = &letter.origin;
        if !self.worker.knows(&origin.topic) {
            return Ok(Some(Err(format!("topic `{}` does not exist", origin.topic))));
        }
        let at = TopicPartition::new(origin.topic.clone(), origin.partition);
        let key = record.headers.get(header::KEY);
        let timestamp = record.headers.number(header::TIMESTAMP);
        match (record.headers.get(header::SEAL), key, timestamp) {
            (Some(_), Some(key), Ok(timestamp)) => Ok(Some(Ok(Record {
                at,
                offset: origin.offset,
                timestamp,
                key: Bytes::copy_from_slice(key),
                value: record.value.clone(),
                headers: inner_headers(&record.headers),
            }))),
            _ => self.fetched(at, origin, stop).await,
        }
    }

    /// Reads a raw record where it stands.
    async fn fetched(
        &self,
        at: TopicPartition,
        origin: &Origin,
        stop: &Stop,
    ) -> Result<Option<Result<Record, String>>, StageError> {
        let bounds = or_stopped!(patiently!(stop, self.log.bounds(&at).await));
        let gone = || Ok(Some(Err(format!("record {} of {at} has expired", origin.offset))));
        if !(bounds.start..bounds.end).contains(&origin.offset) {
            return gone();
        }
        let from: Positions = [(at.clone(), origin.offset)].into_iter().collect();
        let until: Positions = [(at.clone(), origin.offset + 1)].into_iter().collect();
        let mut walk = Walk::new(retry_writer_id(&self.source), from, until, 1, 1);
        while !walk.is_over() {
            let batch = or_stopped!(walk.next(&*self.log, stop).await?);
            if let Some(record) = batch.records.into_iter().next() {
                return Ok(Some(Ok(record)));
            }
        }
        gone()
    }

    /// The clean row that a letter holds or names, for its topic once more.
    async fn row(
        &self,
        record: &Record,
        letter: &Letter,
        stop: &Stop,
    ) -> Result<Option<Result<Append, String>>, StageError> {
        let topic = &letter.origin.topic;
        let is_clean = Topic::table_of(&self.source, topic).is_some();
        if !is_clean || or_stopped!(patiently!(stop, self.log.topic(topic).await)).is_none() {
            return Ok(Some(Err(format!("topic `{topic}` does not exist"))));
        }
        let at = TopicPartition::new(topic.clone(), letter.origin.partition);
        if record.value.is_none() {
            let found = or_stopped!(self.fetched(at, &letter.origin, stop).await?);
            return Ok(Some(found.and_then(|record| again(&record))));
        }
        let Some(key) = record.headers.get(header::KEY) else {
            return Ok(Some(Err("it does not say the key of its row".into())));
        };
        Ok(Some(again(&Record {
            at,
            offset: letter.origin.offset,
            timestamp: record.timestamp,
            key: Bytes::copy_from_slice(key),
            value: record.value.clone(),
            headers: inner_headers(&record.headers),
        })))
    }
}

/// A clean record as it is appended once more.
fn again(record: &Record) -> Result<Append, String> {
    let clean = CleanHeaders::decode(&record.headers).map_err(|error| error.to_string())?;
    let key = CleanKey::versioned(CleanKey::row_key(&record.key), &clean.version);
    Ok(Append {
        at: record.at.clone(),
        timestamp: None,
        key: key.into(),
        value: record.value.clone(),
        headers: clean.encode(),
    })
}

impl Which {
    fn names(&self, info: &LetterInfo) -> bool {
        match self {
            Self::All => true,
            Self::At(places) => places.contains(&(info.partition, info.offset)),
        }
    }
}

/// Says that a letter is settled: its key without a value.
fn settled_mark(record: &Record) -> Append {
    Append {
        at: record.at.clone(),
        timestamp: None,
        key: record.key.clone(),
        value: None,
        headers: Headers::new(),
    }
}
