//! What cannot be transformed, letter by letter.

use serde_json::json;
use zenfloe_log::{Cleanup, TopicSpec};
use zenfloe_record::{Headers, RawKind, Reason, Stage, Topic};
use zenfloe_transformer::{Content, LetterInfo, letters, open_letter};

use crate::Site;
use crate::raw::{Raw, email, group, ticket, user};

impl Site {
    pub(crate) async fn letters(&self) -> Vec<LetterInfo> {
        letters(&*self.log, &self.source).await.expect("the log answers")
    }

    /// A record of any text that can be sealed.
    fn text(&self, collection: &str, text: &[u8]) -> Raw {
        self.sealed(collection, "13", RawKind::Record, 5, text)
    }

    /// One bad record among good ones: the good ones become rows, the bad one a letter.
    async fn check(&self, bad: Raw, reason: Reason) -> LetterInfo {
        self.make_raw().await;
        let before = self.record("users", 1, &user(1));
        let after = self.record("users", 9, &user(2));
        let topic = bad.append.at.topic.clone();
        let key = bad.append.key.clone();
        self.append(vec![before, bad, after]).await;
        self.transform().await;
        assert_eq!(self.rows_of("users").await.len(), 2, "nothing is stopped by {reason:?}");
        let list = self.letters().await;
        assert_eq!(list.len(), 1, "{list:?}");
        let info = list.into_iter().next().expect("one");
        assert_eq!(info.letter.reason, reason, "{}", info.letter.detail);
        assert_eq!(
            (info.letter.stage, &info.letter.origin.topic),
            (Stage::Transform, &topic)
        );
        assert_eq!(info.key.as_deref().map(str::as_bytes), Some(&key[..]));
        assert!(!info.letter.detail.contains("canary"), "{}", info.letter.detail);
        assert_eq!(
            self.progress.snapshot().collections[Topic::collection_of(&self.source, &topic).expect("raw")].dead_letters,
            1
        );
        info
    }
}

/// A user whose field is replaced.
fn user_with(field: &str, value: serde_json::Value) -> Vec<u8> {
    let mut record = user(13);
    record[field] = value;
    record.to_string().into_bytes()
}

#[tokio::test(start_paused = true)]
async fn broken_json_and_invalid_utf8_are_letters() {
    for text in [
        &b"{\"id\":13,"[..],
        b"",
        b"nonsense",
        b"{\"id\":13,\"name\":\"\xff\xfe\"}",
    ] {
        let site = Site::new();
        site.check(site.text("users", text), Reason::NotJson).await;
    }
}

