//! What goes wrong, when a test says so.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// What happens to a request instead of its answer, or before it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Fault {
    /// HTTP status without an answer; with 429 and 503 how long to wait, in seconds.
    Status(u16, Option<u64>),
    /// Nothing is run, and the connection ends after this time.
    Silence(Duration),
    /// The statement runs, and the connection ends before its answer.
    LostReply,
    /// The statement is refused with this code and is not run.
    Refused(&'static str, &'static str),
    /// The answer is "not yet" this many times.
    Slow(u32),
    /// The session's token has expired; it can be renewed.
    Expired,
    /// The session and its transaction are gone.
    Gone,
}

/// Faults that wait for their statement.
#[derive(Debug, Default)]
pub(crate) struct Script(Mutex<Vec<Waiting>>);

#[derive(Debug)]
struct Waiting {
    part: String,
    fault: Fault,
    after: u32,
    times: u32,
}

impl Script {
    fn held(&self) -> MutexGuard<'_, Vec<Waiting>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Lets `after` statements that contain `part` pass, then fails `times` of them.
    pub(crate) fn add(&self, part: &str, fault: Fault, after: u32, times: u32) {
        let part = part.to_ascii_uppercase();
        self.held().push(Waiting {
            part,
            fault,
            after,
            times,
        });
    }

    /// The fault of this request, the first that waits for it. Sign-ins ask with `LOGIN`, uploads with `UPLOAD`.
    pub(crate) fn take(&self, sql: &str) -> Option<Fault> {
        let sql = sql.to_ascii_uppercase();
        let mut held = self.held();
        let at = held
            .iter()
            .position(|waiting| waiting.times > 0 && sql.contains(&waiting.part))?;
        let waiting = &mut held[at];
        if waiting.after > 0 {
            waiting.after -= 1;
            return None;
        }
        waiting.times -= 1;
        let fault = waiting.fault.clone();
        held.retain(|waiting| waiting.times > 0);
        Some(fault)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn faults_wait_for_their_statement() {
        let script = Script::default();
        script.add("commit", Fault::LostReply, 1, 2);
        assert_eq!(script.take("BEGIN"), None);
        assert_eq!(script.take("COMMIT"), None);
        assert_eq!(script.take("COMMIT"), Some(Fault::LostReply));
        assert_eq!(script.take("COMMIT"), Some(Fault::LostReply));
        assert_eq!(script.take("COMMIT"), None);
    }
}
