//! A second, independent way to look at what is in the store.

use std::path::Path;

use anyhow::{Context, Result, bail};
use serde_json::{Value as Json, json};

use crate::results;

/// A session on an engine that reads tables as text.
#[derive(Debug)]
pub struct Reader {
    http: reqwest::Client,
    url: String,
    token: String,
}

impl Reader {
    /// Signs in to an engine, which takes anybody.
    pub async fn open(url: &str, database: &str, schema: &str) -> Result<Self> {
        let http = crate::http_client()?;
        let login = format!("{url}/session/v1/login-request?databaseName={database}&schemaName={schema}");
        let body = json!({"data": {"SESSION_PARAMETERS": {}}});
        let answer: Json = http.post(login).json(&body).send().await?.json().await?;
        let token = answer["data"]["token"].as_str().context("no session")?.to_owned();
        Ok(Self {
            http,
            url: url.to_owned(),
            token,
        })
    }

    /// Runs a statement whose result has texts, numbers and booleans alone.
    pub async fn query(&self, sql: &str) -> Result<Vec<Vec<Option<String>>>> {
        let request = self
            .http
            .post(format!("{}/queries/v1/query-request?requestId=reader", self.url));
        let request = request.header("Authorization", format!("Snowflake Token=\"{}\"", self.token));
        let mut answer: Json = request.json(&json!({"sqlText": sql})).send().await?.json().await?;
        if answer["success"] != true {
            bail!("{sql}: {}", answer["message"]);
        }
        results::to_json(&mut answer)?;
        serde_json::from_value(answer["data"]["rowset"].take()).context("rows of texts")
    }

    /// Uploads a file to a stage of the session's schema, as drivers do.
    pub async fn put(&self, file: &Path, stage: &str) -> Result<()> {
        let request = self
            .http
            .post(format!("{}/queries/v1/query-request?requestId=reader", self.url));
        let request = request.header("Authorization", format!("Snowflake Token=\"{}\"", self.token));
        let sql = format!(
            "PUT 'file://{}' @{stage}/ AUTO_COMPRESS=FALSE OVERWRITE=TRUE",
            file.display()
        );
        let answer: Json = request.json(&json!({"sqlText": sql})).send().await?.json().await?;
        let address = answer["data"]["stageInfo"]["presignedUrl"]
            .as_str()
            .context("no address")?;
        let bytes = tokio::fs::read(file).await.context("reading a file")?;
        self.http.put(address).body(bytes).send().await?.error_for_status()?;
        Ok(())
    }

    /// The columns of every row of a table, ordered by them: times as `2026-01-31 23:59:59.000001`, JSON as its text.
    pub async fn select(&self, table: &str, columns: &[&str]) -> Result<Vec<Vec<Option<String>>>> {
        let is_time = self.times(table, columns).await?;
        let name = |column: &&str| format!("\"{}\"", column.to_ascii_uppercase());
        let texts: Vec<String> = columns
            .iter()
            .map(|column| format!("{}::VARCHAR", name(column)))
            .collect();
        let order: Vec<String> = columns
            .iter()
            .map(|column| format!("{} NULLS FIRST", name(column)))
            .collect();
        let (texts, order) = (texts.join(", "), order.join(", "));
        let sql = format!(
            "SELECT {texts} FROM \"{}\" ORDER BY {order}",
            table.to_ascii_uppercase()
        );
        let mut rows = self.query(&sql).await?;
        for row in &mut rows {
            for (cell, _) in row.iter_mut().zip(&is_time).filter(|(_, is_time)| **is_time) {
                *cell = cell.take().map(with_micros);
            }
        }
        Ok(rows)
    }

    async fn times(&self, table: &str, columns: &[&str]) -> Result<Vec<bool>> {
        let table = table.to_ascii_uppercase();
        let sql = format!(
            "SELECT COLUMN_NAME FROM INFORMATION_SCHEMA.COLUMNS WHERE TABLE_NAME = '{table}' AND DATA_TYPE LIKE 'TIMESTAMP%'"
        );
        let found = self.query(&sql).await?;
        let is_time = |column: &&str| {
            let column = Some(column.to_ascii_uppercase());
            found.iter().any(|row| row[0] == column)
        };
        Ok(columns.iter().map(is_time).collect())
    }
}

/// The engine leaves zeros away.
fn with_micros(time: String) -> String {
    match time.split_once('.') {
        Some((seconds, fraction)) => format!("{seconds}.{fraction:0<6}"),
        None => format!("{time}.000000"),
    }
}
