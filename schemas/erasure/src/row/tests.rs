use apache_avro::Schema;
use apache_avro::reader::datum::GenericDatumReader;
use apache_avro::types::Value as Avro;
use apache_avro::writer::datum::GenericDatumWriter;
use zenfloe_catalog::{Catalog, Column, avro_schema};

use super::*;
use crate::{Asker, Entry, EntryToken, State, Subject};

const ANN: &str = "k1_7mgt2av3r4kjfcliq422vwr4wh";

fn erased(subjects: &[Subject], keeps_texts: bool) -> Erased {
    let mut erased = Erased::new();
    for subject in subjects {
        let entry = Entry {
            state: State::Known,
            keeps_texts,
            tokens: vec![EntryToken {
                class: "email".into(),
                token: ANN.into(),
            }],
            ..Entry::asked(Asker::Command, 0)
        };
        erased.take(subject.clone(), entry);
    }
    erased
}

fn schema(table: &str) -> (&'static Table, String) {
    let (_, table) = Catalog::builtin().table(table).expect("in the catalog");
    let columns: Vec<&Column> = table.columns.iter().collect();
    (table, avro_schema(table, &columns))
}

/// A row in which every column is null but for those given.
fn row(table: &str, values: &[(&str, Avro)]) -> (Layout, Schema, Vec<u8>) {
    let (table, text) = schema(table);
    let schema = Schema::parse_str(&text).expect("our own schema");
    let Schema::Record(record) = &schema else {
        panic!("a record")
    };
    let fields = record.fields.iter().map(|field| {
        let given = values.iter().find(|(name, _)| *name == field.name);
        let value = match (&field.schema, given) {
            (Schema::Union(_), Some((_, value))) => Avro::Union(1, Box::new(value.clone())),
            (Schema::Union(_), None) => Avro::Union(0, Box::new(Avro::Null)),
            (_, Some((_, value))) => value.clone(),
            (Schema::Boolean, None) => Avro::Boolean(false),
            (Schema::Int, None) => Avro::Int(3),
            (Schema::Long, None) => Avro::Long(-5_000_000_000),
            (_, None) => Avro::TimestampMicros(1_795_528_800_000_000),
        };
        (field.name.clone(), value)
    });
    let fields = fields.collect();
    let writer = GenericDatumWriter::builder(&schema).build().expect("a writer");
    let body = writer.write_value_to_vec(Avro::Record(fields)).expect("it fits");
    (Layout::new(Some(table), &text).expect("our own schema"), schema, body)
}

fn text(text: &str) -> Avro {
    Avro::String(text.to_owned())
}

fn read(schema: &Schema, body: &[u8]) -> Vec<(String, Avro)> {
    let reader = GenericDatumReader::builder(schema).build().expect("a reader");
    let mut rest = body;
    let Avro::Record(fields) = reader.read_value(&mut rest).expect("a row") else {
        panic!("a record")
    };
    assert!(rest.is_empty());
    let plain = |value| match value {
        Avro::Union(_, value) => *value,
        value => value,
    };
    fields.into_iter().map(|(name, value)| (name, plain(value))).collect()
}

/// The columns that differ, with what they are now.
#[track_caller]
fn changed(table: &str, values: &[(&str, Avro)], erased: &Erased, expected: Verdict) -> Vec<(String, Avro)> {
    let (layout, schema, body) = row(table, values);
    let mut out = Vec::new();
    assert_eq!(layout.apply(erased, &body, &mut out), Ok(expected));
    if expected == Verdict::Same {
        return Vec::new();
    }
    let mut again = Vec::new();
    let second = layout.apply(erased, &out, &mut again).expect("a row");
    assert!(second == Verdict::Same || again == out, "a second time changes nothing");
    let pairs = read(&schema, &body).into_iter().zip(read(&schema, &out));
    pairs
        .filter(|(before, after)| before != after)
        .map(|(_, after)| after)
        .collect()
}

