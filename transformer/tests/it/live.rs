//! The stage at work.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use apache_avro::types::Value;
use tokio_util::sync::CancellationToken;
use zenfloe_keyring::{SealKeys, TOKEN_LENGTH};
use zenfloe_log::{Assign, Cleanup, Done, LogError, ReaderSpec, TopicSpec};
use zenfloe_record::{CleanKind, Fence, RawKind, Topic};
use zenfloe_transformer::{Class, StageError, Status, group, run};

use crate::clean::Clean;
use crate::flaky::{flaky, unwritable};
use crate::raw::{email, ticket, user};
use crate::{Site, caught_up};

#[tokio::test(start_paused = true)]
async fn records_become_rows_on_the_partition_of_their_raw_record() {
    let site = Site::new();
    site.make_raw().await;
    site.page(1, 20).await;
    site.transform().await;
    site.assert_exactly_once().await;
    let tickets = site.rows_of("tickets").await;
    let row = tickets.iter().find(|row| row.row_key() == b"7").expect("ticket 7");
    let fields = site.fields(row);
    assert_eq!(fields["id"], Value::Long(7));
    assert_eq!(fields["_version"], Value::TimestampMicros(1_700_000_001_000_000));
    assert_eq!(
        fields["received_at"],
        Value::TimestampMicros((1_700_000_000_000 + 1_007) * 1_000)
    );
    assert_eq!(fields["_revision"], Value::Int(1));
    assert_eq!(fields["_raw_offset"], Value::Long(row.origin.offset));
    assert_eq!((row.version.revision, row.version.raw_offset), (1, row.origin.offset));
    let shown = site.progress.snapshot();
    assert_eq!(shown.collections["tickets"].records, 20);
    assert_eq!(shown.collections["tickets"].rows, 60);
    assert_eq!(shown.collections["tickets"].lag_records, Some(0));
    assert_eq!(shown.collections["users"].rows, 80);
    assert!(shown.tokens["email"] >= 20, "{:?}", shown.tokens);
    assert_eq!((shown.revision, shown.status), (1, Status::Ended));
}

#[tokio::test(start_paused = true)]
async fn a_users_identities_stand_behind_their_fence() {
    let site = Site::new();
    site.make_raw().await;
    let page = vec![site.record("users", 5, &user(3))];
    site.append(page).await;
    site.transform().await;
    let identities = site.rows_of("user_identities").await;
    let kinds: Vec<_> = identities.iter().map(|row| row.kind).collect();
    assert_eq!(kinds, [CleanKind::Fence, CleanKind::Row, CleanKind::Row]);
    let fence = Fence::decode(&identities[0].value).expect("a fence");
    assert_eq!(
        (fence.scope.column.as_str(), fence.scope.value.as_str(), fence.before),
        ("user_id", "3", Some(5))
    );
}

#[tokio::test(start_paused = true)]
async fn compaction_never_leaves_a_state_from_the_past_for_a_younger_one() {
    let site = Site::new();
    site.make_raw().await;
    let young = site.record("tickets", 5, &ticket(7, 1_800_000_000));
    let old = site.past("tickets", 6, &ticket(7, 1_700_000_000));
    let person = site.past("users", 7, &user(3));
    site.append(vec![young, old, person]).await;
    site.transform().await;
    for table in ["tickets", "ticket_metrics", "ticket_slas"] {
        let rows = site.rows_of(table).await;
        let live: Vec<_> = rows.iter().map(Clean::is_live).collect();
        assert_eq!(live, [true, false], "{table}");
        let [young, old] = &rows[..] else { panic!("two rows") };
        assert_eq!(young.row_key(), old.row_key(), "{table}");
        assert!(young.version > old.version, "{table}: later read is not younger");
    }
    let identities = site.rows_of("user_identities").await;
    assert!(
        identities.len() == 3 && !identities.iter().any(Clean::is_live),
        "the fence stands with its set"
    );
}

