//! The batch in hand while it waits for more.

use zenfloe_log::{Batch, Limit, Record};
use zenfloe_record::TopicPartition;

use crate::Config;
use crate::config::bytes;

/// Records that have been read and are not committed.
pub(crate) struct Hand {
    batch: Batch,
    bytes: usize,
}

impl Hand {
    pub(crate) fn new(batch: Batch) -> Self {
        let bytes = batch.records.iter().map(weight).sum();
        Self { batch, bytes }
    }

    /// Adds what came after.
    pub(crate) fn add(&mut self, batch: Batch) {
        self.bytes += batch.records.iter().map(weight).sum::<usize>();
        self.batch.records.extend(batch.records);
        for (at, next) in batch.positions.iter() {
            self.batch.positions.set(at.clone(), next);
        }
    }

    /// Drops what belongs to another reader by now.
    pub(crate) fn give_up(&mut self, partitions: &[TopicPartition]) {
        self.batch.records.retain(|record| !partitions.contains(&record.at));
        self.batch.positions.retain(|at| !partitions.contains(at));
    }

    /// What may be added; `None` when it is full.
    pub(crate) fn room(&self, config: &Config, wait: std::time::Duration) -> Option<Limit> {
        let records = config.batch_records.saturating_sub(self.batch.records.len());
        let bytes = bytes(config.batch_bytes).saturating_sub(self.bytes);
        (records > 0 && bytes > 0).then_some(Limit { records, bytes, wait })
    }

    pub(crate) fn into_batch(self) -> Batch {
        self.batch
    }
}

fn weight(record: &Record) -> usize {
    record.key.len() + record.value.as_ref().map_or(0, |value| value.len())
}
