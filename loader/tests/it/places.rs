//! Topics that are not what they were: loud ends, nothing skipped.

use std::sync::Arc;

use zenfloe_destination::contract::Line;
use zenfloe_destination::{Cover, Flush, LoadError, Mode, TopicRef};
use zenfloe_loader::StageError;
use zenfloe_log::Log;

use crate::bench::Bench;

#[tokio::test]
async fn a_recreated_topic_stops_the_loader() {
    let bench = Bench::new(Mode::Upsert).await;
    bench.append(&[Line::new(3, 1)]).await;
    bench.load_all().await;
    bench.log.delete("acme.clean.things");
    bench.make_topic("things").await;
    bench.append(&[Line::new(3, 2), Line::new(6, 2), Line::new(9, 2)]).await;
    let error = bench.load().await.expect_err("another topic");
    assert!(
        matches!(
            &error,
            StageError::Destination {
                error: LoadError::TopicRecreated { .. },
                ..
            }
        ),
        "{error:?}"
    );
    assert_eq!(bench.query("SELECT id, note FROM things"), ["3|v1"]);
}

#[tokio::test]
async fn a_beginning_that_has_expired_stops_the_loader() {
    let bench = Bench::new(Mode::Upsert).await;
    bench.append(&[Line::new(3, 1), Line::new(6, 1), Line::new(9, 1)]).await;
    bench.log.expire(&bench.at(0), 2).expect("within the topic");
    let error = bench.load().await.expect_err("two rows are gone");
    let StageError::Position { stored, start, end, .. } = &error else {
        panic!("{error:?}")
    };
    assert_eq!((*stored, *start, *end), (0, 2, 4));
    assert!(error.to_string().contains("resync"), "{error}");
}

#[tokio::test]
async fn what_expired_behind_the_position_is_no_loss() {
    let bench = Bench::new(Mode::Upsert).await;
    bench.append(&[Line::new(3, 1), Line::new(6, 1)]).await;
    bench.load_all().await;
    bench.append(&[Line::new(9, 1), Line::new(12, 1)]).await;
    bench.log.expire(&bench.at(0), 3).expect("within the topic");
    bench.load_all().await;
    assert_eq!(bench.query("SELECT count(*) FROM things"), ["4"]);
    // Beyond the position it is.
    bench.append(&[Line::new(15, 1), Line::new(18, 1)]).await;
    bench.log.expire(&bench.at(0), 7).expect("within the topic");
    let error = bench.load().await.expect_err("a row is gone");
    assert!(
        matches!(
            error,
            StageError::Position {
                stored: 6,
                start: 7,
                ..
            }
        ),
        "{error:?}"
    );
}

#[tokio::test]
async fn a_position_beyond_the_end_stops_the_loader() {
    let bench = Bench::new(Mode::Upsert).await;
    bench.append(&[Line::new(3, 1)]).await;
    bench.load_all().await;
    // As a topic that was truncated looks: the same id, fewer records.
    let info = bench
        .log
        .topic("acme.clean.things")
        .await
        .expect("the log answers")
        .expect("it exists");
    let topic = TopicRef {
        name: "acme.clean.things".into(),
        id: info.id.into(),
    };
    let cover = Cover {
        partition: 0,
        from: 2,
        to: 50,
    };
    let ahead = Flush::new(
        bench.tables.target("things"),
        topic,
        vec![cover],
        Vec::new(),
        Vec::new(),
    );
    bench.destination().flush(Arc::new(ahead)).await.expect("in order");
    let error = bench.load().await.expect_err("the topic is shorter");
    assert!(
        matches!(error, StageError::Position { stored: 50, end: 2, .. }),
        "{error:?}"
    );
}
