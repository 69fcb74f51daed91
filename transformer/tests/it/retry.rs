//! Dead letters, tried again.

use bytes::Bytes;
use serde_json::json;
use tokio_util::sync::CancellationToken;
use zenfloe_log::{Append, Cleanup, TopicSpec};
use zenfloe_record::{CleanHeaders, CleanKey, Letter, Origin, RawKind, Reason, Stage, Topic, TopicPartition, header};
use zenfloe_transformer::{Config, Retried, StageError, Which, retry_dead};

use crate::Site;
use crate::raw::{PARTITIONS, ticket, user};

impl Site {
    async fn retry(&self, which: Which) -> Result<Retried, StageError> {
        retry_dead(self.parts(), which, CancellationToken::new()).await
    }

    /// A ticket and a user whose rows are too large for their topics, and a group that is broken for good.
    async fn with_letters(&mut self) {
        self.make_raw().await;
        let narrow = ["ticket_metrics", "users"].map(|table| TopicSpec {
            name: Topic::clean(&self.source, table),
            partitions: PARTITIONS,
            cleanup: Cleanup::Compact,
            max_message_bytes: 100,
        });
        self.log.ensure(&narrow).await.expect("made");
        let page = vec![
            self.record("tickets", 3, &ticket(7, 1)),
            self.record("users", 4, &user(8)),
            self.sealed("groups", "9", RawKind::Record, 5, b"{"),
        ];
        self.append(page).await;
        self.transform().await;
        assert_eq!(self.letters().await.len(), 3);
    }

    /// Topics that take what was too large.
    async fn widen(&self) {
        for table in ["ticket_metrics", "users"] {
            self.memory.delete(&Topic::clean(&self.source, table));
        }
    }
}

#[tokio::test(start_paused = true)]
async fn letters_that_can_be_transformed_now_become_rows_and_are_settled() {
    let mut site = Site::new();
    site.with_letters().await;
    let nothing = site.retry(Which::All).await.expect("no error");
    assert_eq!((nothing.settled, nothing.rows, nothing.still_dead.len()), (0, 0, 3));
    assert!(nothing.is_complete && site.clean().await.is_empty());
    site.widen().await;
    let retried = site.retry(Which::All).await.expect("no error");
    assert_eq!((retried.settled, retried.rows), (2, 3 + 4));
    let [(info, detail)] = &retried.still_dead[..] else {
        panic!("one is broken for good")
    };
    assert_eq!(info.letter.reason, Reason::NotJson);
    assert!(detail.starts_with("not_json"), "{detail}");
    for row in site.clean().await {
        assert_eq!(row.kafka_key, CleanKey::versioned(row.row_key(), &row.version));
        assert_eq!(row.partition, row.origin.partition);
    }
    let settled: Vec<_> = site
        .letters()
        .await
        .into_iter()
        .map(|info| info.settled_at.is_some())
        .collect();
    assert_eq!(settled.iter().filter(|is_settled| **is_settled).count(), 2);
    let again = site.retry(Which::All).await.expect("no error");
    assert_eq!((again.settled, again.still_dead.len()), (0, 1), "once is enough");
}

#[tokio::test(start_paused = true)]
async fn a_retried_row_is_the_row_that_a_live_pass_would_have_made() {
    let mut site = Site::new();
    site.with_letters().await;
    site.widen().await;
    site.retry(Which::All).await.expect("no error");
    let retried: Vec<_> = site.rows_of("users").await.iter().map(|row| row.essence()).collect();
    let other = Site {
        keys: site.keys,
        ..Site::new()
    };
    other.make_raw().await;
    let page = vec![
        other.record("tickets", 3, &ticket(7, 1)),
        other.record("users", 4, &user(8)),
    ];
    other.append(page).await;
    other.transform().await;
    let live: Vec<_> = other.rows_of("users").await.iter().map(|row| row.essence()).collect();
    let bodies = |rows: &[(String, i32, Vec<u8>, String, Bytes)]| -> Vec<_> {
        rows.iter()
            .map(|(_, partition, key, origin, value)| (*partition, key.clone(), origin.clone(), value.slice(5..)))
            .collect()
    };
    assert_eq!(bodies(&retried), bodies(&live));
}

#[tokio::test(start_paused = true)]
async fn single_letters_can_be_chosen() {
    let mut site = Site::new();
    site.with_letters().await;
    site.widen().await;
    let chosen = site
        .letters()
        .await
        .into_iter()
        .find(|info| &*info.letter.origin.topic == "acme.raw.users");
    let chosen = chosen.expect("a user's letter");
    let retried = site
        .retry(Which::At(vec![(chosen.partition, chosen.offset)]))
        .await
        .expect("no error");
    assert_eq!((retried.settled, retried.still_dead.len()), (1, 0));
    assert!(site.rows_of("tickets").await.is_empty());
}

