//! A group's changes of assignment, as they reach a client that reads.

use std::collections::{BTreeSet, VecDeque};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::{Duration, Instant};

use rdkafka::consumer::{BaseConsumer, Consumer, ConsumerContext};
use rdkafka::error::KafkaResult;
use rdkafka::types::RDKafkaRespErr;
use rdkafka::{Offset as At, TopicPartitionList};
use zenfloe_record::TopicPartition;

use crate::signals::Context;

/// How long a late heartbeat may be under way.
const RETURNING: Duration = Duration::from_secs(20);

/// How often in a row a fence is taken for one's own.
const MOST_RETURNS: u32 = 5;

/// A client that reads.
pub(crate) type Reader = BaseConsumer<Context<Arc<Reading>>>;

/// What happens to the assignment of a reader, whichever client works for it at present.
pub(crate) struct Reading {
    /// Gone when the reader is closed.
    client: Mutex<Weak<Reader>>,
    events: Mutex<Events>,
    /// How often partitions were taken away.
    revocations: AtomicU64,
}

#[derive(Default)]
struct Events {
    /// What was not taken yet.
    changes: VecDeque<Change>,
    /// What librdkafka has assigned.
    granted: BTreeSet<TopicPartition>,
    /// The group dropped this reader, and no word has come of another one in its place.
    has_lapsed: bool,
    /// How often in a row a client took the place of one that was fenced.
    returns: u32,
    /// When partitions last came.
    assigned: Option<Instant>,
}

impl Events {
    /// Claims that what was assigned has been ours for long.
    fn is_settled(&self) -> bool {
        self.assigned.is_some_and(|when| when.elapsed() > 3 * RETURNING)
    }
}

/// Partitions that came or went.
#[derive(Debug)]
pub(crate) enum Change {
    Assigned(Vec<TopicPartition>),
    Revoked(Vec<TopicPartition>),
}

impl Reading {
    pub(crate) fn new() -> Self {
        Self {
            client: Mutex::new(Weak::new()),
            events: Mutex::default(),
            revocations: AtomicU64::new(0),
        }
    }

    pub(crate) fn client(&self) -> Option<Arc<Reader>> {
        self.client.lock().unwrap_or_else(PoisonError::into_inner).upgrade()
    }

    pub(crate) fn set_client(&self, client: &Arc<Reader>) {
        *self.client.lock().unwrap_or_else(PoisonError::into_inner) = Arc::downgrade(client);
    }

    pub(crate) fn revocations(&self) -> u64 {
        self.revocations.load(Ordering::SeqCst)
    }

    fn events(&self) -> MutexGuard<'_, Events> {
        self.events.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The oldest change that was not taken yet.
    pub(crate) fn take(&self) -> Option<Change> {
        self.events().changes.pop_front()
    }

    /// Puts a change back that was taken and did not reach the caller.
    pub(crate) fn put_back(&self, change: Change) {
        self.events().changes.push_front(change);
    }

    /// Claims that a partition is assigned, and was not taken away meanwhile without the caller's knowledge.
    pub(crate) fn holds(&self, at: &TopicPartition) -> bool {
        let events = self.events();
        let is_lost = |change: &Change| matches!(change, Change::Revoked(lost) if lost.contains(at));
        events.granted.contains(at) && !events.changes.iter().any(is_lost)
    }

    /// Claims that a fence may be this reader's own, so that it joins its group anew.
    ///
    /// After a silence librdkafka fences a named reader itself: a late heartbeat shows a member id that is no longer its
    /// own; or a question that was asked twice, as its first answer was lost with the broker. That is told from a real
    /// successor by what came before, or else by trying: of two readers with one name the older one comes first to
    /// the end of its tries.
    pub(crate) fn may_return(&self) -> bool {
        let events = self.events();
        let is_returning = events.has_lapsed && events.assigned.is_none_or(|when| when.elapsed() < RETURNING);
        is_returning || events.returns < MOST_RETURNS || events.is_settled()
    }

    /// Hands over to another client.
    pub(crate) fn succeed(&self, client: &Arc<Reader>) {
        let mut events = self.events();
        events.has_lapsed = false;
        events.returns = if events.is_settled() { 1 } else { events.returns + 1 };
        events.assigned = None;
        drop(events);
        self.set_client(client);
    }

    /// Takes everything away, when a client ends before it could.
    pub(crate) fn revoke_all(&self) {
        let granted: Vec<_> = self.events().granted.iter().cloned().collect();
        if !granted.is_empty() {
            self.count_revocation();
            self.revoke(&granted);
        }
    }

    fn lapse(&self) {
        let mut events = self.events();
        events.has_lapsed = true;
        events.assigned = None;
    }

    fn count_revocation(&self) {
        self.revocations.fetch_add(1, Ordering::SeqCst);
    }

    fn assign(&self, partitions: Vec<TopicPartition>) {
        let mut events = self.events();
        events.assigned = Some(Instant::now());
        events.granted.extend(partitions.iter().cloned());
        if !partitions.is_empty() {
            events.changes.push_back(Change::Assigned(partitions));
        }
    }

    fn revoke(&self, partitions: &[TopicPartition]) {
        let mut events = self.events();
        let lost: Vec<_> = partitions
            .iter()
            .filter(|at| events.granted.contains(at))
            .cloned()
            .collect();
        events.granted.retain(|at| !lost.contains(at));
        if !lost.is_empty() {
            events.changes.push_back(Change::Revoked(lost));
        }
    }
}

/// New partitions are parked: taken over and paused, at a place that asks the brokers nothing.
///
/// Invariant: the place is the lowest there is. At the end of a partition librdkafka asks the brokers where that is, and
/// an answer that comes after the partition was begun elsewhere (a broker that had just died gave one) moves it there:
/// what lies between would be lost. What is fetched from below a partition's place is passed over.
pub(crate) fn parked(partitions: &[TopicPartition]) -> KafkaResult<TopicPartitionList> {
    let mut list = TopicPartitionList::with_capacity(partitions.len());
    for at in partitions {
        list.add_partition_offset(&at.topic, at.partition, At::Offset(0))?;
    }
    Ok(list)
}

impl ConsumerContext for Context<Arc<Reading>> {
    /// Called by librdkafka within a poll; acknowledging is what lets the group go on.
    fn rebalance(&self, consumer: &BaseConsumer<Self>, what: RDKafkaRespErr, list: &mut TopicPartitionList) {
        let partitions: Vec<TopicPartition> = list
            .elements()
            .iter()
            .map(|element| TopicPartition::new(element.topic(), element.partition()))
            .collect();
        let reading = &self.role;
        let is_new = what == RDKafkaRespErr::RD_KAFKA_RESP_ERR__ASSIGN_PARTITIONS;
        let outcome = if is_new {
            parked(&partitions).and_then(|parked| {
                consumer.incremental_assign(&parked)?;
                consumer.pause(&parked)
            })
        } else {
            if consumer.assignment_lost() {
                reading.lapse();
            }
            // Counted before it is acknowledged: see `Proof::metadata`.
            reading.count_revocation();
            consumer.incremental_unassign(list)
        };
        if let Err(error) = outcome {
            tracing::debug!(%error, is_new, "a change of assignment was not taken"); // the client ends, or is fenced
        }
        match is_new {
            true => reading.assign(partitions),
            false => reading.revoke(&partitions),
        }
    }
}
