//! One transactional producer and its transactions. Everything here blocks.
//!
//! A commit has two phases. While it is filled nothing can become visible, and a failure is answered by an abort, at
//! the latest before the next commit. Once `commit_transaction` was called the outcome is the brokers': it is called
//! again until they tell, and where librdkafka gives up, what is visible is looked at.

mod window;

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use rdkafka::error::{KafkaError, RDKafkaErrorCode as Code};
use rdkafka::producer::{BaseProducer, BaseRecord, Producer};
use zenfloe_log::{Append, Class, Done, LogError, TopicInfo};
use zenfloe_record::{Headers, TopicPartition};

use crate::client;
use crate::cluster::{Cluster, committed_by, no_topic, placed, unusable};
use crate::config::broken;
use crate::delivery::{Sending, is_consequence};
use crate::fault::{code_of, fault, is_absent, is_fenced, is_stale_membership, of_code, said};
use crate::life::Life;
use crate::membership::Proof;
use crate::message::{batch_bytes, owned_headers};
use crate::native;
use crate::signals::{Context, Signals};
use crate::transaction::window::Window;

/// How long librdkafka blocks in one call; between two calls its events are served.
const STEP: Duration = Duration::from_millis(500);
/// As [`STEP`] for an abort, which waits for deliveries that are only reported between two calls.
const ABORT_STEP: Duration = Duration::from_millis(20);
/// How long an abort is tried after a failure; the next commit goes on with it.
const ABORT_PATIENCE: Duration = Duration::from_secs(3);

pub(crate) struct Sender {
    cluster: Arc<Cluster>,
    id: String,
    producer: BaseProducer<Context<Sending>>,
    place: Place,
    /// A transaction was begun and has not ended.
    is_open: bool,
    life: Life,
    /// The topics of the last commit.
    touched: Infos,
}

/// Whether this writer is the one of its id.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Place {
    Held,
    /// The brokers dropped it; it is to be taken again.
    Lost,
    /// It was taken again, and the caller does not know yet.
    Retaken,
}

/// What the topics of a commit are.
type Infos = HashMap<Arc<str>, TopicInfo>;

impl Sender {
    /// Opens the producer: ends and fences every earlier one of this id.
    pub(crate) fn open(cluster: Arc<Cluster>, id: String) -> Result<Self, LogError> {
        let producer = producer(&cluster, &id)?;
        let life = Life::new(cluster.config.transaction_timeout);
        let sender = Self {
            cluster,
            id,
            producer,
            place: Place::Held,
            is_open: false,
            life,
            touched: Infos::new(),
        };
        sender.init()?;
        Ok(sender)
    }

    fn init(&self) -> Result<(), LogError> {
        let deadline = Instant::now() + self.cluster.config.request_timeout;
        loop {
            self.serve();
            let Err(error) = self.producer.init_transactions(STEP) else {
                return Ok(());
            };
            self.serve();
            let fault = self.refusal(&error);
            if fault.class() != Class::Retry || Instant::now() >= deadline {
                return Err(fault);
            }
        }
    }

    /// Claims that the brokers dropped this writer without another one in its place, as far as can be told.
    ///
    /// They do so when a transaction lasts too long, most often because they were away themselves. What they answer
    /// then depends on how far they are: that they know no such transaction, or the same as to a writer that was
    /// replaced. So a fence counts as one unless the transaction in hand was old enough to be dropped for its age.
    fn was_dropped(&self) -> bool {
        let fatal = self.producer.client().fatal_error();
        self.was_forgotten() || fatal.is_some_and(|(code, _)| is_fenced(code) && self.life.was_outlived())
    }

    /// Claims that the brokers know no transaction of this writer; they look first whether it was replaced.
    fn was_forgotten(&self) -> bool {
        let fatal = self.producer.client().fatal_error();
        fatal.is_some_and(|(code, _)| code == Code::InvalidTransactionalState)
    }

    /// Takes this writer's place again where it was lost, and tells the caller, who must look what is there now:
    /// between loss and return another writer may have come and gone.
    fn settle(&mut self) -> Result<(), LogError> {
        if self.is_open {
            self.discard()?;
        }
        if self.place == Place::Lost {
            self.renew()?;
            match self.sweep() {
                Err(error) if error.class() == Class::Retry => return Err(error),
                Err(error) => {
                    tracing::warn!(writer = self.id, "a lost transaction is not swept: {error}");
                    self.touched.clear();
                    self.renew()?; // whatever state the sweep is in, it ends with its producer
                }
                Ok(()) => {}
            }
            self.place = Place::Retaken;
        }
        if self.place == Place::Retaken {
            self.place = Place::Held;
            return Err(LogError::Lapsed { id: self.id.clone() });
        }
        Ok(())
    }

    fn renew(&mut self) -> Result<(), LogError> {
        self.producer = producer(&self.cluster, &self.id)?;
        self.is_open = false;
        self.init()
    }

