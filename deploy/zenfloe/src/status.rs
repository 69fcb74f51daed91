//! `zenfloe status`: how far everything is, read from the log and the destinations.
//!
//! It opens no writer and joins no group, so that what runs is not disturbed, and needs no key.

use std::collections::BTreeMap;
use std::time::Duration;

use serde::Serialize;
use zenfloe_catalog::{Catalog, Collection};
use zenfloe_destination::{Costs, Destination};
use zenfloe_extractor::{CollectionStanding, Standing, StandingState, Trouble};
use zenfloe_log::{Log, LogError, partitions_of};
use zenfloe_process::{ExitCode, Failure};
use zenfloe_record::{Micros, SourceName, Topic};
use zenfloe_zendesk::Clock;

use crate::args;
use crate::config::{Config, SourceConfig};
use crate::show::span;
use crate::{failure, parts};

/// The whole answer.
#[derive(Serialize)]
struct Told {
    sources: BTreeMap<String, SourceStatus>,
}

/// One source.
#[derive(Serialize)]
struct SourceStatus {
    /// By collection; empty when nothing was ever read.
    collections: BTreeMap<String, CollectionStatus>,
    /// Requests that could be sent at once, by rate bucket.
    budget: BTreeMap<String, u32>,
    /// By destination.
    destinations: BTreeMap<String, DestinationStatus>,
}

/// One collection.
#[derive(Serialize)]
struct CollectionStatus {
    #[serde(flatten)]
    standing: CollectionStanding,
    /// Raw records that wait for a transformer; `None` where the log does not tell.
    untransformed: Option<u64>,
    /// The tables that it feeds.
    tables: Vec<String>,
}

/// What a destination holds of a source.
#[derive(Serialize)]
struct DestinationStatus {
    /// What it is.
    kind: String,
    /// Why it could not be asked.
    error: Option<String>,
    /// By table, as the source calls it.
    tables: BTreeMap<String, TableStatus>,
    /// What loading took in the last [`COST_HOURS`], if it was asked for and the destination charges for it.
    #[serde(skip_serializing_if = "Option::is_none")]
    cost: Option<Costs>,
}

/// One table of a destination.
#[derive(Serialize)]
struct TableStatus {
    /// Rows, without deleted ones; an estimate where the table is large.
    rows: Option<u64>,
    /// Clean records that wait for a loader; `None` where the log does not tell.
    unloaded: Option<u64>,
}

/// A group whose positions are in doubt (a killed process's) holds nobody up for longer.
const PATIENCE: Duration = Duration::from_secs(5);

/// How far back costs are told.
const COST_HOURS: u32 = 24;

/// Runs the command.
pub(crate) async fn status(command: &args::Status) -> Result<(), Failure> {
    let config = Config::load(&command.config.config)?;
    let chosen: Vec<(&SourceName, &SourceConfig)> = match &command.source {
        Some(name) => vec![config.source(Some(name))?],
        None => config.sources.iter().collect(),
    };
    let log = parts::existing_log(&config).await?;
    let mut told = Told {
        sources: BTreeMap::new(),
    };
    for (name, source) in chosen {
        let status = match &log {
            Some(log) => of_source(&config, &**log, name, source, command.cost).await?,
            None => SourceStatus::nothing(),
        };
        told.sources.insert(name.to_string(), status);
    }
    if command.json {
        let text = serde_json::to_string_pretty(&told);
        println!(
            "{}",
            text.map_err(|error| Failure::from_error(ExitCode::Failed, &error))?
        );
    } else {
        told.sources.iter().for_each(|(name, source)| print(name, source));
    }
    Ok(())
}

impl SourceStatus {
    fn nothing() -> Self {
        Self {
            collections: BTreeMap::new(),
            budget: BTreeMap::new(),
            destinations: BTreeMap::new(),
        }
    }
}

