//! librdkafka settings for each kind of client.

use rdkafka::ClientConfig;
use rdkafka::config::RDKafkaLogLevel;
use zenfloe_log::LogError;

use crate::config::{KafkaConfig, Mechanism, Sasl, Tls, broken, secret};

/// What every client of a cluster has in common.
fn common(config: &KafkaConfig) -> Result<ClientConfig, LogError> {
    let mut client = ClientConfig::new();
    client
        .set_log_level(RDKafkaLogLevel::Warning)
        .set("bootstrap.servers", config.brokers.join(","))
        .set("client.id", &config.client_id)
        .set("socket.keepalive.enable", "true")
        // A restarted broker is found again within a second (10 s by default).
        .set("reconnect.backoff.max.ms", "1000")
        .set("log.connection.close", "false");
    client.set("security.protocol", protocol(config));
    if let Some(tls) = &config.tls {
        set_tls(&mut client, tls)?;
    }
    if let Some(sasl) = &config.sasl {
        set_sasl(&mut client, sasl)?;
    }
    Ok(client)
}

fn protocol(config: &KafkaConfig) -> &'static str {
    match (&config.tls, &config.sasl) {
        (None, None) => "plaintext",
        (Some(_), None) => "ssl",
        (None, Some(_)) => "sasl_plaintext",
        (Some(_), Some(_)) => "sasl_ssl",
    }
}

fn set_tls(client: &mut ClientConfig, tls: &Tls) -> Result<(), LogError> {
    let paths = [
        ("ssl.ca.location", &tls.ca_file),
        ("ssl.certificate.location", &tls.cert_file),
        ("ssl.key.location", &tls.key_file),
    ];
    for (name, path) in paths {
        if let Some(path) = path {
            let text = path
                .to_str()
                .ok_or_else(|| broken(format!("`{}` is not UTF-8", path.display())))?;
            client.set(name, text);
        }
    }
    if tls.ca_file.is_none() {
        client.set("ssl.ca.location", "probe"); // our OpenSSL is built in and knows no system folder by itself
    }
    if tls.key_password_file.is_some() {
        let password = secret("the key's password", tls.key_password_file.as_ref(), None);
        client.set("ssl.key.password", password.map_err(broken)?);
    }
    Ok(())
}

fn set_sasl(client: &mut ClientConfig, sasl: &Sasl) -> Result<(), LogError> {
    client.set("sasl.mechanism", sasl.mechanism.as_str());
    if sasl.mechanism == Mechanism::Oauthbearer {
        return Ok(()); // the token comes by callback, see `signals`
    }
    let password = secret(
        "the Kafka password",
        sasl.password_file.as_ref(),
        sasl.password_env.as_ref(),
    );
    client
        .set("sasl.username", sasl.user.as_deref().unwrap_or_default())
        .set("sasl.password", password.map_err(broken)?);
    Ok(())
}

/// Lays the user's own settings on top.
fn finished(mut client: ClientConfig, config: &KafkaConfig) -> ClientConfig {
    for (name, value) in &config.extra.0 {
        client.set(name, value);
    }
    client
}

/// A client that asks questions: metadata, offsets, topics. It belongs to no group.
pub(crate) fn probe(config: &KafkaConfig) -> Result<ClientConfig, LogError> {
    let mut client = common(config)?;
    client.set("isolation.level", "read_committed"); // so that a partition's end is its last stable offset
    Ok(finished(client, config))
}

/// A client that reads.
///
/// Nothing decides on a position but [`zenfloe_log::Reader::begin`]: no automatic commit, no reset.
pub(crate) fn consumer(config: &KafkaConfig, group: &str, member: Option<&str>) -> Result<ClientConfig, LogError> {
    let mut client = common(config)?;
    client
        .set("group.id", group)
        .set("isolation.level", "read_committed")
        .set("enable.auto.commit", "false")
        .set("enable.auto.offset.store", "false")
        .set("auto.offset.reset", "error")
        .set("partition.assignment.strategy", "cooperative-sticky")
        .set("session.timeout.ms", millis(config.session_timeout))
        .set("heartbeat.interval.ms", millis(config.session_timeout / 5))
        .set("max.poll.interval.ms", millis(config.handover_timeout))
        // A second by default, for which a reader with a small queue starves.
        .set("fetch.queue.backoff.ms", "10")
        .set(
            "queued.max.messages.kbytes",
            (config.queue_bytes.as_u64() / 1024).max(1).to_string(),
        )
        .set("fetch.max.bytes", config.fetch_bytes.as_u64().to_string())
        .set(
            "max.partition.fetch.bytes",
            config.partition_fetch_bytes.as_u64().to_string(),
        )
        // Of no use to a reader; its default would be the least that may be fetched.
        .set(
            "message.max.bytes",
            config.fetch_bytes.as_u64().clamp(1_000, 1_000_000).to_string(),
        )
        // A cap, not a buffer: a fetch returns one whole batch even when it is larger than asked for.
        .set(
            "receive.message.max.bytes",
            (config.max_message_bytes.as_u64() + config.fetch_bytes.as_u64() + (1 << 20)).to_string(),
        );
    if let Some(member) = member {
        client.set("group.instance.id", member);
    }
    Ok(finished(client, config))
}

/// A client that reads one partition to its end. Its group is a name that librdkafka insists on; it is never joined.
pub(crate) fn scanner(config: &KafkaConfig) -> Result<ClientConfig, LogError> {
    let mut client = consumer(config, "zenfloe-scan", None)?;
    client.set("enable.partition.eof", "true");
    Ok(client)
}

/// The largest batch of records for one partition; a topic that takes less than this in one message needs care.
///
/// A reader has at least one batch of every partition in memory.
pub(crate) const BATCH_BYTES: usize = 256 << 10;

/// A client that writes under a transactional id.
pub(crate) fn producer(config: &KafkaConfig, id: &str) -> Result<ClientConfig, LogError> {
    let mut client = common(config)?;
    // The window is kept by us; librdkafka's own limit must take one more record of any size.
    let queue = config.window_bytes.as_u64() + config.max_message_bytes.as_u64();
    client
        .set("transactional.id", id)
        .set("transaction.timeout.ms", millis(config.transaction_timeout))
        .set("acks", "all")
        .set("linger.ms", millis(config.linger))
        .set("compression.type", config.compression.as_str())
        .set("message.max.bytes", config.max_message_bytes.as_u64().to_string())
        .set("queue.buffering.max.messages", config.window_records.to_string())
        .set("batch.size", BATCH_BYTES.to_string())
        .set("queue.buffering.max.kbytes", (queue / 1024 + 1).to_string());
    if config.compression == crate::Compression::Zstd {
        client.set("compression.level", "1");
    }
    Ok(finished(client, config))
}

fn millis(duration: std::time::Duration) -> String {
    duration.as_millis().to_string()
}