    /// Aborts a transaction of one record in each partition of the topics of the one that was lost.
    ///
    /// A broker of Kafka 4.3.0 to 4.4.0 that ends a transaction while partitions have no leader (its own start, alone in
    /// its cluster) leaves no marker in them (KAFKA-20734): what had been sent stands open there, and this writer's next
    /// commit would show it.
    fn sweep(&mut self) -> Result<(), LogError> {
        let broom = |at: TopicPartition| Append {
            at,
            timestamp: None,
            key: Bytes::from_static(b"none"), // compacted topics take no record without one
            value: None,
            headers: Headers::default(),
        };
        let partitions = |(topic, info): (&Arc<str>, &TopicInfo)| {
            let topic = topic.clone();
            (0..info.partitions).map(move |partition| TopicPartition::new(topic.clone(), partition))
        };
        let out: Vec<Append> = self.touched.iter().flat_map(partitions).map(broom).collect();
        if out.is_empty() {
            return Ok(());
        }
        self.begin()?;
        for (index, append) in out.iter().enumerate() {
            self.send(index, append, &out)?;
        }
        self.drain();
        let failure = self.role().deliveries().failure;
        if let Some((index, code)) = failure {
            return Err(self.undelivered(&out, index, code));
        }
        self.abort(ABORT_PATIENCE)
    }

    /// See [`zenfloe_log::Writer::commit`].
    pub(crate) fn commit(&mut self, out: &[Append], done: Option<&Done>) -> Result<(), LogError> {
        let done = done.filter(|done| !done.positions.is_empty());
        if out.is_empty() && done.is_none() {
            return Ok(());
        }
        self.settle()?;
        self.touched = self.checked(out)?;
        let proof = done.map(|done| Proof::of(&done.by)).transpose()?;
        self.begin()?;
        if let Err(error) = self.fill(out, done, proof.as_deref()) {
            if let Err(late) = self.discard() {
                tracing::debug!(writer = self.id, "the abort is left to the next commit: {late}");
            }
            return Err(error);
        }
        self.finish(out, done, proof.as_deref())
    }

    /// Refuses what the brokers would refuse anyway, before anything is sent.
    fn checked(&self, out: &[Append]) -> Result<Infos, LogError> {
        let mut infos = Infos::new();
        for append in out {
            let topic = &append.at.topic;
            if !infos.contains_key(topic) {
                infos.insert(topic.clone(), self.cluster.known(topic)?);
            }
            let info = &infos[topic];
            if !(0..info.partitions).contains(&append.at.partition) {
                let (at, count) = (&append.at, info.partitions);
                return Err(broken(format!("{at} does not exist: the topic has {count} partitions")));
            }
            let (size, limit) = (batch_bytes(append), self.limit(info));
            if size > limit {
                let at = append.at.clone();
                return Err(LogError::TooLarge { at, size, limit });
            }
        }
        Ok(infos)
    }

    fn limit(&self, info: &TopicInfo) -> usize {
        let ours = self.cluster.config.max_message_bytes.as_u64() as usize;
        info.max_message_bytes.map_or(ours, |limit| limit.min(ours))
    }

    fn begin(&mut self) -> Result<(), LogError> {
        self.serve();
        self.signals().clear(); // what was heard since the last commit is old
        self.role().clear();
        self.producer
            .begin_transaction()
            .map_err(|error| self.refusal(&error))?;
        self.is_open = true;
        self.life.begin();
        Ok(())
    }

    /// Sends all records, waits for their delivery, and adds the read positions.
    fn fill(&self, out: &[Append], done: Option<&Done>, proof: Option<&Proof>) -> Result<(), LogError> {
        let mut window = Window::new(self);
        for (index, append) in out.iter().enumerate() {
            window.make_room(append, self.limit(&self.touched[&append.at.topic]));
            if self.role().deliveries().failure.is_some() {
                break; // the rest would be thrown out
            }
            self.send(index, append, out)?;
        }
        self.drain();
        let failure = self.role().deliveries().failure;
        if let Some((index, code)) = failure {
            return Err(self.undelivered(out, index, code));
        }
        match (done, proof) {
            (Some(done), Some(proof)) => self.send_positions(done, proof),
            _ => Ok(()),
        }
    }

    /// Hands one record to librdkafka, which copies it.
    fn send(&self, index: usize, append: &Append, out: &[Append]) -> Result<(), LogError> {
        let mut record = BaseRecord::with_opaque_to(&append.at.topic, index).partition(append.at.partition);
        record.key = (!append.key.is_empty()).then_some(&append.key[..]);
        record.payload = append.value.as_deref();
        record.timestamp = append.timestamp;
        record.headers = owned_headers(&append.headers);
        loop {
            record = match self.producer.send(record) {
                Ok(()) => return Ok(()),
                Err((error, back)) if code_of(&error) == Code::QueueFull => back,
                Err((error, _)) => return Err(self.undelivered(out, index, code_of(&error))),
            };
            self.turn();
        }
    }

