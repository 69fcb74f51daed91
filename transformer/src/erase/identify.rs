//! Who somebody is, as far as the source's people topic tells, and the tokens and marks of it.

use std::collections::BTreeMap;

use bytes::Bytes;
use data_encoding::HEXLOWER;
use zenfloe_erasure::{Entry, EntryMark, EntryToken, Subject};
use zenfloe_keyring::{Marks, Opener, Tokens};
use zenfloe_log::{Append, partitions_of};
use zenfloe_pii::{Erased, Identifier, Kind, Normal, Phones, TOKEN_CLASSES};
use zenfloe_record::{KnownKind, KnownValue, Owner, Positions, Topic};

use super::{Erase, append, erase_writer_id};
use crate::patience::{Stop, or_stopped, patiently};
use crate::walk::Walk;
use crate::{Parts, StageError};

/// Records and bytes that are read at once.
const RECORDS: usize = 2_000;
const BYTES: usize = 4 << 20;

/// Every user's values, with the keys under which they stand.
pub(super) struct Known {
    topic: std::sync::Arc<str>,
    users: BTreeMap<i64, Vec<(Bytes, KnownValue)>>,
}

/// Reads the people topic; nobody where there is none.
pub(super) async fn people(parts: &Parts, stop: &Stop) -> Result<Option<Known>, StageError> {
    let topic = Topic::people(&parts.source);
    let mut known = Known {
        topic: topic.clone(),
        users: BTreeMap::new(),
    };
    let Some(info) = or_stopped!(patiently!(stop, parts.log.topic(&topic).await)) else {
        return Ok(Some(known));
    };
    let (mut from, mut until) = (Positions::new(), Positions::new());
    for at in partitions_of(&topic, info.partitions) {
        let bounds = or_stopped!(patiently!(stop, parts.log.bounds(&at).await));
        from.set(at.clone(), bounds.start);
        until.set(at, bounds.end);
    }
    let mut walk = Walk::new(erase_writer_id(&parts.source), from, until, RECORDS, BYTES);
    let mut opener = Opener::new(parts.seal_keys.clone(), &parts.source);
    let mut opened = Vec::new();
    while !walk.is_over() {
        for record in or_stopped!(walk.next(&*parts.log, stop).await?).records {
            let Some(Owner::User(id)) = Owner::of_key(&record.key) else {
                continue;
            };
            let values = known.users.entry(id).or_default();
            values.retain(|(key, _)| *key != record.key);
            let Some(value) = &record.value else { continue };
            // What was sealed under a key that is gone tells nobody anything any more.
            let is_open = opener.open(KnownValue::PURPOSE, &record.key, &record.headers, value, &mut opened);
            if let Some(value) = is_open.ok().and_then(|()| KnownValue::decode(&opened).ok()) {
                values.push((record.key.clone(), value));
            }
        }
    }
    Ok(Some(known))
}

impl Known {
    pub(super) fn of(&self, id: i64) -> Vec<&KnownValue> {
        let held = self.users.get(&id);
        held.into_iter().flatten().map(|(_, value)| value).collect()
    }

    /// The users who have or had an address.
    pub(super) fn owners_of(&self, email: &str, forms: &Forms) -> Vec<i64> {
        let Some(wanted) = forms.normal(Kind::Email, email) else {
            return Vec::new();
        };
        let has = |value: &KnownValue| {
            value.kind == KnownKind::Email && forms.normal(Kind::Email, &value.value).as_ref() == Some(&wanted)
        };
        let owners = self
            .users
            .iter()
            .filter(|(_, values)| values.iter().any(|(_, value)| has(value)));
        owners.map(|(id, _)| *id).collect()
    }

    /// What takes the people among these subjects out of the topic.
    pub(super) fn tombstones(&self, subjects: &[(Subject, Entry)]) -> Vec<Append> {
        let people = subjects.iter().filter_map(|(subject, _)| match subject {
            Subject::Person(id) => self.users.get(id),
            Subject::Ticket(_) | Subject::Address(_) => None,
        });
        people
            .flatten()
            .map(|(key, _)| append(&self.topic, key.clone(), None))
            .collect()
    }
}

/// The addresses among what is to be erased that belong to no known user.
pub(super) fn addresses<'e>(what: &'e Erase, known: &Known, forms: &Forms) -> Vec<(Subject, &'e str)> {
    let of_nobody = what
        .emails
        .iter()
        .filter(|email| known.owners_of(email, forms).is_empty());
    of_nobody
        .filter_map(|email| Some((forms.address(email)?, email.as_str())))
        .collect()
}

/// Makes tokens under every version, and marks.
pub(super) struct Forms {
    phones: Phones,
    tokens: Vec<Tokens>,
    marks: Erased,
}

impl Forms {
    pub(super) fn new(parts: &Parts) -> Result<Self, StageError> {
        let phones = Phones::new(&parts.config.regions).map_err(|error| StageError::Setting {
            what: error.to_string(),
        })?;
        Ok(Self {
            phones,
            tokens: Tokens::all(&parts.token_keys, parts.source.as_str(), &TOKEN_CLASSES),
            marks: Erased::new(Marks::new(&parts.token_keys, &parts.source)),
        })
    }

    fn normal(&self, kind: Kind, value: &str) -> Option<Normal> {
        Normal::of(kind, value, &self.phones)
    }

    /// The subject of an address that belongs to nobody.
    pub(super) fn address(&self, email: &str) -> Option<Subject> {
        let marks = self.marks.marks_of(Identifier::Email, email, &self.phones);
        Some(Subject::Address(HEXLOWER.encode(&marks.first()?.mark)))
    }

    /// Adds a value's tokens and marks to an entry.
    pub(super) fn add(&self, kind: KnownKind, value: &str, entry: &mut Entry) {
        let (kind, identifier) = match kind {
            KnownKind::Name => (Kind::Person, Some(Identifier::Name)),
            KnownKind::Email => (Kind::Email, Some(Identifier::Email)),
            KnownKind::Phone => (Kind::Phone, Some(Identifier::Phone)),
            KnownKind::Handle => (Kind::Handle, Some(Identifier::Handle)),
            KnownKind::ExternalId => (Kind::ExternalId, None),
        };
        if let Some(normal) = self.normal(kind, value) {
            let class = normal.kind.as_str();
            entry.tokens.extend(self.tokens.iter().map(|tokens| EntryToken {
                class: class.to_owned(),
                token: tokens.token(class, normal.text.as_bytes()),
            }));
        }
        let marks = identifier.map(|identifier| self.marks.marks_of(identifier, value, &self.phones));
        for mark in marks.into_iter().flatten() {
            let mark = EntryMark {
                mark: HEXLOWER.encode(&mark.mark),
                first: mark.first,
            };
            if !entry.marks.contains(&mark) {
                entry.marks.push(mark);
            }
        }
    }
}
