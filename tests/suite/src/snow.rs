//! Snowflake's tables beside PostgreSQL's, which are compared with the account.

use anyhow::{Context as _, ensure};
use snowflake_sim::Reader;
use tokio_postgres::{Client, NoTls};
use zenfloe_catalog::Catalog;

use crate::World;

/// Columns whose texts are made alike, as PostgreSQL selects them.
struct Column {
    name: String,
    text: String,
}

/// Compares every live row of the tables of one PostgreSQL schema with Snowflake's of a suffix, all columns but JSON, fractions and the
/// time of loading; returns how many cells these were.
///
/// Whether a row that a fence takes away leaves its key behind depends on whether both came in one flush.
pub async fn same_as(world: &World, schema: &str, suffix: &str) -> anyhow::Result<usize> {
    let (client, connection) = tokio_postgres::connect(&world.postgres.url("postgres"), NoTls).await?;
    tokio::spawn(connection);
    let reader = reader(world).await?;
    let mut cells = 0;
    for table in tables() {
        let columns = columns(&client, schema, &table).await?;
        let names: Vec<&str> = columns.iter().map(|column| column.name.as_str()).collect();
        let (mut theirs, mut ours) = (
            rows(&client, schema, &table, &columns).await?,
            reader.select(&format!("{table}{suffix}"), &names).await?,
        );
        let deleted = names.iter().position(|name| *name == "_deleted");
        let deleted = deleted.with_context(|| format!("{table} has a mark of what is deleted"))?;
        for rows in [&mut theirs, &mut ours] {
            rows.retain(|row| row[deleted].as_deref() == Some("false"));
            rows.sort_unstable();
        }
        ensure!(
            ours.len() == theirs.len(),
            "{table}: {} rows and {}",
            ours.len(),
            theirs.len()
        );
        for (ours, theirs) in ours.iter().zip(&theirs) {
            let different = (0..names.len()).find(|column| ours[*column] != theirs[*column]);
            ensure!(different.is_none(), "{table}.{}", names[different.unwrap_or_default()]);
        }
        cells += ours.len() * names.len();
    }
    Ok(cells)
}

async fn reader(world: &World) -> anyhow::Result<Reader> {
    Reader::open(world.engine.url(), "ZENDESK", "MART_ZENDESK").await
}

fn tables() -> Vec<String> {
    let collections = Catalog::builtin().collections().iter();
    let tables = collections
        .filter(|collection| collection.tier == 1)
        .flat_map(|collection| &collection.tables);
    tables.map(|table| table.name.clone()).collect()
}

async fn columns(client: &Client, schema: &str, table: &str) -> anyhow::Result<Vec<Column>> {
    let query = "SELECT column_name::text, data_type::text FROM information_schema.columns \
                 WHERE table_schema = $1 AND table_name = $2 AND column_name <> '_loaded_at' ORDER BY column_name";
    let found = client.query(query, &[&schema, &table]).await?;
    let time = "'YYYY-MM-DD HH24:MI:SS.US'";
    let column = |row: &tokio_postgres::Row| {
        let (name, kind): (String, String) = (row.get(0), row.get(1));
        let text = match kind.as_str() {
            "bigint" | "integer" | "text" | "boolean" | "date" => format!("\"{name}\"::text"),
            "timestamp with time zone" => format!("to_char(\"{name}\" AT TIME ZONE 'UTC', {time})"),
            "timestamp without time zone" => format!("to_char(\"{name}\", {time})"),
            _ => return None,
        };
        Some(Column { name, text })
    };
    let columns: Vec<Column> = found.iter().filter_map(column).collect();
    ensure!(columns.len() > 7, "{schema}.{table} has {} columns", columns.len());
    Ok(columns)
}

async fn rows(
    client: &Client,
    schema: &str,
    table: &str,
    columns: &[Column],
) -> anyhow::Result<Vec<Vec<Option<String>>>> {
    let texts: Vec<&str> = columns.iter().map(|column| column.text.as_str()).collect();
    let query = format!("SELECT {} FROM {schema}.\"{table}\"", texts.join(", "));
    let found = client.query(&query, &[]).await?;
    let row = |row: &tokio_postgres::Row| (0..columns.len()).map(|column| row.get(column)).collect();
    Ok(found.iter().map(row).collect())
}
