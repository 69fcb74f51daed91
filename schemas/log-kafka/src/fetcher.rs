//! The work of a reader, on its own thread: polling, events, places. Everything here blocks.
//!
//! Invariant: what was polled and did not reach the caller is kept, until it does or its partition is lost or begun anew.

mod start;

use std::sync::Arc;
use std::time::{Duration, Instant};

use rdkafka::consumer::{CommitMode, Consumer};
use rdkafka::error::{KafkaError, RDKafkaErrorCode as Code};
use rdkafka::message::{BorrowedMessage, Message};
use zenfloe_log::{Assign, Batch, Limit, LogError, Read, ReaderSpec, Record};
use zenfloe_record::{Offset, Positions, TopicPartition};

use crate::client;
use crate::cluster::{Cluster, no_topic, placed, positions_of, sign_in, unusable};
use crate::config::broken;
use crate::fault::{code_of, fault, is_absent, is_stale_membership, of_code};
use crate::message::{Names, record};
use crate::native;
use crate::reading::{Change, Reader, Reading, parked};
use crate::signals::{Context, Signals};

/// The longest poll; between two it is seen whether anyone still waits.
const SLICE: Duration = Duration::from_millis(100);

pub(crate) struct Fetcher {
    cluster: Arc<Cluster>,
    consumer: Arc<Reader>,
    reading: Arc<Reading>,
    spec: ReaderSpec,
    names: Names,
    /// Where each partition stands that has begun.
    places: Positions,
    /// Places that the caller has not been told of.
    untold: Positions,
    /// Revocations that the caller has been told of.
    told: u64,
    /// Records that were polled and not taken.
    held: Option<Batch>,
    trouble: Option<LogError>,
    /// Nothing is fetched until the next read.
    is_resting: bool,
}

impl Fetcher {
    pub(crate) fn open(cluster: Arc<Cluster>, spec: ReaderSpec) -> Result<Self, LogError> {
        check(&cluster, &spec.assign)?;
        let reading = Arc::new(Reading::new());
        let consumer = client(&cluster, &spec, &reading)?;
        reading.set_client(&consumer);
        Ok(Self {
            cluster,
            consumer,
            reading,
            spec,
            names: Names::default(),
            places: Positions::new(),
            untold: Positions::new(),
            told: 0,
            held: None,
            trouble: None,
            is_resting: false,
        })
    }

    pub(crate) fn reading(&self) -> Arc<Reading> {
        self.reading.clone()
    }

    pub(crate) fn exact(&self) -> Option<&[TopicPartition]> {
        match &self.spec.assign {
            Assign::Exact(partitions) => Some(partitions),
            Assign::Shared(_) => None,
        }
    }

    /// Revocations that the caller knows of with the event in hand.
    pub(crate) fn told(&self) -> u64 {
        self.told
    }

    /// See [`zenfloe_log::Reader::read`]; ends early when nobody waits any more.
    pub(crate) fn read(&mut self, limit: Limit, is_forsaken: impl Fn() -> bool) -> Result<Read, LogError> {
        let deadline = Instant::now() + limit.wait;
        let mut is_first = true;
        loop {
            // Changes come first: what else was polled may be of a partition that is gone.
            if let Some(change) = self.reading.take() {
                return Ok(self.changed(change));
            }
            if let Some(batch) = self.held.take() {
                return Ok(Read::Batch(self.fitted(batch, limit)));
            }
            if let Some(trouble) = self.trouble.take() {
                return Err(trouble);
            }
            let left = deadline.saturating_duration_since(Instant::now());
            if !is_first && (left.is_zero() || is_forsaken()) {
                self.listen()?;
                return Ok(Read::Batch(self.batch(Vec::new())));
            }
            self.go_on()?;
            self.poll(limit, left.min(SLICE));
            is_first = false;
        }
    }

    /// See [`zenfloe_log::Reader::stay`]; ends early when nobody waits any more.
    pub(crate) fn stay(&mut self, wait: Duration, is_forsaken: impl Fn() -> bool) -> Result<(), LogError> {
        let deadline = Instant::now() + wait;
        self.rest()?;
        loop {
            let left = deadline.saturating_duration_since(Instant::now());
            let held = self.held.take();
            self.poll(Limit::default(), left.min(SLICE));
            if let Some(held) = held {
                self.held = Some(joined(held, self.held.take()));
            }
            if left.is_zero() || is_forsaken() {
                return Ok(());
            }
        }
    }

    /// Keeps an event that did not reach the caller.
    pub(crate) fn keep(&mut self, read: Read) {
        match read {
            Read::Batch(batch) => self.held = Some(joined(batch, self.held.take())),
            Read::Assigned(new) => self.reading.put_back(Change::Assigned(new)),
            Read::Revoked(lost) => {
                self.told -= 1;
                self.reading.put_back(Change::Revoked(lost));
            }
        }
    }

