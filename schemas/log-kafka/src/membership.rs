//! A reader's proof that what it read is still its own.

use std::collections::BTreeSet;
use std::sync::Arc;

use rdkafka::consumer::{Consumer, ConsumerGroupMetadata};
use zenfloe_log::{LogError, Membership};
use zenfloe_record::{Positions, TopicPartition};

use crate::config::broken;
use crate::native;
use crate::reading::Reading;

/// What a [`Membership`] of this log holds.
pub(crate) struct Proof {
    pub(crate) group: String,
    pub(crate) reading: Arc<Reading>,
    /// How many revocations the caller knew of; `None` for a reader without a group, which loses nothing.
    pub(crate) revocations: Option<u64>,
    /// What the caller knows to be its own.
    pub(crate) owned: Arc<BTreeSet<TopicPartition>>,
}

impl Proof {
    /// The proof within a membership.
    pub(crate) fn of(membership: &Membership) -> Result<Arc<Self>, LogError> {
        let proof = membership.0.clone().downcast::<Self>();
        proof.map_err(|_| broken("a membership of another log"))
    }

    /// What the brokers check offsets against, if nothing was taken from the reader since.
    ///
    /// Partitions leave a reader only through a revocation that it has acknowledged, and with that the group's
    /// generation changes. So what is taken before the look is either still right or refused by the brokers.
    pub(crate) fn metadata(&self, positions: &Positions) -> Result<ConsumerGroupMetadata, LogError> {
        if positions.iter().any(|(at, _)| !self.owned.contains(at)) {
            return Err(LogError::Rebalanced);
        }
        let consumer = self.reading.client().ok_or(LogError::Rebalanced)?;
        let metadata = consumer.group_metadata().ok_or(LogError::Rebalanced)?;
        let Some(known) = self.revocations else {
            return Ok(metadata);
        };
        let is_member = native::generation(consumer.client().native_ptr()) >= 0;
        match is_member && self.reading.revocations() == known {
            true => Ok(metadata),
            false => Err(LogError::Rebalanced),
        }
    }
}
