//! What the commands do when all is well.

use zendesk_sim::{Fault, FaultKind};

use crate::bench::Bench;

#[test]
fn init_writes_a_configuration_that_check_understands_and_replaces_none() {
    let bench = Bench::new();
    let said = bench.expect(&["init", "--config", "fresh.toml"], 0);
    assert!(said.out.contains("zenfloe keys new"), "{}", said.out);
    let text = std::fs::read_to_string(bench.path("fresh.toml")).expect("written");
    assert!(text.contains("client_secret"), "{text}");
    let said = bench.expect(&["init", "--config", "fresh.toml"], 3);
    assert!(said.err.contains("never replaced"), "{}", said.err);
    // The example's environment variable is not set here, which is the first thing that check can say.
    let said = bench.expect(&["check", "--config", "fresh.toml"], 9);
    assert!(said.out.contains("ZENDESK_CLIENT_SECRET"), "{}", said.out);
    assert!(said.out.contains("ok  configuration"), "{}", said.out);
}

#[test]
fn check_names_every_part_and_every_collection() {
    let bench = Bench::new();
    let said = bench.expect(&["check"], 0);
    for subject in [
        "seal key",
        "token key",
        "log",
        "registry",
        "acme: credentials",
        "acme: tickets",
        "destination warehouse",
    ] {
        assert!(said.out.contains(subject), "{subject}\n{}", said.out);
    }
    assert!(said.out.contains("all well"));
}

/// A second destination of the same file, which keeps every state of some tables.
#[test]
fn a_history_stands_beside_the_newest_state() {
    let bench = Bench::new();
    let history = "[destinations.history]\nkind = \"sqlite\"\npath = \"warehouse.sqlite\"\nmode = \"append\"\n\
                   table_suffix = \"_history\"\ntables = { only = [\"tickets\"] }\n\n[admin]";
    bench.write("zenfloe.toml", &bench.config("acme").replace("[admin]", history));
    bench.expect(&["run", "--once"], 0);
    let count = |table: &str| {
        let query = format!("SELECT count(*) AS n FROM {table}");
        let lines = zenfloe_oracle::sqlite::show(&bench.path("warehouse.sqlite"), &query).expect("a result");
        lines[1].trim().parse::<u64>().expect("a number")
    };
    let (newest, every) = (count("tickets"), count("tickets_history"));
    assert!(newest == 60 && every >= newest, "{newest} {every}");
    let found = zenfloe_oracle::sqlite::show(&bench.path("warehouse.sqlite"), "SELECT count(*) FROM users_history");
    assert!(found.is_err(), "only the tables named");
}

#[test]
fn a_single_pass_fills_the_database_and_a_second_one_only_adds() {
    let bench = Bench::new();
    bench.expect(&["run", "--once"], 0);
    let count = |query: &str| {
        let lines = zenfloe_oracle::sqlite::show(&bench.path("warehouse.sqlite"), query).expect("a result");
        lines[1].trim().parse::<u64>().expect("a number")
    };
    assert_eq!(count("SELECT count(*) AS n FROM tickets"), 60);
    let loaded_twice = count("SELECT count(DISTINCT _loaded_at) AS n FROM tickets");
    bench.expect(&["run", "--once"], 0);
    assert_eq!(count("SELECT count(*) AS n FROM tickets"), 60);
    assert_eq!(
        count("SELECT count(DISTINCT _loaded_at) AS n FROM tickets"),
        loaded_twice,
        "nothing is loaded again"
    );
    assert_eq!(
        count("SELECT count(*) AS n FROM users WHERE email LIKE '%@%'"),
        0,
        "no address in clear text"
    );
}

#[test]
fn a_replay_is_told_before_it_is_made() {
    let bench = Bench::new();
    bench.expect(&["run", "--once"], 0);
    let said = bench.expect(&["replay", "--all", "--dry-run", "--collection", "tickets"], 0);
    assert!(
        said.out.contains("acme.raw.tickets[0]") && !said.out.contains("users"),
        "{}",
        said.out
    );
    let said = bench.expect(&["replay", "--all", "--collection", "tickets"], 0);
    assert!(
        said.out.contains("60 records, 180 rows, 0 dead letters"),
        "{}",
        said.out
    );
    bench.expect(&["run", "--once", "--stage", "load"], 0);
    let said = bench.expect(&["replay", "--all", "--collection", "tikets"], 2);
    assert!(
        said.err.contains("no collection `tikets`") && said.err.contains("tickets"),
        "{}",
        said.err
    );
    let said = bench.expect(&["replay", "--from-time", "yesterday"], 2);
    assert!(said.err.contains("2026-01-31T12:00:00Z"), "{}", said.err);
}

