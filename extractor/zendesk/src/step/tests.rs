use super::*;
use bytes::Bytes;
use zenfloe_catalog::Catalog;

const NOW: i64 = 1_791_532_660;

fn answer(name: &str, after: &Place, was_largest: bool, body: &str) -> Result<Step, Fault> {
    let collection = Catalog::builtin()
        .collection(name)
        .expect("a collection of this release");
    let body = Bytes::from(body.to_owned());
    let envelope = Envelope::read(collection, &body).expect("a page");
    let records = envelope.records(collection, &body);
    let (after, until) = after.bounded();
    Exchange {
        collection,
        after,
        until,
        was_largest,
        date: NOW,
    }
    .step(&envelope, records)
}

/// Organizations or users with ids and seconds before now.
fn rows(envelope: &str, rows: &[(i64, i64)], rest: &str) -> String {
    let rows: Vec<_> = rows
        .iter()
        .map(|(id, age)| {
            let time = Timestamp::from_second(NOW - age).expect("in range");
            format!(r#"{{"id":{id},"updated_at":"{time}"}}"#)
        })
        .collect();
    format!(r#"{{"{envelope}":[{}],{rest}}}"#, rows.join(","))
}

fn keys(step: &Step) -> Vec<String> {
    step.records
        .iter()
        .map(|record| String::from_utf8(record.key.clone()).expect("digits"))
        .collect()
}

fn cursor(cursor: &str, time: i64, delivered_to: Option<i64>) -> Place {
    Place::Cursor {
        cursor: cursor.into(),
        time: Some(time),
        delivered_to,
    }
}

fn time(start_time: i64, seen: &[&str]) -> Place {
    Place::Time {
        start_time,
        seen: seen.iter().map(|key| (*key).into()).collect(),
    }
}

#[test]
fn boundary_repeats_of_time_exports_are_dropped() {
    let end = NOW - 500;
    let first = rows(
        "organizations",
        &[(1, 900), (2, 500), (3, 500)],
        &format!(r#""end_time":{end},"end_of_stream":false"#),
    );
    let step = answer("organizations", &Place::start(), true, &first).expect("a page");
    assert_eq!(
        (keys(&step), &step.next),
        (vec!["1".into(), "2".into(), "3".into()], &time(end, &["2", "3"]))
    );

    let second = rows(
        "organizations",
        &[(3, 500), (2, 500), (4, 500), (5, 400)],
        &format!(r#""end_time":{},"end_of_stream":true"#, NOW - 400),
    );
    let step = answer("organizations", &step.next, true, &second).expect("a page");
    assert_eq!(
        (keys(&step), step.repeats, step.is_caught_up),
        (vec!["4".into(), "5".into()], 2, true)
    );
    assert_eq!(step.next, time(NOW - 400, &["5"]));

    let poll = rows(
        "organizations",
        &[(5, 400)],
        &format!(r#""end_time":{},"end_of_stream":true"#, NOW - 400),
    );
    let step = answer("organizations", &step.next, true, &poll).expect("a page");
    assert_eq!((keys(&step).len(), step.repeats), (0, 1));
    assert_eq!(step.next, time(NOW - 400, &["5"]), "an unchanged poll changes nothing");
}

#[test]
fn an_expanded_second_ends_behind_itself() {
    let body = rows(
        "organizations",
        &[(1, 500), (2, 500)],
        &format!(r#""end_time":{},"end_of_stream":false"#, NOW - 499),
    );
    let step = answer("organizations", &time(NOW - 500, &[]), true, &body).expect("a page");
    assert_eq!(step.next, time(NOW - 499, &[]));
}

#[test]
fn the_last_minute_is_held_back() {
    let body = rows(
        "organizations",
        &[(1, 300), (2, 62), (3, 61), (4, 60), (5, 1)],
        &format!(r#""end_time":{},"end_of_stream":true"#, NOW - 1),
    );
    let step = answer("organizations", &Place::start(), true, &body).expect("a page");
    assert_eq!(keys(&step), ["1", "2", "3"]);
    assert_eq!(step.next, time(NOW - 61, &["3"]));
    assert!(step.is_caught_up);

    let fresh = rows("organizations", &[(5, 1)], r#""end_time":null,"end_of_stream":true"#);
    let step = answer("organizations", &time(NOW - 61, &["3"]), true, &fresh).expect("a page");
    assert_eq!((keys(&step).len(), step.next), (0, time(NOW - 61, &["3"])));
}

#[test]
fn a_second_larger_than_the_page_is_passed_with_a_note() {
    let start = NOW - 500;
    let body = rows(
        "organizations",
        &[(1, 500), (2, 500)],
        &format!(r#""end_time":{start},"end_of_stream":false"#),
    );
    let small = answer("organizations", &time(start, &[]), false, &body).expect("a page");
    assert_eq!(small.note, Some(Note::SecondWasCut { second: start }));
    assert_eq!(small.next, time(start, &["1", "2"]));
    let large = answer("organizations", &small.next, true, &body).expect("a page");
    assert_eq!(large.note, Some(Note::PossibleGap { second: start }));
    assert_eq!((large.next, large.records.len()), (time(start + 1, &[]), 0));
}

#[test]
fn an_end_that_does_not_move_is_moved_by_the_rows() {
    let start = NOW - 900;
    let body = rows(
        "organizations",
        &[(1, 700), (2, 500)],
        &format!(r#""end_time":{start},"end_of_stream":false"#),
    );
    let step = answer("organizations", &time(start, &["9"]), true, &body).expect("a page");
    assert_eq!((&step.next, step.note), (&time(NOW - 500, &["2"]), None));
}

#[test]
fn the_users_cursor_waits_for_the_last_minute_to_settle() {
    let held = cursor("a", NOW - 900, None);
    let body = rows(
        "users",
        &[(1, 300), (2, 61), (3, 5)],
        r#""after_cursor":"b","end_of_stream":true"#,
    );
    let step = answer("users", &held, true, &body).expect("a page");
    assert_eq!(keys(&step), ["1", "2"]);
    let again = cursor("a", NOW - 900, Some(NOW - 61));
    assert_eq!((step.is_caught_up, &step.next), (true, &again));

    let later = cursor("a", NOW - 900, Some(NOW - 1_861));
    let body = rows(
        "users",
        &[(1, 2_100), (2, 1_861), (3, 1_805), (4, 1_500)],
        r#""after_cursor":"c","end_of_stream":true"#,
    );
    let step = answer("users", &later, true, &body).expect("a page");
    assert_eq!((keys(&step), step.repeats), (vec!["3".into(), "4".into()], 2));
    assert_eq!(step.next, cursor("c", NOW - 1_500, None));
}

#[test]
fn a_full_page_that_reaches_into_the_last_minute_waits_too() {
    let held = cursor("a", NOW - 900, None);
    let body = rows(
        "users",
        &[(1, 300), (2, 61), (3, 5)],
        r#""after_cursor":"b","end_of_stream":false"#,
    );
    let step = answer("users", &held, true, &body).expect("a page");
    assert_eq!((keys(&step), step.is_caught_up), (vec!["1".into(), "2".into()], true));
    assert_eq!(
        step.next,
        held.delivered(NOW - 61),
        "what may still come before row 3 is not passed"
    );
}

#[test]
fn an_empty_page_does_not_lead_into_the_last_minute() {
    let start = time(NOW - 500, &["7"]);
    for (end, next) in [("null", NOW - 500), ("1791532660", NOW - 61), ("1791532160", NOW - 500)] {
        let body = format!(r#"{{"organizations":[],"end_time":{end},"end_of_stream":true}}"#);
        let step = answer("organizations", &start, true, &body).expect("a page");
        let seen: &[&str] = if next == NOW - 500 { &["7"] } else { &[] };
        assert_eq!(step.next, time(next, seen), "{end}");
    }
}

#[test]
fn the_tickets_cursor_is_kept_at_the_end_of_the_stream() {
    let body = r#"{"tickets":[{"id":1,"generated_timestamp":1791532600}],"after_cursor":"x","end_of_stream":true}"#;
    let step = answer("tickets", &Place::start(), true, body).expect("a page");
    let place = cursor("x", NOW - 60, None);
    assert_eq!((step.records.len(), step.is_caught_up, &step.next), (1, true, &place));
    let quiet = r#"{"tickets":[],"after_cursor":"x","end_of_stream":true}"#;
    assert_eq!(answer("tickets", &place, true, quiet).expect("a page").next, place);
    let stuck = r#"{"tickets":[],"after_cursor":"x","end_of_stream":false}"#;
    assert!(
        answer("tickets", &place, true, stuck).is_err(),
        "never the same request for ever"
    );
}

#[test]
fn the_past_ends_where_the_present_begins() {
    let until = NOW - 200;
    let past = |cursor: &str, time| {
        Place::Cursor {
            cursor: cursor.into(),
            time: Some(time),
            delivered_to: None,
        }
        .until(until)
    };
    let before = rows(
        "users",
        &[(1, 300), (2, 201)],
        r#""after_cursor":"a","end_of_stream":false"#,
    );
    let step = answer("users", &Place::start().until(until), true, &before).expect("a page");
    assert_eq!((keys(&step).len(), step.is_caught_up), (2, false));
    assert_eq!((&step.next, step.reached), (&past("a", NOW - 201), Some(NOW - 201)));

    let across = rows(
        "users",
        &[(3, 201), (4, 200), (5, 100)],
        r#""after_cursor":"b","end_of_stream":false"#,
    );
    let step = answer("users", &step.next, true, &across).expect("a page");
    assert_eq!((keys(&step), step.repeats), (vec!["3".into()], 2));
    assert_eq!((step.is_caught_up, step.reached), (true, Some(until)));

    let timed = rows(
        "organizations",
        &[(1, 300), (2, 200)],
        &format!(r#""end_time":{until},"end_of_stream":false"#),
    );
    let step = answer("organizations", &Place::start().until(until), true, &timed).expect("a page");
    assert_eq!((keys(&step), step.is_caught_up), (vec!["1".into()], true));
}

#[test]
fn events_of_side_conversations_end_without_a_next_page_and_settle_longer() {
    let row = |id: i64, age: i64| {
        let time = Timestamp::from_second(NOW - age).expect("in range");
        format!(r#"{{"id":"{id}","ticket_id":1,"created_at":"{time}"}}"#)
    };
    let page = |rows: &[String], next: &str| {
        let end = NOW + 5;
        format!(
            r#"{{"events":[{}],"end_time":{end},"next_page":{next}}}"#,
            rows.join(",")
        )
    };
    let first = page(&[row(1, 900), row(2, 800)], "\"https://x\"");
    let step = answer("side_conversations", &Place::start(), true, &first).expect("a page");
    assert_eq!((keys(&step).len(), step.is_caught_up), (2, false));
    assert_eq!(step.next, time(NOW - 800, &["2"]), "not where it says that it ends");
    let last = page(&[row(2, 800), row(3, 301), row(4, 299)], "null");
    let step = answer("side_conversations", &step.next, true, &last).expect("a page");
    assert_eq!((keys(&step), step.is_caught_up), (vec!["3".into()], true));
    assert_eq!(step.next, time(NOW - 301, &["3"]));
}

#[test]
fn every_state_of_a_window_is_delivered_by_one_pass() {
    let page = |held: &[(i64, i64)], more: bool| {
        let rest = format!(r#""meta":{{"has_more":{more},"after_cursor":"a"}}"#);
        rows("satisfaction_ratings", held, &rest)
    };
    let first = page(&[(1, 900), (2, 400), (3, 5)], true);
    let step = answer("satisfaction_ratings", &Place::start(), true, &first).expect("a page");
    assert_eq!((keys(&step), step.is_caught_up), (vec!["1".into(), "2".into()], false));
    let second = page(&[(4, 300)], false);
    assert!(
        answer("satisfaction_ratings", &step.next, true, &page(&[], true)).is_err(),
        "a page that leads to itself"
    );
    let step = answer("satisfaction_ratings", &step.next, true, &second).expect("a page");
    assert_eq!((keys(&step), step.reached), (vec!["4".into()], Some(NOW - 61)));
    // The next pass sees the overlap again, and what has settled meanwhile.
    let later = Place::Window {
        delivered_to: Some(NOW - 361),
        to: None,
        after: None,
        since: 0,
    };
    let again = page(&[(2, 400), (4, 361), (5, 360), (6, 61), (7, 60)], false);
    let step = answer("satisfaction_ratings", &later, true, &again).expect("a page");
    assert_eq!((keys(&step), step.repeats), (vec!["5".into(), "6".into()], 3));
    let next = Place::Window {
        delivered_to: Some(NOW - 61),
        to: None,
        after: None,
        since: 0,
    };
    assert_eq!(step.next, next);
}

#[test]
fn pages_by_number_end_by_next_page_and_whole_lists_have_none() {
    let more = r#"{"sla_policies":[{"id":1}],"next_page":"https://x?page=2","count":2}"#;
    let step = answer("sla_policies", &Place::start(), true, more).expect("a page");
    let second = Place::List {
        after: "2".into(),
        page: 1,
    };
    assert_eq!((&step.next, step.is_caught_up), (&second, false));
    let last = r#"{"sla_policies":[{"id":2}],"next_page":null,"count":2}"#;
    let step = answer("sla_policies", &second, true, last).expect("a page");
    assert_eq!((&step.next, step.is_caught_up), (&Place::start(), true));
    let endless = r#"{"sla_policies":[],"next_page":"https://x?page=3","count":2}"#;
    assert!(
        answer("sla_policies", &second, true, endless)
            .expect("a page")
            .is_caught_up
    );
    let whole = r#"{"schedules":[{"id":1}],"next_page":null}"#;
    assert!(
        answer("schedules", &Place::start(), true, whole)
            .expect("a page")
            .is_caught_up
    );
    let paged = r#"{"schedules":[{"id":1}],"next_page":"https://x?page=2"}"#;
    assert!(answer("schedules", &Place::start(), true, paged).is_err());
}

#[test]
fn lists_end_by_has_more_alone() {
    let more = r#"{"groups":[{"id":1}],"meta":{"has_more":true,"after_cursor":"a"},"links":{"next":"x"}}"#;
    let step = answer("groups", &Place::start(), true, more).expect("a page");
    assert_eq!(
        step.next,
        Place::List {
            after: "a".into(),
            page: 1
        }
    );
    assert!(
        answer("groups", &step.next, true, more).is_err(),
        "a page that repeats for ever"
    );
    let last = r#"{"groups":[{"id":2}],"meta":{"has_more":false,"after_cursor":"b"},"links":{"next":"y"}}"#;
    let step = answer("groups", &step.next, true, last).expect("a page");
    assert_eq!((step.is_caught_up, step.next), (true, Place::start()));
    let offset = r#"{"groups":[],"count":300,"next_page":"https://x","previous_page":null}"#;
    assert!(answer("groups", &Place::start(), true, offset).is_err());
}
