//! What is in hand goes to the destination.

use std::collections::{BTreeSet, VecDeque};
use std::sync::Arc;

use metrics::counter;
use zenfloe_destination::{Class, Cover, Flush, LoadError, Loaded, Row};
use zenfloe_log::Reader;
use zenfloe_record::{Positions, TopicPartition};

use crate::StageError;
use crate::dead::Dead;
use crate::load::Load;
use crate::patience::busy;
use crate::stage::Stage;
use crate::table::Table;

/// What became of a flush.
enum Outcome {
    Loaded(Loaded),
    /// Another loader has been here: nothing of it is in.
    Moved,
    /// Rows of it are refused and cannot be taken out: nothing of it is in.
    Again,
    /// Rows of it were cleaned of fewer people than the table, and cannot be cleaned any more: nothing of it is in.
    Behind,
    /// Its rows were lost for want of disk: nothing of it is in.
    Lost,
    /// The stage is to stop: nobody knows whether it is in.
    Abandoned,
}

impl Stage {
    /// Flushes all tables; returns those whose rows had to be given up because the stage is to stop.
    ///
    /// Rows in a spool have been cleaned of whom the destination had been told of as the spool began: it is told of more
    /// people behind them, and cleans them itself. Rows in memory are cleaned as they are offered.
    pub(crate) async fn flush(&mut self, reader: &mut dyn Reader) -> Result<Vec<String>, StageError> {
        let (mut loaded, mut abandoned) = (Positions::new(), Vec::new());
        let topics = self
            .tables
            .iter()
            .map(|(topic, table)| (topic.clone(), table.is_spooled()));
        let (spooled, held): (Vec<_>, Vec<_>) = topics.partition(|(_, is_spooled)| *is_spooled);
        for (topic, _) in spooled {
            if !self.flush_table(reader, &topic, &mut loaded).await? {
                abandoned.push(self.tables[&topic].name.clone());
            }
        }
        let is_told = self.erase(reader).await?;
        for (topic, _) in held {
            // What is not offered is read again by whoever comes next.
            let is_done = match is_told {
                true => self.flush_table(reader, &topic, &mut loaded).await?,
                false => self.tables[&topic].is_empty(),
            };
            if !is_done {
                abandoned.push(self.tables[&topic].name.clone());
            }
        }
        self.report(reader, &loaded).await;
        Ok(abandoned)
    }

    /// Flushes a table; `false` when its rows had to be given up.
    async fn flush_table(
        &mut self,
        reader: &mut dyn Reader,
        topic: &Arc<str>,
        loaded: &mut Positions,
    ) -> Result<bool, StageError> {
        let loads = self.tables.get_mut(topic).map(Table::take).unwrap_or_default();
        let mut left = VecDeque::from(loads);
        while let Some(mut load) = left.pop_front() {
            let outcome = self.offer(reader, topic, &mut load).await?;
            let why = match &outcome {
                Outcome::Loaded(counts) => {
                    self.note(topic, &load, counts, loaded);
                    continue;
                }
                Outcome::Abandoned => return Ok(false),
                Outcome::Moved => "another loader moved on",
                Outcome::Again => "rows were refused and become dead letters",
                Outcome::Behind => "people were erased since",
                Outcome::Lost => "rows had no room on disk",
            };
            if let (Outcome::Behind, Some(table)) = (&outcome, self.tables.get_mut(topic)) {
                table.hold();
            }
            left.push_front(load);
            self.restart(reader, topic, &left, why).await?;
            break;
        }
        Ok(true)
    }

    /// Offers a flush until it is in, another loader's is, or the stage is to stop.
    async fn offer(
        &mut self,
        reader: &mut dyn Reader,
        topic: &Arc<str>,
        load: &mut Load,
    ) -> Result<Outcome, StageError> {
        if !self.bury(topic, &load.dead).await? {
            return Ok(Outcome::Abandoned);
        }
        let mut attempt = 0;
        loop {
            if load.spool.is_none() {
                load.flush = self.without_erased(topic, &load.flush).await?;
            }
            let result = busy(reader, load.offer(&*self.destination)).await;
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
                    if load.is_lost() {
                        return Ok(Outcome::Lost);
                    }
                }
                Class::Moved => return Ok(Outcome::Moved),
                Class::Behind => {
                    tracing::info!("{error}: cleaned anew");
                    if !self.erase_anew(reader, topic).await? {
                        return Ok(Outcome::Abandoned);
                    }
                    if load.spool.is_some() {
                        return Ok(Outcome::Behind);
                    }
                }
                Class::Reject if load.spool.is_some() => return self.remember(topic, error),
                Class::Reject => match self.set_aside(topic, &load.flush, error).await? {
                    Some(rest) => load.flush = Arc::new(rest),
                    None => return Ok(Outcome::Abandoned),
                },
                Class::Stop => return Err(self.failed(error)),
            }
        }
    }

    /// Notes which rows are refused, so that they become letters when they are read again.
    fn remember(&mut self, topic: &Arc<str>, error: LoadError) -> Result<Outcome, StageError> {
        let table = self.tables.get_mut(topic);
        let is_new = match (&error, table) {
            (LoadError::Refused { rows, .. }, Some(table)) => table.remember(rows),
            _ => false,
        };
        match is_new {
            true => Ok(Outcome::Again),
            // Offering the same again would go on for ever.
            false => Err(self.failed(error)),
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

    /// Drops what is in hand of these loads' partitions and begins them where the destination stands.
    async fn restart(
        &mut self,
        reader: &mut dyn Reader,
        topic: &Arc<str>,
        loads: &VecDeque<Load>,
        why: &str,
    ) -> Result<(), StageError> {
        let rows: usize = loads.iter().map(Load::rows).sum();
        let table = &self.tables[topic].name;
        tracing::info!(table, rows, "{why}: dropped, read on from there");
        let covers = loads.iter().flat_map(|load| &load.flush.covers);
        let partitions: BTreeSet<TopicPartition> = covers
            .map(|cover: &Cover| TopicPartition::new(topic.clone(), cover.partition))
            .collect();
        let partitions: Vec<TopicPartition> = partitions.into_iter().collect();
        self.start(reader, &partitions).await.map(drop)
    }

    /// Tells of a flush that is in.
    fn note(&mut self, topic: &Arc<str>, load: &Load, counts: &Loaded, positions: &mut Positions) {
        if let Some(table) = self.tables.get_mut(topic) {
            table.loaded(&load.flush);
        }
        let table = &self.tables[topic];
        for cover in &load.flush.covers {
            let at = TopicPartition::new(topic.clone(), cover.partition);
            self.lag.loaded(at.clone(), cover.to, table.timestamp);
            positions.set(at, cover.to);
        }
        let (labels, bytes) = (self.labels(topic), load.bytes);
        counter!("zenfloe_load_flushes_total", &labels).increment(1);
        counter!("zenfloe_load_rows_total", &labels).increment(counts.written);
        counter!("zenfloe_load_bytes_total", &labels).increment(bytes as u64);
        counter!("zenfloe_load_fenced_rows_total", &labels).increment(counts.fenced);
        counter!("zenfloe_load_nul_replaced_total", &labels).increment(counts.nul_replaced);
        self.progress.of(&table.name, |shown| shown.flushed(counts));
        tracing::info!(
            destination = self.name,
            table = table.name,
            rows = load.rows(),
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
