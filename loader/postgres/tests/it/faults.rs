//! Sessions and servers that go, rows that the database refuses.

use std::sync::Arc;
use std::time::Duration;

use zenfloe_destination::contract::{Line, Sample};
use zenfloe_destination::{Class, Destination, LoadError};
use zenfloe_record::TopicPartition;

use crate::{Database, flush, place};

#[tokio::test]
async fn a_lost_session_and_a_killed_server_are_waited_for() {
    let mut database = Database::new().await;
    let destination = database.destination();
    let (target, topic) = place();
    let sample = Sample::new("things");
    destination
        .prepare(&target, &sample.shape())
        .await
        .expect("a new table");
    destination.positions(&target, &topic, &[0]).await.expect("entered");

    let end = "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity WHERE application_name = 'zenfloe-load'";
    assert_eq!(database.query(end).await, "1");
    let first = flush(0, &[Line::new(1, 1)]);
    let loaded = patiently(&destination, &first).await;
    assert_eq!(loaded.written, 1);

    database.server.kill().expect("killed");
    let second = flush(1, &[Line::new(2, 1)]);
    for _ in 0..2 {
        let error = destination.flush(second.clone()).await.expect_err("nobody answers");
        assert_eq!(error.class(), Class::Retry, "{error}");
    }
    database.server.restart().await.expect("the server again");
    assert_eq!(patiently(&destination, &second).await.written, 1);
    assert_eq!(database.query("SELECT count(*) FROM mart_zendesk.things").await, "2");
}

