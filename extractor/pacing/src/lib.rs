//! When the next request may be sent, and for which collection.
//!
//! [`Budget`] keeps one window of past requests per rate bucket; [`Schedule`] knows which collections
//! are due and in which order; [`Backoff`] says how long to wait after a failure. All of it is pure:
//! the caller passes the time in, so that hours of pacing are tested in microseconds.
//!
//! Invariant: in no span of a bucket's period are more requests sent than its limit, whether the
//! server counts in fixed or in sliding windows and however long an answer takes.
//!
//! What it does not know: what a request is, how it is sent, what a collection holds.

mod backoff;
mod budget;
mod reading;
mod schedule;
mod window;

pub use backoff::Backoff;
pub use budget::{ACCOUNT, Budget, Leave, Rules, Snapshot};
pub use reading::Reading;
pub use schedule::{Mode, Next, Plan, Schedule};
pub use window::WindowState;

/// A point in time: the duration since 1970-01-01T00:00:00Z on the caller's clock.
pub type Moment = std::time::Duration;
