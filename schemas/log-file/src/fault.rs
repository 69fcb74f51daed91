//! SQLite's errors in the words of the log's contract.

use std::path::Path;

use rusqlite::ErrorCode;
use zenfloe_log::LogError;
use zenfloe_wal::OpenError;

/// What goes wrong within a transaction: SQLite, or our own rules.
#[derive(Debug)]
pub(crate) enum Fault {
    Sql(rusqlite::Error),
    /// The file's folder cannot be made.
    Folder(OpenError),
    Log(LogError),
}

impl From<rusqlite::Error> for Fault {
    fn from(error: rusqlite::Error) -> Self {
        Self::Sql(error)
    }
}

impl From<OpenError> for Fault {
    fn from(error: OpenError) -> Self {
        match error {
            OpenError::Sqlite(error) => Self::Sql(error),
            OpenError::Folder(_) => Self::Folder(error),
        }
    }
}

impl From<LogError> for Fault {
    fn from(error: LogError) -> Self {
        Self::Log(error)
    }
}

impl Fault {
    /// The error for the caller. SQLite's messages name tables and columns, never values.
    pub(crate) fn at(self, path: &Path) -> LogError {
        match self {
            Self::Log(error) => error,
            Self::Sql(error) => of_sqlite(&error, path),
            Self::Folder(error) => LogError::Forbidden {
                what: format!("{}: {error}", path.display()),
            },
        }
    }
}

fn of_sqlite(error: &rusqlite::Error, path: &Path) -> LogError {
    let what = format!("{}: {error}", path.display());
    match error.sqlite_error_code() {
        Some(
            ErrorCode::DatabaseBusy
            | ErrorCode::DatabaseLocked
            | ErrorCode::OperationInterrupted
            | ErrorCode::SystemIoFailure
            | ErrorCode::DiskFull
            | ErrorCode::OutOfMemory,
        ) => LogError::Unavailable { what },
        Some(ErrorCode::PermissionDenied | ErrorCode::ReadOnly | ErrorCode::CannotOpen) => LogError::Forbidden { what },
        Some(ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase) => damaged(path, &error.to_string()),
        _ => LogError::Broken { what },
    }
}

/// The file is damaged, or no log.
pub(crate) fn damaged(path: &Path, why: &str) -> LogError {
    LogError::Broken {
        what: format!(
            "{} is damaged or no log ({why}); restore it, or move it away with its -wal and -shm files and start anew",
            path.display()
        ),
    }
}

pub(crate) fn broken(what: impl Into<String>) -> LogError {
    LogError::Broken { what: what.into() }
}
