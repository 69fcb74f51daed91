//! The file's connections: one that writes, some that read, each used on threads that may block.

use std::collections::{BTreeSet, HashMap};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use rusqlite::{Connection, Transaction, TransactionBehavior};
use tokio::sync::watch;
use tokio::task::spawn_blocking;
use zenfloe_log::LogError;

use crate::fault::{Fault, broken};
use crate::lanes::Topic;
use crate::{Config, group, layout, process};

pub(crate) struct Store {
    pub(crate) config: Config,
    /// Who we are, as [`process::is_gone`] understands it.
    pub(crate) process: String,
    /// Wakes waiting readers.
    pub(crate) news: watch::Sender<u64>,
    pub(crate) bell: Arc<Bell>,
    writing: Mutex<Connection>,
    reading: Mutex<Vec<Connection>>,
    /// Topics seen so far; what is kept of them never changes.
    pub(crate) topics: Mutex<HashMap<Arc<str>, Arc<Topic>>>,
    members: Mutex<Members>,
}

/// The readers of this process that share partitions.
#[derive(Default)]
struct Members {
    living: BTreeSet<i64>,
    /// Dropped, and still in the file.
    leaving: Vec<i64>,
}

/// Wakes the keeper before its time.
#[derive(Default)]
pub(crate) struct Bell {
    is_rung: Mutex<bool>,
    rung: Condvar,
}

impl Bell {
    pub(crate) fn ring(&self) {
        *self.is_rung.lock().unwrap_or_else(PoisonError::into_inner) = true;
        self.rung.notify_one();
    }

    pub(crate) fn wait(&self, at_most: Duration) {
        let is_rung = self.is_rung.lock().unwrap_or_else(PoisonError::into_inner);
        let waited = self.rung.wait_timeout_while(is_rung, at_most, |is_rung| !*is_rung);
        *waited.unwrap_or_else(PoisonError::into_inner).0 = false;
    }
}

impl Store {
    /// Opens the file. Blocks.
    pub(crate) fn open(config: Config) -> Result<Self, LogError> {
        let writing = layout::open(&config)?;
        Ok(Self {
            config,
            process: process::own(),
            news: watch::Sender::new(0),
            bell: Arc::default(),
            writing: Mutex::new(writing),
            reading: Mutex::default(),
            topics: Mutex::default(),
            members: Mutex::default(),
        })
    }

    /// Runs one writing transaction on this thread, and wakes the readers.
    pub(crate) fn write_here<T>(&self, work: impl FnOnce(&Transaction<'_>) -> Result<T, Fault>) -> Result<T, LogError> {
        let mut session = self.writing.lock().unwrap_or_else(PoisonError::into_inner);
        let run = || {
            let transaction = session.transaction_with_behavior(TransactionBehavior::Immediate)?;
            let done = work(&transaction)?;
            transaction.commit()?;
            Ok(done)
        };
        let done = run().map_err(|fault: Fault| fault.at(&self.config.path));
        drop(session);
        self.wake();
        done
    }

    /// Runs one writing transaction. When the future is dropped, the transaction still happens or not, as a whole.
    pub(crate) async fn write<T: Send + 'static>(
        self: &Arc<Self>,
        work: impl FnOnce(&Transaction<'_>) -> Result<T, Fault> + Send + 'static,
    ) -> Result<T, LogError> {
        let store = self.clone();
        let done = spawn_blocking(move || store.write_here(work)).await;
        done.unwrap_or_else(|_| Err(broken("a transaction panicked")))
    }

    /// Runs one reading transaction, a view of a single moment, on this thread.
    pub(crate) fn read_here<T>(&self, work: impl FnOnce(&Connection) -> Result<T, Fault>) -> Result<T, LogError> {
        let run = || {
            let held = self.reading().pop();
            let session = held.map_or_else(|| layout::open_to_read(&self.config), Ok)?;
            let moment = session.unchecked_transaction()?;
            let found = work(&moment)?;
            drop(moment);
            self.reading().push(session);
            Ok(found)
        };
        run().map_err(|fault: Fault| fault.at(&self.config.path))
    }

    /// Runs one reading transaction.
    pub(crate) async fn read<T: Send + 'static>(
        self: &Arc<Self>,
        work: impl FnOnce(&Connection) -> Result<T, Fault> + Send + 'static,
    ) -> Result<T, LogError> {
        let store = self.clone();
        let found = spawn_blocking(move || store.read_here(work)).await;
        found.unwrap_or_else(|_| Err(broken("a look into the file panicked")))
    }

    fn reading(&self) -> MutexGuard<'_, Vec<Connection>> {
        self.reading.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn wake(&self) {
        self.news.send_modify(|count| *count += 1);
    }

    fn members(&self) -> MutexGuard<'_, Members> {
        self.members.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A member of this process, which is kept alive from now on.
    pub(crate) fn enter(&self, member: i64) {
        self.members().living.insert(member);
    }

    /// A member that has left the file.
    pub(crate) fn forget(&self, member: i64) {
        self.members().living.remove(&member);
    }

    /// A member whose reader is gone; the keeper takes it out of the file.
    pub(crate) fn abandon(&self, member: i64) {
        let mut members = self.members();
        if members.living.remove(&member) {
            members.leaving.push(member);
            self.bell.ring();
        }
    }

    pub(crate) fn living(&self) -> Vec<i64> {
        self.members().living.iter().copied().collect()
    }

    /// Takes the members whose readers are gone out of the file.
    pub(crate) fn bury(&self) -> Result<(), LogError> {
        let leaving = std::mem::take(&mut self.members().leaving);
        if leaving.is_empty() {
            return Ok(());
        }
        let buried = self.write_here(|transaction| group::leave(transaction, &leaving));
        if buried.is_err() {
            self.members().leaving.extend(leaving);
        }
        buried
    }
}

impl Drop for Store {
    fn drop(&mut self) {
        if let Err(error) = self.bury() {
            tracing::debug!(%error, "members stay in the file until their session ends");
        }
    }
}

/// Milliseconds since 1970.
pub(crate) fn now_ms() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    since.map_or(0, millis)
}

pub(crate) fn millis(duration: Duration) -> i64 {
    i64::try_from(duration.as_millis()).unwrap_or(i64::MAX)
}
