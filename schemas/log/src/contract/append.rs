//! Records come back as they were appended, in order.

use std::collections::BTreeMap;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use bytes::Bytes;
use zenfloe_record::{Headers, TopicPartition};

use super::bench::{append, commit, numbered, texts, values};
use super::{Bench, Case};
use crate::{Append, Class, Limit, LogError, Read, Record, Start};

pub(super) fn cases() -> Vec<Case> {
    cases![
        records_come_back_as_they_were,
        an_empty_value_is_no_tombstone,
        five_megabytes_pass,
        what_is_too_large_is_refused_whole,
        the_order_of_a_key_is_kept,
        offsets_ascend_and_end_before_the_end,
        five_thousand_records_in_one_commit,
        an_empty_commit_is_none,
        a_read_keeps_its_limits,
    ]
}

pub(super) fn now_ms() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    since.expect("after 1970").as_millis() as i64
}

async fn records_come_back_as_they_were(bench: &Bench<'_>) {
    let at = bench.lane("t").await;
    let every_byte: Vec<u8> = (0..=255).collect();
    let headers = Headers::new()
        .with("zf.kind", "row")
        .with("repeated", "1")
        .with("zf.kind", "fence")
        .with("repeated", "2")
        .with("empty", "")
        .with("ü", every_byte.clone());
    let given = now_ms() - 5_000;
    let full = Append {
        at: at.clone(),
        timestamp: Some(given),
        key: every_byte.clone().into(),
        value: Some(every_byte.into()),
        headers,
    };
    let before = now_ms();
    let bare = append(&at, "", "no key, no headers");
    bench.put(vec![full.clone(), bare.clone()]).await;
    let records = bench.records(&at, 2).await;
    same(&records[0], &full);
    same(&records[1], &bare);
    assert_eq!(records[0].timestamp, given);
    let tolerated = 60_000;
    assert!(
        (before - tolerated..=now_ms() + tolerated).contains(&records[1].timestamp),
        "ours is now"
    );
    let mut reader = bench.exact("g", &[(at.clone(), Start::Earliest)]).await;
    assert_eq!(
        bench.read(&mut *reader, 2).await,
        records,
        "a reader and a scan see the same"
    );
}

fn same(record: &Record, append: &Append) {
    assert_eq!(record.at, append.at);
    assert_eq!(record.key, append.key);
    assert_eq!(record.value, append.value);
    let pairs = |headers: &Headers| {
        headers
            .iter()
            .map(|(n, v)| (n.to_owned(), v.to_vec()))
            .collect::<Vec<_>>()
    };
    assert_eq!(
        pairs(&record.headers),
        pairs(&append.headers),
        "in their order, repeats included"
    );
}

async fn an_empty_value_is_no_tombstone(bench: &Bench<'_>) {
    let at = bench.lane("t").await;
    let tombstone = Append {
        value: None,
        ..append(&at, "a", "")
    };
    bench
        .put(vec![append(&at, "a", ""), tombstone, append(&at, "a", "x")])
        .await;
    let records = bench.records(&at, 3).await;
    assert_eq!(records[0].value, Some(Bytes::new()));
    assert_eq!(records[1].value, None);
    assert_eq!(records[2].value, Some(Bytes::from_static(b"x")));
}

async fn five_megabytes_pass(bench: &Bench<'_>) {
    let at = bench.lane("t").await;
    // Not compressible, so that it is as large on its way.
    let large = Append {
        value: Some(noise(5_000_000).into()),
        ..append(&at, "large", "")
    };
    bench
        .put(vec![
            append(&at, "a", "before"),
            large.clone(),
            append(&at, "a", "after"),
        ])
        .await;
    let mut reader = bench.exact("g", &[(at.clone(), Start::Earliest)]).await;
    let records = bench.read(&mut *reader, 3).await;
    assert_eq!(records.len(), 3);
    assert!(records[1].value == large.value, "all of its bytes");
    assert_eq!(records[2].value.as_deref(), Some(&b"after"[..]));
}

fn noise(bytes: usize) -> Vec<u8> {
    let mut rng = fastrand::Rng::with_seed(5);
    (0..bytes).map(|_| rng.u8(..)).collect()
}

async fn what_is_too_large_is_refused_whole(bench: &Bench<'_>) {
    let spec = crate::TopicSpec {
        max_message_bytes: 20_000,
        ..bench.spec("t", 1)
    };
    bench.log.ensure(std::slice::from_ref(&spec)).await.expect("made");
    let at = TopicPartition::new(spec.name, 0);
    let sized = |bytes: usize| Append {
        value: Some(noise(bytes).into()),
        ..append(&at, "a", "")
    };
    let mut writer = bench.writer("w").await;
    let out = vec![append(&at, "a", "nothing"), sized(30_000)];
    let refused = writer.commit(out, None).await.expect_err("30,000 bytes");
    assert_eq!(refused.class(), Class::Stop);
    match refused {
        LogError::TooLarge {
            at: where_to,
            size,
            limit,
        } => {
            assert_eq!(where_to, at);
            assert!(size >= 30_000 && limit == 20_000, "{size} of {limit}");
        }
        other => panic!("{other}"),
    }
    let headers = Append {
        headers: Headers::new().with("large", noise(30_000)),
        ..sized(1)
    };
    let refused = writer.commit(vec![headers], None).await.expect_err("headers count");
    assert!(matches!(refused, LogError::TooLarge { .. }), "{refused}");
    commit(&mut *writer, vec![sized(19_000)], None)
        .await
        .expect("the writer lives on, and 19,000 bytes fit");
    let records = bench.records(&at, 1).await;
    assert_eq!(records.len(), 1, "nothing of the refused commits is there");
    assert_eq!(records[0].value.as_ref().map(Bytes::len), Some(19_000));
}

