//! The destination's tables, read for the oracle and for comparing two moments.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use anyhow::{Context as _, ensure};
use serde_json::Value;
use tokio_postgres::{NoTls, SimpleQueryMessage};
use zendesk_sim::Collection;
use zenfloe_catalog::{Catalog, Column, META_FIELDS, Table};
use zenfloe_oracle::compare::{Reader, Report, Truth, compare};
use zenfloe_oracle::custom::Customs;
use zenfloe_oracle::oracle::{Erased, Oracle};
use zenfloe_oracle::token::TokenRoot;

use crate::topics::tally;
use crate::world::SOURCE;
use crate::{RawState, Topics, World};

/// The texts of a row, by column.
type Row = HashMap<String, Option<String>>;

/// Tables of one schema, in memory.
pub struct Tables {
    rows: HashMap<String, HashMap<Vec<String>, Row>>,
    dumps: BTreeMap<String, Vec<String>>,
    comments: HashMap<String, Vec<(String, String)>>,
    /// Without what is redacted: a replay does that with all the people whom the source knows by then. And without what
    /// is left of a scrubbed ticket's rows: some are suppressed before they come, and come emptied with a replay.
    plain: BTreeMap<String, Vec<String>>,
    /// How often a state of a row stands there, by table, key and [`STATE`].
    states: BTreeMap<(String, Vec<String>), usize>,
}

/// When a row was written: differs from run to run.
const LOADED_AT: &str = "_loaded_at";

/// The columns that, with the key, tell a state from every other one.
const STATE: [&str; 5] = [
    "_version",
    "_extracted_at",
    "_raw_partition",
    "_raw_offset",
    "_revision",
];

impl Tables {
    /// Reads every table of the collections that are on by default.
    pub async fn read(world: &World, schema: &str) -> anyhow::Result<Self> {
        let (client, connection) = tokio_postgres::connect(&world.postgres.url("postgres"), NoTls).await?;
        tokio::spawn(connection);
        let mut tables = Self {
            rows: HashMap::new(),
            dumps: BTreeMap::new(),
            comments: comments(&client, schema).await?,
            plain: BTreeMap::new(),
            states: BTreeMap::new(),
        };
        for table in Catalog::builtin()
            .collections()
            .iter()
            .filter(|collection| collection.tier == 1)
            .flat_map(|collection| &collection.tables)
        {
            let query = format!("SELECT * FROM {schema}.\"{}\"", table.name);
            let answer = client.simple_query(&query).await.with_context(|| query.clone())?;
            for message in answer {
                let SimpleQueryMessage::Row(found) = message else {
                    continue;
                };
                let row: Row = found
                    .columns()
                    .iter()
                    .enumerate()
                    .map(|(index, column)| (column.name().to_owned(), found.get(index).map(str::to_owned)))
                    .collect();
                tables.keep(table, row);
            }
        }
        for dump in tables.dumps.values_mut().chain(tables.plain.values_mut()) {
            dump.sort_unstable();
        }
        Ok(tables)
    }

    fn keep(&mut self, table: &Table, row: Row) {
        let name = &table.name;
        let dump = |is_shown: &dyn Fn(&str) -> bool| {
            let mut cells: Vec<_> = row.iter().filter(|(name, _)| is_shown(name)).collect();
            cells.sort_unstable();
            format!("{cells:?}")
        };
        let is_redacted = |name: &str| is_redacted(table, self.comments.get(&table.name), name);
        let whole = dump(&|name| name != LOADED_AT);
        let plain = dump(&|name| name != LOADED_AT && !is_redacted(name));
        self.dumps.entry(name.clone()).or_default().push(whole);
        if !is_wiped(table, &row) {
            self.plain.entry(name.clone()).or_default().push(plain);
        }
        let cells = |names: &mut dyn Iterator<Item = &str>| -> Vec<String> {
            names.map(|name| row[name].clone().unwrap_or_default()).collect()
        };
        let state = cells(&mut table.key.iter().map(String::as_str).chain(STATE));
        let key = cells(&mut table.key.iter().map(String::as_str));
        *self.states.entry((name.clone(), state)).or_default() += 1;
        self.rows.entry(name.clone()).or_default().insert(key, row);
    }

