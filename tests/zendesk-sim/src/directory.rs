//! Every unmistakable value of the account's people, for tests that look for them.

use serde::{Deserialize, Serialize};

use crate::account::Account;
use crate::cast::Cast;

/// What a value is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[expect(missing_docs, reason = "the names say it")]
pub enum CanaryClass {
    Email,
    Phone,
    Person,
    Address,
    Ip,
    ExternalId,
    Handle,
    Card,
    Iban,
    Url,
}

impl CanaryClass {
    /// The class's name in snake case.
    pub fn name(self) -> &'static str {
        match self {
            Self::Email => "email",
            Self::Phone => "phone",
            Self::Person => "person",
            Self::Address => "address",
            Self::Ip => "ip",
            Self::ExternalId => "external_id",
            Self::Handle => "handle",
            Self::Card => "card",
            Self::Iban => "iban",
            Self::Url => "url",
        }
    }
}

/// A value that must not appear where personal data are safe.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Canary {
    /// The value in plain form.
    pub value: String,
    /// What it is.
    pub class: CanaryClass,
    /// Free text may hold it; otherwise it stands in fields of its own alone.
    pub in_free_text: bool,
    /// Whose it is; none for a ticket's or an organization's.
    pub user_id: Option<i64>,
}

/// The account's own mail address, to which requests are sent.
pub(crate) const SUPPORT_ADDRESS: &str = "qanary.desk@canary-desk.example";
/// The name that stands beside it.
pub(crate) const SUPPORT_NAME: &str = "Qanary Zfdesk Helpline";

/// The number that callers dial, as Zendesk keeps it and as people write it.
pub(crate) const SUPPORT_PHONE: &str = "+16465559870";
pub(crate) const SUPPORT_SPOKEN_PHONE: &str = "+1 (646) 555-9870";

impl Account {
    /// Lists every value of everyone, those that people had before included.
    pub fn directory(&self) -> Vec<Canary> {
        let mut all = Vec::new();
        for user in self.users.iter() {
            person(&self.cast, user.index, user.id, &mut all);
        }
        all.extend(self.later_canaries.iter().cloned());
        let mut add = |value: String, class| all.push(canary(value, class, false, None));
        add(SUPPORT_ADDRESS.into(), CanaryClass::Email);
        add(SUPPORT_NAME.into(), CanaryClass::Person);
        add(SUPPORT_PHONE.into(), CanaryClass::Phone);
        add(SUPPORT_SPOKEN_PHONE.into(), CanaryClass::Phone);
        for ticket in self.tickets.iter() {
            if let Some(value) = crate::record::ticket::external_id(&self.cast, ticket) {
                add(value, CanaryClass::ExternalId);
            }
        }
        for organization in self.organizations.iter() {
            if let Some(value) = crate::record::organization::external_id(&self.cast, organization) {
                add(value, CanaryClass::ExternalId);
            }
        }
        all
    }
}

fn person(cast: &Cast, index: u32, id: i64, all: &mut Vec<Canary>) {
    use CanaryClass::{Address, Card, Email, ExternalId, Handle, Iban, Ip, Person, Phone, Url};
    let is_talked_about = Cast::is_talked_about(index);
    // Of those who came later no text speaks, but their own notes do.
    let mut add = |value, class, in_free_text| all.push(canary(value, class, in_free_text, Some(id)));
    add(cast.name(index), Person, is_talked_about);
    add(cast.alias(index), Person, false);
    add(cast.email(index), Email, true);
    add(cast.second_email(index), Email, true);
    add(cast.phone(index), Phone, true);
    add(cast.spoken_phone(index), Phone, true);
    add(cast.external_id(index), ExternalId, false);
    add(cast.handle(index), Handle, false);
    add(cast.photo_url(index), Url, false);
    add(cast.url(index), Url, true);
    add(cast.card(index), Card, true);
    add(cast.iban(index), Iban, true);
    add(cast.ip(index), Ip, true);
    if is_talked_about {
        add(cast.address(index), Address, true);
    }
}

fn canary(value: String, class: CanaryClass, in_free_text: bool, user_id: Option<i64>) -> Canary {
    Canary {
        value,
        class,
        in_free_text,
        user_id,
    }
}
