//! Definitions of custom fields.

use serde::Serialize;

use super::{Form, Link, write_json};
use crate::account::Account;
use crate::fields::{Choice, Field, FieldKind};
use crate::ids::{self, Kind};
use crate::model::Status;
use crate::stamp::Stamp;

#[derive(Serialize)]
struct TicketFieldJson<'a> {
    url: Link,
    id: i64,
    r#type: &'static str,
    title: &'a str,
    raw_title: &'a str,
    description: &'static str,
    raw_description: &'static str,
    position: u32,
    active: bool,
    required: bool,
    collapsed_for_agents: bool,
    regexp_for_validation: Option<&'static str>,
    title_in_portal: &'a str,
    raw_title_in_portal: &'a str,
    visible_in_portal: bool,
    editable_in_portal: bool,
    required_in_portal: bool,
    agent_can_edit: bool,
    tag: Option<&'static str>,
    created_at: Stamp,
    updated_at: Stamp,
    removable: bool,
    key: Option<&'static str>,
    agent_description: Option<&'static str>,
    raw_agent_description: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    custom_field_options: Option<&'a [Choice]>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    system_field_options: Vec<SystemOption>,
    #[serde(skip_serializing_if = "Option::is_none")]
    sub_type_id: Option<u32>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    custom_statuses: Vec<CustomStatus>,
    #[serde(skip_serializing_if = "Option::is_none")]
    relationship_target_type: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    relationship_filter: Option<Filter>,
    #[serde(skip_serializing_if = "Option::is_none")]
    creator_user_id: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    creator_app_name: Option<Option<&'static str>>,
}

#[derive(Serialize)]
struct SystemOption {
    name: &'static str,
    value: &'static str,
}

#[derive(Serialize)]
struct CustomStatus {
    id: i64,
    status_category: &'static str,
    agent_label: &'static str,
    active: bool,
    default: bool,
}

/// Which records a lookup offers.
#[derive(Serialize)]
struct Filter {
    all: Option<[Condition; 1]>,
    any: Option<[Condition; 0]>,
}

#[derive(Serialize)]
struct Condition {
    field: &'static str,
    operator: &'static str,
    value: &'static str,
}

/// The type of what a lookup points to.
const USERS: &str = "zen:user";

fn lookup_filter() -> Filter {
    let condition = Condition {
        field: "role",
        operator: "is",
        value: "4",
    };
    Filter {
        all: Some([condition]),
        any: Some([]),
    }
}

fn options(kind: FieldKind) -> Vec<SystemOption> {
    let names: &[(&str, &str)] = match kind {
        FieldKind::System("status") => &[
            ("Open", "open"),
            ("Pending", "pending"),
            ("On-hold", "hold"),
            ("Solved", "solved"),
        ],
        FieldKind::System("tickettype") => &[
            ("Question", "question"),
            ("Incident", "incident"),
            ("Problem", "problem"),
            ("Task", "task"),
        ],
        FieldKind::System("priority") => &[
            ("Low", "low"),
            ("Normal", "normal"),
            ("High", "high"),
            ("Urgent", "urgent"),
        ],
        _ => &[],
    };
    names.iter().map(|(name, value)| SystemOption { name, value }).collect()
}

fn statuses(kind: FieldKind) -> Vec<CustomStatus> {
    if kind != FieldKind::System("custom_status") {
        return Vec::new();
    }
    let status = |status: Status| CustomStatus {
        id: ids::id(Kind::Constant, 100 + status as u64),
        status_category: status.name(),
        agent_label: status.name(),
        active: true,
        default: true,
    };
    Status::LIVE.into_iter().map(status).collect()
}

impl Account {
    /// Appends the definition of a ticket field.
    pub(super) fn write_ticket_field(&self, out: &mut Vec<u8>, field: &Field, form: &Form) {
        let is_system = matches!(field.kind, FieldKind::System(_));
        let is_lookup = field.kind == FieldKind::Lookup;
        let description = if is_system { "" } else { "Filled in by the agent." };
        let json = TicketFieldJson {
            url: Link("ticket_fields", field.id),
            id: field.id,
            r#type: field.kind.name(),
            title: &field.title,
            raw_title: &field.title,
            description,
            raw_description: description,
            position: field.position,
            active: true,
            required: false,
            collapsed_for_agents: false,
            regexp_for_validation: None,
            title_in_portal: &field.title,
            raw_title_in_portal: &field.title,
            visible_in_portal: is_system,
            editable_in_portal: is_system,
            required_in_portal: field.position < 2,
            agent_can_edit: true,
            tag: (field.kind == FieldKind::Checkbox).then_some("ticked"),
            created_at: Stamp(field.created_at),
            updated_at: Stamp(field.updated_at),
            removable: !is_system,
            key: None,
            agent_description: None,
            raw_agent_description: None,
            custom_field_options: (!field.choices.is_empty()).then_some(&field.choices),
            system_field_options: options(field.kind),
            sub_type_id: (field.kind == FieldKind::System("status")).then_some(0),
            custom_statuses: statuses(field.kind),
            relationship_target_type: is_lookup.then_some(USERS),
            relationship_filter: is_lookup.then(lookup_filter),
            creator_user_id: (form.creator && !is_system).then(|| self.agents[0]),
            creator_app_name: form.creator.then_some(None),
        };
        write_json(out, &json);
    }
}

/// The definition of a field of organizations.
#[derive(Serialize)]
pub(super) struct KeyedFieldJson<'a> {
    url: Link,
    id: i64,
    r#type: &'static str,
    key: &'a str,
    title: &'a str,
    raw_title: &'a str,
    description: &'static str,
    raw_description: &'static str,
    position: u32,
    active: bool,
    system: bool,
    regexp_for_validation: Option<&'static str>,
    tag: Option<&'static str>,
    created_at: Stamp,
    updated_at: Stamp,
    #[serde(skip_serializing_if = "Option::is_none")]
    custom_field_options: Option<&'a [Choice]>,
    /// Empty where it does not apply, as recorded.
    relationship_target_type: &'static str,
    relationship_filter: Filter,
}

impl<'a> KeyedFieldJson<'a> {
    pub(super) fn new(list: &'static str, field: &'a Field) -> Self {
        let is_lookup = field.kind == FieldKind::Lookup;
        Self {
            url: Link(list, field.id),
            id: field.id,
            r#type: if field.kind == FieldKind::Tagger {
                "dropdown"
            } else {
                field.kind.name()
            },
            key: &field.key,
            title: &field.title,
            raw_title: &field.title,
            description: "",
            raw_description: "",
            position: field.position,
            active: true,
            system: false,
            regexp_for_validation: None,
            tag: (field.kind == FieldKind::Checkbox).then_some("ticked"),
            created_at: Stamp(field.created_at),
            updated_at: Stamp(field.updated_at),
            custom_field_options: (!field.choices.is_empty()).then_some(&field.choices),
            relationship_target_type: if is_lookup { USERS } else { "" },
            relationship_filter: if is_lookup {
                lookup_filter()
            } else {
                Filter { all: None, any: None }
            },
        }
    }
}
