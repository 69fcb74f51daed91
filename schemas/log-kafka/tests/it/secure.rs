//! Encryption, sign-in and rights, on three brokers.

use std::path::{Path, PathBuf};
use std::time::Duration;

use data_encoding::BASE64URL_NOPAD;
use tokio::time::Instant;
use zenfloe_harness::{Kafka, KafkaConfig as HarnessConfig, Operation, Resource};
use zenfloe_log::{Assign, Limit, Log, LogError, Read, ReaderSpec, Start};
use zenfloe_log_kafka::{KafkaConfig, KafkaLog, Mechanism, Sasl, Tls};

use crate::hop::{append, counted, spec, topic};

struct Secure {
    kafka: Kafka,
    secrets: tempfile::TempDir,
}

impl Secure {
    async fn start() -> Self {
        let three = HarnessConfig {
            brokers: 3,
            secure: true,
            ..HarnessConfig::default()
        };
        let kafka = Kafka::start_with(three).await.expect("three secure brokers");
        use Operation::{Create, Describe, DescribeConfigs, Read, Write};
        let rights: [(Resource, &[Operation]); 4] = [
            (
                Resource::TopicPrefix("acme.".into()),
                &[Create, Describe, DescribeConfigs, Read, Write],
            ),
            (Resource::GroupPrefix("zenfloe".into()), &[Describe, Read]),
            (Resource::TransactionalIdPrefix("zenfloe".into()), &[Describe, Write]),
            (
                Resource::Topic("other.readable".into()),
                &[Describe, DescribeConfigs, Read],
            ),
        ];
        for (resource, operations) in &rights {
            kafka.allow("zenfloe", resource, operations).await.expect("granted");
        }
        for name in ["other.readable", "other.hidden"] {
            kafka.create_topic(name, 1, &[]).await.expect("made");
        }
        let secrets = tempfile::tempdir().expect("a folder");
        Self { kafka, secrets }
    }

    fn secret(&self, name: &str, value: &str) -> PathBuf {
        let file = self.secrets.path().join(name);
        std::fs::write(&file, value).expect("written");
        file
    }

    fn config(&self, sasl: Sasl) -> KafkaConfig {
        let security = self.kafka.security.as_ref().expect("a secure cluster");
        KafkaConfig {
            brokers: self.kafka.brokers.split(',').map(str::to_owned).collect(),
            tls: Some(Tls {
                ca_file: Some(security.ca.clone()),
                ..Tls::default()
            }),
            sasl: Some(sasl),
            session_timeout: Duration::from_secs(6),
            request_timeout: Duration::from_secs(120), // a busy machine
            ..KafkaConfig::default()
        }
    }

    fn password(&self, mechanism: Mechanism, user: &str, password: &str) -> KafkaConfig {
        self.config(Sasl {
            mechanism,
            user: Some(user.to_owned()),
            password_file: Some(self.secret(&format!("{user}-{password}"), password)),
            password_env: None,
            token_file: None,
            token_env: None,
        })
    }

    fn token(&self, token: &Path) -> KafkaConfig {
        self.config(Sasl {
            mechanism: Mechanism::Oauthbearer,
            user: None,
            password_file: None,
            password_env: None,
            token_file: Some(token.to_owned()),
            token_env: None,
        })
    }

    fn right(&self, mechanism: Mechanism, user: &str) -> KafkaConfig {
        let security = self.kafka.security.as_ref().expect("a secure cluster");
        self.password(mechanism, user, &security.user(user).password)
    }
}

