//! The demo: whole, again, and stopped.

use std::process::Command;

use crate::bench::{Said, binary};

fn demo(folder: &std::path::Path) -> Said {
    let output = Command::new(binary())
        .args(["demo", "--tickets", "300", "--dir"])
        .arg(folder)
        .output();
    Said::of(&output.expect("it starts"))
}

#[test]
fn the_demo_ends_well_and_a_second_run_moves_only_what_changed() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let first = demo(folder.path());
    assert_eq!(first.code, 0, "{}\n{}", first.out, first.err);
    assert!(
        first.out.contains("0 differ")
            && first.out.contains("in every text, 0 found")
            && first.out.contains("sqlite3 -box"),
        "{}",
        first.out
    );
    assert!(
        first.err.contains("extract   demo tickets"),
        "progress is shown:\n{}",
        first.err
    );
    for _ in 0..3 {
        let again = demo(folder.path());
        assert_eq!(again.code, 0, "{}\n{}", again.out, again.err);
        assert!(
            again.out.contains("changes later") && again.out.contains("0 differ"),
            "{}",
            again.out
        );
        let moved = again
            .out
            .lines()
            .find(|line| line.contains("requests to the account"))
            .expect("a summary");
        let records: u64 = moved.split(' ').nth(5).expect("a count").parse().expect("a number");
        assert!(records < 60, "only what changed: {moved}");
    }
}

#[test]
fn a_row_that_differs_fails_the_demo() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    assert_eq!(demo(folder.path()).code, 0);
    let spoilt = rusqlite::Connection::open(folder.path().join("warehouse.sqlite")).expect("the database");
    let ticket = "(SELECT min(id) FROM tickets WHERE NOT _deleted AND priority IS NOT 'urgent')";
    spoilt
        .execute(
            &format!(
                "UPDATE tickets SET priority = 'urgent', _version = '9999-01-01 00:00:00.000000' WHERE id = {ticket}"
            ),
            [],
        )
        .expect("changed");
    drop(spoilt);
    let said = demo(folder.path());
    assert_eq!(said.code, 9, "{}\n{}", said.out, said.err);
    assert!(
        said.err.contains("tickets") && said.err.contains("`priority`"),
        "{}",
        said.err
    );
}
