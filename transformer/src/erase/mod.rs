//! People and tickets erased: what identifies them is made known, the clean topics are cleaned, and they leave `.people`.
//!
//! The order makes it safe: first the entry in the rules topic, by which transformers and loaders keep away whatever
//! comes, then the cleaning of what is there. An erasure that is interrupted goes on when it is run again.

mod eraser;
mod identify;
mod suppressed;
mod sweep;

use std::collections::BTreeSet;
use std::sync::Arc;

pub(crate) use eraser::Eraser;
pub(crate) use suppressed::Suppressed;
use tokio_util::sync::CancellationToken;
use zenfloe_erasure::{Asker, Entry, State, Subject};
use zenfloe_log::{Append, Cleanup, TopicSpec, Writer};
use zenfloe_record::{Headers, SourceName, Topic};

use crate::config::bytes;
use crate::patience::{Stop, or_stopped, patiently};
use crate::rules::Rules;
use crate::stage::now_ms;
use crate::{Parts, StageError};

/// Whom to erase, besides those whom Zendesk has deleted since the last time.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Erase {
    /// Users, by id.
    pub people: Vec<i64>,
    /// E-mail addresses: the users who have or had them, or the address alone where nobody is known to.
    pub emails: Vec<String>,
    /// Texts that the people wrote stay, but for what identifies them.
    pub keeps_texts: bool,
}

/// What was done; counts alone.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ErasedCounts {
    /// Nothing is left to be done.
    pub is_complete: bool,
    /// People, tickets and addresses.
    pub subjects: u64,
    /// Of those, people of whom nothing is known but the id.
    pub unknown: u64,
    /// Tokens that are suppressed, under all versions together.
    pub tokens: u64,
    /// Clean records that were written anew.
    pub rows: u64,
    /// Values that left the people topic.
    pub values: u64,
}

/// The id of the one living eraser of a source.
pub fn erase_writer_id(source: &SourceName) -> String {
    format!("zenfloe-erase-{source}")
}

/// Erases people and tickets of a source: those named, and those whose erasure was asked for and is not done.
///
/// On `Ok` with [`ErasedCounts::is_complete`] the clean topics hold nothing of them under a key that compaction keeps.
/// Destinations are cleaned by their loaders, each by itself and with its next flush.
pub async fn erase(parts: &Parts, what: &Erase, stop: CancellationToken) -> Result<ErasedCounts, StageError> {
    let stop = Stop::new(stop, parts.progress.clone());
    Ok(erased(parts, what, &stop).await?.unwrap_or_default())
}

/// The same; `None` when `stop` fires first.
pub(crate) async fn erased(parts: &Parts, what: &Erase, stop: &Stop) -> Result<Option<ErasedCounts>, StageError> {
    let log = &parts.log;
    let topic = rules_topic(parts);
    or_stopped!(patiently!(stop, log.ensure(std::slice::from_ref(&topic)).await));
    let writer = or_stopped!(patiently!(stop, log.writer(&erase_writer_id(&parts.source)).await));
    let mut rules = Rules::new(&parts.source);
    or_stopped!(rules.follow(&**log, stop).await?);
    let mut job = Job {
        parts,
        writer,
        rules,
        counts: ErasedCounts::default(),
    };
    or_stopped!(job.run(what, stop).await?);
    job.counts.is_complete = true;
    Ok(Some(job.counts))
}

fn rules_topic(parts: &Parts) -> TopicSpec {
    TopicSpec {
        name: Topic::rules(&parts.source),
        partitions: 1,
        cleanup: Cleanup::Compact,
        max_message_bytes: bytes(parts.config.max_message),
    }
}

struct Job<'p> {
    parts: &'p Parts,
    writer: Box<dyn Writer>,
    rules: Rules,
    counts: ErasedCounts,
}