#[tokio::test(start_paused = true)]
async fn a_value_that_stands_in_raw_alone_is_read_there() {
    let mut site = Site::new();
    let narrow = TopicSpec {
        name: Topic::dead(&site.source),
        partitions: 1,
        cleanup: Cleanup::Delete(std::time::Duration::from_secs(60)),
        max_message_bytes: 700,
    };
    site.log.ensure(&[narrow]).await.expect("made");
    site.with_letters().await;
    assert!(
        site.letters().await.iter().any(|info| info.size == 0),
        "too much for the dead topic"
    );
    site.widen().await;
    let retried = site.retry(Which::All).await.expect("no error");
    assert_eq!(retried.settled, 2);
    let ticket = site.rows_of("tickets").await;
    assert_eq!(ticket.len(), 1);
}

#[tokio::test(start_paused = true)]
async fn letters_of_the_loader_are_appended_again_and_those_of_the_extractor_passed_over() {
    let site = Site::new();
    site.make_raw().await;
    site.page(1, 2).await;
    site.transform().await;
    let refused = site.records("acme.clean.tickets").await.remove(0);
    let headers = CleanHeaders::decode(&refused.headers).expect("our own");
    let letter = |stage, origin: Origin| Letter {
        stage,
        reason: Reason::Refused,
        detail: "too long for its column".into(),
        origin,
    };
    let origin = Origin {
        topic: refused.at.topic.clone(),
        partition: refused.at.partition,
        offset: refused.offset,
    };
    let append = |letter: Letter, with_key: bool| {
        let inner = match with_key {
            true => refused.headers.clone().with(header::KEY, refused.key.as_ref()),
            false => refused.headers.clone(),
        };
        Append {
            at: TopicPartition::new(Topic::dead(&site.source), 0),
            timestamp: None,
            key: letter.key().into(),
            value: refused.value.clone(),
            headers: letter.encode(&inner),
        }
    };
    let keyless = Origin {
        offset: origin.offset + 1,
        ..origin.clone()
    };
    // The loader leaves out a value that the dead topic does not take.
    let metrics = site.records("acme.clean.ticket_metrics").await.remove(0);
    let elsewhere = letter(
        Stage::Load,
        Origin {
            topic: metrics.at.topic.clone(),
            partition: metrics.at.partition,
            offset: metrics.offset,
        },
    );
    let elsewhere = Append {
        value: None,
        ..append(elsewhere, false)
    };
    let out = vec![
        append(letter(Stage::Load, origin.clone()), true),
        append(letter(Stage::Load, keyless), false),
        append(letter(Stage::Extract, headers.origin.clone()), false),
        elsewhere,
    ];
    site.log
        .writer("loader")
        .await
        .expect("opened")
        .commit(out, None)
        .await
        .expect("appended");
    let retried = site.retry(Which::All).await.expect("no error");
    assert_eq!((retried.settled, retried.rows, retried.of_extractor), (2, 2, 1));
    assert!(retried.still_dead[0].1.contains("key"), "{:?}", retried.still_dead);
    let rows = site.rows_of("tickets").await;
    let again: Vec<_> = rows.iter().filter(|row| !row.is_live()).collect();
    assert_eq!(again.len(), 1);
    assert_eq!(Some(&again[0].value), refused.value.as_ref());
    assert_eq!((again[0].version, &again[0].origin), (headers.version, &headers.origin));
    assert_eq!(again[0].partition, refused.at.partition);
    let metric_rows = site.rows_of("ticket_metrics").await;
    let again: Vec<_> = metric_rows.iter().filter(|row| !row.is_live()).collect();
    assert_eq!(again.len(), 1);
    assert_eq!(Some(&again[0].value), metrics.value.as_ref());
    let open = site
        .letters()
        .await
        .into_iter()
        .filter(|info| info.settled_at.is_none());
    assert_eq!(open.count(), 2);
}

#[tokio::test(start_paused = true)]
async fn a_retry_uses_the_configuration_in_force() {
    let mut site = Site::new();
    site.make_raw().await;
    let mut record = user(3);
    record["verified"] = json!("perhaps");
    let page = vec![site.record("users", 3, &record)];
    site.append(page).await;
    site.transform().await;
    assert_eq!(site.letters().await[0].letter.reason, Reason::WrongType);
    site.config = Config {
        exclude: ["users.verified".to_owned()].into(),
        ..Config::default()
    };
    let error = site.retry(Which::All).await.expect_err("not in force");
    assert!(matches!(error, StageError::NotNewest { .. }), "{error}");
    site.transform().await;
    let retried = site.retry(Which::All).await.expect("in force");
    assert_eq!(retried.settled, 1, "{retried:?}");
    assert!(site.rows_of("users").await.iter().all(|row| row.version.revision == 2));
}
