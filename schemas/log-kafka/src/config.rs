use std::collections::BTreeMap;
use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

use bytesize::ByteSize;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use zenfloe_log::LogError;

/// How to reach a Kafka cluster and how to behave there.
///
/// Durations are written `12s`, sizes `8MiB`. Secrets are never values: they are named by file or
/// environment variable.
#[derive(Debug, Clone, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct KafkaConfig {
    /// Some of the cluster's brokers, `host:port`; the others are learned from them.
    pub brokers: Vec<String>,
    /// The name under which brokers see this client, in their logs and quotas.
    pub client_id: String,
    /// Encryption; absent means clear text.
    pub tls: Option<Tls>,
    /// Sign-in; absent means none (or the client certificate alone).
    pub sasl: Option<Sasl>,
    /// Copies of a topic that is made here; absent means the brokers' own default.
    pub replication_factor: Option<i32>,
    /// Whether missing topics are made. `false` where another team makes them: then the start says what is missing.
    pub create_topics: bool,
    /// How long a transaction may last before the broker ends it (and fences its writer).
    ///
    /// A killed writer holds the readers of its partitions back for so long, so it stays short; one commit, sent and
    /// acknowledged, must fit in.
    #[serde(with = "humantime_serde")]
    #[schemars(with = "String")]
    pub transaction_timeout: Duration,
    /// After this silence a reader is taken for dead and its partitions go to others (brokers refuse less than 6 s by default).
    #[serde(with = "humantime_serde")]
    #[schemars(with = "String")]
    pub session_timeout: Duration,
    /// How long a reader may be busy between two reads before its partitions go to others; at least `session_timeout`.
    ///
    /// A partition that is wanted elsewhere is given up when its reader comes back from the batch in hand, or after this time.
    #[serde(with = "humantime_serde")]
    #[schemars(with = "String")]
    pub handover_timeout: Duration,
    /// How long one question to the cluster may take, tries included, before it counts as not available.
    #[serde(with = "humantime_serde")]
    #[schemars(with = "String")]
    pub request_timeout: Duration,
    /// How long a batch of a partition waits for more records before it is sent.
    ///
    /// A commit waits for its last batch, so this is added to each commit.
    #[serde(with = "humantime_serde")]
    #[schemars(with = "String")]
    pub linger: Duration,
    /// How batches are compressed on the wire and on disk. Sealed values do not shrink, clean ones do, about six times by zstd.
    pub compression: Compression,
    /// Records of one commit that may be under way at once.
    pub window_records: usize,
    /// Bytes of one commit that may be under way at once; a single larger record still goes.
    #[schemars(with = "String")]
    pub window_bytes: ByteSize,
    /// Bytes that a reader fetches ahead.
    #[schemars(with = "String")]
    pub queue_bytes: ByteSize,
    /// Bytes of one fetch over all partitions.
    #[schemars(with = "String")]
    pub fetch_bytes: ByteSize,
    /// Bytes of one fetch per partition; a larger record is fetched all the same.
    #[schemars(with = "String")]
    pub partition_fetch_bytes: ByteSize,
    /// The largest record that is sent or received, whatever a topic allows.
    #[schemars(with = "String")]
    pub max_message_bytes: ByteSize,
    /// Further librdkafka settings, passed on as they are. What the guarantees rest on cannot be set here.
    pub extra: Extra,
}

impl Default for KafkaConfig {
    fn default() -> Self {
        Self {
            brokers: Vec::new(),
            client_id: "zenfloe".into(),
            tls: None,
            sasl: None,
            replication_factor: None,
            create_topics: true,
            transaction_timeout: Duration::from_secs(12),
            session_timeout: Duration::from_secs(15),
            handover_timeout: Duration::from_secs(120), // a flush of a large batch into a slow warehouse
            request_timeout: Duration::from_secs(30),
            linger: Duration::from_millis(20),
            compression: Compression::Zstd,
            window_records: 5_000, // enough to fill batches of twelve partitions
            window_bytes: ByteSize::mib(4),
            // What is fetched lies compressed in one answer and then, six to twenty times as large, in the queue, whose bound
            // only keeps from asking for more. At the client's defaults a worker takes three times the memory, and is no faster.
            queue_bytes: ByteSize::mib(2),
            fetch_bytes: ByteSize::kib(512),
            partition_fetch_bytes: ByteSize::kib(64),
            max_message_bytes: ByteSize::mib(32),
            extra: Extra::default(),
        }
    }
}

