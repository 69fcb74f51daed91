//! People who were erased stay away, whatever a loader finds in its topics.

use std::sync::Arc;

use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;
use zenfloe_destination::contract::Line;
use zenfloe_destination::{Destination, ErasedToken, Erasure, Mode, Suppression};
use zenfloe_erasure::{Asker, Entry, EntryToken, State, Subject};
use zenfloe_loader::{Drained, StageError, run};
use zenfloe_log::{Append, Cleanup, Log, TopicSpec};
use zenfloe_record::{Headers, Topic, TopicPartition};

use crate::bench::{Bench, until};

const ANN: &str = "k1_7mgt2av3r4kjfcliq422vwr4wh";

async fn erase(bench: &Bench, subject: Subject, state: State) {
    let name = Topic::rules(&bench.source);
    let topic = TopicSpec {
        name: name.clone(),
        partitions: 1,
        cleanup: Cleanup::Compact,
        max_message_bytes: 1 << 20,
    };
    bench.log.ensure(&[topic]).await.expect("it can be made");
    let entry = Entry {
        state,
        tokens: vec![EntryToken {
            class: "email".into(),
            token: ANN.into(),
        }],
        ..Entry::asked(Asker::Command, 0)
    };
    let record = Append {
        at: TopicPartition::new(name, 0),
        timestamp: None,
        key: subject.key().into(),
        value: Some(entry.encode().into()),
        headers: Headers::new(),
    };
    bench.commit(vec![record]).await;
}

fn lines() -> [Line; 3] {
    [
        Line::new(1, 1).note(ANN),
        Line::new(2, 1).note(format!("for [email:{ANN}]")),
        Line::new(3, 1).note("for nobody"),
    ]
}

const ROWS: &str = "SELECT id, note FROM things ORDER BY id, note";

/// Rows that wait in memory, and rows that wait in the destination's spool, of both modes.
const WAYS: [(Mode, bool); 4] = [
    (Mode::Upsert, false),
    (Mode::Append, false),
    (Mode::Upsert, true),
    (Mode::Append, true),
];

async fn bench_of((mode, is_spooled): (Mode, bool)) -> Bench {
    Bench {
        is_spooled,
        ..Bench::new(mode).await
    }
}

#[tokio::test]
async fn what_is_loaded_is_cleaned_and_what_comes_later_too() {
    for way in WAYS {
        let bench = bench_of(way).await;
        bench.append(&lines()).await;
        bench.load_all().await;
        assert_eq!(bench.query(ROWS)[0], format!("1|{ANN}"));
        erase(&bench, Subject::Person(7), State::Known).await;
        bench.append(&[Line::new(4, 1).note(ANN)]).await;
        bench.load_all().await;
        assert_eq!(
            bench.query(ROWS),
            ["1|-", "2|for [erased]", "3|for nobody", "4|-"],
            "{way:?}"
        );
        let entered = bench.query("SELECT table_name, kind, value FROM _zenfloe_suppressed");
        assert_eq!(entered, ["things|erased|person/7"]);
    }
}

#[tokio::test]
async fn a_loader_that_starts_late_brings_nobody_back() {
    for way in WAYS {
        let bench = bench_of(way).await;
        bench.append(&lines()).await;
        erase(&bench, Subject::Person(7), State::Done).await;
        bench.load_all().await;
        assert_eq!(bench.query(ROWS), ["1|-", "2|for [erased]", "3|for nobody"], "{way:?}");
    }
}

/// A loader that has the rows in hand and has not flushed.
async fn with_rows_in_hand(bench: &Bench) -> (JoinHandle<Result<Drained, StageError>>, CancellationToken) {
    let records = || {
        let shown = bench.progress.snapshot().tables;
        shown.get("things").map_or(0, |shown| shown.records)
    };
    let (before, caught_up) = (records(), CancellationToken::new());
    let loading = tokio::spawn(run(bench.parts("one", &caught_up), CancellationToken::new()));
    bench.append(&lines()).await;
    until("rows in hand", async || records() == before + 3).await;
    (loading, caught_up)
}

#[tokio::test]
async fn who_is_erased_while_rows_are_in_hand_is_not_loaded_with_them() {
    for way in WAYS {
        let bench = bench_of(way).await;
        let (loading, caught_up) = with_rows_in_hand(&bench).await;
        erase(&bench, Subject::Person(7), State::Known).await;
        bench.append(&[Line::new(4, 1).note(ANN)]).await;
        caught_up.cancel();
        let drained = loading.await.expect("no panic").expect("nothing needs a person");
        assert!(drained.is_complete);
        assert_eq!(
            bench.query(ROWS),
            ["1|-", "2|for [erased]", "3|for nobody", "4|-"],
            "{way:?}"
        );
    }
}

#[tokio::test]
async fn whom_another_loader_erased_while_rows_are_in_hand_is_not_loaded_with_them() {
    for way in WAYS {
        let bench = bench_of(way).await;
        bench.append(&[Line::new(9, 1)]).await;
        bench.load_all().await;
        let (loading, caught_up) = with_rows_in_hand(&bench).await;
        erase(&bench, Subject::Person(7), State::Known).await;
        let other: Arc<dyn Destination> = bench.destination();
        let entered = other
            .suppress(&bench.tables.target("things"), &[Suppression::Erasure(erasure())])
            .await;
        assert_eq!(
            entered.expect("it can be entered"),
            0,
            "nothing of the person is loaded"
        );
        bench.append(&[Line::new(4, 1).note(ANN)]).await;
        caught_up.cancel();
        let drained = loading.await.expect("no panic").expect("nothing needs a person");
        assert!(drained.is_complete);
        assert_eq!(
            bench.query(ROWS),
            ["1|-", "2|for [erased]", "3|for nobody", "4|-", "9|v1"],
            "{way:?}"
        );
    }
}

fn erasure() -> Erasure {
    Erasure {
        subject: Subject::Person(7).to_string(),
        tokens: vec![ErasedToken {
            class: "email".into(),
            token: ANN.into(),
        }],
        ..Erasure::default()
    }
}

#[tokio::test]
async fn what_is_asked_for_and_not_known_yet_changes_nothing() {
    let bench = Bench::new(Mode::Upsert).await;
    erase(&bench, Subject::Person(7), State::Asked).await;
    bench.append(&lines()).await;
    bench.load_all().await;
    assert_eq!(bench.query(ROWS)[0], format!("1|{ANN}"));
}

#[tokio::test]
async fn a_destination_that_knows_more_than_the_rules_stops_the_loader() {
    for way in WAYS {
        expect_a_stranger_to_be_named(&bench_of(way).await).await;
    }
}

async fn expect_a_stranger_to_be_named(bench: &Bench) {
    bench.append(&lines()).await;
    bench.load_all().await;
    erase(bench, Subject::Person(7), State::Known).await;
    bench.load_all().await;
    let stranger = "INSERT INTO _zenfloe_suppressed (table_name, kind, column_name, value) VALUES ('things', 'erased', '', 'person/8')";
    let file = rusqlite::Connection::open(bench.path()).expect("the file is there");
    file.execute(stranger, []).expect("it can be written");
    bench.append(&[Line::new(5, 1)]).await;
    let error = bench
        .load()
        .await
        .expect_err("the rules are not those of this destination");
    let told = std::error::Error::source(&error).expect("a cause").to_string();
    assert!(told.contains("person/8"), "{told}");
}
