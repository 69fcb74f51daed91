//! Makes clean records of raw ones: opens, normalises, addresses. Pure but for the keys it holds.

use std::sync::Arc;

use bytes::Bytes;
use zenfloe_erasure::{Asker, Entry, Erased, Subject, Verdict};
use zenfloe_keyring::{KeyVersion, OpenError, Opener};
use zenfloe_log::{Append, Record};
use zenfloe_normalize::{Given, OutRow, Output};
use zenfloe_pii::Privacy;
use zenfloe_record::{
    CleanHeaders, CleanKey, CleanKind, Headers, Origin, RawHeaders, RawKind, Reason, RowVersion, TopicPartition, header,
};

use crate::StageError;
use crate::custom::{Waiting, waits};
use crate::dead::{self, MESSAGE_OVERHEAD};
use crate::erase::{Suppressed, append};
use crate::plans::{Lane, Lanes, Own, Sink};
use crate::tally::{Counting, Share, Tally};
use crate::topics::Written;

/// How clean records are keyed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Keying {
    /// By row: compaction keeps the newest.
    Live,
    /// By row and version, so that compaction never puts an older row in a newer one's place.
    Versioned,
}

/// Transforms the records of one source.
pub(crate) struct Worker {
    lanes: Lanes,
    written: Written,
    opener: Opener,
    privacy: Privacy,
    suppressed: Suppressed,
    revision: i32,
    keying: Keying,
    /// Records are at work that waited for a field's definition and were transformed before.
    is_anew: bool,
    json: Vec<u8>,
    output: Output,
}

/// What a batch became.
#[derive(Default)]
pub(crate) struct Made {
    pub(crate) out: Vec<Append>,
    pub(crate) tally: Tally,
}

/// Why a record gives no rows.
pub(crate) enum Fault {
    /// A person must bring this key.
    KeyVersion(KeyVersion),
    /// The record is at fault.
    Bad(Reason, String),
}

impl Worker {
    pub(crate) fn new(
        lanes: Lanes,
        written: Written,
        opener: Opener,
        (privacy, suppressed): (Privacy, Suppressed),
        revision: i32,
        keying: Keying,
    ) -> Self {
        Self {
            lanes,
            written,
            opener,
            privacy,
            suppressed,
            revision,
            keying,
            is_anew: false,
            json: Vec::new(),
            output: Output::new(),
        }
    }

    /// The topics that it writes to.
    pub(crate) fn written(&self) -> &Written {
        &self.written
    }

    /// Takes other lanes in the place of those of the same topics.
    pub(crate) fn refit(&mut self, lanes: Lanes) {
        self.lanes.extend(lanes);
    }

    /// The rows of records that waited for the definitions of fields, once more, and that they wait no more.
    ///
    /// Records of topics that it does not know are left out.
    pub(crate) fn anew(&mut self, records: &[Record]) -> Result<Made, StageError> {
        let keying = std::mem::replace(&mut self.keying, Keying::Versioned);
        self.is_anew = true;
        let known: Vec<Record> = records
            .iter()
            .filter(|record| self.knows(&record.at.topic))
            .cloned()
            .collect();
        let made = self.batch(&known);
        self.keying = keying;
        self.is_anew = false;
        made
    }

    /// Claims that records of this raw topic can be transformed.
    pub(crate) fn knows(&self, topic: &str) -> bool {
        self.lanes.contains_key(topic)
    }

    /// The rows of a batch's records, and letters about those that give none.
    pub(crate) fn batch(&mut self, records: &[Record]) -> Result<Made, StageError> {
        let mut made = Made::default();
        for record in records {
            match self.record(record, &mut made) {
                Ok(()) => {}
                Err(Fault::Bad(reason, detail)) => self.bury(record, reason, detail, &mut made),
                Err(Fault::KeyVersion(version)) => {
                    return Err(StageError::KeyVersion {
                        at: record.at.clone(),
                        offset: record.offset,
                        version,
                    });
                }
            }
        }
        Ok(made)
    }

    fn bury(&self, record: &Record, reason: Reason, detail: String, made: &mut Made) {
        let share = share(&self.lanes[&record.at.topic], made);
        share.records += 1;
        share.newest = share.newest.max(record.timestamp);
        share.dead.add(&reason, 1);
        made.out.push(dead::letter(&self.written, record, reason, detail));
        if self.is_anew {
            made.out.push(waits(&self.written.pending, &dead::origin(record), None));
        }
    }

