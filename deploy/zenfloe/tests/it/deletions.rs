//! Every way in which Zendesk deletes, through all stages into a table.

use std::time::Duration;

use rusqlite::types::{FromSql, Value};
use rusqlite::{Connection, OptionalExtension};
use zendesk_sim::{AccountSpec, Collection, Op, SimConfig};

use crate::bench::Bench;

/// An account and the tables that are made of it.
struct Desk(Bench);

impl Desk {
    /// An account that has been read once, rules and brands included.
    fn new() -> Self {
        let bench = Bench::with(|config| SimConfig {
            spec: AccountSpec {
                clock: config.spec.clock.clone(),
                ..AccountSpec::sized(200, 5)
            },
            ..config
        });
        let more = "[sources.acme.extract]\ncollections = { on = [\"brands\", \"macros\", \"triggers\", \"views\"] }";
        bench.write(
            "zenfloe.toml",
            &bench.config("acme").replace("[sources.acme.extract]", more),
        );
        let desk = Self(bench);
        desk.moved();
        desk
    }

    /// Lets what has happened settle, and moves it.
    fn moved(&self) {
        self.0.simulator.advance(Duration::from_secs(400));
        self.0.expect(&["run", "--once"], 0);
    }

    fn apply(&self, op: Op) -> i64 {
        self.0
            .simulator
            .apply(op.clone())
            .unwrap_or_else(|error| panic!("{op:?}: {error}"))
    }

    /// The first value of a query; `None` without a row.
    fn ask<T: FromSql>(&self, query: &str) -> Option<T> {
        let database = Connection::open(self.0.path("warehouse.sqlite")).expect("the database");
        database.query_row(query, [], |row| row.get(0)).optional().expect(query)
    }

    fn count(&self, query: &str) -> i64 {
        self.ask(&format!("SELECT count(*) FROM {query}")).expect("a count")
    }

    /// What `_deleted` says of a row.
    fn is_deleted(&self, table: &str, id: i64) -> bool {
        let query = format!("SELECT _deleted FROM {table} WHERE id = {id}");
        self.ask(&query).unwrap_or_else(|| panic!("{table} {id}: no row"))
    }

    fn cell(&self, table: &str, id: i64, column: &str) -> Value {
        let query = format!("SELECT {column} FROM {table} WHERE id = {id}");
        self.ask(&query).unwrap_or_else(|| panic!("{table} {id}: no row"))
    }

    /// Ids of live rows that hold to a claim.
    fn live(&self, table: &str, claim: &str) -> i64 {
        let query = format!("SELECT id FROM {table} WHERE NOT _deleted AND {claim} ORDER BY id LIMIT 1");
        self.ask(&query)
            .unwrap_or_else(|| panic!("{table}: no live row with {claim}"))
    }

    /// A record of the account that is there.
    fn one(&self, collection: Collection) -> i64 {
        let mut all = self.0.simulator.records(collection);
        let is_there = |truth: &zendesk_sim::Truth| !truth.is_deleted && !truth.is_removed;
        // The first ones are system fields and defaults, which stay.
        let found = all.by_ref().filter(is_there).last();
        found.unwrap_or_else(|| panic!("no {}", collection.name())).id
    }
}

const OPEN: &str = "status IN ('new', 'open', 'pending', 'hold')";

#[test]
fn a_deleted_ticket_is_marked_and_a_restored_one_is_live() {
    let desk = Desk::new();
    let id = desk.live("tickets", OPEN);
    let status = desk.cell("tickets", id, "status");
    desk.apply(Op::DeleteTicket { id });
    desk.moved();
    assert!(desk.is_deleted("tickets", id));
    assert_eq!(desk.cell("tickets", id, "status"), Value::Text("deleted".into()));
    desk.apply(Op::RestoreTicket { id });
    desk.moved();
    assert!(!desk.is_deleted("tickets", id));
    assert_eq!(desk.cell("tickets", id, "status"), status);
}

#[test]
fn with_a_scrubbed_ticket_goes_all_that_hangs_on_it() {
    const CHILDREN: [(&str, &str); 7] = [
        ("ticket_events", "value"),
        ("ticket_comments", "body"),
        ("attachments", "file_name"),
        ("side_conversations", "subject"),
        ("side_conversation_events", "body"),
        ("satisfaction_ratings", "comment"),
        ("ticket_skips", "reason"),
    ];
    let desk = Desk::new();
    let with_all = "id IN (SELECT ticket_id FROM attachments) AND id IN (SELECT ticket_id FROM satisfaction_ratings)";
    let id = desk.live("tickets", with_all);
    desk.apply(Op::StartSideConversation { id, seed: 1 });
    desk.apply(Op::SkipTicket { id, seed: 1 });
    desk.moved();
    let children = CHILDREN.map(|(table, text)| {
        let held = desk.count(&format!("{table} WHERE ticket_id = {id} AND NOT _deleted"));
        assert!(held > 0, "{table}: none of ticket {id}");
        let database = Connection::open(desk.0.path("warehouse.sqlite")).expect("the database");
        let mut rows = database
            .prepare(&format!("SELECT quote(id) FROM {table} WHERE ticket_id = {id}"))
            .expect("a query");
        let ids: Vec<String> = rows
            .query_map([], |row| row.get(0))
            .expect("rows")
            .collect::<Result<_, _>>()
            .expect("texts");
        (table, text, ids.join(", "))
    });
    desk.apply(Op::DeleteTicket { id });
    desk.moved();
    desk.apply(Op::ScrubTicket { id });
    desk.moved();
    assert!(desk.is_deleted("tickets", id));
    for column in ["subject", "description", "requester_id"] {
        assert_eq!(desk.cell("tickets", id, column), Value::Null, "{column}");
    }
    for (table, text, ids) in children {
        let left = desk.count(&format!(
            "{table} WHERE id IN ({ids}) AND (NOT _deleted OR {text} IS NOT NULL)"
        ));
        assert_eq!(left, 0, "{table}: rows of a scrubbed ticket are left");
    }
}

