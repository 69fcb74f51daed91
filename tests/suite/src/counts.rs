//! Exactly once, counted where doubles show: an upsert would hide them.
//!
//! A page that the account served may have been lost with a killed process; what was in it is served again,
//! perhaps in a newer state. So of every version: *taken* (the client went on behind its page) ⊆ raw ⊆ served,
//! and each once.

use std::collections::{BTreeMap, BTreeSet};

use anyhow::{Context as _, ensure};
use serde_json::Value;
use zendesk_sim::{Collection, Simulator};
use zenfloe_catalog::Catalog;
use zenfloe_record::CleanKind;

use crate::topics::tally;
use crate::{CleanRecord, RawState, Topics};

/// What was counted.
#[derive(Debug, Default)]
pub struct Counted {
    /// Raw records by collection.
    pub raw: BTreeMap<String, usize>,
    /// Clean records by table, fences included.
    pub clean: BTreeMap<String, usize>,
    /// Clean rows and deletions by table: what a destination that keeps every state must hold.
    pub states: BTreeMap<String, usize>,
    /// Those among them that hang on scrubbed tickets or on users who were deleted for good: none of them may be written
    /// once that is known.
    pub wiped: BTreeMap<String, usize>,
}

impl Counted {
    /// Claims that a destination that keeps every state holds each once: all but some that were wiped before they came.
    pub fn are_kept(&self, held: &BTreeMap<String, usize>) -> bool {
        let is_kept = |(table, states): (&String, &usize)| {
            let wiped = self.wiped.get(table).copied().unwrap_or(0);
            (states - wiped..=*states).contains(&held.get(table).copied().unwrap_or(0))
        };
        self.states.iter().all(is_kept)
    }
}

/// Proves the promise for every collection and table.
pub async fn exactly_once(simulator: &Simulator, topics: &mut Topics) -> anyhow::Result<Counted> {
    let mut counted = Counted::default();
    let clean = topics.clean().await?;
    for record in &clean {
        *counted.clean.entry(record.table.clone()).or_default() += 1;
        *counted.states.entry(record.table.clone()).or_default() += usize::from(record.kind != CleanKind::Fence);
    }
    for collection in Collection::ALL {
        let raw = topics.raw(collection.name()).await?;
        counted.raw.insert(collection.name().to_owned(), raw.len());
        count_wiped(simulator, collection, &raw, &clean, &mut counted);
        let raw = first_readings(collection, raw);
        published_once(simulator, collection, &raw)?;
        origins(collection, &raw, &clean).with_context(|| format!("tables of {}", collection.name()))?;
    }
    once_per_origin(&clean)?;
    Ok(counted)
}

/// Proves the promise for the raw topics of some collections alone; returns the records by collection.
pub async fn raw_exactly_once(
    simulator: &Simulator,
    topics: &mut Topics,
    collections: &[Collection],
) -> anyhow::Result<BTreeMap<String, usize>> {
    let mut counted = BTreeMap::new();
    for collection in collections.iter().copied() {
        let raw = topics.raw(collection.name()).await?;
        counted.insert(collection.name().to_owned(), raw.len());
        published_once(simulator, collection, &first_readings(collection, raw))?;
    }
    Ok(counted)
}

fn published_once(simulator: &Simulator, collection: Collection, raw: &[RawState]) -> anyhow::Result<()> {
    let result = match collection.version_field() {
        Some(field) => versions(simulator, collection, field, raw),
        None => states(simulator, collection, raw),
    };
    result.with_context(|| format!("collection {}", collection.name()))
}

/// Without the threads that were read again after a redaction, and the side conversations that were read for their
/// events: they repeat with purpose.
fn first_readings(collection: Collection, mut raw: Vec<RawState>) -> Vec<RawState> {
    let read_again = match collection {
        Collection::TicketEvents => "comments",
        Collection::SideConversations => "side_conversations",
        _ => return raw,
    };
    raw.retain(|state| state.json.get(read_again).is_none());
    raw
}

fn count_wiped(
    simulator: &Simulator,
    collection: Collection,
    raw: &[RawState],
    clean: &[CleanRecord],
    counted: &mut Counted,
) {
    let wiped = simulator.records(collection).filter(|truth| truth.is_wiped);
    let wiped: BTreeSet<i64> = wiped.map(|truth| truth.id).collect();
    let erased = erased_users(simulator);
    let is_of_erased = |state: &RawState| {
        let user = if collection == Collection::Users {
            "id"
        } else {
            "user_id"
        };
        state.json[user].as_i64().is_some_and(|id| erased.contains(&id))
    };
    let of_wiped = raw
        .iter()
        .filter(|state| Collection::id_of(&state.key).is_some_and(|id| wiped.contains(&id)) || is_of_erased(state));
    let origins: BTreeSet<_> = of_wiped.map(|state| &state.origin).collect();
    let rows = clean.iter().filter(|record| record.kind != CleanKind::Fence);
    for record in rows.filter(|record| origins.contains(&record.origin)) {
        *counted.wiped.entry(record.table.clone()).or_default() += 1;
    }
}

/// Users who were deleted for good.
fn erased_users(simulator: &Simulator) -> BTreeSet<i64> {
    let read = |truth: zendesk_sim::Truth| serde_json::from_str::<Value>(&truth.json).ok();
    let users = simulator.records(Collection::Users).filter_map(read);
    users
        .filter(|user| user["permanently_deleted"] == true)
        .filter_map(|user| user["id"].as_i64())
        .collect()
}