    /// The number of rows by table, every state of a row counted.
    pub fn counts(&self) -> BTreeMap<String, usize> {
        self.dumps
            .iter()
            .map(|(table, dump)| (table.clone(), dump.len()))
            .collect()
    }

    /// States that stand there more than once.
    pub fn doubled(&self) -> Vec<String> {
        let doubled = self.states.iter().filter(|(_, count)| **count > 1);
        doubled
            .map(|((table, state), count)| format!("{table} {}: {count} times", state.join("/")))
            .collect()
    }

    /// Rows that only one of both holds, when they were loaded aside.
    pub fn differences(&self, other: &Self) -> Vec<String> {
        differences(&self.dumps, &other.dumps)
    }

    /// The same, what is redacted aside.
    pub fn plain_differences(&self, other: &Self) -> Vec<String> {
        differences(&self.plain, &other.plain)
    }

    /// All that the tables hold but when it was loaded, sorted.
    pub fn dumps(&self) -> &BTreeMap<String, Vec<String>> {
        &self.dumps
    }
}

/// Claims that a row has hung on a ticket and holds its key alone.
fn is_wiped(table: &Table, row: &Row) -> bool {
    let is_kept = |name: &String| table.key.contains(name) || META_FIELDS.iter().any(|(meta, ..)| meta == name);
    let mut held = row
        .iter()
        .filter(|(name, value)| value.is_some() && !is_kept(name) && *name != LOADED_AT);
    table.erase.ticket.is_some() && row["_deleted"].as_deref() == Some("t") && held.next().is_none()
}

/// Claims that a column's values, or some of them, are redacted: by its comment, as custom fields are in no catalog.
fn is_redacted(table: &Table, comments: Option<&Vec<(String, String)>>, name: &str) -> bool {
    let is_mixed = |held: &Column| held.name == name && !held.changes.is_empty();
    let mut said = comments.into_iter().flatten();
    said.any(|(column, comment)| column == name && comment.ends_with(": redact]")) || table.columns.iter().any(is_mixed)
}

fn differences(one: &BTreeMap<String, Vec<String>>, other: &BTreeMap<String, Vec<String>>) -> Vec<String> {
    let rows = |dumps: &BTreeMap<String, Vec<String>>| -> BTreeMap<(String, String), usize> {
        let rows = dumps
            .iter()
            .flat_map(|(table, dump)| dump.iter().map(|row| (table.clone(), row.clone())));
        tally(rows)
    };
    let (one, other) = (rows(one), rows(other));
    let missing = |of: &BTreeMap<_, _>, from: &BTreeMap<_, _>, which: &str| -> Vec<String> {
        let missing = of.iter().filter(|(row, count)| from.get(*row) != Some(*count));
        missing
            .map(|((table, row), count)| format!("{count} {which} of {table}: {row}"))
            .collect()
    };
    [missing(&one, &other, "before"), missing(&other, &one, "after")].concat()
}

/// What is said about the columns of a schema's tables.
async fn comments(
    client: &tokio_postgres::Client,
    schema: &str,
) -> anyhow::Result<HashMap<String, Vec<(String, String)>>> {
    let query = "SELECT table_name::text, column_name::text, col_description(\
        format('%I.%I', table_schema, table_name)::regclass, ordinal_position)\
        FROM information_schema.columns WHERE table_schema = $1";
    let mut comments: HashMap<_, Vec<_>> = HashMap::new();
    for row in client.query(query, &[&schema]).await? {
        let comment: Option<String> = row.get(2);
        let of: &mut Vec<_> = comments.entry(row.get(0)).or_default();
        of.push((row.get(1), comment.unwrap_or_default()));
    }
    Ok(comments)
}

impl Reader for Tables {
    fn row(
        &mut self,
        table: &str,
        key: &[(String, String)],
        columns: &[String],
    ) -> anyhow::Result<Option<Vec<Option<String>>>> {
        let key: Vec<String> = key.iter().map(|(_, value)| value.clone()).collect();
        let row = self.rows.get(table).and_then(|rows| rows.get(&key));
        Ok(row.map(|row| columns.iter().map(|name| row.get(name).cloned().flatten()).collect()))
    }

