//! Sessions of tables, and work that is tried again while a lock is in the way.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use async_trait::async_trait;
use tokio::sync::{Mutex as AsyncMutex, OwnedMutexGuard};
use zenfloe_destination::{Class, Faults, LoadError};

use crate::Config;
use crate::driver::{Driver, Rows, Session, Statement};
use crate::error::{ApiError, pause};
use crate::ledger;
use crate::rules::Known;
use crate::spool::Manner;

/// Why work on a session did not succeed.
#[derive(Debug)]
pub(crate) enum Trouble {
    /// Said by the account.
    Api(ApiError),
    /// Found by us.
    Load(LoadError),
}

impl From<ApiError> for Trouble {
    fn from(error: ApiError) -> Self {
        Self::Api(error)
    }
}

impl From<LoadError> for Trouble {
    fn from(error: LoadError) -> Self {
        Self::Load(error)
    }
}

impl From<Trouble> for LoadError {
    fn from(trouble: Trouble) -> Self {
        match trouble {
            Trouble::Api(error) => error.into(),
            Trouble::Load(error) => error,
        }
    }
}

/// Something to do in a session, which may be done again from its beginning.
#[async_trait]
pub(crate) trait Work: Sync {
    type Done: Send;
    async fn attempt(&self, warehouse: &Warehouse, open: &mut Open) -> Result<Self::Done, Trouble>;
}

/// A session and what it holds.
pub(crate) struct Open {
    session: Box<dyn Session>,
    is_in_transaction: bool,
    /// The columns of the staging table that this session has made.
    pub(crate) staging: Option<String>,
    /// Rows that stand in it.
    pub(crate) staged: usize,
    /// Names this session's folder of the stage, and how many files are in it.
    pub(crate) folder: String,
    pub(crate) files: usize,
}

impl Open {
    pub(crate) async fn run(&mut self, statement: Statement) -> Result<Rows, ApiError> {
        self.session.run(&statement).await
    }

    pub(crate) async fn put(&mut self, file: &std::path::Path, place: &str, table: &str) -> Result<(), ApiError> {
        self.session.put(file, place, table).await
    }

    pub(crate) async fn begin(&mut self, table: &str) -> Result<(), ApiError> {
        self.is_in_transaction = true;
        self.run(Statement::new(table, "BEGIN")).await.map(drop)
    }

    pub(crate) async fn commit(&mut self, table: &str) -> Result<(), ApiError> {
        self.run(Statement::new(table, "COMMIT")).await?;
        self.is_in_transaction = false;
        Ok(())
    }

    pub(crate) async fn rollback(&mut self, table: &str) -> Result<(), ApiError> {
        self.run(Statement::new(table, "ROLLBACK")).await?;
        self.is_in_transaction = false;
        Ok(())
    }
}

/// A table's session: one statement after the other. Tables have sessions of their own, so that they load at once.
type Lane = Arc<AsyncMutex<Option<Open>>>;

/// The account with its sessions.
pub(crate) struct Warehouse {
    pub(crate) config: Config,
    pub(crate) faults: Arc<Faults>,
    driver: Box<dyn Driver>,
    lanes: Mutex<HashMap<String, Lane>>,
    known: Mutex<HashMap<String, Known>>,
    has_ledger: AtomicBool,
}

impl Warehouse {
    pub(crate) fn new(config: Config, faults: Arc<Faults>, driver: Box<dyn Driver>) -> Self {
        Self {
            config,
            faults,
            driver,
            lanes: Mutex::default(),
            known: Mutex::default(),
            has_ledger: AtomicBool::new(false),
        }
    }

    /// A session of its own, for whoever ends it.
    pub(crate) async fn sign_in(&self) -> Result<Box<dyn Session>, LoadError> {
        self.driver.sign_in().await
    }

    /// What this process knows of a table.
    pub(crate) fn known(&self, table: &str) -> Option<Known> {
        let known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        known.get(table).cloned()
    }

    pub(crate) fn learn(&self, table: &str, what: Known) {
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        known.insert(table.to_owned(), what);
    }

    pub(crate) fn manner(&self) -> Manner {
        Manner {
            inline_rows: self.config.inline_rows,
            inline_bytes: usize::try_from(self.config.inline_bytes.as_u64()).unwrap_or(usize::MAX),
            folder: self.config.spool_folder.clone(),
        }
    }

    async fn lane(&self, table: &str) -> OwnedMutexGuard<Option<Open>> {
        let lane = {
            let mut lanes = self.lanes.lock().unwrap_or_else(PoisonError::into_inner);
            lanes.entry(table.to_owned()).or_default().clone()
        };
        lane.lock_owned().await
    }

    /// Does work in a table's session, again while a lock or an ended session is in the way.
    pub(crate) async fn perform<W: Work>(&self, table: &str, work: &W) -> Result<W::Done, LoadError> {
        let mut lane = self.lane(table).await;
        let deadline = Instant::now() + self.config.lock_timeout;
        for n in 1.. {
            let trouble = match self.try_once(&mut lane, work).await {
                Ok(done) => return Ok(done),
                Err(trouble) => trouble,
            };
            settle(&mut lane, table, &trouble).await;
            let wait = lock_pause(n);
            match trouble {
                Trouble::Api(error) if error.is_about_a_lock() && Instant::now() + wait < deadline => {
                    tracing::debug!(table, %error, "tried again");
                    tokio::time::sleep(wait).await;
                }
                trouble => return Err(trouble.into()),
            }
        }
        unreachable!("patience ends before numbers do")
    }

    async fn try_once<W: Work>(&self, lane: &mut Option<Open>, work: &W) -> Result<W::Done, Trouble> {
        if lane.is_none() {
            let session = self.driver.sign_in().await?;
            *lane = Some(Open {
                session,
                is_in_transaction: false,
                staging: None,
                staged: 0,
                folder: crate::http::unique(),
                files: 0,
            });
        }
        let open = lane.as_mut().expect("signed in above");
        if !self.has_ledger.load(Ordering::Relaxed) {
            ledger::make(&self.config, open).await?;
            self.has_ledger.store(true, Ordering::Relaxed);
        }
        work.attempt(self, open).await
    }
}

/// Ends what a failed attempt left open: the transaction, and the session when it is not to be trusted any more.
async fn settle(lane: &mut Option<Open>, table: &str, trouble: &Trouble) {
    let Some(open) = lane.as_mut() else { return };
    let is_lost = match trouble {
        Trouble::Api(ApiError::Ended { .. }) => {
            *lane = None;
            return;
        }
        Trouble::Api(ApiError::Busy { .. }) => false,
        Trouble::Api(ApiError::Unavailable { .. }) => true,
        Trouble::Load(error) => error.class() == Class::Retry,
        Trouble::Api(_) => false,
    };
    let is_clean = !is_lost && (!open.is_in_transaction || open.rollback(table).await.is_ok());
    if !is_clean {
        open.session.end().await;
        *lane = None;
    }
}

/// A lock is mostly held for moments: try soon, then less often.
fn lock_pause(n: u32) -> Duration {
    pause(n + 2).min(Duration::from_secs(2)) / 8
}
