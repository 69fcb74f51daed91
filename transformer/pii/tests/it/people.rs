//! People and organizations that the source knows.

use std::time::Instant;

use zenfloe_catalog::Class;
use zenfloe_pii::{Guard, Identifier, People, Privacy};

use crate::{privacy, shape};

/// A guard that knows some people, organizations and their values.
fn knowing(known: &[(Identifier, &str)]) -> Privacy {
    let privacy = privacy(&["US", "DE"]);
    let people = People::new();
    for (identifier, value) in known {
        people.learn(*identifier, value, privacy.phones());
    }
    privacy.with_people(people)
}

fn redacted(privacy: &mut Privacy, text: &str) -> String {
    let mut out = String::new();
    privacy.redact(text, &mut out);
    out
}

const KNOWN: &[(Identifier, &str)] = &[
    (Identifier::Name, "Ann Lee"),
    (Identifier::Name, "Jörg Müller"),
    (Identifier::Name, "Mary-Jane O'Neil"),
    (Identifier::Name, "Will May"),
    (Identifier::Name, "山田太郎"),
    (Identifier::Name, "Customer Support"),
    (Identifier::Name, "May"),
    (Identifier::Name, "Zoltan"),
    (Identifier::Email, "root@intranet"),
    (Identifier::Phone, "+1 202 555 0123"),
    (Identifier::Phone, "ext. 4711229"),
    (Identifier::Handle, "ann_lee_88"),
    (Identifier::Organization, "Bluewater Freight Ltd"),
];

#[track_caller]
fn check(text: &str, expected: &str) {
    assert_eq!(shape(&redacted(&mut knowing(KNOWN), text)), expected);
}

#[test]
fn names_in_every_spelling() {
    check("I spoke to Ann Lee on Friday.", "I spoke to [person] on Friday.");
    check("ANN LEE, ann lee; Lee, Ann", "[person], [person]; [person]");
    check("Jorg Muller and JÖRG MÜLLER", "[person] and [person]");
    check("mary jane o'neil", "[person]");
    check("Mary&#45;Jane O&#39;Neil", "[person]");
    check(
        "{\\\"name\\\":\\\"J\\u00f6rg M\\u00fcller\\\"}",
        "{\\\"name\\\":\\\"[person]\\\"}",
    );
    check("<p>Ann <b>Lee</b></p>", "<p>[person]</b></p>");
    check("> wrote Ann\n> Lee", "> wrote [person]");
    check("Ann\u{200d} Le\u{ad}e", "[person]");
    check("田山田太郎さん", "田[person]さん");
    check("Zoltan's order, ZOLTAN", "[person]'s order, [person]");
}

#[test]
fn words_of_the_language_stay() {
    for text in [
        "You will, may be, lee or ann",
        "May I? Will it? It will may be.",
        "annlee leeann Ann. Leeward",
        "our customer support, Customer Support",
        "Annlee Lee",
        "freight by bluewater",
        "Muller Jorg",
    ] {
        check(text, text);
    }
    check("Will May called", "[person] called");
}

#[test]
fn parts_of_names_follow_a_greeting() {
    check("Hi Ann,", "Hi [person],");
    check("Dear Ms. Lee,", "Dear Ms. [person],");
    check("thanks\nJörg", "thanks\n[person]");
    check("Ann of Green Gables; hi ann", "Ann of Green Gables; hi ann");
}

#[test]
fn numbers_addresses_and_handles() {
    check("reference 2025550123", "reference [phone]");
    check("#12025550123 is an order", "#12025550123 is an order");
    check("id 4711229", "id [phone]");
    check("from ROOT@Intranet.", "from [email].");
    check("@ann_lee_88 or Ann-Lee-88", "@[handle] or [handle]");
    check(
        "at Bluewater Freight Ltd, or BLUEWATER FREIGHT LTD.",
        "at [organization], or [organization].",
    );
}

