//! What stands in the clean topics, taken apart.

use std::collections::BTreeMap;

use apache_avro::reader::datum::GenericDatumReader;
use apache_avro::types::Value;
use bytes::Bytes;
use zenfloe_log::{Record, partitions_of};
use zenfloe_record::{CleanHeaders, CleanKey, CleanKind, Origin, RowVersion, Topic};

use crate::Site;

/// A clean record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Clean {
    pub(crate) table: String,
    pub(crate) partition: i32,
    pub(crate) kafka_key: Bytes,
    pub(crate) kind: CleanKind,
    pub(crate) version: RowVersion,
    pub(crate) origin: Origin,
    pub(crate) value: Bytes,
}

impl Clean {
    pub(crate) fn row_key(&self) -> &[u8] {
        CleanKey::row_key(&self.kafka_key)
    }

    pub(crate) fn is_live(&self) -> bool {
        self.row_key() == self.kafka_key
    }

    /// Table, key, origin and bytes: all that a replay must make again but for the revision.
    pub(crate) fn essence(&self) -> (String, i32, Vec<u8>, String, Bytes) {
        let origin = self.origin.encode();
        (
            self.table.clone(),
            self.partition,
            self.row_key().to_vec(),
            origin,
            self.value.clone(),
        )
    }
}

impl Site {
    pub(crate) async fn records(&self, topic: &str) -> Vec<Record> {
        let Some(info) = self.log.topic(topic).await.expect("the log answers") else {
            return Vec::new();
        };
        let mut records = Vec::new();
        for at in partitions_of(topic, info.partitions) {
            let bounds = self.log.bounds(&at).await.expect("the log answers");
            records.extend(self.log.scan(&at, bounds.start).await.expect("the log answers").0);
        }
        records
    }

    /// Every clean record of every table.
    pub(crate) async fn clean(&self) -> Vec<Clean> {
        let topics = self.log.topics("acme.clean.").await.expect("the log answers");
        let mut all = Vec::new();
        for topic in topics {
            let table = Topic::table_of(&self.source, &topic).expect("a clean topic").to_owned();
            all.extend(
                self.records(&topic)
                    .await
                    .into_iter()
                    .map(|record| taken_apart(&table, record)),
            );
        }
        all
    }

    pub(crate) async fn rows_of(&self, table: &str) -> Vec<Clean> {
        let all = self.clean().await.into_iter();
        all.filter(|clean| clean.table == table).collect()
    }

    /// A row's fields, read with the schema that its id names.
    pub(crate) fn fields(&self, clean: &Clean) -> BTreeMap<String, Value> {
        let (id, body) = zenfloe_registry::split(&clean.value).expect("Confluent's framing");
        let (subject, schema) = self.registry.entry(id);
        assert_eq!(subject, format!("acme.clean.{}-value", clean.table));
        let schema = apache_avro::Schema::parse_str(&schema).expect("a schema");
        let reader = GenericDatumReader::builder(&schema).build().expect("a reader");
        match reader.read_value(&mut &body[..]).expect("a row of that schema") {
            Value::Record(fields) => fields.into_iter().collect(),
            other => panic!("no record: {other:?}"),
        }
    }

    /// Claims that every raw record of every topic became its rows, each once, live.
    pub(crate) async fn assert_exactly_once(&self) {
        let clean = self.clean().await;
        let mut seen: BTreeMap<(String, String, Vec<u8>), u32> = BTreeMap::new();
        let mut versions: BTreeMap<(String, Bytes, String), u32> = BTreeMap::new();
        for record in &clean {
            assert_eq!(
                record.partition, record.origin.partition,
                "the partition of the raw record"
            );
            assert!(record.is_live(), "no replay was asked for");
            let key = (record.table.clone(), record.origin.encode(), record.row_key().to_vec());
            *seen.entry(key).or_default() += 1;
            let version = (record.table.clone(), record.kafka_key.clone(), record.version.encode());
            *versions.entry(version).or_default() += 1;
        }
        assert!(seen.values().all(|count| *count == 1), "doubled: {seen:?}");
        assert!(versions.values().all(|count| *count == 1), "doubled: {versions:?}");
        let mut wanted = Vec::new();
        for collection in &self.collections {
            for raw in self.records(&Topic::raw(&self.source, &collection.name)).await {
                let origin = format!("{}/{}/{}", raw.at.topic, raw.at.partition, raw.offset);
                let id = String::from_utf8(raw.key.to_vec()).expect("a number");
                wanted.extend(rows_for(&collection.name, &id, &origin));
            }
        }
        wanted.sort();
        let found: Vec<_> = seen.into_keys().collect();
        assert_eq!(found, wanted);
    }
}

/// Table, origin and key of what the records of [`crate::raw`] become.
fn rows_for(collection: &str, id: &str, origin: &str) -> Vec<(String, String, Vec<u8>)> {
    let row = |table: &str, key: String| (table.to_owned(), origin.to_owned(), key.into_bytes());
    match collection {
        "tickets" => ["tickets", "ticket_metrics", "ticket_slas"]
            .map(|table| row(table, id.to_owned()))
            .into(),
        "users" => vec![
            row("users", id.to_owned()),
            row("user_identities", format!("\x1euser_id\x1f{id}")),
            row("user_identities", format!("{id}00")),
            row("user_identities", format!("{id}01")),
        ],
        other => vec![row(other, id.to_owned())],
    }
}

fn taken_apart(table: &str, record: Record) -> Clean {
    let headers = CleanHeaders::decode(&record.headers).expect("our own headers");
    Clean {
        table: table.to_owned(),
        partition: record.at.partition,
        kafka_key: record.key,
        kind: headers.kind,
        version: headers.version,
        origin: headers.origin,
        value: record.value.expect("rows have values"),
    }
}