/// Encryption of the connections.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Tls {
    /// The certificates (PEM) that brokers are checked against; absent means the system's.
    pub ca_file: Option<PathBuf>,
    /// This client's certificate (PEM), where brokers ask for one.
    pub cert_file: Option<PathBuf>,
    /// The key (PEM) of that certificate.
    pub key_file: Option<PathBuf>,
    /// The file that holds the password of that key.
    pub key_password_file: Option<PathBuf>,
}

/// Sign-in.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Sasl {
    /// `plain`, `scram-sha-256`, `scram-sha-512` or `oauthbearer`.
    pub mechanism: Mechanism,
    /// The user (all but `oauthbearer`).
    pub user: Option<String>,
    /// The file that holds the password; a newline at its end is dropped.
    pub password_file: Option<PathBuf>,
    /// The environment variable that holds the password.
    pub password_env: Option<String>,
    /// `oauthbearer`: the file that holds the token, read again whenever a new one is due.
    ///
    /// Something else keeps it fresh: Kubernetes (a projected service account token) or a side-car that asks the
    /// identity provider.
    pub token_file: Option<PathBuf>,
    /// `oauthbearer`: the environment variable that holds the token, for short runs.
    pub token_env: Option<String>,
}

/// A way to sign in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Mechanism {
    /// User and password as they are: over TLS only.
    Plain,
    /// A proof of the password, SHA-256.
    #[serde(rename = "scram-sha-256")]
    ScramSha256,
    /// A proof of the password, SHA-512.
    #[serde(rename = "scram-sha-512")]
    ScramSha512,
    /// A token of an identity provider.
    Oauthbearer,
}

impl Mechanism {
    /// Kafka's name.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Plain => "PLAIN",
            Self::ScramSha256 => "SCRAM-SHA-256",
            Self::ScramSha512 => "SCRAM-SHA-512",
            Self::Oauthbearer => "OAUTHBEARER",
        }
    }
}

/// How batches are compressed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Compression {
    /// Not at all.
    None,
    /// Four times on tickets, at 10 µs a record.
    Lz4,
    /// Level 1: six times on tickets, at 14 µs a record.
    Zstd,
}

impl Compression {
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Lz4 => "lz4",
            Self::Zstd => "zstd",
        }
    }
}

/// Settings passed on; prints as names, as a value may be a secret.
#[derive(Clone, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(transparent)]
pub struct Extra(pub BTreeMap<String, String>);

impl fmt::Debug for Extra {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.0.keys()).finish()
    }
}

/// What the log's guarantees rest on.
const NOT_FOR_USERS: [&str; 14] = [
    "acks",
    "auto.offset.reset",
    "bootstrap.servers",
    "enable.auto.commit",
    "enable.auto.offset.store",
    "enable.idempotence",
    "enable.partition.eof",
    "group.id",
    "group.instance.id",
    "group.protocol",
    "isolation.level",
    "log.queue",
    "partition.assignment.strategy",
    "transactional.id",
];

impl KafkaConfig {
    /// Checks what can be checked without a cluster.
    pub fn check(&self) -> Result<(), LogError> {
        let faults: [(bool, &str); 6] = [
            (
                self.brokers.is_empty() || self.brokers.iter().any(|broker| broker.trim().is_empty()),
                "`brokers` is empty: name at least one `host:port`",
            ),
            (
                self.handover_timeout < self.session_timeout,
                "`handover_timeout` must be at least `session_timeout`",
            ),
            (
                self.linger >= self.transaction_timeout,
                "`linger` must be smaller than `transaction_timeout`",
            ),
            (self.window_records == 0, "`window_records` must be at least 1"),
            (
                !(1_000..=1_000_000_000).contains(&self.max_message_bytes.as_u64()),
                "`max_message_bytes` must lie between 1 KB and 1 GB",
            ),
            (
                self.replication_factor.is_some_and(|factor| factor < 1),
                "`replication_factor` must be at least 1; leave it out for the brokers' default",
            ),
        ];
        if let Some((_, what)) = faults.into_iter().find(|(faulty, _)| *faulty) {
            return Err(broken(what));
        }
        let forbidden = |name: &&String| NOT_FOR_USERS.contains(&name.as_str());
        if let Some(name) = self.extra.0.keys().find(forbidden) {
            return Err(broken(format!(
                "`{name}` cannot be set under `extra`: exactly-once rests on it"
            )));
        }
        if let Some(tls) = &self.tls
            && tls.cert_file.is_some() != tls.key_file.is_some()
        {
            return Err(broken("`tls`: `cert_file` and `key_file` belong together"));
        }
        self.sasl.as_ref().map_or(Ok(()), Sasl::check)
    }
}

