//! A source's clean topic, a registry and a warehouse, and loaders between them.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use tokio_util::sync::CancellationToken;
use zenfloe_destination::contract::{Line, Sample};
use zenfloe_destination::{Destination, Faults, Mode};
use zenfloe_loader::{Config, Drained, Parts, Progress, StageError, Tables, run};
use zenfloe_log::memory::MemoryLog;
use zenfloe_log::{Append, Cleanup, Log, TopicSpec};
use zenfloe_record::{
    CleanHeaders, CleanKind, Fence, Headers, Origin, Partition, RowVersion, SourceName, Topic, TopicPartition,
};
use zenfloe_registry::{FileRegistry, Registry, header, subject};
use zenfloe_sqlite::Sqlite;

use crate::spooled::{FullDisk, Spooled};

pub(crate) const PARTITIONS: Partition = 3;

pub(crate) struct Bench {
    pub(crate) log: MemoryLog,
    pub(crate) registry: Arc<dyn Registry>,
    pub(crate) source: SourceName,
    pub(crate) tables: Tables,
    pub(crate) config: Config,
    pub(crate) faults: Arc<Faults>,
    pub(crate) progress: Progress,
    pub(crate) folder: tempfile::TempDir,
    /// Rows go to the destination as they arrive.
    pub(crate) is_spooled: bool,
    /// Where they wait then.
    pub(crate) disk: Arc<FullDisk>,
}

impl Bench {
    /// An empty topic `things` of three partitions, in a log with transaction markers.
    pub(crate) async fn new(mode: Mode) -> Self {
        let bench = Self {
            log: MemoryLog::with_markers(),
            registry: Arc::new(FileRegistry::in_memory().expect("a registry")),
            source: SourceName::new("acme").expect("a legal name"),
            tables: Tables {
                mode,
                ..Tables::default()
            },
            config: Config {
                flush_interval: Duration::from_secs(3_600),
                discover: Duration::from_millis(20),
                longest_wait: Duration::from_millis(5),
                ..Config::default()
            },
            faults: Faults::none(),
            progress: Progress::default(),
            folder: tempfile::tempdir().expect("a folder"),
            is_spooled: false,
            disk: Arc::default(),
        };
        bench.make_topic("things").await;
        bench
    }

    pub(crate) async fn make_topic(&self, table: &str) {
        let spec = TopicSpec {
            name: self.topic(table),
            partitions: PARTITIONS,
            cleanup: Cleanup::Compact,
            max_message_bytes: 5 << 20,
        };
        self.log.ensure(&[spec]).await.expect("a new topic");
    }

    pub(crate) fn topic(&self, table: &str) -> Arc<str> {
        Topic::clean(&self.source, table)
    }

    pub(crate) fn at(&self, partition: Partition) -> TopicPartition {
        TopicPartition::new(self.topic("things"), partition)
    }

    pub(crate) fn path(&self) -> PathBuf {
        self.folder.path().join("warehouse.sqlite")
    }

    pub(crate) fn destination(&self) -> Arc<dyn Destination> {
        self.destination_at("warehouse.sqlite")
    }

    pub(crate) fn destination_at(&self, file: &str) -> Arc<dyn Destination> {
        let config = zenfloe_sqlite::Config {
            path: self.folder.path().join(file),
            busy: Duration::from_secs(15),
        };
        let sqlite = Arc::new(Sqlite::with_faults(config, self.faults.clone()));
        match self.is_spooled {
            true => Arc::new(Spooled(sqlite, self.disk.clone())),
            false => sqlite,
        }
    }

    /// A loader of that name; it ends when all is loaded once `caught_up` has fired.
    pub(crate) fn parts(&self, member: &str, caught_up: &CancellationToken) -> Parts {
        Parts {
            name: "warehouse".into(),
            destination: self.destination(),
            source: self.source.clone(),
            tables: self.tables.clone(),
            config: self.config.clone(),
            log: Arc::new(self.log.clone()),
            registry: self.registry.clone(),
            member: member.into(),
            progress: self.progress.clone(),
            caught_up: caught_up.clone(),
        }
    }

    /// Loads everything that is there.
    pub(crate) async fn load(&self) -> Result<Drained, StageError> {
        run(self.parts("one", &fired()), CancellationToken::new()).await
    }

    /// Loads everything, which must work.
    pub(crate) async fn load_all(&self) {
        let drained = self.load().await.expect("nothing is in the way");
        assert_eq!(
            drained,
            Drained {
                is_complete: true,
                abandoned: Vec::new()
            }
        );
    }

    /// Appends rows, each on the partition of its id, in one commit.
    pub(crate) async fn append(&self, lines: &[Line]) {
        self.append_as(&Sample::new("things"), lines).await;
    }

    /// The same in another edition of the schema, or another table.
    pub(crate) async fn append_as(&self, sample: &Sample, lines: &[Line]) {
        let topic = self.topic(&sample.shape().table);
        let id = self
            .registry
            .register(&subject(&topic), &sample.schema())
            .await
            .expect("it is compatible");
        let row = |line: &Line| {
            let partition = partition_of(line);
            let kind = if line.deleted {
                CleanKind::Delete
            } else {
                CleanKind::Row
            };
            let value = [&header(id)[..], &sample.body(partition, line)].concat();
            let key = line.id.to_string();
            record(
                TopicPartition::new(topic.clone(), partition),
                &key,
                value,
                headers(kind, partition, line.version),
            )
        };
        self.commit(lines.iter().map(row).collect()).await;
    }

