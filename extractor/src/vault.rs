//! What the API client must not lose: sealed in the state topic, in a commit of its own, before it is used.

use async_trait::async_trait;
use tokio::sync::{mpsc, oneshot};
use zenfloe_keyring::{OpenError, Opener, SealKeys};
use zenfloe_log::{Log, Record};
use zenfloe_record::{SourceName, Topic, TopicPartition};
use zenfloe_zendesk::Vault;

use crate::{StageError, state};

/// What the seal is for.
pub(crate) const PURPOSE: &str = "state";

/// A secret to keep, and who waits for it.
pub(crate) struct Keep {
    pub(crate) secret: Vec<u8>,
    pub(crate) kept: oneshot::Sender<()>,
}

/// Hands secrets to the stage, which alone may write.
pub(crate) struct StateVault(pub(crate) mpsc::Sender<Keep>);

#[async_trait]
impl Vault for StateVault {
    async fn keep(&self, secret: Vec<u8>) -> Result<(), String> {
        let (kept, answer) = oneshot::channel();
        let ended = |_| "the extractor is ending".to_owned();
        self.0.send(Keep { secret, kept }).await.map_err(|_| ended(()))?;
        answer.await.map_err(|_| ended(()))
    }
}

/// Opens what was kept.
pub(crate) fn open(keys: &SealKeys, source: &SourceName, record: &Record) -> Result<Vec<u8>, OpenError> {
    let mut secret = Vec::new();
    let value = record.value.as_deref().unwrap_or_default();
    Opener::new(keys.clone(), source).open(PURPOSE, &record.key, &record.headers, value, &mut secret)?;
    Ok(secret)
}

/// The login that a source's extractor has kept, for a command that asks the account without renewing anything.
pub async fn kept_login(log: &dyn Log, source: &SourceName, keys: &SealKeys) -> Result<Option<Vec<u8>>, StageError> {
    let at = TopicPartition::new(Topic::state(source), 0);
    if log.topic(&at.topic).await?.is_none() {
        return Ok(None);
    }
    let left = state::read(state::records(log, &at).await?, &at)?;
    let opened = left.login.map(|record| open(keys, source, &record)).transpose();
    opened.map_err(|error| StageError::Login { source: error })
}