#[test]
fn deleted_people_and_organizations_are_marked() {
    let desk = Desk::new();
    let of_someone = "role = 'end-user' AND id IN (SELECT user_id FROM user_identities WHERE NOT _deleted)";
    let softly = desk.live("users", of_someone);
    let for_good = desk.live("users", &format!("{of_someone} AND id > {softly}"));
    let organization = desk.live(
        "organizations",
        "id IN (SELECT organization_id FROM organization_memberships)",
    );
    desk.apply(Op::DeleteUser { id: softly });
    desk.apply(Op::PermanentlyDeleteUser { id: for_good });
    desk.apply(Op::DeleteOrganization { id: organization });
    desk.moved();
    desk.moved();
    assert!(desk.is_deleted("users", softly) && desk.is_deleted("users", for_good));
    assert_eq!(desk.cell("users", softly, "email"), Value::Null);
    assert_eq!(
        desk.cell("users", for_good, "name"),
        Value::Null,
        "of whom is deleted for good the key is left"
    );
    for user in [softly, for_good] {
        let left = desk.count(&format!("user_identities WHERE user_id = {user} AND NOT _deleted"));
        assert_eq!(left, 0, "identities of {user}");
    }
    assert!(desk.is_deleted("organizations", organization));
    let members = format!("organization_memberships WHERE organization_id = {organization} AND NOT _deleted");
    assert_eq!(desk.count(&members), 0);
}

#[test]
fn what_says_of_itself_that_it_is_deleted_is_marked() {
    let desk = Desk::new();
    let group = desk.apply(Op::DeleteGroup {
        id: desk.one(Collection::Groups),
    });
    let brand = desk.apply(Op::DeleteBrand {
        id: desk.one(Collection::Brands),
    });
    let form = desk.apply(Op::DeleteTicketForm {
        id: desk.one(Collection::TicketForms),
    });
    desk.moved();
    for (table, id) in [("groups", group), ("brands", brand), ("ticket_forms", form)] {
        assert!(desk.is_deleted(table, id), "{table} {id}");
    }
    let void = desk.count("ticket_metric_events WHERE deleted");
    assert!(void > 0, "breaches that an answer made void");
    assert_eq!(desk.count("ticket_metric_events WHERE deleted AND NOT _deleted"), 0);
}

#[test]
fn what_disappears_silently_is_marked_at_the_second_look() {
    let desk = Desk::new();
    let gone = [
        (
            "group_memberships",
            Op::RemoveGroupMembership {
                id: desk.one(Collection::GroupMemberships),
            },
        ),
        (
            "organization_memberships",
            Op::RemoveOrganizationMembership {
                id: desk.one(Collection::OrganizationMemberships),
            },
        ),
        (
            "ticket_fields",
            Op::RemoveTicketField {
                id: desk.one(Collection::TicketFields),
            },
        ),
        (
            "organization_fields",
            Op::RemoveOrganizationField {
                id: desk.one(Collection::OrganizationFields),
            },
        ),
        (
            "macros",
            Op::RemoveMacro {
                id: desk.one(Collection::Macros),
            },
        ),
        (
            "triggers",
            Op::RemoveTrigger {
                id: desk.one(Collection::Triggers),
            },
        ),
        (
            "views",
            Op::RemoveView {
                id: desk.one(Collection::Views),
            },
        ),
        (
            "sla_policies",
            Op::RemoveSlaPolicy {
                id: desk.one(Collection::SlaPolicies),
            },
        ),
    ];
    let gone = gone.map(|(table, op)| (table, desk.apply(op)));
    desk.moved();
    for (table, id) in gone {
        assert!(!desk.is_deleted(table, id), "{table} {id}: one look is not enough");
    }
    desk.moved();
    for (table, id) in gone {
        assert!(desk.is_deleted(table, id), "{table} {id}");
    }
}

#[test]
fn a_redacted_comment_is_its_redacted_text_and_a_redacted_file_is_empty() {
    let desk = Desk::new();
    let tickets = || desk.0.simulator.records(Collection::Tickets);
    let mut tried = tickets().map(|truth| Op::RedactComment { id: truth.id, seed: 3 });
    tried
        .find(|op| desk.0.simulator.apply(op.clone()).is_ok())
        .expect("a comment");
    let mut tried = tickets().map(|truth| Op::RedactAttachment { id: truth.id, seed: 3 });
    tried
        .find(|op| desk.0.simulator.apply(op.clone()).is_ok())
        .expect("a file");
    desk.moved();
    let of_event = |column: &str, kind: &str| {
        let query = format!("SELECT {column} FROM ticket_events WHERE event_type = '{kind}'");
        desk.ask::<i64>(&query).unwrap_or_else(|| panic!("no {kind}"))
    };
    let comment = of_event("comment_id", "CommentRedactionEvent");
    assert!(!desk.is_deleted("ticket_comments", comment), "a redacted comment stays");
    let Value::Text(body) = desk.cell("ticket_comments", comment, "body") else {
        panic!("a redacted comment has a text");
    };
    assert!(body.contains('▇'), "the text that is left");
    let file = of_event("attachment_id", "AttachmentRedactionEvent");
    assert!(!desk.is_deleted("attachments", file));
    assert_eq!(
        desk.cell("attachments", file, "file_name"),
        Value::Text("redacted.txt".into())
    );
    assert_eq!(desk.cell("attachments", file, "deleted"), Value::Integer(1));
}
