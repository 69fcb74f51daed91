//! Questions to the cluster, asked by one client that belongs to no group.

use std::collections::{BTreeSet, HashMap};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use rdkafka::consumer::{BaseConsumer, Consumer, ConsumerContext};
use rdkafka::error::{KafkaError, KafkaResult, RDKafkaErrorCode as Code};
use rdkafka::{Offset as At, TopicPartitionList};
use zenfloe_log::{Bounds, LogError, TopicInfo};
use zenfloe_record::{Offset, Positions, TopicPartition};

use crate::client;
use crate::config::{KafkaConfig, broken};
use crate::fault::{code_of, fault, is_absent, of_code};
use crate::native::{self, Refused};
use crate::scan::Scanner;
use crate::signals::{Context, Signals};

/// The role of a client that only asks.
pub(crate) struct Asking;

impl ConsumerContext for Context<Asking> {}

/// A cluster, as all parts of the log share it. Every function here blocks.
pub(crate) struct Cluster {
    pub(crate) config: KafkaConfig,
    probe: BaseConsumer<Context<Asking>>,
    /// What topics are, for checks before sending. A partition count is for ever, so this ages well.
    known: Mutex<HashMap<String, TopicInfo>>,
    /// A client for scans, kept for the next one: signing in takes longer than most scans.
    pub(crate) scanner: Mutex<Option<Scanner>>,
}

impl Cluster {
    pub(crate) fn connect(config: KafkaConfig) -> Result<Self, LogError> {
        config.check()?;
        let settings = client::probe(&config)?;
        let probe = settings
            .create_with_context(Context::new(&config, Asking))
            .map_err(|error| unusable(&error))?;
        let cluster = Self {
            config,
            probe,
            known: Mutex::default(),
            scanner: Mutex::default(),
        };
        cluster.patiently("the first connection", |wait| {
            // Metadata of one name that no topic has: cheap in a cluster of any size.
            cluster.probe.fetch_metadata(Some("__zenfloe_probe"), wait)
        })?;
        Ok(cluster)
    }

    pub(crate) fn signals(&self) -> &Signals {
        &self.probe.context().signals
    }

    pub(crate) fn handle(&self) -> native::Handle {
        self.probe.client().native_ptr()
    }

    /// Serves the probe's events: connection errors, sign-in, tokens.
    fn serve(&self) {
        for _ in 0..64 {
            let _ = self.probe.poll(Duration::ZERO);
        }
    }

    /// Tries until it works, cannot work, or the time for a request is over.
    fn patiently<T>(&self, what: &str, ask: impl Fn(Duration) -> KafkaResult<T>) -> Result<T, LogError> {
        let deadline = Instant::now() + self.config.request_timeout;
        let mut wait = Duration::from_millis(500);
        self.serve();
        self.signals().clear(); // what was heard since the last question is old
        loop {
            let error = match ask(wait) {
                Ok(answer) => {
                    self.signals().clear();
                    return Ok(answer);
                }
                Err(error) => error,
            };
            self.serve();
            if let Some(refusal) = self.signals().refusal() {
                return Err(refusal);
            }
            let fault = fault(what, &error, self.signals());
            let lasting = !matches!(fault, LogError::Unavailable { .. });
            if lasting || is_absent(code_of(&error)) || Instant::now() >= deadline {
                return Err(fault);
            }
            std::thread::sleep(Duration::from_millis(50));
            wait = (wait * 2).min(Duration::from_secs(8));
        }
    }

    /// As [`Self::patiently`], for the native calls.
    fn patiently_native<T>(&self, what: &str, ask: impl Fn(Duration) -> Result<T, Refused>) -> Result<T, LogError> {
        self.patiently(what, |wait| {
            self.serve(); // a wished-for token is served between the tries
            ask(wait).map_err(|(code, said)| {
                tracing::debug!(what, %code, said, "question not answered");
                KafkaError::AdminOp(code)
            })
        })
    }

    /// What exists of `names`: id and partition count, or `None`.
    pub(crate) fn describe(&self, names: &[&str]) -> Result<HashMap<String, Option<(String, i32)>>, LogError> {
        if names.is_empty() {
            return Ok(HashMap::new());
        }
        let names: Vec<&str> = BTreeSet::from_iter(names.iter().copied()).into_iter().collect(); // repeats are refused
        let what = format!("metadata of {}", listed(&names));
        let answers = self.patiently_native(&what, |wait| native::describe_topics(self.handle(), &names, wait))?;
        let entry = |answer: native::Described| match answer.topic {
            Ok(found) => Ok((answer.name, Some(found))),
            Err((code, _)) if is_absent(code) => Ok((answer.name, None)),
            Err((code, said)) => {
                let what = format!("topic `{}`", answer.name);
                Err(of_code(&what, code, &said, self.signals()))
            }
        };
        answers.into_iter().map(entry).collect()
    }

