//! The destination's tables, read for the oracle and for comparing two moments.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use anyhow::{Context as _, ensure};
use serde_json::Value;
use tokio_postgres::{NoTls, SimpleQueryMessage};
use zendesk_sim::Collection;
use zenfloe_catalog::Catalog;
use zenfloe_oracle::compare::{Reader, Report, Truth, compare};
use zenfloe_oracle::custom::Customs;
use zenfloe_oracle::oracle::{Erased, Oracle};
use zenfloe_oracle::token::TokenRoot;

use crate::world::SOURCE;
use crate::{RawState, Topics, World};

/// The texts of a row, by column.
type Row = HashMap<String, Option<String>>;

/// Tables of one schema, in memory.
pub struct Tables {
    rows: HashMap<String, HashMap<Vec<String>, Row>>,
    dumps: BTreeMap<String, Vec<String>>,
    comments: HashMap<String, Vec<(String, String)>>,
}

impl Tables {
    /// Reads every table of the collections that are on by default.
    pub async fn read(world: &World, schema: &str) -> anyhow::Result<Self> {
        let (client, connection) = tokio_postgres::connect(&world.postgres.url("postgres"), NoTls).await?;
        tokio::spawn(connection);
        let mut tables = Self {
            rows: HashMap::new(),
            dumps: BTreeMap::new(),
            comments: comments(&client, schema).await?,
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
                tables.keep(&table.name, &table.key, row);
            }
        }
        tables.dumps.values_mut().for_each(|dump| dump.sort_unstable());
        Ok(tables)
    }

    fn keep(&mut self, table: &str, key: &[String], row: Row) {
        let mut cells: Vec<_> = row.iter().filter(|(name, _)| *name != "_loaded_at").collect();
        cells.sort_unstable();
        self.dumps
            .entry(table.to_owned())
            .or_default()
            .push(format!("{cells:?}"));
        let key = key.iter().map(|name| row[name].clone().unwrap_or_default()).collect();
        self.rows.entry(table.to_owned()).or_default().insert(key, row);
    }

    /// The number of rows by table, every state of a row counted.
    pub fn counts(&self) -> BTreeMap<String, usize> {
        self.dumps
            .iter()
            .map(|(table, dump)| (table.clone(), dump.len()))
            .collect()
    }

    /// All that the tables hold but when it was loaded, sorted.
    pub fn dumps(&self) -> &BTreeMap<String, Vec<String>> {
        &self.dumps
    }
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