#[tokio::test(start_paused = true)]
async fn a_delete_record_leaves_key_and_version_alone() {
    let site = Site::new();
    site.make_raw().await;
    let gone = site.sealed("groups", "9", RawKind::Delete, 77, br#"{"id":9}"#);
    site.append(vec![gone]).await;
    site.transform().await;
    let rows = site.rows_of("groups").await;
    assert_eq!(
        (rows.len(), rows[0].kind, rows[0].row_key()),
        (1, CleanKind::Delete, &b"9"[..])
    );
    let fields = site.fields(&rows[0]);
    assert_eq!(fields["_deleted"], Value::Boolean(true));
    assert!(matches!(&fields["name"], Value::Union(_, null) if **null == Value::Null));
}

#[tokio::test(start_paused = true)]
async fn no_clear_text_address_is_in_any_clean_byte() {
    let site = Site::new();
    site.make_raw().await;
    site.page(1, 30).await;
    site.transform().await;
    let lower = |bytes: &[u8]| bytes.to_ascii_lowercase();
    let mut all = Vec::new();
    for clean in site.clean().await {
        all.extend(lower(&clean.kafka_key));
        all.extend(lower(&clean.value));
    }
    for topic in ["acme.dead", "acme.rules"] {
        for record in site.records(topic).await {
            all.extend(lower(&record.key));
            all.extend(lower(record.value.as_deref().unwrap_or_default()));
        }
    }
    let has = |needle: &[u8]| all.windows(needle.len()).any(|window| window == needle);
    assert!(has(b"write to"), "texts are there");
    for id in 1..=30 {
        assert!(!has(email(id).as_bytes()), "the address of user {id}");
    }
    assert!(!has(b"canary-mail") && !has(b"2025550123"));
    let users = site.rows_of("users").await;
    let fields = site.fields(&users[0]);
    let Value::Union(_, token) = &fields["email"] else {
        panic!("nullable")
    };
    assert!(matches!(&**token, Value::String(text) if text.len() == 3 + TOKEN_LENGTH && text.starts_with("k1_")));
}

#[tokio::test(start_paused = true)]
async fn rows_are_written_exactly_once_through_kills_at_any_call() {
    for seed in 0..40 {
        let site = Site::new();
        site.make_raw().await;
        let mut random = fastrand::Rng::with_seed(seed);
        let mut kills = 0;
        for round in 1..=4 {
            site.page(round, 6).await;
            let log = flaky(site.log.clone(), random.u64(..), random.u32(1..60), 5);
            kills += u32::from(site.killed(&log).await);
        }
        site.transform().await;
        println!("seed {seed}: {kills} kills");
        site.assert_exactly_once().await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_log_that_fails_now_and_then_is_waited_for() {
    let site = Site::new();
    site.make_raw().await;
    site.page(1, 10).await;
    let log = flaky(site.log.clone(), 3, 0, 30);
    assert!(!site.killed(&log).await);
    site.assert_exactly_once().await;
}

#[tokio::test(start_paused = true)]
async fn two_transformers_share_the_partitions() {
    for seed in 0..10 {
        let site = Site::new();
        site.make_raw().await;
        site.page(1, 10).await;
        let mut random = fastrand::Rng::with_seed(seed);
        let done = CancellationToken::new();
        let start = |member: &'static str, kill_at: u32, seed: u64| {
            let log = flaky(site.log.clone(), seed, kill_at, 3);
            let parts = site.parts_over(log.clone(), member, done.clone());
            (log, run(parts, CancellationToken::new()))
        };
        let (_, first) = start("a", 0, random.u64(..));
        let (dying, second) = start("b", random.u32(20..80), random.u64(..));
        let (_, third) = start("c", 0, random.u64(..));
        let producer = async {
            for round in 2..=8 {
                site.page(round, 10).await;
                tokio::time::sleep(Duration::from_millis(60)).await;
            }
            done.cancel();
        };
        let second = async {
            tokio::select! {
                () = dying.fate().killed() => {}
                ended = second => assert!(ended.expect("no error").is_complete),
            }
        };
        let (first, (), third, ()) = tokio::join!(first, second, third, producer);
        assert!(
            first.expect("no error").is_complete && third.expect("no error").is_complete,
            "seed {seed}"
        );
        site.assert_exactly_once().await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_pass_ends_only_when_all_partitions_are_done_and_a_service_goes_on() {
    let site = Site::new();
    site.make_raw().await;
    site.page(1, 5).await;
    let (done, stop) = (CancellationToken::new(), CancellationToken::new());
    let service = run(site.parts_over(site.log.clone(), "t0", done.clone()), stop.clone());
    let script = async {
        tokio::time::sleep(Duration::from_secs(60)).await;
        site.assert_exactly_once().await;
        site.page(2, 5).await;
        tokio::time::sleep(Duration::from_secs(60)).await;
        site.assert_exactly_once().await;
        assert!(site.progress.turns() > 100);
        stop.cancel();
    };
    let (drained, ()) = tokio::join!(service, script);
    let drained = drained.expect("no error");
    assert_eq!((drained.is_complete, drained.abandoned), (false, 0));
}

#[tokio::test(start_paused = true)]
async fn raw_topics_are_waited_for_and_left_out_when_none_will_come() {
    let site = Site::new();
    let done = CancellationToken::new();
    let service = run(
        site.parts_over(site.log.clone(), "t0", done.clone()),
        CancellationToken::new(),
    );
    let script = async {
        tokio::time::sleep(Duration::from_secs(5)).await;
        assert!(matches!(site.progress.snapshot().status, Status::Waiting { on } if on.contains("raw")));
        site.make_raw().await;
        site.page(1, 3).await;
        tokio::time::sleep(Duration::from_secs(5)).await;
        done.cancel();
    };
    let (drained, ()) = tokio::join!(service, script);
    assert!(drained.expect("no error").is_complete);
    site.assert_exactly_once().await;
    let empty = Site::new();
    empty.transform().await;
    assert!(empty.clean().await.is_empty());
}

#[tokio::test(start_paused = true)]
async fn a_registry_that_is_away_is_waited_for_and_nothing_is_committed() {
    let site = Site::new();
    site.make_raw().await;
    site.page(1, 3).await;
    site.registry.failures.store(6, Ordering::Relaxed);
    let watched = async {
        tokio::time::sleep(Duration::from_millis(500)).await;
        assert!(matches!(site.progress.snapshot().status, Status::Waiting { on } if on.contains("registry")));
        assert!(site.clean().await.is_empty());
    };
    let (drained, ()) = tokio::join!(site.once(), watched);
    assert!(drained.expect("no error").is_complete);
    site.assert_exactly_once().await;
}

#[tokio::test(start_paused = true)]
async fn a_refused_schema_stops_with_the_configuration_at_fault() {
    let site = Site::new();
    site.make_raw().await;
    site.registry.is_strict.store(true, Ordering::Relaxed);
    let error = site.once().await.expect_err("refused");
    assert_eq!(error.class(), Class::Configuration);
    assert!(error.to_string().contains("acme.clean."), "{error}");
}

#[tokio::test(start_paused = true)]
async fn an_unknown_key_version_stops_and_loses_nothing() {
    let site = Site::new();
    site.make_raw().await;
    site.page(1, 3).await;
    let path = site.keys.path().join("seal");
    let first = std::fs::read_to_string(&path).expect("readable");
    std::fs::write(&path, first.replace("\n1 ", "\n2 ")).expect("writable");
    let newer = site.record("users", 9_999, &user(99));
    site.append(vec![newer]).await;
    std::fs::write(&path, first.clone()).expect("writable");
    let error = site.once().await.expect_err("version 2 is missing");
    assert_eq!(error.class(), Class::KeyVersion);
    assert!(matches!(error, StageError::KeyVersion { version: 2, .. }), "{error}");
    let both = format!(
        "{first}{}",
        first
            .lines()
            .find(|line| line.starts_with("1 "))
            .expect("a key")
            .replacen('1', "2", 1)
    );
    std::fs::write(&path, both).expect("writable");
    SealKeys::load(&path).expect("two versions");
    site.transform().await;
    site.assert_exactly_once().await;
    assert!(site.records("acme.dead").await.is_empty());
}

#[tokio::test(start_paused = true)]
async fn a_clean_topic_of_another_partition_count_is_refused() {
    let site = Site::new();
    site.make_raw().await;
    let wrong = TopicSpec {
        name: Topic::clean(&site.source, "users"),
        partitions: 2,
        cleanup: Cleanup::Compact,
        max_message_bytes: 1 << 20,
    };
    site.log.ensure(&[wrong]).await.expect("made");
    let error = site.once().await.expect_err("refused");
    assert_eq!(error.class(), Class::Configuration);
    let told = error.to_string();
    assert!(
        told.contains("`acme.raw.users` has 3") && told.contains("`acme.clean.users` has 2"),
        "{told}"
    );
}

#[tokio::test(start_paused = true)]
async fn a_newer_process_of_the_same_name_takes_over() {
    let site = Site::new();
    site.make_raw().await;
    site.page(1, 3).await;
    let forever = CancellationToken::new();
    let older = run(
        site.parts_over(site.log.clone(), "t0", forever),
        CancellationToken::new(),
    );
    let newer = async {
        tokio::time::sleep(Duration::from_secs(2)).await;
        site.page(2, 3).await;
        let mut writer = site
            .log
            .writer(&zenfloe_transformer::writer_id(&site.source, "t0"))
            .await
            .expect("opened");
        site.page(3, 3).await;
        writer.commit(Vec::new(), None).await.expect("the newer one lives");
    };
    let (older, ()) = tokio::join!(older, newer);
    assert_eq!(older.expect_err("fenced").class(), Class::Replaced);
    site.transform().await;
    site.assert_exactly_once().await;
}

#[tokio::test(start_paused = true)]
async fn an_expired_beginning_stops_loudly() {
    let site = Site::new();
    site.make_raw().await;
    site.page(1, 10).await;
    let at = zenfloe_log::partitions_of("acme.raw.groups", 1).remove(0);
    site.memory.expire(&at, 1).expect("expired");
    let error = site.once().await.expect_err("its beginning is gone");
    assert_eq!(error.class(), Class::Positions);
}

#[tokio::test(start_paused = true)]
async fn a_recreated_topic_stops_loudly_until_it_is_accepted() {
    let mut site = Site::new();
    site.make_raw().await;
    site.page(1, 4).await;
    site.transform().await;
    site.memory.delete("acme.raw.groups");
    site.make_raw().await;
    site.page(2, 4).await;
    let error = site.once().await.expect_err("another topic");
    assert_eq!(error.class(), Class::Positions);
    assert!(error.to_string().contains("accept_recreated = [\"groups\"]"), "{error}");
    site.config.accept_recreated.insert("groups".into());
    site.transform().await;
    site.config.accept_recreated.clear();
    site.transform().await;
    assert_eq!(site.rows_of("groups").await.len(), 2);
}

#[tokio::test(start_paused = true)]
async fn a_position_beyond_the_end_stops_loudly_even_with_nothing_to_do() {
    let site = Site::new();
    site.make_raw().await;
    site.page(1, 4).await;
    let at = zenfloe_log::partitions_of("acme.raw.groups", 1).remove(0);
    let spec = ReaderSpec {
        group: group(&site.source),
        member: None,
        assign: Assign::Exact(vec![at.clone()]),
    };
    let reader = site.log.reader(spec).await.expect("opened");
    let done = Done {
        by: reader.membership(),
        positions: [(at, 7)].into_iter().collect(),
    };
    let mut writer = site.log.writer("test").await.expect("opened");
    writer
        .commit(Vec::new(), Some(done))
        .await
        .expect("a position of a longer topic");
    assert_eq!(site.once().await.expect_err("beyond the end").class(), Class::Positions);
}

#[tokio::test(start_paused = true)]
async fn excluded_columns_and_tables_leave_no_trace() {
    let mut site = Site::new();
    site.config.exclude = ["ticket_slas.*".to_owned(), "users.phone".to_owned()].into();
    site.make_raw().await;
    site.page(1, 2).await;
    site.transform().await;
    assert!(site.rows_of("ticket_slas").await.is_empty());
    let users = site.rows_of("users").await;
    assert!(!site.fields(&users[0]).contains_key("phone"));
    assert!(site.fields(&users[0]).contains_key("email"));
}

#[tokio::test(start_paused = true)]
async fn a_batch_is_given_up_when_the_log_stays_away_until_the_stop() {
    let site = Site::new();
    site.make_raw().await;
    site.page(1, 4).await;
    let away = unwritable(site.log.clone(), u32::MAX, || LogError::Unavailable {
        what: "the broker is away".into(),
    });
    let stop = CancellationToken::new();
    let service = run(site.parts_over(away, "t0", caught_up()), stop.clone());
    let script = async {
        tokio::time::sleep(Duration::from_secs(30)).await;
        assert!(matches!(site.progress.snapshot().status, Status::Waiting { on } if on == "log"));
        stop.cancel();
    };
    let (drained, ()) = tokio::join!(service, script);
    let drained = drained.expect("no error");
    assert!(!drained.is_complete && drained.abandoned > 0, "{drained:?}");
    site.transform().await;
    site.assert_exactly_once().await;
}

#[tokio::test(start_paused = true)]
async fn a_batch_that_is_refused_by_a_rebalance_is_read_again() {
    let mut site = Site::new();
    site.config.batch_records = 5;
    site.make_raw().await;
    site.page(1, 10).await;
    let shaken = unwritable(site.log.clone(), 4, || LogError::Rebalanced);
    let drained = run(site.parts_over(shaken, "t0", caught_up()), CancellationToken::new()).await;
    assert!(drained.expect("no error").is_complete);
    site.assert_exactly_once().await;
}

/// The names are those of alerts and dashboards.
#[test]
fn what_is_done_is_counted() {
    let recorder = metrics_exporter_prometheus::PrometheusBuilder::new().build_recorder();
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .expect("a runtime");
    metrics::with_local_recorder(&recorder, || {
        runtime.block_on(async {
            let site = Site::new();
            site.make_raw().await;
            site.page(1, 4).await;
            let mut odd = user(9);
            odd["surprise"] = serde_json::json!(1);
            let page = vec![
                site.record("users", 5, &odd),
                site.sealed("groups", "8", RawKind::Record, 5, b"{"),
            ];
            site.append(page).await;
            let flaky = unwritable(site.log.clone(), 1, || LogError::Unavailable { what: "away".into() });
            let drained = run(site.parts_over(flaky, "t0", caught_up()), CancellationToken::new()).await;
            assert!(drained.expect("no error").is_complete);
        });
    });
    let text = recorder.handle().render();
    for line in [
        r#"zenfloe_transform_records_total{source="acme",collection="tickets"} 4"#,
        r#"zenfloe_transform_rows_total{source="acme",table="user_identities"} 15"#,
        r#"zenfloe_transform_dead_letters_total{source="acme",collection="groups",reason="not_json"} 1"#,
        r#"zenfloe_transform_unknown_fields_total{source="acme",collection="users",path="surprise"} 1"#,
        r#"zenfloe_transform_retries_total{part="log"} 1"#,
        r#"zenfloe_transform_lag_records{source="acme",collection="users"} 0"#,
        r#"zenfloe_transform_lag_seconds{source="acme",collection="users"} 0"#,
    ] {
        assert!(text.lines().any(|held| held == line), "{line} is missing in\n{text}");
    }
    for name in [
        "zenfloe_transform_bytes_total",
        "zenfloe_transform_commits_total",
        "zenfloe_transform_tokens_total",
    ] {
        assert!(text.contains(name), "{name} is missing in\n{text}");
    }
    assert!(!text.to_lowercase().contains("canary"));
}

/// Whoever starts a stage spawns it.
#[test]
fn the_stages_futures_can_be_sent() {
    fn is_send<T: Send>(_: &T) {}
    let site = Site::new();
    let stop = CancellationToken::new;
    is_send(&run(site.parts(), stop()));
    let what = zenfloe_transformer::Replay {
        collections: Vec::new(),
        from: zenfloe_transformer::From::All,
        is_dry_run: false,
    };
    is_send(&zenfloe_transformer::replay(
        site.parts(),
        what,
        Default::default(),
        stop(),
    ));
    is_send(&zenfloe_transformer::retry_dead(
        site.parts(),
        zenfloe_transformer::Which::All,
        stop(),
    ));
    is_send(&zenfloe_transformer::letters(&*site.log, &site.source));
    is_send(&zenfloe_transformer::open_letter(
        &*site.log,
        &site.source,
        site.seal_keys(),
        0,
        0,
    ));
}

#[tokio::test]
async fn the_embedded_log_serves_as_well() {
    let mut site = Site::new();
    let file = zenfloe_log_file::Config::new(site.keys.path().join("log.sqlite"));
    site.log = Arc::new(zenfloe_log_file::FileLog::open(file).await.expect("a new file"));
    site.make_raw().await;
    let mut random = fastrand::Rng::with_seed(7);
    for round in 1..=4 {
        site.page(round, 6).await;
        let log = flaky(site.log.clone(), random.u64(..), random.u32(20..60), 0);
        site.killed(&log).await;
    }
    site.transform().await;
    site.assert_exactly_once().await;
    let live = site.clean().await;
    let what = zenfloe_transformer::Replay {
        collections: Vec::new(),
        from: zenfloe_transformer::From::All,
        is_dry_run: false,
    };
    let again = zenfloe_transformer::replay(site.parts(), what, Default::default(), CancellationToken::new()).await;
    assert!(again.expect("no error").is_complete);
    let replayed = site.clean().await.into_iter().filter(|row| !row.is_live());
    let mut essences: [Vec<_>; 2] = [
        live.iter().map(Clean::essence).collect(),
        replayed.map(|row| row.essence()).collect(),
    ];
    essences.iter_mut().for_each(|list| list.sort());
    assert_eq!(essences[0], essences[1]);
}
