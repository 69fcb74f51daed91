//! The account itself: determinism, change, size.

use std::collections::HashMap;
use std::time::Duration;

use zendesk_sim::{Account, AccountSpec, Clock, Collection, SimConfig};

use crate::desk::{Desk, NOW, config, spec};

fn whole(account: &Account, ids: impl Iterator<Item = (Collection, i64)>) -> Vec<Option<String>> {
    ids.map(|(collection, id)| account.json(collection, id)).collect()
}

#[test]
fn equal_specifications_anchors_and_scripts_give_equal_accounts() {
    let mut one = Account::seeded(spec(200));
    one.apply_random_at(NOW + 5, 400, 3);
    let anchor = Some(one.anchor());
    let mut other = Account::seeded(AccountSpec { anchor, ..spec(200) });
    other.replay(one.script()).expect("the same script");
    let truth = Desk::with(SimConfig {
        spec: spec(200),
        ..config()
    });
    let ids: Vec<(Collection, i64)> = Collection::ALL
        .into_iter()
        .flat_map(|collection| truth.truth(collection).into_keys().map(move |id| (collection, id)))
        .collect();
    assert_eq!(whole(&one, ids.iter().copied()), whole(&other, ids.iter().copied()));
    assert_eq!(one.directory(), other.directory());
    let elsewhere = Account::seeded(AccountSpec { seed: 8, ..spec(200) });
    assert_ne!(whole(&one, ids.iter().copied()), whole(&elsewhere, ids.iter().copied()));
}

#[tokio::test]
async fn no_record_changes_without_its_version() {
    let desk = Desk::new();
    let mut known: HashMap<(Collection, i64, i64), String> = HashMap::new();
    for round in 0..12 {
        desk.sim.apply_random(150, round);
        desk.sim.advance(Duration::from_secs(40));
        for collection in [Collection::Tickets, Collection::Users, Collection::Organizations] {
            for truth in desk.sim.records(collection) {
                let mut json: serde_json::Value = serde_json::from_str(&truth.json).expect("JSON");
                json.as_object_mut().expect("a record").remove("slas");
                let key = (collection, truth.id, truth.version.expect("it has versions"));
                let json = json.to_string();
                // Two changes within one second share a version: the clock stands still in a round.
                let seen = known.insert(key, json.clone());
                if key.2 < NOW + 40 * i64::try_from(round).expect("few rounds") {
                    assert!(
                        seen.is_none_or(|seen| seen == json),
                        "{collection:?} {} of round {round}",
                        truth.id
                    );
                }
            }
        }
    }
}

#[tokio::test]
async fn traffic_changes_the_account_at_its_rate() {
    let desk = Desk::with(SimConfig {
        change_rate: 2_000.0,
        ..config()
    });
    let changes = || desk.sim.with_account(|account| account.script().len());
    while changes() < 300 {
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    desk.sim.set_change_rate(0.0);
    let stopped = changes();
    tokio::time::sleep(Duration::from_millis(200)).await;
    assert_eq!(changes(), stopped);
}

#[tokio::test]
async fn clocks_can_run_faster() {
    let clock = Clock::scaled(3_600.0);
    let began = clock.now();
    while clock.now() < began + 60 {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    assert!(!clock.advance(Duration::from_secs(1)));
}

#[test]
fn a_ticket_with_forty_fields_has_the_size_of_a_real_one() {
    let account = Account::seeded(AccountSpec {
        custom_fields: 40,
        ..spec(200)
    });
    let desk = Desk::with(SimConfig {
        spec: AccountSpec {
            custom_fields: 40,
            ..spec(200)
        },
        ..config()
    });
    let ids: Vec<i64> = desk.truth(Collection::Tickets).into_keys().collect();
    let bytes: usize = ids
        .iter()
        .filter_map(|id| account.json(Collection::Tickets, *id))
        .map(|json| json.len())
        .sum();
    let mean = bytes / ids.len();
    assert!((5_000..8_000).contains(&mean), "{mean} bytes");
}

#[tokio::test]
async fn the_same_seed_makes_the_same_traffic() {
    let script = async || {
        let desk = Desk::with(SimConfig {
            change_rate: 1_000.0,
            ..config()
        });
        let script = || desk.sim.with_account(|account| account.script().to_vec());
        while script().len() < 40 {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        script()[..40].to_vec()
    };
    assert_eq!(script().await, script().await);
}
