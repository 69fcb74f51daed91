//! The compiled plans of a source and the number-giving digest of its configuration.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use sha2::{Digest, Sha256};
use zenfloe_catalog::Collection;
use zenfloe_erasure::Layout;
use zenfloe_keyring::{Marks, Tokens};
use zenfloe_normalize::{Choice, Plan, TablePlan};
use zenfloe_pii::{Erased, People, Privacy, TOKEN_CLASSES};
use zenfloe_record::Topic;
use zenfloe_registry::{header, subject};

use crate::erase::Suppressed;
use crate::patience::{Patience, Stop, or_stopped};
use crate::rules::Fingerprint;
use crate::topics::{RawTopic, Written};
use crate::{Parts, StageError, columns};

/// What a source's configuration comes to.
pub(crate) struct Plans {
    /// What the user chose, by collection.
    pub(crate) choices: BTreeMap<String, Choice>,
    pub(crate) privacy: Privacy,
    /// Whoever is erased; nobody as yet.
    pub(crate) suppressed: Suppressed,
    /// Whom `privacy` knows; nobody as yet.
    pub(crate) people: People,
    pub(crate) fingerprint: Fingerprint,
}

/// Compiles the plans of **all** collections, so that processes of one source that read different topics
/// agree on the number of their configuration.
pub(crate) fn compile(parts: &Parts) -> Result<Plans, StageError> {
    let tokens = Tokens::new(&parts.token_keys, parts.source.as_str(), TOKEN_CLASSES);
    let choices = columns::choices(parts.catalog, &parts.config)?;
    let mut digest = Sha256::new();
    digest.update(b"zenfloe1 transform configuration\0");
    digest.update(tokens.version().to_be_bytes());
    for region in &parts.config.regions {
        digest.update(region.as_bytes());
        digest.update([0]);
    }
    for pattern in columns::of_custom_fields(parts.catalog, &parts.config) {
        digest.update(pattern.as_bytes());
        digest.update([0]);
    }
    for collection in parts.catalog.collections() {
        let choice = choices.get(&collection.name).cloned().unwrap_or_default();
        // Custom columns are no part of the number: a row that is made again with one takes the place of the first.
        let plan = Plan::compile(collection, &choice)?;
        digest.update(collection.name.as_bytes());
        digest.update([0]);
        digest.update(plan.fingerprint());
    }
    let privacy = Privacy::new(tokens, &parts.config.regions).map_err(|error| StageError::Setting {
        what: error.to_string(),
    })?;
    let erased = Erased::new(Marks::new(&parts.token_keys, &parts.source));
    let people = People::new();
    Ok(Plans {
        choices,
        privacy: privacy.with_erased(erased.clone()).with_people(people.clone()),
        suppressed: Suppressed::new(erased),
        people,
        fingerprint: digest.finalize().into(),
    })
}

/// A raw topic and what its records become.
pub(crate) struct Lane {
    pub(crate) collection: &'static Collection,
    pub(crate) plan: Plan,
    /// Where the rows of the plan's tables go, in its order.
    pub(crate) sinks: Vec<Sink>,
    /// Where fences for other collections' tables go, behind them; `None` where such a table is not made.
    pub(crate) erasing: Vec<Option<Sink>>,
    /// The table whose custom fields its records carry, where their definitions are told: values without a column wait.
    pub(crate) waits_for: Option<&'static str>,
}

impl Lane {
    /// The topic of a table by its place in the plan; `None` for one that is not made.
    pub(crate) fn sink(&self, table: usize) -> Option<&Sink> {
        match self.sinks.get(table) {
            Some(sink) => Some(sink),
            None => self.erasing.get(table - self.sinks.len())?.as_ref(),
        }
    }
}

