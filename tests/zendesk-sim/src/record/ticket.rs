//! Tickets.

use std::borrow::Cow;

use serde::ser::SerializeSeq;
use serde::{Serialize, Serializer};

use super::metric_set::MetricSetJson;
use super::sla::SlasJson;
use super::{Form, Link, write_json};
use crate::account::Account;
use crate::cast::Cast;
use crate::directory::{SUPPORT_ADDRESS, SUPPORT_NAME, SUPPORT_PHONE, SUPPORT_SPOKEN_PHONE};
use crate::fields::{self, Field, FieldKind, FieldValue};
use crate::ids::{self, BRAND, FORM, Kind, mix};
use crate::model::{Channel, Status, Ticket};
use crate::stamp::Stamp;
use crate::text::Prose;

pub(crate) const PRIORITIES: [Option<&str>; 5] = [None, Some("low"), Some("normal"), Some("high"), Some("urgent")];
const KINDS: [Option<&str>; 5] = [None, Some("question"), Some("incident"), Some("problem"), Some("task")];
const TAGS: [&str; 10] = [
    "billing",
    "shipping",
    "vip",
    "refund",
    "login",
    "mobile_app",
    "follow_up",
    "beta",
    "wholesale",
    "new_customer",
];

#[derive(Serialize)]
struct TicketJson<'a> {
    url: Link,
    id: i64,
    external_id: Option<String>,
    via: Via<'a>,
    created_at: Stamp,
    updated_at: Stamp,
    #[serde(skip_serializing_if = "Option::is_none")]
    generated_timestamp: Option<i64>,
    r#type: Option<&'static str>,
    subject: Cow<'a, str>,
    raw_subject: Cow<'a, str>,
    description: Cow<'a, str>,
    priority: Option<&'static str>,
    status: &'static str,
    custom_status_id: i64,
    encoded_id: String,
    recipient: Option<&'static str>,
    requester_id: i64,
    submitter_id: i64,
    assignee_id: Option<i64>,
    organization_id: Option<i64>,
    group_id: Option<i64>,
    collaborator_ids: &'a [i64],
    follower_ids: &'a [i64],
    email_cc_ids: [i64; 0],
    forum_topic_id: Option<i64>,
    problem_id: Option<i64>,
    has_incidents: bool,
    is_public: bool,
    due_at: Option<Stamp>,
    tags: Vec<Cow<'a, str>>,
    custom_fields: &'a CustomFields<'a>,
    satisfaction_rating: Option<Rating>,
    sharing_agreement_ids: [i64; 0],
    /// The same once more, as Zendesk does.
    fields: &'a CustomFields<'a>,
    followup_ids: [i64; 0],
    ticket_form_id: i64,
    brand_id: i64,
    satisfaction_probability: Option<f64>,
    allow_channelback: bool,
    allow_attachments: bool,
    from_messaging_channel: bool,
    support_type: &'static str,
    /// Stands in no documentation and gives someone away.
    #[serde(skip_serializing_if = "Option::is_none")]
    last_speaker_hint: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    dates: Option<Dates>,
    #[serde(skip_serializing_if = "Option::is_none")]
    comment_count: Option<usize>,
    #[serde(skip_serializing_if = "Option::is_none")]
    incident_count: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    metric_set: Option<MetricSetJson>,
    #[serde(skip_serializing_if = "Option::is_none")]
    slas: Option<SlasJson>,
}

#[derive(Serialize)]
pub(crate) struct Via<'a> {
    channel: &'static str,
    source: Source<'a>,
}

#[derive(Serialize)]
struct Source<'a> {
    from: Party<'a>,
    to: Party<'a>,
    rel: Option<&'static str>,
}

#[derive(Default, Serialize)]
struct Party<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    address: Option<Cow<'a, str>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    name: Option<Cow<'a, str>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    phone: Option<Cow<'a, str>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    formatted_phone: Option<Cow<'a, str>>,
}

#[derive(Serialize)]
struct Rating {
    id: i64,
    score: &'static str,
    comment: Option<String>,
    reason: Option<&'static str>,
    reason_id: Option<i64>,
}

#[derive(Serialize)]
struct Dates {
    assignee_updated_at: Option<Stamp>,
    requester_updated_at: Stamp,
    status_updated_at: Stamp,
    initially_assigned_at: Option<Stamp>,
    assigned_at: Option<Stamp>,
    solved_at: Option<Stamp>,
    latest_comment_added_at: Stamp,
    custom_status_updated_at: Stamp,
}

/// A ticket's custom fields with their values.
struct CustomFields<'a>(Vec<(i64, FieldValue<'a>)>);