    fn changed(&mut self, change: Change) -> Read {
        match change {
            Change::Assigned(new) => Read::Assigned(new),
            Change::Revoked(lost) => {
                self.told += 1;
                self.forget(&lost);
                Read::Revoked(lost)
            }
        }
    }

    fn forget(&mut self, partitions: &[TopicPartition]) {
        for at in partitions {
            self.places.remove(at);
            self.untold.remove(at);
        }
        if let Some(held) = &mut self.held {
            held.records.retain(|record| !partitions.contains(&record.at));
            held.positions.retain(|at| !partitions.contains(at));
        }
    }

    /// Polls until there is something, then takes what else is at hand.
    fn poll(&mut self, limit: Limit, wait: Duration) {
        let consumer = self.consumer.clone();
        let mut records = Vec::new();
        let mut trouble = None;
        let (mut bytes, mut wait) = (0, wait);
        while records.len() < limit.records.max(1) && (bytes < limit.bytes || records.is_empty()) {
            match consumer.poll(wait) {
                Some(Ok(message)) => {
                    if let Some(record) = self.taken(&message) {
                        bytes += record.key.len() + record.value.as_ref().map_or(0, bytes::Bytes::len);
                        records.push(record);
                    }
                }
                Some(Err(error)) => {
                    trouble = Some(error);
                    break;
                }
                None => break,
            }
            wait = Duration::ZERO;
        }
        drop(consumer);
        self.look_where_we_are();
        if let Some(error) = trouble {
            self.trouble = self.judge(&error).err();
        }
        if !records.is_empty() {
            self.held = Some(self.batch(records));
        }
    }

    /// A polled message as a record, if its partition has begun and stands before it.
    fn taken(&mut self, message: &BorrowedMessage<'_>) -> Option<Record> {
        let at = TopicPartition::new(self.names.shared(message.topic()), message.partition());
        let place = self.places.get(&at)?;
        if message.offset() < place {
            return None;
        }
        self.stand(at.clone(), message.offset() + 1);
        Some(record(message, at))
    }

    fn stand(&mut self, at: TopicPartition, next: Offset) {
        self.places.set(at.clone(), next);
        self.untold.set(at, next);
    }

    /// Markers and aborted records move a place without a record.
    fn look_where_we_are(&mut self) {
        let Ok(list) = self.consumer.position() else { return };
        let Ok(positions) = positions_of(&list) else { return };
        for (at, next) in positions.iter() {
            if self.places.get(at).is_some_and(|place| place < next) {
                let at = TopicPartition::new(self.names.shared(&at.topic), at.partition);
                self.stand(at, next);
            }
        }
    }

    fn batch(&mut self, records: Vec<Record>) -> Batch {
        Batch {
            records,
            positions: std::mem::take(&mut self.untold),
        }
    }

    /// As much of a batch that was kept as the limit allows; the rest is kept on.
    fn fitted(&mut self, mut batch: Batch, limit: Limit) -> Batch {
        let mut bytes = 0;
        let fits = |record: &&Record| {
            let is_room = bytes < limit.bytes;
            bytes += record.key.len() + record.value.as_ref().map_or(0, bytes::Bytes::len);
            is_room
        };
        let within = batch.records.iter().take(limit.records.max(1)).take_while(fits).count();
        let rest = batch.records.split_off(within.max(1).min(batch.records.len()));
        if rest.is_empty() {
            return batch;
        }
        let ends = batch.positions.clone();
        for record in rest.iter().rev() {
            batch.positions.set(record.at.clone(), record.offset);
        }
        self.held = Some(Batch {
            records: rest,
            positions: ends,
        });
        batch
    }

    /// See [`zenfloe_log::Reader::report`].
    pub(crate) fn report(&self, positions: &Positions) -> Result<(), LogError> {
        if positions.is_empty() {
            return Ok(());
        }
        let is_member = || native::generation(self.consumer.client().native_ptr()) >= 0;
        if self.exact().is_none() && !(self.told == self.reading.revocations() && is_member()) {
            return Err(LogError::Rebalanced);
        }
        let list = placed(positions.iter());
        self.consumer
            .commit(&list, CommitMode::Sync)
            .map_err(|error| match code_of(&error) {
                code if is_stale_membership(code) => LogError::Rebalanced,
                _ => self.fault(&format!("positions of group `{}`", self.spec.group), &error),
            })
    }