#[test]
fn a_text_joins_with_the_column() {
    let mut privacy = knowing(KNOWN);
    let mut column = |class, value: &str| {
        let mut out = String::new();
        privacy.token(class, value, &mut out);
        out
    };
    let (name, phone) = (
        column(Class::Person, "Jörg Müller"),
        column(Class::Phone, "+12025550123"),
    );
    for text in ["Jörg Müller", "jorg muller", "Müller, Jörg", "JÖRG\u{a0}MÜLLER"] {
        assert_eq!(redacted(&mut privacy, text), format!("[person:{name}]"), "{text}");
    }
    assert_eq!(redacted(&mut privacy, "x 2025550123"), format!("x [phone:{phone}]"));
}

#[test]
fn names_that_differ_in_marks_alone_keep_their_tokens() {
    let mut privacy = knowing(&[(Identifier::Name, "Jorg Muller"), (Identifier::Name, "Jörg Müller")]);
    let (plain, marked) = (
        redacted(&mut privacy, "Jorg Muller"),
        redacted(&mut privacy, "Jörg Müller"),
    );
    assert_ne!(plain, marked);
    let mut out = String::new();
    privacy.token(Class::Person, "Jörg Müller", &mut out);
    assert_eq!(marked, format!("[person:{out}]"));
}

#[test]
fn people_come_and_go_while_texts_are_read() {
    let people = People::new();
    let mut privacy = privacy(&["US"]).with_people(people.clone());
    let phones = privacy.phones().clone();
    assert!(people.is_empty());
    assert_eq!(redacted(&mut privacy, "Ann Lee"), "Ann Lee");
    assert!(people.learn(Identifier::Name, "Ann Lee", &phones));
    assert!(
        people.learn(Identifier::Name, "ann lee", &phones),
        "another one of that name"
    );
    assert_eq!(shape(&redacted(&mut privacy, "Ann Lee")), "[person]");
    assert!(people.forget(Identifier::Name, "Ann Lee", &phones));
    assert_eq!(shape(&redacted(&mut privacy, "Ann Lee")), "[person]", "one is left");
    assert!(people.forget(Identifier::Name, "Ann Lee", &phones));
    assert_eq!(redacted(&mut privacy, "Ann Lee, hi Ann"), "Ann Lee, hi Ann");
    assert!(!people.forget(Identifier::Name, "Ann Lee", &phones));
    let others = People::new();
    others.learn(Identifier::Name, "Jo Marsh", &phones);
    people.learn(Identifier::Name, "Ann Lee", &phones);
    people.become_those(&others);
    assert_eq!(shape(&redacted(&mut privacy, "Ann Lee, Jo Marsh")), "Ann Lee, [person]");
    assert!(others.is_empty());
    assert!(!people.learn(Identifier::Name, "May", &phones) && !people.learn(Identifier::Name, " ", &phones));
}

#[test]
fn a_million_people_take_less_than_200_megabytes() {
    const PEOPLE: u32 = 1_000_000;
    let privacy = privacy(&["US"]);
    let people = People::new();
    people.reserve(PEOPLE as usize * 3);
    let syllables = [
        "ka", "lo", "mi", "ren", "tas", "vo", "ber", "nu", "shi", "gal", "dor", "pe", "qui", "zan", "wol", "fy",
    ];
    let word = |mut number: u32| {
        let mut word = String::new();
        for _ in 0..4 {
            word.push_str(syllables[number as usize % 16]);
            number /= 16;
        }
        word
    };
    let begun = Instant::now();
    for index in 0..PEOPLE {
        people.learn(
            Identifier::Name,
            &format!("{} {}", word(index % 3_000), word(index / 20)),
            privacy.phones(),
        );
        // Reading a number takes longer than anything else; there is room for all of them.
        if index % 500 == 0 {
            people.learn(
                Identifier::Phone,
                &format!("+1{}{:07}", 202 + index / 250_000, 2_000_000 + index % 250_000 * 31),
                privacy.phones(),
            );
        }
    }
    println!(
        "{PEOPLE} people: {} MB, learnt in {:?}",
        people.memory() / 1_000_000,
        begun.elapsed()
    );
    assert!(people.memory() < 200_000_000, "{} bytes", people.memory());
    let mut privacy = privacy.with_people(people);
    let name = format!("{} {}", word(777), word(777 / 20));
    assert_eq!(
        shape(&redacted(&mut privacy, &format!("I met {name} today"))),
        "I met [person] today"
    );
}