    /// Appends a row that says that it is deleted and keeps its contents, as a ticket in the bin does.
    pub(crate) async fn append_binned(&self, line: &Line) {
        let (sample, partition) = (Sample::new("things"), partition_of(line));
        let topic = self.topic("things");
        let id = self.registry.register(&subject(&topic), &sample.schema()).await;
        let mut value = [
            &header(id.expect("it is compatible"))[..],
            &sample.body(partition, line),
        ]
        .concat();
        *value.last_mut().expect("`_deleted` is its last field") = 1;
        let headers = headers(CleanKind::Row, partition, line.version);
        let at = TopicPartition::new(topic, partition);
        self.commit(vec![record(at, &line.id.to_string(), value, headers)])
            .await;
    }

    /// Appends a fence on the partition of id 0.
    pub(crate) async fn fence(&self, fence: Fence) {
        let headers = headers(CleanKind::Fence, 0, RowVersion::default());
        let append = Append {
            key: fence.key().into(),
            ..record(self.at(0), "", fence.encode(), headers)
        };
        self.commit(vec![append]).await;
    }

    pub(crate) async fn commit(&self, out: Vec<Append>) {
        let mut writer = self.log.writer("transformer").await.expect("a writer");
        writer.commit(out, None).await.expect("committed");
    }

    /// What is in the dead topic: keys and values.
    pub(crate) async fn dead(&self) -> Vec<zenfloe_log::Record> {
        let at = TopicPartition::new(Topic::dead(&self.source), 0);
        if self.log.topic(&at.topic).await.expect("the log answers").is_none() {
            return Vec::new();
        }
        self.log.scan(&at, 0).await.expect("it has a beginning").0
    }

    /// Rows of a query, columns joined by `|`, null as `-`.
    pub(crate) fn query(&self, sql: &str) -> Vec<String> {
        query(&self.path(), sql)
    }
}

pub(crate) fn query(path: &std::path::Path, sql: &str) -> Vec<String> {
    let db = rusqlite::Connection::open(path).expect("a warehouse");
    let mut statement = db.prepare(sql).expect("a query");
    let columns = statement.column_count();
    let rows = statement.query_map([], |row| {
        let cell = |at: usize| match row.get::<_, rusqlite::types::Value>(at).expect("a column") {
            rusqlite::types::Value::Null => "-".to_owned(),
            rusqlite::types::Value::Integer(number) => number.to_string(),
            rusqlite::types::Value::Text(text) => text,
            other => format!("{other:?}"),
        };
        Ok((0..columns).map(cell).collect::<Vec<_>>().join("|"))
    });
    rows.expect("a query").collect::<Result<_, _>>().expect("rows")
}

pub(crate) fn partition_of(line: &Line) -> Partition {
    line.id.rem_euclid(i64::from(PARTITIONS)) as Partition
}

pub(crate) fn record(at: TopicPartition, key: &str, value: Vec<u8>, headers: Headers) -> Append {
    Append {
        at,
        timestamp: None,
        key: key.to_owned().into(),
        value: Some(value.into()),
        headers,
    }
}

pub(crate) fn headers(kind: CleanKind, partition: Partition, version: RowVersion) -> Headers {
    let origin = Origin {
        topic: "acme.raw.things".into(),
        partition,
        offset: version.raw_offset,
    };
    CleanHeaders { kind, version, origin }.encode()
}

pub(crate) fn fired() -> CancellationToken {
    let token = CancellationToken::new();
    token.cancel();
    token
}

/// Waits until a condition holds.
pub(crate) async fn until(what: &str, holds: impl AsyncFn() -> bool) {
    for _ in 0..2_000 {
        if holds().await {
            return;
        }
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    panic!("{what}: not within 10 s");
}

/// A registry that is away for the first calls.
pub(crate) struct Flaky {
    pub(crate) inner: Arc<dyn Registry>,
    pub(crate) failures: std::sync::atomic::AtomicU32,
}

#[async_trait]
impl Registry for Flaky {
    async fn register(&self, subject: &str, schema: &str) -> Result<u32, zenfloe_registry::RegistryError> {
        self.inner.register(subject, schema).await
    }

    async fn schema(&self, id: u32) -> Result<Arc<str>, zenfloe_registry::RegistryError> {
        use std::sync::atomic::Ordering::SeqCst;
        let left = self.failures.fetch_update(SeqCst, SeqCst, |left| left.checked_sub(1));
        match left {
            Ok(_) => Err(zenfloe_registry::RegistryError::Away {
                what: "switched off by a test".into(),
            }),
            Err(_) => self.inner.schema(id).await,
        }
    }

    async fn ping(&self) -> Result<(), zenfloe_registry::RegistryError> {
        self.inner.ping().await
    }
}
