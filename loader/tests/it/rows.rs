//! What arrives in the tables.

use zenfloe_destination::Mode;
use zenfloe_destination::contract::{Line, Sample};
use zenfloe_loader::Deleted;
use zenfloe_record::{Fence, FenceScope};

use crate::bench::{Bench, query};

#[tokio::test]
async fn the_newest_state_of_each_row_arrives() {
    let bench = Bench::new(Mode::Upsert).await;
    bench.load_all().await;
    bench.append(&[Line::new(1, 2), Line::new(2, 1), Line::new(3, 1)]).await;
    bench
        .append(&[Line::new(1, 1), Line::deleted(2, 2), Line::new(3, 4).note("a\0b")])
        .await;
    bench.load_all().await;
    let rows = "SELECT id, note, _deleted FROM things ORDER BY id";
    assert_eq!(bench.query(rows), ["1|v2|0", "2|-|1", "3|a\u{fffd}b|0"]);
    // Nothing new: nothing changes. Something new: only that.
    bench.load_all().await;
    bench.append(&[Line::new(4, 1), Line::new(3, 3)]).await;
    bench.load_all().await;
    assert_eq!(bench.query(rows), ["1|v2|0", "2|-|1", "3|a\u{fffd}b|0", "4|v1|0"]);
    // The positions stand at the ends, behind the transactions' markers.
    let positions = bench.query("SELECT part, next_offset FROM _zenfloe_positions ORDER BY part");
    assert_eq!(positions, ["0|6", "1|6", "2|4"]);
    let shown = bench.progress.snapshot();
    assert_eq!((shown.tables["things"].records, shown.tables["things"].rows), (8, 4));
}

#[tokio::test]
async fn every_state_arrives_in_append_mode() {
    let bench = Bench::new(Mode::Append).await;
    bench
        .append(&[Line::new(1, 2), Line::new(1, 1), Line::deleted(1, 3), Line::new(1, 2)])
        .await;
    bench.load_all().await;
    bench.load_all().await;
    let rows = bench.query("SELECT _raw_offset, note FROM things ORDER BY _raw_offset");
    assert_eq!(rows, ["1|v1", "2|v2", "2|v2", "3|-"]);
}

#[tokio::test]
async fn deleted_rows_are_kept_or_emptied_as_it_is_configured() {
    for (deleted, last) in [(Deleted::Kept, "6|v2|1"), (Deleted::Emptied, "6|-|1")] {
        for is_spooled in [false, true] {
            let mut bench = Bench::new(Mode::Upsert).await;
            (bench.tables.deleted, bench.is_spooled) = (deleted, is_spooled);
            bench.append(&[Line::new(3, 1), Line::new(6, 1)]).await;
            bench.load_all().await;
            bench.append_binned(&Line::new(6, 2)).await;
            bench.load_all().await;
            let rows = bench.query("SELECT id, note, _deleted FROM things ORDER BY id");
            assert_eq!(rows, ["3|v1|0", last], "{deleted:?}");
        }
    }
}

#[tokio::test]
async fn fences_take_what_is_older_and_erasing_ones_everything() {
    let bench = Bench::new(Mode::Upsert).await;
    let fence = |value: &str, before| Fence {
        scope: FenceScope {
            column: "parent_id".into(),
            value: value.into(),
        },
        before,
    };
    bench
        .append(&[Line::new(3, 10).of(7), Line::new(6, 20).of(7), Line::new(9, 10).of(8)])
        .await;
    bench.fence(fence("7", Some(20))).await;
    bench.load_all().await;
    let rows = "SELECT id, parent_id, note FROM things ORDER BY id";
    // Row 3 was never written: the fence stands in the same flush.
    assert_eq!(bench.query(rows), ["6|7|v20", "9|8|v10"]);
    bench.fence(fence("8", None)).await;
    bench
        .append(&[Line::new(9, 99).of(8), Line::new(12, 19).of(7), Line::new(15, 20).of(7)])
        .await;
    bench.load_all().await;
    assert_eq!(bench.query(rows), ["6|7|v20", "9|-|-", "15|7|v20"]);
}

#[tokio::test]
async fn a_column_that_is_added_midway_arrives() {
    let bench = Bench::new(Mode::Upsert).await;
    bench.append(&[Line::new(1, 1), Line::new(2, 1)]).await;
    bench.load_all().await;
    let second = Sample::second("things");
    bench
        .append_as(&second, &[Line::new(1, 2).added("new"), Line::new(4, 1).added("new")])
        .await;
    // A transformer that was not replaced yet.
    bench.append(&[Line::new(2, 2), Line::new(4, 2)]).await;
    bench.load_all().await;
    let rows = bench.query("SELECT id, note, added FROM things ORDER BY id");
    assert_eq!(rows, ["1|v2|new", "2|v2|-", "4|v2|-"]);
}

#[tokio::test]
async fn tables_are_chosen_and_named() {
    let mut bench = Bench::new(Mode::Upsert).await;
    bench.make_topic("others").await;
    bench.tables.prefix = "zd_".into();
    bench.tables.selection.off.insert("others".into());
    bench.append(&[Line::new(1, 1)]).await;
    bench.append_as(&Sample::new("others"), &[Line::new(1, 1)]).await;
    bench.load_all().await;
    let tables = "SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE '\\_%' ESCAPE '\\'";
    assert_eq!(bench.query(tables), ["zd_things"]);
}

#[tokio::test]
async fn two_destinations_read_the_same_topics() {
    let bench = Bench::new(Mode::Upsert).await;
    bench.append(&[Line::new(1, 1), Line::new(2, 1)]).await;
    bench.load_all().await;
    let mut parts = bench.parts("one", &crate::bench::fired());
    (parts.name, parts.destination) = ("second".into(), bench.destination_at("second.sqlite"));
    zenfloe_loader::run(parts, Default::default())
        .await
        .expect("nothing is in the way");
    let count = "SELECT count(*) FROM things";
    assert_eq!(bench.query(count), ["2"]);
    assert_eq!(query(&bench.folder.path().join("second.sqlite"), count), ["2"]);
}