impl Serialize for CustomFields<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        #[derive(Serialize)]
        struct Entry<'v> {
            id: i64,
            value: &'v FieldValue<'v>,
        }
        let mut seq = serializer.serialize_seq(Some(self.0.len()))?;
        for (id, value) in &self.0 {
            seq.serialize_element(&Entry { id: *id, value })?;
        }
        seq.end()
    }
}

/// The customer's own id of a ticket, where it has one; scrubbing takes it away.
pub(crate) fn external_id(cast: &Cast, ticket: &Ticket) -> Option<String> {
    ticket
        .ordinal
        .is_multiple_of(4)
        .then(|| cast.ticket_reference(ticket.ordinal))
}

impl Account {
    /// Appends a ticket as it looks at a time.
    pub(crate) fn write_ticket(&self, out: &mut Vec<u8>, ticket: &Ticket, form: &Form, now: i64) {
        let custom = self.custom_fields(ticket);
        let (subject, description) = self.words(ticket);
        let is_kept = !ticket.is_scrubbed;
        let json = TicketJson {
            url: Link("tickets", ticket.id),
            id: ticket.id,
            external_id: external_id(&self.cast, ticket).filter(|_| is_kept),
            via: self.via(ticket),
            created_at: Stamp(ticket.created_at),
            updated_at: Stamp(ticket.updated_at),
            generated_timestamp: form.generated.then_some(ticket.generated_at),
            r#type: KINDS[usize::from(ticket.kind)],
            raw_subject: subject.clone(),
            subject,
            description,
            priority: PRIORITIES[usize::from(ticket.priority)],
            status: ticket.status.name(),
            custom_status_id: custom_status(ticket.status),
            encoded_id: encoded_id(ticket.id),
            recipient: (ticket.channel == Channel::Email && is_kept).then_some(SUPPORT_ADDRESS),
            requester_id: ticket.requester,
            submitter_id: ticket.requester,
            assignee_id: ticket.assignee,
            organization_id: ticket.organization,
            group_id: ticket.group,
            collaborator_ids: &ticket.followers,
            follower_ids: &ticket.followers,
            email_cc_ids: [],
            forum_topic_id: None,
            problem_id: ticket.problem,
            has_incidents: false,
            is_public: true,
            due_at: ticket.due_at.map(Stamp),
            tags: self.tags(ticket),
            custom_fields: &custom,
            satisfaction_rating: self.rating(ticket),
            sharing_agreement_ids: [],
            fields: &custom,
            followup_ids: [],
            ticket_form_id: FORM,
            brand_id: BRAND,
            satisfaction_probability: None,
            allow_channelback: false,
            allow_attachments: true,
            from_messaging_channel: ticket.is_messaging(),
            support_type: if ticket.by_ai_agent { "ai_agent" } else { "agent" },
            last_speaker_hint: (is_kept && ticket.ordinal % 16 == 5)
                .then(|| Prose::new(&self.cast, mix(ticket.seed ^ 0x41)).note()),
            dates: form.dates.then(|| dates(ticket)),
            comment_count: form.comment_count.then(|| ticket.comments()),
            incident_count: form.incident_count.then_some(0),
            metric_set: form.metric_set.then(|| MetricSetJson::new(ticket)),
            slas: form.slas.then(|| SlasJson::new(ticket, now)),
        };
        write_json(out, &json);
    }

    /// Appends a ticket's SLA clocks as they stand at a time; returns false where there is no such ticket.
    pub(crate) fn write_slas(&self, out: &mut Vec<u8>, id: i64, now: i64) -> bool {
        let ticket = self.tickets.get(id);
        ticket
            .map(|ticket| write_json(out, &SlasJson::new(ticket, now)))
            .is_some()
    }

    pub(crate) fn words(&self, ticket: &Ticket) -> (Cow<'static, str>, Cow<'static, str>) {
        if ticket.is_scrubbed {
            return ("SCRUBBED".into(), "X".into());
        }
        let subject = Prose::new(&self.cast, mix(ticket.seed ^ 0x5b)).subject();
        (subject.into(), Prose::new(&self.cast, ticket.seed).comment().into())
    }