async fn of_source(
    config: &Config,
    log: &dyn Log,
    name: &SourceName,
    source: &SourceConfig,
    with_cost: bool,
) -> Result<SourceStatus, Failure> {
    let catalog = Catalog::builtin();
    let now = Clock::real().now();
    let standing = zenfloe_extractor::standing(log, name, &source.extract, catalog, now).await;
    let standing = standing.map_err(|error| failure::of_extractor(&error))?;
    let Some(Standing { collections, budget }) = standing else {
        return Ok(SourceStatus::nothing());
    };
    let mut status = SourceStatus {
        budget,
        ..SourceStatus::nothing()
    };
    let group = zenfloe_transformer::group(name);
    for (collection, standing) in collections {
        let tables = catalog.collection(&collection).map(tables).unwrap_or_default();
        let untransformed = behind(log, &group, &Topic::raw(name, &collection)).await;
        let held = CollectionStatus {
            standing,
            untransformed,
            tables,
        };
        status.collections.insert(collection, held);
    }
    for destination in config.destinations.keys() {
        let held = of_destination(config, log, destination, name, &status.collections, with_cost).await?;
        status.destinations.insert(destination.clone(), held);
    }
    Ok(status)
}

fn tables(collection: &Collection) -> Vec<String> {
    collection.tables.iter().map(|table| table.name.clone()).collect()
}

async fn of_destination(
    config: &Config,
    log: &dyn Log,
    name: &str,
    source: &SourceName,
    collections: &BTreeMap<String, CollectionStatus>,
    with_cost: bool,
) -> Result<DestinationStatus, Failure> {
    let written = config.destination(name, source);
    let built = written
        .build()
        .map_err(|error| failure::of_destination_config(name, &error))?;
    let group = zenfloe_loader::group_id(name);
    let mut status = DestinationStatus {
        kind: written.describe(),
        error: None,
        tables: BTreeMap::new(),
        cost: None,
    };
    if with_cost {
        (status.cost, status.error) = costs(&*built).await;
    }
    for table in collections.values().flat_map(|collection| &collection.tables) {
        if !written.tables.takes(table) {
            continue;
        }
        let rows = match &status.error {
            Some(_) => None,
            None => match built.rows(&written.tables.target(table)).await {
                Ok(rows) => rows,
                Err(error) => {
                    status.error = Some(failure::of_destination(&error).what);
                    None
                }
            },
        };
        let unloaded = behind(log, &group, &Topic::clean(source, table)).await;
        status.tables.insert(table.clone(), TableStatus { rows, unloaded });
    }
    Ok(status)
}

async fn costs(destination: &dyn Destination) -> (Option<Costs>, Option<String>) {
    match destination.costs(COST_HOURS).await {
        Ok(costs) => (costs, None),
        Err(error) => (None, Some(failure::of_destination(&error).what)),
    }
}

/// Records of a topic that a group has not dealt with; `None` where the topic is not there, or the log does not tell.
async fn behind(log: &dyn Log, group: &str, topic: &str) -> Option<u64> {
    let counted = tokio::time::timeout(PATIENCE, count(log, group, topic)).await;
    counted.ok()?.ok()?
}

async fn count(log: &dyn Log, group: &str, topic: &str) -> Result<Option<u64>, LogError> {
    let Some(info) = log.topic(topic).await? else {
        return Ok(None);
    };
    let partitions = partitions_of(topic, info.partitions);
    let committed = log.committed(group, &partitions).await?;
    let mut behind = 0;
    for at in &partitions {
        let bounds = log.bounds(at).await?;
        let next = committed.get(at).unwrap_or(bounds.start).max(bounds.start);
        behind += u64::try_from(bounds.end - next).unwrap_or(0);
    }
    Ok(Some(behind))
}

fn print(name: &str, source: &SourceStatus) {
    println!("{name}");
    if source.collections.is_empty() {
        println!("  nothing has been read yet: `zenfloe run` begins");
        return;
    }
    println!(
        "  {:<26} {:<16} {:>14} {:>12} {:>10} {:>10} {:>9}  left",
        "collection", "state", "last page", "lag", "records", "rows", "requests"
    );
    for (name, held) in &source.collections {
        println!("  {}", line(name, held, source));
        if let Some(more) = more(&held.standing) {
            println!("  {:<26} -> {more}", "");
        }
    }
    let free: Vec<_> = source
        .budget
        .iter()
        .map(|(bucket, free)| format!("{bucket} {free}"))
        .collect();
    println!("  requests that may be sent now: {}", free.join(", "));
    let waiting = source.collections.values().map(|held| held.untransformed);
    println!("  transform: {}", behind_text(waiting));
    for (name, held) in &source.destinations {
        let text = match &held.error {
            Some(error) => format!("cannot be asked: {error}"),
            None => behind_text(held.tables.values().map(|table| table.unloaded)),
        };
        println!("  load {name} ({}): {text}", held.kind);
        if let Some(costs) = &held.cost {
            print_costs(costs);
        }
    }
}

