//! Where a reader starts, and where it stands.

use std::collections::BTreeSet;
use std::time::Duration;

use tokio::time::{Instant, timeout};
use zenfloe_record::{Offset, Positions, TopicPartition};

use super::append::now_ms;
use super::bench::{append, commit, numbered, soon, texts, values};
use super::{Bench, Case};
use crate::{Append, Class, Done, LogError, Read, Reader, Record, Start};

pub(super) fn cases() -> Vec<Case> {
    let mut cases = cases![
        a_reader_starts_at_an_offset,
        a_reader_starts_at_a_time,
        a_reader_goes_back_and_forth,
        without_a_position_a_reader_starts_at_the_beginning,
        a_committed_position_is_where_it_starts,
        a_place_beyond_the_end_is_an_error,
        a_stored_position_beyond_the_end_is_an_error,
        an_expired_beginning_is_an_error,
        nothing_comes_before_it_is_begun,
        positions_reach_the_end,
        a_read_that_is_dropped_loses_nothing,
        a_scan_goes_on_where_it_ended,
        a_report_is_stored,
    ];
    cases.push(Case {
        restarts: true,
        ..cases![positions_survive_a_restart][0]
    });
    cases
}

/// A topic of ten records.
async fn ten(bench: &Bench<'_>) -> (TopicPartition, Vec<Record>) {
    let at = bench.lane("t").await;
    bench.put(numbered(&at, 0..6)).await;
    bench.put(numbered(&at, 6..10)).await;
    let records = bench.records(&at, 10).await;
    until_end_is_behind(bench, &at, records[9].offset).await;
    (at, records)
}

async fn until_end_is_behind(bench: &Bench<'_>, at: &TopicPartition, last: Offset) {
    let look = || async { (bench.log.bounds(at).await.expect("bounds").end > last).then_some(()) };
    bench.eventually("the end behind the last record", look).await;
}

/// What a reader gets that starts there.
async fn values_from(bench: &Bench<'_>, at: &TopicPartition, start: Start, count: usize) -> Vec<String> {
    let mut reader = bench.exact("g", &[(at.clone(), start)]).await;
    values(&bench.read(&mut *reader, count).await)
}

async fn a_reader_starts_at_an_offset(bench: &Bench<'_>) {
    let (at, records) = ten(bench).await;
    for first in [0, 1, 5, 6, 9] {
        let start = Start::At(records[first].offset);
        assert_eq!(values_from(bench, &at, start, 10 - first).await, texts(first..10));
    }
    let end = bench.log.bounds(&at).await.expect("bounds").end;
    let mut reader = bench.exact("g", &[(at.clone(), Start::At(end))]).await;
    bench.put(numbered(&at, 10..11)).await;
    assert_eq!(
        values(&bench.read(&mut *reader, 1).await),
        ["10"],
        "from the end on, only what is new"
    );
}

async fn a_reader_starts_at_a_time(bench: &Bench<'_>) {
    let at = bench.lane("t").await;
    let first = now_ms() - 60_000;
    let record = |number: usize| Append {
        timestamp: Some(first + 1_000 * number as i64),
        ..append(&at, "", number.to_string())
    };
    for number in 0..10 {
        bench.put(vec![record(number)]).await;
    }
    let records = bench.records(&at, 10).await;
    let look_up = |after_ms: i64| bench.log.offset_at(&at, first + after_ms);
    for (after_ms, number) in [
        (-5_000, 0),
        (0, 0),
        (1, 1),
        (4_000, 4),
        (4_001, 5),
        (8_999, 9),
        (9_000, 9),
    ] {
        let found = look_up(after_ms).await.expect("an offset");
        assert_eq!(found, records[number].offset, "{after_ms} ms after the first");
        assert_eq!(
            values_from(bench, &at, Start::At(found), 10 - number).await,
            texts(number..10)
        );
    }
    let end = bench.log.bounds(&at).await.expect("bounds").end;
    assert_eq!(
        look_up(9_001).await.expect("an offset"),
        end,
        "nothing is as new as that"
    );
    assert_eq!(
        bench
            .log
            .offset_at(&bench.lane("empty").await, first)
            .await
            .expect("an offset"),
        0
    );
}

async fn a_reader_goes_back_and_forth(bench: &Bench<'_>) {
    let (at, records) = ten(bench).await;
    let mut reader = bench.exact("g", &[(at.clone(), Start::Earliest)]).await;
    bench.read(&mut *reader, 10).await;
    for first in [3, 8, 0] {
        reader
            .begin(&[(at.clone(), Start::At(records[first].offset))])
            .await
            .expect("begun again");
        assert_eq!(values(&bench.read(&mut *reader, 10 - first).await), texts(first..10));
    }
}