impl Job<'_> {
    async fn run(&mut self, what: &Erase, stop: &Stop) -> Result<Option<()>, StageError> {
        let known = or_stopped!(identify::people(self.parts, stop).await?);
        let forms = identify::Forms::new(self.parts)?;
        let mut open = self.open(what, &known, &forms);
        if open.is_empty() {
            return Ok(Some(()));
        }
        for (subject, entry) in &mut open {
            if entry.state >= State::Known {
                continue;
            }
            entry.state = State::Known;
            match subject {
                Subject::Person(id) => {
                    let values = known.of(*id);
                    self.counts.unknown += u64::from(values.is_empty());
                    values
                        .iter()
                        .for_each(|value| forms.add(value.kind, &value.value, entry));
                }
                Subject::Address(_) | Subject::Ticket(_) => {}
            }
            entry.tokens.sort();
            entry.tokens.dedup();
        }
        for (address, email) in identify::addresses(what, &known, &forms) {
            let held = open.iter_mut().find(|(subject, _)| *subject == address);
            if let Some((_, entry)) = held.filter(|(_, entry)| entry.tokens.is_empty()) {
                forms.add(zenfloe_record::KnownKind::Email, email, entry);
            }
        }
        self.counts.subjects = open.len() as u64;
        self.counts.tokens = open.iter().map(|(_, entry)| entry.tokens.len() as u64).sum();
        or_stopped!(self.write(&open, stop).await?);
        or_stopped!(self.rules.follow(&*self.parts.log, stop).await?);
        or_stopped!(self.sweep(stop).await?);
        let tombstones = known.tombstones(&open);
        self.counts.values = tombstones.len() as u64;
        or_stopped!(self.commit(tombstones, stop).await?);
        open.iter_mut().for_each(|(_, entry)| entry.state = State::Done);
        self.write(&open, stop).await
    }

    /// What is to be done: what was asked for before, and what is asked for now.
    fn open(&self, what: &Erase, known: &identify::Known, forms: &identify::Forms) -> Vec<(Subject, Entry)> {
        let now = now_ms().saturating_mul(1_000);
        let mut subjects: BTreeSet<Subject> = what.people.iter().map(|id| Subject::Person(*id)).collect();
        for email in &what.emails {
            let owners = known.owners_of(email, forms);
            match owners.is_empty() {
                true => subjects.extend(forms.address(email)),
                false => subjects.extend(owners.into_iter().map(Subject::Person)),
            }
        }
        let mut open: Vec<(Subject, Entry)> = Vec::new();
        for subject in subjects {
            let asked = Entry {
                keeps_texts: what.keeps_texts,
                ..Entry::asked(Asker::Command, now)
            };
            // Asked for again: what has become known of the person since goes too.
            let entry = self.rules.erased().get(&subject).map_or(asked, |held| Entry {
                state: State::Asked,
                keeps_texts: held.keeps_texts && what.keeps_texts,
                ..held.clone()
            });
            open.push((subject, entry));
        }
        let is_new = |subject: &Subject, open: &[(Subject, Entry)]| !open.iter().any(|(held, _)| held == subject);
        for (subject, entry) in self.rules.erased().open().chain(self.rules.asked()) {
            let is_done = self
                .rules
                .erased()
                .get(subject)
                .is_some_and(|held| held.state == State::Done);
            if !is_done && is_new(subject, &open) {
                open.push((subject.clone(), entry.clone()));
            }
        }
        open
    }

    async fn write(&mut self, entries: &[(Subject, Entry)], stop: &Stop) -> Result<Option<()>, StageError> {
        let rules = Topic::rules(&self.parts.source);
        let record = |(subject, entry): &(Subject, Entry)| append(&rules, subject.key(), Some(entry.encode()));
        self.commit(entries.iter().map(record).collect(), stop).await
    }

    pub(crate) async fn commit(&mut self, out: Vec<Append>, stop: &Stop) -> Result<Option<()>, StageError> {
        if out.is_empty() {
            return Ok(Some(()));
        }
        Ok(patiently!(stop, self.writer.commit(out.clone(), None).await))
    }
}

/// A record of a topic of one partition.
pub(crate) fn append(topic: &Arc<str>, key: impl Into<bytes::Bytes>, value: Option<Vec<u8>>) -> Append {
    Append {
        at: zenfloe_record::TopicPartition::new(topic.clone(), 0),
        timestamp: None,
        key: key.into(),
        value: value.map(Into::into),
        headers: Headers::new(),
    }
}
