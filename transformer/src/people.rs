//! The source's people topic, read to its end before anything is transformed.

use std::collections::{BTreeSet, HashMap};
use std::time::Duration;

use bytes::Bytes;
use tokio::time::Instant;
use zenfloe_keyring::{OpenError, Opener, SealKeys};
use zenfloe_log::{Log, Record};
use zenfloe_pii::{Identifier, People, Phones};
use zenfloe_record::{KnownKind, KnownValue, Offset, Owner, Positions, SourceName, Topic, TopicPartition};

use crate::patience::{Stop, or_stopped, patiently};
use crate::plans::Plans;
use crate::walk::Walk;
use crate::{Parts, StageError, people_group};

/// Records that are opened at a time.
const RECORDS: usize = 10_000;
/// Bytes that are held at a time.
const BYTES: usize = 4 << 20;
/// So few new records are read without a reader of their own.
const FEW: Offset = 5_000;
/// How often it is looked whether the first pass over everyone is complete.
const LOOK_EVERY: Duration = Duration::from_millis(250);
/// How often it is said that it is waited for.
const TELL_EVERY: Duration = Duration::from_secs(30);

/// Everyone whom the source has told of, as far as the topic has been read.
pub(crate) struct Directory {
    source: SourceName,
    at: TopicPartition,
    seal_keys: SealKeys,
    phones: Phones,
    /// Whom the worker knows.
    people: People,
    /// `None` before the first record.
    next: Option<Offset>,
    complete: BTreeSet<String>,
    /// Where records of a key were taken away last: what stands before is not known any more.
    forgotten: HashMap<Bytes, Offset>,
    /// Somebody has to be forgotten who may have been learnt.
    is_stale: bool,
}

impl Directory {
    pub(crate) fn new(parts: &Parts, plans: &Plans) -> Self {
        Self {
            source: parts.source.clone(),
            at: TopicPartition::new(Topic::people(&parts.source), 0),
            seal_keys: parts.seal_keys.clone(),
            phones: plans.privacy.phones().clone(),
            people: plans.people.clone(),
            next: None,
            complete: BTreeSet::new(),
            forgotten: HashMap::new(),
            is_stale: false,
        }
    }

    /// Reads the topic, and waits until everyone has been told of once; `None` when `stop` fires first.
    ///
    /// A source without the topic, and one of whose people nothing more will come, is not waited for.
    pub(crate) async fn complete(&mut self, parts: &Parts, stop: &Stop) -> Result<Option<()>, StageError> {
        let mut told: Option<Instant> = None;
        loop {
            // Asked before the look, so that what was written just before it fired is read.
            let is_late = parts.caught_up.is_cancelled();
            or_stopped!(self.follow(&*parts.log, stop).await?);
            let missing = self.missing(parts);
            let (Some(missing), Some(_), false) = (missing, self.next, is_late) else {
                break;
            };
            parts.progress.wait(missing);
            if told.is_none_or(|told| told.elapsed() >= TELL_EVERY) {
                told = Some(Instant::now());
                tracing::info!(
                    source = self.source.as_str(),
                    "waiting for the extractor's first complete pass over `{missing}`: no text is read before its people \
                     are known"
                );
            }
            tokio::select! {
                () = stop.cancelled() => return Ok(None),
                () = parts.caught_up.cancelled() => {}
                () = tokio::time::sleep(LOOK_EVERY) => {}
            }
        }
        tracing::info!(
            source = self.source.as_str(),
            bytes = self.people.memory(),
            "people and organizations are known"
        );
        Ok(Some(()))
    }

