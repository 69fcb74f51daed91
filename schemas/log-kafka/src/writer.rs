//! The log's writer: a transaction after the other, each on a blocking thread.

use std::sync::{Arc, Mutex, PoisonError};

use async_trait::async_trait;
use zenfloe_log::{Append, Done, LogError, Writer};

use crate::cluster::Cluster;
use crate::config::broken;
use crate::log::blocking;
use crate::transaction::Sender;

pub(crate) struct KafkaWriter {
    sender: Arc<Mutex<Sender>>,
    /// A commit was begun and its outcome was not taken: the caller cannot know what is visible.
    is_in_doubt: bool,
}

impl KafkaWriter {
    /// Blocks.
    pub(crate) fn open(cluster: Arc<Cluster>, id: String) -> Result<Self, LogError> {
        let sender = Sender::open(cluster, id)?;
        Ok(Self {
            sender: Arc::new(Mutex::new(sender)),
            is_in_doubt: false,
        })
    }
}

#[async_trait]
impl Writer for KafkaWriter {
    /// Not cancel safe: a commit that is dropped goes on and ends one way or the other, and this writer is of no more
    /// use. Open it anew, which settles that commit, and read what is there.
    async fn commit(&mut self, out: Vec<Append>, done: Option<Done>) -> Result<(), LogError> {
        if self.is_in_doubt {
            return Err(broken("an earlier commit of this writer was abandoned: open it anew"));
        }
        self.is_in_doubt = true;
        let sender = self.sender.clone();
        let outcome = blocking(move || {
            let mut sender = sender.lock().unwrap_or_else(PoisonError::into_inner);
            sender.commit(&out, done.as_ref())
        })
        .await;
        self.is_in_doubt = false;
        outcome
    }
}
