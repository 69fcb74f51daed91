//! The embedded registry: three small tables in a SQLite file, also in that of the embedded log.

use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use apache_avro::Schema;
use apache_avro::schema_compatibility::{Compatibility, SchemaCompatibility};
use async_trait::async_trait;
use rusqlite::{Connection, ErrorCode, OptionalExtension, Transaction, TransactionBehavior, params};
use zenfloe_wal::OpenError;

use crate::error::broken;
use crate::{Registry, RegistryError};

const TABLES: &str = "
CREATE TABLE IF NOT EXISTS registry_schemas (
    id INTEGER PRIMARY KEY AUTOINCREMENT, schema TEXT NOT NULL UNIQUE
);
CREATE TABLE IF NOT EXISTS registry_versions (
    subject TEXT NOT NULL, version INTEGER NOT NULL, schema_id INTEGER NOT NULL REFERENCES registry_schemas,
    PRIMARY KEY (subject, version), UNIQUE (subject, schema_id)
) WITHOUT ROWID;";

/// How long another writer of the file is waited for.
const BUSY: Duration = Duration::from_secs(30);

/// The page size in bytes of a new file, which is the embedded log's.
const PAGE: u32 = 8192;

/// A registry in a SQLite file; clones are the same registry.
#[derive(Clone)]
pub struct FileRegistry(Arc<Mutex<Connection>>);

impl FileRegistry {
    /// Opens the registry in this file; file, folder and tables are made where they are missing.
    pub async fn open(path: impl Into<PathBuf>) -> Result<Self, RegistryError> {
        let path = path.into();
        blocking(move || {
            let session = zenfloe_wal::open(&path, PAGE, BUSY).map_err(|error| at_file(&path, of_opening(error)))?;
            // An id that is given out must not be forgotten when the power fails: values carry it.
            let durable = session.pragma_update(None, "synchronous", "FULL");
            durable.map_err(|error| at_file(&path, of_sqlite(error)))?;
            Self::over(session).map_err(|error| at_file(&path, error))
        })
        .await
    }

    /// A registry that ends with its last clone, for tests.
    pub fn in_memory() -> Result<Self, RegistryError> {
        Self::over(Connection::open_in_memory().map_err(of_sqlite)?)
    }

    fn over(mut session: Connection) -> Result<Self, RegistryError> {
        let transaction = begin(&mut session)?;
        transaction.execute_batch(TABLES).map_err(of_sqlite)?;
        transaction.commit().map_err(of_sqlite)?;
        Ok(Self(Arc::new(Mutex::new(session))))
    }

    async fn with<T: Send + 'static>(
        &self,
        work: impl FnOnce(&mut Connection) -> Result<T, RegistryError> + Send + 'static,
    ) -> Result<T, RegistryError> {
        let session = self.0.clone();
        blocking(move || work(&mut session.lock().unwrap_or_else(PoisonError::into_inner))).await
    }
}

#[async_trait]
impl Registry for FileRegistry {
    async fn register(&self, subject: &str, schema: &str) -> Result<u32, RegistryError> {
        let (subject, schema) = (subject.to_owned(), schema.to_owned());
        self.with(move |session| {
            let transaction = begin(session)?;
            let id = match id_in(&transaction, &subject, &schema)? {
                Some(id) => id,
                None => add(&transaction, &subject, &schema)?,
            };
            transaction.commit().map_err(of_sqlite)?;
            Ok(id)
        })
        .await
    }

    async fn schema(&self, id: u32) -> Result<Arc<str>, RegistryError> {
        self.with(move |session| {
            let select = "SELECT schema FROM registry_schemas WHERE id = ?1";
            let text = session
                .query_row(select, [id], |row| row.get::<_, String>(0))
                .optional();
            text.map_err(of_sqlite)?
                .map(Arc::from)
                .ok_or(RegistryError::Unknown { id })
        })
        .await
    }

    async fn ping(&self) -> Result<(), RegistryError> {
        let count = "SELECT count(*) FROM registry_versions";
        self.with(move |session| session.query_row(count, [], |_| Ok(())).map_err(of_sqlite))
            .await
    }
}

/// The id of a schema that the subject has.
fn id_in(transaction: &Transaction<'_>, subject: &str, schema: &str) -> Result<Option<u32>, RegistryError> {
    let select =
        "SELECT id FROM registry_versions JOIN registry_schemas ON id = schema_id WHERE subject = ?1 AND schema = ?2";
    transaction
        .query_row(select, [subject, schema], |row| row.get(0))
        .optional()
        .map_err(of_sqlite)
}

