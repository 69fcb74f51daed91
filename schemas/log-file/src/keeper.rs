//! The threads that look after a log while it is open: news from other processes and members kept alive; old records.

use std::sync::{Arc, Weak};
use std::time::{Duration, Instant};

use rusqlite::Connection;
use zenfloe_log::LogError;

use crate::fault::Fault;
use crate::store::Store;
use crate::{clean, group, layout};

/// How soon a commit of another process is noticed; this process's own wake its readers at once.
const LOOK: Duration = Duration::from_millis(50);
/// The same while nobody waits.
const IDLE_LOOK: Duration = Duration::from_millis(250);

struct Keeper {
    /// Its data version tells of commits by every other connection. See <https://sqlite.org/pragma.html#pragma_data_version>.
    session: Connection,
    version: i64,
    kept_alive: Instant,
}

/// Starts the threads; they end with the store.
pub(crate) fn start(store: &Arc<Store>) -> Result<(), LogError> {
    let session = layout::open_to_read(&store.config).map_err(|fault| fault.at(&store.config.path))?;
    let mut keeper = Keeper {
        session,
        version: 0,
        kept_alive: Instant::now(),
    };
    let (bell, weak) = (store.bell.clone(), Arc::downgrade(store));
    spawn("zenfloe-log", move || {
        while let Some(pause) = keeper.turn(&weak) {
            bell.wait(pause);
        }
    })?;
    // Retention of much takes long, which those who must be kept alive cannot wait for.
    let weak = Arc::downgrade(store);
    spawn("zenfloe-clean", move || while clean(&weak) {})
}

fn spawn(name: &str, work: impl FnOnce() + Send + 'static) -> Result<(), LogError> {
    let started = std::thread::Builder::new().name(name.into()).spawn(work);
    started.map(drop).map_err(|error| LogError::Unavailable {
        what: format!("no thread for the log: {error}"),
    })
}

/// Cleans, and waits until it is time again; `false` when the log is closed.
fn clean(store: &Weak<Store>) -> bool {
    let Some(held) = store.upgrade() else { return false };
    said("retention", clean::round(&held).map(drop));
    let pause = held.config.clean_every;
    drop(held);
    let begun = Instant::now();
    while begun.elapsed() < pause {
        std::thread::sleep(pause.saturating_sub(begun.elapsed()).min(IDLE_LOOK));
        if store.strong_count() == 0 {
            return false;
        }
    }
    true
}

impl Keeper {
    /// Does what is due; returns when to look again, or nothing when the log is closed.
    fn turn(&mut self, store: &Weak<Store>) -> Option<Duration> {
        let store = store.upgrade()?;
        said("a reader's goodbye", store.bury());
        said("keeping readers alive", self.keep_alive(&store));
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
}

fn said(what: &str, done: Result<(), LogError>) {
    if let Err(error) = done {
        tracing::warn!(%error, "{what} did not work; it is tried again");
    }
}
