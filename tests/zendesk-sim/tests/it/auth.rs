//! Checklist 8, 9, 10: who may ask for what.

use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use zendesk_sim::{Credentials, Limits, OauthClient, Op, Plan, Refusal, RefusalKind, Role, SimConfig};

use crate::desk::{Desk, Reply, basic, config, text};

const GROUPS: &str = "/api/v2/groups";
const TICKETS: &str = "/api/v2/incremental/tickets/cursor?start_time=0&per_page=1";

fn of_role(role: Role) -> Desk {
    Desk::with(SimConfig {
        credentials: Credentials::of_role(role),
        ..config()
    })
}

fn grant(scope: &str) -> Value {
    json!({
        "grant_type": "client_credentials", "scope": scope,
        "client_id": Credentials::CLIENT_ID, "client_secret": Credentials::CLIENT_SECRET,
    })
}

async fn token(desk: &Desk, scope: &str) -> String {
    let reply = desk.post("/oauth/tokens", &grant(scope)).await;
    assert_eq!(reply.status, 200, "{}", reply.text);
    text(&reply.json()["access_token"])
}

#[tokio::test]
async fn wrong_credentials_are_refused() {
    let desk = Desk::new();
    for header in [
        basic(Credentials::EMAIL, "wrong"),
        basic("x@y.example", Credentials::TOKEN),
        "Basic !".into(),
    ] {
        let reply = Reply::of(desk.request(GROUPS).header("authorization", &header)).await;
        assert_eq!(
            (reply.status, text(&reply.json()["error"])),
            (401, "Couldn't authenticate you".into()),
            "{header}"
        );
    }
    let reply = desk.as_token(GROUPS, "wrong").await;
    assert_eq!(
        (reply.status, text(&reply.json()["error"])),
        (401, "invalid_token".into())
    );
    assert_eq!(Reply::of(desk.request(GROUPS)).await.status, 401, "anonymous");
}

#[tokio::test]
async fn anyone_is_told_who_they_are() {
    let desk = Desk::new();
    let anonymous = Reply::of(desk.request("/api/v2/users/me.json")).await;
    assert_eq!((anonymous.status, &anonymous.json()["user"]["id"]), (200, &Value::Null));
    let me = desk.page("/api/v2/users/me").await;
    assert!(me["user"]["id"].is_i64() && me["user"]["role"] == "admin" && me["user"]["authenticity_token"].is_string());
    let agent = of_role(Role::Agent).page("/api/v2/users/me").await;
    assert_eq!(agent["user"]["role"], "agent");
}

#[tokio::test]
async fn exports_are_for_admins() {
    let desk = of_role(Role::Agent);
    let reply = desk.get(TICKETS).await;
    assert_eq!(
        (reply.status, text(&reply.json()["error"]["title"])),
        (403, "Forbidden".into())
    );
    assert_eq!(desk.get(GROUPS).await.status, 200);
    assert_eq!(of_role(Role::EndUser).get(GROUPS).await.status, 403);
}

#[tokio::test]
async fn client_credentials_give_a_token_that_expires() {
    let desk = Desk::new();
    let answer = desk.post("/oauth/tokens.json", &grant("read")).await.json();
    assert_eq!(
        (&answer["expires_in"], &answer["token_type"], &answer["scope"]),
        (&json!(1_799), &json!("bearer"), &json!("read"))
    );
    assert!(answer.get("refresh_token").is_none());
    let token = text(&answer["access_token"]);
    let current = desk.as_token("/api/v2/oauth/tokens/current", &token).await.json();
    assert_eq!(
        (&current["token"]["scopes"], text(&current["token"]["expires_at"])),
        (&json!(["read"]), "2027-01-15T08:29:59Z".into())
    );
    assert_eq!(desk.as_token(TICKETS, &token).await.status, 200);
    desk.sim.advance(Duration::from_secs(1_799));
    let late = desk.as_token(TICKETS, &token).await;
    assert_eq!(
        (late.status, text(&late.json()["error"])),
        (401, "invalid_token".into())
    );
}

