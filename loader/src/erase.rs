//! Erased people and tickets: read from the rules topic, taken out of the destination and of the rows in hand.
//!
//! Every flush is cleaned by all erasures that its table has entered; a destination that knows more refuses it, and it
//! is cleaned anew. So a loader that lags, or that starts with an old topic, brings nobody back. Rows that go into a spool
//! are cleaned as they go there, and the spool is offered as one that knows what its table knew as it began.

use std::collections::hash_map::Entry as Place;
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

use zenfloe_catalog::{Catalog, Class, ColumnType, CustomColumn, Erase, Table};
use zenfloe_destination::{Emptied, ErasedToken, Erasure, Flush, LoadError, Row, RowKind, Suppression, Target};
use zenfloe_erasure::{Entry, Erased, Layout, Subject, Verdict};
use zenfloe_log::{Log, Reader, Record};
use zenfloe_record::{FenceScope, Offset, SourceName, Topic, TopicPartition};

use crate::StageError;
use crate::patience::{Patience, patiently};
use crate::shapes::Shapes;
use crate::stage::Stage;

/// What is erased, as far as the rules topic has been read, and what of it the destination has seen.
pub(crate) struct Erasures {
    at: TopicPartition,
    next: Option<Offset>,
    known: Erased,
    /// Columns of custom fields in which people write, by the table's name in the source.
    written: BTreeMap<String, BTreeSet<String>>,
    /// By the table's name in the destination, with whether the table is clean of each.
    entered: HashMap<Arc<str>, BTreeMap<String, bool>>,
    /// By the table's name in the source and the schema's id; `None` for rows that cannot be understood.
    layouts: HashMap<(String, u32), Option<Layout>>,
}

impl Erasures {
    pub(crate) fn new(source: &SourceName) -> Self {
        Self {
            at: TopicPartition::new(Topic::rules(source), 0),
            next: None,
            known: Erased::new(),
            written: BTreeMap::new(),
            entered: HashMap::new(),
            layouts: HashMap::new(),
        }
    }

    /// Reads the rules topic on to its end; `None` when the stage is to stop before.
    async fn follow(&mut self, log: &dyn Log, patience: &Patience) -> Result<Option<()>, StageError> {
        let from = match self.next {
            Some(next) => next,
            None => {
                let Some(topic) = patiently!(patience, log.topic(&self.at.topic).await)? else {
                    return Ok(None);
                };
                if topic.is_none() {
                    return Ok(Some(()));
                }
                match patiently!(patience, log.bounds(&self.at).await)? {
                    Some(bounds) => bounds.start,
                    None => return Ok(None),
                }
            }
        };
        let Some((records, next)) = patiently!(patience, log.scan(&self.at, from).await)? else {
            return Ok(None);
        };
        for record in records {
            self.take_column(&record);
            let subject = std::str::from_utf8(&record.key).ok().and_then(Subject::parse);
            let (Some(subject), Some(value)) = (subject, &record.value) else {
                continue;
            };
            let entry = Entry::decode(value).ok_or_else(|| StageError::Rules {
                topic: self.at.topic.clone(),
                key: subject.key(),
            })?;
            self.known.take(subject, entry);
        }
        self.next = Some(next);
        Ok(Some(()))
    }

    /// Takes the column of a custom field; one that cannot be read is a later release's.
    fn take_column(&mut self, record: &Record) {
        let place = std::str::from_utf8(&record.key).ok().and_then(CustomColumn::place);
        let (Some((table, _)), Some(value)) = (place, &record.value) else {
            return;
        };
        if let Ok(column) = serde_json::from_slice::<CustomColumn>(value)
            && column.class == Class::Text
            && column.r#type == ColumnType::String
        {
            self.written.entry(table.to_owned()).or_default().insert(column.name);
        }
    }

    /// How many of the erasures that a destination has entered for a table every row is cleaned by from now on.
    pub(crate) fn cleaned_by(&self, target: &Target) -> u64 {
        let Some(entered) = self.entered.get(&target.table) else {
            return 0;
        };
        let settled = self.settled();
        entered.keys().filter(|held| settled.contains(*held)).count() as u64
    }

    fn settled(&self) -> BTreeSet<String> {
        self.known.settled().map(|(subject, _)| subject.to_string()).collect()
    }

