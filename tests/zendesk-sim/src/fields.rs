//! Custom fields of tickets, users and organizations: their definitions and their values.

use fastrand::Rng;
use serde::Serialize;

use crate::cast::Cast;
use crate::ids::{self, Kind, mix};
use crate::stamp::Day;
use crate::text::Prose;

/// What a field holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum FieldKind {
    Text,
    Tagger,
    Checkbox,
    Date,
    Integer,
    Decimal,
    Multiselect,
    Lookup,
    /// A field that every account has, with Zendesk's name for its type.
    System(&'static str),
}

impl FieldKind {
    /// Zendesk's name of the type.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Text => "text",
            Self::Tagger => "tagger",
            Self::Checkbox => "checkbox",
            Self::Date => "date",
            Self::Integer => "integer",
            Self::Decimal => "decimal",
            Self::Multiselect => "multiselect",
            Self::Lookup => "lookup",
            Self::System(name) => name,
        }
    }

    fn has_options(self) -> bool {
        matches!(self, Self::Tagger | Self::Multiselect)
    }
}

/// One choice of a drop-down.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct Choice {
    pub(crate) id: i64,
    pub(crate) name: String,
    pub(crate) raw_name: String,
    pub(crate) value: String,
    pub(crate) default: bool,
}

/// A field's definition.
#[derive(Debug, Clone)]
pub(crate) struct Field {
    pub(crate) id: i64,
    pub(crate) kind: FieldKind,
    pub(crate) title: String,
    /// The key in `user_fields` and `organization_fields`; empty for ticket fields.
    pub(crate) key: String,
    pub(crate) position: u32,
    pub(crate) created_at: i64,
    pub(crate) updated_at: i64,
    pub(crate) choices: Vec<Choice>,
}

const TITLES: [&str; 16] = [
    "Order number",
    "Product area",
    "Escalated",
    "Promised on",
    "Seats",
    "Contract value",
    "Affected modules",
    "Account manager",
    "Serial number",
    "Root cause",
    "Refund approved",
    "Ship date",
    "Retries",
    "Discount",
    "Platforms",
    "Reported by",
];

const CYCLE: [FieldKind; 8] = [
    FieldKind::Text,
    FieldKind::Tagger,
    FieldKind::Checkbox,
    FieldKind::Date,
    FieldKind::Integer,
    FieldKind::Decimal,
    FieldKind::Multiselect,
    FieldKind::Lookup,
];

const CHOICES: [&str; 5] = ["alpha", "beta", "gamma", "delta", "omega"];

/// The fields that every account has on its tickets.
pub(crate) const SYSTEM_FIELDS: [(&str, &str); 8] = [
    ("subject", "Subject"),
    ("description", "Description"),
    ("status", "Status"),
    ("tickettype", "Type"),
    ("priority", "Priority"),
    ("group", "Group"),
    ("assignee", "Assignee"),
    ("custom_status", "Ticket status"),
];

/// Makes the definition of the `ordinal`-th custom field of tickets.
pub(crate) fn ticket_field(id: i64, ordinal: usize, option_id: &mut dyn FnMut() -> i64, at: i64) -> Field {
    let base = TITLES[ordinal % TITLES.len()];
    let title = match ordinal / TITLES.len() {
        0 => base.to_owned(),
        round => format!("{base} {}", round + 1),
    };
    let kind = CYCLE[ordinal % CYCLE.len()];
    let choices = choices(kind, ordinal, option_id);
    Field {
        id,
        kind,
        title,
        key: String::new(),
        position: u32::try_from(ordinal + SYSTEM_FIELDS.len()).expect("few fields"),
        created_at: at,
        updated_at: at,
        choices,
    }
}

/// The fields of users: kind, key and title.
pub(crate) const USER_FIELDS: [(FieldKind, &str, &str); 6] = [
    (FieldKind::Text, "preferred_contact", "Preferred contact"),
    (FieldKind::Tagger, "loyalty_tier", "Loyalty tier"),
    (FieldKind::Checkbox, "newsletter", "Newsletter"),
    (FieldKind::Date, "member_since", "Member since"),
    (FieldKind::Integer, "open_orders", "Open orders"),
    (FieldKind::Decimal, "lifetime_value", "Lifetime value"),
];

/// The fields of organizations: kind, key and title.
pub(crate) const ORGANIZATION_FIELDS: [(FieldKind, &str, &str); 6] = [
    (FieldKind::Text, "billing_contact", "Billing contact"),
    (FieldKind::Tagger, "region", "Region"),
    (FieldKind::Checkbox, "priority_support", "Priority support"),
    (FieldKind::Date, "renewal", "Renewal"),
    (FieldKind::Decimal, "yearly_revenue", "Yearly revenue"),
    (FieldKind::Lookup, "primary_contact", "Primary contact"),
];

/// Makes the definition of a field that records carry under a key.
pub(crate) fn keyed_field(
    id: i64,
    position: usize,
    (kind, key, title): (FieldKind, &str, &str),
    option_id: &mut dyn FnMut() -> i64,
    at: i64,
) -> Field {
    Field {
        id,
        kind,
        title: title.into(),
        key: key.into(),
        position: u32::try_from(position).expect("few fields"),
        created_at: at,
        updated_at: at,
        choices: choices(kind, position, option_id),
    }
}

fn choices(kind: FieldKind, ordinal: usize, option_id: &mut dyn FnMut() -> i64) -> Vec<Choice> {
    if !kind.has_options() {
        return Vec::new();
    }
    let choice = |(place, name): (usize, &&str)| Choice {
        id: option_id(),
        name: format!("Choice {name}"),
        raw_name: format!("Choice {name}"),
        value: format!("{name}_{ordinal}"),
        default: place == 0,
    };
    CHOICES.iter().enumerate().map(choice).collect()
}

/// A value of a custom field.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(untagged)]
pub(crate) enum FieldValue<'a> {
    Null,
    Bool(bool),
    Integer(i64),
    Decimal(f64),
    Text(String),
    Choice(&'a str),
    Choices(Vec<&'a str>),
}

/// Works out a field's value on a record; the same seed gives the same value.
pub(crate) fn value<'a>(field: &'a Field, seed: u64, cast: &Cast) -> FieldValue<'a> {
    let mut rng = Rng::with_seed(mix(seed ^ field.id as u64));
    if field.kind == FieldKind::Checkbox {
        return FieldValue::Bool(rng.bool());
    }
    if rng.u8(..10) < 4 {
        return FieldValue::Null;
    }
    match field.kind {
        FieldKind::Text => FieldValue::Text(Prose::new(cast, rng.u64(..)).field()),
        FieldKind::Tagger => FieldValue::Choice(&field.choices[rng.usize(..field.choices.len())].value),
        FieldKind::Date => FieldValue::Text(Day(18_000 + rng.i64(0..3_000)).to_string()),
        FieldKind::Integer => FieldValue::Integer(rng.i64(0..100_000)),
        FieldKind::Decimal => FieldValue::Decimal(rng.i64(0..1_000_000) as f64 / 100.0),
        FieldKind::Multiselect => {
            let wanted = rng.u8(1..32);
            let chosen = field.choices.iter().enumerate();
            let chosen = chosen.filter(|(place, _)| wanted & (1 << place) != 0);
            FieldValue::Choices(chosen.map(|(_, choice)| choice.value.as_str()).collect())
        }
        FieldKind::Lookup => {
            let ordinal = rng.u64(..u64::from(cast.population.max(1)));
            FieldValue::Text(ids::id(Kind::User, ordinal).to_string())
        }
        FieldKind::Checkbox | FieldKind::System(_) => FieldValue::Null,
    }
}