#[test]
fn rows_of_the_person_keep_key_and_version() {
    let erased = erased(&[Subject::Person(7)], false);
    let values = [
        ("id", Avro::Long(7)),
        ("name", text("k1_x")),
        ("active", Avro::Boolean(true)),
    ];
    let now = changed("users", &values, &erased, Verdict::Gone);
    let expected = [
        ("name".to_owned(), Avro::Null),
        ("active".to_owned(), Avro::Null),
        ("_deleted".to_owned(), Avro::Boolean(true)),
    ];
    assert_eq!(now, expected);
    let other = [("id", Avro::Long(8)), ("name", text("k1_x"))];
    assert!(changed("users", &other, &erased, Verdict::Same).is_empty());
    let identity = [
        ("id", Avro::Long(70)),
        ("user_id", Avro::Long(7)),
        ("value", text("k1_y")),
    ];
    changed("user_identities", &identity, &erased, Verdict::Gone);
}

#[test]
fn rows_of_a_scrubbed_ticket_keep_key_and_version() {
    let erased = erased(&[Subject::Ticket(42)], false);
    changed(
        "tickets",
        &[("id", Avro::Long(42)), ("subject", text("x"))],
        &erased,
        Verdict::Gone,
    );
    changed(
        "ticket_metrics",
        &[("ticket_id", Avro::Long(42))],
        &erased,
        Verdict::Gone,
    );
    changed("tickets", &[("id", Avro::Long(43))], &erased, Verdict::Same);
}

#[test]
fn tokens_leave_the_rows_of_others() {
    let erased = erased(&[Subject::Person(7)], false);
    let values = [
        ("id", Avro::Long(42)),
        ("recipient", text(ANN)),
        ("subject", text(&format!("for [email:{ANN}]"))),
        ("status", text("open")),
    ];
    let now = changed("tickets", &values, &erased, Verdict::Changed);
    let expected = [
        ("subject".to_owned(), text("for [erased]")),
        ("recipient".to_owned(), Avro::Null),
    ];
    assert_eq!(now, expected);
}

#[test]
fn texts_that_the_person_wrote_are_dropped_unless_they_are_to_stay() {
    let values = [
        ("id", Avro::Long(42)),
        ("submitter_id", Avro::Long(7)),
        ("subject", text("broken")),
        ("priority", text("high")),
    ];
    let now = changed(
        "tickets",
        &values,
        &erased(&[Subject::Person(7)], false),
        Verdict::Changed,
    );
    assert_eq!(now, [("subject".to_owned(), Avro::Null)]);
    changed("tickets", &values, &erased(&[Subject::Person(7)], true), Verdict::Same);
}

#[test]
fn what_describes_the_person_as_sender_goes_with_or_without_texts() {
    let values = [
        ("id", Avro::Long(42)),
        ("requester_id", Avro::Long(7)),
        ("subject", text("broken")),
        ("via_channel", text("voice")),
        ("via_from_phone", text("k1_of_a_number_that_no_user_has")),
    ];
    for keeps_texts in [false, true] {
        let erased = erased(&[Subject::Person(7)], keeps_texts);
        let now = changed("tickets", &values, &erased, Verdict::Changed);
        assert_eq!(now, [("via_from_phone".to_owned(), Avro::Null)]);
    }
    let of_another = erased(&[Subject::Person(8)], false);
    changed("tickets", &values, &of_another, Verdict::Same);
}

#[test]
fn rows_that_are_no_rows_are_refused_without_a_panic() {
    let (layout, _, body) = row("users", &[("id", Avro::Long(7)), ("name", text("Ann"))]);
    let erased = erased(&[Subject::Person(9)], false);
    for cut in 0..body.len() {
        assert!(
            layout.apply(&erased, &body[..cut], &mut Vec::new()).is_err(),
            "cut at {cut}"
        );
    }
    let mut long = body.clone();
    long.push(0);
    assert!(layout.apply(&erased, &long, &mut Vec::new()).is_err());
    assert_eq!(layout.apply(&Erased::new(), b"", &mut Vec::new()), Ok(Verdict::Same));
}

#[test]
fn every_table_of_the_catalog_has_a_layout() {
    for collection in Catalog::builtin().collections() {
        for table in &collection.tables {
            let columns: Vec<&Column> = table.columns.iter().collect();
            let layout = Layout::new(Some(table), &avro_schema(table, &columns)).expect("our own schema");
            assert_eq!(layout.person.is_some(), table.erase.person.is_some(), "{}", table.name);
        }
    }
}
