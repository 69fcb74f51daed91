//! `zenfloe import`.

use serde_json::{Value, json};

use crate::bench::Bench;

/// What a query says, line by line, without its heading.
fn ask(bench: &Bench, query: &str) -> Vec<String> {
    let lines = zenfloe_oracle::sqlite::show(&bench.path("warehouse.sqlite"), query).expect("a result");
    lines[1..].iter().map(|line| line.trim().to_owned()).collect()
}

/// Ticket `id` as the account's own export tells it.
fn ticket(id: i64, subject: &str) -> Value {
    json!({
        "id": id,
        "subject": subject,
        "status": "closed",
        "created_at": "2019-01-02T03:04:05Z",
        "updated_at": "2019-02-03T04:05:06Z",
    })
}

fn move_on(bench: &Bench) {
    bench.expect(&["run", "--once", "--stage", "transform", "--stage", "load"], 0);
}

#[test]
fn an_export_fills_the_past_and_a_live_record_wins() {
    let bench = Bench::new();
    bench.expect(&["run", "--once"], 0);
    let live = ask(&bench, "SELECT id FROM tickets ORDER BY id LIMIT 1")[0].clone();
    let live: i64 = live.parse().expect("an id");
    let before = ask(
        &bench,
        "SELECT group_concat(id || coalesce(status, '') || _version) FROM tickets",
    );
    let lines: Vec<String> = [ticket(live, "old"), ticket(9_000_001, "a"), ticket(9_000_002, "b")]
        .iter()
        .map(Value::to_string)
        .collect();
    bench.write("tickets.ndjson", &lines.join("\n"));
    let import = [
        "import",
        "--source",
        "acme",
        "--collection",
        "tickets",
        "tickets.ndjson",
    ];
    let said = bench.expect(&import, 0);
    assert!(said.out.contains("tickets.ndjson: 3 records published"), "{}", said.out);
    move_on(&bench);
    assert_eq!(ask(&bench, "SELECT count(*) FROM tickets"), ["62"]);
    let kept =
        "SELECT group_concat(id || coalesce(status, '') || _version) FROM tickets WHERE id NOT IN (9000001, 9000002)";
    assert_eq!(ask(&bench, kept), before, "what came live stays");
    let imported = ask(&bench, "SELECT _version, status FROM tickets WHERE id = 9000001");
    assert!(
        imported[0].contains("2019-02-03 04:05:06"),
        "of its own time, never of now: {imported:?}"
    );

    // A second import, of the same contents under any name, changes nothing.
    let whole = ask(
        &bench,
        "SELECT group_concat(id || _loaded_at || _raw_offset) FROM tickets",
    );
    bench.write("copy.ndjson", &lines.join("\n"));
    let said = bench.expect(
        &["import", "--collection", "tickets", "tickets.ndjson", "copy.ndjson"],
        0,
    );
    assert_eq!(
        said.out.matches("was imported before (3 records)").count(),
        2,
        "{}",
        said.out
    );
    move_on(&bench);
    assert_eq!(
        ask(
            &bench,
            "SELECT group_concat(id || _loaded_at || _raw_offset) FROM tickets"
        ),
        whole
    );

    // Neither does the same in another form: equal states overwrite each other.
    bench.write("tickets.json", &format!("[{}]", lines.join(",\n")));
    let said = bench.expect(&["import", "--collection", "tickets", "tickets.json"], 0);
    assert!(said.out.contains("3 records published"), "{}", said.out);
    move_on(&bench);
    assert_eq!(ask(&bench, "SELECT count(*) FROM tickets"), ["62"]);
    assert_eq!(ask(&bench, kept), before);
}

#[test]
fn bad_lines_are_named_and_become_letters_and_bad_files_stop() {
    let bench = Bench::new();
    let text = format!(
        "{}\n{{\"id\":\n{{\"name\":\"x\"}}\n{}\n",
        ticket(1, "a"),
        ticket(2, "b")
    );
    bench.write("tickets.ndjson", &text);
    let said = bench.expect(&["import", "--collection", "tickets", "tickets.ndjson"], 0);
    for part in [
        "2 records published, 2 dead letters",
        "tickets.ndjson, line 2: it is no JSON",
        "tickets.ndjson, line 3: it has no `id`",
    ] {
        assert!(said.out.contains(part), "{part}\n{}", said.out);
    }
    let said = bench.expect(&["dead", "list"], 0);
    assert!(
        said.out.contains("tickets.ndjson, line 2") && said.out.contains("missing_key"),
        "{}",
        said.out
    );
    let place = said
        .out
        .lines()
        .find(|line| line.contains("line 3"))
        .expect("the letter");
    let offset = place.split(['/', ' ']).nth(1).expect("its offset");
    let said = bench.expect(&["dead", "show", offset, "--clear"], 0);
    assert!(said.out.contains("{\"name\":\"x\"}"), "{}", said.out);

    bench.write("users.csv", "id,name\n1,x\n");
    let said = bench.expect(&["import", "--collection", "users", "users.csv"], 2);
    assert!(
        said.err.contains("users.csv, line 1") && said.err.contains("a file of `users`?"),
        "{}",
        said.err
    );
    bench.write("cut.json", &format!("[{},\n{{\"id\":", ticket(3, "c")));
    let said = bench.expect(&["import", "--collection", "tickets", "cut.json"], 2);
    assert!(
        said.err.contains("cut.json, line 2") && said.err.contains("ends within"),
        "{}",
        said.err
    );
    let said = bench.expect(&["import", "--collection", "tickets", "absent.json"], 2);
    assert!(said.err.contains("absent.json"), "{}", said.err);
    let said = bench.expect(&["import", "--collection", "brands", "tickets.ndjson"], 3);
    assert!(
        said.err.contains("not selected") && said.err.contains("brands"),
        "{}",
        said.err
    );
    bench.expect(&["import", "--collection", "nonsense", "tickets.ndjson"], 3);
}
