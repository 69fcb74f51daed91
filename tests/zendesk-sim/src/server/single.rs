//! Endpoints of one object.

use serde_json::{Value, json};

use super::answer::Answer;
use super::auth::Caller;
use super::page::Sideloads;
use super::query::Query;
use super::{Served, Shared};
use crate::model::{Collection, Role};
use crate::record::Form;

/// `tickets/<id>`; deleted ones are not found.
pub(crate) fn ticket(shared: &Shared, id: i64, query: &Query) -> Result<Served, Answer> {
    let account = shared.read();
    let sideloads = Sideloads::new(Collection::Tickets, &query.includes(), Form::default());
    if account.is_deleted(Collection::Tickets, id) {
        return Err(Answer::no_such_record());
    }
    let mut body = b"{\"ticket\":".to_vec();
    if !account.write_record(&mut body, Collection::Tickets, id, &sideloads.form, account.now()) {
        return Err(Answer::no_such_record());
    }
    body.push(b'}');
    Ok(Served {
        answer: Answer::page(body, 1),
        unknown_includes: sideloads.unknown,
    })
}

/// `users/me`: 200 for anyone, an anonymous user for whoever shows no credentials.
pub(crate) fn me(shared: &Shared, caller: Option<&Caller>) -> Answer {
    let Some(caller) = caller else {
        let user = json!({"id": null, "name": "Anonymous user", "email": "invalid@example.com", "role": "end-user"});
        return Answer::json(200, &json!({"user": user}));
    };
    let mut user = shared.read().someone(caller.role);
    // A secret, which must never be published.
    user["authenticity_token"] = "sim-authenticity-token".into();
    Answer::json(200, &json!({"user": user}))
}

impl crate::account::Account {
    /// The first user of a role, else an invented one.
    fn someone(&self, role: Role) -> Value {
        let found = self.users.iter().find(|user| user.role == role && user.is_active);
        let Some(user) = found else {
            return json!({"id": 1, "name": "Nobody", "role": role.name()});
        };
        let mut json = Vec::new();
        self.write_user(&mut json, user, &Form::default());
        serde_json::from_slice(&json).expect("it was just written")
    }
}

/// `account/settings`, as far as clients ask for it.
pub(crate) fn settings() -> Answer {
    Answer::json(
        200,
        &json!({"settings": {
            "active_features": {"customer_satisfaction": true, "user_tagging": true, "organization_access_enabled": true},
            "api": {"accepted_api_agreement": true, "api_password_access": "false", "api_token_access": "true"},
            "localization": {"locale_ids": [1]},
            "tickets": {"collaboration": true, "tagging": true, "status_hold": true},
            "users": {"tagging": true, "time_zone_selection": true},
        }}),
    )
}

/// The holidays of one schedule, all of them.
pub(crate) fn holidays(shared: &Shared, schedule: i64) -> Result<Served, Answer> {
    let account = shared.read();
    let held = account
        .setups
        .get(&Collection::Schedules)
        .and_then(|rows| rows.get(schedule));
    held.ok_or_else(Answer::no_such_record)?;
    let holidays = account.holidays_of(schedule);
    let rows = holidays.len();
    Ok(Answer::page(json!({"holidays": holidays}).to_string().into_bytes(), rows).into())
}
