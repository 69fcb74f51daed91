//! Faults that a test injects between a destination's statements.

use std::sync::{Arc, Condvar, Mutex, MutexGuard};

use crate::LoadError;

/// A switch that every destination asks before each statement and after each commit; does nothing unless a test sets it.
///
/// The statements that count are those of [`crate::Destination::flush`] and [`crate::Destination::suppress`], `BEGIN` and
/// `COMMIT` among them.
#[derive(Debug, Default)]
pub struct Faults {
    state: Mutex<State>,
    released: Condvar,
}

#[derive(Debug, Default)]
struct State {
    statements: u64,
    crash_before: Option<u64>,
    pause_before: Option<u64>,
    paused: bool,
    lose_reply: bool,
}

impl Faults {
    /// Nothing happens.
    pub fn none() -> Arc<Self> {
        Arc::default()
    }

    /// The session is lost once, before the `n`th statement from now (from 1).
    pub fn crash_before(&self, n: u64) {
        let mut state = self.state();
        state.crash_before = Some(state.statements + n);
    }

    /// The next commit happens and its reply is lost.
    pub fn lose_commit_reply(&self) {
        self.state().lose_reply = true;
    }

    /// The session waits once, before the `n`th statement from now (from 1), until [`Faults::release`].
    pub fn pause_before(&self, n: u64) {
        let mut state = self.state();
        state.pause_before = Some(state.statements + n);
    }

    /// Claims that a session waits.
    pub fn is_paused(&self) -> bool {
        self.state().paused
    }

    /// Lets the waiting session go on, and sets no further pause.
    pub fn release(&self) {
        let mut state = self.state();
        state.pause_before = None;
        state.paused = false;
        self.released.notify_all();
    }

    /// The statements so far.
    pub fn statements(&self) -> u64 {
        self.state().statements
    }

    /// Called before a statement, on a thread that may block.
    pub fn before_statement(&self) -> Result<(), LoadError> {
        if self.count()? {
            let mut state = self.state();
            while state.paused {
                state = self.released.wait(state).expect("no holder panics");
            }
        }
        Ok(())
    }

    /// Called before a statement, on an asynchronous task.
    pub async fn before_statement_async(&self) -> Result<(), LoadError> {
        if self.count()? {
            while self.is_paused() {
                tokio::time::sleep(std::time::Duration::from_millis(2)).await;
            }
        }
        Ok(())
    }

    /// Called when a commit has been answered.
    pub fn after_commit(&self) -> Result<(), LoadError> {
        if std::mem::take(&mut self.state().lose_reply) {
            return Err(injected("the reply of a commit was lost"));
        }
        Ok(())
    }

    /// Counts a statement; `true` means: wait.
    fn count(&self) -> Result<bool, LoadError> {
        let mut state = self.state();
        state.statements += 1;
        let now = Some(state.statements);
        if state.crash_before == now {
            state.crash_before = None;
            return Err(injected("the session was lost"));
        }
        if state.pause_before == now {
            state.paused = true;
        }
        Ok(state.paused)
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().expect("no holder panics")
    }
}

fn injected(what: &str) -> LoadError {
    LoadError::Unavailable {
        what: format!("{what} (injected by a test)"),
    }
}
