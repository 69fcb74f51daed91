//! The log's reader: a handle on a thread that polls.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::time::Duration;

use async_trait::async_trait;
use tokio::sync::oneshot;
use zenfloe_log::{Limit, LogError, Membership, Read, Reader, ReaderSpec, Start};
use zenfloe_record::{Positions, TopicPartition};

use crate::cluster::Cluster;
use crate::config::broken;
use crate::fetcher::Fetcher;
use crate::membership::Proof;
use crate::reading::Reading;

type Reply<T> = oneshot::Sender<Result<T, LogError>>;

/// What the thread is asked for.
enum Ask {
    Read(Limit, Reply<Seen>),
    Begin(Vec<(TopicPartition, Start)>, Reply<()>),
    Stay(Duration, Reply<()>),
    Report(Positions, Reply<()>),
    Close(Reply<()>),
}

/// An event, and how many revocations whoever has it knows of.
type Seen = (Read, u64);

pub(crate) struct KafkaReader {
    asks: Sender<Ask>,
    group: String,
    reading: Arc<Reading>,
    /// Revocations that were told; `None` for a reader of exact partitions.
    revocations: Option<u64>,
    owned: Arc<BTreeSet<TopicPartition>>,
}

impl KafkaReader {
    /// Blocks.
    pub(crate) fn open(cluster: Arc<Cluster>, spec: ReaderSpec) -> Result<Self, LogError> {
        let group = spec.group.clone();
        let fetcher = Fetcher::open(cluster, spec)?;
        let exact = fetcher.exact().map(<[_]>::to_vec);
        let reading = fetcher.reading();
        let (asks, asked) = channel();
        std::thread::Builder::new()
            .name("kafka-reader".to_owned())
            .spawn(move || serve(fetcher, &asked))
            .map_err(|error| broken(format!("no thread for a reader: {error}")))?;
        Ok(Self {
            asks,
            group,
            reading,
            revocations: exact.is_none().then_some(0),
            owned: Arc::new(exact.unwrap_or_default().into_iter().collect()),
        })
    }

    async fn ask<T>(&self, ask: impl FnOnce(Reply<T>) -> Ask) -> Result<T, LogError> {
        let (reply, answer) = oneshot::channel();
        let ended = || broken("the reader's thread has ended");
        self.asks.send(ask(reply)).map_err(|_| ended())?;
        answer.await.map_err(|_| ended())?
    }

    fn note(&mut self, read: &Read) {
        match read {
            Read::Assigned(new) => Arc::make_mut(&mut self.owned).extend(new.iter().cloned()),
            Read::Revoked(lost) => Arc::make_mut(&mut self.owned).retain(|at| !lost.contains(at)),
            Read::Batch(_) => {}
        }
    }
}

#[async_trait]
impl Reader for KafkaReader {
    async fn read(&mut self, limit: Limit) -> Result<Read, LogError> {
        let (read, revocations) = self.ask(|reply| Ask::Read(limit, reply)).await?;
        if let Some(known) = &mut self.revocations {
            *known = revocations;
        }
        self.note(&read);
        Ok(read)
    }

    async fn begin(&mut self, starts: &[(TopicPartition, Start)]) -> Result<(), LogError> {
        self.ask(|reply| Ask::Begin(starts.to_vec(), reply)).await
    }

    async fn stay(&mut self, wait: Duration) -> Result<(), LogError> {
        self.ask(|reply| Ask::Stay(wait, reply)).await
    }

    fn membership(&self) -> Membership {
        Membership(Arc::new(Proof {
            group: self.group.clone(),
            reading: self.reading.clone(),
            revocations: self.revocations,
            owned: self.owned.clone(),
        }))
    }

    async fn report(&mut self, positions: &Positions) -> Result<(), LogError> {
        if positions.iter().any(|(at, _)| !self.owned.contains(at)) {
            return Err(LogError::Rebalanced);
        }
        self.ask(|reply| Ask::Report(positions.clone(), reply)).await
    }

    /// A reader with a `member` name keeps its place in the group for its return, as long as a session lasts.
    async fn close(self: Box<Self>) -> Result<(), LogError> {
        self.ask(Ask::Close).await
    }
}

/// Works through the asks; ends with the handle. The client leaves its group when it is dropped.
fn serve(mut fetcher: Fetcher, asks: &Receiver<Ask>) {
    for ask in asks {
        // Whoever asked may have gone; all but an event can then be forgotten.
        match ask {
            Ask::Read(limit, reply) => {
                let read = fetcher.read(limit, || reply.is_closed());
                let seen = read.map(|read| (read, fetcher.told()));
                if let Err(Ok((read, _))) = reply.send(seen) {
                    fetcher.keep(read);
                }
            }
            Ask::Stay(wait, reply) => {
                let stayed = fetcher.stay(wait, || reply.is_closed());
                drop(reply.send(stayed));
            }
            Ask::Begin(starts, reply) => drop(reply.send(fetcher.begin(&starts))),
            Ask::Report(positions, reply) => drop(reply.send(fetcher.report(&positions))),
            Ask::Close(reply) => {
                drop(fetcher);
                drop(reply.send(Ok(())));
                return;
            }
        }
    }
}
