//! Custom fields: columns of their own, named once, whatever order things come in.

use std::collections::BTreeMap;
use std::time::Duration;

use apache_avro::types::Value as Avro;
use serde_json::{Value, json};
use tokio_util::sync::CancellationToken;
use zenfloe_catalog::{Action, Catalog};
use zenfloe_record::Topic;
use zenfloe_transformer::{Config, From, Replay, ReplayProgress, Treatment, replay, run};

use crate::clean::Clean;
use crate::raw::{email, ticket, user};
use crate::{Site, caught_up};

fn site() -> Site {
    let mut site = Site::new();
    let names = ["tickets", "users", "ticket_events", "ticket_fields", "user_fields"];
    site.collections = names
        .into_iter()
        .map(|name| Catalog::builtin().collection(name).expect("in the catalog"))
        .collect();
    site
}

fn field(id: i64, kind: &str, title: &str) -> Value {
    json!({"id": id, "type": kind, "title": title, "removable": true, "updated_at": "2026-01-02T03:04:05Z"})
}

fn ticket_with(id: i64, fields: &[(i64, Value)]) -> Value {
    let mut ticket = ticket(id, 1_700_000_000 + id);
    let values: Vec<Value> = fields
        .iter()
        .map(|(id, value)| json!({"id": id, "value": value}))
        .collect();
    ticket["custom_fields"] = values.clone().into();
    ticket["fields"] = values.into();
    ticket
}

impl Site {
    async fn define(&self, at: i64, fields: &[Value]) {
        let page = fields.iter().map(|field| self.record("ticket_fields", at, field));
        self.append(page.collect()).await;
    }

    async fn tell(&self, collection: &str, at: i64, record: &Value) {
        self.append(vec![self.record(collection, at, record)]).await;
    }

    /// The custom columns of the newest writing of each row, by key, those that are null left out.
    async fn customs(&self, table: &str) -> BTreeMap<String, BTreeMap<String, String>> {
        let mut rows: Vec<Clean> = self.rows_of(table).await;
        // What was written anew stands behind its first writing, with the same version.
        rows.sort_by_key(|row| row.version);
        let mut all = BTreeMap::new();
        for row in rows {
            let key = String::from_utf8(row.row_key().to_vec()).expect("digits");
            let fields = self.fields(&row).into_iter();
            let own = fields.filter(|(name, _)| name.starts_with("custom_") && name != "custom_status_id");
            let own = own.filter(|(name, _)| name != "custom_role_id");
            let shown = own.filter_map(|(name, value)| Some((name, plain(value)?)));
            all.insert(key, shown.collect());
        }
        all
    }

    async fn pending(&self) -> Vec<(String, Option<String>)> {
        let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).expect("text");
        let records = self.records(&Topic::pending(&self.source)).await.into_iter();
        records
            .map(|record| (text(&record.key), record.value.as_deref().map(text)))
            .collect()
    }
}

fn plain(value: Avro) -> Option<String> {
    match value {
        Avro::Union(_, inner) => plain(*inner),
        Avro::Null => None,
        Avro::String(text) => Some(text),
        Avro::Long(number) => Some(number.to_string()),
        Avro::Date(days) => Some(format!("day {days}")),
        Avro::Double(number) => Some(number.to_string()),
        Avro::Boolean(held) => Some(held.to_string()),
        other => panic!("no custom value: {other:?}"),
    }
}

fn map(pairs: &[(&str, &str)]) -> BTreeMap<String, String> {
    pairs
        .iter()
        .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
        .collect()
}

