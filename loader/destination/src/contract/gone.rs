//! Rows that go: deletes, fences, suppression, and the flush that races with an erasure.

use std::time::Duration;

use zenfloe_record::{Fence, FenceScope};

use super::{Bench, Line, Sample, Subject, rows_at};
use crate::{Cover, Mode, Suppression};

pub(super) async fn all(subject: &dyn Subject) {
    deletes_leave_key_and_version(subject).await;
    fences_take_what_is_older(subject).await;
    erasing_fences_hold_for_ever(subject).await;
    the_newest_fence_of_a_scope_stays(subject).await;
    suppressed_rows_stay_away(subject).await;
    tightened_columns_stay_empty(subject).await;
    erasure_in_append_mode(subject).await;
    a_flush_that_races_with_an_erasure(subject).await;
}

fn scope(value: i64) -> FenceScope {
    FenceScope {
        column: "parent_id".into(),
        value: value.to_string(),
    }
}

fn before(parent: i64, before: i64) -> Fence {
    Fence {
        scope: scope(parent),
        before: Some(before),
    }
}

fn erased(parent: i64) -> Fence {
    Fence {
        scope: scope(parent),
        before: None,
    }
}

async fn deletes_leave_key_and_version(subject: &dyn Subject) {
    let bench = Bench::new(subject, "g_delete", Mode::Upsert).await;
    bench.load(vec![Line::new(1, 1).of(7), Line::new(2, 1).of(7)]).await;
    // What a delete's body says beside the key is not taken.
    bench
        .load(vec![Line::deleted(1, 5).of(8).note("gone"), Line::deleted(3, 5)])
        .await;
    let columns = ["id", "parent_id", "note", "flag", "_raw_offset", "_deleted"];
    let rows = ["1|-|-|-|5|true", "2|7|v1|true|1|false", "3|-|-|-|5|true"];
    bench.expect(&columns, &rows).await;
    bench.load(vec![Line::new(1, 4).of(7), Line::new(3, 4)]).await;
    bench.expect(&columns, &rows).await;
    bench.load(vec![Line::new(1, 6).of(9)]).await;
    bench.expect(&columns, &["1|9|v6|true|6|false", rows[1], rows[2]]).await;
}

async fn fences_take_what_is_older(subject: &dyn Subject) {
    let bench = Bench::new(subject, "g_fence", Mode::Upsert).await;
    bench
        .load(vec![
            Line::new(1, 10).of(7),
            Line::new(2, 20).of(7),
            Line::new(3, 10).of(8),
        ])
        .await;
    // The set as of 20 comes with the fence: row 2 is still in it, row 4 is new.
    let from = bench.position().await;
    let lines = vec![Line::new(4, 20).of(7), Line::new(5, 19).of(7)];
    let loaded = bench
        .flush(bench.of(from, from + 3, lines, vec![before(7, 20)]))
        .await
        .expect("in order");
    assert_eq!(loaded.fenced, 1);
    let columns = ["id", "parent_id", "note", "_raw_offset", "_deleted"];
    let rows = [
        "1|-|-|10|true",
        "2|7|v20|20|false",
        "3|8|v10|10|false",
        "4|7|v20|20|false",
    ];
    bench.expect(&columns, &rows).await;
    // A replay brings the old rows again: nothing comes back.
    bench.load(vec![Line::new(1, 10).of(7), Line::new(6, 19).of(7)]).await;
    bench.expect(&columns, &rows).await;
    // The row is in the set again.
    bench.load(vec![Line::new(1, 30).of(7)]).await;
    bench
        .expect(&columns, &["1|7|v30|30|false", rows[1], rows[2], rows[3]])
        .await;
}

