//! Opens a SQLite file that several programs write and read at once: in WAL mode.
//!
//! Invariant: whoever opens it first, or at the same moment as others, gets a session or waits as long as it said.
//!
//! What it does not know: what stands in the file.

use std::path::Path;
use std::time::{Duration, Instant};

use rusqlite::{Connection, ErrorCode};

/// How often a file that another session holds is tried again.
const PAUSE: Duration = Duration::from_millis(2);

/// Why a file was not opened.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// The folder that the file belongs into is missing and cannot be made.
    #[error("its folder cannot be made: {0}")]
    Folder(#[source] std::io::Error),
    /// SQLite refuses; its messages name the file's tables, never values.
    #[error(transparent)]
    Sqlite(#[from] rusqlite::Error),
}

/// Opens the file for reading and writing; it and its folder are made where they are missing.
///
/// `busy` is how long the opening, and each transaction afterwards, waits for a session that holds the file. The page
/// size, in bytes, counts in a new file only.
pub fn open(path: &Path, page_size: u32, busy: Duration) -> Result<Connection, OpenError> {
    if let Some(folder) = path.parent().filter(|folder| !folder.as_os_str().is_empty()) {
        std::fs::create_dir_all(folder).map_err(OpenError::Folder)?;
    }
    let session = Connection::open(path)?;
    session.busy_timeout(busy)?;
    session.pragma_update(None, "page_size", page_size)?;
    switch(&session, Instant::now() + busy)?;
    Ok(session)
}

/// Where two sessions want to switch a new file, SQLite refuses one of them without its own waiting, as that could be
/// a deadlock (<https://sqlite.org/c3ref/busy_handler.html>); so the waiting is ours.
fn switch(session: &Connection, until: Instant) -> rusqlite::Result<()> {
    loop {
        match session.execute_batch("PRAGMA journal_mode=WAL") {
            Err(error) if is_held(&error) && Instant::now() < until => std::thread::sleep(PAUSE),
            done => return done,
        }
    }
}

fn is_held(error: &rusqlite::Error) -> bool {
    matches!(
        error.sqlite_error_code(),
        Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked)
    )
}