#[tokio::test(start_paused = true)]
async fn missing_keys_and_versions_are_letters() {
    let site = Site::new();
    site.check(
        site.text("users", br#"{"name":"x","updated_at":"2026-01-01T00:00:00Z"}"#),
        Reason::MissingKey,
    )
    .await;
    let site = Site::new();
    site.check(site.text("users", &user_with("id", json!(null))), Reason::MissingKey)
        .await;
    let site = Site::new();
    let mut unversioned = ticket(13, 1);
    unversioned
        .as_object_mut()
        .expect("an object")
        .remove("generated_timestamp");
    unversioned.as_object_mut().expect("an object").remove("updated_at");
    site.check(
        site.text("tickets", unversioned.to_string().as_bytes()),
        Reason::MissingKey,
    )
    .await;
}

#[tokio::test(start_paused = true)]
async fn wrong_types_and_absurd_dates_are_letters() {
    let site = Site::new();
    let info = site
        .check(
            site.text("users", &user_with("name", json!({"a": email(1)}))),
            Reason::WrongType,
        )
        .await;
    assert!(info.letter.detail.contains("name"), "{}", info.letter.detail);
    let site = Site::new();
    site.check(
        site.text("users", &user_with("created_at", json!("99999-01-01T00:00:00Z"))),
        Reason::AbsurdDate,
    )
    .await;
    let site = Site::new();
    site.check(
        site.text("users", &user_with("identities", json!("none"))),
        Reason::WrongType,
    )
    .await;
    let site = Site::new();
    site.check(site.text("users", b"[]"), Reason::WrongType).await;
}

#[tokio::test(start_paused = true)]
async fn seals_that_do_not_open_are_letters() {
    let site = Site::new();
    site.check(site.record("users", 5, &user(13)).damaged(), Reason::Unsealable)
        .await;
    let site = Site::new();
    let mut moved = site.record("users", 5, &user(13));
    moved.append.key = bytes::Bytes::from_static(b"14");
    site.check(moved, Reason::Unsealable).await;
    let site = Site::new();
    let mut absent = site.record("users", 5, &user(13));
    absent.append.value = None;
    site.check(absent, Reason::Unsealable).await;
}

#[tokio::test(start_paused = true)]
async fn headers_that_cannot_be_read_are_letters() {
    let site = Site::new();
    site.check(
        site.record("users", 5, &user(13)).with_headers(Headers::new()),
        Reason::Headers,
    )
    .await;
    let site = Site::new();
    let strange = Headers::new().with("zf.kind", "rumour").with("zf.extracted_at", "5");
    site.check(
        site.record("users", 5, &user(13)).with_headers(strange),
        Reason::Headers,
    )
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_row_that_is_too_large_for_its_topic_is_a_letter_and_none_of_its_rows_passes() {
    let site = Site::new();
    let small = TopicSpec {
        name: Topic::clean(&site.source, "ticket_metrics"),
        partitions: crate::raw::PARTITIONS,
        cleanup: Cleanup::Compact,
        max_message_bytes: 100,
    };
    site.log.ensure(&[small]).await.expect("made");
    site.check(site.record("tickets", 5, &ticket(13, 1)), Reason::TooLarge)
        .await;
    assert!(site.rows_of("tickets").await.is_empty() && site.rows_of("ticket_metrics").await.is_empty());
}

#[tokio::test(start_paused = true)]
async fn a_letter_keeps_the_value_sealed_and_opens_for_who_holds_the_key() {
    let site = Site::new();
    let text = user_with("name", json!([email(13)]));
    let info = site.check(site.text("users", &text), Reason::WrongType).await;
    for record in site.records("acme.dead").await {
        let value = record.value.expect("sealed");
        assert!(!value.windows(6).any(|window| window == b"canary"));
    }
    let opened = open_letter(&*site.log, &site.source, site.seal_keys(), info.partition, info.offset).await;
    let (shown, content) = opened.expect("the log answers").expect("it is there");
    assert_eq!((shown, content), (info, Content::Json(text)));
    let none = open_letter(&*site.log, &site.source, site.seal_keys(), 0, 999).await;
    assert_eq!(none.expect("the log answers"), None);
}

#[tokio::test(start_paused = true)]
async fn a_value_that_the_dead_topic_does_not_take_stays_in_raw() {
    let site = Site::new();
    let narrow = TopicSpec {
        name: Topic::dead(&site.source),
        partitions: 2,
        cleanup: Cleanup::Delete(std::time::Duration::from_secs(60)),
        max_message_bytes: 1_500,
    };
    site.log.ensure(&[narrow]).await.expect("made");
    let mut random = fastrand::Rng::with_seed(1);
    let noise: String = (0..4_000).map(|_| random.alphanumeric()).collect();
    let info = site
        .check(
            site.text("users", &user_with("identities", json!({"noise": noise}))),
            Reason::WrongType,
        )
        .await;
    assert_eq!(info.size, 0);
    assert!(info.letter.detail.contains("raw topic alone"), "{}", info.letter.detail);
}

#[tokio::test(start_paused = true)]
async fn what_is_unknown_or_odd_but_harmless_is_no_letter() {
    let site = Site::new();
    site.make_raw().await;
    let mut odd = user(13);
    odd["name"] = json!("a NUL \u{0} within");
    odd["surprise"] = json!({"deep": [1, 2, 3]});
    let mut page = vec![site.record("users", 5, &odd)];
    page.push(site.record("groups", 5, &group(1)));
    site.append(page).await;
    site.transform().await;
    assert!(site.letters().await.is_empty());
    assert_eq!(site.rows_of("users").await.len(), 1);
    assert!(site.progress.snapshot().collections["users"].unknown_fields >= 1);
}