async fn erasing_fences_hold_for_ever(subject: &dyn Subject) {
    let bench = Bench::new(subject, "g_erase", Mode::Upsert).await;
    bench.load(vec![Line::new(1, 10).of(7), Line::new(2, 10).of(8)]).await;
    assert_eq!(bench.fence(erased(7)).await.fenced, 1);
    bench.load(vec![Line::new(1, 99).of(7), Line::new(3, 99).of(7)]).await;
    bench.fence(before(7, 5)).await;
    bench.load(vec![Line::new(4, 99).of(7)]).await;
    bench
        .expect(&["id", "note", "_deleted"], &["1|-|true", "2|v10|false"])
        .await;
    // By the key itself.
    let own = Fence {
        scope: FenceScope {
            column: "id".into(),
            value: "2".into(),
        },
        before: None,
    };
    bench.fence(own).await;
    bench.load(vec![Line::new(2, 99).of(8)]).await;
    bench
        .expect(&["id", "note", "_deleted"], &["1|-|true", "2|-|true"])
        .await;
    // Scopes that this table cannot have change nothing.
    for (column, value) in [("parent_id", "seven"), ("absent", "7"), ("flag", "true")] {
        let scope = FenceScope {
            column: column.into(),
            value: value.into(),
        };
        assert_eq!(bench.fence(Fence { scope, before: None }).await.fenced, 0, "{column}");
    }
    bench.load(vec![Line::new(5, 1).of(9)]).await;
    assert_eq!(bench.rows(&["id"]).await.len(), 3);
}

async fn the_newest_fence_of_a_scope_stays(subject: &dyn Subject) {
    let bench = Bench::new(subject, "g_newest_fence", Mode::Upsert).await;
    bench.fence(before(7, 20)).await;
    bench.fence(before(7, 10)).await;
    bench.load(vec![Line::new(1, 15).of(7), Line::new(2, 20).of(7)]).await;
    bench.expect(&["id"], &["2"]).await;
    bench.fence(before(7, 30)).await;
    bench.expect(&["id", "note"], &["2|-"]).await;
}

async fn suppressed_rows_stay_away(subject: &dyn Subject) {
    let bench = Bench::new(subject, "g_suppress", Mode::Upsert).await;
    bench.load(vec![Line::new(1, 1).of(7), Line::new(2, 1).of(8)]).await;
    let what = [Suppression::Rows(erased(7)), Suppression::Rows(before(8, 50))];
    let eraser = bench.another().await.destination;
    assert_eq!(
        eraser.suppress(&bench.target, &what).await.expect("nothing in the way"),
        2
    );
    assert_eq!(
        eraser
            .suppress(&bench.target, &what)
            .await
            .expect("may be called again"),
        0
    );
    bench
        .load(vec![
            Line::new(1, 60).of(7),
            Line::new(3, 60).of(7),
            Line::new(4, 49).of(8),
            Line::new(5, 50).of(8),
        ])
        .await;
    bench.expect(&["id", "note"], &["1|-", "2|-", "5|v50"]).await;
    // A table that is not there yet.
    let absent = crate::Target {
        table: "g_absent".into(),
        ..bench.target.clone()
    };
    assert_eq!(
        eraser
            .suppress(&absent, &[Suppression::Rows(erased(7))])
            .await
            .expect("nothing to clean"),
        0
    );
    let late = Bench::new(subject, "g_absent", Mode::Upsert).await;
    late.load(vec![Line::new(1, 60).of(7), Line::new(2, 60).of(8)]).await;
    late.expect(&["id"], &["2"]).await;
}

async fn tightened_columns_stay_empty(subject: &dyn Subject) {
    let bench = Bench::new(subject, "g_tighten", Mode::Upsert).await;
    let at = |id, revision| {
        let mut line = Line::new(id, 1).of(7);
        line.version.revision = revision;
        line
    };
    bench.load(vec![at(1, 1), at(2, 3)]).await;
    let column = |column: &str, revision| Suppression::Column {
        column: column.into(),
        revision,
    };
    let tighten = |what: Suppression| {
        let (destination, target) = (bench.destination.clone(), bench.target.clone());
        async move { destination.suppress(&target, &[what]).await }
    };
    assert_eq!(tighten(column("note", 3)).await.expect("nothing in the way"), 1);
    bench.expect(&["id", "note", "parent_id"], &["1|-|7", "2|v1|7"]).await;
    bench.load(vec![at(3, 2), at(4, 3)]).await;
    assert_eq!(
        tighten(column("note", 2)).await.expect("an older one changes nothing"),
        0
    );
    bench.load(vec![at(5, 2), at(6, 4)]).await;
    bench
        .expect(&["id", "note"], &["1|-", "2|v1", "3|-", "4|v1", "5|-", "6|v1"])
        .await;
    assert!(tighten(column("id", 9)).await.is_err(), "a key cannot be emptied");
    // A column that comes later.
    tighten(column("added", 9)).await.expect("entered for when it comes");
    let second = Sample::second("g_tighten");
    bench.prepare(&second).await;
    let from = bench.position().await;
    let rows = rows_at(&second, 0, from, vec![at(7, 8).added("no"), at(8, 9).added("yes")]);
    let flush = bench.of_rows(
        vec![Cover {
            partition: 0,
            from,
            to: from + 2,
        }],
        rows,
        Vec::new(),
    );
    bench.flush(flush).await.expect("in order");
    assert_eq!(bench.rows(&["id", "added"]).await[6..], ["7|-", "8|yes"]);
}

