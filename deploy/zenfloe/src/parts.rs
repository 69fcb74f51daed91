//! Builds what the stages work with from the configuration.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use tokio_util::sync::CancellationToken;
use zenfloe_catalog::{Catalog, Collection};
use zenfloe_keyring::{SealKeys, TokenKeys};
use zenfloe_log::{Class, Log, LogError};
use zenfloe_log_file::FileLog;
use zenfloe_log_kafka::KafkaLog;
use zenfloe_process::{ExitCode, Failure};
use zenfloe_registry::{FileRegistry, HttpRegistry, Registry};
use zenfloe_zendesk::{Client, Clock, Source};

use crate::config::{Config, LogConfig, RegistryConfig, SourceConfig};
use crate::failure;

/// The log and the registry that all stages share.
#[derive(Clone)]
pub(crate) struct Base {
    /// The queue between the stages.
    pub(crate) log: Arc<dyn Log>,
    /// The schemas of the clean topics.
    pub(crate) registry: Arc<dyn Registry>,
}

/// Between two tries to reach a log that is away.
const PAUSE: Duration = Duration::from_secs(2);

impl Base {
    /// Opens both; a log that is away is waited for until `stop` fires (then `None`).
    pub(crate) async fn open(config: &Config, stop: &CancellationToken) -> Result<Option<Self>, Failure> {
        loop {
            let error = match Self::try_open(config).await? {
                Ok(base) => return Ok(Some(base)),
                Err(error) => error,
            };
            tracing::warn!("waiting for the log: {error}");
            tokio::select! {
                () = stop.cancelled() => return Ok(None),
                () = tokio::time::sleep(PAUSE) => {}
            }
        }
    }

    /// Opens both, or says at once what is away.
    pub(crate) async fn open_now(config: &Config) -> Result<Self, Failure> {
        Self::try_open(config).await?.map_err(|error| failure::of_log(&error))
    }

    /// The inner error is one that waiting may mend.
    async fn try_open(config: &Config) -> Result<Result<Self, LogError>, Failure> {
        let log = match open_log(&config.log).await {
            Ok(log) => log,
            Err(error) if error.class() == Class::Retry => return Ok(Err(error)),
            Err(error) => return Err(failure::of_log(&error)),
        };
        let registry = open_registry(config).await?;
        Ok(Ok(Self { log, registry }))
    }
}

/// The log alone, for a command that only looks: one that was never made stays so (`None`).
pub(crate) async fn existing_log(config: &Config) -> Result<Option<Arc<dyn Log>>, Failure> {
    if let LogConfig::File(file) = &config.log
        && !file.path.exists()
    {
        return Ok(None);
    }
    let log = open_log(&config.log).await;
    log.map(Some).map_err(|error| failure::of_log(&error))
}

async fn open_log(config: &LogConfig) -> Result<Arc<dyn Log>, LogError> {
    Ok(match config {
        LogConfig::File(file) => Arc::new(FileLog::open(file.clone()).await?),
        LogConfig::Kafka(kafka) => Arc::new(KafkaLog::connect((**kafka).clone()).await?),
    })
}

async fn open_registry(config: &Config) -> Result<Arc<dyn Registry>, Failure> {
    let failed = |error: zenfloe_registry::RegistryError| Failure::from_error(ExitCode::Configuration, &error);
    Ok(match (&config.registry, &config.log) {
        (RegistryConfig::Http(http), _) => Arc::new(HttpRegistry::new(http).map_err(failed)?),
        (RegistryConfig::Embedded, LogConfig::File(file)) => {
            Arc::new(FileRegistry::open(&file.path).await.map_err(failed)?)
        }
        (RegistryConfig::Embedded, LogConfig::Kafka(_)) => unreachable!("refused when the file was read"),
    })
}

/// Reads the seal key file.
pub(crate) fn seal_keys(config: &Config) -> Result<SealKeys, Failure> {
    SealKeys::load(&config.keys.seal).map_err(|error| key_failure(&error, &config.keys.seal))
}

/// Reads the token key file.
pub(crate) fn token_keys(config: &Config) -> Result<TokenKeys, Failure> {
    TokenKeys::load(&config.keys.token).map_err(|error| key_failure(&error, &config.keys.token))
}

fn key_failure(error: &zenfloe_keyring::KeyFileError, path: &Path) -> Failure {
    let failure = Failure::from_error(ExitCode::Configuration, error);
    match path.exists() {
        true => failure,
        false => failure.remedy("`zenfloe keys new` makes both key files; `[keys]` in the configuration names them"),
    }
}

/// The API client of a source.
pub(crate) fn api(source: &SourceConfig) -> Result<Arc<dyn Source>, Failure> {
    let client = Client::new(&source.zendesk, Clock::real());
    let client = client.map_err(|error| Failure::from_error(ExitCode::Configuration, &error))?;
    Ok(Arc::new(client))
}

/// The collections that a source reads.
pub(crate) fn collections(source: &SourceConfig) -> Result<Vec<&'static Collection>, Failure> {
    zenfloe_extractor::selected(Catalog::builtin(), &source.extract).map_err(|error| failure::of_extractor(&error))
}