async fn without_a_position_a_reader_starts_at_the_beginning(bench: &Bench<'_>) {
    let (at, _) = ten(bench).await;
    assert!(bench.committed("g", std::slice::from_ref(&at)).await.is_empty());
    assert_eq!(values_from(bench, &at, Start::Committed, 10).await, texts(0..10));
    let empty = bench.lane("empty").await;
    let mut reader = bench.exact("g", &[(empty.clone(), Start::Committed)]).await;
    bench.put(numbered(&empty, 0..1)).await;
    assert_eq!(values(&bench.read(&mut *reader, 1).await), ["0"]);
}

/// Commits a position, as a reader of its own.
async fn mark(bench: &Bench<'_>, group: &str, at: &TopicPartition, next: Offset) {
    let reader = bench.unbegun(group, vec![at.clone()]).await;
    let done = Done {
        by: reader.membership(),
        positions: Positions::from_iter([(at.clone(), next)]),
    };
    commit(&mut *bench.writer("mark").await, Vec::new(), Some(done))
        .await
        .expect("committed");
    reader.close().await.expect("closed");
    bench.until_committed(group, at, next).await;
}

async fn a_committed_position_is_where_it_starts(bench: &Bench<'_>) {
    let (at, records) = ten(bench).await;
    for first in [4, 9, 2] {
        mark(bench, "g", &at, records[first].offset).await;
        assert_eq!(
            values_from(bench, &at, Start::Committed, 10 - first).await,
            texts(first..10)
        );
    }
    assert!(
        bench.committed("other", std::slice::from_ref(&at)).await.is_empty(),
        "groups do not share positions"
    );
}

/// Panics unless a start is refused as out of range with this wanted offset.
async fn refused(bench: &Bench<'_>, group: &str, at: &TopicPartition, start: Start, wanted: Offset) {
    let mut reader = bench.unbegun(group, vec![at.clone()]).await;
    let error = reader.begin(&[(at.clone(), start)]).await.expect_err("it lies outside");
    assert_eq!(error.class(), Class::Stop);
    let bounds = bench.log.bounds(at).await.expect("bounds");
    match error {
        LogError::OutOfRange {
            at: said,
            wanted: asked,
            start,
            end,
        } => {
            assert_eq!(
                (said, asked, start, end),
                (at.clone(), wanted, bounds.start, bounds.end)
            );
        }
        other => panic!("{other}"),
    }
}

async fn a_place_beyond_the_end_is_an_error(bench: &Bench<'_>) {
    let (at, _) = ten(bench).await;
    let end = bench.log.bounds(&at).await.expect("bounds").end;
    for wanted in [end + 1, end + 1_000_000] {
        refused(bench, "g", &at, Start::At(wanted), wanted).await;
        let scan = bench.log.scan(&at, wanted).await.expect_err("it lies outside");
        assert!(matches!(scan, LogError::OutOfRange { .. }), "{scan}");
    }
    let empty = bench.lane("empty").await;
    refused(bench, "g", &empty, Start::At(1), 1).await;
}

async fn a_stored_position_beyond_the_end_is_an_error(bench: &Bench<'_>) {
    let (at, _) = ten(bench).await;
    let wanted = bench.log.bounds(&at).await.expect("bounds").end + 5;
    mark(bench, "g", &at, wanted).await;
    refused(bench, "g", &at, Start::Committed, wanted).await;
}

async fn an_expired_beginning_is_an_error(bench: &Bench<'_>) {
    let (at, records) = ten(bench).await;
    mark(bench, "late", &at, records[2].offset).await;
    mark(bench, "in time", &at, records[4].offset).await;
    bench.subject.expire(&at, records[4].offset).await;
    let look = || async {
        let start = bench.log.bounds(&at).await.expect("bounds").start;
        (start == records[4].offset).then_some(())
    };
    bench.eventually("the new beginning", look).await;
    refused(bench, "none", &at, Start::Committed, -1).await;
    refused(bench, "late", &at, Start::Committed, records[2].offset).await;
    refused(bench, "none", &at, Start::At(records[3].offset), records[3].offset).await;
    assert_eq!(values_from(bench, &at, Start::Earliest, 6).await, texts(4..10));
    assert_eq!(
        values_from(bench, &at, Start::At(records[4].offset), 6).await,
        texts(4..10)
    );
    let mut reader = bench.exact("in time", &[(at.clone(), Start::Committed)]).await;
    assert_eq!(values(&bench.read(&mut *reader, 6).await), texts(4..10));
}

async fn nothing_comes_before_it_is_begun(bench: &Bench<'_>) {
    let (first, second) = (bench.lane("first").await, bench.lane("second").await);
    bench.put(vec![append(&first, "", "1"), append(&second, "", "2")]).await;
    bench.records(&second, 1).await;
    let mut reader = bench.unbegun("g", vec![first.clone(), second.clone()]).await;
    assert!(silent(&mut *reader).await);
    reader.begin(&[(second, Start::Earliest)]).await.expect("begun");
    assert_eq!(values(&bench.read(&mut *reader, 1).await), ["2"]);
    assert!(silent(&mut *reader).await);
    reader.begin(&[(first, Start::Earliest)]).await.expect("begun");
    assert_eq!(values(&bench.read(&mut *reader, 1).await), ["1"]);
}