async fn erasure_in_append_mode(subject: &dyn Subject) {
    let bench = Bench::new(subject, "g_history", Mode::Append).await;
    bench
        .load(vec![
            Line::new(1, 1).of(7),
            Line::new(1, 2).of(7),
            Line::new(2, 1).of(8),
            Line::new(3, 1).of(9),
        ])
        .await;
    // Absence is no reason to forget what was: history stays, and goes on.
    bench.fence(before(7, 2)).await;
    bench.load(vec![Line::new(4, 1).of(7)]).await;
    let columns = ["id", "_raw_offset", "note"];
    bench
        .expect(&columns, &["1|1|v1", "1|2|v2", "2|1|v1", "3|1|v1", "4|1|v1"])
        .await;
    bench.fence(erased(8)).await;
    bench
        .destination
        .suppress(&bench.target, &[Suppression::Rows(erased(9))])
        .await
        .expect("nothing in the way");
    bench.load(vec![Line::new(2, 2).of(8), Line::new(3, 2).of(9)]).await;
    bench
        .expect(&columns, &["1|1|v1", "1|2|v2", "2|1|-", "3|1|-", "4|1|v1"])
        .await;
}

/// Holds a flush before each of its statements while an erasure runs: whatever the order, nothing stays.
async fn a_flush_that_races_with_an_erasure(subject: &dyn Subject) {
    for mode in [Mode::Upsert, Mode::Append] {
        let mut pause = 1;
        loop {
            let table = format!(
                "g_race_{}_{pause}",
                if mode == Mode::Upsert { "upsert" } else { "append" }
            );
            let bench = Bench::new(subject, &table, mode).await;
            bench.load(vec![Line::new(1, 1).of(7), Line::new(2, 1).of(8)]).await;
            bench.faults.pause_before(pause);
            let flush = bench.of(
                2,
                5,
                vec![Line::new(1, 2).of(7), Line::new(3, 2).of(7), Line::new(4, 2).of(8)],
                Vec::new(),
            );
            let (destination, eraser) = (bench.destination.clone(), bench.another().await);
            let loading = tokio::spawn(async move { destination.flush(flush).await });
            while !bench.faults.is_paused() && !loading.is_finished() {
                tokio::time::sleep(Duration::from_millis(2)).await;
            }
            let was_paused = bench.faults.is_paused();
            let target = bench.target.clone();
            let erasing = tokio::spawn(async move {
                eraser
                    .destination
                    .suppress(&target, &[Suppression::Rows(erased(7))])
                    .await
            });
            for _ in 0..50 {
                if erasing.is_finished() {
                    break;
                }
                tokio::time::sleep(Duration::from_millis(2)).await;
            }
            bench.faults.release();
            loading.await.expect("no panic").expect("the flush is in order");
            erasing
                .await
                .expect("no panic")
                .expect("the erasure waits for the lock");
            let rows = bench.rows(&["parent_id", "note"]).await;
            let kept = rows.iter().filter(|row| row.starts_with("8|")).count();
            let emptied = rows.iter().filter(|row| *row == "-|-").count();
            assert_eq!(
                (kept, emptied),
                (2, rows.len() - 2),
                "{mode:?}, held before statement {pause}: {rows:?}"
            );
            if !was_paused {
                assert!(pause > 4, "a flush has more statements than {pause}");
                break;
            }
            pause += 1;
        }
    }
}