    /// Waits until nothing is under way; ends at the latest with the transaction's time.
    fn drain(&self) {
        while self.producer.in_flight_count() > 0 {
            self.turn();
        }
    }

    /// Serves one event, or else waits a moment for one.
    fn turn(&self) {
        self.life.beat();
        let before = self.producer.in_flight_count();
        self.producer.poll(Duration::ZERO);
        if self.producer.in_flight_count() == before {
            native::push(self.producer.client().native_ptr(), Duration::from_millis(2));
        }
    }

    /// Serves the events that are there: deliveries, troubles, the wish for a token.
    fn serve(&self) {
        self.life.beat();
        for _ in 0..32 {
            self.producer.poll(Duration::ZERO);
        }
    }

    fn send_positions(&self, done: &Done, proof: &Proof) -> Result<(), LogError> {
        let deadline = Instant::now() + self.cluster.config.transaction_timeout;
        let list = placed(done.positions.iter());
        loop {
            let metadata = proof.metadata(&done.positions)?;
            let Err(error) = self.producer.send_offsets_to_transaction(&list, &metadata, STEP) else {
                return Ok(());
            };
            self.serve();
            let code = code_of(&error);
            if is_stale_membership(code) || code == Code::FencedInstanceId {
                return Err(LogError::Rebalanced);
            }
            if code == Code::GroupAuthorizationFailed {
                let what = format!("positions of group `{}` by writer `{}`", proof.group, self.id);
                return Err(fault(&what, &error, self.signals()));
            }
            if kind(&error) != Kind::Again || Instant::now() >= deadline {
                return Err(self.refusal(&error));
            }
        }
    }

    /// Commits, and returns when the outcome is known.
    fn finish(&mut self, out: &[Append], done: Option<&Done>, proof: Option<&Proof>) -> Result<(), LogError> {
        let mut notice = Notice::new();
        loop {
            let Err(error) = self.producer.commit_transaction(STEP) else {
                self.is_open = false;
                self.signals().clear();
                return Ok(());
            };
            self.serve();
            let refusal = self.refusal(&error);
            match kind(&error) {
                Kind::Again => {
                    notice.say(|| tracing::warn!(writer = self.id, "waiting for a commit's outcome: {refusal}"))
                }
                // An abort that succeeds proves that the commit did not.
                Kind::Abort if self.abort_at_last() => return Err(refusal),
                Kind::Abort | Kind::Fatal => {
                    self.is_open = false;
                    let was_dropped = self.was_dropped(); // before a look that takes its time
                    let was_committed = self.was_committed(out, done, proof)?;
                    // What was committed was not dropped: who fences this writer then is another one.
                    if self.was_forgotten() || was_dropped && !was_committed {
                        self.place = Place::Lost;
                    }
                    return match was_committed {
                        true => Ok(()),
                        false => self.settle().and(Err(refusal)),
                    };
                }
            }
        }
    }

    /// Ends a transaction whose commit was not asked for.
    fn discard(&mut self) -> Result<(), LogError> {
        let aborted = self.abort(ABORT_PATIENCE);
        if aborted.is_err() && self.was_dropped() {
            self.place = Place::Lost;
            return Ok(());
        }
        aborted
    }

    /// Aborts, trying for so long.
    fn abort(&mut self, patience: Duration) -> Result<(), LogError> {
        let deadline = Instant::now() + patience;
        loop {
            let Err(error) = self.producer.abort_transaction(ABORT_STEP) else {
                self.is_open = false;
                return Ok(());
            };
            self.serve();
            let refusal = self.refusal(&error);
            if kind(&error) == Kind::Fatal {
                self.is_open = false; // there is nothing that this producer could still do
                return Err(refusal);
            }
            if Instant::now() >= deadline {
                return Err(refusal);
            }
        }
    }

    /// Aborts, however long it takes; `false` when this producer no longer can.
    fn abort_at_last(&mut self) -> bool {
        while self.is_open {
            match self.abort(ABORT_PATIENCE) {
                Ok(()) => return true,
                Err(error) => tracing::warn!(writer = self.id, "waiting for an abort: {error}"),
            }
        }
        false
    }

    /// Looks whether a commit whose answer was lost took place.
    fn was_committed(&self, out: &[Append], done: Option<&Done>, proof: Option<&Proof>) -> Result<bool, LogError> {
        let firsts = self.role().deliveries().firsts.clone();
        let mut notice = Notice::new();
        loop {
            let outcome = self.look(out, &firsts, done, proof);
            match outcome {
                Err(error) if error.class() == Class::Retry => {
                    notice.say(|| tracing::warn!(writer = self.id, "looking for a commit's outcome: {error}"));
                    std::thread::sleep(STEP);
                }
                outcome => return outcome,
            }
        }
    }

