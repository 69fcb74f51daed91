//! Random records of a collection, with every column's value at its path.

use proptest::prelude::*;
use serde_json::{Map, Value, json};
use zenfloe_catalog::{Action, Class, Collection, Column, ColumnType, Operation, Path, Rows, Step, Table};

/// A value at a path from the record or the element on.
type Placed = Vec<(Path, Value)>;

/// Records of a collection whose version is told by `version`.
pub(crate) fn records(collection: &'static Collection) -> impl Strategy<Value = Value> {
    let mut parts: Vec<BoxedStrategy<Placed>> = Vec::new();
    let mut arrays: Vec<BoxedStrategy<(Path, Vec<Placed>)>> = Vec::new();
    for table in &collection.tables {
        match &table.rows {
            Rows::Record => parts.push(columns(collection, table, None)),
            Rows::Object(path) => parts.push(columns(collection, table, Some(path))),
            Rows::RecordWith(_) | Rows::RecordUnless(_) => parts.push(columns(collection, table, None)),
            Rows::Each { arrays: paths, .. } => {
                let path = paths[0].clone();
                let elements = proptest::collection::vec(columns(collection, table, None), 0..4);
                arrays.push(elements.prop_map(move |elements| (path.clone(), elements)).boxed());
            }
        }
    }
    (parts, arrays).prop_map(|(parts, arrays)| {
        let mut record = json!({"zz_nobody_knows": [{"a": "b"}, 1.5, null]});
        for (path, value) in parts.into_iter().flatten() {
            put(&mut record, &path.steps, value);
        }
        for (path, elements) in arrays {
            let made = |placed: Placed| {
                let mut element = json!({});
                placed
                    .into_iter()
                    .for_each(|(path, value)| put(&mut element, &path.steps, value));
                element
            };
            put(&mut record, &path.steps, elements.into_iter().map(made).collect());
        }
        record
    })
}

/// Values of columns: absent, null or of their type.
fn columns(collection: &Collection, table: &Table, below: Option<&Path>) -> BoxedStrategy<Placed> {
    let (columns, key) = (&table.columns, &table.key);
    let version = &collection.record.version;
    let is_prefix = |path: &Path| {
        let longer = |other: &Column| {
            let (ours, others) = (&path.steps, &other.path.steps);
            other.path.from_record == path.from_record && others.len() > ours.len() && others.starts_with(ours)
        };
        columns.iter().any(longer) && !path.steps.is_empty()
    };
    let mut placed: Vec<BoxedStrategy<Option<(Path, Value)>>> = Vec::new();
    for column in columns {
        let is_minutes = column.op == Some(Operation::Minutes);
        // What stands in the record is placed by the table whose rows are records.
        if is_prefix(&column.path) && !is_minutes || column.path.from_record {
            continue;
        }
        let path = match below {
            Some(below) => Path {
                from_record: true,
                from_above: false,
                steps: below.steps.iter().chain(&column.path.steps).cloned().collect(),
            },
            None => column.path.clone(),
        };
        // Keys and what versions are made of are always there.
        let is_key = key.contains(&column.name);
        let is_version = [&version.path, &version.fallback]
            .into_iter()
            .flatten()
            .any(|path| *path == column.path);
        let is_needed = is_key || is_version || collection.record.key.contains(&column.path);
        let value = if is_key && column.r#type == ColumnType::String {
            "[A-Za-z0-9 äß_-]{1,26}".prop_map(Value::from).boxed()
        } else {
            value(column)
        };
        let held = match is_needed {
            true => value.prop_map(Some).boxed(),
            false => prop_oneof![1 => Just(None), 1 => Just(Some(Value::Null)), 4 => value.prop_map(Some)].boxed(),
        };
        placed.push(held.prop_map(move |value| Some((path.clone(), value?))).boxed());
    }
    placed.prop_map(|placed| placed.into_iter().flatten().collect()).boxed()
}

