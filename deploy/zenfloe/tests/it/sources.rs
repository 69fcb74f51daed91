//! Several sources, a history again, a source less.

use crate::bench::Bench;

#[test]
fn a_second_source_has_files_of_its_name_and_moves_nothing_of_the_first() {
    let bench = Bench::new();
    bench.expect(&["run", "--once"], 0);
    let text = bench.config("acme");
    let (head, rest) = text.split_once("[destinations").expect("a destination");
    // Its name comes before the first one's; its place in the file does not.
    let start = head.find("[sources").expect("a source");
    let second = head[start..].replace("sources.acme", "sources.aachen");
    bench.write("zenfloe.toml", &format!("{head}{second}\n[destinations{rest}"));
    bench.expect(&["run", "--once"], 0);
    for file in ["warehouse.sqlite", "aachen.sqlite"] {
        let lines = zenfloe_oracle::sqlite::show(&bench.path(file), "SELECT count(*) FROM tickets");
        assert_eq!(lines.expect("a result")[1].trim(), "60", "{file}");
    }
    assert!(!bench.path("acme.sqlite").exists());
    let said = bench.expect(&["status"], 0);
    assert!(
        said.out.contains("acme\n") && said.out.contains("aachen\n"),
        "{}",
        said.out
    );
    bench.expect(&["resync", "--collection", "tickets"], 2);
}

#[test]
fn a_history_is_read_again_and_a_source_is_forgotten() {
    let bench = Bench::new();
    let said = bench.expect(&["resync", "--collection", "tickets"], 0);
    assert!(said.out.contains("nothing has been read"), "{}", said.out);
    bench.expect(&["run", "--once"], 0);
    let said = bench.expect(&["resync", "--collection", "tickets", "--collection", "groups"], 0);
    assert!(said.out.contains("tickets: a running extractor"), "{}", said.out);
    let requests = bench.simulator.requests().len();
    bench.expect(&["run", "--once"], 0);
    let asked = bench.simulator.requests();
    let past = asked[requests..]
        .iter()
        .filter(|request| request.path.contains("/incremental/tickets"));
    assert!(past.count() >= 2, "live and past");
    let said = bench.expect(&["source", "remove", "acme"], 0);
    for part in [
        "topic acme.raw.tickets",
        "warehouse.sqlite",
        "Nothing has been done",
        "What goes",
    ] {
        assert!(said.out.contains(part), "{part}\n{}", said.out);
    }
    let said = bench.expect(&["source", "remove", "acme", "--yes"], 0);
    assert!(said.out.contains("Forgotten"), "{}", said.out);
    let said = bench.expect(&["status"], 0);
    assert!(said.out.contains("not begun"), "{}", said.out);
    bench.expect(&["source", "remove", "nobody"], 2);
}

#[test]
fn api_tokens_are_told_to_end() {
    let bench = Bench::new();
    let said = bench.expect(&["check"], 0);
    assert!(
        said.out.contains("2027-04-30") && said.out.contains("acme: scopes"),
        "{}",
        said.out
    );
}