    /// A state that was imported or read from the past is older than what came live, and must not take its place when
    /// the topic is compacted.
    fn keying_of(&self, headers: RawHeaders) -> Keying {
        match headers.is_past {
            true => Keying::Versioned,
            false => self.keying,
        }
    }

    /// The rows of one record; after an error `made.out` is as it was.
    ///
    /// Contract: the worker knows the record's topic.
    pub(crate) fn record(&mut self, record: &Record, made: &mut Made) -> Result<(), Fault> {
        let lane = &self.lanes[&record.at.topic];
        let headers = RawHeaders::decode(&record.headers).map_err(|error| bad(Reason::Headers, error))?;
        let sealed = record
            .value
            .as_ref()
            .ok_or_else(|| bad(Reason::Unsealable, "there is no value"))?;
        let purpose = &lane.collection.name;
        self.opener
            .open(purpose, &record.key, &record.headers, sealed, &mut self.json)
            .map_err(unopened)?;
        let given = Given {
            kind: headers.kind,
            extracted_at: headers.extracted_at,
            received_at: record.timestamp.saturating_mul(1_000),
            partition: record.at.partition,
            offset: record.offset,
            revision: self.revision,
        };
        self.output.clear();
        let share = share(lane, made);
        let mut guard = Counting {
            guard: &mut self.privacy,
            tokens: &mut share.tokens,
        };
        let ran = lane.plan.run(&self.json, &given, &mut guard, &mut self.output);
        for (path, count) in self.output.unknown_fields() {
            match share.unknown.get_mut(path) {
                Some(held) => *held += count,
                None => _ = share.unknown.insert(path.to_owned(), count),
            }
        }
        share.surrogates += self.output.surrogates_replaced;
        ran.map_err(|rejected| Fault::Bad(rejected.reason, rejected.detail))?;
        self.emit(record, &headers, made)
    }

    /// Appends what the plan has put out.
    fn emit(&self, record: &Record, headers: &RawHeaders, made: &mut Made) -> Result<(), Fault> {
        let erased = self.suppressed.rows();
        let lane = &self.lanes[&record.at.topic];
        let origin = dead::origin(record);
        let mark = made.out.len();
        let mut address = Address {
            origin: &origin,
            keying: self.keying_of(*headers),
            is_anew: self.is_anew,
            out: &mut made.out,
        };
        let output = &self.output;
        // A fence takes away what its parent no longer has; the rows that it has come after it.
        let fences = output.fences.iter().map(|held| {
            let value = Bytes::from(held.fence.encode());
            (held.table, CleanKind::Fence, held.fence.key(), held.version, value)
        });
        let mut clean = Vec::new();
        let rows = output.rows.iter().map(|row| {
            let sink = &lane.sinks[row.table];
            let mut body = &output.bytes[row.body.clone()];
            let mut kind = row.kind;
            if let (CleanKind::Row, Some(layout)) = (kind, &sink.layout) {
                // A row of ours is one; what its own loader could not read, no destination would take either.
                match layout.apply(&erased, body, &mut clean).unwrap_or(Verdict::Same) {
                    Verdict::Same => {}
                    verdict => {
                        body = &clean;
                        kind = if verdict == Verdict::Gone {
                            CleanKind::Delete
                        } else {
                            kind
                        };
                    }
                }
            }
            let value = with_header(sink.header, body);
            (
                row.table,
                kind,
                output.bytes[row.key.clone()].to_vec(),
                row.version,
                value,
            )
        });
        for (table, kind, key, version, value) in fences.chain(rows) {
            let Some(sink) = lane.sink(table) else { continue };
            if let Err(fault) = address.send(sink, kind, &key, version, value) {
                made.out.truncate(mark);
                return Err(fault);
            }
        }
        made.out.extend(self.waiting(lane, &origin));
        if headers.kind == RawKind::Record {
            made.out.extend(self.requests(lane, headers, &erased));
        }
        let share = share(lane, made);
        share.records += 1;
        share.bytes += self.json.len() as u64;
        share.newest = share.newest.max(record.timestamp);
        let tables = output.fences.iter().map(|held| held.table);
        for table in tables.chain(output.rows.iter().map(|row| row.table)) {
            if let Some(sink) = lane.sink(table) {
                share.rows.add(&sink.table, 1);
            }
        }
        Ok(())
    }

