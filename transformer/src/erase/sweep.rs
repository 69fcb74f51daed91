//! The clean topics, cleaned: what holds somebody is written anew under its own key, so that compaction removes it.

use std::collections::hash_map::Entry;
use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use bytes::Bytes;
use zenfloe_catalog::Table;
use zenfloe_erasure::{Layout, Verdict};
use zenfloe_log::{Append, Record, partitions_of};
use zenfloe_record::{CleanHeaders, CleanKind, Positions, RowVersion, Topic, TopicPartition};
use zenfloe_registry::{Class, header, split};

use super::{Job, erase_writer_id};
use crate::StageError;
use crate::patience::{Patience, Stop, or_stopped, patiently};
use crate::walk::Walk;

/// Records and bytes that are read at once.
const RECORDS: usize = 2_000;
const BYTES: usize = 4 << 20;
/// Looks after rows that were written meanwhile, at the most.
const LOOKS: usize = 10;

/// What has been found in a topic.
#[derive(Default)]
struct Found {
    /// By schema; `None` of one that no row of ours has.
    layouts: HashMap<u32, Option<Layout>>,
    /// By key: each stands in one partition.
    held: BTreeMap<Bytes, Held>,
}

/// What stands under a key, as far as it matters here.
struct Held {
    /// The newest state seen, clean.
    newest: (RowVersion, Append),
    /// It is not what stands last under its key.
    is_due: bool,
}

impl Job<'_> {
    /// Cleans every clean topic of the source.
    pub(super) async fn sweep(&mut self, stop: &Stop) -> Result<Option<()>, StageError> {
        for collection in self.parts.catalog.collections() {
            for table in &collection.tables {
                let topic = Topic::clean(&self.parts.source, &table.name);
                let Some(info) = or_stopped!(patiently!(stop, self.parts.log.topic(&topic).await)) else {
                    continue;
                };
                let partitions = partitions_of(&topic, info.partitions);
                or_stopped!(self.sweep_topic(table, &partitions, stop).await?);
            }
        }
        Ok(Some(()))
    }

    /// Cleans one topic. A row that is written meanwhile, and that an older one was put behind, is put behind it once
    /// more: what stands last under a key is its newest state.
    async fn sweep_topic(
        &mut self,
        table: &Table,
        partitions: &[TopicPartition],
        stop: &Stop,
    ) -> Result<Option<()>, StageError> {
        let mut found = Found::default();
        let mut from = Positions::new();
        for at in partitions {
            from.set(
                at.clone(),
                or_stopped!(patiently!(stop, self.parts.log.bounds(at).await)).start,
            );
        }
        for _ in 0..LOOKS {
            let mut until = Positions::new();
            for at in partitions {
                until.set(
                    at.clone(),
                    or_stopped!(patiently!(stop, self.parts.log.bounds(at).await)).end,
                );
            }
            or_stopped!(self.look(table, from, until.clone(), &mut found, stop).await?);
            from = until;
            let due: Vec<Append> = found
                .held
                .values_mut()
                .filter(|held| held.is_due)
                .map(Held::settle)
                .collect();
            if due.is_empty() {
                break;
            }
            self.counts.rows += due.len() as u64;
            for part in due.chunks(RECORDS) {
                or_stopped!(self.commit(part.to_vec(), stop).await?);
            }
        }
        Ok(Some(()))
    }

    async fn look(
        &mut self,
        table: &Table,
        from: Positions,
        until: Positions,
        found: &mut Found,
        stop: &Stop,
    ) -> Result<Option<()>, StageError> {
        let mut walk = Walk::new(erase_writer_id(&self.parts.source), from, until, RECORDS, BYTES);
        while !walk.is_over() {
            for record in or_stopped!(walk.next(&*self.parts.log, stop).await?).records {
                let Some((id, headers)) = row(&record) else { continue };
                let layout = match found.layouts.entry(id) {
                    Entry::Occupied(known) => known.into_mut(),
                    Entry::Vacant(place) => {
                        let schema = or_stopped!(self.schema(&record.at.topic, id, stop).await?);
                        place.insert(Layout::new(Some(table), &schema).ok())
                    }
                };
                if let Some(layout) = layout {
                    self.note(&record, &headers, layout, &mut found.held);
                }
            }
        }
        Ok(Some(()))
    }

    fn note(&self, record: &Record, headers: &CleanHeaders, layout: &Layout, held: &mut BTreeMap<Bytes, Held>) {
        let Some(value) = &record.value else { return };
        let Ok((id, body)) = split(value) else { return };
        let mut clean = Vec::new();
        let verdict = match headers.kind {
            CleanKind::Row => layout.apply(self.rules.erased(), body, &mut clean),
            CleanKind::Delete | CleanKind::Fence => Ok(Verdict::Same),
        };
        let (kind, is_dirty) = match verdict {
            Ok(Verdict::Same) | Err(_) => (headers.kind, false),
            Ok(Verdict::Changed) => (CleanKind::Row, true),
            Ok(Verdict::Gone) => (CleanKind::Delete, true),
        };
        let append = Append {
            at: record.at.clone(),
            timestamp: None,
            key: record.key.clone(),
            value: Some(match is_dirty {
                true => Bytes::from([&header(id)[..], &clean].concat()),
                false => value.clone(),
            }),
            headers: CleanHeaders {
                kind,
                ..headers.clone()
            }
            .encode()
            .with(zenfloe_record::header::REWRITTEN, "1"),
        };
        let version = headers.version;
        match held.get_mut(&record.key) {
            Some(held) if version >= held.newest.0 => {
                *held = Held {
                    newest: (version, append),
                    is_due: is_dirty,
                };
            }
            // An older state stands behind the newest one.
            Some(held) => held.is_due = true,
            None if is_dirty => {
                let newest = (version, append);
                held.insert(record.key.clone(), Held { newest, is_due: true });
            }
            None => {}
        }
    }

    async fn schema(&self, topic: &str, id: u32, stop: &Stop) -> Result<Option<Arc<str>>, StageError> {
        let mut patience = Patience::default();
        loop {
            match self.parts.registry.schema(id).await {
                Ok(schema) => return Ok(Some(schema)),
                Err(error) if error.class() == Class::Retry => {
                    if !patience.pause("schema registry", &error, stop).await {
                        return Ok(None);
                    }
                }
                Err(source) => {
                    return Err(StageError::Registry {
                        subject: zenfloe_registry::subject(topic).into(),
                        source,
                    });
                }
            }
        }
    }
}

impl Held {
    fn settle(&mut self) -> Append {
        self.is_due = false;
        self.newest.1.clone()
    }
}

/// The schema and the headers of a row; `None` of other records.
fn row(record: &Record) -> Option<(u32, CleanHeaders)> {
    let (id, _) = split(record.value.as_ref()?).ok()?;
    let headers = CleanHeaders::decode(&record.headers).ok()?;
    (headers.kind != CleanKind::Fence).then_some((id, headers))
}
