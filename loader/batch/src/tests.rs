use std::collections::{BTreeMap, HashMap};

use proptest::prelude::*;
use zenfloe_destination::contract::{Line, Sample};
use zenfloe_destination::{Cover, Mode, Row, Target, TopicRef};
use zenfloe_record::{Fence, FenceScope, Offset, Partition, RowVersion};

use crate::Batch;

const PARTITIONS: Partition = 3;

fn batch(mode: Mode) -> Batch {
    let target = Target {
        table: "things".into(),
        mode,
    };
    let topic = TopicRef {
        name: "acme.clean.things".into(),
        id: "1".into(),
    };
    let mut batch = Batch::new(target, topic);
    (0..PARTITIONS).for_each(|partition| batch.begin(partition, 0));
    batch
}

/// A state of a key; keys stay in their partition.
#[derive(Debug, Clone, Copy, PartialEq)]
struct State {
    id: i64,
    version: RowVersion,
}

fn states() -> impl Strategy<Value = Vec<State>> {
    let state =
        (0..8_i64, 0..4_i64, 0..3_i64, 0..1_000_i64).prop_map(|(id, version, extracted_at, raw_offset)| State {
            id,
            version: RowVersion {
                version,
                extracted_at,
                raw_offset,
                revision: 1,
            },
        });
    proptest::collection::vec(state, 0..60)
}

/// The states at the ends of their partitions.
fn rows(sample: &Sample, states: &[State]) -> Vec<Row> {
    let mut ends = [0_i64; PARTITIONS as usize];
    let place = |state: &State| {
        let partition = (state.id % i64::from(PARTITIONS)) as Partition;
        let end = &mut ends[partition as usize];
        *end += 1;
        sample.row_at(partition, *end - 1, &Line::new(state.id, 0).version(state.version))
    };
    states.iter().map(place).collect()
}

/// The newest version of each key that a batch's flush holds.
fn newest_of(batch: &mut Batch) -> BTreeMap<Vec<u8>, RowVersion> {
    let Some(flush) = batch.take() else {
        return BTreeMap::new();
    };
    let held: BTreeMap<_, _> = flush.rows().map(|row| (row.key.to_vec(), row.version)).collect();
    assert_eq!(held.len(), flush.len(), "each key once");
    held
}

fn newest_by_hand(states: &[State]) -> BTreeMap<Vec<u8>, RowVersion> {
    let mut newest: BTreeMap<Vec<u8>, RowVersion> = BTreeMap::new();
    for state in states {
        let held = newest.entry(state.id.to_string().into_bytes()).or_insert(state.version);
        *held = state.version.max(*held);
    }
    newest
}

proptest! {
    #[test]
    fn the_newest_stay_in_whatever_order_they_come(states in states(), seed in any::<u64>()) {
        let sample = Sample::new("things");
        let mut shuffled = states.clone();
        fastrand::Rng::with_seed(seed).shuffle(&mut shuffled);
        for order in [&states, &shuffled] {
            let mut batch = batch(Mode::Upsert);
            rows(&sample, order).into_iter().for_each(|row| batch.row(row));
            prop_assert_eq!(newest_of(&mut batch), newest_by_hand(&states));
        }
    }

    #[test]
    fn records_offered_again_change_nothing(states in states(), repeats in proptest::collection::vec(any::<prop::sample::Index>(), 0..20)) {
        let sample = Sample::new("things");
        let rows = rows(&sample, &states);
        for mode in [Mode::Upsert, Mode::Append] {
            let (mut once, mut again) = (batch(mode), batch(mode));
            rows.iter().cloned().for_each(|row| once.row(row));
            for row in rows.iter().cloned() {
                again.row(row);
                if let Some(index) = repeats.first().filter(|_| !rows.is_empty()) {
                    let earlier = &rows[index.index(rows.len())];
                    // Only what was taken before is a repetition.
                    if again.positions().any(|(partition, to)| partition == earlier.partition && earlier.offset < to) {
                        again.row(earlier.clone());
                    }
                }
            }
            let (once, again) = (once.take(), again.take());
            let offsets = |flush: &Option<zenfloe_destination::Flush>| -> Vec<(Partition, Offset)> {
                flush.iter().flat_map(|flush| flush.rows()).map(|row| (row.partition, row.offset)).collect()
            };
            prop_assert_eq!(offsets(&once), offsets(&again));
            if mode == Mode::Append {
                prop_assert_eq!(offsets(&once).len(), states.len());
            }
        }
    }

    #[test]
    fn flushes_cover_without_gap_or_overlap(states in states(), cuts in proptest::collection::vec(any::<bool>(), 60)) {
        let sample = Sample::new("things");
        let mut batch = batch(Mode::Append);
        let (mut taken, mut ends) = (0, HashMap::<Partition, Offset>::new());
        let mut take = |batch: &mut Batch| {
            let Some(flush) = batch.take() else { return };
            taken += flush.len();
            for Cover { partition, from, to } in flush.covers.iter().copied() {
                assert_eq!(ends.insert(partition, to).unwrap_or(0), from);
                assert!(flush.rows().filter(|row| row.partition == partition).all(|row| (from..to).contains(&row.offset)));
            }
            assert!(flush.rows().all(|row| flush.covers.iter().any(|cover| cover.partition == row.partition)));
        };
        for (row, cut) in rows(&sample, &states).into_iter().zip(cuts) {
            batch.row(row);
            if cut {
                take(&mut batch);
            }
        }
        take(&mut batch);
        prop_assert!(batch.is_empty() && batch.size() == 0 && batch.rows() == 0);
        prop_assert_eq!(taken, states.len());
    }

    #[test]
    fn size_is_what_is_held(states in states()) {
        let sample = Sample::new("things");
        let mut batch = batch(Mode::Upsert);
        rows(&sample, &states).into_iter().for_each(|row| batch.row(row));
        let (size, count) = (batch.size(), batch.rows());
        let bytes: usize = batch.take().iter().flat_map(|flush| flush.rows()).map(Row::size).sum();
        prop_assert_eq!(size, bytes + count * crate::lane::ROW_OVERHEAD);
    }
}

