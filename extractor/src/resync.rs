//! What a person asks of a source from outside: a collection's history again, or that it be forgotten.
//!
//! A request is a record of the state topic, written under an id of its own, so that a running extractor is
//! not disturbed: it looks for requests now and then, and takes one in the commit that begins the history.

use std::time::Duration;

use zenfloe_catalog::Catalog;
use zenfloe_log::{Append, Log};
use zenfloe_record::{SourceName, Topic, TopicPartition};

use crate::{Config, StageError, plan, state, writer_id};

/// How often a running extractor looks for requests.
pub(crate) const LOOKS_EVERY: Duration = Duration::from_secs(10);

/// What became of a request for a collection's history.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Resync {
    /// It stands in the state topic; the extractor takes it within seconds.
    Asked,
    /// Nothing has been read of the collection yet: its history is still to come.
    NotBegun,
}

/// Asks for a collection's history to be read again beside what changes; may be called while an extractor runs.
pub async fn resync(
    log: &dyn Log,
    source: &SourceName,
    config: &Config,
    catalog: &Catalog,
    collection: &str,
) -> Result<Resync, StageError> {
    let name = || collection.to_owned();
    if catalog.collection(collection).is_none() {
        return Err(StageError::NoSuchCollection { name: name() });
    }
    let selected = plan::selected(catalog, config)?;
    if !selected.iter().any(|held| held.name == collection) {
        return Err(StageError::NotSelected { name: name() });
    }
    let at = TopicPartition::new(Topic::state(source), 0);
    if log.topic(&at.topic).await?.is_none() {
        return Ok(Resync::NotBegun);
    }
    let left = state::read(state::records(log, &at).await?, &at)?;
    if !left.cursors.contains_key(collection) {
        return Ok(Resync::NotBegun);
    }
    let mut writer = log.writer(&format!("zenfloe-resync-{source}")).await?;
    writer
        .commit(vec![state::resync_record(&at, collection, true)], None)
        .await?;
    Ok(Resync::Asked)
}

/// What was forgotten of a source.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Forgotten {
    /// Records of the state topic that were taken away: cursors, lists, the rate budget, a kept login.
    pub records: usize,
}

/// Ends a source's extractor by fencing it and forgets all that it has kept. Its topics and tables stay.
pub async fn forget(log: &dyn Log, source: &SourceName) -> Result<Forgotten, StageError> {
    let at = TopicPartition::new(Topic::state(source), 0);
    if log.topic(&at.topic).await?.is_none() {
        return Ok(Forgotten::default());
    }
    // The order keeps a running extractor from writing after the look.
    let mut writer = log.writer(&writer_id(source)).await?;
    let mut keys = std::collections::BTreeMap::new();
    for record in state::records(log, &at).await? {
        keys.insert(record.key.clone(), record.value.is_some());
    }
    let gone: Vec<Append> = keys
        .into_iter()
        .filter(|(_, is_there)| *is_there)
        .map(|(key, _)| state::record(&at, &String::from_utf8_lossy(&key), None))
        .collect();
    let records = gone.len();
    writer.commit(gone, None).await?;
    Ok(Forgotten { records })
}