/// Whole seconds since 1970, however they are written.
fn seconds(value: &Value) -> anyhow::Result<i64> {
    match value {
        Value::Number(number) => number.as_i64().context("whole seconds"),
        Value::String(text) => Ok(text.parse::<jiff::Timestamp>()?.as_second()),
        other => anyhow::bail!("no time: {other}"),
    }
}

/// What is of the newest minute is left for later, but for tickets and their events: its seconds may still grow.
const UNSETTLED_SECONDS: i64 = 62;

fn versions(simulator: &Simulator, collection: Collection, field: &str, raw: &[RawState]) -> anyhow::Result<()> {
    let mut published = Vec::new();
    for state in raw {
        ensure!(!state.is_deletion, "exports tell deletions in the record itself");
        let id = Collection::id_of(&state.key).context("an id or a UUID")?;
        published.push((id, seconds(&state.json[field])?));
    }
    let counts = tally(published);
    let doubled: Vec<_> = counts.iter().filter(|(_, count)| **count != 1).take(5).collect();
    ensure!(doubled.is_empty(), "published more than once: {doubled:?}");
    let served = simulator.served_versions(collection);
    let known: BTreeSet<_> = served.iter().map(|version| (version.id, version.version)).collect();
    let strange: Vec<_> = counts
        .keys()
        .filter(|version| !known.contains(version))
        .take(5)
        .collect();
    ensure!(strange.is_empty(), "published and never served: {strange:?}");
    let is_settled = |version: &&zendesk_sim::ServedVersion| {
        matches!(collection, Collection::Tickets | Collection::TicketEvents)
            || version.last_served_at - version.version > UNSETTLED_SECONDS
    };
    let lost: Vec<_> = served
        .iter()
        .filter(|version| version.is_taken)
        .filter(is_settled)
        .filter(|version| !counts.contains_key(&(version.id, version.version)))
        .take(5)
        .collect();
    ensure!(lost.is_empty(), "taken and not published: {lost:?}");
    Ok(())
}

fn states(simulator: &Simulator, collection: Collection, raw: &[RawState]) -> anyhow::Result<()> {
    let mut published: BTreeMap<i64, Vec<Option<&Value>>> = BTreeMap::new();
    for state in raw {
        let row = published.entry(state.key.parse()?).or_default();
        let now = (!state.is_deletion).then_some(&state.json);
        ensure!(
            row.last() != Some(&now),
            "row {} published twice in one state",
            state.key
        );
        row.push(now);
    }
    let mut served: BTreeMap<i64, Vec<(Value, bool)>> = BTreeMap::new();
    for state in simulator.served_states(collection) {
        served
            .entry(state.id)
            .or_default()
            .push((serde_json::from_str(&state.json)?, state.is_taken));
    }
    for (id, row) in &published {
        let known = served.get(id).with_context(|| format!("row {id} was never served"))?;
        let is_known = |state: &&Value| known.iter().any(|(json, _)| json == *state);
        ensure!(
            row.iter().flatten().all(is_known),
            "row {id} has a state that was never served"
        );
    }
    let gone: BTreeSet<_> = simulator
        .records(collection)
        .filter(|truth| truth.is_removed)
        .map(|truth| truth.id)
        .collect();
    for (id, known) in &served {
        let row = published.get(id).map(Vec::as_slice).unwrap_or_default();
        let is_published = |json: &Value| row.iter().flatten().any(|state| *state == json);
        let lost = known
            .iter()
            .filter(|(json, is_taken)| *is_taken && !is_published(json))
            .count();
        ensure!(lost == 0, "row {id}: {lost} states taken and not published");
        let (last, is_taken) = known.last().context("a served row has a state")?;
        // The last state of a row that is gone may have been served in a page that a kill lost: nobody asks again.
        ensure!(
            gone.contains(id) || is_published(last),
            "row {id}: the last state is not published (taken: {is_taken}, states served: {}, published: {})",
            known.len(),
            row.len()
        );
    }
    Ok(())
}

/// Every raw record has become a row of the collection's first table, or of all that its sideloads feed.
fn origins(collection: Collection, raw: &[RawState], clean: &[CleanRecord]) -> anyhow::Result<()> {
    let tables = &Catalog::builtin()
        .collection(collection.name())
        .context("in the catalog")?
        .tables;
    let first = &tables.first().context("a collection feeds a table")?.name;
    // Fences come from elsewhere as well: a scrubbed ticket takes its events with it.
    let made: BTreeSet<_> = clean
        .iter()
        .filter(|record| record.table == *first && record.kind != CleanKind::Fence)
        .map(|record| &record.origin)
        .collect();
    let expected: BTreeSet<_> = raw.iter().map(|state| &state.origin).collect();
    let lost: Vec<_> = expected.difference(&made).take(5).collect();
    ensure!(lost.is_empty(), "raw records without a row in `{first}`: {lost:?}");
    let strange: Vec<_> = made.difference(&expected).take(5).collect();
    ensure!(strange.is_empty(), "rows of `{first}` from nowhere: {strange:?}");
    Ok(())
}

/// No raw record has made one row of a table twice under one revision.
fn once_per_origin(clean: &[CleanRecord]) -> anyhow::Result<()> {
    let name = |record: &CleanRecord| {
        (
            record.table.clone(),
            record.origin.clone(),
            record.row_key.clone(),
            record.version.revision,
        )
    };
    let counts = tally(clean.iter().map(name));
    let doubled: Vec<_> = counts
        .iter()
        .filter(|(_, count)| **count != 1)
        .map(|((table, origin, _, revision), count)| format!("{table} from {} ({revision}): {count}", origin.encode()))
        .take(5)
        .collect();
    ensure!(doubled.is_empty(), "made more than once: {doubled:?}");
    Ok(())
}