#[tokio::test]
async fn tokens_can_be_revoked() {
    let desk = Desk::new();
    let token = token(&desk, "read").await;
    desk.sim.revoke_access_tokens();
    assert_eq!(desk.as_token(TICKETS, &token).await.status, 401);
}

#[tokio::test]
async fn scopes_are_heeded_and_never_checked_when_granted() {
    let desk = Desk::new();
    let check = async |scope: &str, target: &str, missing: Option<&str>| {
        let reply = desk.as_token(target, &token(&desk, scope).await).await;
        let Some(missing) = missing else {
            return assert_eq!(reply.status, 200, "{scope} for {target}");
        };
        let words = format!("Missing the following required scopes: {missing}");
        assert_eq!(
            (reply.status, text(&reply.json()["description"])),
            (403, words),
            "{scope} for {target}"
        );
    };
    check("tickets:read", TICKETS, None).await;
    check(
        "users:read tickets:read",
        "/api/v2/incremental/users/cursor?start_time=0",
        None,
    )
    .await;
    check("users:read", TICKETS, Some("tickets:read")).await;
    check("users:read", "/api/v2/organization_memberships", None).await;
    check("tickets:read", GROUPS, Some("read")).await;
    check("read", GROUPS, None).await;
    check("nonsense", GROUPS, Some("read")).await;
}

#[tokio::test]
async fn unknown_clients_and_grants_are_refused() {
    let desk = Desk::new();
    let check = async |change: (&str, &str), status: u16, error: &str| {
        let mut body = grant("read");
        body[change.0] = change.1.into();
        let reply = desk.post("/oauth/tokens", &body).await;
        assert_eq!(
            (reply.status, text(&reply.json()["error"])),
            (status, error.to_owned()),
            "{change:?}"
        );
    };
    check(("client_secret", "wrong"), 401, "invalid_client").await;
    check(("client_id", "wrong"), 401, "invalid_client").await;
    check(("grant_type", "password"), 400, "unsupported_grant_type").await;
    check(("grant_type", "refresh_token"), 400, "invalid_grant").await;
    assert_eq!(desk.post("/oauth/tokens", &json!([])).await.status, 400);
}

/// A public client, and the code that its authorization gives.
async fn authorized(challenge: &str) -> (Desk, String) {
    let public = OauthClient {
        id: "public".into(),
        secret: None,
        role: Role::Admin,
    };
    let desk = Desk::with(SimConfig {
        credentials: Credentials {
            clients: vec![public],
            ..Credentials::default()
        },
        ..config()
    });
    let target = "/oauth/authorizations/new?response_type=code&client_id=public&scope=read&state=s%201\
        &redirect_uri=http://127.0.0.1:9/back&code_challenge_method=S256&code_challenge=";
    let reply = Reply::of(desk.request(&format!("{target}{challenge}"))).await;
    let location = reply.header("location").expect("a redirect").to_owned();
    assert_eq!(reply.status, 302);
    let code = location
        .strip_prefix("http://127.0.0.1:9/back?code=")
        .and_then(|rest| rest.strip_suffix("&state=s%201"));
    (desk, code.unwrap_or_else(|| panic!("{location}")).to_owned())
}

fn by_code(code: &str, verifier: &str) -> Value {
    json!({
        "grant_type": "authorization_code", "client_id": "public", "code": code,
        "redirect_uri": "http://127.0.0.1:9/back", "code_verifier": verifier,
    })
}