/// Claims that nothing comes for a while.
pub(super) async fn silent(reader: &mut dyn Reader) -> bool {
    for _ in 0..5 {
        match reader.read(soon()).await.expect("a read") {
            Read::Batch(batch) if batch.records.is_empty() => {}
            _ => return false,
        }
    }
    true
}

async fn positions_reach_the_end(bench: &Bench<'_>) {
    let (at, records) = ten(bench).await;
    let mut reader = bench.exact("g", &[(at.clone(), Start::Earliest)]).await;
    let end = bench.log.bounds(&at).await.expect("bounds").end;
    let mut positions = Positions::new();
    let mut seen = BTreeSet::new();
    let begun = Instant::now();
    while positions.get(&at) != Some(end) {
        assert!(
            begun.elapsed() < bench.subject.patience(),
            "{positions:?}, the end is {end}"
        );
        if let Read::Batch(batch) = reader.read(soon()).await.expect("a read") {
            positions.merge(&batch.positions);
            seen.extend(batch.records.iter().map(|record| record.offset));
            let covered = seen.iter().all(|offset| positions.covers(&at, *offset));
            assert!(covered, "a batch's positions lie behind its records");
        }
    }
    assert_eq!(seen.len(), records.len());
}

async fn a_read_that_is_dropped_loses_nothing(bench: &Bench<'_>) {
    const COUNT: usize = 400;
    let at = bench.lane("t").await;
    let mut reader = bench.exact("g", &[(at.clone(), Start::Earliest)]).await;
    let (log, id, to) = (bench.log.clone(), bench.name("w"), at.clone());
    let appender = tokio::spawn(async move {
        let mut writer = log.writer(&id).await.expect("a writer");
        for number in (0..COUNT).step_by(4) {
            commit(&mut *writer, numbered(&to, number..number + 4), None)
                .await
                .expect("committed");
        }
    });
    let mut rng = fastrand::Rng::with_seed(3);
    let mut found = Vec::new();
    let begun = Instant::now();
    while found.len() < COUNT {
        assert!(
            begun.elapsed() < bench.subject.patience() * 2,
            "{} of {COUNT} records",
            found.len()
        );
        let limit = crate::Limit { records: 3, ..soon() };
        match timeout(Duration::from_micros(rng.u64(0..3_000)), reader.read(limit)).await {
            Ok(read) => {
                if let Read::Batch(batch) = read.expect("a read") {
                    found.extend(values(&batch.records));
                }
            }
            // Dropped. Now and then one is let through, else a slow log would never answer.
            Err(_) if rng.u8(0..10) == 0 => {
                if let Read::Batch(batch) = reader.read(limit).await.expect("a read") {
                    found.extend(values(&batch.records));
                }
            }
            Err(_) => {}
        }
    }
    appender.await.expect("the appender ends");
    assert_eq!(found, texts(0..COUNT));
}

async fn a_scan_goes_on_where_it_ended(bench: &Bench<'_>) {
    let (at, records) = ten(bench).await;
    let (rest, next) = bench.log.scan(&at, records[7].offset).await.expect("a scan");
    assert_eq!(values(&rest), texts(7..10));
    let (none, again) = bench.log.scan(&at, next).await.expect("a scan from the end");
    assert!(none.is_empty() && again >= next);
    bench.put(numbered(&at, 10..12)).await;
    bench.records(&at, 12).await;
    let (new, _) = bench.log.scan(&at, again).await.expect("a scan");
    assert_eq!(values(&new), texts(10..12));
}

async fn a_report_is_stored(bench: &Bench<'_>) {
    let (at, records) = ten(bench).await;
    let mut reader = bench.exact("g", &[(at.clone(), Start::Earliest)]).await;
    bench.read(&mut *reader, 10).await;
    let next = records[3].offset;
    reader
        .report(&Positions::from_iter([(at.clone(), next)]))
        .await
        .expect("stored");
    bench.until_committed("g", &at, next).await;
}

async fn positions_survive_a_restart(bench: &Bench<'_>) {
    let (at, records) = ten(bench).await;
    let info = bench.log.topic(&at.topic).await.expect("an answer");
    mark(bench, "g", &at, records[6].offset).await;
    bench.subject.restart().await;
    let after = bench.reopened().await;
    after.until_committed("g", &at, records[6].offset).await;
    assert_eq!(
        after.log.topic(&at.topic).await.expect("an answer"),
        info,
        "it is the same topic"
    );
    assert_eq!(after.records(&at, 10).await, records);
    assert_eq!(values_from(&after, &at, Start::Committed, 4).await, texts(6..10));
    after.put(numbered(&at, 10..11)).await;
    assert_eq!(values(&after.records(&at, 11).await), texts(0..11));
}
