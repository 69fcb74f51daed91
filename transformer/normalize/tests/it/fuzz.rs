//! Damaged records: no panic, and JSON is told from what is not.

use proptest::prelude::*;
use serde_json::value::RawValue;
use zenfloe_normalize::Output;
use zenfloe_record::Reason;

use crate::judge::{GIVEN, Marker, collection, oracle, plan};
use crate::random::records;

/// Changes one byte, cuts, or doubles a part.
fn damage(json: &mut Vec<u8>, kind: u8, place: usize, byte: u8) {
    let place = place % json.len().max(1);
    match kind % 5 {
        0 => json[place] = byte,
        1 => json.truncate(place),
        2 => json.insert(place, byte),
        3 => {
            json.remove(place);
        }
        _ => {
            let part = json[place..(place + usize::from(byte)).min(json.len())].to_vec();
            json.splice(place..place, part);
        }
    }
    if json.is_empty() {
        json.push(byte);
    }
}

fn damages() -> impl Strategy<Value = Vec<(u8, usize, u8)>> {
    let structural = proptest::sample::select(b"{}[]\",:\\0-.eE ntfu\n\x00\xff\xc3".as_slice());
    let byte = prop_oneof![structural, any::<u8>()];
    proptest::collection::vec((any::<u8>(), any::<usize>(), byte), 1..4)
}

fn check_damaged(name: &'static str) {
    let plan = plan(name);
    let config = ProptestConfig {
        cases: 1_500,
        failure_persistence: None,
        ..ProptestConfig::default()
    };
    proptest!(config, |(record in records(collection(name)), damages in damages())| {
        let mut json = record.to_string().into_bytes();
        damages.into_iter().for_each(|(kind, place, byte)| damage(&mut json, kind, place, byte));
        let mut out = Output::new();
        let end = plan.run(&json, &GIVEN, &mut Marker(oracle()), &mut out);
        let is_json = serde_json::from_slice::<&RawValue>(&json).is_ok();
        let refused_as = end.as_ref().err().map(|fault| fault.reason);
        if is_json {
            prop_assert_ne!(refused_as, Some(Reason::NotJson), "{}", String::from_utf8_lossy(&json));
        } else {
            prop_assert_ne!(refused_as, None, "{}", String::from_utf8_lossy(&json));
        }
        prop_assert!(end.is_ok() || (out.rows.is_empty() && out.bytes.is_empty()));
    });
}

#[test]
fn damaged_tickets_are_refused_or_read() {
    check_damaged("tickets");
}

#[test]
fn damaged_users_are_refused_or_read() {
    check_damaged("users");
}

#[test]
fn noise_is_refused() {
    let plan = plan("groups");
    proptest!(|(noise in proptest::collection::vec(any::<u8>(), 0..200))| {
        let end = plan.run(&noise, &GIVEN, &mut Marker(oracle()), &mut Output::new());
        prop_assert!(end.is_err());
    });
}
