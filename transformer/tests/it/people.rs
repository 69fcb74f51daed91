//! The source's people: known before any text is read.

use std::time::Duration;

use bytes::Bytes;
use serde_json::json;
use tokio_util::sync::CancellationToken;
use zenfloe_keyring::Sealer;
use zenfloe_log::{Append, Cleanup, TopicSpec};
use zenfloe_record::{Headers, KnownKind, KnownValue, Owner, Topic, TopicPartition};
use zenfloe_transformer::{Class, From, Replay, ReplayProgress, StageError, Status, replay, run};

use crate::raw::ticket;
use crate::{Site, caught_up};

fn name(of: i64, value: &str) -> KnownValue {
    KnownValue {
        of: Owner::User(of),
        kind: KnownKind::Name,
        value: value.to_owned(),
    }
}

impl Site {
    fn people_at(&self) -> TopicPartition {
        TopicPartition::new(Topic::people(&self.source), 0)
    }

    pub(crate) async fn make_people(&self) {
        let spec = TopicSpec {
            name: Topic::people(&self.source),
            partitions: 1,
            cleanup: Cleanup::Compact,
            max_message_bytes: 1 << 20,
        };
        self.log.ensure(&[spec]).await.expect("made");
    }

    /// A sealed record of the people topic, as the extractor writes it.
    pub(crate) fn known(&self, known: &KnownValue) -> Append {
        let digest = self
            .seal_keys()
            .record_key(&self.source, KnownValue::PURPOSE, &known.digested());
        let key = known.key(&digest);
        let mut headers = Headers::new();
        let mut sealer = Sealer::new(&self.seal_keys(), &self.source);
        let value = sealer.seal(
            1_800_000_000_000_000,
            KnownValue::PURPOSE,
            &key,
            &known.encode(),
            &mut headers,
        );
        Append {
            at: self.people_at(),
            timestamp: None,
            key: key.into(),
            value: Some(value.into()),
            headers,
        }
    }

    fn complete(&self, collection: &str) -> Append {
        Append {
            at: self.people_at(),
            timestamp: None,
            key: KnownValue::complete_key(collection).into(),
            value: Some(Bytes::from_static(b"{}")),
            headers: Headers::new(),
        }
    }

    pub(crate) async fn write(&self, out: Vec<Append>) {
        let mut writer = self.log.writer("people").await.expect("opened");
        writer.commit(out, None).await.expect("appended");
    }

    /// A ticket whose description names somebody.
    async fn say(&self, id: i64, text: &str) {
        let mut said = ticket(id, 1_700_000_000);
        said["description"] = json!(text);
        self.append(vec![self.record("tickets", 5, &said)]).await;
    }

    /// Bytes of clean tickets in which a text stands.
    async fn clean_with(&self, text: &str) -> usize {
        let clean = self.clean().await;
        let has = |bytes: &[u8]| bytes.windows(text.len()).any(|window| window == text.as_bytes());
        clean.iter().filter(|row| has(&row.value)).count()
    }
}

#[tokio::test(start_paused = true)]
async fn names_in_texts_join_with_their_column() {
    let site = Site::new();
    site.make_raw().await;
    site.make_people().await;
    site.write(vec![site.known(&name(1, "Qanary 1")), site.complete("users")])
        .await;
    site.append(vec![site.record("users", 5, &crate::raw::user(1))]).await;
    site.say(7, "ask QANARY 1 about it").await;
    site.transform().await;
    assert_eq!(site.clean_with("ask ").await, 1);
    assert_eq!(site.clean_with("QANARY").await, 0);
    let users = site.rows_of("users").await;
    let fields = site.fields(&users[0]);
    let apache_avro::types::Value::Union(_, token) = &fields["name"] else {
        panic!("nullable")
    };
    let apache_avro::types::Value::String(token) = &**token else {
        panic!("a token")
    };
    assert_eq!(site.clean_with(&format!("ask [person:{token}] about it")).await, 1);
}

