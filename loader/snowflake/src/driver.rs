//! The seam between what is said to Snowflake and how it travels.

use std::path::Path;

use async_trait::async_trait;
use zenfloe_destination::LoadError;

use crate::error::{ApiError, broken};
use crate::rows::Cell;

/// What the tag of every statement begins with.
pub(crate) const APP: &str = "zenfloe-load";

/// A statement with its bound texts, and the table whose account it is charged to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Statement {
    pub(crate) sql: String,
    pub(crate) binds: Vec<String>,
    pub(crate) tag: String,
}

impl Statement {
    pub(crate) fn new(table: &str, sql: impl Into<String>) -> Self {
        Self {
            sql: sql.into(),
            binds: Vec::new(),
            // Read back by whoever adds up what a table costs.
            tag: format!("{{\"app\":\"{APP}\",\"table\":\"{table}\"}}"),
        }
    }

    #[must_use]
    pub(crate) fn bind(mut self, value: impl Into<String>) -> Self {
        self.binds.push(value.into());
        self
    }
}

/// What a statement answers.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct Rows(pub(crate) Vec<Vec<Cell>>);

impl Rows {
    fn cell(&self, column: usize) -> Option<&str> {
        self.0.first()?.get(column)?.as_deref()
    }

    /// The number in a column of the first row.
    pub(crate) fn number(&self, column: usize) -> Result<u64, ApiError> {
        let number = self.cell(column).and_then(|text| text.parse().ok());
        number.ok_or_else(|| broken("a statement did not say how many rows it changed"))
    }

    /// The sum of the first row's numbers: what a MERGE inserted and updated.
    pub(crate) fn sum(&self) -> Result<u64, ApiError> {
        let columns = self.0.first().map_or(0, Vec::len);
        (0..columns).map(|column| self.number(column)).sum()
    }

    /// The rows that a COPY loaded: column `rows_loaded`, or none when it found no file.
    pub(crate) fn copied(&self) -> u64 {
        let loaded = |row: &Vec<Cell>| row.get(3)?.as_deref()?.parse::<u64>().ok();
        self.0.iter().filter_map(loaded).sum()
    }
}

/// Where sessions come from.
#[async_trait]
pub(crate) trait Driver: Send + Sync {
    /// Signs in. Refusals name what to check.
    async fn sign_in(&self) -> Result<Box<dyn Session>, LoadError>;
}

/// A session: statements run in it one after the other.
#[async_trait]
pub(crate) trait Session: Send {
    /// Runs a statement to its end, however long it takes.
    ///
    /// Requests that are lost are sent again under the same id, which the account runs once.
    async fn run(&mut self, statement: &Statement) -> Result<Rows, ApiError>;

    /// Uploads a file to a place of a stage, `@stage/folder/`, under its own name.
    async fn put(&mut self, file: &Path, place: &str, table: &str) -> Result<(), ApiError>;

    /// Ends the session, and with it a transaction that is open.
    async fn end(&mut self);
}
