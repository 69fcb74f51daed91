//! Every service is started for real, asked something, killed, and asked again.

use std::fs::Permissions;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use zenfloe_harness::{Error, Kafka, KafkaConfig, Postgres, PostgresConfig, Program, Registry, http_get, http_request};

#[tokio::test]
async fn kafka_answers_and_keeps_its_topics_over_a_kill() {
    let mut kafka = Kafka::start().await.expect("a broker");
    let brokers = kafka.brokers.clone();
    let settings = [("max.message.bytes", "5000000")];
    kafka.create_topic("kept", 12, &settings).await.expect("a topic");

    kafka.kill().expect("killed");
    assert!(
        kafka.create_topic("while-away", 1, &[]).await.is_err(),
        "nobody answers"
    );
    kafka.restart().await.expect("the broker again");

    assert_eq!(kafka.brokers, brokers);
    let twice = kafka
        .create_topic("kept", 12, &[])
        .await
        .expect_err("it is there")
        .to_string();
    assert!(twice.contains("error 36"), "{twice}");
    kafka.stop().await.expect("stopped");
    assert!(kafka.children().iter_mut().all(|child| !child.is_running()));
}

#[tokio::test]
async fn three_secure_brokers_do_without_one() {
    let three = KafkaConfig {
        brokers: 3,
        secure: true,
        ..KafkaConfig::default()
    };
    let mut kafka = Kafka::start_with(three).await.expect("three brokers");
    kafka.create_topic("before", 3, &[]).await.expect("a topic");
    kafka.kill_broker(0).expect("killed");
    kafka.restart_broker(0).await.expect("the broker again");
    kafka
        .create_topic("after", 3, &[])
        .await
        .expect("a topic on three brokers");
}

