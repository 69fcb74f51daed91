//! What the commands say when something is wrong: what, where, what next, and with which exit code.

use zendesk_sim::Credentials;

use crate::bench::Bench;

#[track_caller]
fn refused(bench: &Bench, words: &[&str], code: i32, parts: &[&str]) {
    let said = bench.expect(words, code);
    let all = said.out + &said.err;
    for part in parts {
        assert!(all.contains(part), "`{part}` is not said:\n{all}");
    }
    assert!(!all.contains(Credentials::TOKEN), "a secret is printed:\n{all}");
}

#[test]
fn configurations_that_cannot_work_are_refused_by_name() {
    let bench = Bench::new();
    refused(
        &bench,
        &["run", "--config", "absent.toml"],
        3,
        &["absent.toml", "zenfloe init"],
    );
    bench.write("typo.toml", &bench.config("acme").replace("partitions", "partitons"));
    refused(
        &bench,
        &["run", "--config", "typo.toml"],
        3,
        &["typo.toml", "partitons", "line"],
    );
    for (given, hint) in [("acme.zendesk.com", "acme"), ("https://acme.zendesk.com", "acme")] {
        bench.write("address.toml", &bench.config(given));
        refused(
            &bench,
            &["run", "--config", "address.toml"],
            3,
            &["is an address", &format!("`{hint}`")],
        );
    }
    bench.write(
        "none.toml",
        &bench.config("acme").replace(
            "[sources.acme.extract]",
            "[sources.acme.extract]\ncollections = { on = [\"grups\"] }",
        ),
    );
    refused(
        &bench,
        &["run", "--once", "--config", "none.toml"],
        3,
        &["grups", "zenfloe catalog"],
    );
    let kafka = bench.config("acme").replace(
        "kind = \"file\"\npath = \"log.sqlite\"",
        "kind = \"kafka\"\nbrokers = [\"127.0.0.1:1\"]",
    );
    bench.write("kafka.toml", &kafka);
    refused(&bench, &["run", "--config", "kafka.toml"], 3, &["registry", "http"]);
    assert!(
        bench.simulator.requests().is_empty(),
        "nothing was asked before the configuration was right"
    );
}

#[test]
fn missing_keys_and_wrong_credentials_have_codes_of_their_own() {
    let bench = Bench::new();
    std::fs::rename(bench.path("seal.key"), bench.path("away.key")).expect("moved");
    refused(&bench, &["run", "--once"], 3, &["seal.key", "zenfloe keys new"]);
    std::fs::rename(bench.path("away.key"), bench.path("seal.key")).expect("moved back");
    bench.write("zendesk.token", "wrong");
    refused(&bench, &["run", "--once"], 4, &["credentials", "nothing is lost"]);
    refused(
        &bench,
        &["check"],
        9,
        &["BAD acme: credentials", "check `subdomain` and `auth`"],
    );
    bench.write("zendesk.token", Credentials::TOKEN);
    bench.expect(&["run", "--once"], 0);
}

#[test]
fn records_under_an_unknown_key_stop_the_transformer_and_lose_nothing() {
    let bench = Bench::new();
    bench.expect(&["run", "--once", "--stage", "extract"], 0);
    let text = std::fs::read_to_string(bench.path("seal.key")).expect("read");
    bench.write("seal.key", &text.replace("\n1 ", "\n2 "));
    refused(
        &bench,
        &["run", "--once", "--stage", "transform"],
        6,
        &["version 1", "nothing is lost"],
    );
    bench.write("seal.key", &text);
    bench.expect(&["run", "--once"], 0);
}

#[test]
fn a_port_that_is_taken_is_said() {
    let bench = Bench::new();
    let held = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = held.local_addr().expect("its address").to_string();
    bench.write("port.toml", &bench.config("acme").replace("127.0.0.1:0", &address));
    refused(
        &bench,
        &["run", "--once", "--config", "port.toml"],
        3,
        &[&address, "admin.listen"],
    );
}
