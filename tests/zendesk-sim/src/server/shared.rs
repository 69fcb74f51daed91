//! What all requests share.

use std::sync::{Mutex, MutexGuard, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};

use super::auth::Gate;
use super::bucket::Buckets;
use super::fault::Faults;
use super::ledger::Ledger;
use super::log::LoggedRequest;
use super::refusal::Refusal;
use crate::account::Account;
use crate::clock::Clock;
use crate::op::{Op, OpError};
use crate::random::Traffic;
use crate::saved::{Journal, SavedError};

/// Switches of the account's behaviour.
#[derive(Debug, Clone)]
pub(crate) struct Settings {
    pub(crate) refusals: Vec<Refusal>,
    pub(crate) legacy_stall: bool,
    pub(crate) exports_slas: bool,
}

/// The account and everything around it.
///
/// Invariant: locks are taken in the order of the fields, and none is held while a request waits.
pub(crate) struct Shared {
    traffic: Mutex<Traffic>,
    account: RwLock<Account>,
    journal: Mutex<Option<Journal>>,
    ledger: Mutex<Ledger>,
    gate: Mutex<Gate>,
    buckets: Mutex<Buckets>,
    faults: Mutex<Faults>,
    log: Mutex<Vec<LoggedRequest>>,
    pub(crate) clock: Clock,
    pub(crate) settings: Settings,
}

/// What a simulator begins with.
pub(crate) struct Parts {
    pub(crate) account: Account,
    pub(crate) journal: Option<Journal>,
    pub(crate) ledger: Ledger,
    pub(crate) gate: Gate,
    pub(crate) buckets: Buckets,
    pub(crate) faults: Faults,
    pub(crate) traffic: Traffic,
    pub(crate) settings: Settings,
}

/// A panic elsewhere is that thread's own business: what it held is whole or gone.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Shared {
    pub(crate) fn new(parts: Parts) -> Self {
        Self {
            clock: parts.account.clock().clone(),
            account: RwLock::new(parts.account),
            journal: Mutex::new(parts.journal),
            ledger: Mutex::new(parts.ledger),
            gate: Mutex::new(parts.gate),
            buckets: Mutex::new(parts.buckets),
            faults: Mutex::new(parts.faults),
            log: Mutex::default(),
            traffic: Mutex::new(parts.traffic),
            settings: parts.settings,
        }
    }

    pub(crate) fn read(&self) -> RwLockReadGuard<'_, Account> {
        self.account.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn write(&self) -> RwLockWriteGuard<'_, Account> {
        self.account.write().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn ledger(&self) -> MutexGuard<'_, Ledger> {
        lock(&self.ledger)
    }

    pub(crate) fn gate(&self) -> MutexGuard<'_, Gate> {
        lock(&self.gate)
    }

    pub(crate) fn buckets(&self) -> MutexGuard<'_, Buckets> {
        lock(&self.buckets)
    }

    pub(crate) fn faults(&self) -> MutexGuard<'_, Faults> {
        lock(&self.faults)
    }

    pub(crate) fn log(&self) -> MutexGuard<'_, Vec<LoggedRequest>> {
        lock(&self.log)
    }

    pub(crate) fn traffic(&self) -> MutexGuard<'_, Traffic> {
        lock(&self.traffic)
    }

    /// Changes the account; the journal has it before anyone sees it.
    fn change<R>(&self, change: impl FnOnce(&mut Account) -> R) -> Result<R, SavedError> {
        let mut account = self.write();
        let known = account.script().len();
        let result = change(&mut account);
        if let Some(journal) = lock(&self.journal).as_mut() {
            journal.append(&account.script()[known..])?;
        }
        Ok(result)
    }

    pub(crate) fn apply(&self, op: Op) -> Result<i64, OpError> {
        self.change(|account| account.apply(op))
            .unwrap_or_else(|error| journal_lost(&error))
    }

    pub(crate) fn apply_random(&self, n: usize, seed: u64) -> Vec<Op> {
        self.change(|account| account.apply_random(n, seed))
            .unwrap_or_else(|error| journal_lost(&error))
    }
}

/// An account that shows what it cannot remember is worth nothing to any test.
fn journal_lost(error: &SavedError) -> ! {
    let why = std::error::Error::source(error)
        .map(ToString::to_string)
        .unwrap_or_default();
    tracing::error!("{error}: {why}; the simulator ends");
    std::process::exit(74)
}
