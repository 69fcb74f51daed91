//! Floors of recall, and the ceiling of false alarms; the tables are printed.

use zenfloe_harness::labelled_texts;
use zenfloe_pii::People;
use zenfloe_pii_corpus::{Labelled, Table, is_url_detected, negatives, people, privacy, redacted, replaced, tickets};

/// Kinds of labels with the share that has to be found.
const FLOORS: &[(&str, f64)] = &[
    ("EMAIL_ADDRESS", 1.0),
    ("CREDIT_CARD", 1.0),
    ("IBAN_CODE", 1.0),
    ("US_SSN", 1.0),
    ("IP_ADDRESS", 1.0),
    ("DOMAIN_NAME", 1.0),
    ("PHONE_NUMBER", 0.9),
];

#[test]
fn labelled_texts_are_redacted() {
    let file = labelled_texts(&|line| println!("{line}"))
        .expect("the labelled texts can be fetched: make the package index reachable for `pip download` once");
    let texts = Labelled::load(&file).expect("the package's file");
    let mut privacy = privacy();
    let mut table = Table::default();
    for text in &texts {
        let out = redacted(&mut privacy, &text.text);
        let gone = replaced(&text.text, &out).expect("a redaction of its text");
        for label in &text.labels {
            let value = &text.text[label.range.clone()];
            let is_found = match label.kind.as_str() {
                "DOMAIN_NAME" => is_url_detected(value, |url| redacted(&mut privacy, url) == "[url]"),
                _ => covers(&gone, &text.text, label.range.clone()),
            };
            table.count(&label.kind, is_found, || format!("{value:?} in {:?}", text.text));
        }
    }
    table.print("labelled texts of presidio-evaluator 0.3.2: what is gone from the text");
    for (kind, floor) in FLOORS {
        let missed: Vec<_> = table.missed().iter().filter(|line| line.starts_with(kind)).collect();
        assert!(
            table.recall(kind) >= *floor,
            "{kind}: {:?}, missed {missed:#?}",
            table.of(kind)
        );
    }
}

/// Claims that every letter and digit of a span is gone.
fn covers(gone: &[std::ops::Range<usize>], text: &str, range: std::ops::Range<usize>) -> bool {
    let is_gone = |place: usize| gone.iter().any(|held| held.contains(&place));
    let places = text[range.clone()].char_indices().filter(|(_, c)| c.is_alphanumeric());
    places.map(|(place, _)| range.start + place).all(is_gone)
}

#[test]
fn people_whom_the_source_knows_are_gone_from_tickets() {
    let privacy = privacy();
    let known = people(20_000);
    let store = People::new();
    for (identifier, value) in known.iter().flat_map(|who| who.identifiers()) {
        store.learn(identifier, value, privacy.phones());
    }
    let mut privacy = privacy.with_people(store);
    let mut table = Table::default();
    for ticket in tickets(7, &known, 20_000) {
        let out = redacted(&mut privacy, &ticket.text);
        let gone = replaced(&ticket.text, &out).unwrap_or_default();
        for range in ticket.named {
            let is_found = covers(&gone, &ticket.text, range.clone());
            table.count("known person", is_found, || ticket.text[range].to_owned());
        }
    }
    table.print("generated tickets: people whom the source knows");
    let missed = table.missed();
    assert!(
        table.recall("known person") >= 0.995,
        "{:#?}",
        &missed[..missed.len().min(30)]
    );
}

#[test]
fn hard_negatives_stay() {
    let privacy = privacy();
    let store = People::new();
    for (identifier, value) in people(20_000).iter().flat_map(|who| who.identifiers()) {
        store.learn(identifier, value, privacy.phones());
    }
    let mut privacy = privacy.with_people(store);
    let all = negatives(11, 6_000);
    let mut table = Table::default();
    for negative in &all {
        let out = redacted(&mut privacy, &negative.text);
        table.count(negative.sort, out == negative.text, || {
            format!("{} -> {out}", negative.text)
        });
    }
    table.print("hard negatives that stay as they are");
    let missed = table.missed();
    println!("false alarms: {} of {}", missed.len(), all.len());
    assert!(
        missed.len() * 1_000 <= all.len(),
        "{:#?}",
        &missed[..missed.len().min(40)]
    );
}