#[tokio::test]
async fn the_registry_checks_compatibility_and_keeps_its_schemas_over_a_kill() {
    let mut registry = Registry::start().await.expect("a registry");
    let versions = format!("{}/subjects/rows/versions", registry.url);
    let schema = |fields: &str| {
        let schema = format!(r#"{{"type":"record","name":"row","fields":[{fields}]}}"#);
        serde_json::json!({ "schema": schema }).to_string()
    };
    let first = schema(r#"{"name":"a","type":"long"}"#);
    let incompatible = schema(r#"{"name":"b","type":"string"}"#);

    let made = http_request("POST", &versions, Some(&first)).await.expect("an answer");
    assert_eq!(made.status, 200, "{}", made.body);
    let refused = http_request("POST", &versions, Some(&incompatible))
        .await
        .expect("an answer");
    assert_eq!(refused.status, 409, "{}", refused.body);

    registry.kill().expect("killed");
    http_get(&versions).await.expect_err("nobody answers");
    registry.restart().await.expect("the registry again");
    let again = http_request("POST", &versions, Some(&first)).await.expect("an answer");
    assert_eq!(again, made, "the same id");
    let refused = http_request("POST", &versions, Some(&incompatible))
        .await
        .expect("an answer");
    assert_eq!(refused.status, 409, "the level is kept");
}

#[tokio::test]
async fn postgres_answers_and_keeps_its_rows_over_a_kill() {
    let mut postgres = Postgres::start().await.expect("a server");
    let url = postgres.create_database("mart \"1\"").await.expect("a database");
    assert!(
        url.starts_with(&format!("postgres://zf@127.0.0.1:{}/", postgres.port)),
        "{url}"
    );
    let insert = "CREATE TABLE t (a int, b text); INSERT INTO t VALUES (1, 'ä')";
    postgres.query("mart \"1\"", insert).await.expect("a table");

    postgres.kill().expect("killed");
    postgres
        .query("mart \"1\"", "SELECT 1")
        .await
        .expect_err("nobody answers");
    postgres.restart().await.expect("the server again");

    let rows = postgres.query("mart \"1\"", "SELECT * FROM t").await.expect("rows");
    assert_eq!(rows, "1|ä");
    postgres.stop().await.expect("stopped");
    assert!(!postgres.child().is_running());
}

#[tokio::test]
async fn postgres_with_tls_takes_no_other_connection() {
    let tls = PostgresConfig {
        tls: true,
        settings: vec![("max_connections".to_owned(), "17".to_owned())],
    };
    let mut postgres = Postgres::start_with(tls).await.expect("a server");
    let seen = "SELECT ssl FROM pg_stat_ssl WHERE pid = pg_backend_pid()";
    assert_eq!(postgres.query("postgres", seen).await.expect("a row"), "t");
    assert_eq!(
        postgres.query("postgres", "SHOW max_connections").await.expect("a row"),
        "17"
    );

    let refused = start_of_session(postgres.port).await;
    assert!(refused.contains("no encryption"), "{refused}");
    postgres.password = Some("wrong".to_owned());
    let refused = postgres.query("postgres", seen).await.expect_err("refused").to_string();
    assert!(refused.contains("password authentication failed"), "{refused}");
}

#[tokio::test]
async fn a_taken_port_is_told_from_other_failures() {
    let holder = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
    let port = holder.local_addr().expect("an address").port();
    let with = |name: &str, value: String| PostgresConfig {
        tls: false,
        settings: vec![(name.to_owned(), value)],
    };
    let taken = Postgres::start_with(with("port", port.to_string()))
        .await
        .expect_err("taken");
    assert!(matches!(taken, Error::PortTaken { .. }), "{taken}");

    let wrong = Postgres::start_with(with("no_such_setting", "1".to_owned()))
        .await
        .expect_err("wrong");
    assert!(matches!(wrong, Error::Start { .. }), "{wrong}");
    assert!(
        wrong.to_string().contains("unrecognized configuration parameter"),
        "the log tells why: {wrong}"
    );
}

/// What the server says to a client that begins a session without TLS.
async fn start_of_session(port: u16) -> String {
    let mut stream = TcpStream::connect(("127.0.0.1", port)).await.expect("connected");
    let parameters = b"user\0zf\0database\0postgres\0\0";
    let length = u32::try_from(parameters.len() + 8).expect("short");
    stream.write_u32(length).await.expect("sent");
    stream.write_u32(196_608).await.expect("sent"); // protocol 3.0
    stream.write_all(parameters).await.expect("sent");
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).await.expect("the server hangs up");
    String::from_utf8_lossy(&answer).into_owned()
}

/// Nothing is left behind when a test run is killed: the kernel ends the services.
#[tokio::test]
async fn services_end_with_the_process_that_started_them() {
    let logs = tempfile::tempdir().expect("a folder");
    // It cannot clear its folders away, so they lie in ours, which PostgreSQL's account must reach.
    std::fs::set_permissions(logs.path(), Permissions::from_mode(0o755)).expect("our own folder");
    let harness = Program::new("up", env!("CARGO_BIN_EXE_zenfloe-harness"))
        .arg("up")
        .env("TMPDIR", logs.path());
    let mut up = harness.start(logs.path()).expect("started");
    let ready = |said: &str| said.contains("Ctrl-C stops them").then_some(());
    up.until_output("services", Duration::from_secs(180), ready)
        .await
        .expect("services");

    let services = children_of(up.id());
    assert_eq!(services.len(), 3, "Kafka, registry and PostgreSQL");
    up.kill().expect("killed");
    for _ in 0..500 {
        if services.iter().all(|service| is_gone(service)) {
            return;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    panic!("still there: {services:?}");
}

/// The processes whose parent is `pid`, as folders of `/proc`.
fn children_of(pid: u32) -> Vec<std::path::PathBuf> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir("/proc").expect("/proc").flatten() {
        let status = std::fs::read_to_string(entry.path().join("status")).unwrap_or_default();
        if status.lines().any(|line| line == format!("PPid:\t{pid}")) {
            found.push(entry.path());
        }
    }
    found
}

/// Gone, or dead and not yet cleared away by whoever inherited it.
fn is_gone(process: &Path) -> bool {
    match std::fs::read_to_string(process.join("status")) {
        Ok(status) => status.contains("State:\tZ"),
        Err(_) => true,
    }
}
