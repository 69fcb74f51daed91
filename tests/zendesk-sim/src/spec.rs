//! What an account is made from.

use serde::{Deserialize, Serialize};

use crate::clock::Clock;

/// Size and shape of an account. Equal specifications with equal anchors give equal accounts.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct AccountSpec {
    /// Decides every value.
    pub seed: u64,
    /// Tickets.
    pub tickets: u32,
    /// End users.
    pub users: u32,
    /// Agents and admins; at least one.
    pub agents: u32,
    /// Organizations.
    pub organizations: u32,
    /// Groups of agents; at least one.
    pub groups: u32,
    /// Custom fields of tickets; with 40 a ticket takes 5 to 6 KB of JSON.
    pub custom_fields: u32,
    /// The account's time.
    #[serde(skip, default = "Clock::real")]
    pub clock: Clock,
    /// Where the history ends, whole seconds since 1970; the clock's present, where it is not given.
    /// Whoever wants the same account again after a restart must keep it ([`crate::Account::anchor`]).
    pub anchor: Option<i64>,
    /// How far the history reaches back from two minutes before the anchor.
    pub history_days: u32,
    /// The newest seconds that ticket exports keep back; Zendesk's 60.
    pub hidden_window_seconds: u32,
}

impl AccountSpec {
    /// An account of this many tickets with the proportions of an ordinary one.
    pub fn sized(tickets: u32, seed: u64) -> Self {
        let agents = 5 + tickets / 500;
        Self {
            seed,
            tickets,
            users: (tickets / 4).max(8),
            agents,
            organizations: (tickets / 50).max(5),
            groups: 4 + tickets / 2_000,
            custom_fields: 12,
            clock: Clock::real(),
            anchor: None,
            history_days: 730,
            hidden_window_seconds: 60,
        }
    }
}

impl Default for AccountSpec {
    fn default() -> Self {
        Self::sized(5_000, 1)
    }
}
