//! Reading one partition from a place to its present end.

use std::ops::ControlFlow;
use std::sync::PoisonError;
use std::time::{Duration, Instant};

use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::error::{KafkaError, RDKafkaErrorCode as Code};
use rdkafka::message::Message;
use zenfloe_log::{Bounds, LogError, Record};
use zenfloe_record::{Offset, TopicPartition};

use crate::client;
use crate::cluster::{Asking, Cluster, placed, unusable};
use crate::fault::{code_of, fault};
use crate::message::record;
use crate::signals::Context;

/// A client that reads one partition after the other.
pub(crate) type Scanner = BaseConsumer<Context<Asking>>;

/// How long a place beyond the end is doubted: a broker that took a partition over may need a moment to know its end.
const DOUBT: Duration = Duration::from_secs(2);

impl Cluster {
    /// See [`zenfloe_log::Log::scan`].
    pub(crate) fn scan(&self, at: &TopicPartition, from: Offset) -> Result<(Vec<Record>, Offset), LogError> {
        let bounds = self.checked(at, from)?;
        let mut records = Vec::new();
        self.walk(at, from, bounds.end, |record| {
            records.push(record);
            ControlFlow::Continue(())
        })?;
        Ok((records, bounds.end))
    }

    /// The bounds of a partition, if a place lies within.
    pub(crate) fn checked(&self, at: &TopicPartition, wanted: Offset) -> Result<Bounds, LogError> {
        let deadline = Instant::now() + DOUBT;
        loop {
            let bounds = self.bounds(at)?;
            if (bounds.start..=bounds.end).contains(&wanted) {
                return Ok(bounds);
            }
            if wanted < bounds.start || Instant::now() >= deadline {
                return Err(out_of_range(at, wanted, bounds));
            }
            std::thread::sleep(Duration::from_millis(100));
        }
    }

    /// See [`zenfloe_log::Log::offset_at`].
    ///
    /// Brokers count a transaction's marker, which carries the time of the commit, so what they find is where to look.
    pub(crate) fn offset_at(&self, at: &TopicPartition, timestamp: i64) -> Result<Offset, LogError> {
        let end = self.bounds(at)?.end;
        let Some(from) = self.first_at(at, timestamp)? else {
            return Ok(end);
        };
        let mut found = end;
        self.walk(at, from, end, |record| {
            if record.timestamp < timestamp {
                return ControlFlow::Continue(());
            }
            found = record.offset;
            ControlFlow::Break(())
        })?;
        Ok(found)
    }

    /// Tells whether the record at an offset was committed, once that is decided.
    pub(crate) fn is_visible(&self, at: &TopicPartition, offset: Offset) -> Result<bool, LogError> {
        while self.bounds(at)?.end <= offset {
            std::thread::sleep(Duration::from_millis(100)); // its transaction is still open
        }
        let mut found = false;
        self.walk(at, offset, offset + 1, |_| {
            found = true;
            ControlFlow::Break(())
        })?;
        Ok(found)
    }

    /// Shows the committed records from `from` on to `each`, up to `end`, which must not lie beyond the present end.
    fn walk(
        &self,
        at: &TopicPartition,
        from: Offset,
        end: Offset,
        mut each: impl FnMut(Record) -> ControlFlow<()>,
    ) -> Result<(), LogError> {
        if from >= end {
            return Ok(());
        }
        let scanner = self.scanner()?;
        scanner
            .assign(&placed(std::iter::once((at, from))))
            .map_err(|error| unusable(&error))?;
        self.follow(&scanner, at, end, &mut each)?;
        scanner.unassign().map_err(|error| unusable(&error))?;
        *self.scanner.lock().unwrap_or_else(PoisonError::into_inner) = Some(scanner);
        Ok(())
    }

    fn follow(
        &self,
        scanner: &Scanner,
        at: &TopicPartition,
        end: Offset,
        each: &mut dyn FnMut(Record) -> ControlFlow<()>,
    ) -> Result<(), LogError> {
        let mut heard = Instant::now();
        loop {
            match scanner.poll(Duration::from_millis(100)) {
                Some(Ok(message)) => {
                    heard = Instant::now();
                    let offset = message.offset();
                    let record = record(&message, at.clone());
                    if offset >= end || each(record).is_break() || offset + 1 == end {
                        return Ok(());
                    }
                }
                Some(Err(KafkaError::PartitionEOF(_))) => return Ok(()),
                Some(Err(error)) => self.tolerate(at, &error, scanner.context())?,
                None => {}
            }
            if heard.elapsed() > self.config.request_timeout {
                return Err(scanner.context().signals.unavailable(&format!("reading {at}")));
            }
        }
    }

    /// The client of an earlier scan, or a new one.
    fn scanner(&self) -> Result<Scanner, LogError> {
        let kept = self.scanner.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(kept) = kept {
            kept.context().signals.clear();
            return Ok(kept);
        }
        client::scanner(&self.config)?
            .create_with_context(Context::new(&self.config, Asking))
            .map_err(|error| unusable(&error))
    }

    /// Passes over what may mend, and over what only concerns the group that is never joined.
    fn tolerate(&self, at: &TopicPartition, error: &KafkaError, context: &Context<Asking>) -> Result<(), LogError> {
        match code_of(error) {
            Code::GroupAuthorizationFailed => return Ok(()),
            // It expired between the look and the reading.
            Code::AutoOffsetReset => return Err(out_of_range(at, -1, self.bounds(at)?)),
            _ => {}
        }
        match fault(&format!("reading {at}"), error, &context.signals) {
            LogError::Unavailable { .. } => Ok(()),
            lasting => Err(lasting),
        }
    }
}

pub(crate) fn out_of_range(at: &TopicPartition, wanted: Offset, bounds: Bounds) -> LogError {
    LogError::OutOfRange {
        at: at.clone(),
        wanted,
        start: bounds.start,
        end: bounds.end,
    }
}
