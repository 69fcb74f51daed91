//! Which topics there must be, and what they are.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use zenfloe_catalog::Collection;
use zenfloe_log::{Cleanup, LogError, TopicInfo, TopicSpec, partitions_of};
use zenfloe_record::{Partition, SourceName, Topic, TopicPartition};

use crate::config::bytes;
use crate::patience::{Stop, or_stopped, patiently};
use crate::rules::Rules;
use crate::{Config, Parts, StageError};

/// How often a raw topic is looked for that does not exist yet.
const LOOK_EVERY: Duration = Duration::from_millis(500);
/// Looks between two messages about it.
const LOOKS_PER_MESSAGE: u32 = 20;

/// The topics that the transformer of a source makes: clean ones with as many partitions as the raw topic
/// of their collection has, the dead, the rules and the pending topic.
pub fn topics(source: &SourceName, collections: &[(&Collection, Partition)], config: &Config) -> Vec<TopicSpec> {
    let spec = |name: Arc<str>, partitions, cleanup| TopicSpec {
        name,
        partitions,
        cleanup,
        max_message_bytes: bytes(config.max_message),
    };
    let mut topics: Vec<TopicSpec> = Vec::new();
    for (collection, partitions) in collections {
        let tables = collection.tables.iter();
        topics.extend(tables.map(|table| spec(Topic::clean(source, &table.name), *partitions, Cleanup::Compact)));
    }
    topics.push(spec(Topic::dead(source), 1, Cleanup::Delete(config.dead_retention)));
    topics.push(spec(Topic::rules(source), 1, Cleanup::Compact));
    topics.push(spec(Topic::pending(source), 1, Cleanup::Compact));
    topics
}

/// A raw topic that is there.
#[derive(Clone)]
pub(crate) struct RawTopic {
    pub(crate) collection: &'static Collection,
    pub(crate) name: Arc<str>,
    /// Another one after the topic was deleted and made again.
    pub(crate) id: String,
    pub(crate) partitions: Partition,
}

/// Waits until the extractor has made the raw topics; `None` when `stop` fires first.
///
/// Once no more raw records will come, a topic that is still missing stays away and is left out.
pub(crate) async fn raw_topics(parts: &Parts, stop: &Stop) -> Result<Option<Vec<RawTopic>>, StageError> {
    let mut found = Vec::new();
    for collection in &parts.collections {
        let name = Topic::raw(&parts.source, &collection.name);
        let mut looks = 0;
        loop {
            // Asked before the look, so that a topic made just before it fired is seen.
            let is_late = parts.caught_up.is_cancelled();
            if let Some(info) = or_stopped!(patiently!(stop, parts.log.topic(&name).await)) {
                found.push(raw(collection, &name, &info));
                break;
            }
            if is_late {
                break;
            }
            parts.progress.wait(&name);
            if looks % LOOKS_PER_MESSAGE == 0 {
                tracing::info!(
                    source = parts.source.as_str(),
                    "waiting for topic `{name}`; the extractor makes it"
                );
            }
            looks += 1;
            tokio::select! {
                () = stop.cancelled() => return Ok(None),
                () = parts.caught_up.cancelled() => {}
                () = tokio::time::sleep(LOOK_EVERY) => {}
            }
        }
    }
    Ok(Some(found))
}

/// The raw topics of the collections named (all of the parts' when none is); each must be there.
pub(crate) async fn existing_raw_topics(
    parts: &Parts,
    named: &[String],
    stop: &Stop,
) -> Result<Option<Vec<RawTopic>>, StageError> {
    let is_selected = |name: &&String| parts.collections.iter().any(|collection| collection.name == **name);
    if let Some(unknown) = named.iter().find(|name| !is_selected(name)) {
        return Err(StageError::Setting {
            what: format!("`{unknown}` is none of the source's collections; `zenfloe catalog` lists all that exist"),
        });
    }
    let chosen = |collection: &&&'static Collection| named.is_empty() || named.contains(&collection.name);
    let mut found = Vec::new();
    for collection in parts.collections.iter().filter(chosen) {
        let name = Topic::raw(&parts.source, &collection.name);
        let info = or_stopped!(patiently!(stop, parts.log.topic(&name).await));
        let info = info.ok_or_else(|| LogError::NoTopic {
            topic: name.to_string(),
        })?;
        found.push(raw(collection, &name, &info));
    }
    Ok(Some(found))
}

fn raw(collection: &'static Collection, name: &Arc<str>, info: &TopicInfo) -> RawTopic {
    RawTopic {
        collection,
        name: name.clone(),
        id: info.id.clone(),
        partitions: info.partitions,
    }
}

/// The partitions of raw topics, topic by topic.
pub(crate) fn all_partitions(raw: &[RawTopic]) -> Vec<TopicPartition> {
    let topics = raw.iter();
    topics
        .flat_map(|topic| partitions_of(&topic.name, topic.partitions))
        .collect()
}

