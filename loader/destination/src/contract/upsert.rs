//! What one loader sees: types, versions, columns, positions.

use std::sync::Arc;

use zenfloe_record::RowVersion;

use super::{Bench, Line, Sample, Subject, rows_at};
use crate::{Class, Cover, LoadError, Mode, TopicRef};

pub(super) async fn all(subject: &dyn Subject) {
    every_type_arrives(subject).await;
    nul_is_replaced_and_counted(subject).await;
    repeated_and_reordered_batches(subject).await;
    newest_version_wins(subject).await;
    one_key_several_times_in_a_flush(subject).await;
    an_added_column(subject).await;
    what_is_deleted_is_not_current(subject).await;
    another_type_is_refused(subject).await;
    empty_and_huge_batches(subject).await;
    every_version_in_append_mode(subject).await;
    a_state_that_was_written_anew_stands_once(subject).await;
    refused_rows_are_named(subject).await;
    partitions_and_topics(subject).await;
}

async fn every_type_arrives(subject: &dyn Subject) {
    let bench = Bench::new(subject, "c_types", Mode::Upsert).await;
    let full = Line {
        at: Some(-1),
        data: Some(r#"{"a":[1,"ä"]}"#.into()),
        ..Line::new(i64::MIN, 1_767_323_045_000_001)
            .of(i64::MAX)
            .note("ä\"'\\,\n\t")
    };
    let far = Line {
        at: Some(253_402_300_799_999_999),
        ..Line::new(1, 2)
    };
    let loaded = bench.load(vec![full, far, Line::deleted(2, 0)]).await;
    assert_eq!((loaded.written, loaded.nul_replaced, loaded.repeated), (3, 0, false));
    bench
        .expect(
            &["id", "parent_id", "note", "ratio", "flag", "at", "day"],
            &[
                "-9223372036854775808|9223372036854775807|ä\"'\\,\n\t|0.5|true|1969-12-31 23:59:59.999999|2024-10-04",
                "1|-|v2|0.5|true|9999-12-31 23:59:59.999999|2024-10-04",
                "2|-|-|-|-|-|-",
            ],
        )
        .await;
    bench
        .expect(
            &["id", "received_at", "_version", "_extracted_at", "_raw_partition", "_raw_offset", "_revision", "_deleted"],
            &[
                "-9223372036854775808|2023-11-14 22:13:20.123456|2026-01-02 03:04:05.000001|2026-01-02 03:04:05.000001|0|1767323045000001|1|false",
                "1|2023-11-14 22:13:20.123456|1970-01-01 00:00:00.000002|1970-01-01 00:00:00.000002|0|2|1|false",
                "2|2023-11-14 22:13:20.123456|1970-01-01 00:00:00.000000|1970-01-01 00:00:00.000000|0|0|1|true",
            ],
        )
        .await;
    let data = &bench.rows(&["id", "data"]).await[0];
    let (_, json) = data.split_once('|').expect("two columns");
    let parsed: serde_json::Value = serde_json::from_str(json).expect("JSON stays JSON");
    assert_eq!(parsed, serde_json::json!({"a": [1, "ä"]}));
    let stamps = bench.rows(&["_loaded_at"]).await;
    assert!(stamps.iter().all(|stamp| stamp.as_str() > "2025"), "{stamps:?}");
}

async fn nul_is_replaced_and_counted(subject: &dyn Subject) {
    let bench = Bench::new(subject, "c_nul", Mode::Upsert).await;
    let line = Line {
        data: Some(r#"["\u0000\\u0000"]"#.into()),
        ..Line::new(1, 1).note("a\0b\0")
    };
    let loaded = bench.load(vec![line]).await;
    assert_eq!((loaded.written, loaded.nul_replaced), (1, 3));
    bench.expect(&["note"], &["a\u{fffd}b\u{fffd}"]).await;
    let json: serde_json::Value = serde_json::from_str(&bench.rows(&["data"]).await[0]).expect("JSON stays JSON");
    assert_eq!(json, serde_json::json!(["\u{fffd}\\u0000"]));
}

async fn repeated_and_reordered_batches(subject: &dyn Subject) {
    let bench = Bench::new(subject, "c_repeat", Mode::Upsert).await;
    let first = bench.of(0, 10, vec![Line::new(1, 1), Line::new(2, 1)], Vec::new());
    let second = bench.of(10, 20, vec![Line::new(1, 2)], Vec::new());
    assert_class(bench.flush(second.clone()).await, Class::Moved);
    assert_eq!(bench.position().await, 0);
    assert_eq!(bench.flush(first.clone()).await.expect("in order").written, 2);
    let again = bench.flush(first.clone()).await.expect("a repeated flush is known");
    assert!(again.repeated && again.written == 0);
    assert_class(
        bench.flush(bench.of(5, 15, vec![Line::new(1, 9)], Vec::new())).await,
        Class::Moved,
    );
    assert_class(
        bench.flush(bench.of(12, 15, vec![Line::new(1, 9)], Vec::new())).await,
        Class::Moved,
    );
    bench.flush(second).await.expect("in order");
    assert_class(bench.flush(first).await, Class::Moved);
    assert_eq!(bench.position().await, 20);
    bench.expect(&["id", "note"], &["1|v2", "2|v1"]).await;
    let rows = bench.destination.rows(&bench.target).await.expect("counted");
    assert!(rows.is_none_or(|rows| rows == 2), "{rows:?}");
    let absent = crate::Target {
        table: "c_absent".into(),
        ..bench.target.clone()
    };
    assert_eq!(bench.destination.rows(&absent).await.expect("nothing to count"), None);
}

async fn newest_version_wins(subject: &dyn Subject) {
    let bench = Bench::new(subject, "c_newest", Mode::Upsert).await;
    let at = |version, extracted_at, raw_offset, revision| RowVersion {
        version,
        extracted_at,
        raw_offset,
        revision,
    };
    let held = at(1_000, 500, 50, 5);
    let older = [
        at(999, 900, 90, 9),
        at(1_000, 499, 90, 9),
        at(1_000, 500, 49, 9),
        at(1_000, 500, 50, 4),
    ];
    let newer = [
        at(1_000, 500, 50, 6),
        at(1_000, 500, 51, 1),
        at(1_000, 501, 1, 1),
        at(1_001, 1, 1, 1),
    ];
    bench.load(vec![Line::new(1, 0).version(held).note("held")]).await;
    for version in older {
        let loaded = bench.load(vec![Line::new(1, 0).version(version).note("older")]).await;
        assert_eq!(loaded.written, 0, "{version:?}");
    }
    bench.expect(&["id", "note"], &["1|held"]).await;
    bench.load(vec![Line::new(1, 0).version(held).note("equal")]).await;
    bench.expect(&["id", "note"], &["1|equal"]).await;
    for version in newer {
        let note = format!("{version:?}");
        let loaded = bench.load(vec![Line::new(1, 0).version(version).note(&*note)]).await;
        assert_eq!(loaded.written, 1, "{version:?}");
        bench.expect(&["note"], &[&note]).await;
    }
}

async fn one_key_several_times_in_a_flush(subject: &dyn Subject) {
    let bench = Bench::new(subject, "c_same_key", Mode::Upsert).await;
    bench
        .load(vec![Line::new(1, 2), Line::new(1, 3), Line::new(1, 1), Line::new(2, 1)])
        .await;
    bench
        .load(vec![Line::new(2, 5), Line::deleted(2, 6), Line::new(2, 4)])
        .await;
    bench
        .expect(&["id", "note", "_deleted"], &["1|v3|false", "2|-|true"])
        .await;
}

async fn an_added_column(subject: &dyn Subject) {
    let bench = Bench::new(subject, "c_added", Mode::Upsert).await;
    bench
        .load(vec![Line::new(1, 1), Line::new(2, 1), Line::new(3, 1)])
        .await;
    let second = Sample::second("c_added");
    let other = bench.another().await;
    tokio::join!(bench.prepare(&second), other.prepare(&second));
    bench.prepare(&bench.sample).await;
    let newer: Vec<_> = (1..=3).map(|id| Line::new(id, 2).added("there")).collect();
    let flush = bench.of_rows(
        vec![Cover {
            partition: 0,
            from: 3,
            to: 6,
        }],
        rows_at(&second, 0, 3, newer),
        Vec::new(),
    );
    bench.flush(flush).await.expect("in order");
    bench
        .expect(&["id", "note", "added"], &["1|v2|there", "2|v2|there", "3|v2|there"])
        .await;
    bench
        .load(vec![Line::new(1, 3), Line::deleted(2, 3), Line::new(4, 3)])
        .await;
    bench
        .expect(
            &["id", "note", "added"],
            &["1|v3|there", "2|-|-", "3|v2|there", "4|v3|-"],
        )
        .await;
}

async fn what_is_deleted_is_not_current(subject: &dyn Subject) {
    let bench = Bench::new(subject, "c_view", Mode::Upsert).await;
    bench
        .load(vec![Line::new(1, 1), Line::new(2, 1), Line::deleted(3, 1)])
        .await;
    let view = |columns| async move {
        let rows = subject.select("c_view_current", columns).await;
        let texts = |row: &Vec<Option<String>>| {
            row.iter()
                .map(|cell| cell.clone().unwrap_or_default())
                .collect::<Vec<_>>()
                .join("|")
        };
        rows.iter().map(texts).collect::<Vec<_>>()
    };
    assert_eq!(view(&["id", "note"]).await, ["1|v1", "2|v1"]);
    let second = Sample::second("c_view");
    bench.prepare(&second).await;
    bench.prepare(&bench.sample).await;
    bench.load(vec![Line::deleted(1, 2)]).await;
    assert_eq!(view(&["id", "added"]).await, ["2|"], "a new column is seen");
}

async fn another_type_is_refused(subject: &dyn Subject) {
    let bench = Bench::new(subject, "c_other_type", Mode::Upsert).await;
    let mut shape = (*bench.sample.shape()).clone();
    shape.columns[2].kind = crate::ColumnType::Double;
    let refused = bench.destination.prepare(&bench.target, &shape).await;
    let message = refused.expect_err("a text cannot become a number").to_string();
    assert!(message.contains("`note`"), "{message}");
    let append = crate::Target {
        mode: Mode::Append,
        ..bench.target.clone()
    };
    let refused = bench.destination.prepare(&append, &bench.sample.shape()).await;
    assert_class(refused, Class::Stop);
}

async fn empty_and_huge_batches(subject: &dyn Subject) {
    let bench = Bench::new(subject, "c_huge", Mode::Upsert).await;
    let empty = bench.of(0, 7, Vec::new(), Vec::new());
    assert_eq!(bench.flush(empty).await.expect("in order").written, 0);
    assert_eq!(bench.position().await, 7);
    let nothing = bench.of_rows(Vec::new(), Vec::new(), Vec::new());
    assert_eq!(bench.flush(nothing).await.expect("nothing to do").written, 0);
    let many = (0..20_000).map(|id| Line::new(id, 1).note("x".repeat(200))).collect();
    assert_eq!(bench.load(many).await.written, 20_000);
    let big = bench.load(vec![Line::new(1, 2).note("y".repeat(5_000_000))]).await;
    assert_eq!(big.written, 1);
    assert_eq!(bench.position().await, 20_008);
    assert_eq!(bench.rows(&["id"]).await.len(), 20_000);
    let longest = bench.rows(&["note"]).await.iter().map(String::len).max();
    assert_eq!(longest, Some(5_000_000));
}

async fn every_version_in_append_mode(subject: &dyn Subject) {
    let bench = Bench::new(subject, "c_append", Mode::Append).await;
    let lines = vec![Line::new(1, 2), Line::new(1, 1), Line::deleted(1, 3), Line::new(2, 1)];
    assert_eq!(bench.load(lines.clone()).await.written, 4);
    let rows = [
        "1|1970-01-01 00:00:00.000001|v1|false",
        "1|1970-01-01 00:00:00.000002|v2|false",
        "1|1970-01-01 00:00:00.000003|-|true",
        "2|1970-01-01 00:00:00.000001|v1|false",
    ];
    bench.expect(&["id", "_version", "note", "_deleted"], &rows).await;
    let again = bench
        .flush(bench.of(0, 4, lines.clone(), Vec::new()))
        .await
        .expect("a repeated flush is known");
    assert!(again.repeated);
    bench.expect(&["id", "_version", "note", "_deleted"], &rows).await;
    // Only positions keep doubles out: a record that stands twice in the topic stands twice here.
    bench.load(lines).await;
    assert_eq!(bench.rows(&["id"]).await.len(), 8);
}

/// Whether the first writing was loaded before, stands in the same flush or is gone: the state is there once.
async fn a_state_that_was_written_anew_stands_once(subject: &dyn Subject) {
    let bench = Bench::new(subject, "c_anew", Mode::Append).await;
    bench
        .load(vec![Line::new(1, 1), Line::new(1, 2), Line::deleted(2, 3)])
        .await;
    let lines = vec![
        Line::new(1, 1).note("anew"),
        Line::new(1, 4).note("anew"),
        Line::deleted(2, 3),
        Line::deleted(3, 1),
        Line::new(3, 5).note("same"),
        Line::new(3, 5).note("same"),
    ];
    let mut rows = rows_at(&bench.sample, 0, 3, lines);
    for anew in [0, 1, 2, 3, 5] {
        rows[anew].is_rewritten = true;
    }
    let cover = Cover {
        partition: 0,
        from: 3,
        to: 9,
    };
    let loaded = bench.flush(bench.of_rows(vec![cover], rows, Vec::new())).await;
    assert_eq!(loaded.expect("it is loaded").written, 3);
    let states = [
        "1|1970-01-01 00:00:00.000001|v1",
        "1|1970-01-01 00:00:00.000002|v2",
        "1|1970-01-01 00:00:00.000004|anew",
        "2|1970-01-01 00:00:00.000003|-",
        "3|1970-01-01 00:00:00.000001|-",
        "3|1970-01-01 00:00:00.000005|same",
    ];
    bench.expect(&["id", "_version", "note"], &states).await;
}

async fn refused_rows_are_named(subject: &dyn Subject) {
    let bench = Bench::new(subject, "c_refused", Mode::Upsert).await;
    let mut lines: Vec<_> = (0..300).map(|id| Line::new(id, 1)).collect();
    for bad in [17, 18, 299] {
        lines[bad].at = Some(-9_000_000_000_000_000_000);
    }
    let mut rows = rows_at(&bench.sample, 0, 0, lines);
    rows[100].body.truncate(9);
    let mut flush = bench.of_rows(
        vec![Cover {
            partition: 0,
            from: 0,
            to: 300,
        }],
        rows,
        Vec::new(),
    );
    let mut refused = Vec::new();
    for _ in 0..10 {
        match bench.flush(flush.clone()).await {
            Ok(loaded) => {
                assert_eq!(loaded.written, 296);
                break;
            }
            Err(LoadError::Refused { rows, .. }) => {
                assert_eq!(bench.position().await, 0, "nothing is committed");
                let named = |row: &crate::Row| {
                    rows.iter()
                        .any(|bad| (bad.partition, bad.offset) == (row.partition, row.offset))
                };
                let (kept, out) = flush.without(named);
                assert_eq!(out.len(), rows.len(), "each row named is one of the flush");
                refused.extend(rows.iter().map(|row| row.offset));
                flush = Arc::new(kept);
            }
            Err(other) => panic!("{other}"),
        }
    }
    refused.sort_unstable();
    assert_eq!(refused, [17, 18, 100, 299]);
    assert_eq!((bench.position().await, bench.rows(&["id"]).await.len()), (300, 296));
}

async fn partitions_and_topics(subject: &dyn Subject) {
    let bench = Bench::new(subject, "c_positions", Mode::Upsert).await;
    // A loader asks where to begin before it knows a schema.
    let early = crate::Target {
        table: "c_early".into(),
        ..bench.target.clone()
    };
    let found = bench.destination.positions(&early, &bench.topic, &[0, 1]).await;
    assert_eq!(
        found.expect("entered").iter().map(|(_, next)| next).collect::<Vec<_>>(),
        [0, 0]
    );
    assert_eq!(bench.positions(&[0, 1, 2, 11]).await, [0, 0, 0, 0]);
    let rows = [
        rows_at(&bench.sample, 1, 0, vec![Line::new(1, 1)]),
        rows_at(&bench.sample, 2, 0, vec![Line::new(2, 1)]),
    ]
    .concat();
    let covers = vec![
        Cover {
            partition: 2,
            from: 0,
            to: 6,
        },
        Cover {
            partition: 1,
            from: 0,
            to: 5,
        },
    ];
    bench
        .flush(bench.of_rows(covers, rows, Vec::new()))
        .await
        .expect("in order");
    assert_eq!(bench.another().await.positions(&[0, 1, 2]).await, [0, 5, 6]);
    // One partition out of place spoils the whole flush.
    let covers = vec![
        Cover {
            partition: 1,
            from: 5,
            to: 9,
        },
        Cover {
            partition: 2,
            from: 5,
            to: 9,
        },
    ];
    let rows = rows_at(&bench.sample, 1, 5, vec![Line::new(3, 1)]);
    assert_class(bench.flush(bench.of_rows(covers, rows, Vec::new())).await, Class::Moved);
    assert_eq!(bench.positions(&[0, 1, 2]).await, [0, 5, 6]);
    bench.expect(&["id"], &["1", "2"]).await;

    let recreated = TopicRef {
        id: "second".into(),
        ..bench.topic.clone()
    };
    let stopped = bench.destination.positions(&bench.target, &recreated, &[0]).await;
    assert_class(stopped, Class::Stop);
    let mut late = (*bench.of(0, 1, Vec::new(), Vec::new())).clone();
    late.topic = recreated;
    assert!(
        bench.flush(Arc::new(late)).await.is_err(),
        "a flush of another topic moves nothing"
    );
    assert_eq!(bench.positions(&[0, 1, 2]).await, [0, 5, 6]);
}

/// Panics unless it failed with this class.
pub(super) fn assert_class<T: std::fmt::Debug>(result: Result<T, LoadError>, class: Class) {
    let error = result.expect_err("it must fail");
    assert_eq!(error.class(), class, "{error}");
}