    fn look(
        &self,
        out: &[Append],
        firsts: &BTreeMap<String, (usize, i64)>,
        done: Option<&Done>,
        proof: Option<&Proof>,
    ) -> Result<bool, LogError> {
        for (index, offset) in firsts.values() {
            match self.cluster.is_visible(&out[*index].at, *offset) {
                Err(LogError::Forbidden { .. }) => {} // a topic that this user may only write; another one may do
                outcome => return outcome,
            }
        }
        if let (Some(done), Some(proof)) = (done, proof) {
            let partitions: Vec<TopicPartition> = done.positions.iter().map(|(at, _)| at.clone()).collect();
            return Ok(committed_by(&self.cluster, &proof.group, &partitions)? == done.positions);
        }
        let id = &self.id;
        Err(broken(format!(
            "the outcome of a commit of writer `{id}` is unknown and may not be read: start again"
        )))
    }

    /// Why a record was not delivered.
    fn undelivered(&self, out: &[Append], index: usize, code: Code) -> LogError {
        let at = &out[index].at;
        if code == Code::MessageSizeTooLarge {
            self.cluster.forget(&at.topic); // its limit was lowered since it was asked for
            return LogError::TooLarge {
                at: at.clone(),
                size: batch_bytes(&out[index]),
                limit: self.cluster.known(&at.topic).map_or(0, |info| self.limit(&info)),
            };
        }
        if is_absent(code) {
            self.cluster.forget(&at.topic);
            return no_topic(&at.topic);
        }
        // The transaction as a whole tells more. It cannot succeed: a delivery has failed.
        match self.producer.commit_transaction(STEP) {
            Err(error) if code_of(&error) != Code::Inconsistent => self.refusal_of(&error, &blamed(out, index, code)),
            _ => of_code(
                &self.what(&blamed(out, index, code)),
                code,
                &code.to_string(),
                self.signals(),
            ),
        }
    }

    fn refusal(&self, error: &KafkaError) -> LogError {
        self.refusal_of(error, &[])
    }

    /// An error of this producer; one that is fatal outweighs whatever followed from it.
    fn refusal_of(&self, error: &KafkaError, topics: &[&str]) -> LogError {
        let (code, said) = self
            .producer
            .client()
            .fatal_error()
            .map_or_else(|| (code_of(error), said(error)), |(code, said)| (code, said));
        if is_fenced(code) {
            return LogError::Fenced { id: self.id.clone() };
        }
        of_code(&self.what(topics), code, &said, self.signals())
    }

    fn what(&self, topics: &[&str]) -> String {
        match topics {
            [] => format!("writer `{}`", self.id),
            [topic] => format!("writer `{}` to topic `{topic}`", self.id),
            several => format!("writer `{}` to one of the topics `{}`", self.id, several.join("`, `")),
        }
    }

    fn role(&self) -> &Sending {
        &self.producer.context().role
    }

    fn signals(&self) -> &Signals {
        &self.producer.context().signals
    }
}

fn producer(cluster: &Cluster, id: &str) -> Result<BaseProducer<Context<Sending>>, LogError> {
    client::producer(&cluster.config, id)?
        .create_with_context(Context::new(&cluster.config, Sending::default()))
        .map_err(|error| unusable(&error))
}

/// The topic that refused a record; all topics of the commit where it was thrown out because of another one.
fn blamed(out: &[Append], index: usize, code: Code) -> Vec<&str> {
    if !is_consequence(code) {
        return vec![&out[index].at.topic];
    }
    let topics: BTreeSet<&str> = out.iter().map(|append| &*append.at.topic).collect();
    topics.into_iter().collect()
}

/// What can be done about a transaction's error.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    /// The same call again.
    Again,
    /// An abort.
    Abort,
    /// Nothing.
    Fatal,
}

fn kind(error: &KafkaError) -> Kind {
    match error {
        KafkaError::Transaction(error) if error.is_fatal() => Kind::Fatal,
        KafkaError::Transaction(error) if error.txn_requires_abort() => Kind::Abort,
        KafkaError::Transaction(error) if error.is_retriable() => Kind::Again,
        KafkaError::Flush(_) => Kind::Again,
        other => match code_of(other) {
            Code::PreviousInProgress | Code::Conflict => Kind::Again,
            _ => Kind::Abort,
        },
    }
}

/// Says something now and then.
struct Notice(Instant);

impl Notice {
    fn new() -> Self {
        Self(Instant::now() + Duration::from_secs(2))
    }

    fn say(&mut self, say: impl FnOnce()) {
        if Instant::now() >= self.0 {
            self.0 = Instant::now() + Duration::from_secs(10);
            say();
        }
    }
}
