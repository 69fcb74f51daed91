//! Changes at random, in the proportions of a busy account.

use fastrand::Rng;

use crate::account::Account;
use crate::ids::mix;
use crate::op::Op;
use crate::table::{Table, Timed};

/// Random changes at a rate.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Traffic {
    /// Changes in a second of real time.
    pub per_second: f64,
    /// Decides which.
    pub seed: u64,
}

impl Account {
    /// Makes `n` random changes now; returns them.
    pub fn apply_random(&mut self, n: usize, seed: u64) -> Vec<Op> {
        self.apply_random_at(self.now(), n, seed)
    }

    /// Makes `n` random changes at a time (whole seconds since 1970); returns them.
    pub fn apply_random_at(&mut self, at: i64, n: usize, seed: u64) -> Vec<Op> {
        let mut rng = Rng::with_seed(mix(seed ^ 0x7ab1e));
        let mut done = Vec::with_capacity(n);
        while done.len() < n {
            let op = self.random_op(&mut rng);
            // What the present state forbids is drawn again.
            if self.apply_at(at, op.clone()).is_ok() {
                done.push(op);
            }
        }
        done
    }

    fn random_op(&self, rng: &mut Rng) -> Op {
        let seed = rng.u64(..);
        match rng.u16(..1_000) {
            0..150 => Op::CreateTicket { seed },
            150..270 => Op::SystemUpdate {
                id: any(&self.tickets, rng),
            },
            270..300 => Op::DeleteTicket {
                id: self.a_quiet_ticket(rng),
            },
            300..312 => Op::ScrubTicket {
                id: self.one_of_bin(rng),
            },
            312..324 => Op::RestoreTicket {
                id: self.one_of_bin(rng),
            },
            324..360 => Op::CreateUser { seed },
            360..440 => Op::UpdateUser {
                id: any(&self.users, rng),
                seed,
            },
            440..452 => Op::DeleteUser {
                id: self.an_end_user(rng),
            },
            452..458 => Op::PermanentlyDeleteUser {
                id: self.an_end_user(rng),
            },
            458..490 => Op::AddIdentity {
                id: any(&self.users, rng),
            },
            490..505 => Op::RemoveIdentity {
                id: any(&self.users, rng),
            },
            505..515 => Op::CreateOrganization { seed },
            515..540 => Op::RenameOrganization {
                id: any(&self.organizations, rng),
            },
            540..545 => Op::DeleteOrganization {
                id: any(&self.organizations, rng),
            },
            545..550 => Op::RenameGroup {
                id: any(&self.groups, rng),
            },
            550..551 => Op::DeleteGroup {
                id: any(&self.groups, rng),
            },
            551..575 => Op::AddGroupMembership {
                user: self.agents[rng.usize(..self.agents.len())],
                group: any(&self.groups, rng),
            },
            575..590 => Op::RemoveGroupMembership {
                id: any(&self.group_memberships, rng),
            },
            590..615 => Op::AddOrganizationMembership {
                user: any(&self.users, rng),
                organization: any(&self.organizations, rng),
            },
            615..630 => Op::RemoveOrganizationMembership {
                id: any(&self.organization_memberships, rng),
            },
            630..638 => Op::RenameTicketField {
                id: any(&self.ticket_fields, rng),
            },
            638..645 => Op::RenameOrganizationField {
                id: any(&self.organization_fields, rng),
            },
            645..655 => Op::RedactComment {
                id: any(&self.tickets, rng),
                seed,
            },
            655..660 => Op::RenameTicketForm {
                id: any(&self.forms, rng),
            },
            660..664 => Op::RenameSlaPolicy {
                id: any(&self.policies, rng),
            },
            664..674 => Op::SkipTicket {
                id: any(&self.tickets, rng),
                seed,
            },
            674..690 => Op::RateTicket {
                id: any(&self.ratings, rng),
                seed,
            },
            690..696 => Op::StartSideConversation {
                id: any(&self.tickets, rng),
                seed,
            },
            696..704 => Op::ReplyToSideConversation {
                id: any(&self.side_conversations, rng),
                seed,
            },
            704..708 => Op::CloseSideConversation {
                id: any(&self.side_conversations, rng),
            },
            708..712 => Op::RedactAttachment {
                id: any(&self.tickets, rng),
                seed,
            },
            _ => Op::UpdateTicket {
                id: any(&self.tickets, rng),
                seed,
            },
        }
    }

    /// A ticket without side conversations: of a deleted one they cannot be read, so that what is known of them would
    /// depend on when it was read.
    fn a_quiet_ticket(&self, rng: &mut Rng) -> i64 {
        let id = any(&self.tickets, rng);
        if self.talks_of.contains_key(&id) { 0 } else { id }
    }

    fn one_of_bin(&self, rng: &mut Rng) -> i64 {
        match self.bin.len() {
            0 => 0,
            n => *self.bin.iter().nth(rng.usize(..n)).expect("within the bin"),
        }
    }

    /// An end user; agents stay, so that there is always someone to answer.
    fn an_end_user(&self, rng: &mut Rng) -> i64 {
        let id = any(&self.users, rng);
        if self.agents.contains(&id) { 0 } else { id }
    }
}

/// A row's id, or 0, which no row has.
fn any<T: Timed>(table: &Table<T>, rng: &mut Rng) -> i64 {
    let Some((low, high)) = table.span() else {
        return 0;
    };
    table.at_or_behind(rng.i64(low..=high)).map_or(0, Timed::id)
}