    /// Describes topics in full; absent ones are left out.
    pub(crate) fn topics_info(&self, names: &[&str]) -> Result<HashMap<String, TopicInfo>, LogError> {
        let described = self.describe(names)?;
        let present: Vec<(&String, &(String, i32))> = described
            .iter()
            .filter_map(|(name, found)| Some((name, found.as_ref()?)))
            .collect();
        let limits = self.message_limits(&present.iter().map(|(name, _)| name.as_str()).collect::<Vec<_>>())?;
        let info = |(name, (id, partitions)): (&String, &(String, i32))| {
            let info = TopicInfo {
                id: id.clone(),
                partitions: *partitions,
                max_message_bytes: limits.get(name).copied(),
            };
            (name.clone(), info)
        };
        let infos: HashMap<String, TopicInfo> = present.into_iter().map(info).collect();
        self.remember(&infos);
        Ok(infos)
    }

    /// `max.message.bytes` of topics, where this user may see it.
    fn message_limits(&self, names: &[&str]) -> Result<HashMap<String, usize>, LogError> {
        if names.is_empty() {
            return Ok(HashMap::new());
        }
        let what = format!("settings of {}", listed(names));
        let told = self.patiently_native(&what, |wait| {
            native::topic_setting(self.handle(), names, "max.message.bytes", wait)
        });
        match told {
            Ok(told) => Ok(told
                .into_iter()
                .filter_map(|(name, value)| Some((name, value?.parse().ok()?)))
                .collect()),
            Err(LogError::Forbidden { .. }) => Ok(HashMap::new()),
            Err(error) => Err(error),
        }
    }

    pub(crate) fn remember(&self, infos: &HashMap<String, TopicInfo>) {
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        known.extend(infos.iter().map(|(name, info)| (name.clone(), info.clone())));
    }

    /// Forgets what a topic was, when the brokers' answer shows that it changed.
    pub(crate) fn forget(&self, topic: &str) {
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        known.remove(topic);
    }

    /// What a topic is, asked once.
    pub(crate) fn known(&self, topic: &str) -> Result<TopicInfo, LogError> {
        let known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(info) = known.get(topic) {
            return Ok(info.clone());
        }
        drop(known);
        let mut infos = self.topics_info(&[topic])?;
        infos.remove(topic).ok_or_else(|| no_topic(topic))
    }

    /// The names of all topics that begin with `prefix`, sorted.
    pub(crate) fn names(&self, prefix: &str) -> Result<Vec<String>, LogError> {
        let metadata = self.patiently("the list of topics", |wait| self.probe.fetch_metadata(None, wait))?;
        let mut names: Vec<String> = metadata
            .topics()
            .iter()
            .map(|topic| topic.name())
            .filter(|name| name.starts_with(prefix))
            .map(str::to_owned)
            .collect();
        names.sort_unstable();
        Ok(names)
    }

    /// First offset kept and last stable offset.
    pub(crate) fn bounds(&self, at: &TopicPartition) -> Result<Bounds, LogError> {
        let answer = self.patiently_at(at, |wait| self.probe.fetch_watermarks(&at.topic, at.partition, wait));
        answer.map(|(start, end)| Bounds { start, end })
    }

    /// As [`Self::patiently`], about one partition.
    fn patiently_at<T>(&self, at: &TopicPartition, ask: impl Fn(Duration) -> KafkaResult<T>) -> Result<T, LogError> {
        let absent = std::cell::Cell::new(false);
        let answer = self.patiently(&format!("offsets of {at}"), |wait| {
            let answer = ask(wait);
            absent.set(answer.as_ref().is_err_and(|error| is_absent(code_of(error))));
            answer
        });
        // Metadata may be older than the topic, so absence is looked at twice.
        match answer {
            Err(_) if absent.get() => match self.describe(&[&at.topic])?.remove(&*at.topic).flatten() {
                None => Err(no_topic(&at.topic)),
                Some((_, partitions)) if at.partition >= partitions => Err(broken(format!(
                    "{at} does not exist: the topic has {partitions} partitions"
                ))),
                Some(_) => answer,
            },
            other => other,
        }
    }

    /// The first offset whose timestamp is at least `timestamp`, if there is one. It may be a transaction's marker.
    pub(crate) fn first_at(&self, at: &TopicPartition, timestamp: i64) -> Result<Option<Offset>, LogError> {
        let found = self.patiently_at(at, |wait| {
            let mut asked = TopicPartitionList::new();
            asked.add_partition_offset(&at.topic, at.partition, At::Offset(timestamp.max(0)))?;
            let answer = self.probe.offsets_for_times(asked, wait)?;
            let found = answer.find_partition(&at.topic, at.partition);
            found.map_or(Ok(At::End), |found| found.error().map(|()| found.offset()))
        })?;
        Ok(match found {
            At::Offset(offset) => Some(offset),
            _ => None,
        })
    }

