//! Forms of tickets, SLA policies, and what agents passed over.

use serde_json::{Value, json};

use super::{HOME, write_json};
use crate::account::Account;
use crate::model::{Collection, Setup, Skip};
use crate::stamp::{Day, Stamp};
use crate::text::Prose;

impl Account {
    /// Appends a form.
    pub(super) fn write_form(&self, out: &mut Vec<u8>, form: &Setup) {
        let fields: Vec<i64> = self
            .ticket_fields
            .ids()
            .into_iter()
            .skip(form.ordinal as usize)
            .take(8)
            .collect();
        let mut json = json!({
            "url": format!("{HOME}/ticket_forms/{}.json", form.id), "id": form.id, "name": form.name,
            "raw_name": form.name, "display_name": form.name, "raw_display_name": form.name,
            "end_user_visible": form.ordinal != 1, "position": form.ordinal, "ticket_field_ids": fields,
            "active": form.deleted_at.is_none(), "default": form.ordinal == 0, "in_all_brands": true,
            "restricted_brand_ids": [], "agent_conditions": conditions(&fields), "end_user_conditions": [],
            "created_at": Stamp(form.created_at), "updated_at": Stamp(form.updated_at),
        });
        if let Some(at) = form.deleted_at {
            json["deleted_at"] = json!(Stamp(at));
        }
        write_json(out, &json);
    }

    /// Appends a policy.
    pub(super) fn write_policy(&self, out: &mut Vec<u8>, policy: &Setup) {
        let target = |metric: &str, priority: &str, minutes: u64| {
            json!({
                "priority": priority, "metric": metric, "target": minutes, "target_in_seconds": minutes * 60,
                "business_hours": policy.ordinal == 1,
            })
        };
        let minutes = 30 * (policy.ordinal + 1);
        let json = json!({
            "url": format!("{HOME}/slas/policies/{}.json", policy.id), "id": policy.id, "title": policy.name,
            "description": Prose::new(&self.cast, policy.id.unsigned_abs()).note(), "position": policy.ordinal + 1,
            "filter": {"all": [{"field": "type", "operator": "is", "value": "incident"}], "any": []},
            "policy_metrics": [
                target("first_reply_time", "urgent", minutes), target("first_reply_time", "low", minutes * 4),
                target("agent_work_time", "normal", minutes * 8),
            ],
            "metric_settings": {"first_reply_time": {"activate_on_ticket_created_for_end_user": false}},
            "created_at": Stamp(policy.created_at), "updated_at": Stamp(policy.updated_at),
        });
        write_json(out, &json);
    }

    /// Appends a brand or a rule.
    pub(super) fn write_setup(&self, out: &mut Vec<u8>, collection: Collection, setup: &Setup) {
        let url = format!("{HOME}/{}/{}.json", collection.name(), setup.id);
        let mut json = json!({
            "url": url, "id": setup.id, "active": setup.deleted_at.is_none(), "default": setup.ordinal == 0,
            "position": setup.ordinal, "created_at": Stamp(setup.created_at), "updated_at": Stamp(setup.updated_at),
        });
        let more = match collection {
            Collection::Schedules => json!({
                "name": setup.name, "time_zone": "Berlin", "intervals": [{"start_time": 1_980, "end_time": 2_460}],
            }),
            Collection::Brands => json!({
                "name": setup.name, "brand_url": "https://simulated.zendesk.com", "subdomain": "simulated",
                "host_mapping": null, "is_deleted": setup.deleted_at.is_some(), "has_help_center": false,
                "help_center_state": "disabled", "ticket_form_ids": self.forms.ids(), "signature_template": "{{agent.signature}}",
                "logo": null,
            }),
            _ => json!({
                "title": setup.name, "raw_title": setup.name,
                "description": Prose::new(&self.cast, setup.id.unsigned_abs()).note(), "restriction": null,
                "actions": [{"field": "status", "value": "solved"}], "conditions": {"all": [], "any": []},
            }),
        };
        let json = json.as_object_mut().expect("an object");
        json.extend(more.as_object().expect("an object").clone());
        write_json(out, &json);
    }

    /// The holidays of a schedule.
    pub(crate) fn holidays_of(&self, schedule: i64) -> Vec<Value> {
        let held = self.holidays.get(&schedule).into_iter().flatten();
        held.map(|(id, day)| {
            json!({
                "id": id, "name": format!("Holiday {}", id % 1_000), "start_date": Day(*day).to_string(),
                "end_date": Day(day + 1).to_string(),
            })
        })
        .collect()
    }

    /// Appends what an agent passed over, with the ticket within, as Zendesk does.
    pub(super) fn write_skip(&self, out: &mut Vec<u8>, skip: &Skip) {
        let json = json!({
            "id": skip.id, "ticket_id": skip.ticket, "user_id": skip.user,
            "reason": Prose::new(&self.cast, skip.seed).note(),
            "ticket": {"id": skip.ticket, "url": format!("{HOME}/tickets/{}.json", skip.ticket)},
            "created_at": Stamp(skip.at), "updated_at": Stamp(skip.at),
        });
        write_json(out, &json);
    }
}

/// Agents are asked for the second field where the first is filled in.
fn conditions(fields: &[i64]) -> Value {
    match fields {
        [asks, asked, ..] => json!([{
            "parent_field_id": asks, "value": "yes",
            "child_fields": [{"id": asked, "is_required": false, "required_on_statuses": {"type": "NO_STATUSES"}}],
        }]),
        _ => json!([]),
    }
}
