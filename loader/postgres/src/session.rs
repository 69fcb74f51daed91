//! A connection, and what is remembered of it.

use std::collections::{HashMap, HashSet};

use tokio_postgres::types::{ToSql, Type};
use tokio_postgres::{Client, Row, SimpleQueryMessage};
use zenfloe_destination::{Faults, LoadError};

use crate::error::{self, Trouble, broken, forbidden};
use crate::sql::Place;
use crate::staging::{Staged, StagedKey};
use crate::{Config, ledger, tls};

/// Who may be waited for by name: the first half of our advisory locks' keys ("zenf").
const LOCKS: i32 = 0x7a65_6e66;

/// A signed-in session. Dropping it ends it, and what it had begun.
pub(crate) struct Session {
    client: Client,
    pub(crate) place: Place,
    /// The temporary tables of this session.
    pub(crate) staged: HashMap<StagedKey, Staged>,
    /// Tables and columns that have an index for fences.
    pub(crate) indexed: HashSet<(String, String)>,
}

/// A parameter of a statement with its type.
pub(crate) type Parameter<'p> = (&'p (dyn ToSql + Sync), Type);

impl Session {
    /// Signs in and makes the schema and the ledger where they are missing.
    pub(crate) async fn open(config: &Config) -> Result<Self, LoadError> {
        let (client, connection) = config
            .driver()?
            .connect(tls::connector(config)?)
            .await
            .map_err(error::from)?;
        // Ends when the client is dropped; what fails there, the client's calls tell.
        tokio::spawn(async move {
            if let Err(error) = connection.await {
                tracing::debug!("a session ended: {error}");
            }
        });
        let session = Self {
            client,
            place: Place::new(&config.schema),
            staged: HashMap::new(),
            indexed: HashSet::new(),
        };
        session.run(&settings(config)).await?;
        ledger::make(&session).await?;
        Ok(session)
    }

    /// Claims that the connection stands, as far as is known.
    pub(crate) fn is_alive(&self) -> bool {
        !self.client.is_closed()
    }

    /// Says which right is missing before a flush finds out.
    pub(crate) async fn check_rights(&self) -> Result<(), LoadError> {
        let ask = "SELECT has_schema_privilege($1, 'USAGE'), has_schema_privilege($1, 'CREATE'),
            has_database_privilege(current_database(), 'TEMPORARY'), current_user::text, current_database()::text";
        let row = self.query(ask, &[(&self.place.schema(), Type::TEXT)]).await?;
        let row = row.first().ok_or_else(|| broken("a SELECT without FROM has no row"))?;
        let (user, database): (&str, &str) = (row.get(3), row.get(4));
        if !row.get::<_, bool>(0) || !row.get::<_, bool>(1) {
            let schema = self.place.schema();
            return Err(forbidden(format!(
                "`{user}` may not make tables: GRANT USAGE, CREATE ON SCHEMA {schema} TO {user}"
            )));
        }
        if !row.get::<_, bool>(2) {
            return Err(forbidden(format!(
                "`{user}` may not make temporary tables: GRANT TEMPORARY ON DATABASE {database} TO {user}"
            )));
        }
        Ok(())
    }

    /// Runs statements without parameters; returns the rows that the last one changed.
    pub(crate) async fn run(&self, sql: &str) -> Result<u64, LoadError> {
        self.try_run(sql).await.map_err(error::from)
    }

    async fn try_run(&self, sql: &str) -> Result<u64, tokio_postgres::Error> {
        let messages = self.client.simple_query(sql).await?;
        let counts = messages.iter().filter_map(|message| match message {
            SimpleQueryMessage::CommandComplete(count) => Some(*count),
            _ => None,
        });
        Ok(counts.last().unwrap_or(0))
    }

    /// Runs a statement with parameters; returns the rows that it changed.
    pub(crate) async fn execute(&self, sql: &str, parameters: &[Parameter<'_>]) -> Result<u64, LoadError> {
        self.client.execute_typed(sql, parameters).await.map_err(error::from)
    }

    /// Runs a query.
    pub(crate) async fn query(&self, sql: &str, parameters: &[Parameter<'_>]) -> Result<Vec<Row>, LoadError> {
        self.client.query_typed(sql, parameters).await.map_err(error::from)
    }

    /// Runs `work` in a transaction that only one session at a time is in, for changes of tables.
    pub(crate) async fn alone<T>(&self, work: impl AsyncFnOnce() -> Result<T, LoadError>) -> Result<T, LoadError> {
        self.run("BEGIN").await?;
        let result = async {
            // A change of a table waits for whoever uses it, and whoever comes later waits for the change: not for long.
            self.run("SET LOCAL lock_timeout = '10s'").await?;
            let lock = "SELECT pg_advisory_xact_lock($1, hashtext($2))";
            self.query(lock, &[(&LOCKS, Type::INT4), (&self.place.schema(), Type::TEXT)])
                .await?;
            let done = work().await?;
            self.run("COMMIT").await?;
            Ok(done)
        };
        let result = result.await;
        if result.is_err() {
            self.roll_back().await;
        }
        result
    }

    /// Ends a transaction that failed. A session that cannot even do that is closed, and opened anew at the next use.
    pub(crate) async fn roll_back(&self) {
        if let Err(error) = self.run("ROLLBACK").await {
            tracing::debug!("a transaction ended with its session: {error}");
        }
    }
}

/// What every session says first.
fn settings(config: &Config) -> String {
    format!(
        "SET TimeZone = 'UTC'; SET standard_conforming_strings = on; SET client_min_messages = warning;
        SET statement_timeout = {}; SET lock_timeout = {}; SET idle_in_transaction_session_timeout = '10min';
        SET jit = off; SET temp_buffers = '16MB'", // compiling a statement of 60 columns takes longer than running it
        config.statement_timeout.as_millis(),
        config.lock_timeout.as_millis(),
    )
}

/// The statements of a flush or an erasure, each of which a test may fail or hold.
#[derive(Clone, Copy)]
pub(crate) struct Statements<'s> {
    pub(crate) session: &'s Session,
    pub(crate) faults: &'s Faults,
}

impl Statements<'_> {
    pub(crate) async fn run(&self, sql: &str) -> Result<u64, LoadError> {
        self.faults.before_statement_async().await?;
        self.session.run(sql).await
    }

    /// The same where the rows may be at fault.
    pub(crate) async fn write(&self, sql: &str) -> Result<u64, Trouble> {
        self.faults.before_statement_async().await?;
        Ok(self.session.try_run(sql).await?)
    }

    pub(crate) async fn execute(&self, sql: &str, parameters: &[Parameter<'_>]) -> Result<u64, LoadError> {
        self.faults.before_statement_async().await?;
        self.session.execute(sql, parameters).await
    }

    pub(crate) async fn query(&self, sql: &str, parameters: &[Parameter<'_>]) -> Result<Vec<Row>, LoadError> {
        self.faults.before_statement_async().await?;
        self.session.query(sql, parameters).await
    }

    /// Begins a `COPY … FROM STDIN`.
    pub(crate) async fn copy(&self, sql: &str) -> Result<tokio_postgres::CopyInSink<bytes::Bytes>, Trouble> {
        self.faults.before_statement_async().await?;
        Ok(self.session.client.copy_in(sql).await?)
    }

    pub(crate) async fn begin(&self) -> Result<(), LoadError> {
        self.run("BEGIN ISOLATION LEVEL READ COMMITTED").await.map(drop)
    }

    pub(crate) async fn commit(&self) -> Result<(), LoadError> {
        self.run("COMMIT").await?;
        self.faults.after_commit()
    }
}