    fn live(&mut self, table: &str) -> anyhow::Result<u64> {
        let rows = self.rows.get(table).into_iter().flat_map(HashMap::values);
        Ok(rows.filter(|row| row["_deleted"].as_deref() == Some("f")).count() as u64)
    }

    fn comments(&mut self, table: &str) -> anyhow::Result<Vec<(String, String)>> {
        Ok(self.comments.get(table).cloned().unwrap_or_default())
    }
}

/// Compares every row and column of the tables with the account.
///
/// SLA clocks move without any change of their ticket. What was published of them must be one of the things that
/// were served with the ticket's version, and the table must hold what was published last. Of a record that is gone and
/// that was never published (it stood in a page that a kill lost) there is no row; that no page is lost which the client
/// went on behind, [`exactly_once`](crate::counts::exactly_once) proves.
pub async fn against_the_account(world: &World, topics: &mut Topics, tables: &mut Tables) -> anyhow::Result<Report> {
    let users: Vec<Value> = world
        .simulator
        .records(Collection::Users)
        .filter_map(|truth| serde_json::from_str(&truth.json).ok())
        .collect();
    let root = TokenRoot::parse(&world.token_key()?);
    let values = world.simulator.directory().into_iter();
    let values = values.filter_map(|canary| Some((canary.user_id?, canary.value)));
    let oracle = Oracle {
        erased: Erased::of(&users, values, SOURCE, &root),
        source: SOURCE.into(),
        root,
    };
    let clocks = published_clocks(world, &topics.raw("tickets").await?)?;
    let mut report = Report::default();
    let catalog = Catalog::builtin();
    let held = Collection::ALL.map(|collection| catalog.collection(collection.name()).expect("in the catalog"));
    let fields = |name: &str| {
        let collection = Collection::ALL.into_iter().find(|held| held.name() == name);
        let truths = collection.map(|collection| world.simulator.records(collection));
        let read = |truth: zendesk_sim::Truth| {
            let record = serde_json::from_str(&truth.json).expect("the simulator writes JSON");
            (record, truth.is_removed)
        };
        truths.into_iter().flatten().map(read).collect()
    };
    let customs = Customs::read(&held, fields, tables)?;
    ensure!(customs.count() > 20, "custom fields have columns: {}", customs.count());
    for collection in Collection::ALL {
        let published = topics.raw(collection.name()).await?;
        let seen: BTreeSet<i64> = published.iter().filter_map(|state| state.key.parse().ok()).collect();
        let truths = world.simulator.records(collection).map(|truth| {
            let mut record: Value = serde_json::from_str(&truth.json).expect("the simulator writes JSON");
            if collection == Collection::Tickets
                && let Some(slas) = clocks.get(&truth.id)
            {
                record["slas"] = slas.clone();
            }
            Truth {
                record,
                is_removed: truth.is_removed,
                is_wiped: truth.is_wiped,
                is_unseen: truth.is_removed && !seen.contains(&truth.id),
            }
        });
        let held = Catalog::builtin()
            .collection(collection.name())
            .context("in the catalog")?;
        compare(&oracle, &customs.with(held), truths, tables, &mut report)?;
    }
    Ok(report)
}

/// The clocks of each ticket as they were published last.
fn published_clocks(world: &World, tickets: &[RawState]) -> anyhow::Result<HashMap<i64, Value>> {
    let mut newest: HashMap<i64, (i64, &Value)> = HashMap::new();
    for state in tickets {
        let version = state.json["generated_timestamp"]
            .as_i64()
            .context("a ticket has a version")?;
        let held = newest.entry(state.key.parse()?).or_insert((version, &state.json));
        if version >= held.0 {
            *held = (version, &state.json);
        }
    }
    let mut served: HashMap<i64, Vec<Value>> = HashMap::new();
    for slas in world.simulator.served_slas() {
        if let Some(json) = slas.json {
            served.entry(slas.id).or_default().push(serde_json::from_str(&json)?);
        }
    }
    let mut clocks = HashMap::new();
    for (id, told) in served {
        let (_, ticket) = newest.get(&id).with_context(|| format!("ticket {id} is published"))?;
        let slas = &ticket["slas"];
        ensure!(told.contains(slas), "ticket {id}: its clocks were never served so");
        clocks.insert(id, slas.clone());
    }
    Ok(clocks)
}
