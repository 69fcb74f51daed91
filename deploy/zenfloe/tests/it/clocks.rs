//! SLA clocks of an account whose exports leave them out.

use serde_json::Value;
use zendesk_sim::{Collection, SimConfig};

use crate::bench::Bench;

#[test]
fn clocks_that_exports_leave_out_are_in_their_table_all_the_same() {
    let bench = Bench::with(|config| SimConfig {
        exports_slas: false,
        ..config
    });
    let said = bench.expect(&["run", "--once"], 0);
    assert!(said.err.contains("leave `slas` out"), "it is said:\n{}", said.err);
    let database = rusqlite::Connection::open(bench.path("warehouse.sqlite")).expect("the database");
    let mut held = 0;
    for truth in bench
        .simulator
        .records(Collection::Tickets)
        .filter(|truth| !truth.is_deleted)
    {
        let ticket: Value = serde_json::from_str(&truth.json).expect("JSON");
        let query = "SELECT policy_metrics FROM ticket_slas WHERE ticket_id = ? AND NOT _deleted";
        let clocks: Option<String> = database.query_row(query, [truth.id], |row| row.get(0)).expect("a row");
        let clocks: Value = clocks.map_or(Value::Null, |text| serde_json::from_str(&text).expect("JSON"));
        assert_eq!(clocks, ticket["slas"]["policy_metrics"], "ticket {}", truth.id);
        held += 1;
    }
    assert!(held > 50, "{held} tickets");
    let without_status = "SELECT count(*) FROM tickets WHERE status IS NULL";
    let counted: i64 = database
        .query_row(without_status, [], |row| row.get(0))
        .expect("a count");
    assert_eq!(counted, 0, "clocks that come alone make no ticket");
}
