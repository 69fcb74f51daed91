//! Publishes the records of a file as if they had been fetched: Zendesk's own data export.
//!
//! Imported records have the extraction time 0, so that a state that came live wins over them. How far a
//! file has come stands in the state topic, in the commit of its records and under the fingerprint of its
//! contents: an import that was interrupted goes on, and a second one publishes nothing.
//!
//! A line that is no record becomes a dead letter that names file and line. A file that cannot be a file of
//! the collection (its very first record is none), or whose structure is broken, stops.

mod file;

use std::collections::VecDeque;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use serde::{Deserialize, Serialize};
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;
use zenfloe_catalog::{Catalog, Collection};
use zenfloe_keyring::SealKeys;
use zenfloe_log::{Log, Writer};
use zenfloe_record::{SourceName, Topic, TopicPartition};
use zenfloe_zendesk::{Clock, RawRecord};

pub(crate) use self::file::BadLine;
use self::file::{Item, RecordFile, fingerprint};
use crate::patience::patiently;
use crate::progress::micros;
use crate::publish::{Publisher, Target, Times};
use crate::state::{self, State};
use crate::{Config, StageError, plan, stage};

/// What an import works with.
pub struct ImportParts {
    /// The source's name.
    pub source: SourceName,
    /// What is read of it.
    pub config: Config,
    /// The collections that exist.
    pub catalog: &'static Catalog,
    /// Where records go.
    pub log: Arc<dyn Log>,
    /// Seals every value.
    pub seal_keys: SealKeys,
    /// The time.
    pub clock: Clock,
}

/// What is imported.
#[derive(Debug, Clone)]
pub struct Import {
    /// What the records are.
    pub collection: String,
    /// Files of one record a line, or of one JSON array; plain or gzip.
    pub files: Vec<PathBuf>,
    /// Publishes again what was imported before, as after the loss of a topic.
    pub again: bool,
}

/// What became of an import.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Imported {
    /// In the order in which they were named; those that a stop left out are missing.
    pub files: Vec<ImportedFile>,
    /// Everything was imported; otherwise it was stopped, and what is counted here is committed.
    pub is_complete: bool,
}

/// What became of one file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ImportedFile {
    /// The file.
    pub path: PathBuf,
    /// Records published now.
    pub records: u64,
    /// Lines that became dead letters now, the first of them with their place and fault.
    pub letters: u64,
    /// Place and fault of the first bad lines.
    pub bad: Vec<String>,
    /// Records and letters of earlier imports of the same contents.
    pub before: u64,
}

/// How far an import is; cheap to share.
#[derive(Debug, Clone, Default)]
pub struct ImportProgress(Arc<Mutex<ImportSnapshot>>, Arc<AtomicU64>);

/// How far an import is at one moment.
#[derive(Debug, Clone, Default)]
pub struct ImportSnapshot {
    /// The present file.
    pub file: String,
    /// Records published.
    pub records: u64,
    /// Lines that became dead letters.
    pub letters: u64,
    /// Bytes read of all files, as they lie on the disk.
    pub bytes_read: u64,
    /// Bytes of all files.
    pub bytes: u64,
}

impl ImportProgress {
    /// The state now.
    pub fn snapshot(&self) -> ImportSnapshot {
        let mut snapshot = self.0.lock().unwrap_or_else(PoisonError::into_inner).clone();
        snapshot.bytes_read = self.1.load(Ordering::Relaxed);
        snapshot
    }

    fn change(&self, change: impl FnOnce(&mut ImportSnapshot)) {
        change(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner));
    }
}

/// How far a file is imported.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Done {
    /// The file's name when it was imported first.
    file: String,
    /// Records and bad lines that are committed.
    items: u64,
    is_complete: bool,
}

/// The id of a source's one living import.
pub(crate) fn writer_id(source: &SourceName) -> String {
    format!("zenfloe-import-{source}")
}

/// Items that one commit takes at most.
const ITEMS: usize = 1_000;
/// Bytes after which a commit is full.
const BYTES: usize = 4 << 20;
/// Bad lines that are told by name.
const TOLD: usize = 20;

/// Imports files until all are in, or until `stop` fires; then the same call goes on where it was.
pub async fn import(
    parts: ImportParts,
    what: Import,
    progress: ImportProgress,
    stop: CancellationToken,
) -> Result<Imported, StageError> {
    let mut imported = Imported::default();
    let Some(mut importer) = Importer::open(parts, &what, progress, &stop).await? else {
        return Ok(imported);
    };
    for path in &what.files {
        let (file, is_complete) = importer.file(path, what.again, &stop).await?;
        imported.files.push(file);
        if !is_complete {
            return Ok(imported);
        }
    }
    imported.is_complete = true;
    Ok(imported)
}