impl Sasl {
    fn check(&self) -> Result<(), LogError> {
        if self.mechanism == Mechanism::Oauthbearer {
            return match (&self.token_file, &self.token_env) {
                (Some(_), None) | (None, Some(_)) => Ok(()),
                _ => Err(broken(
                    "`sasl`: `oauthbearer` wants one of `token_file` and `token_env`",
                )),
            };
        }
        if self.user.is_none() {
            return Err(broken("`sasl`: `user` is missing"));
        }
        match (&self.password_file, &self.password_env) {
            (Some(_), None) | (None, Some(_)) => Ok(()),
            _ => Err(broken("`sasl`: give one of `password_file` and `password_env`")),
        }
    }
}

/// Reads a secret from the file or the variable that names it.
pub(crate) fn secret(what: &str, file: Option<&PathBuf>, env: Option<&String>) -> Result<String, String> {
    let text = match (file, env) {
        (Some(file), _) => std::fs::read_to_string(file)
            .map_err(|error| format!("{what} in `{}` cannot be read: {error}", file.display()))?,
        (None, Some(name)) => {
            std::env::var(name).map_err(|_| format!("{what}: environment variable `{name}` is not set"))?
        }
        (None, None) => return Err(format!("{what} is not configured")),
    };
    let secret = text.trim_end_matches(['\r', '\n']);
    if secret.is_empty() {
        return Err(format!("{what} is empty"));
    }
    Ok(secret.to_owned())
}

pub(crate) fn broken(what: impl Into<String>) -> LogError {
    LogError::Broken { what: what.into() }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> KafkaConfig {
        toml::from_str(text).expect("the example is well-formed")
    }

    fn refused(text: &str) -> String {
        parse(text)
            .check()
            .expect_err("the configuration is faulty")
            .to_string()
    }

    #[test]
    fn a_full_configuration_is_read() {
        let config = parse(
            r#"
            brokers = ["a:9092", "b:9092"]
            linger = "5ms"
            queue_bytes = "4MiB"
            compression = "lz4"
            [tls]
            ca_file = "/etc/ca.pem"
            [sasl]
            mechanism = "scram-sha-512"
            user = "zenfloe"
            password_env = "KAFKA_PASSWORD"
            [extra]
            "socket.nagle.disable" = "true"
            "#,
        );
        config.check().expect("nothing is wrong with it");
        assert_eq!(config.linger, Duration::from_millis(5));
        assert_eq!(config.queue_bytes, ByteSize::mib(4));
        assert_eq!(config.sasl.unwrap().mechanism, Mechanism::ScramSha512);
    }

    #[test]
    fn faults_are_named() {
        assert!(refused("").contains("brokers"));
        assert!(refused("brokers = ['a:1']\nsession_timeout = '200s'").contains("handover"));
        assert!(refused("brokers = ['a:1']\n[extra]\n'isolation.level' = 'x'").contains("isolation.level"));
        assert!(refused("brokers = ['a:1']\n[sasl]\nmechanism = 'plain'").contains("user"));
        assert!(refused("brokers = ['a:1']\n[sasl]\nmechanism = 'plain'\nuser = 'u'").contains("password_file"));
        assert!(refused("brokers = ['a:1']\n[sasl]\nmechanism = 'oauthbearer'").contains("token_file"));
        assert!(refused("brokers = ['a:1']\n[tls]\ncert_file = 'c'").contains("key_file"));
    }

    #[test]
    fn unknown_fields_are_refused_and_values_of_extra_do_not_print() {
        assert!(toml::from_str::<KafkaConfig>("broker = ['a:1']").is_err());
        let config = parse("[extra]\n'ssl.key.password' = 'hunter2'");
        assert!(!format!("{config:?}").contains("hunter2"));
    }

    #[test]
    fn secrets_come_from_files_without_their_last_newline() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("password");
        std::fs::write(&file, "pass word\n").unwrap();
        assert_eq!(secret("password", Some(&file), None).unwrap(), "pass word");
        assert!(secret("password", None, Some(&"ZENFLOE_NO_SUCH".into())).is_err());
    }
}