#[tokio::test]
async fn a_code_needs_its_verifier_and_is_good_once() {
    let challenge = URL_SAFE_NO_PAD.encode(Sha256::digest("verifier"));
    let (desk, code) = authorized(&challenge).await;
    let reply = desk.post("/oauth/tokens", &by_code(&code, "wrong")).await;
    assert_eq!(
        (reply.status, text(&reply.json()["error"])),
        (400, "invalid_grant".into())
    );
    assert_eq!(
        desk.post("/oauth/tokens", &by_code(&code, "verifier")).await.status,
        400,
        "it is used up"
    );
    let (desk, code) = authorized(&challenge).await;
    desk.sim.advance(Duration::from_secs(120));
    assert_eq!(
        desk.post("/oauth/tokens", &by_code(&code, "verifier")).await.status,
        400,
        "too late"
    );
    let (desk, code) = authorized(&challenge).await;
    let answer = desk.post("/oauth/tokens", &by_code(&code, "verifier")).await.json();
    assert_eq!(desk.as_token(TICKETS, &text(&answer["access_token"])).await.status, 200);
    assert_eq!(answer["refresh_token_expires_in"], 2_592_000);
}

#[tokio::test]
async fn refreshing_makes_the_old_pair_invalid() {
    let challenge = URL_SAFE_NO_PAD.encode(Sha256::digest("verifier"));
    let (desk, code) = authorized(&challenge).await;
    let first = desk.post("/oauth/tokens", &by_code(&code, "verifier")).await.json();
    let refresh = |pair: &Value| json!({"grant_type": "refresh_token", "client_id": "public", "refresh_token": pair["refresh_token"]});
    let second = desk.post("/oauth/tokens", &refresh(&first)).await.json();
    assert_eq!(desk.as_token(TICKETS, &text(&first["access_token"])).await.status, 401);
    assert_eq!(desk.as_token(TICKETS, &text(&second["access_token"])).await.status, 200);
    assert_eq!(desk.post("/oauth/tokens", &refresh(&first)).await.status, 400);
    desk.sim.advance(Duration::from_secs(3_600));
    assert_eq!(
        desk.post("/oauth/tokens", &refresh(&second)).await.status,
        200,
        "it outlives the access token"
    );
}

#[tokio::test]
async fn plans_have_some_collections_and_not_others() {
    let team = Desk::with(SimConfig {
        limits: Limits::of(Plan::Team),
        ..config()
    });
    for name in ["audit_logs", "slas/policies", "custom_roles", "ticket_forms"] {
        assert_eq!(team.get(&format!("/api/v2/{name}")).await.status, 403, "{name}");
    }
    let reply = team.get("/api/v2/nonsense").await;
    assert_eq!(
        (reply.status, text(&reply.json()["error"]["title"])),
        (404, "InvalidEndpoint".into())
    );
}

#[tokio::test]
async fn any_collection_can_be_refused() {
    let refusal = |path: &str, kind| Refusal {
        path: path.into(),
        kind,
    };
    let desk = Desk::with(SimConfig {
        refusals: vec![
            refusal("groups", RefusalKind::Forbidden),
            refusal("ticket_fields", RefusalKind::InvalidEndpoint),
            refusal("organization_fields", RefusalKind::Scope),
        ],
        ..config()
    });
    let statuses = [
        (GROUPS, 403),
        ("/api/v2/ticket_fields", 404),
        ("/api/v2/organization_fields", 403),
        (TICKETS, 200),
    ];
    for (target, status) in statuses {
        assert_eq!(desk.get(target).await.status, status, "{target}");
    }
}

#[tokio::test]
async fn children_of_deleted_tickets_are_not_found() {
    let desk = Desk::new();
    let id = desk.a_live_ticket();
    let target = format!("/api/v2/tickets/{id}.json");
    assert_eq!(desk.page(&target).await["ticket"]["id"], id);
    desk.sim.apply(Op::DeleteTicket { id }).expect("a ticket");
    let reply = desk.get(&target).await;
    assert_eq!(
        (reply.status, text(&reply.json()["error"])),
        (404, "RecordNotFound".into())
    );
}

#[tokio::test]
async fn the_account_has_settings() {
    let desk = Desk::new();
    assert!(desk.page("/api/v2/account/settings.json").await["settings"]["tickets"].is_object());
}