    /// What an error of a poll means; nothing when it mends by itself or shows otherwise.
    fn judge(&mut self, error: &KafkaError) -> Result<(), LogError> {
        if let Some((code, said)) = self.consumer.client().fatal_error() {
            return self.fatal(code, &said);
        }
        let group = &self.spec.group;
        match code_of(error) {
            Code::AutoOffsetReset => self.find_outside(),
            code if is_absent(code) => check(&self.cluster, &self.spec.assign),
            code => {
                let what = format!("reader of group `{group}`");
                let said = self.signals().access().unwrap_or_else(|| error.to_string());
                match of_code(&what, code, &said, self.signals()) {
                    LogError::Unavailable { .. } => Ok(()),
                    lasting => Err(lasting),
                }
            }
        }
    }

    /// What ends a client; one that was only away too long, or whose broker forgot it, is replaced.
    fn fatal(&mut self, code: Code, said: &str) -> Result<(), LogError> {
        match &self.spec.member {
            Some(_) if code == Code::FencedInstanceId && self.reading.may_return() => self.return_anew(),
            Some(member) if code == Code::FencedInstanceId => Err(LogError::Fenced { id: member.clone() }),
            _ => {
                let what = format!("reader of group `{}`", self.spec.group);
                Err(of_code(&what, code, said, self.signals()))
            }
        }
    }

    fn return_anew(&mut self) -> Result<(), LogError> {
        tracing::info!(
            group = self.spec.group,
            "this reader's place in its group is gone: it joins anew"
        );
        let successor = client(&self.cluster, &self.spec, &self.reading)?;
        drop(std::mem::replace(&mut self.consumer, successor)); // it leaves, and acknowledges what it has to
        self.reading.revoke_all();
        self.reading.succeed(&self.consumer);
        Ok(())
    }

    /// Finds the partition whose place the brokers refused.
    fn find_outside(&self) -> Result<(), LogError> {
        for (at, place) in self.places.iter() {
            self.cluster.checked(at, place)?;
        }
        Ok(()) // it has mended: an end that moved back for a moment
    }

    /// After a wait without records: are there brokers at all?
    fn listen(&self) -> Result<(), LogError> {
        let signals = self.signals();
        if !signals.is_alarming() {
            return Ok(());
        }
        match self
            .consumer
            .fetch_metadata(Some("__zenfloe_probe"), Duration::from_millis(500))
        {
            Ok(_) => {
                signals.clear();
                Ok(())
            }
            Err(_) => Err(signals.unavailable(&format!("reader of group `{}`", self.spec.group))),
        }
    }

    fn fault(&self, what: &str, error: &KafkaError) -> LogError {
        fault(what, error, self.signals())
    }

    fn signals(&self) -> &Signals {
        &self.consumer.context().signals
    }
}

/// A client that has joined, or taken over what it was told to read.
fn client(cluster: &Cluster, spec: &ReaderSpec, reading: &Arc<Reading>) -> Result<Arc<Reader>, LogError> {
    let consumer: Reader = client::consumer(&cluster.config, &spec.group, spec.member.as_deref())?
        .create_with_context(Context::new(&cluster.config, reading.clone()))
        .map_err(|error| unusable(&error))?;
    let begun = match &spec.assign {
        Assign::Shared(topics) => consumer.subscribe(&topics.iter().map(String::as_str).collect::<Vec<_>>()),
        Assign::Exact(partitions) => parked(partitions).and_then(|parked| {
            consumer.assign(&parked)?;
            consumer.pause(&parked)?;
            sign_in(&consumer);
            Ok(())
        }),
    };
    begun.map_err(|error| unusable(&error))?;
    Ok(Arc::new(consumer))
}

/// Refuses topics and partitions that do not exist.
fn check(cluster: &Cluster, assign: &Assign) -> Result<(), LogError> {
    let topics: Vec<&str> = match assign {
        Assign::Shared(topics) => topics.iter().map(String::as_str).collect(),
        Assign::Exact(partitions) => partitions.iter().map(|at| &*at.topic).collect(),
    };
    let described = cluster.describe(&topics)?;
    for topic in topics {
        described
            .get(topic)
            .and_then(Option::as_ref)
            .ok_or_else(|| no_topic(topic))?;
    }
    let Assign::Exact(partitions) = assign else {
        return Ok(());
    };
    let counts = |at: &TopicPartition| described[&*at.topic].as_ref().map_or(0, |(_, count)| *count);
    match partitions.iter().find(|at| !(0..counts(at)).contains(&at.partition)) {
        Some(at) => Err(broken(format!(
            "{at} does not exist: the topic has {} partitions",
            counts(at)
        ))),
        None => Ok(()),
    }
}

/// A batch that was not taken, before whatever is kept already.
fn joined(mut first: Batch, then: Option<Batch>) -> Batch {
    if let Some(then) = then {
        first.records.extend(then.records);
        first.positions.merge(&then.positions);
    }
    first
}