fn print_costs(costs: &Costs) {
    println!(
        "    {:<36} {:>10} {:>10} {:>14}",
        format!("table, last {COST_HOURS} hours"),
        "statements",
        "seconds",
        "bytes read"
    );
    for (table, cost) in &costs.tables {
        let table = if table.is_empty() { "(of no table)" } else { table };
        println!(
            "    {table:<36} {:>10} {:>10.1} {:>14}",
            cost.statements, cost.seconds, cost.bytes
        );
    }
    if costs.is_cut {
        println!("    there were more statements than the account tells at once: these are the newest");
    }
}

fn line(name: &str, held: &CollectionStatus, source: &SourceStatus) -> String {
    let standing = &held.standing;
    format!(
        "{name:<26} {:<16} {:>14} {:>12} {:>10} {:>10} {:>9}  {}",
        state(&standing.state),
        standing.succeeded_at.map_or("never".into(), ago),
        standing.lag_seconds.map_or("-".into(), span),
        standing.records,
        rows(held, source),
        standing.requests,
        standing.eta_seconds.map_or(String::new(), span),
    )
}

/// Rows of the collection's first table in the first destination that tells.
fn rows(held: &CollectionStatus, source: &SourceStatus) -> String {
    let mut tables = source.destinations.values().map(|destination| &destination.tables);
    let first = held.tables.first();
    let rows = first.and_then(|table| tables.find_map(|tables| tables.get(table)?.rows));
    rows.map_or("-".into(), |rows| rows.to_string())
}

fn state(state: &StandingState) -> &'static str {
    match state {
        StandingState::NotBegun => "not begun",
        StandingState::History => "fills history",
        StandingState::Current => "up to date",
        StandingState::Silent => "silent",
        StandingState::Off => "not selected",
        StandingState::Trouble {
            trouble: Trouble::NotAvailable { .. },
        } => "SWITCHED OFF",
        StandingState::Trouble {
            trouble: Trouble::Failing { .. },
        } => "FAILING",
    }
}

/// What a person should know besides.
fn more(standing: &CollectionStanding) -> Option<String> {
    match &standing.state {
        StandingState::Trouble {
            trouble: Trouble::NotAvailable { why, remedy, until },
        } => Some(format!("{why}; {remedy}; tried again {}", time(*until))),
        StandingState::Trouble {
            trouble: Trouble::Failing { what, failures },
        } => Some(format!("{failures} failures in a row: {what}")),
        StandingState::Silent => Some(
            "not read for much longer than its interval: does `zenfloe run` run, and is the budget used up?".into(),
        ),
        _ if standing.held_deletions > 0 => Some(format!(
            "{} missing rows wait for your word: `accept_shrunk`",
            standing.held_deletions
        )),
        _ => None,
    }
}

fn ago(at: Micros) -> String {
    let now = i64::try_from(Clock::real().now().as_micros()).unwrap_or(i64::MAX);
    let seconds = u64::try_from((now - at) / 1_000_000).unwrap_or(0);
    format!("{} ago", span(seconds))
}

fn time(at: Micros) -> String {
    let time = jiff::Timestamp::from_microsecond(at).unwrap_or_default();
    time.strftime("%Y-%m-%d %H:%M UTC").to_string()
}

fn behind_text(counts: impl Iterator<Item = Option<u64>>) -> String {
    let known: Vec<u64> = counts.flatten().collect();
    match known.iter().sum::<u64>() {
        _ if known.is_empty() => "has not begun".into(),
        0 => "up to date".into(),
        behind => format!("{behind} records behind"),
    }
}
