use rusqlite::ErrorCode;
use zenfloe_destination::LoadError;
use zenfloe_wal::OpenError;

/// What a caller does when the file is not opened.
pub(crate) fn of_opening(error: OpenError) -> LoadError {
    match error {
        OpenError::Folder(_) => LoadError::Forbidden {
            what: error.to_string(),
        },
        OpenError::Sqlite(error) => from(error),
    }
}

/// What a caller does about SQLite's error. SQLite's messages name tables and columns, never values.
pub(crate) fn from(error: rusqlite::Error) -> LoadError {
    let what = error.to_string();
    match error.sqlite_error_code() {
        Some(
            ErrorCode::DatabaseBusy
            | ErrorCode::DatabaseLocked
            | ErrorCode::OperationInterrupted
            | ErrorCode::SystemIoFailure
            | ErrorCode::DiskFull,
        ) => LoadError::Unavailable { what },
        Some(ErrorCode::PermissionDenied | ErrorCode::ReadOnly | ErrorCode::CannotOpen) => {
            LoadError::Forbidden { what }
        }
        _ => LoadError::Broken { what },
    }
}

/// Claims that the row is at fault, not the file.
pub(crate) fn is_about_the_row(error: &rusqlite::Error) -> bool {
    matches!(
        error.sqlite_error_code(),
        Some(ErrorCode::TooBig | ErrorCode::ConstraintViolation | ErrorCode::TypeMismatch)
    )
}

pub(crate) fn broken(what: &str) -> LoadError {
    LoadError::Broken { what: what.to_owned() }
}