#[test]
fn dead_letters_are_listed_shown_and_tried_again() {
    let bench = Bench::new();
    let absurd =
        r#"{"id":77,"url":"x","name":"qanary.letter@canary-mail.example","created_at":"0000-99-99T00:00:00Z"}"#;
    let rows = FaultKind::ExtraRows {
        rows: vec![absurd.into()],
    };
    bench.simulator.add_fault(Fault::new("/api/v2/groups", 1, rows));
    bench.expect(&["run", "--once"], 0);
    let said = bench.expect(&["dead", "list"], 0);
    assert!(said.out.contains("1 letters, 0 of them settled"), "{}", said.out);
    assert!(
        said.out.contains("absurd_date") || said.out.contains("wrong_type"),
        "{}",
        said.out
    );
    let place = said
        .out
        .lines()
        .last()
        .expect("a letter")
        .split_whitespace()
        .next()
        .expect("its place")
        .to_owned();
    let offset = place.split_once('/').expect("partition/offset").1.to_owned();
    let said = bench.expect(&["dead", "show", &offset], 0);
    assert!(
        said.out.contains("created_at") && !said.out.contains("qanary.letter"),
        "{}",
        said.out
    );
    let said = bench.expect(&["dead", "show", &offset, "--clear"], 0);
    assert!(said.out.contains("qanary.letter@canary-mail.example"), "{}", said.out);
    let said = bench.expect(&["dead", "retry"], 0);
    assert!(said.out.contains("0 settled (0 rows), 1 dead again"), "{}", said.out);
    bench.expect(&["dead", "show", "4711"], 2);
}

#[test]
fn the_catalog_shows_what_happens_to_every_column() {
    let bench = Bench::new();
    let said = bench.expect(&["catalog", "--table", "users"], 0);
    let email = said
        .out
        .lines()
        .find(|line| line.trim_start().starts_with("email "))
        .expect("the column");
    assert!(email.contains("token"), "{email}");
    let said = bench.expect(&["catalog", "--json"], 0);
    let tables: serde_json::Value = serde_json::from_str(&said.out).expect("JSON");
    assert!(tables.as_array().expect("a list").len() >= 11);
    bench.expect(&["catalog", "--table", "nonsense"], 2);
}

#[test]
fn the_record_of_processing_names_rule_and_beginning() {
    let bench = Bench::new();
    let config = bench.path("zenfloe.toml");
    let text = std::fs::read_to_string(&config).expect("written by the bench");
    let chosen = "[sources.acme.transform]\nexclude = [\"users.notes\"]\n\
        actions = { \"users.locale\" = \"drop\", \"users.alias\" = { action = \"clear\", reason = \"the duty roster\" } }\n";
    std::fs::write(&config, format!("{text}\n{chosen}")).expect("writable");
    let line = |out: &str, name: &str| {
        let found = out.lines().find(|line| line.trim_start().starts_with(name));
        found.unwrap_or_else(|| panic!("{name}: {out}")).to_owned()
    };
    let before = bench.expect(&["catalog", "--privacy", "--table", "users"], 0).out;
    assert!(line(&before, "email ").contains("not yet"), "{before}");
    bench.expect(&["run", "--once"], 0);
    let after = bench.expect(&["catalog", "--privacy", "--table", "users"], 0).out;
    let (email, notes) = (line(&after, "email "), line(&after, "notes "));
    assert!(email.contains("token") && email.contains("revision 1, 2") && email.contains("default of its class"));
    assert!(
        notes.contains("drop") && notes.contains("exclude \"users.notes\""),
        "{notes}"
    );
    let alias = line(&after, "alias ");
    assert!(alias.contains("clear") && alias.contains("the duty roster"), "{alias}");
    let page = bench.expect(&["catalog", "--privacy", "--markdown"], 0).out;
    assert!(page.contains("## tickets") && page.contains("| `custom_"), "{page}");
    let json = bench
        .expect(&["catalog", "--privacy", "--json", "--table", "users"], 0)
        .out;
    let all: Vec<serde_json::Value> = serde_json::from_str(&json).expect("JSON");
    let locale = all.iter().find(|one| one["column"] == "locale").expect("a column");
    assert_eq!(
        (&locale["action"], &locale["by"]["rule"]),
        (&"drop".into(), &"action".into())
    );
}
