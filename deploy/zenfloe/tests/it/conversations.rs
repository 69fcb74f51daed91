//! Conversations of messaging tickets, which are read on request.

use zendesk_sim::Collection;
use zenfloe_oracle::compare::{Report, Truth, collection, compare};
use zenfloe_oracle::oracle::Oracle;
use zenfloe_oracle::sqlite::Warehouse;
use zenfloe_oracle::token::TokenRoot;

use crate::bench::Bench;

#[test]
fn what_was_said_in_messaging_is_in_its_table() {
    let bench = Bench::new();
    let on = "[sources.acme.extract]\ncollections = { on = [\"conversation_logs\"] }";
    bench.write(
        "zenfloe.toml",
        &bench.config("acme").replace("[sources.acme.extract]", on),
    );
    bench.expect(&["run", "--once"], 0);
    let requests = bench.simulator.requests();
    let logs = requests
        .iter()
        .filter(|request| request.path.ends_with("/conversation_log"));
    let truths: Vec<_> = bench.simulator.records(Collection::ConversationLogs).collect();
    assert!(truths.len() > 5, "{} entries", truths.len());
    assert!(logs.count() < 30, "none of tickets without a conversation");
    let oracle = Oracle {
        source: "acme".into(),
        root: TokenRoot::parse(&std::fs::read_to_string(bench.path("token.key")).expect("a key file")),
        erased: Default::default(),
    };
    let truths = truths.into_iter().map(|truth| Truth {
        record: serde_json::from_str(&truth.json).expect("JSON"),
        is_removed: false,
        is_unseen: false,
        is_wiped: false,
    });
    let mut report = Report::default();
    let mut warehouse = Warehouse::open(&bench.path("warehouse.sqlite")).expect("a database");
    compare(
        &oracle,
        collection("conversation_logs"),
        truths,
        &mut warehouse,
        &mut report,
    )
    .expect("it can be read");
    assert_eq!(report.different, 0, "{:?}", report.differences);
    let before = bench.simulator.requests().len();
    bench.expect(&["run", "--once"], 0);
    let again = bench.simulator.requests();
    assert!(
        !again[before..]
            .iter()
            .any(|request| request.path.ends_with("/conversation_log")),
        "nothing has changed"
    );
}