fn add(transaction: &Transaction<'_>, subject: &str, schema: &str) -> Result<u32, RegistryError> {
    let new = Schema::parse_str(schema).map_err(|error| RegistryError::Invalid {
        subject: subject.to_owned(),
        why: error.to_string(),
    })?;
    let earlier = versions(transaction, subject)?;
    earlier
        .iter()
        .try_for_each(|(version, text)| check(subject, *version, text, &new))?;
    let insert = "INSERT INTO registry_schemas (schema) VALUES (?1) ON CONFLICT DO NOTHING";
    transaction.execute(insert, [schema]).map_err(of_sqlite)?;
    let select = "SELECT id FROM registry_schemas WHERE schema = ?1";
    let id: u32 = transaction
        .query_row(select, [schema], |row| row.get(0))
        .map_err(of_sqlite)?;
    let version = earlier.last().map_or(1, |(version, _)| version + 1);
    let insert = "INSERT INTO registry_versions VALUES (?1, ?2, ?3)";
    transaction
        .execute(insert, params![subject, version, id])
        .map_err(of_sqlite)?;
    Ok(id)
}

/// A subject's schemas, the oldest first.
fn versions(transaction: &Transaction<'_>, subject: &str) -> Result<Vec<(u32, String)>, RegistryError> {
    let select = "SELECT version, schema FROM registry_versions JOIN registry_schemas ON id = schema_id
        WHERE subject = ?1 ORDER BY version";
    let mut statement = transaction.prepare(select).map_err(of_sqlite)?;
    let rows = statement
        .query_map([subject], |row| Ok((row.get(0)?, row.get(1)?)))
        .map_err(of_sqlite)?;
    rows.collect::<Result<_, _>>().map_err(of_sqlite)
}

/// Refuses a schema that cannot read all that an earlier one could write.
fn check(subject: &str, version: u32, earlier: &str, new: &Schema) -> Result<(), RegistryError> {
    let written = Schema::parse_str(earlier)
        .map_err(|error| broken(format!("version {version} of `{subject}` is damaged: {error}")))?;
    let why = match SchemaCompatibility::can_read(&written, new) {
        Ok(Compatibility::Full) => return Ok(()),
        Ok(Compatibility::Partial) => "some values would have no place".to_owned(),
        Err(error) => causes(&error),
    };
    Err(RegistryError::Incompatible {
        subject: subject.to_owned(),
        why: format!("version {version}: {why}"),
    })
}

/// An error with its causes, in one line.
fn causes(error: &dyn std::error::Error) -> String {
    let mut said = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        said = format!("{said}: {error}");
        cause = error.source();
    }
    said.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// Begins a transaction that holds the file's write lock from now on.
fn begin(session: &mut Connection) -> Result<Transaction<'_>, RegistryError> {
    session
        .transaction_with_behavior(TransactionBehavior::Immediate)
        .map_err(of_sqlite)
}

fn of_opening(error: OpenError) -> RegistryError {
    match error {
        OpenError::Folder(_) => RegistryError::Forbidden {
            what: error.to_string(),
        },
        OpenError::Sqlite(error) => of_sqlite(error),
    }
}

fn of_sqlite(error: rusqlite::Error) -> RegistryError {
    let what = error.to_string();
    match error.sqlite_error_code() {
        Some(
            ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked | ErrorCode::SystemIoFailure | ErrorCode::DiskFull,
        ) => RegistryError::Away { what },
        Some(ErrorCode::PermissionDenied | ErrorCode::ReadOnly | ErrorCode::CannotOpen) => {
            RegistryError::Forbidden { what }
        }
        _ => RegistryError::Broken { what },
    }
}

/// The same error with the file's name.
fn at_file(path: &std::path::Path, error: RegistryError) -> RegistryError {
    let named = |what: String| format!("{}: {what}", path.display());
    match error {
        RegistryError::Away { what } => RegistryError::Away { what: named(what) },
        RegistryError::Forbidden { what } => RegistryError::Forbidden { what: named(what) },
        RegistryError::Broken { what } => RegistryError::Broken { what: named(what) },
        other => other,
    }
}

async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, RegistryError> + Send + 'static,
) -> Result<T, RegistryError> {
    let done = tokio::task::spawn_blocking(work).await;
    done.unwrap_or_else(|_| Err(broken("a transaction panicked")))
}