/// The topics that are written to, as they are.
pub(crate) struct Written {
    /// The largest message of each, by name.
    limits: BTreeMap<Arc<str>, usize>,
    pub(crate) dead: Arc<str>,
    pub(crate) dead_partitions: Partition,
    pub(crate) rules: Arc<str>,
    pub(crate) pending: Arc<str>,
}

impl Written {
    /// The largest message that a topic takes.
    pub(crate) fn limit(&self, topic: &str) -> usize {
        self.limits.get(topic).copied().unwrap_or(usize::MAX)
    }
}

/// Makes the topics that are missing; `None` when `stop` fires first.
pub(crate) async fn ensure(parts: &Parts, raw: &[RawTopic], stop: &Stop) -> Result<Option<Written>, StageError> {
    let counts: Vec<_> = raw.iter().map(|topic| (topic.collection, topic.partitions)).collect();
    let dead = Topic::dead(&parts.source);
    let mut specs = topics(&parts.source, &counts, &parts.config);
    // The dead topic may be another stage's: where it exists it is taken as it is.
    if or_stopped!(patiently!(stop, parts.log.topic(&dead).await)).is_some() {
        specs.retain(|spec| spec.name != dead);
    }
    let ensured = ensured(parts, &specs, stop).await;
    or_stopped!(ensured.map_err(|error| mismatch(error, &parts.source, raw))?);
    let mut written = Written {
        limits: BTreeMap::new(),
        dead: dead.clone(),
        dead_partitions: 1,
        rules: Topic::rules(&parts.source),
        pending: Topic::pending(&parts.source),
    };
    for name in specs.iter().map(|spec| spec.name.clone()).chain([dead.clone()]) {
        let info = or_stopped!(patiently!(stop, parts.log.topic(&name).await));
        let limit = info.as_ref().and_then(|info| info.max_message_bytes);
        written
            .limits
            .insert(name.clone(), limit.unwrap_or(bytes(parts.config.max_message)));
        if let Some(info) = info.filter(|_| name == dead) {
            written.dead_partitions = info.partitions;
        }
    }
    Ok(Some(written))
}

/// Refuses raw topics that are not those that were transformed before.
pub(crate) fn check_ids(raw: &[RawTopic], rules: &Rules, config: &Config) -> Result<(), StageError> {
    for topic in raw {
        let mut partitions = partitions_of(&topic.name, topic.partitions).into_iter();
        let is_other = |at: TopicPartition| rules.began(&at).is_some_and(|began| began.topic_id != topic.id);
        let name = &topic.collection.name;
        if partitions.any(is_other) && !config.accept_recreated.contains(name) {
            return Err(StageError::Recreated {
                topic: topic.name.clone(),
                collection: name.clone(),
            });
        }
    }
    Ok(())
}

/// Reads the rules of a source whose transformer has run before.
pub(crate) async fn rules_of(parts: &Parts, stop: &Stop) -> Result<Option<Rules>, StageError> {
    let name = Topic::rules(&parts.source);
    let mut rules = Rules::new(&parts.source);
    if or_stopped!(patiently!(stop, parts.log.topic(&name).await)).is_some() {
        or_stopped!(rules.follow(&*parts.log, stop).await?);
    }
    Ok(Some(rules))
}

async fn ensured(parts: &Parts, specs: &[TopicSpec], stop: &Stop) -> Result<Option<()>, StageError> {
    Ok(patiently!(stop, parts.log.ensure(specs).await))
}

/// Names the raw topic that a clean one does not fit.
fn mismatch(error: StageError, source: &SourceName, raw: &[RawTopic]) -> StageError {
    let StageError::Log(LogError::PartitionCount { topic, found, .. }) = &error else {
        return error;
    };
    let feeds = |held: &&RawTopic| {
        let mut tables = held.collection.tables.iter();
        tables.any(|table| &*Topic::clean(source, &table.name) == topic.as_str())
    };
    match raw.iter().find(feeds) {
        Some(raw) => StageError::PartitionCount {
            raw: raw.name.clone(),
            raw_count: raw.partitions,
            clean: topic.as_str().into(),
            clean_count: *found,
        },
        None => error,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use zenfloe_catalog::Catalog;

    #[test]
    fn clean_topics_have_as_many_partitions_as_their_raw_topic() {
        let source = SourceName::new("acme").expect("a legal name");
        let collection = |name| Catalog::builtin().collection(name).expect("in the catalog");
        let chosen = [(collection("tickets"), 12), (collection("groups"), 1)];
        let topics = topics(&source, &chosen, &Config::default());
        let shown: Vec<_> = topics.iter().map(|spec| (&*spec.name, spec.partitions)).collect();
        assert!(shown.contains(&("acme.clean.ticket_slas", 12)), "{shown:?}");
        assert!(shown.contains(&("acme.clean.groups", 1)), "{shown:?}");
        let rules = topics
            .iter()
            .find(|spec| &*spec.name == "acme.rules")
            .expect("made here");
        assert_eq!((rules.partitions, rules.cleanup), (1, Cleanup::Compact));
    }
}