#[test]
fn of_equal_versions_the_later_stays() {
    let sample = Sample::new("things");
    let mut batch = batch(Mode::Upsert);
    batch.row(sample.row_at(0, 0, &Line::new(3, 5)));
    batch.row(sample.row_at(0, 1, &Line::new(3, 5)));
    batch.row(sample.row_at(0, 2, &Line::new(3, 4)));
    let flush = batch.take().expect("moved");
    assert_eq!(flush.rows().map(|row| row.offset).collect::<Vec<_>>(), [1]);
    assert_eq!(
        flush.covers,
        [Cover {
            partition: 0,
            from: 0,
            to: 3
        }]
    );
}

#[test]
fn markers_and_nothing_else_move_a_partition() {
    let mut batch = batch(Mode::Upsert);
    assert!(batch.is_empty() && batch.take().is_none());
    batch.begin(1, 40);
    batch.advance(1, 39);
    assert!(batch.is_empty(), "never back");
    batch.advance(1, 42);
    batch.advance(9, 7);
    assert!(batch.pass(2, 0) && !batch.pass(2, 0) && !batch.pass(9, 0));
    let flush = batch.take().expect("moved");
    let covers = [
        Cover {
            partition: 1,
            from: 40,
            to: 42,
        },
        Cover {
            partition: 2,
            from: 0,
            to: 1,
        },
    ];
    assert_eq!((flush.covers.as_slice(), flush.is_empty()), (&covers[..], true));
}

#[test]
fn the_newest_fence_of_a_scope_stays_whatever_its_partition() {
    let fence = |value: &str, before: Option<i64>| Fence {
        scope: FenceScope {
            column: "parent_id".into(),
            value: value.into(),
        },
        before,
    };
    let mut batch = batch(Mode::Upsert);
    let given = [
        (0, "7", Some(5)),
        (0, "7", Some(3)),
        (1, "7", Some(9)),
        (0, "8", Some(1)),
        (0, "8", None),
        (0, "8", Some(2)),
    ];
    for (offset, (partition, value, before)) in (0..).zip(given) {
        batch.fence(partition, offset, fence(value, before));
    }
    assert!(batch.size() > 0);
    assert_eq!(
        batch.take().expect("moved").fences,
        [fence("7", Some(9)), fence("8", None)]
    );
}

#[test]
fn revoked_partitions_leave_nothing_behind() {
    let sample = Sample::new("things");
    let mut batch = batch(Mode::Upsert);
    batch.row(sample.row_at(0, 0, &Line::new(0, 1)));
    batch.row(sample.row_at(1, 0, &Line::new(1, 1)));
    batch.row(sample.row_at(1, 1, &Line::new(4, 1)));
    let scope = FenceScope {
        column: "parent_id".into(),
        value: "7".into(),
    };
    batch.fence(1, 2, Fence { scope, before: None });
    assert_eq!(batch.drop_partitions([1, 5]), 2);
    batch.row(sample.row_at(1, 3, &Line::new(7, 1)));
    let flush = batch.take().expect("partition 0 has moved");
    assert_eq!((flush.len(), flush.fences.len(), flush.covers.len()), (1, 0, 1));
    // Begun anew it starts where it is told to.
    batch.begin(1, 2);
    batch.row(sample.row_at(1, 1, &Line::new(4, 1)));
    assert!(batch.is_empty());
}

#[test]
fn a_state_that_was_written_anew_is_kept_once_beside_the_others() {
    let sample = Sample::new("things");
    let mut batch = batch(Mode::Append);
    let anew = |offset, version| Row {
        is_rewritten: true,
        ..sample.row_at(0, offset, &Line::new(1, version))
    };
    batch.row(sample.row_at(0, 0, &Line::new(1, 1)));
    batch.row(anew(1, 1));
    batch.row(anew(2, 2));
    batch.row(anew(3, 2));
    let flush = batch.take().expect("it has moved");
    let offsets: Vec<Offset> = flush.rows().map(|row| row.offset).collect();
    assert_eq!(offsets, [0, 2]);
    assert_eq!(flush.covers[0].to, 4);
}
