//! Everything that goes wrong on the way, by script and at random.

use zendesk_sim::{Fault, FaultKind, Refusal, RefusalKind, SimConfig};
use zenfloe_extractor::Status;

use super::{Desk, SPEED, still};

fn status(status: u16) -> FaultKind {
    FaultKind::Status {
        status,
        retry_after: None,
    }
}

/// What passes by itself and leaves no trace.
fn passing() -> Vec<FaultKind> {
    vec![
        FaultKind::Status {
            status: 429,
            retry_after: Some(2),
        },
        status(429),
        status(500),
        status(502),
        FaultKind::Status {
            status: 503,
            retry_after: Some(3),
        },
        status(504),
        status(409),
        FaultKind::DropConnection,
        FaultKind::TruncateBody,
        FaultKind::Slow { millis: 50 },
        FaultKind::Html { status: 200 },
        FaultKind::Html { status: 503 },
        FaultKind::EmptyBody,
        FaultKind::NoEnvelope,
        FaultKind::RepeatPage,
        FaultKind::HugeBody { bytes: 9 << 20 },
    ]
}

const PATHS: [&str; 14] = [
    "tickets/cursor",
    "users/cursor",
    "incremental/organizations",
    "/groups",
    "group_memberships",
    "organization_memberships",
    "ticket_fields",
    "organization_fields",
    "incremental/ticket_events",
    "ticket_metric_events",
    "side_conversations/events",
    "satisfaction_ratings",
    "audit_logs",
    "activities",
];

#[tokio::test]
async fn each_fault_passes_and_leaves_no_trace() {
    for (index, kind) in passing().into_iter().enumerate() {
        let seed = 30 + index as u64;
        let mut desk = Desk::start(still(150, seed), SPEED);
        desk.page = 50;
        for (after, path) in PATHS.into_iter().enumerate() {
            desk.simulator
                .add_fault(Fault::new(path, 1, kind.clone()).after(after as u32 % 2));
        }
        desk.pass().await;
        desk.prove_complete().await;
    }
}

#[tokio::test]
async fn a_bad_day_passes_and_leaves_no_trace() {
    for seed in 51..=54 {
        let mut desk = Desk::start(still(400, seed), SPEED);
        desk.page = 50;
        let mut rng = fastrand::Rng::with_seed(seed);
        for _ in 0..60 {
            let kind = rng.choice(passing()).expect("there are some");
            let path = rng.choice(PATHS).expect("there are some");
            desk.simulator
                .add_fault(Fault::new(path, rng.u32(1..3), kind).after(rng.u32(0..8)));
        }
        desk.pass().await;
        desk.change(60, seed);
        desk.pass().await;
        desk.pass().await;
        desk.prove_complete().await;
    }
}

#[tokio::test]
async fn heavy_pages_are_halved_and_grow_again() {
    let mut desk = Desk::start(still(900, 61), SPEED);
    desk.page = 400;
    desk.simulator.add_fault(Fault::new(
        "tickets/cursor",
        4,
        FaultKind::TooHeavyAbove { per_page: 50 },
    ));
    desk.pass().await;
    desk.prove_complete().await;
    let requests = desk.simulator.requests();
    let sizes: Vec<&str> = requests
        .iter()
        .filter(|request| request.path.contains("tickets/cursor"))
        .filter_map(|request| request.query.split("per_page=").nth(1)?.split('&').next())
        .collect();
    assert_eq!(sizes[..4], ["400", "200", "100", "50"]);
    assert!(sizes[4..].contains(&"100"), "it grows again: {sizes:?}");
}

#[tokio::test]
async fn a_refused_cursor_begins_again_at_the_last_good_time() {
    let mut desk = Desk::start(still(400, 62), SPEED);
    desk.page = 50;
    for path in [
        "tickets/cursor",
        "users/cursor",
        "organization_memberships",
        "satisfaction_ratings",
    ] {
        desk.simulator
            .add_fault(Fault::new(path, 1, FaultKind::RefusedCursor).after(1));
    }
    desk.pass().await;
    // Records of the overlap may be there twice; nothing is lost, and the newest are the account's own.
    for collection in zendesk_sim::Collection::ALL {
        let held: std::collections::BTreeSet<_> = desk
            .bench
            .topics
            .raw(collection.name())
            .await
            .into_iter()
            .filter_map(|raw| zendesk_sim::Collection::id_of(&raw.key))
            .collect();
        for truth in desk.simulator.records(collection) {
            assert!(held.contains(&truth.id), "{} {}", collection.name(), truth.id);
        }
    }
}

#[tokio::test]
async fn broken_rows_are_passed_on_and_stop_nothing() {
    let mut desk = Desk::start(still(150, 63), SPEED);
    desk.page = 50;
    let rows = vec![
        r#"{"id":1,"generated_timestamp":"never","subject":nonsense}"#.to_owned(),
        r#"{"subject":"no key"}"#.to_owned(),
        "7".to_owned(),
    ];
    desk.simulator.add_fault(Fault::new(
        "tickets/cursor",
        1,
        FaultKind::ExtraRows { rows: rows.clone() },
    ));
    desk.pass().await;
    let raw = desk.bench.topics.raw("tickets").await;
    for row in rows {
        assert!(
            raw.iter().any(|raw| raw.json == row),
            "it reaches the transformer: {row}"
        );
    }
    let held: std::collections::BTreeSet<_> = raw.into_iter().map(|raw| raw.key).collect();
    for truth in desk.simulator.records(zendesk_sim::Collection::Tickets) {
        assert!(held.contains(&truth.id.to_string()), "{}", truth.id);
    }
}

#[tokio::test]
async fn what_the_account_lacks_is_switched_off_and_stops_nothing_else() {
    let refusals = [
        ("/group_memberships", RefusalKind::Forbidden, "missing role"),
        ("/organization_fields", RefusalKind::Scope, "missing scope"),
        (
            "/incremental/organizations",
            RefusalKind::InvalidEndpoint,
            "not on this plan",
        ),
    ];
    let config = SimConfig {
        refusals: refusals
            .iter()
            .map(|(path, kind, _)| Refusal {
                path: (*path).into(),
                kind: *kind,
            })
            .collect(),
        ..still(150, 64)
    };
    let desk = Desk::start(config, SPEED);
    assert!(desk.pass().await.is_complete);
    let shown = desk.bench.progress.snapshot();
    for (path, _, expected) in refusals {
        let name = path.rsplit('/').next().expect("a last part");
        let Status::NotAvailable { why, .. } = &shown.collections[name].status else {
            panic!("{name}: {:?}", shown.collections[name].status);
        };
        assert!(why.contains(expected), "{name}: {why}");
    }
    assert_eq!(desk.bench.topics.raw("tickets").await.len(), 150);
}
