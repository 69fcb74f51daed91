//! What is in hand goes to the destination.

use std::sync::Arc;

use metrics::counter;
use zenfloe_destination::{Class, Flush, LoadError, Loaded, Row};
use zenfloe_log::Reader;
use zenfloe_record::{Positions, TopicPartition};

use crate::StageError;
use crate::dead::Dead;
use crate::patience::busy;
use crate::stage::Stage;

/// What became of a flush.
enum Outcome {
    Loaded(Loaded),
    /// Another loader has been here: nothing of it is in.
    Moved,
    /// The stage is to stop: nobody knows whether it is in.
    Abandoned,
}

impl Stage {
    /// Flushes all tables; returns those whose rows had to be given up because the stage is to stop.
    pub(crate) async fn flush(&mut self, reader: &mut dyn Reader) -> Result<Vec<String>, StageError> {
        let mut abandoned = Vec::new();
        let mut loaded = Positions::new();
        if !self.erase(reader).await? {
            // What is in hand stays there, and is read again by whoever comes next.
            let in_hand = self.tables.values().filter(|table| !table.batch.is_empty());
            return Ok(in_hand.map(|table| table.name.clone()).collect());
        }
        let topics: Vec<Arc<str>> = self.tables.keys().cloned().collect();
        for topic in topics {
            let Some((flush, dead)) = self.tables.get_mut(&topic).and_then(|table| table.take()) else {
                continue;
            };
            let flush = Arc::new(flush);
            match self.offer(reader, &topic, flush.clone(), dead).await? {
                Outcome::Loaded(counts) => self.note(&topic, &flush, &counts, &mut loaded),
                Outcome::Moved => self.restart(reader, &flush).await?,
                Outcome::Abandoned => abandoned.push(self.tables[&topic].name.clone()),
            }
        }
        self.report(reader, &loaded).await;
        Ok(abandoned)
    }

    /// Offers a flush until it is in, another loader's is, or the stage is to stop.
    async fn offer(
        &mut self,
        reader: &mut dyn Reader,
        topic: &Arc<str>,
        mut flush: Arc<Flush>,
        dead: Vec<Dead>,
    ) -> Result<Outcome, StageError> {
        if !self.bury(topic, &dead).await? {
            return Ok(Outcome::Abandoned);
        }
        let mut attempt = 0;
        loop {
            flush = self.without_erased(topic, &flush).await?;
            let result = busy(reader, self.destination.flush(flush.clone())).await;
            let is_away = matches!(&result, Err(error) if error.class() == Class::Retry);
            if attempt > 0 && !is_away {
                self.patience.over();
            }
            let error = match result {
                Ok(loaded) => return Ok(Outcome::Loaded(loaded)),
                Err(error) => error,
            };
            match error.class() {
                Class::Retry => {
                    attempt += 1;
                    counter!("zenfloe_load_retries_total", &self.labels(topic)).increment(1);
                    if !self.patience.wait_with(reader, attempt, &error).await {
                        return Ok(Outcome::Abandoned);
                    }
                }
                Class::Moved => return Ok(Outcome::Moved),
                Class::Behind => {
                    tracing::info!("{error}: cleaned anew");
                    self.forget_erased(&flush.target);
                    if !self.erase(reader).await? {
                        return Ok(Outcome::Abandoned);
                    }
                }
                Class::Reject => match self.set_aside(topic, &flush, error).await? {
                    Some(rest) => flush = Arc::new(rest),
                    None => return Ok(Outcome::Abandoned),
                },
                Class::Stop => return Err(self.failed(error)),
            }
        }
    }

    /// Publishes the rows that were refused and returns the flush without them; `None` when the stage is to stop.
    async fn set_aside(
        &mut self,
        topic: &Arc<str>,
        flush: &Flush,
        error: LoadError,
    ) -> Result<Option<Flush>, StageError> {
        let LoadError::Refused { rows: refused, .. } = &error else {
            return Err(self.failed(error));
        };
        let refusal = |row: &Row| {
            refused
                .iter()
                .find(|refused| (refused.partition, refused.offset) == (row.partition, row.offset))
        };
        let (rest, out) = flush.without(|row| refusal(row).is_some());
        if out.is_empty() {
            // Offering the same again would go on for ever.
            return Err(self.failed(error));
        }
        let dead = out
            .iter()
            .filter_map(|row| Some(Dead::refused(topic, row, refusal(row)?)))
            .collect::<Vec<_>>();
        tracing::warn!(
            table = self.tables[topic].name,
            rows = dead.len(),
            "{error}; see `zenfloe dead list`"
        );
        Ok(self.bury(topic, &dead).await?.then_some(rest))
    }

    /// Publishes dead letters; `false` when the stage is to stop before they are.
    async fn bury(&mut self, topic: &Arc<str>, dead: &[Dead]) -> Result<bool, StageError> {
        if self.dead.publish(dead, &self.patience).await?.is_none() {
            return Ok(false);
        }
        if !dead.is_empty() {
            counter!("zenfloe_load_dead_letters_total", &self.labels(topic)).increment(dead.len() as u64);
            self.progress.of(&self.tables[topic].name, |shown| {
                shown.dead_letters += dead.len() as u64
            });
        }
        Ok(true)
    }

    /// Drops what is in hand of a flush's partitions and begins them where the destination stands.
    async fn restart(&mut self, reader: &mut dyn Reader, flush: &Flush) -> Result<(), StageError> {
        tracing::info!(
            table = &*flush.target.table,
            rows = flush.len(),
            "another loader moved on: dropped, read on from there"
        );
        let partitions: Vec<TopicPartition> = flush
            .covers
            .iter()
            .map(|cover| TopicPartition::new(flush.topic.name.clone(), cover.partition))
            .collect();
        self.start(reader, &partitions).await.map(drop)
    }

    /// Tells of a flush that is in.
    fn note(&self, topic: &Arc<str>, flush: &Flush, counts: &Loaded, positions: &mut Positions) {
        let table = &self.tables[topic];
        for cover in &flush.covers {
            let at = TopicPartition::new(topic.clone(), cover.partition);
            self.lag.loaded(at.clone(), cover.to, table.timestamp);
            positions.set(at, cover.to);
        }
        let labels = self.labels(topic);
        let bytes: usize = flush.rows().map(Row::size).sum();
        counter!("zenfloe_load_flushes_total", &labels).increment(1);
        counter!("zenfloe_load_rows_total", &labels).increment(counts.written);
        counter!("zenfloe_load_bytes_total", &labels).increment(bytes as u64);
        counter!("zenfloe_load_fenced_rows_total", &labels).increment(counts.fenced);
        counter!("zenfloe_load_nul_replaced_total", &labels).increment(counts.nul_replaced);
        self.progress.of(&table.name, |shown| shown.flushed(counts));
        tracing::info!(
            destination = self.name,
            table = table.name,
            rows = flush.len(),
            written = counts.written,
            fenced = counts.fenced,
            nul_replaced = counts.nul_replaced,
            repeated = counts.repeated,
            bytes,
            "flush"
        );
    }

    /// The lag report of the group; nothing depends on it.
    async fn report(&self, reader: &mut dyn Reader, positions: &Positions) {
        if positions.is_empty() {
            return;
        }
        if let Err(error) = reader.report(positions).await {
            tracing::debug!("the group's lag was not reported: {error}");
        }
    }
}
