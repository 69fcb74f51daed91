//! What stands in the log, opened.

use std::sync::Arc;

use zenfloe_keyring::{Opener, SealKeys};
use zenfloe_log::{Log, Record, partitions_of};
use zenfloe_record::{
    Cursor, KnownValue, Letter, Owner, RawHeaders, RawKind, SourceName, Topic, TopicPartition, header, partition_of,
};

/// A raw record: key, kind, text, extraction time.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Raw {
    pub(crate) key: String,
    pub(crate) is_delete: bool,
    pub(crate) json: String,
    pub(crate) extracted_at: i64,
    pub(crate) is_past: bool,
}

/// A seal key file that lives as long as its test.
#[derive(Clone)]
pub(crate) struct KeyFile(Arc<tempfile::TempDir>);

impl KeyFile {
    pub(crate) fn new() -> Self {
        let dir = tempfile::tempdir().expect("a temporary folder");
        SealKeys::generate()
            .write_new(&dir.path().join("seal"))
            .expect("writable");
        Self(Arc::new(dir))
    }

    pub(crate) fn load(&self) -> SealKeys {
        SealKeys::load(&self.0.path().join("seal")).expect("just written")
    }
}

/// The topics of one source and the key to them.
pub(crate) struct Topics {
    pub(crate) log: Arc<dyn Log>,
    pub(crate) source: SourceName,
    pub(crate) keys: KeyFile,
}

impl Topics {
    async fn records(&self, topic: &str) -> Vec<Record> {
        let info = self
            .log
            .topic(topic)
            .await
            .expect("the log answers")
            .expect("the topic exists");
        let mut records = Vec::new();
        for at in partitions_of(topic, info.partitions) {
            records.extend(self.log.scan(&at, 0).await.expect("the log answers").0);
        }
        records
    }

    /// The records of the people topic, and the values among them opened.
    pub(crate) async fn people(&self) -> (Vec<Record>, Vec<KnownValue>) {
        let records = self.records(&Topic::people(&self.source)).await;
        let mut opener = self.opener();
        let mut opened = |record: &Record| {
            let mut value = Vec::new();
            let sealed = record.value.as_deref().expect("nobody is taken away");
            opener
                .open(KnownValue::PURPOSE, &record.key, &record.headers, sealed, &mut value)
                .expect("sealed with this key");
            KnownValue::decode(&value).expect("the documented form")
        };
        let somebody = records.iter().filter(|record| Owner::of_key(&record.key).is_some());
        let known = somebody.map(&mut opened).collect();
        (records, known)
    }

    fn opener(&self) -> Opener {
        Opener::new(self.keys.load(), &self.source)
    }

    /// Every record of a raw topic, partition by partition; each on the partition of its key.
    pub(crate) async fn raw(&self, collection: &str) -> Vec<Raw> {
        let topic = Topic::raw(&self.source, collection);
        let count = self
            .log
            .topic(&topic)
            .await
            .expect("the log answers")
            .expect("the topic exists")
            .partitions;
        let mut opener = self.opener();
        let mut raw = Vec::new();
        for record in self.records(&topic).await {
            let headers = RawHeaders::decode(&record.headers).expect("our own headers");
            let sealed = record.value.expect("raw records have values");
            let mut json = Vec::new();
            opener
                .open(collection, &record.key, &record.headers, &sealed, &mut json)
                .expect("our own seal");
            assert_eq!(
                record.at.partition,
                partition_of(&partition_key(collection, &record.key, &json), count),
                "the partition of its key, or of its parent"
            );
            raw.push(Raw {
                key: String::from_utf8(record.key.to_vec()).expect("ids are text"),
                is_delete: headers.kind == RawKind::Delete,
                json: String::from_utf8(json).expect("JSON is text"),
                extracted_at: headers.extracted_at,
                is_past: headers.is_past,
            });
        }
        raw
    }

    /// The same; nothing where the topic has not been made yet.
    pub(crate) async fn raw_or_none(&self, collection: &str) -> Vec<Raw> {
        let topic = Topic::raw(&self.source, collection);
        match self.log.topic(&topic).await.expect("the log answers") {
            Some(_) => self.raw(collection).await,
            None => Vec::new(),
        }
    }

    /// Key and JSON of every record, sorted; a deletion has a `-` before its key.
    pub(crate) async fn contents(&self, collection: &str) -> Vec<(String, String)> {
        let raw = self.raw(collection).await.into_iter();
        let mut contents: Vec<_> = raw
            .map(|raw| (format!("{}{}", if raw.is_delete { "-" } else { "" }, raw.key), raw.json))
            .collect();
        contents.sort();
        contents
    }

    /// The letters, and what their values say.
    pub(crate) async fn letters(&self, collection: &str) -> Vec<(Letter, serde_json::Value)> {
        let mut opener = self.opener();
        let mut letters = Vec::new();
        for record in self.records(&Topic::dead(&self.source)).await {
            let sealed = record.value.expect("letters have values");
            let key = record
                .headers
                .get(header::KEY)
                .expect("the key that it is sealed under");
            let mut json = Vec::new();
            opener
                .open(collection, key, &record.headers, &sealed, &mut json)
                .expect("our own seal");
            let letter = Letter::decode(&record.headers).expect("our own headers");
            letters.push((letter, serde_json::from_slice(&json).expect("JSON")));
        }
        letters
    }

    /// The last cursor of a collection.
    pub(crate) async fn cursor(&self, collection: &str) -> Option<Cursor> {
        let at = TopicPartition::new(Topic::state(&self.source), 0);
        let (records, _) = self.log.scan(&at, 0).await.expect("the log answers");
        let last = records
            .iter()
            .rev()
            .find(|record| record.key == collection.as_bytes())?;
        Some(Cursor::decode(last.value.as_ref()?).expect("our own cursor"))
    }
}

/// The key whose partition a record belongs to: its own, but that of the ticket for what happens to one.
fn partition_key(collection: &str, key: &[u8], json: &[u8]) -> Vec<u8> {
    let record: serde_json::Value = serde_json::from_slice(json).unwrap_or_default();
    match (collection, record.get("ticket_id")) {
        ("ticket_events" | "ticket_skips" | "ticket_metric_events" | "side_conversations", Some(ticket)) => {
            ticket.to_string().into_bytes()
        }
        _ => key.to_vec(),
    }
}