#[tokio::test(start_paused = true)]
async fn every_type_has_its_column_and_texts_are_redacted() {
    let site = site();
    site.make_raw().await;
    let kinds = [
        ("text", "Contact"),
        ("tagger", "Area"),
        ("checkbox", "Escalated"),
        ("date", "Promised on"),
        ("integer", "Seats"),
        ("decimal", "Value"),
        ("multiselect", "Modules"),
        ("lookup", "Manager"),
        ("hologram", "Shape"),
        ("integer", "Emptied"),
    ];
    let fields: Vec<Value> = kinds
        .iter()
        .zip(1..)
        .map(|((kind, title), id)| field(id, kind, title))
        .collect();
    site.define(1, &fields).await;
    let system = json!({"id": 99, "type": "subject", "title": "Subject", "removable": false});
    site.define(1, &[system]).await;
    let values = [
        (1, json!(format!("ask {}", email(5)))),
        (2, json!("alpha")),
        (3, json!(true)),
        (4, json!("1970-01-03")),
        (5, json!(12)),
        (6, json!(1.5)),
        (7, json!(["a", "b"])),
        (8, json!("360001")),
        (9, json!({"to": email(6)})),
        (10, json!("")),
    ];
    site.tell("tickets", 10, &ticket_with(7, &values)).await;
    site.transform().await;
    let mut found = site.customs("tickets").await.remove("7").expect("a row");
    let (contact, shape) = (found.remove("custom_contact"), found.remove("custom_shape"));
    let hidden =
        |text: Option<String>| text.is_some_and(|text| text.contains("[email:k1_") && !text.contains("qanary"));
    assert!(hidden(contact) && hidden(shape));
    let expected = [
        ("custom_area", "alpha"),
        ("custom_escalated", "true"),
        ("custom_promised_on", "day 2"),
        ("custom_seats", "12"),
        ("custom_value", "1.5"),
        ("custom_modules", r#"["a","b"]"#),
        ("custom_manager", "360001"),
    ];
    assert_eq!(found, map(&expected));
    assert!(site.pending().await.is_empty());
}

#[tokio::test(start_paused = true)]
async fn a_value_that_comes_before_its_definition_waits_for_it() {
    let site = site();
    site.make_raw().await;
    site.define(1, &[field(1, "tagger", "Area")]).await;
    let early = [
        (1, json!("alpha")),
        (2, json!("north")),
        (3, json!(null)),
        (4, json!("far")),
    ];
    site.tell("tickets", 10, &ticket_with(7, &early)).await;
    site.tell("tickets", 11, &ticket_with(8, &[(1, json!("beta")), (3, json!(null))]))
        .await;
    site.transform().await;
    assert_eq!(site.customs("tickets").await["7"], map(&[("custom_area", "alpha")]));
    let pending = site.pending().await;
    assert_eq!(pending.len(), 1, "{pending:?}");
    assert_eq!(
        pending[0].1.as_deref(),
        Some(r#"{"table":"tickets","fields":["2","4"]}"#)
    );

    site.define(20, &[field(2, "tagger", "Region")]).await;
    site.transform().await;
    let expected = map(&[("custom_area", "alpha"), ("custom_region", "north")]);
    assert_eq!(site.customs("tickets").await["7"], expected);
    let pending = site.pending().await;
    assert_eq!(
        pending.last().and_then(|(_, value)| value.as_deref()),
        Some(r#"{"table":"tickets","fields":["4"]}"#)
    );

    site.define(30, &[field(4, "tagger", "Side")]).await;
    site.transform().await;
    let expected = map(&[
        ("custom_area", "alpha"),
        ("custom_region", "north"),
        ("custom_side", "far"),
    ]);
    assert_eq!(site.customs("tickets").await["7"], expected);
    assert_eq!(site.pending().await.last().expect("told").1, None, "it waits no more");
    let rows = site.rows_of("tickets").await;
    let anew: Vec<_> = rows.iter().filter(|row| !row.is_live()).collect();
    assert_eq!((rows.len(), anew.len()), (4, 2));
    let first = rows
        .iter()
        .find(|row| row.is_live() && row.row_key() == b"7")
        .expect("live");
    assert!(
        anew.iter().all(|row| row.version == first.version),
        "an equal version overwrites"
    );
    site.transform().await;
    assert_eq!(site.rows_of("tickets").await.len(), 4, "nothing is done twice");
}

#[tokio::test(start_paused = true)]
async fn a_rename_and_a_swap_move_no_value() {
    let site = site();
    site.make_raw().await;
    site.define(1, &[field(1, "tagger", "First"), field(2, "tagger", "Second")])
        .await;
    let values = |a: &str, b: &str| [(1, json!(a)), (2, json!(b))];
    site.tell("tickets", 10, &ticket_with(7, &values("a1", "b1"))).await;
    site.transform().await;
    site.define(
        20,
        &[
            field(1, "tagger", "Second"),
            field(2, "tagger", "First"),
            field(3, "tagger", "Status id"),
        ],
    )
    .await;
    site.tell("tickets", 21, &ticket_with(8, &values("a2", "b2"))).await;
    site.tell("tickets", 22, &ticket_with(9, &[(3, json!("x"))])).await;
    site.transform().await;
    let found = site.customs("tickets").await;
    assert_eq!(found["7"], map(&[("custom_first", "a1"), ("custom_second", "b1")]));
    assert_eq!(found["8"], map(&[("custom_first", "a2"), ("custom_second", "b2")]));
    assert_eq!(
        found["9"],
        map(&[("custom_status_id_3", "x")]),
        "the name of a core column is taken"
    );
    let rows = site.rows_of("tickets").await;
    let newest = rows.iter().find(|row| row.row_key() == b"8").expect("a row");
    let (id, _) = zenfloe_registry::split(&newest.value).expect("framed");
    let (_, schema) = site.registry.entry(id);
    assert!(
        schema.contains("Second (custom field 1, tagger)"),
        "the comment follows the title"
    );
}

#[tokio::test(start_paused = true)]
async fn members_under_keys_and_changes_in_events_follow() {
    let site = site();
    site.make_raw().await;
    site.define(1, &[field(1, "tagger", "Area"), field(2, "text", "Contact")])
        .await;
    let tier = json!({"id": 5, "type": "dropdown", "title": "Loyalty tier", "key": "tier"});
    site.tell("user_fields", 1, &tier).await;
    let mut told = user(3);
    told["user_fields"] = json!({"tier": "gold", "system::seen": "x"});
    site.tell("users", 10, &told).await;
    let event = |id: i64, field: &str, value: Value, before: Value| {
        json!({"id": id, "ticket_id": 7, "timestamp": 1_700_000_000, "child_events": [
            {"id": id + 1, "event_type": "Change", "custom_ticket_fields": {field: value}, "previous_value": before}]})
    };
    site.tell("ticket_events", 11, &event(10, "1", json!("beta"), json!("alpha")))
        .await;
    site.tell("ticket_events", 12, &event(20, "2", json!(email(4)), json!(null)))
        .await;
    site.tell("ticket_events", 13, &event(30, "3", json!("late"), json!(null)))
        .await;
    site.transform().await;
    assert_eq!(
        site.customs("users").await["3"],
        map(&[("custom_loyalty_tier", "gold")])
    );
    let change = |events: &[Clean], key: &str| {
        let row = events
            .iter()
            .rfind(|row| row.row_key() == key.as_bytes())
            .expect("a row");
        let mut fields = site.fields(row);
        ["field_name", "value", "previous_value"].map(|name| plain(fields.remove(name).expect("a column")))
    };
    let events = site.rows_of("ticket_events").await;
    let of = |name: &str, value: &str, before: &str| [name, value, before].map(|text| Some(text.to_owned()));
    assert_eq!(change(&events, "11"), of("custom_area", "beta", "alpha"));
    let [name, value, before] = change(&events, "21");
    assert_eq!((name.as_deref(), before), (Some("custom_contact"), None));
    assert!(value.expect("redacted").starts_with("[email:k1_"));
    assert_eq!(change(&events, "31"), [None, None, None], "what is unknown is dropped");
    assert_eq!(site.pending().await.len(), 2, "a user and an event wait");
    site.define(20, &[field(3, "tagger", "Late")]).await;
    site.transform().await;
    let events = site.rows_of("ticket_events").await;
    let anew: Vec<Clean> = events.into_iter().filter(|row| !row.is_live()).collect();
    assert_eq!(
        change(&anew, "31")[..2],
        [Some("custom_late".into()), Some("late".into())]
    );
}

#[tokio::test(start_paused = true)]
async fn the_user_chooses_among_them_by_pattern() {
    let mut site = site();
    site.make_raw().await;
    site.config.exclude.insert("tickets.custom_secret*".into());
    let token = Treatment::Plain(Action::Token);
    site.config.actions.insert("tickets.custom_*".into(), token);
    site.define(
        1,
        &[
            field(1, "text", "Secret plan"),
            field(2, "text", "Contact"),
            field(3, "integer", "Seats"),
            json!({"id": 4, "type": "lookup", "title": "Manager", "removable": true, "relationship_target_type": "zen:user"}),
        ],
    )
    .await;
    let values = [
        (1, json!("plan")),
        (2, json!("Ann")),
        (3, json!(5)),
        (4, json!("360001")),
    ];
    site.tell("tickets", 10, &ticket_with(7, &values)).await;
    site.transform().await;
    let found = site.customs("tickets").await.remove("7").expect("a row");
    let names: Vec<&str> = found.keys().map(String::as_str).collect();
    assert_eq!(
        names,
        ["custom_contact", "custom_manager"],
        "no token is made of a number"
    );
    assert!(found.values().all(|value| value.starts_with("k1_")), "{found:?}");
    assert!(
        site.pending().await.is_empty(),
        "what is left out is waited for by nobody"
    );
    let clear = Treatment::Plain(Action::Clear);
    site.config.actions.insert("tickets.custom_contact".into(), clear);
    let told = site.once().await.expect_err("shown without a reason");
    assert!(
        format!("{:?}", std::error::Error::source(&told)).contains("custom_contact"),
        "{told:?}"
    );
}

#[tokio::test(start_paused = true)]
async fn several_transformers_and_a_replay_agree() {
    let site = site();
    site.make_raw().await;
    let member = |name| {
        run(
            site.parts_over(site.log.clone(), name, CancellationToken::new()),
            CancellationToken::new(),
        )
    };
    let script = async {
        for round in 0..12_i64 {
            // Values of the last one come before their definition.
            let fields: Vec<Value> = (0..round).map(|n| field(n, "tagger", "Area")).collect();
            site.define(round * 10, &fields).await;
            for id in 1..=6 {
                let values: Vec<(i64, Value)> = (0..=round).map(|n| (n, json!(format!("v{n}")))).collect();
                site.tell("tickets", round * 10 + id, &ticket_with(round * 100 + id, &values))
                    .await;
            }
            tokio::time::sleep(Duration::from_millis(1_700)).await;
        }
        site.define(500, &[field(11, "tagger", "Area")]).await;
        tokio::time::sleep(Duration::from_secs(60)).await;
    };
    tokio::select! {
        ended = member("a") => panic!("{ended:?}"),
        ended = member("b") => panic!("{ended:?}"),
        ended = member("c") => panic!("{ended:?}"),
        () = script => {}
    }
    let live = site.customs("tickets").await;
    for (key, columns) in &live {
        let round = key.parse::<i64>().expect("digits") / 100;
        assert_eq!(columns.len() as i64, round + 1, "ticket {key}: {columns:?}");
        for (name, value) in columns {
            let id = name.rsplit('_').next().and_then(|id| id.parse().ok()).unwrap_or(0);
            assert_eq!(*value, format!("v{id}"), "ticket {key}");
        }
    }
    assert_eq!(live.len(), 72);
    let open = site.pending().await.into_iter().collect::<BTreeMap<_, _>>();
    assert!(open.values().all(Option::is_none), "nothing waits: {open:?}");
    let parts = site.parts_over(site.log.clone(), "t0", caught_up());
    let what = Replay {
        collections: Vec::new(),
        from: From::All,
        is_dry_run: false,
    };
    let again = replay(parts, what, ReplayProgress::default(), CancellationToken::new()).await;
    assert!(again.expect("the same configuration").is_complete);
    assert_eq!(site.customs("tickets").await, live);
}

#[tokio::test(start_paused = true)]
async fn without_their_definitions_nothing_waits() {
    let mut site = site();
    site.collections.retain(|collection| collection.name != "ticket_fields");
    site.config = Config::default();
    site.make_raw().await;
    site.tell("tickets", 10, &ticket_with(7, &[(1, json!("alpha"))])).await;
    site.transform().await;
    assert!(site.pending().await.is_empty());
    assert!(site.customs("tickets").await["7"].is_empty());
}
