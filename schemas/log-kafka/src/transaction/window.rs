//! How much of a commit is under way at once.

use std::collections::HashMap;

use rdkafka::producer::Producer;
use zenfloe_log::Append;
use zenfloe_record::TopicPartition;

use super::Sender;
use crate::client::BATCH_BYTES;
use crate::message::batch_bytes;

/// Bounds what is under way.
pub(super) struct Window<'s> {
    sender: &'s Sender,
    most: usize,
    sent: usize,
    /// What the batches under way may have grown to, in partitions whose topic takes less than a full batch.
    narrow: HashMap<TopicPartition, usize>,
}

impl<'s> Window<'s> {
    pub(super) fn new(sender: &'s Sender) -> Self {
        Self {
            sender,
            most: sender.cluster.config.window_bytes.as_u64() as usize,
            sent: 0,
            narrow: HashMap::new(),
        }
    }

    /// Waits until one more record may be sent.
    pub(super) fn make_room(&mut self, append: &Append, limit: usize) {
        let size = append.key.len() + append.value.as_ref().map_or(0, bytes::Bytes::len);
        while self.under_way() + size > self.most && self.sender.producer.in_flight_count() > 0 {
            self.sender.turn();
        }
        self.sent += size;
        if limit < 2 * BATCH_BYTES {
            self.keep_within(append, limit);
        }
    }

    /// librdkafka knows one size of batches for all topics, so the batch of a narrow one is sent before it is too large.
    fn keep_within(&mut self, append: &Append, limit: usize) {
        let size = batch_bytes(append);
        if self.narrow.get(&append.at).is_some_and(|held| held + size > limit) {
            self.sender.drain();
            self.narrow.clear();
        }
        *self.narrow.entry(append.at.clone()).or_default() += size;
    }

    fn under_way(&self) -> usize {
        self.sent.saturating_sub(self.sender.role().deliveries().bytes)
    }
}
