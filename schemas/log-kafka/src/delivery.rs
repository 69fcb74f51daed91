//! What became of the records that a producer sent.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use rdkafka::error::RDKafkaErrorCode as Code;
use rdkafka::message::{DeliveryResult, Message};
use rdkafka::producer::ProducerContext;
use zenfloe_record::Offset;

use crate::fault::code_of;
use crate::signals::Context;

/// The role of a client that writes.
#[derive(Default)]
pub(crate) struct Sending(Mutex<Deliveries>);

/// The deliveries of one commit. Records are named by their index in it.
#[derive(Default)]
pub(crate) struct Deliveries {
    /// Bytes of key and value that are no longer under way.
    pub(crate) bytes: usize,
    /// The first delivered record of each topic.
    pub(crate) firsts: BTreeMap<String, (usize, Offset)>,
    /// The first failure that tells something.
    pub(crate) failure: Option<(usize, Code)>,
}

impl Sending {
    pub(crate) fn deliveries(&self) -> MutexGuard<'_, Deliveries> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Starts anew for the next commit.
    pub(crate) fn clear(&self) {
        *self.deliveries() = Deliveries::default();
    }
}

impl Deliveries {
    fn note(&mut self, index: usize, result: &DeliveryResult<'_>) {
        let message = match result {
            Ok(message) | Err((_, message)) => message,
        };
        self.bytes += message.payload_len() + message.key_len();
        match result {
            Ok(message) if message.offset() >= 0 && !self.firsts.contains_key(message.topic()) => {
                self.firsts
                    .insert(message.topic().to_owned(), (index, message.offset()));
            }
            Ok(_) => {}
            Err((error, _)) => self.fail(index, code_of(error)),
        }
    }

    /// Keeps the first failure; a record that was thrown out because of another one tells nothing.
    fn fail(&mut self, index: usize, code: Code) {
        if self.failure.is_none_or(|(_, held)| is_consequence(held)) {
            self.failure = Some((index, code));
        }
    }
}

/// Claims that a record was thrown out because of another one.
pub(crate) fn is_consequence(code: Code) -> bool {
    matches!(code, Code::PurgeQueue | Code::PurgeInflight)
}

impl ProducerContext for Context<Sending> {
    type DeliveryOpaque = usize;

    fn delivery(&self, result: &DeliveryResult<'_>, index: usize) {
        self.role.deliveries().note(index, result);
    }
}