    /// A collection of people that is read and has not been told of in whole.
    fn missing<'p>(&self, parts: &'p Parts) -> Option<&'p str> {
        let names = parts.collections.iter().map(|collection| collection.name.as_str());
        let mut people = names.filter(|name| Owner::are(name));
        people.find(|name| !self.complete.contains(*name))
    }

    /// Reads on to the topic's end; `None` when `stop` fires first.
    pub(crate) async fn follow(&mut self, log: &dyn Log, stop: &Stop) -> Result<Option<()>, StageError> {
        if self.next.is_none() && or_stopped!(patiently!(stop, log.topic(&self.at.topic).await)).is_none() {
            return Ok(Some(()));
        }
        or_stopped!(self.read_on(log, stop).await?);
        while self.is_stale {
            // Whoever is taken away may share a name with others: all are learnt anew but those.
            self.is_stale = false;
            self.next = None;
            let known = std::mem::take(&mut self.people);
            let read = self.read_on(log, stop).await;
            let anew = std::mem::replace(&mut self.people, known);
            or_stopped!(read?);
            self.people.become_those(&anew);
        }
        Ok(Some(()))
    }

    async fn read_on(&mut self, log: &dyn Log, stop: &Stop) -> Result<Option<()>, StageError> {
        let bounds = or_stopped!(patiently!(stop, log.bounds(&self.at).await));
        let from = self.next.unwrap_or(bounds.start).max(bounds.start);
        if from >= bounds.end {
            self.next = Some(from);
            return Ok(Some(()));
        }
        if bounds.end - from <= FEW {
            let (records, next) = or_stopped!(patiently!(stop, log.scan(&self.at, from).await));
            self.take(records).await?;
            self.next = Some(next);
            return Ok(Some(()));
        }
        let span = |offset| Positions::from_iter([(self.at.clone(), offset)]);
        let mut walk = Walk::new(people_group(&self.source), span(from), span(bounds.end), RECORDS, BYTES);
        while !walk.is_over() {
            let batch = or_stopped!(walk.next(log, stop).await?);
            self.take(batch.records).await?;
        }
        self.next = Some(bounds.end);
        Ok(Some(()))
    }

    /// Learns what records say, away from the threads that wait for the network.
    async fn take(&mut self, records: Vec<Record>) -> Result<(), StageError> {
        let mut values = Vec::new();
        for record in records {
            if let Some(collection) = KnownValue::complete_of(&record.key) {
                self.complete.insert(collection.to_owned());
            } else if Owner::of_key(&record.key).is_none() {
                // A record of a later release.
            } else if record.value.is_none() {
                self.is_stale |= self.forgotten.insert(record.key, record.offset) != Some(record.offset);
            } else {
                values.push(record);
            }
        }
        let forgotten = &self.forgotten;
        values.retain(|record| forgotten.get(&record.key).is_none_or(|gone| record.offset > *gone));
        let opener = Opener::new(self.seal_keys.clone(), &self.source);
        let (people, phones) = (self.people.clone(), self.phones.clone());
        let learnt = tokio::task::spawn_blocking(move || learn(opener, &values, &people, &phones)).await;
        learnt.unwrap_or_else(|ended| std::panic::resume_unwind(ended.into_panic()))
    }
}

fn learn(mut opener: Opener, records: &[Record], people: &People, phones: &Phones) -> Result<(), StageError> {
    let mut opened = Vec::new();
    for record in records {
        let sealed = record.value.as_deref().unwrap_or_default();
        let unreadable = |why: String| StageError::People {
            topic: record.at.topic.clone(),
            offset: record.offset,
            why,
        };
        match opener.open(KnownValue::PURPOSE, &record.key, &record.headers, sealed, &mut opened) {
            Ok(()) => {}
            // A period that was made unreadable on purpose tells nobody anything any more.
            Err(OpenError::Destroyed(_)) => continue,
            Err(OpenError::UnknownKeyVersion(version)) => {
                return Err(StageError::KeyVersion {
                    at: record.at.clone(),
                    offset: record.offset,
                    version,
                });
            }
            Err(error) => return Err(unreadable(error.to_string())),
        }
        let known = KnownValue::decode(&opened).map_err(|error| unreadable(error.to_string()))?;
        if let Some(identifier) = identifier(&known) {
            people.learn(identifier, &known.value, phones);
        }
    }
    Ok(())
}

/// As what a value is looked for in texts.
fn identifier(known: &KnownValue) -> Option<Identifier> {
    Some(match (known.of, known.kind) {
        (Owner::Organization(_), KnownKind::Name) => Identifier::Organization,
        (_, KnownKind::Name) => Identifier::Name,
        (_, KnownKind::Email) => Identifier::Email,
        (_, KnownKind::Phone) => Identifier::Phone,
        (_, KnownKind::Handle) => Identifier::Handle,
        // A customer's own id may be any number or word.
        (_, KnownKind::ExternalId) => return None,
    })
}
