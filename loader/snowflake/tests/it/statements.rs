//! How many statements a flush takes, and what tables look like.

use std::sync::Arc;

use zenfloe_destination::contract::{Line, Sample};
use zenfloe_destination::{Cover, Destination, Flush, Mode};
use zenfloe_record::{Fence, FenceScope, Partition};

use crate::bench::Bench;
use crate::store::{Store, settings};

const PARTITIONS: Partition = 12;

/// A flush of all partitions, from `from` to ten further.
fn flush(bench: &Bench, from: i64, has_fence: bool) -> Arc<Flush> {
    let cover = |partition| Cover {
        partition,
        from,
        to: from + 10,
    };
    let row = |partition: Partition| {
        let line = Line::new(i64::from(partition), from + 1).of(i64::from(partition));
        bench.sample.row_at(partition, from, &line)
    };
    let scope = FenceScope {
        column: "parent_id".into(),
        value: "3".into(),
    };
    let fences = has_fence.then_some(Fence {
        scope,
        before: Some(from),
    });
    Arc::new(Flush::new(
        bench.target.clone(),
        bench.topic.clone(),
        (0..PARTITIONS).map(cover).collect(),
        (0..PARTITIONS).map(row).collect(),
        fences.into_iter().collect(),
    ))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_flush_takes_eight_statements_at_most_whatever_the_number_of_partitions() {
    let mut store = Store::fronted(settings()).await;
    for (table, inline_rows, expected) in [("n_file", 0, [7, 8]), ("n_inline", 5_000, [6, 7])] {
        store.config.inline_rows = inline_rows;
        let bench = Bench::new(&store, table, Mode::Upsert, PARTITIONS).await;
        // The first one makes the staging table of the session, and the first fence reads the rules.
        for (number, has_fence) in [false, true, false, true].into_iter().enumerate() {
            store.front().take_statements();
            let flush = flush(&bench, number as i64 * 10, has_fence);
            bench.snowflake.flush(flush).await.expect("in order");
            let statements = store.front().take_statements();
            if number > 1 {
                let heads: Vec<_> = statements
                    .iter()
                    .map(|sql| sql.split(' ').next().unwrap_or_default())
                    .collect();
                println!("{table}, with a fence {has_fence}: {}", heads.join(", "));
                assert_eq!(statements.len(), expected[usize::from(has_fence)], "{statements:#?}");
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn tables_are_described_clustered_and_transient() {
    let mut store = Store::fronted(settings()).await;
    store.config.transient = true;
    store.config.cluster_by = [("t_new".to_owned(), vec!["at".to_owned()])].into();
    let bench = Bench::new(&store, "t_new", Mode::Upsert, 1).await;
    let statements = store.front().take_statements();
    let create = statements
        .iter()
        .find(|sql| sql.contains("CREATE TRANSIENT TABLE"))
        .expect("made");
    assert!(create.contains("CLUSTER BY (\"AT\")"), "{create}");
    assert!(
        create.contains("\"NOTE\" VARCHAR COMMENT 'A text. [text: redact]'"),
        "{create}"
    );
    assert!(
        create.contains("\"ID\" NUMBER(38,0) NOT NULL COMMENT 'The key.'"),
        "{create}"
    );
    let second = Sample::second("t_new");
    bench
        .snowflake
        .prepare(&bench.target, &second.shape())
        .await
        .expect("widened");
    let statements = store.front().take_statements();
    let alter: Vec<_> = statements.iter().filter(|sql| sql.starts_with("ALTER TABLE")).collect();
    assert_eq!(alter.len(), 1, "{alter:?}");
    assert!(
        alter[0].contains("ADD COLUMN IF NOT EXISTS \"ADDED\" VARCHAR COMMENT"),
        "{alter:?}"
    );
    let reader = store.reader().await;
    reader
        .query("CREATE TABLE \"T_STRANGE\" (\"ID\" NUMBER(38,0))")
        .await
        .expect("somebody else's table");
    let strange = Bench::of(bench.snowflake.clone(), "t_strange", Mode::Upsert);
    let error = strange.prepare().await.expect_err("not one of ours").to_string();
    assert!(error.contains("it is not one of ours"), "{error}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_spool_loads_as_a_flush_does() {
    let store = Store::fronted(settings()).await;
    let bench = Bench::new(&store, "s_spool", Mode::Upsert, 1).await;
    let mut spool = bench
        .snowflake
        .spool(&[bench.sample.shape()])
        .expect("rows wait on disk");
    let rows = bench.rows(0, (0..25_000).map(|id| Line::new(id, 1).note("a\0b")).collect());
    for row in &rows {
        assert_eq!(spool.push(row).expect("on disk"), None);
    }
    assert!(!spool.takes(&Sample::second("s_spool").shape()));
    let absurd = Line {
        at: Some(i64::MAX),
        ..Line::new(1, 1)
    };
    let refused = spool.push(&bench.sample.row_at(0, 25_000, &absurd)).expect("on disk");
    assert!(
        refused.is_some_and(|refused| refused.offset == 25_000),
        "told at once, not taken"
    );
    assert_eq!(spool.rows(), 25_000);
    assert!(spool.on_disk() > 0 && spool.in_memory() > 0);
    spool.settle().expect("on disk");
    let mut head = bench.flush_of(0, Vec::new(), Vec::new());
    head.covers[0].to = 25_000;
    let loaded = spool.flush(&head).await.expect("in order");
    assert_eq!((loaded.written, loaded.nul_replaced), (25_000, 25_000));
    assert_eq!(store.rows("s_spool", &["id"]).await.len(), 25_000);
}
