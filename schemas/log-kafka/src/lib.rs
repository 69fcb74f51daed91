//! The log over Apache Kafka: the only crate that knows librdkafka.
//!
//! - A [`Writer`](zenfloe_log::Writer) is a transactional producer; its id is Kafka's `transactional.id`, so opening one
//!   ends and fences its predecessor. Appends and read positions go into one transaction.
//! - A shared [`Reader`](zenfloe_log::Reader) is a member of a consumer group with cooperative assignment; its `member` is
//!   Kafka's `group.instance.id`. Everything reads committed records only.
//!
//! Invariants beyond the trait's:
//! - the partition of a record is always the caller's, never a client's default;
//! - nothing but [`Reader::begin`](zenfloe_log::Reader::begin) decides where reading starts: no automatic commit, no reset;
//! - a commit returns only when its outcome is known; while the brokers are away in its last phase, it waits;
//! - a writer signs in a second time only when the brokers dropped its transaction for its age, and never without telling
//!   its caller, who reads again what is there: whoever came in between is fenced by that, and nothing of theirs is lost.
//!
//! Every client blocks in librdkafka, so all of them work on threads of their own, off the async runtime's.
//!
//! What it does not know: what a record means, and which partition it belongs to.

mod client;
mod cluster;
mod config;
mod delivery;
mod fault;
mod fetcher;
#[cfg(test)]
mod injected;
mod life;
mod log;
mod membership;
mod message;
mod native;
mod reader;
mod reading;
mod scan;
mod signals;
mod topics;
mod transaction;
mod writer;

pub use config::{Compression, Extra, KafkaConfig, Mechanism, Sasl, Tls};
pub use log::KafkaLog;