/// An unsecured token of a user, as the brokers of the harness take it.
fn token(user: &str, lifetime_s: u64) -> String {
    let now = std::time::UNIX_EPOCH.elapsed().expect("after 1970").as_secs();
    let part = |json: &str| BASE64URL_NOPAD.encode(json.as_bytes());
    let claims = format!(r#"{{"sub":"{user}","iat":{},"exp":{}}}"#, now - 5, now + lifetime_s);
    format!("{}.{}.", part(r#"{"alg":"none"}"#), part(&claims))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sign_in_and_rights() {
    let secure = Secure::start().await;
    for mechanism in [Mechanism::Plain, Mechanism::ScramSha512] {
        a_round_trip(secure.right(mechanism, "zenfloe"), mechanism.as_str()).await;
    }
    let file = secure.secret("token", &token("zenfloe", 3_600));
    a_round_trip(secure.token(&file), "OAUTHBEARER").await;
    a_token_is_renewed(&secure).await;
    what_is_wrong_is_told_quickly(&secure).await;
    missing_rights_are_named(&secure).await;
    a_broker_of_three_may_die(secure).await;
}

/// Topic, commit with positions, read, report: everything that a stage does.
async fn a_round_trip(config: KafkaConfig, name: &str) {
    let begun = Instant::now();
    let log = KafkaLog::connect(config).await.expect("connected");
    let lanes = topic(&log, &format!("acme.{name}"), 3).await;
    let mut writer = log.writer(&format!("zenfloe-{name}")).await.expect("a writer");
    let out = lanes.iter().map(|at| append(at, "0")).collect();
    writer.commit(out, None).await.expect("committed");
    let mut reader = log
        .reader(ReaderSpec {
            group: format!("zenfloe-{name}"),
            member: None,
            assign: Assign::Shared(vec![format!("acme.{name}")]),
        })
        .await
        .expect("a reader");
    let mut found = 0;
    while found < 3 {
        match reader.read(Limit::default()).await.expect("a read") {
            Read::Assigned(new) => {
                let starts: Vec<_> = new.into_iter().map(|at| (at, Start::Committed)).collect();
                reader.begin(&starts).await.expect("begun");
            }
            Read::Revoked(lost) => panic!("{lost:?}"),
            Read::Batch(batch) => {
                found += batch.records.len();
                let done = zenfloe_log::Done {
                    by: reader.membership(),
                    positions: batch.positions.clone(),
                };
                writer
                    .commit(Vec::new(), Some(done))
                    .await
                    .expect("positions are committed");
                reader.report(&batch.positions).await.expect("reported");
            }
        }
        assert!(begun.elapsed() < Duration::from_secs(180), "{found} of 3");
    }
    reader.close().await.expect("closed");
    let committed = log
        .committed(&format!("zenfloe-{name}"), &lanes)
        .await
        .expect("positions");
    assert!(
        committed.iter().all(|(_, next)| next >= 1) && committed.len() == 3,
        "{committed:?}"
    );
    counted(&log, &lanes, 3).await;
    println!("{name}: a round trip in {:?}", begun.elapsed());
}

/// Brokers end a connection whose token has expired; the file's new one is taken.
async fn a_token_is_renewed(secure: &Secure) {
    let file = secure.secret("short", &token("zenfloe", 12));
    let log = KafkaLog::connect(secure.token(&file)).await.expect("connected");
    let at = topic(&log, "acme.renewed", 1).await.remove(0);
    let mut writer = log.writer("zenfloe-renewed").await.expect("a writer");
    for number in 0..10 {
        secure.secret("short", &token("zenfloe", 12));
        let mut tries = 0;
        while let Err(error) = writer.commit(vec![append(&at, number.to_string())], None).await {
            assert_eq!(error.class(), zenfloe_log::Class::Retry, "{error}");
            tries += 1;
            assert!(tries < 20, "{error}");
        }
        tokio::time::sleep(Duration::from_secs(1)).await;
    }
    secure.secret("short", &token("zenfloe", 3_600));
    counted(&log, &[at], 10).await;
}

async fn refused(config: KafkaConfig, says: &str) {
    let begun = Instant::now();
    let patience = config.request_timeout;
    let error = KafkaLog::connect(config).await.err().expect("refused");
    assert!(matches!(error, LogError::Forbidden { .. }), "{error}");
    println!("refused after {:?}: {error}", begun.elapsed());
    let said = error.to_string().to_lowercase();
    assert!(said.contains(says), "{said}");
    assert!(!said.contains("guess"), "a password is not shown");
    assert!(
        begun.elapsed() < patience / 2,
        "long before the time for a request is over: {said}"
    );
}

async fn what_is_wrong_is_told_quickly(secure: &Secure) {
    for mechanism in [Mechanism::Plain, Mechanism::ScramSha512] {
        refused(secure.password(mechanism, "zenfloe", "guess"), "authentication").await;
    }
    refused(secure.password(Mechanism::ScramSha256, "zenfloe", "guess"), "mechanism").await;
    let garbage = secure.secret("garbage", "no-token-at-all");
    refused(secure.token(&garbage), "authentication").await;
    let missing = secure.secrets.path().join("absent");
    refused(secure.token(&missing), "absent").await;
    let mut stranger = secure.right(Mechanism::Plain, "zenfloe");
    stranger.tls = Some(Tls::default());
    refused(stranger, "certificate").await;
}

fn forbidden<T>(outcome: Result<T, LogError>, names: &[&str]) {
    let error = outcome.err().expect("refused");
    println!("{error}");
    assert!(matches!(error, LogError::Forbidden { .. }), "{error}");
    for name in names {
        assert!(error.to_string().contains(name), "{name}: {error}");
    }
}

async fn missing_rights_are_named(secure: &Secure) {
    let log = KafkaLog::connect(secure.right(Mechanism::ScramSha512, "zenfloe"))
        .await
        .expect("connected");
    let at = topic(&log, "acme.rights", 1).await.remove(0);
    let mut writer = log.writer("zenfloe-rights").await.expect("a writer");
    let foreign = zenfloe_record::TopicPartition::new("other.readable", 0);
    let begun = Instant::now();
    let out = vec![append(&at, "0"), append(&foreign, "0")];
    forbidden(writer.commit(out, None).await, &["other.readable", "ACL"]);
    assert!(begun.elapsed() < Duration::from_secs(10), "{:?}", begun.elapsed());
    // Brokers that know nothing of the refused transaction may have dropped its writer with it.
    while let Err(error) = writer.commit(vec![append(&at, "0")], None).await {
        assert_eq!(
            error.class(),
            zenfloe_log::Class::Reread,
            "the writer lives on: {error}"
        );
    }
    counted(&log, std::slice::from_ref(&at), 1).await;

    let hidden = zenfloe_record::TopicPartition::new("other.hidden", 0);
    forbidden(writer.commit(vec![append(&hidden, "0")], None).await, &["other.hidden"]);
    forbidden(
        log.ensure(&[spec("other.new", 12)]).await,
        &["`other.new` with 12 partitions"],
    );
    forbidden(log.writer("someone-else").await, &["someone-else"]);
    let reader = |group: &str, topic: &str| {
        log.reader(ReaderSpec {
            group: group.to_owned(),
            member: None,
            assign: Assign::Shared(vec![topic.to_owned()]),
        })
    };
    forbidden(reader("zenfloe-rights", "other.hidden").await, &["other.hidden"]);
    let mut foreign_group = reader("foreign", "acme.rights").await.expect("a reader");
    forbidden(
        foreign_group
            .read(Limit {
                wait: Duration::from_secs(10),
                ..Limit::default()
            })
            .await,
        &["foreign"],
    );
    forbidden(log.committed("foreign", std::slice::from_ref(&at)).await, &["foreign"]);

    let stranger = KafkaLog::connect(secure.right(Mechanism::Plain, "stranger"))
        .await
        .expect("signed in");
    forbidden(stranger.scan(&at, 0).await, &["acme.rights"]);
    forbidden(stranger.writer("zenfloe-rights").await, &["zenfloe-rights"]);
}

/// With three copies of everything, one broker is not missed.
async fn a_broker_of_three_may_die(mut secure: Secure) {
    let log = KafkaLog::connect(secure.right(Mechanism::ScramSha512, "zenfloe"))
        .await
        .expect("connected");
    let lanes = topic(&log, "acme.three", 3).await;
    let mut writer = log.writer("zenfloe-three").await.expect("a writer");
    let mut worst = Duration::ZERO;
    for number in 0..60 {
        match number {
            10 => secure.kafka.kill_broker(0).expect("killed"),
            40 => secure.kafka.restart_broker(0).await.expect("back"),
            _ => {}
        }
        let begun = Instant::now();
        let out: Vec<_> = lanes.iter().map(|at| append(at, number.to_string())).collect();
        while let Err(error) = writer.commit(out.clone(), None).await {
            assert_eq!(error.class(), zenfloe_log::Class::Retry, "{error}");
        }
        worst = worst.max(begun.elapsed());
    }
    println!("one broker of three killed and restarted: the longest commit took {worst:?}");
    counted(&log, &lanes, 180).await;
}
