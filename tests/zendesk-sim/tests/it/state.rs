//! An account that outlives its simulator.

use std::collections::BTreeMap;
use std::io::Write;
use std::process::{Command, Stdio};
use std::time::Duration;

use serde_json::Value;
use zendesk_sim::{Account, Collection, Op, SavedError, SimConfig};

use crate::desk::{Desk, config};

/// Threads share a simulator.
const fn is_shared<T: Send + Sync>() {}
const _: () = is_shared::<zendesk_sim::Simulator>();

fn everything(desk: &Desk) -> Vec<BTreeMap<i64, Value>> {
    Collection::ALL
        .into_iter()
        .map(|collection| desk.truth(collection))
        .collect()
}

#[tokio::test]
async fn a_restarted_simulator_goes_on_with_its_account() {
    let folder = tempfile::tempdir().expect("a folder");
    let state = Some(folder.path().join("account"));
    let config = || SimConfig {
        state: state.clone(),
        ..config()
    };
    let first = Desk::with(config());
    first.sim.apply_random(200, 4);
    first.sim.advance(Duration::from_secs(500));
    first.sim.apply_random(200, 5);
    let (known, people) = (everything(&first), first.sim.directory());
    first.sim.stop();
    let second = Desk::with(config());
    assert_eq!(second.sim.with_account(|account| account.script().len()), 400);
    let now = second.sim.with_account(Account::now);
    assert_eq!(now, crate::desk::NOW + 500, "not before the last change");
    assert_eq!(everything(&second), known);
    assert_eq!(second.sim.directory(), people);
    second.sim.apply(Op::CreateTicket { seed: 1 }).expect("always possible");
}

#[tokio::test]
async fn a_saved_account_can_be_loaded() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("account");
    let desk = Desk::new();
    desk.sim.apply_random(50, 4);
    desk.sim.save(&path).expect("a writable folder");
    let loaded = Account::load(&path).expect("it was just saved");
    for (id, json) in desk.truth(Collection::Users) {
        assert_eq!(
            serde_json::from_str::<Value>(&loaded.json(Collection::Users, id).expect("the same user")).expect("JSON"),
            json
        );
    }
    assert_eq!(
        std::fs::read_dir(folder.path()).expect("a folder").count(),
        1,
        "nothing is left beside it"
    );
}

#[test]
fn what_was_cut_off_is_no_change_and_what_is_broken_is_told() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("account");
    let mut account = Account::seeded(crate::desk::spec(20));
    account.apply_random(3, 1);
    account.save(&path).expect("a writable folder");
    let mut file = std::fs::OpenOptions::new()
        .append(true)
        .open(&path)
        .expect("it is there");
    file.write_all(b"{\"at\":18000").expect("a writable file");
    assert_eq!(Account::load(&path).expect("all but the last line").script().len(), 3);
    file.write_all(b"nonsense}\n").expect("a writable file");
    assert!(matches!(Account::load(&path), Err(SavedError::Broken { line: 5, .. })));
    std::fs::write(&path, "").expect("a writable file");
    assert!(matches!(Account::load(&path), Err(SavedError::Broken { line: 1, .. })));
    assert!(matches!(
        Account::load(&folder.path().join("none")),
        Err(SavedError::File { .. })
    ));
}

#[tokio::test]
async fn the_binary_tells_its_address_and_keeps_its_account_when_it_is_killed() {
    let folder = tempfile::tempdir().expect("a folder");
    let state = folder.path().join("account");
    let desk = Desk::new();
    let start = || {
        let mut process = Command::new(env!("CARGO_BIN_EXE_zendesk-sim"))
            .args([
                "--tickets",
                "50",
                "--seed",
                "3",
                "--token",
                "other",
                "--limits",
                "team",
                "--state",
            ])
            .arg(&state)
            .stdout(Stdio::piped())
            .spawn()
            .expect("the binary was built with this test");
        let mut url = String::new();
        let out = process.stdout.take().expect("it is piped");
        std::io::BufRead::read_line(&mut std::io::BufReader::new(out), &mut url).expect("a line");
        (process, url.trim().to_owned())
    };
    let (mut process, url) = start();
    let made = desk
        .http
        .post(format!("{url}/_sim/changes?n=30"))
        .send()
        .await
        .expect("an answer");
    assert_eq!(made.status(), 200);
    let truth = async |url: &str| {
        let answer = desk
            .http
            .get(format!("{url}/_sim/truth/users"))
            .send()
            .await
            .expect("an answer");
        answer.text().await.expect("lines")
    };
    let before = truth(&url).await;
    process.kill().expect("it runs");
    process.wait().expect("it ended");
    let (mut process, url) = start();
    assert_eq!(truth(&url).await, before);
    let other = crate::desk::basic(zendesk_sim::Credentials::EMAIL, "other");
    let groups = desk
        .http
        .get(format!("{url}/api/v2/groups"))
        .header("authorization", other)
        .send()
        .await;
    assert_eq!(groups.expect("an answer").headers()["x-rate-limit"], "200");
    process.kill().expect("it runs");
    process.wait().expect("it ended");
}

#[tokio::test]
async fn a_stopped_simulator_frees_its_port() {
    let first = Desk::new();
    let url = first.sim.url().to_owned();
    let port = url.rsplit_once(':').expect("a port").1.parse().expect("digits");
    assert_eq!(first.get("/api/v2/groups").await.status, 200, "a connection is open");
    first.sim.stop();
    let second = Desk::with(SimConfig { port, ..config() });
    assert_eq!(second.sim.url(), url);
    assert_eq!(second.get("/api/v2/groups").await.status, 200);
}