/// Offers a flush until it is in.
async fn patiently(
    destination: &impl Destination,
    flush: &Arc<zenfloe_destination::Flush>,
) -> zenfloe_destination::Loaded {
    for _ in 0..50 {
        match destination.flush(flush.clone()).await {
            Ok(loaded) => return loaded,
            Err(error) => assert_eq!(error.class(), Class::Retry, "{error}"),
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    panic!("the destination does not come back");
}

/// A call that is dropped midway leaves nothing behind: its session ends with it.
#[tokio::test]
async fn a_dropped_flush_leaves_nothing_open() {
    let database = Database::new().await;
    let destination = database.destination();
    let (target, topic) = place();
    destination
        .prepare(&target, &Sample::new("things").shape())
        .await
        .expect("a new table");
    destination.positions(&target, &topic, &[0]).await.expect("entered");
    let lines: Vec<_> = (0..2_000).map(|id| Line::new(id, 1).note("x".repeat(500))).collect();
    let flush = flush(0, &lines);
    for millis in [0, 1, 2, 3, 5, 8, 13] {
        let _ = tokio::time::timeout(Duration::from_millis(millis), destination.flush(flush.clone())).await;
    }
    patiently(&destination, &flush).await;
    assert_eq!(database.query("SELECT count(*) FROM mart_zendesk.things").await, "2000");
    let positions = destination.positions(&target, &topic, &[0]).await.expect("read");
    assert_eq!(positions.get(&TopicPartition::new(topic.name.clone(), 0)), Some(2_000));
}

#[tokio::test]
async fn rows_that_only_the_database_refuses_are_found() {
    let database = Database::new().await;
    let destination = database.destination();
    let (target, topic) = place();
    destination
        .prepare(&target, &Sample::new("things").shape())
        .await
        .expect("a new table");
    destination.positions(&target, &topic, &[0]).await.expect("entered");
    database
        .query("ALTER TABLE mart_zendesk.things ADD CONSTRAINT short CHECK (length(note) < 9)")
        .await;
    let mut lines: Vec<_> = (0..50).map(|id| Line::new(id, 1)).collect();
    lines[7].data = Some("{no JSON: secret".into());
    lines[31] = Line::new(31, 1).note("secret and too long");
    lines[49].at = Some(i64::MAX);

    let error = destination
        .flush(flush(0, &lines))
        .await
        .expect_err("three are refused");
    assert!(!format!("{error} {error:?}").contains("secret"), "{error:?}");
    let LoadError::Refused { mut rows, .. } = error else {
        panic!("{error}")
    };
    rows.sort_unstable_by_key(|row| row.offset);
    let told: Vec<_> = rows.iter().map(|row| (row.offset, row.detail.as_str())).collect();
    let expected = [
        (7, "a text is not JSON (22P02), column `data`"),
        (31, "a constraint does not hold (23514), constraint `short`"),
        (49, "column `at` holds a time outside the years 1 to 9999"),
    ];
    assert_eq!(told, expected);

    let (rest, out) = flush(0, &lines).without(|row| [7, 31, 49].contains(&row.offset));
    assert_eq!(out.len(), 3);
    assert_eq!(
        destination
            .flush(Arc::new(rest))
            .await
            .expect("the rest is in order")
            .written,
        47
    );
}

/// What an analyst sees of a column: its type and what it is for.
#[tokio::test]
async fn columns_are_typed_and_described() {
    let database = Database::new().await;
    let destination = database.destination();
    let (target, _) = place();
    destination
        .prepare(&target, &Sample::new("things").shape())
        .await
        .expect("a new table");
    let described = "SELECT format_type(atttypid, atttypmod), col_description(attrelid, attnum) FROM pg_attribute
        WHERE attrelid = 'mart_zendesk.things'::regclass AND attname IN ('note', 'data') ORDER BY attname";
    let printed = database.query(described).await;
    assert!(printed.starts_with("jsonb|"), "{printed}");
    assert!(printed.ends_with("text|A text. [text: redact]"), "{printed}");

    // A description that changed is brought up to date, one that did not is left alone.
    let mut shape = (*Sample::new("things").shape()).clone();
    shape.columns[2].comment = "It's new.".into();
    destination.prepare(&target, &shape).await.expect("described");
    destination.prepare(&target, &shape).await.expect("nothing to do");
    assert!(database.query(described).await.ends_with("text|It's new."));
}

/// The batch tells rows apart by their records' keys; the table by the primary key.
#[tokio::test]
async fn two_record_keys_with_one_primary_key_are_one_row() {
    let database = Database::new().await;
    let destination = database.destination();
    let (target, topic) = place();
    destination
        .prepare(&target, &Sample::new("things").shape())
        .await
        .expect("a new table");
    destination.positions(&target, &topic, &[0]).await.expect("entered");
    let mut flush = (*flush(0, &[Line::new(1, 5), Line::new(1, 7), Line::new(1, 6), Line::new(2, 1)])).clone();
    for (number, row) in flush.segments[0].rows.iter_mut().enumerate() {
        row.key = format!("other {number}").into();
    }
    let loaded = destination.flush(Arc::new(flush)).await.expect("in order");
    assert_eq!(loaded.written, 2);
    assert_eq!(
        database
            .query("SELECT id, note FROM mart_zendesk.things ORDER BY id")
            .await,
        "1|v7\n2|v1"
    );
}

/// Fences may come before there is a table, and find their rows by an index once there is one.
#[tokio::test]
async fn fences_that_come_first_have_their_index_later() {
    let database = Database::new().await;
    let destination = database.destination();
    let (target, topic) = place();
    destination.positions(&target, &topic, &[0]).await.expect("entered");
    let scope = zenfloe_record::FenceScope {
        column: "parent_id".into(),
        value: "7".into(),
    };
    let fence = |at: i64| {
        let (target, topic) = place();
        let cover = zenfloe_destination::Cover {
            partition: 0,
            from: at,
            to: at + 1,
        };
        let fence = zenfloe_record::Fence {
            scope: scope.clone(),
            before: Some(at + 10),
        };
        Arc::new(zenfloe_destination::Flush::new(
            target,
            topic,
            vec![cover],
            Vec::new(),
            vec![fence],
        ))
    };
    destination.flush(fence(0)).await.expect("no table is needed");
    destination
        .prepare(&target, &Sample::new("things").shape())
        .await
        .expect("a new table");
    destination
        .flush(flush(1, &[Line::new(1, 9).of(7), Line::new(2, 10).of(7)]))
        .await
        .expect("in order");
    assert_eq!(destination.flush(fence(3)).await.expect("in order").fenced, 1);
    let indexes = "SELECT count(*) FROM pg_indexes WHERE tablename = 'things' AND indexdef LIKE '%(parent_id)%'";
    assert_eq!(database.query(indexes).await, "1");
    assert_eq!(database.query("SELECT count(*) FROM mart_zendesk.things").await, "1");
}
