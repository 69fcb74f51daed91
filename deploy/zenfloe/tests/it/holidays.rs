//! Schedules with their holidays, which are read on request and published when they change.

use zendesk_sim::{Collection, Op};

use crate::bench::Bench;

fn ask(bench: &Bench, query: &str) -> i64 {
    let database = rusqlite::Connection::open(bench.path("warehouse.sqlite")).expect("the database");
    database.query_row(query, [], |row| row.get(0)).expect(query)
}

/// Records of schedules that were ever published.
fn published(bench: &Bench) -> u64 {
    let said = bench.expect(&["status", "--json"], 0);
    let told: serde_json::Value = serde_json::from_str(&said.out).expect("JSON");
    told["sources"]["acme"]["collections"]["schedules"]["records"]
        .as_u64()
        .expect("a number")
}

#[test]
fn holidays_come_and_go_and_idle_ones_are_not_published_again() {
    const LIVE: &str = "SELECT count(*) FROM schedule_holidays WHERE NOT _deleted";
    let bench = Bench::new();
    let on = "[sources.acme.extract]\ncollections = { on = [\"schedules\"] }";
    bench.write(
        "zenfloe.toml",
        &bench.config("acme").replace("[sources.acme.extract]", on),
    );
    bench.expect(&["run", "--once"], 0);
    let schedules: Vec<i64> = bench
        .simulator
        .records(Collection::Schedules)
        .map(|truth| truth.id)
        .collect();
    assert_eq!(
        ask(&bench, "SELECT count(*) FROM schedules WHERE NOT _deleted"),
        schedules.len() as i64
    );
    assert_eq!(ask(&bench, LIVE), 2 * schedules.len() as i64);
    let days = "SELECT count(*) FROM schedule_holidays WHERE start_date LIKE '2026-%' OR start_date LIKE '2027-%'";
    assert_eq!(ask(&bench, days), 2 * schedules.len() as i64);
    let first = published(&bench);
    bench.expect(&["run", "--once"], 0);
    assert_eq!(published(&bench), first, "nothing has changed");

    let gone = bench
        .simulator
        .apply(Op::RemoveHoliday { id: schedules[0] })
        .expect("it has some");
    let new = bench
        .simulator
        .apply(Op::AddHoliday { id: schedules[1] })
        .expect("a schedule");
    bench.expect(&["run", "--once"], 0);
    assert_eq!(published(&bench), first + 2, "one set of each");
    let is_deleted = |id| {
        ask(
            &bench,
            &format!("SELECT _deleted FROM schedule_holidays WHERE id = {id}"),
        )
    };
    assert_eq!((is_deleted(gone), is_deleted(new)), (1, 0));
    assert_eq!(ask(&bench, LIVE), 2 * schedules.len() as i64);

    bench
        .simulator
        .apply(Op::RemoveSchedule { id: schedules[1] })
        .expect("a schedule");
    for _ in 0..2 {
        bench.expect(&["run", "--once"], 0);
    }
    assert_eq!(
        ask(&bench, LIVE),
        2 * schedules.len() as i64 - 3,
        "with a schedule go its holidays"
    );
    assert_eq!(is_deleted(new), 1);
}