struct Importer {
    target: Target<'static>,
    publisher: Publisher,
    writer: Box<dyn Writer>,
    state_at: TopicPartition,
    left: State,
    clock: Clock,
    progress: ImportProgress,
}

impl Importer {
    /// Fences an earlier import and reads how far files have come. `None` when `stop` fired before.
    async fn open(
        parts: ImportParts,
        what: &Import,
        progress: ImportProgress,
        stop: &CancellationToken,
    ) -> Result<Option<Self>, StageError> {
        let collection = chosen(&parts, &what.collection)?;
        for path in &what.files {
            let size = std::fs::metadata(path).map_err(|error| file::unreadable(path, &error))?;
            progress.change(|shown| shown.bytes += size.len());
        }
        let log = parts.log.clone();
        let id = writer_id(&parts.source);
        let Some(writer) = patiently!(stop, log.writer(&id).await) else {
            return Ok(None);
        };
        let topics = plan::topics(&parts.source, &[collection], &parts.config);
        if patiently!(stop, log.ensure(&topics).await).is_none() {
            return Ok(None);
        }
        let dead = patiently!(stop, stage::dead_partitions(&*log, &parts.source, &parts.config).await);
        let Some(dead_partitions) = dead else {
            return Ok(None);
        };
        let state_at = TopicPartition::new(Topic::state(&parts.source), 0);
        let Some(records) = patiently!(stop, state::records(&*log, &state_at).await) else {
            return Ok(None);
        };
        let name = Topic::raw(&parts.source, &collection.name);
        let Some(topic) = patiently!(stop, log.topic(&name).await) else {
            return Ok(None);
        };
        let spec = topics
            .iter()
            .find(|spec| spec.name == name)
            .expect("the collection has a topic");
        let limit = topic.and_then(|topic| topic.max_message_bytes);
        Ok(Some(Self {
            target: Target {
                collection,
                topic: name,
                partitions: spec.partitions,
                max_message_bytes: limit.unwrap_or(spec.max_message_bytes),
            },
            publisher: Publisher::new(&parts.source, &parts.seal_keys, dead_partitions),
            writer,
            left: state::read(records, &state_at)?,
            state_at,
            clock: parts.clock,
            progress,
        }))
    }

    /// Imports a file. Returns whether it is complete.
    async fn file(
        &mut self,
        path: &Path,
        again: bool,
        stop: &CancellationToken,
    ) -> Result<(ImportedFile, bool), StageError> {
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        self.progress.change(|shown| shown.file.clone_from(&name));
        let print = fingerprint(path).await?;
        let key = format!("{}/{print}", self.target.collection.name);
        let before = self.left.imports.get(&key).filter(|_| !again).cloned();
        let mut done = before.clone().unwrap_or(Done {
            file: name,
            ..Done::default()
        });
        let mut imported = ImportedFile {
            path: path.to_owned(),
            records: 0,
            letters: 0,
            bad: Vec::new(),
            before: done.items,
        };
        if done.is_complete {
            return Ok((imported, true));
        }
        let mut batches = read(path, self.target.collection, done.items, self.progress.1.clone());
        while let Some(batch) = batches.recv().await {
            let batch = batch?;
            if stop.is_cancelled() || !self.commit(&batch, &key, &mut done, &mut imported, stop).await? {
                return Ok((imported, false));
            }
        }
        done.is_complete = true;
        let last = vec![state::import_record(&self.state_at, &key, &done)];
        let is_kept = patiently!(stop, self.writer.commit(last.clone(), None).await).is_some();
        self.left.imports.insert(key, done);
        Ok((imported, is_kept))
    }

