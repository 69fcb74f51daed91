//! The thread that looks after a log while it is open: news from other processes, members kept alive, old records.

use std::sync::{Arc, Weak};
use std::time::{Duration, Instant};

use rusqlite::Connection;
use zenfloe_log::LogError;

use crate::fault::Fault;
use crate::store::Store;
use crate::{clean, group, layout};

/// How soon a commit of another process is noticed. A look costs some microseconds.
const LOOK: Duration = Duration::from_millis(20);
/// The same while nobody waits.
const IDLE_LOOK: Duration = Duration::from_millis(250);

struct Keeper {
    /// Its data version tells of commits by every other connection. See <https://sqlite.org/pragma.html#pragma_data_version>.
    session: Connection,
    version: i64,
    kept_alive: Instant,
    cleaned: Instant,
}

/// Starts the thread; it ends with the store.
pub(crate) fn start(store: &Arc<Store>) -> Result<(), LogError> {
    let session = layout::open_to_read(&store.config).map_err(|fault| fault.at(&store.config.path))?;
    let mut keeper = Keeper {
        session,
        version: 0,
        kept_alive: Instant::now(),
        cleaned: Instant::now(),
    };
    let (bell, weak) = (store.bell.clone(), Arc::downgrade(store));
    let run = move || {
        while let Some(pause) = keeper.turn(&weak) {
            bell.wait(pause);
        }
    };
    let thread = std::thread::Builder::new().name("zenfloe-log".into());
    let started = thread.spawn(run).map_err(|error| LogError::Unavailable {
        what: format!("no thread for the log: {error}"),
    });
    started.map(drop)
}

impl Keeper {
    /// Does what is due; returns when to look again, or nothing when the log is closed.
    fn turn(&mut self, store: &Weak<Store>) -> Option<Duration> {
        let store = store.upgrade()?;
        said("a reader's goodbye", store.bury());
        said("keeping readers alive", self.keep_alive(&store));
        said("retention", self.clean(&store));
        said("a look for news", self.look(&store));
        Some(if store.news.receiver_count() > 0 {
            LOOK
        } else {
            IDLE_LOOK
        })
    }

    fn look(&mut self, store: &Store) -> Result<(), LogError> {
        let version = self.version().map_err(|fault| fault.at(&store.config.path))?;
        if version != self.version {
            self.version = version;
            store.wake();
        }
        Ok(())
    }

    fn version(&self) -> Result<i64, Fault> {
        let mut statement = self.session.prepare_cached("PRAGMA data_version")?;
        Ok(statement.query_row([], |row| row.get(0))?)
    }

    fn keep_alive(&mut self, store: &Store) -> Result<(), LogError> {
        if self.kept_alive.elapsed() < store.config.session / 3 {
            return Ok(());
        }
        self.kept_alive = Instant::now();
        let living = store.living();
        match living.is_empty() {
            true => Ok(()),
            false => store.write_here(|transaction| group::keep_alive(transaction, &living)),
        }
    }

    fn clean(&mut self, store: &Store) -> Result<(), LogError> {
        if self.cleaned.elapsed() < store.config.clean_every {
            return Ok(());
        }
        let cleaned = clean::round(store);
        self.cleaned = Instant::now();
        cleaned.map(drop)
    }
}

fn said(what: &str, done: Result<(), LogError>) {
    if let Err(error) = done {
        tracing::warn!(%error, "{what} did not work; it is tried again");
    }
}
