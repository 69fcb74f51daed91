//! Sessions that end between two statements, and replies that are lost.

use std::sync::Arc;

use zenfloe_record::{Fence, FenceScope};

use super::{Bench, Line, Subject};
use crate::{Class, Flush, Mode, Suppression};

pub(super) async fn all(subject: &dyn Subject) {
    for mode in [Mode::Upsert, Mode::Append] {
        a_crash_between_any_two_statements(subject, mode).await;
        a_lost_commit_reply(subject, mode).await;
    }
    a_crash_within_an_erasure(subject).await;
}

fn name(mode: Mode) -> &'static str {
    match mode {
        Mode::Upsert => "upsert",
        Mode::Append => "append",
    }
}

/// A flush with everything in it: rows, a delete, an erasing fence.
fn full(bench: &Bench<'_>) -> Arc<Flush> {
    let scope = FenceScope {
        column: "parent_id".into(),
        value: "7".into(),
    };
    let lines = vec![Line::new(1, 2).of(8), Line::deleted(2, 2), Line::new(4, 2).of(7)];
    bench.of(3, 9, lines, vec![Fence { scope, before: None }])
}

const BEFORE: [&str; 3] = ["1|v1|8|false", "2|v1|8|false", "3|v1|7|false"];

fn after(mode: Mode) -> &'static [&'static str] {
    match mode {
        Mode::Upsert => &["1|v2|8|false", "2|-|-|true", "3|-|-|true"],
        Mode::Append => &[
            "1|v1|8|false",
            "1|v2|8|false",
            "2|-|-|true",
            "2|v1|8|false",
            "3|-|-|true",
        ],
    }
}

/// Rows in an order that does not depend on where a database puts nulls.
async fn state(bench: &Bench<'_>) -> Vec<String> {
    let mut rows = bench.rows(&["id", "note", "parent_id", "_deleted"]).await;
    rows.sort_unstable();
    rows
}

async fn filled<'s>(subject: &'s dyn Subject, table: &str, mode: Mode) -> Bench<'s> {
    let bench = Bench::new(subject, table, mode).await;
    bench
        .load(vec![
            Line::new(1, 1).of(8),
            Line::new(2, 1).of(8),
            Line::new(3, 1).of(7),
        ])
        .await;
    bench
}

async fn a_crash_between_any_two_statements(subject: &dyn Subject, mode: Mode) {
    for n in 1.. {
        let bench = filled(subject, &format!("x_crash_{}_{n}", name(mode)), mode).await;
        bench.faults.crash_before(n);
        let flush = full(&bench);
        match bench.flush(flush.clone()).await {
            Ok(_) => {
                assert_eq!(state(&bench).await, after(mode));
                assert!(n > 5, "a flush has more statements than {n}");
                return;
            }
            Err(error) => {
                assert_eq!(error.class(), Class::Retry, "{error}");
                let position = bench.another().await.position().await;
                assert_eq!(position, 3, "before statement {n}: the commit is the last statement");
                assert_eq!(state(&bench).await, BEFORE, "before statement {n}");
            }
        }
        let heir = bench.another().await;
        if n % 2 == 0 {
            heir.flush(flush).await.expect("another process goes on");
        } else {
            bench.flush(flush).await.expect("the same process goes on");
        }
        assert_eq!(heir.position().await, 9);
        assert_eq!(state(&bench).await, after(mode), "after a crash before statement {n}");
    }
}

async fn a_lost_commit_reply(subject: &dyn Subject, mode: Mode) {
    let bench = filled(subject, &format!("x_lost_{}", name(mode)), mode).await;
    bench.faults.lose_commit_reply();
    let flush = full(&bench);
    let error = bench.flush(flush.clone()).await.expect_err("the reply is lost");
    assert_eq!(error.class(), Class::Retry);
    assert_eq!(bench.position().await, 9, "it was committed all the same");
    let again = bench.flush(flush.clone()).await.expect("the flush is known");
    assert!(again.repeated);
    assert!(
        bench
            .another()
            .await
            .flush(flush)
            .await
            .expect("to every process")
            .repeated
    );
    assert_eq!(state(&bench).await, after(mode));
}

async fn a_crash_within_an_erasure(subject: &dyn Subject) {
    let what = [Suppression::Rows(Fence {
        scope: FenceScope {
            column: "parent_id".into(),
            value: "8".into(),
        },
        before: None,
    })];
    for n in 1.. {
        let bench = filled(subject, &format!("x_erase_{n}"), Mode::Upsert).await;
        bench.faults.crash_before(n);
        let crashed = bench.destination.suppress(&bench.target, &what).await.is_err();
        let heir = bench.another().await;
        heir.destination
            .suppress(&bench.target, &what)
            .await
            .expect("called again");
        heir.load(vec![Line::new(1, 9).of(8)]).await;
        bench.expect(&["id", "note"], &["1|-", "2|-", "3|v1"]).await;
        if !crashed {
            assert!(n > 4, "an erasure has more statements than {n}");
            return;
        }
    }
}