    /// Publishes a batch with the place behind it; `false` when `stop` fired before the log took it.
    async fn commit(
        &mut self,
        batch: &[Item],
        key: &str,
        done: &mut Done,
        imported: &mut ImportedFile,
        stop: &CancellationToken,
    ) -> Result<bool, StageError> {
        let times = Times {
            extracted_at: 0,
            now: micros(self.clock.now()),
            is_past: true,
        };
        let mut out = Vec::with_capacity(batch.len() + 1);
        let (mut letters, mut bad) = (0, Vec::new());
        for item in batch {
            if let Item::Record { record, .. } = item {
                self.publisher.people(&self.target, record, times, &mut out);
            }
            let (append, fault) = self.append(item, &done.file, times);
            if let Some(fault) = fault {
                letters += 1;
                bad.push(fault);
            }
            out.push(append);
        }
        done.items += batch.len() as u64;
        out.push(state::import_record(&self.state_at, key, done));
        if patiently!(stop, self.writer.commit(out.clone(), None).await).is_none() {
            return Ok(false);
        }
        let records = batch.len() as u64 - letters;
        imported.records += records;
        imported.letters += letters;
        let room = TOLD.saturating_sub(imported.bad.len());
        imported.bad.extend(bad.into_iter().take(room));
        self.progress.change(|shown| {
            shown.records += records;
            shown.letters += letters;
        });
        Ok(true)
    }

    /// The record, or the letter that stands for it with what is wrong.
    fn append(&mut self, item: &Item, file: &str, times: Times) -> (zenfloe_log::Append, Option<String>) {
        match item {
            Item::Record { line, record } => {
                let place = format!("{file}, line {line}");
                let (append, is_letter) = self.publisher.record(&self.target, record, times, &place);
                (append, is_letter.then(|| format!("{place}: too large for its topic")))
            }
            Item::Bad(bad) => {
                let place = format!("{file}, line {}", bad.line);
                let append = self.publisher.bad_line(&self.target, bad, &place, times);
                (append, Some(format!("{place}: {}", bad.what)))
            }
        }
    }
}

fn chosen(parts: &ImportParts, name: &str) -> Result<&'static Collection, StageError> {
    let known = parts.catalog.collection(name);
    let known = known.ok_or_else(|| StageError::NoSuchCollection { name: name.to_owned() })?;
    let selected = plan::selected(parts.catalog, &parts.config)?;
    match selected.iter().any(|collection| collection.name == name) {
        true => Ok(known),
        false => Err(StageError::NotSelected { name: name.to_owned() }),
    }
}

/// Reads a file on a thread of its own, `skip` items left out; after an error nothing more comes.
fn read(
    path: &Path,
    collection: &'static Collection,
    skip: u64,
    counted: Arc<AtomicU64>,
) -> mpsc::Receiver<Result<Vec<Item>, StageError>> {
    // One batch is published while the next one is read.
    let (to, from) = mpsc::channel(1);
    let path = path.to_owned();
    tokio::task::spawn_blocking(move || {
        if let Err(error) = send_batches(&path, collection, skip, counted, &to) {
            // Whoever no longer listens has stopped.
            let _ = to.blocking_send(Err(error));
        }
    });
    from
}

fn send_batches(
    path: &Path,
    collection: &Collection,
    skip: u64,
    counted: Arc<AtomicU64>,
    to: &mpsc::Sender<Result<Vec<Item>, StageError>>,
) -> Result<(), StageError> {
    let mut file = RecordFile::open(path, counted)?;
    let mut batch = VecDeque::new();
    let (mut number, mut bytes) = (0_u64, 0);
    while let Some((line, text)) = file.next()? {
        number += 1;
        let item = Item::read(collection, line, text);
        if number == 1
            && let Item::Bad(bad) = &item
        {
            let what = format!("{}; is this a file of `{}`?", bad.what, collection.name);
            return Err(file::stopped(path, line, what));
        }
        if number <= skip {
            continue;
        }
        bytes += item.size();
        batch.push_back(item);
        if batch.len() >= ITEMS || bytes >= BYTES {
            bytes = 0;
            if to.blocking_send(Ok(batch.drain(..).collect())).is_err() {
                return Ok(());
            }
        }
    }
    if !batch.is_empty() {
        let _ = to.blocking_send(Ok(batch.into()));
    }
    Ok(())
}

impl Item {
    /// Judges a text as a record.
    fn read(collection: &Collection, line: u64, text: Vec<u8>) -> Self {
        match file::fault(&text) {
            Some((reason, what)) => Self::bad(line, reason, what, text),
            None => {
                let record = RawRecord::read(collection, text.into());
                if record.key.is_empty() {
                    let paths: Vec<_> = collection.record.key.iter().map(ToString::to_string).collect();
                    let what = format!("it has no `{}`", paths.join("`, `"));
                    return Self::bad(line, zenfloe_record::Reason::MissingKey, what, record.json.into());
                }
                Self::Record { line, record }
            }
        }
    }
}
