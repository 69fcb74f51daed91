//! What a column's values are made of and how; decided once, when the plan is compiled.

use std::collections::BTreeMap;

use zenfloe_catalog::{Action, Class, Column, ColumnType, Operation};

/// Where a value is noted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum At {
    /// In a slot of the record.
    Record(u16),
    /// In a slot of the element that is the row.
    Element(u16),
    /// In a slot of the element around it.
    Above(u16),
}

/// A column of a plan.
#[derive(Debug)]
pub(crate) struct Cell {
    /// The path for people.
    pub(crate) path: Box<str>,
    pub(crate) at: At,
    pub(crate) make: Make,
    /// A part of the primary key: never null.
    pub(crate) is_key: bool,
}

/// How a value is made.
#[derive(Debug)]
pub(crate) enum Make {
    /// Always null.
    Nothing,
    Long,
    Double,
    Boolean,
    Text,
    Timestamp,
    TimestampOfSeconds,
    Date,
    /// A time, as the beginning of its year.
    Year(Box<Make>),
    Json,
    Minutes,
    Slug,
    Label,
    /// The name of the field that an event changed.
    ChangedField(Changes),
    /// The value of that field, made as the field's own column says.
    Changed(Changes),
    Token(Told),
    Coarse(Told),
    Redacted,
    RedactedJson,
    /// A text as it is meant, anything else as it is written.
    Written,
}

/// The fields that an event may have changed.
#[derive(Debug)]
pub(crate) struct Changes {
    /// Where the kind of event stands, which must be a change.
    pub(crate) kind: At,
    pub(crate) fields: Vec<Field>,
}

/// A field that an event may have changed.
#[derive(Debug)]
pub(crate) struct Field {
    pub(crate) name: Box<str>,
    pub(crate) at: At,
    /// How its values are made.
    pub(crate) make: Make,
}

/// How the value of a changed field is made: as its own column's, but always a text.
pub(crate) fn make_changed(class: Class, action: Action) -> Make {
    match action {
        Action::Clear => Make::Written,
        Action::Redact => Make::Redacted,
        Action::Token if !matches!(class, Class::None | Class::Text) => Make::Token(Told { class, by: None }),
        Action::Token | Action::Coarse | Action::Drop => Make::Nothing,
    }
}

/// The class of a value, which a field beside it may tell.
#[derive(Debug)]
pub(crate) struct Told {
    pub(crate) class: Class,
    pub(crate) by: Option<(At, BTreeMap<String, Class>)>,
}

/// How the values of a column are made under an action; the error says why they cannot be.
pub(crate) fn make(column: &Column, action: Action, told_at: Option<At>) -> Result<Make, &'static str> {
    let told = || Told {
        class: column.class,
        by: column
            .class_by
            .as_ref()
            .zip(told_at)
            .map(|(by, at)| (at, by.cases.clone())),
    };
    match (action, column.r#type) {
        (Action::Drop, _) => Ok(Make::Nothing),
        (Action::Clear, _) => Ok(clear(column)),
        (Action::Token, _) if matches!(column.class, Class::None | Class::Text) => {
            Err("has no class of which tokens are made")
        }
        (Action::Token, ColumnType::String) => Ok(Make::Token(told())),
        (Action::Token, _) => Err("is no text, and a token is one"),
        (Action::Redact, ColumnType::String) => Ok(Make::Redacted),
        (Action::Redact, ColumnType::Json) => Ok(Make::RedactedJson),
        (Action::Redact, _) => Err("is no text that could be redacted"),
        (Action::Coarse, ColumnType::Timestamp | ColumnType::Date) => Ok(Make::Year(Box::new(clear(column)))),
        (Action::Coarse, ColumnType::String) if column.class == Class::Ip => Ok(Make::Coarse(told())),
        (Action::Coarse, _) => Err("has no coarser form: only times and internet addresses have"),
    }
}

fn clear(column: &Column) -> Make {
    match (column.op, column.r#type) {
        (Some(Operation::EpochSeconds), _) => Make::TimestampOfSeconds,
        (Some(Operation::Minutes), _) => Make::Minutes,
        (Some(Operation::Slug), _) => Make::Slug,
        (Some(Operation::Label), _) => Make::Label,
        // Whoever compiles them knows where the fields stand.
        (Some(Operation::ChangedField | Operation::Changed), _) => Make::Nothing,
        (None, ColumnType::Long) => Make::Long,
        (None, ColumnType::Double) => Make::Double,
        (None, ColumnType::Boolean) => Make::Boolean,
        (None, ColumnType::String) => Make::Text,
        (None, ColumnType::Timestamp) => Make::Timestamp,
        (None, ColumnType::Date) => Make::Date,
        (None, ColumnType::Json) => Make::Json,
    }
}