#[tokio::test(start_paused = true)]
async fn nothing_is_transformed_before_everyone_has_been_told_of() {
    let site = Site::new();
    site.make_raw().await;
    site.make_people().await;
    site.say(7, "ask Zoltan Qanary about it").await;
    let stop = CancellationToken::new();
    let parts = site.parts_over(site.log.clone(), "t0", CancellationToken::new());
    let running = tokio::spawn(run(parts, stop.clone()));
    tokio::time::sleep(Duration::from_secs(60)).await;
    assert_eq!(site.clean().await.len(), 0);
    let waits = site.progress.snapshot().status;
    assert!(matches!(&waits, Status::Waiting { on } if on == "users"), "{waits:?}");
    site.write(vec![site.known(&name(1, "Zoltan Qanary"))]).await;
    tokio::time::sleep(Duration::from_secs(5)).await;
    assert_eq!(site.clean().await.len(), 0, "not all have been told of");
    site.write(vec![site.complete("users")]).await;
    tokio::time::sleep(Duration::from_secs(5)).await;
    assert_eq!((site.clean_with("ask ").await, site.clean_with("Zoltan").await), (1, 0));
    // Whoever comes while it runs is known with the next batch.
    site.write(vec![site.known(&name(2, "Ludmila Qanary"))]).await;
    site.say(8, "call Ludmila Qanary").await;
    tokio::time::sleep(Duration::from_secs(5)).await;
    assert_eq!(
        (site.clean_with("call ").await, site.clean_with("Ludmila").await),
        (1, 0)
    );
    stop.cancel();
    running.await.expect("no panic").expect("no error");
}

#[tokio::test(start_paused = true)]
async fn who_is_taken_away_is_forgotten_and_who_shares_the_name_stays() {
    let site = Site::new();
    site.make_raw().await;
    site.make_people().await;
    let (one, other, third) = (
        name(1, "Zoltan Qanary"),
        name(2, "Zoltan Qanary"),
        name(3, "Ludmila Qanary"),
    );
    let gone = |known: &KnownValue| Append {
        value: None,
        headers: Headers::new(),
        ..site.known(known)
    };
    site.write(vec![
        site.known(&one),
        site.known(&other),
        site.known(&third),
        site.complete("users"),
        gone(&one),
        gone(&third),
    ])
    .await;
    site.say(7, "Zoltan Qanary and Ludmila Qanary").await;
    site.transform().await;
    assert_eq!(
        (site.clean_with("Zoltan").await, site.clean_with("Ludmila").await),
        (0, 1)
    );
    site.write(vec![site.known(&third)]).await;
    site.say(8, "Ludmila Qanary again").await;
    site.transform().await;
    assert_eq!(
        site.clean_with("Ludmila Qanary again").await,
        0,
        "known again once she is back"
    );
}

#[tokio::test(start_paused = true)]
async fn names_learnt_later_reach_old_text_by_replay() {
    let site = Site::new();
    site.make_raw().await;
    site.say(7, "ask Zoltan Qanary").await;
    site.transform().await;
    assert_eq!(site.clean_with("Zoltan").await, 1, "nobody is known");
    site.make_people().await;
    site.write(vec![site.known(&name(1, "Zoltan Qanary")), site.complete("users")])
        .await;
    let what = Replay {
        collections: Vec::new(),
        from: From::All,
        is_dry_run: false,
    };
    let done = replay(site.parts(), what, ReplayProgress::default(), CancellationToken::new());
    assert!(done.await.expect("a replay").is_complete);
    assert_eq!(site.clean_with("ask [person:").await, 1);
}

#[tokio::test(start_paused = true)]
async fn many_people_are_read_in_parts() {
    let site = Site::new();
    site.make_raw().await;
    site.make_people().await;
    let page = |from: i64| (from..from + 2_000).map(|id| site.known(&name(id, &format!("Qanary Zfx{id}"))));
    for from in (0..6_000).step_by(2_000) {
        site.write(page(from).collect()).await;
    }
    site.write(vec![site.complete("users")]).await;
    for id in [0, 2_500, 5_999] {
        site.say(id + 1, &format!("ask Qanary Zfx{id} now")).await;
    }
    site.transform().await;
    assert_eq!((site.clean_with("ask ").await, site.clean_with("Zfx").await), (3, 0));
}

#[tokio::test(start_paused = true)]
async fn a_record_that_does_not_open_stops() {
    let site = Site::new();
    site.make_raw().await;
    site.make_people().await;
    let mut damaged = site.known(&name(1, "Zoltan Qanary"));
    damaged.value = Some(Bytes::from_static(b"damaged"));
    site.write(vec![damaged, site.complete("users")]).await;
    let error = run(
        site.parts_over(site.log.clone(), "t0", caught_up()),
        CancellationToken::new(),
    )
    .await
    .expect_err("somebody would not be known");
    assert!(matches!(error, StageError::People { .. }), "{error}");
    assert_eq!(error.class(), Class::Stop);
    assert!(!error.to_string().contains("Zoltan"));
}