    /// Values of custom fields that have no column wait for it, if their definitions are told at all.
    fn waiting(&self, lane: &Lane, origin: &Origin) -> Option<Append> {
        let fields = self.output.undefined_fields();
        let table = lane.waits_for.filter(|_| !fields.is_empty());
        let waiting = table.map(|table| Waiting {
            table: table.to_owned(),
            fields: fields.to_vec(),
        });
        (waiting.is_some() || self.is_anew).then(|| waits(&self.written.pending, origin, waiting.as_ref()))
    }

    /// What Zendesk has deleted for good is asked to be erased, once.
    fn requests(&self, lane: &Lane, headers: &RawHeaders, erased: &Erased) -> Option<Append> {
        let is_own = |row: &&OutRow| row.kind == CleanKind::Delete && lane.sinks[row.table].own != Own::Neither;
        let row = self.output.rows.iter().find(is_own)?;
        let id = std::str::from_utf8(&self.output.bytes[row.key.clone()])
            .ok()?
            .parse()
            .ok()?;
        let subject = match lane.sinks[row.table].own {
            Own::Person => Subject::Person(id),
            Own::Ticket => Subject::Ticket(id),
            Own::Neither => return None,
        };
        let entry = Entry::asked(Asker::Zendesk, headers.extracted_at);
        let value = Some(entry.encode());
        erased
            .get(&subject)
            .is_none()
            .then(|| append(&self.written.rules, subject.request_key(), value))
    }
}

/// Where the rows of one record go.
struct Address<'m> {
    origin: &'m Origin,
    keying: Keying,
    is_anew: bool,
    out: &'m mut Vec<Append>,
}

impl Address<'_> {
    fn send(
        &mut self,
        sink: &Sink,
        kind: CleanKind,
        row_key: &[u8],
        version: RowVersion,
        value: Bytes,
    ) -> Result<(), Fault> {
        let key = match self.keying {
            Keying::Live => CleanKey::live(row_key),
            Keying::Versioned => CleanKey::versioned(row_key, &version),
        };
        let append = Append {
            at: TopicPartition::new(sink.topic.clone(), self.origin.partition),
            timestamp: None,
            key: key.into(),
            value: Some(value),
            headers: headers(kind, version, self.origin, self.is_anew),
        };
        let size = append.size() + MESSAGE_OVERHEAD;
        if size > sink.limit {
            let detail = format!(
                "a row of `{}` has {size} bytes; its topic takes {}",
                sink.table, sink.limit
            );
            return Err(Fault::Bad(Reason::TooLarge, detail));
        }
        self.out.push(append);
        Ok(())
    }
}

fn headers(kind: CleanKind, version: RowVersion, origin: &Origin, is_anew: bool) -> Headers {
    let headers = CleanHeaders {
        kind,
        version,
        origin: origin.clone(),
    }
    .encode();
    if is_anew {
        headers.with(header::REWRITTEN, "1")
    } else {
        headers
    }
}

fn with_header(header: [u8; 5], body: &[u8]) -> Bytes {
    let mut value = Vec::with_capacity(header.len() + body.len());
    value.extend_from_slice(&header);
    value.extend_from_slice(body);
    value.into()
}

fn share<'m>(lane: &Lane, made: &'m mut Made) -> &'m mut Share {
    made.tally.0.entry(&lane.collection.name).or_default()
}

fn bad(reason: Reason, detail: impl ToString) -> Fault {
    Fault::Bad(reason, detail.to_string())
}

fn unopened(error: OpenError) -> Fault {
    match error {
        OpenError::UnknownKeyVersion(version) => Fault::KeyVersion(version),
        OpenError::Destroyed(_) | OpenError::Damaged(_) => bad(Reason::Unsealable, error),
    }
}

/// Runs CPU work away from the threads that wait for the network.
///
/// Hands the worker back, whatever the outcome.
pub(crate) async fn away<D: Send + 'static>(
    mut worker: Worker,
    records: Arc<Vec<Record>>,
    work: impl FnOnce(&mut Worker, &[Record]) -> D + Send + 'static,
) -> (Worker, D) {
    let ran = tokio::task::spawn_blocking(move || {
        let done = work(&mut worker, &records);
        (worker, done)
    });
    ran.await
        .unwrap_or_else(|ended| std::panic::resume_unwind(ended.into_panic()))
}