    /// The row without anyone who is known to be erased.
    pub(crate) async fn clean(
        &mut self,
        table: &str,
        row: Row,
        shapes: &Shapes,
        patience: &Patience,
    ) -> Result<Row, StageError> {
        if self.known.is_empty() {
            return Ok(row);
        }
        self.learn_layout(table, row.shape.schema_id, shapes, patience).await?;
        Ok(self.changed(table, &row, &mut Vec::new()).unwrap_or(row))
    }

    /// The row without who is erased; `None`: it holds nobody. One that cannot be read is the destination's to refuse.
    fn changed(&self, table: &str, row: &Row, body: &mut Vec<u8>) -> Option<Row> {
        if row.kind == RowKind::Delete {
            return None;
        }
        let layout = self.layouts.get(&(table.to_owned(), row.shape.schema_id))?.as_ref()?;
        let kind = match layout.apply(&self.known, &row.body, body).ok()? {
            Verdict::Same => return None,
            Verdict::Changed => RowKind::Live,
            Verdict::Gone => RowKind::Delete,
        };
        Some(Row {
            kind,
            body: body.clone().into(),
            ..row.clone()
        })
    }

    async fn learn_layout(
        &mut self,
        table: &str,
        schema_id: u32,
        shapes: &Shapes,
        patience: &Patience,
    ) -> Result<(), StageError> {
        if let Place::Vacant(place) = self.layouts.entry((table.to_owned(), schema_id)) {
            let schema = shapes.schema(schema_id, patience).await?;
            let known = Catalog::builtin().table(table).map(|(_, table)| table);
            let layout = schema.and_then(|schema| Layout::new(known, &schema).ok());
            place.insert(layout);
        }
        Ok(())
    }

    /// What a table has not seen yet.
    fn missing(&self, target: &Target, table: Option<&Table>) -> Vec<Erasure> {
        let entered = self.entered.get(&target.table);
        let is_new = |subject: &Subject| entered.is_none_or(|held| held.get(&subject.to_string()) != Some(&true));
        let news = self.known.settled().filter(|(subject, _)| is_new(subject));
        let customs = table.and_then(|table| self.written.get(&table.name));
        news.map(|(subject, entry)| erasure(subject, entry, table, customs))
            .collect()
    }
}

/// What an entry does to a table.
fn erasure(subject: &Subject, entry: &Entry, table: Option<&Table>, customs: Option<&BTreeSet<String>>) -> Erasure {
    let scope = |column: &Option<String>, id: i64| column.as_ref().map(|column| rows_of(column, id));
    let erase = table.map(|table| table.erase.clone()).unwrap_or_default();
    let (rows, emptied) = match subject {
        Subject::Person(id) => (
            scope(&erase.person, *id),
            emptied(*id, &erase, written(table, customs), entry),
        ),
        Subject::Ticket(id) => (scope(&erase.ticket, *id), Vec::new()),
        Subject::Address(_) => (None, Vec::new()),
    };
    let token = |held: &zenfloe_erasure::EntryToken| ErasedToken {
        class: held.class.clone(),
        token: held.token.clone(),
    };
    Erasure {
        subject: subject.to_string(),
        rows,
        tokens: entry.tokens.iter().map(token).collect(),
        emptied,
    }
}

fn rows_of(column: &str, id: i64) -> FenceScope {
    FenceScope {
        column: column.to_owned(),
        value: id.to_string(),
    }
}

/// What a person leaves empty in rows that stay: texts, unless they are kept, and what describes the person as sender.
fn emptied(id: i64, erase: &Erase, written: Vec<String>, entry: &Entry) -> Vec<Emptied> {
    let author = erase.author.iter().filter(|_| !entry.keeps_texts);
    let texts = author.map(|author| (author, written.clone()));
    let sender = erase.sender.iter().map(|sender| (&sender.id, sender.columns.clone()));
    let emptied = texts.chain(sender).map(|(column, columns)| Emptied {
        scope: rows_of(column, id),
        columns,
    });
    emptied.collect()
}