/// A clean topic.
pub(crate) struct Sink {
    pub(crate) table: Arc<str>,
    pub(crate) topic: Arc<str>,
    /// What stands before every row: the registry's mark and the id of the schema.
    pub(crate) header: [u8; 5],
    /// The largest message that it takes.
    pub(crate) limit: usize,
    /// How its rows are changed by what is erased; `None` where fences alone go there.
    pub(crate) layout: Option<Layout>,
    pub(crate) own: Own,
}

/// Whose record a row of the table is, where the row's key says it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Own {
    /// A user's.
    Person,
    /// A ticket's.
    Ticket,
    /// Neither.
    Neither,
}

impl Own {
    fn of(table: &zenfloe_catalog::Table) -> Self {
        let is_key =
            |column: &Option<String>| column.is_some() && table.key.first() == column.as_ref() && table.key.len() == 1;
        match (is_key(&table.erase.person), is_key(&table.erase.ticket)) {
            (true, _) => Self::Person,
            (_, true) => Self::Ticket,
            _ => Self::Neither,
        }
    }
}

/// The lanes by raw topic.
pub(crate) type Lanes = BTreeMap<Arc<str>, Lane>;

/// The ids that schemas were given, by subject and text.
pub(crate) type Registered = HashMap<(String, String), u32>;

/// Registers the schemas of the tables that a raw topic feeds; `None` when `stop` fires first.
pub(crate) async fn lane(
    parts: &Parts,
    raw: &[RawTopic],
    topic: &RawTopic,
    plan: Plan,
    written: &Written,
    ids: &mut Registered,
    stop: &Stop,
) -> Result<Option<Lane>, StageError> {
    let collection = topic.collection;
    let mut sinks = Vec::new();
    for table in plan.tables() {
        let clean = Topic::clean(&parts.source, &table.name);
        let id = or_stopped!(registered(parts, &clean, table, ids, stop).await?);
        let of_catalog = collection.tables.iter().find(|held| held.name == table.name);
        let layout = Layout::new(of_catalog, &table.schema).map_err(|error| StageError::Setting {
            what: error.to_string(),
        })?;
        sinks.push(Sink {
            layout: Some(layout),
            own: of_catalog.map_or(Own::Neither, Own::of),
            table: table.name.as_str().into(),
            limit: written.limit(&clean),
            topic: clean,
            header: header(id),
        });
    }
    let erasing = plan.erased_tables().map(|table| erasing(parts, raw, written, table));
    Ok(Some(Lane {
        collection,
        erasing: erasing.collect(),
        plan,
        sinks,
        waits_for: None,
    }))
}

/// The topic of another collection's table. Its partitions are those of this collection: both are keyed alike.
fn erasing(parts: &Parts, raw: &[RawTopic], written: &Written, table: &str) -> Option<Sink> {
    let (of, _) = parts.catalog.table(table)?;
    raw.iter().find(|topic| topic.collection.name == of.name)?;
    let topic = Topic::clean(&parts.source, table);
    Some(Sink {
        table: table.into(),
        limit: written.limit(&topic),
        topic,
        // Fences are no rows and have no schema.
        header: [0; 5],
        layout: None,
        own: Own::Neither,
    })
}

async fn registered(
    parts: &Parts,
    clean: &Arc<str>,
    table: &TablePlan,
    ids: &mut Registered,
    stop: &Stop,
) -> Result<Option<u32>, StageError> {
    let subject = subject(clean);
    let key = (subject.clone(), table.schema.clone());
    if let Some(id) = ids.get(&key) {
        return Ok(Some(*id));
    }
    let mut patience = Patience::default();
    loop {
        match parts.registry.register(&subject, &table.schema).await {
            Ok(id) => {
                ids.insert(key, id);
                return Ok(Some(id));
            }
            Err(error) if error.class() == zenfloe_registry::Class::Retry => {
                if !patience.pause("schema registry", &error, stop).await {
                    return Ok(None);
                }
            }
            Err(source) => {
                return Err(StageError::Registry {
                    subject: subject.into(),
                    source,
                });
            }
        }
    }
}
