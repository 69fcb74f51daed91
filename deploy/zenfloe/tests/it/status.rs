//! `zenfloe status`.

use zendesk_sim::{Fault, FaultKind};

use crate::bench::Bench;

fn json(bench: &Bench) -> serde_json::Value {
    let said = bench.expect(&["status", "--json"], 0);
    serde_json::from_str(&said.out).expect("JSON")
}

#[test]
fn nothing_is_made_by_looking() {
    let bench = Bench::new();
    let said = bench.expect(&["status"], 0);
    assert!(said.out.contains("nothing has been read yet"), "{}", said.out);
    assert!(!bench.path("log.sqlite").exists() && !bench.path("warehouse.sqlite").exists());
}

#[test]
fn every_collection_tells_state_lag_rows_and_requests() {
    let bench = Bench::new();
    bench.expect(&["run", "--once"], 0);
    // Neither keys nor credentials are needed to look.
    std::fs::remove_file(bench.path("seal.key")).expect("it was made");
    let told = json(&bench);
    let acme = &told["sources"]["acme"];
    let tickets = &acme["collections"]["tickets"];
    assert_eq!(tickets["state"], "current", "{tickets}");
    assert_eq!(tickets["records"], 60);
    assert_eq!(tickets["untransformed"], 0);
    assert!(tickets["requests"].as_u64().expect("a number") >= 1);
    assert!(tickets["lag_seconds"].is_u64() && tickets["succeeded_at"].is_i64());
    let table = &acme["destinations"]["warehouse"]["tables"]["tickets"];
    assert_eq!((&table["rows"], &table["unloaded"]), (&60.into(), &0.into()), "{table}");
    assert!(acme["budget"]["account"].is_u64(), "{}", acme["budget"]);
    let said = bench.expect(&["status", "--source", "acme"], 0);
    for part in ["tickets", "up to date", "60", "load warehouse"] {
        assert!(said.out.contains(part), "{part}\n{}", said.out);
    }
    bench.expect(&["status", "--source", "nobody"], 2);
}

#[test]
fn what_is_forbidden_is_told_with_its_remedy_and_stops_nothing_else() {
    let bench = Bench::new();
    let refused = FaultKind::Status {
        status: 403,
        retry_after: None,
    };
    bench
        .simulator
        .add_fault(Fault::new("/api/v2/organization_memberships", 1, refused));
    bench.expect(&["run", "--once"], 0);
    let told = json(&bench);
    let collections = &told["sources"]["acme"]["collections"];
    let memberships = &collections["organization_memberships"];
    assert_eq!(memberships["state"], "trouble", "{memberships}");
    assert_eq!(memberships["trouble"]["kind"], "not_available");
    let said = memberships["trouble"]["why"].as_str().expect("a text");
    assert!(said.contains("not available"), "{said}");
    assert_eq!(collections["tickets"]["state"], "current");
    let said = bench.expect(&["status"], 0);
    assert!(
        said.out.contains("SWITCHED OFF") && said.out.contains("tried again"),
        "{}",
        said.out
    );
    // It is there again: the next try clears it.
    bench.expect(&["run", "--once"], 0);
    assert_eq!(
        json(&bench)["sources"]["acme"]["collections"]["organization_memberships"]["state"],
        "current"
    );
}