    pub(crate) fn via(&self, ticket: &Ticket) -> Via<'static> {
        let who = ticket.requester_index;
        let (channel, from, to) = match ticket.channel {
            Channel::Web => ("web", Party::default(), Party::default()),
            Channel::Api => ("api", Party::default(), Party::default()),
            Channel::Email => ("email", self.sender(who), support_by_mail()),
            Channel::Voice => ("voice", self.caller(who), support_by_phone()),
        };
        let (from, to) = if ticket.is_scrubbed {
            Default::default()
        } else {
            (from, to)
        };
        Via {
            channel,
            source: Source { from, to, rel: None },
        }
    }

    fn sender(&self, who: u32) -> Party<'static> {
        Party {
            address: Some(self.cast.email(who).into()),
            name: Some(self.cast.name(who).into()),
            ..Party::default()
        }
    }

    fn caller(&self, who: u32) -> Party<'static> {
        Party {
            phone: Some(self.cast.phone(who).into()),
            formatted_phone: Some(self.cast.spoken_phone(who).into()),
            name: Some(self.cast.name(who).into()),
            ..Party::default()
        }
    }

    fn custom_fields(&self, ticket: &Ticket) -> CustomFields<'_> {
        let custom = self
            .ticket_fields
            .iter()
            .filter(|field| !matches!(field.kind, FieldKind::System(_)));
        CustomFields(
            custom
                .map(|field| (field.id, self.custom_value(field, ticket)))
                .collect(),
        )
    }

    fn custom_value<'f>(&self, field: &'f Field, ticket: &Ticket) -> FieldValue<'f> {
        // Nobody has filled in a field that is newer than the ticket's last change.
        if ticket.is_scrubbed || field.created_at > ticket.generated_at {
            return FieldValue::Null;
        }
        let changed = ticket.changed_fields.iter().find(|(id, _)| *id == field.id);
        let seed = changed.map_or(ticket.seed, |(_, seed)| *seed);
        fields::value(field, seed, &self.cast)
    }

    fn tags(&self, ticket: &Ticket) -> Vec<Cow<'static, str>> {
        if ticket.is_scrubbed {
            return Vec::new();
        }
        let mixed = mix(ticket.seed ^ 0x7a6);
        let first = mixed as usize % TAGS.len();
        let mut tags: Vec<Cow<'static, str>> = TAGS
            .iter()
            .cycle()
            .skip(first)
            .take(mixed as usize / 16 % 4)
            .map(|tag| (*tag).into())
            .collect();
        if mixed.is_multiple_of(41) {
            tags.push(self.cast.email(ticket.requester_index).into());
        }
        tags
    }

    fn rating(&self, ticket: &Ticket) -> Option<Rating> {
        let mixed = mix(ticket.seed ^ 0x5a7);
        if ticket.metrics.first_solved_at.is_none() || ticket.is_scrubbed || !mixed.is_multiple_of(5) {
            return None;
        }
        let is_good = !(mixed / 5).is_multiple_of(3);
        Some(Rating {
            id: ids::id(Kind::Rating, ticket.ordinal),
            score: if is_good { "good" } else { "bad" },
            comment: (mixed / 15)
                .is_multiple_of(2)
                .then(|| Prose::new(&self.cast, mixed).note()),
            reason: (!is_good).then_some("The issue took too long to resolve"),
            reason_id: (!is_good).then_some(ids::id(Kind::Constant, 4)),
        })
    }
}

fn support_by_mail() -> Party<'static> {
    Party {
        name: Some(SUPPORT_NAME.into()),
        address: Some(SUPPORT_ADDRESS.into()),
        ..Party::default()
    }
}

fn support_by_phone() -> Party<'static> {
    Party {
        name: Some(SUPPORT_NAME.into()),
        phone: Some(SUPPORT_PHONE.into()),
        formatted_phone: Some(SUPPORT_SPOKEN_PHONE.into()),
        ..Party::default()
    }
}

fn custom_status(status: Status) -> i64 {
    ids::id(Kind::Constant, 100 + status as u64)
}

/// Ten letters with a dash, as in the headers of mails.
fn encoded_id(id: i64) -> String {
    let mut mixed = mix(id as u64);
    let mut letter = || {
        let letter = char::from(b'A' + (mixed % 26) as u8);
        mixed /= 26;
        letter
    };
    (0..11).map(|place| if place == 6 { '-' } else { letter() }).collect()
}

fn dates(ticket: &Ticket) -> Dates {
    let metrics = &ticket.metrics;
    Dates {
        assignee_updated_at: metrics.assignee_updated_at.map(Stamp),
        requester_updated_at: Stamp(metrics.requester_updated_at),
        status_updated_at: Stamp(metrics.status_updated_at),
        initially_assigned_at: metrics.initially_assigned_at.map(Stamp),
        assigned_at: metrics.assigned_at.map(Stamp),
        solved_at: metrics.solved_at.map(Stamp),
        latest_comment_added_at: Stamp(metrics.latest_comment_at),
        custom_status_updated_at: Stamp(metrics.status_updated_at),
    }
}
