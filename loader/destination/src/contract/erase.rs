//! People who are erased: out of what is there, and out of every flush that knows of it.

use std::sync::Arc;

use zenfloe_record::FenceScope;

use super::{Bench, Line, Subject};
use crate::{Class, Cover, Emptied, ErasedToken, Erasure, Flush, Mode, Suppression};

pub(super) async fn all(subject: &dyn Subject) {
    for mode in [Mode::Upsert, Mode::Append] {
        somebody_leaves_rows_and_texts(subject, mode).await;
    }
    a_flush_that_knows_less_is_refused(subject).await;
    an_erasure_that_is_not_done_is_not_told_as_done(subject).await;
    erasures_are_remembered_once(subject).await;
}

const ANN: &str = "k1_7mgt2av3r4kjfcliq422vwr4wh";
const BOB: &str = "k1_aaaaaaaaaaaaaaaaaaaaaaaaaa";

fn scope(column: &str, value: i64) -> FenceScope {
    FenceScope {
        column: column.into(),
        value: value.to_string(),
    }
}

fn emptied(scope: FenceScope, columns: &[&str]) -> Emptied {
    Emptied {
        scope,
        columns: columns.iter().map(|column| (*column).to_owned()).collect(),
    }
}

fn ann() -> Erasure {
    let token = |token: &str| ErasedToken {
        class: "email".into(),
        token: token.into(),
    };
    Erasure {
        subject: "person/7".into(),
        rows: Some(scope("id", 7)),
        // The second one cannot be a token and must do no harm.
        tokens: vec![token(ANN), token("k1_' OR 1 = 1")],
        emptied: vec![
            emptied(scope("parent_id", 7), &["note", "absent"]),
            emptied(scope("other_id", 7), &["note"]),
            emptied(scope("parent_id", 9), &["flag"]),
        ],
    }
}

async fn erase(bench: &Bench<'_>, erasure: Erasure) -> u64 {
    let what = [Suppression::Erasure(erasure)];
    bench
        .destination
        .suppress(&bench.target, &what)
        .await
        .expect("it can be erased")
}

async fn somebody_leaves_rows_and_texts(subject: &dyn Subject, mode: Mode) {
    let table = match mode {
        Mode::Upsert => "e_leave",
        Mode::Append => "e_leave_append",
    };
    let bench = Bench::new(subject, table, mode).await;
    let with_data = Line {
        data: Some(format!(r#"{{"to": ["{ANN}", "{BOB}"]}}"#)),
        ..Line::new(4, 1)
    };
    let lines = vec![
        Line::new(1, 1).note(ANN),
        Line::new(2, 1).note(format!("to [email:{ANN}] and [email:{BOB}], {ANN}!")),
        Line::new(3, 1).of(7).note("mine"),
        with_data,
        Line::new(5, 1).of(8).note(BOB),
        Line::new(6, 1).of(9).note("stays"),
        Line::new(7, 1).note("the person's own"),
    ];
    bench.load(lines).await;
    assert_eq!(erase(&bench, ann()).await, 6);
    let columns = ["id", "parent_id", "note", "flag", "_deleted"];
    let second = format!("2|-|to [erased] and [email:{BOB}], [erased]!|true|false");
    let fifth = format!("5|8|{BOB}|true|false");
    let rows = [
        "1|-|-|true|false",
        &second,
        "3|7|-|true|false",
        "4|-|v1|true|false",
        &fifth,
        "6|9|stays|-|false",
        "7|-|-|-|true",
    ];
    bench.expect(&columns, &rows).await;
    let data = bench.rows(&["id", "data"]).await.join("");
    assert!(
        !data.contains(ANN) && data.contains("[erased]") && data.contains(BOB),
        "{data}"
    );
    erase(&bench, ann()).await;
    bench.expect(&columns, &rows).await;
}

/// A flush of one line that knows of so many erasures.
async fn knowing(bench: &Bench<'_>, erasures: u64, line: Line) -> Arc<Flush> {
    let from = bench.position().await;
    let flush = bench.of(from, from + 1, vec![line], Vec::new());
    Arc::new(Flush {
        erasures,
        ..(*flush).clone()
    })
}

async fn a_flush_that_knows_less_is_refused(subject: &dyn Subject) {
    let bench = Bench::new(subject, "e_behind", Mode::Upsert).await;
    bench.load(vec![Line::new(1, 1)]).await;
    let other = bench.another().await;
    erase(&other, ann()).await;
    let behind = knowing(&bench, 0, Line::new(2, 1)).await;
    let error = bench.flush(behind).await.expect_err("it may hold who was erased");
    assert_eq!(error.class(), Class::Behind, "{error}");
    bench.expect(&["id"], &["1"]).await;
    assert_eq!(bench.position().await, 1, "nothing of it is committed");
    let abreast = knowing(&bench, 1, Line::new(2, 1)).await;
    assert_eq!(bench.flush(abreast).await.expect("it knows").written, 1);
    let ahead = knowing(&bench, 5, Line::deleted(7, 1)).await;
    bench.flush(ahead).await.expect("it knows more");
    bench
        .expect(&["id", "_deleted"], &["1|false", "2|false", "7|true"])
        .await;
    // Where nothing but positions moves there is nothing to know.
    let from = bench.position().await;
    let cover = Cover {
        partition: 0,
        from,
        to: from + 1,
    };
    bench
        .flush(bench.of_rows(vec![cover], Vec::new(), Vec::new()))
        .await
        .expect("no row");
}

/// Whoever comes after a process that ended within an erasure knows that it is to be done again.
async fn an_erasure_that_is_not_done_is_not_told_as_done(subject: &dyn Subject) {
    for n in 1.. {
        let bench = Bench::new(subject, &format!("e_crash_{n}"), Mode::Upsert).await;
        bench.load(vec![Line::new(1, 1).note(ANN), Line::new(2, 1).of(7)]).await;
        bench.faults.crash_before(n);
        let what = [Suppression::Erasure(ann())];
        let crashed = bench.destination.suppress(&bench.target, &what).await.is_err();
        let heir = bench.another().await;
        let told = heir.destination.erased(&bench.target).await.expect("it can be read");
        let is_done = told.get("person/7") == Some(&true);
        if is_done {
            let left = bench.rows(&["note"]).await;
            assert!(!left.contains(&ANN.to_owned()), "told as done before statement {n}");
        }
        if !crashed {
            assert!(is_done && n > 4, "an erasure has more statements than {n}");
            return;
        }
    }
}

async fn erasures_are_remembered_once(subject: &dyn Subject) {
    let bench = Bench::new(subject, "e_once", Mode::Upsert).await;
    let erased = async || bench.destination.erased(&bench.target).await.expect("it can be read");
    assert!(erased().await.is_empty());
    erase(&bench, ann()).await;
    erase(&bench, ann()).await;
    let ticket = Erasure {
        subject: "ticket/42".into(),
        rows: Some(scope("parent_id", 42)),
        ..Erasure::default()
    };
    erase(&bench, ticket).await;
    assert_eq!(
        erased().await.into_iter().collect::<Vec<_>>(),
        [("person/7".to_owned(), true), ("ticket/42".to_owned(), true)]
    );
    let abreast = knowing(&bench, 2, Line::new(2, 1)).await;
    bench.flush(abreast).await.expect("twice entered is once");
}