fn value(column: &Column) -> BoxedStrategy<Value> {
    match (column.op, column.r#type) {
        (Some(Operation::EpochSeconds), _) => (-62_000_000_000_i64..253_000_000_000).prop_map(Value::from).boxed(),
        (Some(Operation::Minutes), _) => (-1_000_000_i64..1_000_000, "minutes|hours|days")
            .prop_map(|(count, unit)| json!({unit: count}))
            .boxed(),
        (_, ColumnType::Long) => prop_oneof![
            any::<i64>().prop_map(Value::from),
            any::<i64>().prop_map(|number| Value::from(number.to_string()))
        ]
        .boxed(),
        (_, ColumnType::Double) => any::<i32>().prop_map(|number| Value::from(f64::from(number) / 8.0)).boxed(),
        (_, ColumnType::Boolean) => any::<bool>().prop_map(Value::from).boxed(),
        (_, ColumnType::String) if column.name == "status" => "open|deleted".prop_map(Value::from).boxed(),
        (_, ColumnType::String) if column.action == Action::Token => person().prop_map(Value::from).boxed(),
        (_, ColumnType::String) if column.class == Class::Text => {
            prop_oneof![8 => text().prop_map(Value::from), 1 => any::<i32>().prop_map(Value::from), 1 => Just("SCRUBBED".into())]
                .boxed()
        }
        (_, ColumnType::String) => text().prop_map(Value::from).boxed(),
        (_, ColumnType::Timestamp) => time().prop_map(Value::from).boxed(),
        (_, ColumnType::Date) => "[1-9][0-9]{3}-0[1-9]-[01][1-8]".prop_map(Value::from).boxed(),
        (_, ColumnType::Json) => tree().boxed(),
    }
}

/// Texts with all that JSON has to escape.
fn text() -> impl Strategy<Value = String> {
    prop_oneof!["[ -~]{0,80}", ".{0,40}", "[\"\\\\\n\t\u{1}äß😀/ ]{0,30}"]
}

/// What tokens are made of: nothing that the oracle and the guard would trim or parse differently.
fn person() -> impl Strategy<Value = String> {
    prop_oneof![
        "",
        "[a-z]{1,9}@[a-z]{1,9}\\.example",
        "[A-Z][a-z]{2,8} [A-Z][a-z]{2,8}",
        "\\+1[0-9]{10}"
    ]
}

fn time() -> impl Strategy<Value = String> {
    (-62_000_000_000_i64..253_000_000_000, 0..1_000_000_i64, 0..4_u8).prop_map(|(seconds, micros, form)| {
        let time = jiff::Timestamp::from_second(seconds).expect("within the years");
        match form {
            0 => time.to_string(),
            1 => time.to_string().replace('Z', &format!(".{micros:06}Z")),
            2 => time.to_string().replace('Z', "+05:30"),
            _ => time.to_string().replace('Z', ".5-08:00"),
        }
    })
}

fn tree() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        text().prop_map(Value::from)
    ];
    let grown = leaf.prop_recursive(3, 16, 4, |inner| {
        prop_oneof![
            proptest::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            proptest::collection::btree_map("[a-z]{1,6}", inner, 0..4)
                .prop_map(|members| Value::Object(members.into_iter().collect::<Map<_, _>>()))
        ]
    });
    grown.prop_filter("null is no JSON column's value", |value| !value.is_null())
}

/// Puts a value at the end of some steps, making what stands on the way.
fn put(at: &mut Value, steps: &[Step], value: Value) {
    match steps.split_first() {
        None => match (&mut *at, value) {
            // A `minutes` object adds its unit to the element that its siblings are in.
            (Value::Object(held), Value::Object(members)) => held.extend(members),
            (place, value) => *place = value,
        },
        Some((Step::Key(key), rest)) => {
            if !at.is_object() {
                *at = json!({});
            }
            put(
                at.as_object_mut().expect("made").entry(key).or_insert(Value::Null),
                rest,
                value,
            );
        }
        Some((Step::Element { key, value: told }, rest)) => {
            if !at.is_array() {
                *at = json!([]);
            }
            let elements = at.as_array_mut().expect("made");
            let place = elements
                .iter()
                .position(|element| element[key] == told.as_str())
                .unwrap_or_else(|| {
                    elements.push(json!({key: told}));
                    elements.len() - 1
                });
            if !value.is_null() || !rest.is_empty() {
                put(&mut elements[place], rest, value);
            }
        }
    }
}
