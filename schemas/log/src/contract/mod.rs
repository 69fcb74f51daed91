//! The contract that every log passes.
//!
//! A log's tests implement [`Subject`] and call [`all`], or run the [`cases`] one by one, side by side if they like:
//! each case names its topics, groups and writers after itself and a random number, so that a shared broker serves.
//! Failures panic with the case and, where chance is involved, the seed. Records are compared with records, never with
//! counted offsets: a log may leave gaps. What becomes visible may take a moment, which [`Subject::patience`] limits.

/// Names functions as cases.
macro_rules! cases {
    ($($case:ident),* $(,)?) => {
        vec![$($crate::contract::Case {
            name: stringify!($case),
            restarts: false,
            run: |bench| Box::pin($case(bench)),
        }),*]
    };
}

mod append;
mod atomic;
mod bench;
mod fence;
mod hop;
mod places;
mod shared;
mod topics;

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use tokio::time::timeout;
use zenfloe_record::{Offset, TopicPartition};

use crate::{Log, Reader};
pub(crate) use bench::Bench;
pub use hop::{Storm, storm};

/// The log under test.
#[async_trait]
pub trait Subject: Send + Sync {
    /// Opens the log as one more process would, with connections of its own.
    async fn open(&self) -> Arc<dyn Log>;

    /// Stops whatever holds the records (a broker), and starts it again; nothing where nothing runs.
    ///
    /// Called by the cases that say so ([`Case::restarts`]); they open the log anew afterwards.
    async fn restart(&self) {}

    /// Lets the records of a partition that stand before `before` expire (Kafka: `DeleteRecords`).
    async fn expire(&self, at: &TopicPartition, before: Offset);

    /// Ends a reader without a goodbye, as far as that can be done within one process.
    async fn kill(&self, reader: Box<dyn Reader>) {
        drop(reader);
    }

    /// How long one thing may take until it shows: a hand-over, a take-over from the dead, a commit.
    fn patience(&self) -> Duration {
        Duration::from_secs(60)
    }
}

type CaseFuture<'s> = Pin<Box<dyn Future<Output = ()> + Send + 's>>;

/// One promise of the contract.
#[derive(Clone, Copy)]
pub struct Case {
    /// What is promised.
    pub name: &'static str,
    /// Calls [`Subject::restart`], so that nothing may run beside it on the same broker.
    pub restarts: bool,
    run: for<'b> fn(&'b Bench<'b>) -> CaseFuture<'b>,
}

impl Case {
    /// Runs it; panics where the promise is broken.
    pub async fn run(&self, subject: &dyn Subject) {
        println!("case {}", self.name);
        let bench = Bench::new(subject, self.name).await;
        let limit = subject.patience() * 5;
        let done = timeout(limit, (self.run)(&bench)).await;
        assert!(done.is_ok(), "case `{}` did not end within {limit:?}", self.name);
    }
}

/// Every case, in an order in which a failure tells most.
pub fn cases() -> Vec<Case> {
    let parts = [
        topics::cases(),
        append::cases(),
        atomic::cases(),
        fence::cases(),
        places::cases(),
        shared::cases(),
        hop::cases(),
    ];
    parts.into_iter().flatten().collect()
}

/// Runs every case, one after the other.
pub async fn all(subject: &dyn Subject) {
    for case in cases() {
        case.run(subject).await;
    }
}
