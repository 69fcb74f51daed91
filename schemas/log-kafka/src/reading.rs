//! A group's changes of assignment, as they reach a client that reads.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use rdkafka::consumer::{BaseConsumer, Consumer, ConsumerContext};
use rdkafka::error::KafkaResult;
use rdkafka::types::RDKafkaRespErr;
use rdkafka::{Offset as At, TopicPartitionList};
use zenfloe_record::TopicPartition;

use crate::signals::Context;

/// The role of a client that reads.
#[derive(Default)]
pub(crate) struct Reading {
    changes: Mutex<VecDeque<Change>>,
    /// How often partitions were taken away.
    revocations: AtomicU64,
}

/// Partitions that came or went.
#[derive(Debug)]
pub(crate) enum Change {
    Assigned(Vec<TopicPartition>),
    Revoked(Vec<TopicPartition>),
}

impl Reading {
    pub(crate) fn revocations(&self) -> u64 {
        self.revocations.load(Ordering::SeqCst)
    }

    fn changes(&self) -> MutexGuard<'_, VecDeque<Change>> {
        self.changes.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The oldest change that was not taken yet.
    pub(crate) fn take(&self) -> Option<Change> {
        self.changes().pop_front()
    }

    /// Puts a change back that was taken and did not reach the caller.
    pub(crate) fn put_back(&self, change: Change) {
        self.changes().push_front(change);
    }

    /// Claims that a partition was taken away and the caller does not know it yet.
    pub(crate) fn is_lost(&self, at: &TopicPartition) -> bool {
        let changes = self.changes();
        changes
            .iter()
            .any(|change| matches!(change, Change::Revoked(lost) if lost.contains(at)))
    }
}

/// New partitions are parked: taken over and paused, at a place that asks nothing of the committed positions.
pub(crate) fn parked(partitions: &[TopicPartition]) -> KafkaResult<TopicPartitionList> {
    let mut list = TopicPartitionList::with_capacity(partitions.len());
    for at in partitions {
        list.add_partition_offset(&at.topic, at.partition, At::End)?;
    }
    Ok(list)
}

impl ConsumerContext for Context<Reading> {
    /// Called by librdkafka within a poll; acknowledging is what lets the group go on.
    fn rebalance(&self, consumer: &BaseConsumer<Self>, what: RDKafkaRespErr, list: &mut TopicPartitionList) {
        let partitions: Vec<TopicPartition> = list
            .elements()
            .iter()
            .map(|element| TopicPartition::new(element.topic(), element.partition()))
            .collect();
        let is_new = what == RDKafkaRespErr::RD_KAFKA_RESP_ERR__ASSIGN_PARTITIONS;
        let outcome = if is_new {
            parked(&partitions).and_then(|parked| {
                consumer.incremental_assign(&parked)?;
                consumer.pause(&parked)
            })
        } else {
            // Counted before it is acknowledged: see `Proof::metadata`.
            self.role.revocations.fetch_add(1, Ordering::SeqCst);
            consumer.incremental_unassign(list)
        };
        if let Err(error) = outcome {
            tracing::warn!(%error, is_new, "a change of assignment was not taken"); // the client ends, or is fenced
        }
        if partitions.is_empty() {
            return;
        }
        self.role.changes().push_back(match is_new {
            true => Change::Assigned(partitions),
            false => Change::Revoked(partitions),
        });
    }
}
