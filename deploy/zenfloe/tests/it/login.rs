//! `zenfloe login`, and what becomes of its tokens.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::os::unix::fs::PermissionsExt;
use std::process::{Child, ChildStdout, Command, Stdio};
use std::time::Duration;

use zendesk_sim::Credentials;

use crate::bench::{Bench, binary};

/// A configuration that asks for a login.
fn config(bench: &Bench, log: &str) -> String {
    let text = bench.config("acme");
    let auth = text.lines().find(|line| line.starts_with("auth")).expect("a method");
    let login = format!(
        "auth = {{ method = \"oauth_login\", client_id = \"{}\", client_secret = {{ file = \"{}\" }}, tokens = \"tokens.json\" }}",
        Credentials::CLIENT_ID,
        bench.path("client.secret").display(),
    );
    text.replace(auth, &login).replace("log.sqlite", log)
}

fn bench() -> Bench {
    let bench = Bench::new();
    bench.write("client.secret", Credentials::CLIENT_SECRET);
    bench.write("zenfloe.toml", &config(&bench, "log.sqlite"));
    bench
}

/// What a browser gets from an address of this machine: the whole answer.
fn get(address: &str) -> String {
    let rest = address.strip_prefix("http://").expect("plain HTTP");
    let (host, path) = rest.split_once('/').expect("a path");
    let mut stream = TcpStream::connect(host.replace("localhost", "127.0.0.1")).expect("somebody listens");
    write!(
        stream,
        "GET /{path} HTTP/1.1\r\nhost: {host}\r\nconnection: close\r\n\r\n"
    )
    .expect("sent");
    let mut answer = String::new();
    stream.read_to_string(&mut answer).expect("an answer");
    answer
}

/// Begins a login; returns the address that it prints.
fn begin(bench: &Bench, more: &[&str]) -> (Child, BufReader<ChildStdout>, String) {
    let mut child = Command::new(binary())
        .args(["login", "--port", "0"])
        .args(more)
        .current_dir(bench.path(""))
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("it starts");
    let mut out = BufReader::new(child.stdout.take().expect("piped"));
    let mut line = String::new();
    while !line.starts_with("http") {
        line.clear();
        assert!(out.read_line(&mut line).expect("text") > 0, "it ended");
    }
    (child, out, line.trim().to_owned())
}

/// Where the account sends the browser.
fn sent_back(address: &str) -> String {
    let answer = get(address);
    let location = answer.lines().find_map(|line| line.strip_prefix("location: "));
    location.expect("a redirect").to_owned()
}

fn log_in(bench: &Bench, more: &[&str]) -> String {
    let (mut child, mut out, address) = begin(bench, more);
    assert!(address.contains("code_challenge_method=S256"), "{address}");
    let page = get(&sent_back(&address));
    assert!(page.contains("Thank you"), "{page}");
    let mut said = String::new();
    out.read_to_string(&mut said).expect("text");
    assert!(child.wait().expect("it ends").success(), "{said}");
    said
}

/// Beyond the life of an access token, by the account's clock.
fn let_tokens_expire(bench: &Bench) {
    bench.simulator.advance(Duration::from_secs(2_000));
}

#[test]
fn a_login_is_renewed_in_the_state_topic_and_lasts() {
    let bench = bench();
    let said = bench.expect(&["run", "--once"], 3);
    assert!(said.err.contains("zenfloe login"), "{}", said.err);
    log_in(&bench, &[]);
    let mode = std::fs::metadata(bench.path("tokens.json"))
        .expect("written")
        .permissions()
        .mode();
    assert_eq!(mode & 0o777, 0o600);
    let said = bench.expect(&["check"], 0);
    assert!(
        said.out.contains("acme: scopes") && said.out.contains("tickets:read"),
        "{}",
        said.out
    );
    bench.expect(&["run", "--once"], 0);
    // Refresh tokens are good for one use: only what was kept can renew a second time.
    for _ in 0..2 {
        let_tokens_expire(&bench);
        bench.expect(&["run", "--once"], 0);
    }
    bench.expect(&["check"], 0);
    let log = std::fs::read(bench.path("log.sqlite")).expect("the log");
    let seed = std::fs::read_to_string(bench.path("tokens.json")).expect("the seed");
    let access = seed.split('"').nth(3).expect("a token");
    assert!(
        !log.windows(access.len()).any(|part| part == access.as_bytes()),
        "sealed"
    );

    // The file's own pair is used up: without what was kept there is no way on but a new login.
    bench.write("zenfloe.toml", &config(&bench, "other.sqlite"));
    let extract = ["run", "--once", "--stage", "extract"];
    let said = bench.expect(&extract, 4);
    assert!(said.err.contains("log in again"), "{}", said.err);
    log_in(&bench, &[]);
    bench.expect(&extract, 0);
    // A later login wins over what is kept.
    bench.write("zenfloe.toml", &config(&bench, "log.sqlite"));
    bench.expect(&["run", "--once"], 0);
}

#[test]
fn a_manifest_holds_the_same_and_a_foreign_answer_is_refused() {
    let bench = bench();
    let said = log_in(&bench, &["--manifest", "-"]);
    assert!(
        said.contains("kind: Secret") && said.contains("tokens.json: '{\"access_token\""),
        "{said}"
    );
    assert!(!bench.path("tokens.json").exists());
    let (child, _, address) = begin(&bench, &[]);
    let back = sent_back(&address);
    let (place, _) = back.split_once("state=").expect("a state");
    get(&format!("{place}state=of-somebody-else"));
    let ended = child.wait_with_output().expect("it ends");
    assert_eq!(ended.status.code(), Some(4));
    bench.write("zenfloe.toml", &bench.config("acme"));
    let said = bench.expect(&["login"], 3);
    assert!(said.err.contains("oauth_login"), "{}", said.err);
}