/// The columns of texts that the author of a row wrote.
fn written(table: Option<&Table>, customs: Option<&BTreeSet<String>>) -> Vec<String> {
    let columns = table.into_iter().flat_map(|table| &table.columns);
    columns
        .filter(|column| column.class == Class::Text && column.r#type == ColumnType::String)
        .map(|column| column.name.clone())
        .chain(customs.into_iter().flatten().cloned())
        .collect()
}

impl Stage {
    /// Takes everyone whom the rules name out of the destination's tables; `false` when the stage is to stop before.
    pub(crate) async fn erase(&mut self, reader: &mut dyn Reader) -> Result<bool, StageError> {
        let tables = self.tables.values().map(|table| table.name.clone()).collect();
        self.erase_from_all(reader, tables).await
    }

    /// The same for tables that have not been asked whom they have seen, before their first row is taken.
    pub(crate) async fn erase_first(&mut self, reader: &mut dyn Reader) -> Result<bool, StageError> {
        let is_new = |table: &&crate::table::Table| !self.erasures.entered.contains_key(&table.target().table);
        let tables: Vec<String> = self
            .tables
            .values()
            .filter(is_new)
            .map(|table| table.name.clone())
            .collect();
        self.erase_from_all(reader, tables).await
    }

    async fn erase_from_all(&mut self, reader: &mut dyn Reader, tables: Vec<String>) -> Result<bool, StageError> {
        if self.erasures.follow(&*self.log, &self.patience).await?.is_none() {
            return Ok(false);
        }
        if self.erasures.known.is_empty() {
            return Ok(true);
        }
        for table in tables {
            if !self.erase_from(reader, &table).await? {
                return Ok(false);
            }
        }
        Ok(true)
    }

    async fn erase_from(&mut self, reader: &mut dyn Reader, name: &str) -> Result<bool, StageError> {
        let target = self.selected.target(name);
        if !self.erasures.entered.contains_key(&target.table) {
            let held = patiently!(self.patience, reader, self.destination.erased(&target).await);
            let Some(held) = held.map_err(|error| self.failed(error))? else {
                return Ok(false);
            };
            self.erasures.entered.insert(target.table.clone(), held);
        }
        let table = Catalog::builtin().table(name).map(|(_, table)| table);
        let missing = self.erasures.missing(&target, table);
        if missing.is_empty() {
            return Ok(true);
        }
        let subjects: Vec<String> = missing.iter().map(|erasure| erasure.subject.clone()).collect();
        let what: Vec<Suppression> = missing.into_iter().map(Suppression::Erasure).collect();
        let cleaned = patiently!(self.patience, reader, self.destination.suppress(&target, &what).await);
        let Some(rows) = cleaned.map_err(|error| self.failed(error))? else {
            return Ok(false);
        };
        tracing::info!(
            destination = self.name,
            table = name,
            erasures = subjects.len(),
            rows,
            "erased"
        );
        let entered = self.erasures.entered.entry(target.table).or_default();
        entered.extend(subjects.into_iter().map(|subject| (subject, true)));
        Ok(true)
    }

    /// The same flush without anyone who is erased, and with the number of erasures that it knows.
    pub(crate) async fn without_erased(
        &mut self,
        topic: &Arc<str>,
        flush: &Arc<Flush>,
    ) -> Result<Arc<Flush>, StageError> {
        let entered = self.erasures.entered.get(&flush.target.table);
        let Some(entered) = entered.filter(|entered| !entered.is_empty()) else {
            return Ok(flush.clone());
        };
        let settled = self.erasures.settled();
        if let Some(stranger) = entered.keys().find(|held| !settled.contains(*held)) {
            let what = format!(
                "`{}` was cleaned of {stranger}, of which `{}` does not tell; was that topic deleted?",
                flush.target.table, self.erasures.at.topic
            );
            return Err(self.failed(LoadError::Broken { what }));
        }
        let erasures = entered.len() as u64;
        let name = self.tables[topic].name.clone();
        for segment in &flush.segments {
            let id = segment.shape.schema_id;
            self.erasures
                .learn_layout(&name, id, &self.shapes, &self.patience)
                .await?;
        }
        let mut body = Vec::new();
        let cleaned = flush.changed(|row| self.erasures.changed(&name, row, &mut body));
        Ok(Arc::new(Flush { erasures, ..cleaned }))
    }

    /// Asks a table anew whom it has seen, and tells it of all others; `false` when the stage is to stop before.
    pub(crate) async fn erase_anew(&mut self, reader: &mut dyn Reader, topic: &Arc<str>) -> Result<bool, StageError> {
        let name = self.tables[topic].name.clone();
        self.erasures.entered.remove(&self.selected.target(&name).table);
        if self.erasures.follow(&*self.log, &self.patience).await?.is_none() {
            return Ok(false);
        }
        self.erase_from(reader, &name).await
    }
}