async fn the_order_of_a_key_is_kept(bench: &Bench<'_>) {
    let partitions = bench.topic("t", 3).await;
    let mut writer = bench.writer("w").await;
    let mut rng = fastrand::Rng::with_seed(7);
    let mut number = 0;
    for _ in 0..20 {
        let mut record = || {
            number += 1;
            let key = rng.usize(0..9);
            append(&partitions[key % 3], &format!("key {key}"), number.to_string())
        };
        let out = (0..50).map(|_| record()).collect();
        commit(&mut *writer, out, None).await.expect("committed");
    }
    let starts: Vec<_> = partitions.iter().map(|at| (at.clone(), Start::Earliest)).collect();
    let mut reader = bench.exact("g", &starts).await;
    let mut newest = BTreeMap::<Bytes, u32>::new();
    let records = bench.read(&mut *reader, 1_000).await;
    for record in &records {
        let value: u32 = values(std::slice::from_ref(record))[0].parse().expect("a number");
        let before = newest.insert(record.key.clone(), value);
        assert!(before.is_none_or(|before| before < value), "{record:?}");
    }
    assert_eq!((records.len(), newest.len()), (1_000, 9));
}

async fn offsets_ascend_and_end_before_the_end(bench: &Bench<'_>) {
    let at = bench.lane("t").await;
    for round in 0..5 {
        bench.put(numbered(&at, round * 3..round * 3 + 3)).await;
    }
    let records = bench.records(&at, 15).await;
    assert_eq!(records[0].offset, 0, "a topic begins with 0");
    assert!(records.windows(2).all(|pair| pair[0].offset < pair[1].offset));
    assert_eq!(values(&records), texts(0..15));
    let look = || async {
        let bounds = bench.log.bounds(&at).await.expect("bounds");
        (bounds.start == 0 && bounds.end > records[14].offset).then_some(())
    };
    bench.eventually("the end behind the last record", look).await;
}

async fn five_thousand_records_in_one_commit(bench: &Bench<'_>) {
    let partitions = bench.topic("t", 4).await;
    let body = "x".repeat(300);
    let record = |number: usize| append(&partitions[number % 4], "key", format!("{number} {body}"));
    bench.put((0..5_000).map(record).collect()).await;
    for (lane, at) in partitions.iter().enumerate() {
        let records = bench.records(at, 1_250).await;
        let expected: Vec<String> = (lane..5_000)
            .step_by(4)
            .map(|number| format!("{number} {body}"))
            .collect();
        assert!(values(&records) == expected, "{at}: {} records", records.len());
    }
}

async fn an_empty_commit_is_none(bench: &Bench<'_>) {
    let at = bench.lane("t").await;
    let mut writer = bench.writer("w").await;
    commit(&mut *writer, Vec::new(), None)
        .await
        .expect("nothing is committed");
    let reader = bench.exact("g", &[(at.clone(), Start::Earliest)]).await;
    let done = crate::Done {
        by: reader.membership(),
        positions: zenfloe_record::Positions::new(),
    };
    commit(&mut *writer, Vec::new(), Some(done))
        .await
        .expect("nothing is committed");
    assert!(bench.committed("g", std::slice::from_ref(&at)).await.is_empty());
    assert_eq!(bench.settled(&at).await, Vec::<String>::new());
}

async fn a_read_keeps_its_limits(bench: &Bench<'_>) {
    let at = bench.lane("t").await;
    let body = "x".repeat(1_000);
    bench
        .put((0..30).map(|_| append(&at, "", body.clone())).collect())
        .await;
    bench.records(&at, 30).await;
    let mut reader = bench.exact("g", &[(at.clone(), Start::Earliest)]).await;
    let mut left = 30;
    for (records, bytes, most) in [
        (1, 1 << 20, 1),
        (7, 1 << 20, 7),
        (100, 5_000, 5),
        (100, 1, 1),
        (1_000, 1 << 20, 30),
    ] {
        let limit = Limit {
            records,
            bytes,
            wait: Duration::from_millis(200),
        };
        let got = next(bench, &mut *reader, limit).await;
        assert!((1..=most).contains(&got), "{got} records for {limit:?}");
        left -= got;
    }
    bench.read(&mut *reader, left).await;
    let limit = Limit {
        wait: Duration::from_millis(1),
        ..Limit::default()
    };
    match reader.read(limit).await.expect("a read") {
        Read::Batch(batch) => assert!(batch.records.is_empty(), "{batch:?}"),
        other => panic!("{other:?}"),
    }
}

/// The number of records of the first batch that has any.
async fn next(bench: &Bench<'_>, reader: &mut dyn crate::Reader, limit: Limit) -> usize {
    let begun = tokio::time::Instant::now();
    loop {
        assert!(begun.elapsed() < bench.subject.patience(), "no record");
        match reader.read(limit).await.expect("a read") {
            Read::Batch(batch) if !batch.records.is_empty() => return batch.records.len(),
            _ => {}
        }
    }
}