    /// The committed positions of the consumer's group.
    ///
    /// While a transaction that moves them is open, brokers do not tell; that is waited for. `serve` is called between
    /// the tries, for the events of a client that nobody else polls.
    pub(crate) fn committed<R>(
        &self,
        consumer: &BaseConsumer<Context<R>>,
        group: &str,
        partitions: &[TopicPartition],
        serve: impl Fn(),
    ) -> Result<Positions, LogError>
    where
        Context<R>: ConsumerContext,
    {
        if partitions.is_empty() {
            return Ok(Positions::new());
        }
        let what = format!("committed positions of group `{group}`");
        let deadline = Instant::now() + self.settling();
        loop {
            let asked = consumer.committed_offsets(unplaced(partitions), Duration::from_secs(3));
            let error = match asked.and_then(|answer| positions_of(&answer)) {
                Ok(positions) => return Ok(positions),
                Err(error) => error,
            };
            serve();
            let signals = &consumer.context().signals;
            let fault = match signals.access() {
                Some(said) => of_code(&what, Code::GroupAuthorizationFailed, &said, signals),
                None => fault(&what, &error, signals),
            };
            if !matches!(fault, LogError::Unavailable { .. }) || Instant::now() >= deadline {
                return Err(fault);
            }
            tracing::info!(group, %error, "waiting for committed positions; a killed writer's transaction may hold them");
            std::thread::sleep(Duration::from_millis(100));
        }
    }

    /// How long committed positions are waited for: a transaction's life and the broker's rounds of 10 s.
    fn settling(&self) -> Duration {
        self.config.transaction_timeout + Duration::from_secs(25)
    }
}

/// Asks for committed positions by a client that names the group and does not join it.
pub(crate) fn committed_by(
    cluster: &Cluster,
    group: &str,
    partitions: &[TopicPartition],
) -> Result<Positions, LogError> {
    let asking: BaseConsumer<Context<Asking>> = client::consumer(&cluster.config, group, None)?
        .create_with_context(Context::new(&cluster.config, Asking))
        .map_err(|error| unusable(&error))?;
    sign_in(&asking);
    cluster.committed(&asking, group, partitions, || sign_in(&asking))
}

/// Serves a new client's wish for a token, for clients that are not polled before they are asked something.
pub(crate) fn sign_in<C: ConsumerContext>(consumer: &BaseConsumer<C>) {
    for _ in 0..8 {
        let _ = consumer.poll(Duration::from_millis(1));
    }
}

/// Partitions without offsets.
pub(crate) fn unplaced(partitions: &[TopicPartition]) -> TopicPartitionList {
    let mut list = TopicPartitionList::with_capacity(partitions.len());
    for at in partitions {
        list.add_partition(&at.topic, at.partition);
    }
    list
}

/// Partitions with offsets.
pub(crate) fn placed<'p>(positions: impl Iterator<Item = (&'p TopicPartition, Offset)>) -> TopicPartitionList {
    let mut list = TopicPartitionList::new();
    for (at, offset) in positions {
        list.add_partition_offset(&at.topic, at.partition, At::Offset(offset))
            .expect("an offset of a record or a position is never negative");
    }
    list
}

/// The offsets in a list, without those that are not set.
pub(crate) fn positions_of(list: &TopicPartitionList) -> KafkaResult<Positions> {
    let mut positions = Positions::new();
    for element in list.elements() {
        element.error()?;
        if let At::Offset(offset) = element.offset() {
            positions.set(TopicPartition::new(element.topic(), element.partition()), offset);
        }
    }
    Ok(positions)
}

pub(crate) fn no_topic(topic: &str) -> LogError {
    LogError::NoTopic {
        topic: topic.to_owned(),
    }
}

/// A client that librdkafka refuses to make: the settings are wrong.
pub(crate) fn unusable(error: &KafkaError) -> LogError {
    match error {
        // The value may be a secret.
        KafkaError::ClientConfig(_, what, name, _) => broken(format!("setting `{name}`: {what}")),
        other => broken(format!("the Kafka client cannot be made: {other}")),
    }
}

/// Names for a message, the first few of many.
fn listed(names: &[&str]) -> String {
    let shown: Vec<String> = names.iter().take(3).map(|name| format!("`{name}`")).collect();
    match names.len() {
        0..=3 => shown.join(", "),
        more => format!("{} and {} more topics", shown.join(", "), more - 3),
    }
}

/// Claims that asking again may help, for admin questions.
pub(crate) fn is_passing(code: Code) -> bool {
    matches!(
        code,
        Code::OperationTimedOut
            | Code::RequestTimedOut
            | Code::NotController
            | Code::BrokerTransportFailure
            | Code::LeaderNotAvailable
    )
}
