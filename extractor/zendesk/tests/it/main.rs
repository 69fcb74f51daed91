//! The client against a server that says exactly what a test tells it to.

mod bad;
mod kinds;
mod server;

use std::time::Duration;

use bytesize::ByteSize;
use server::{Reply, Server};
use zenfloe_catalog::{Catalog, Collection};
use zenfloe_zendesk::{Auth, Class, Client, Clock, Config, Fault, Note, Place, Secret, Source, Unavailability};

fn collection(name: &str) -> &'static Collection {
    Catalog::builtin()
        .collection(name)
        .expect("a collection of this release")
}

/// A file with a secret that lives as long as the test.
fn secret(text: &str) -> (tempfile::TempDir, Secret) {
    let dir = tempfile::tempdir().expect("a temporary folder");
    let path = dir.path().join("secret");
    std::fs::write(&path, text).expect("writable");
    (dir, Secret::File(path))
}

fn config(server: &Server, auth: Auth) -> Config {
    Config {
        subdomain: "acme".into(),
        base_url: Some(server.url()),
        auth,
        timeout: Duration::from_secs(2),
        max_response: ByteSize::mib(1),
    }
}

fn client(server: &Server) -> Client {
    let (_dir, token) = secret("t0ken\n");
    let auth = Auth::ApiToken {
        email: "ops@acme.example".into(),
        token,
    };
    Client::new(&config(server, auth), Clock::real()).expect("a good configuration")
}

const GROUPS: &str = r#"{"groups":[{"id":1}],"meta":{"has_more":true,"after_cursor":"a+/="},"links":{"next":"x"}}"#;
const TICKETS: &str =
    r#"{"tickets":[{"id":1,"generated_timestamp":1700000000}],"after_cursor":"c","end_of_stream":false}"#;

#[tokio::test]
async fn a_page_is_one_signed_request_and_tells_the_limits() {
    let server = Server::start(vec![
        Reply::json(GROUPS)
            .header("date", "Sun, 06 Nov 1994 08:49:37 GMT")
            .header("x-rate-limit", "700")
            .header("x-rate-limit-remaining", "699"),
        Reply::json(GROUPS),
    ])
    .await;
    let client = client(&server);
    let page = client
        .page(collection("groups"), &Place::start())
        .await
        .expect("a page");
    assert_eq!(page.date, 784_111_777_000_000);
    assert_eq!(page.request, "/api/v2/groups?page%5Bsize%5D=100&exclude_deleted=false");
    assert_eq!(
        (page.readings[0].total, page.readings[0].remaining),
        (Some(700), Some(699))
    );
    client
        .page(collection("groups"), &page.next)
        .await
        .expect_err("the same cursor again");
    let requests = server.requests();
    assert_eq!(requests[0].target, page.request);
    assert_eq!(
        requests[1].target,
        "/api/v2/groups?page%5Bafter%5D=a%2B%2F%3D&page%5Bsize%5D=100&exclude_deleted=false"
    );
    // ops@acme.example/token:t0ken
    assert_eq!(
        requests[0].header("authorization"),
        "Basic b3BzQGFjbWUuZXhhbXBsZS90b2tlbjp0MGtlbg=="
    );
    assert!(requests[0].header("accept-encoding").contains("gzip"));
}

#[tokio::test]
async fn exports_repeat_include_and_parameters_with_the_cursor() {
    let server = Server::start(vec![
        Reply::json(TICKETS),
        Reply::json(TICKETS.replace("\"c\"", "\"d\"")),
    ])
    .await;
    let client = client(&server);
    let first = client
        .page(collection("tickets"), &Place::since(1_600_000_000))
        .await
        .expect("a page");
    client.page(collection("tickets"), &first.next).await.expect("a page");
    let targets: Vec<_> = server.requests().into_iter().map(|request| request.target).collect();
    assert!(
        targets[0].starts_with("/api/v2/incremental/tickets/cursor?start_time=1600000000&per_page=1000&"),
        "{targets:?}"
    );
    assert!(
        targets[1].starts_with("/api/v2/incremental/tickets/cursor?cursor=c&per_page=1000&"),
        "{targets:?}"
    );
    for target in &targets {
        assert!(target.contains("include=metric_sets%2Cslas"), "{target}");
        assert!(target.contains("support_type_scope=all"), "{target}");
    }
}

#[tokio::test]
async fn a_sideload_that_is_left_out_is_told_once() {
    let whole = r#"{"tickets":[{"id":1,"metric_set":null,"slas":{"policy_metrics":[]}}],"after_cursor":"a","end_of_stream":false}"#;
    let without = r#"{"tickets":[{"id":2,"metric_set":null}],"after_cursor":"b","end_of_stream":false}"#;
    let server = Server::start(vec![Reply::json(whole), Reply::json(without), Reply::json(without)]).await;
    let client = client(&server);
    let mut notes = Vec::new();
    for _ in 0..3 {
        let page = client
            .page(collection("tickets"), &Place::start())
            .await
            .expect("a page");
        notes.push(page.notes);
    }
    let told = vec![Note::SideloadMissing {
        name: "slas".into(),
        has_other_way: true,
    }];
    assert_eq!(notes, [vec![], told, vec![]]);
}

#[tokio::test]
async fn compressed_answers_are_read() {
    let server = Server::start(vec![Reply::json(GROUPS).gzip()]).await;
    let page = client(&server)
        .page(collection("groups"), &Place::start())
        .await
        .expect("a page");
    assert_eq!((page.records.len(), page.bytes), (1, GROUPS.len() as u64));
}

#[tokio::test]
async fn heavy_pages_are_halved_and_asked_for_again() {
    let server = Server::start(vec![
        Reply::status(504, "upstream request timeout"),
        Reply::json(TICKETS).slow(Duration::from_secs(5)),
        Reply::json("x".repeat(2 << 20)),
        Reply::json(TICKETS),
    ])
    .await;
    let client = client(&server);
    for (text, next) in [("504", 500), ("time limit", 250), ("larger than 1.0 MiB", 125)] {
        let error = client
            .page(collection("tickets"), &Place::start())
            .await
            .expect_err("too heavy");
        assert_eq!(error.class(), Class::Retry { after: None });
        assert!(error.to_string().contains(text), "{error}");
        assert!(
            matches!(error.fault, Fault::TooHeavy { next: held, .. } if held == next),
            "{error}"
        );
    }
    client
        .page(collection("tickets"), &Place::start())
        .await
        .expect("a small page");
    let sizes: Vec<_> = server
        .requests()
        .iter()
        .map(|request| request.query("per_page"))
        .collect();
    assert_eq!(sizes, ["1000", "500", "250", "125"]);
}

#[tokio::test]
async fn what_the_line_or_a_proxy_does_is_retried() {
    let server = Server::start(vec![
        Reply::json(GROUPS).cut_after(20),
        Reply::json("").drop_connection(),
        Reply::status(200, "<html>maintenance</html>"),
        Reply::json(""),
        Reply::json(r#"{"rows":[]}"#),
        Reply::json(&GROUPS[..40]),
        Reply::status(429, "slow down").header("retry-after", "38"),
        Reply::status(429, "slow down"),
        Reply::status(503, "").header("retry-after", "7"),
    ])
    .await;
    let client = client(&server);
    let seconds = Duration::from_secs;
    for (text, after) in [
        ("no complete answer", None),
        ("no complete answer", None),
        ("it is HTML", None),
        ("it is empty", None),
        ("it has no `groups`", None),
        ("it is cut or broken at byte 40 of 40", None),
        ("too many requests", Some(seconds(38))),
        ("too many requests", None),
        ("not available (status 503)", Some(seconds(7))),
    ] {
        let error = client
            .page(collection("groups"), &Place::start())
            .await
            .expect_err(text);
        assert!(error.to_string().contains(text), "{error}, not {text}");
        assert_eq!(error.class(), Class::Retry { after }, "{error}");
    }
}

#[tokio::test]
async fn refused_collections_are_told_from_refused_credentials() {
    let server = Server::start(vec![
        Reply::status(
            403,
            r#"{"error":{"title":"Forbidden","message":"You do not have access to this page."}}"#,
        ),
        Reply::status(404, r#"{"error":{"title":"InvalidEndpoint","message":"Not found"}}"#),
        Reply::status(401, r#"{"error":"Couldn't authenticate you"}"#),
        Reply::status(404, "<!DOCTYPE html>"),
        Reply::status(302, "").header("location", "https://evil.example/api"),
        Reply::status(302, "").header("location", "/elsewhere"),
    ])
    .await;
    let client = client(&server);
    let mut classes = Vec::new();
    for _ in 0..6 {
        let error = client
            .page(collection("groups"), &Place::start())
            .await
            .expect_err("refused");
        if let Fault::NotAvailable { why, .. } = error.fault {
            assert!(matches!(why, Unavailability::Role | Unavailability::Plan));
        }
        classes.push(error.class());
    }
    assert_eq!(
        classes,
        [
            Class::Reject,
            Class::Reject,
            Class::Stop,
            Class::Stop,
            Class::Stop,
            Class::Reject
        ]
    );
    assert_eq!(server.requests().len(), 6, "no redirect was followed");
}

#[tokio::test]
async fn a_refused_cursor_leads_back_to_the_last_good_time() {
    let refusal = r#"{"errors":[{"code":"InvalidCursor","title":"The cursor is invalid"}]}"#;
    let server = Server::start(vec![
        Reply::status(400, refusal),
        Reply::status(400, refusal),
        Reply::status(400, refusal),
    ])
    .await;
    let client = client(&server);
    let place = Place::Cursor {
        cursor: "old".into(),
        time: Some(1_700_000_000),
        delivered_to: None,
    };
    let page = client
        .page(collection("tickets"), &place)
        .await
        .expect("a page without records");
    assert_eq!(page.next, Place::since(1_699_999_940));
    assert_eq!(
        page.notes,
        [Note::CursorRefused {
            since: Some(1_699_999_940)
        }]
    );
    assert!(!page.is_caught_up && page.records.is_empty());
    let list = Place::List {
        after: "old".into(),
        page: 3,
    };
    let page = client
        .page(collection("groups"), &list)
        .await
        .expect("a page without records");
    assert_eq!(page.next, Place::start());
    client
        .page(collection("tickets"), &Place::start())
        .await
        .expect_err("without a cursor it is our fault");
}

#[tokio::test]
async fn access_tokens_are_fetched_renewed_and_replaced_once() {
    let token = |name: &str| {
        Reply::json(format!(
            r#"{{"access_token":"{name}","token_type":"bearer","expires_in":1000,"scope":"read"}}"#
        ))
    };
    let server = Server::start(vec![
        token("one"),
        Reply::json(GROUPS),
        Reply::status(401, r#"{"error":"invalid_token"}"#),
        token("two"),
        Reply::json(GROUPS),
        // 80 % of the life is over.
        token("three"),
        Reply::json(GROUPS),
        Reply::status(401, r#"{"error":"invalid_token"}"#),
        token("four"),
        Reply::status(401, r#"{"error":"invalid_token"}"#),
    ])
    .await;
    let (_dir, client_secret) = secret("s3cret");
    let auth = Auth::OauthClient {
        client_id: "zenfloe".into(),
        client_secret,
        scope: "read".into(),
    };
    // 1,000 seconds of a token pass in one.
    let clock = Clock::scaled(Duration::from_secs(1_700_000_000), 1_000.0);
    let client = Client::new(&config(&server, auth), clock.clone()).expect("a good configuration");
    let groups = collection("groups");
    client.page(groups, &Place::start()).await.expect("a page");
    let refused = client.page(groups, &Place::start()).await.expect_err("expired early");
    assert_eq!(refused.class(), Class::Retry { after: None });
    let renewed_at = clock.now();
    client
        .page(groups, &Place::start())
        .await
        .expect("with the second token");
    clock.sleep_until(renewed_at + Duration::from_secs(850)).await;
    client
        .page(groups, &Place::start())
        .await
        .expect("with the third token");
    client
        .page(groups, &Place::start())
        .await
        .expect_err("refused: try again");
    let stop = client.page(groups, &Place::start()).await.expect_err("refused again");
    assert_eq!(stop.class(), Class::Stop, "{stop}");

    let requests = server.requests();
    let bearers: Vec<_> = requests.iter().map(|request| request.header("authorization")).collect();
    assert_eq!(
        bearers,
        [
            "",
            "Bearer one",
            "Bearer one",
            "",
            "Bearer two",
            "",
            "Bearer three",
            "Bearer three",
            "",
            "Bearer four"
        ]
    );
    assert_eq!(requests[0].target, "/oauth/tokens");
    assert_eq!(
        requests[0].body,
        r#"{"grant_type":"client_credentials","client_id":"zenfloe","client_secret":"s3cret","scope":"read"}"#
    );
}

#[tokio::test]
async fn wrong_client_credentials_stop() {
    let server = Server::start(vec![Reply::status(
        401,
        r#"{"error":"invalid_client","error_description":"unknown"}"#,
    )])
    .await;
    let (_dir, client_secret) = secret("s3cret");
    let auth = Auth::OauthClient {
        client_id: "zenfloe".into(),
        client_secret,
        scope: "read".into(),
    };
    let client = Client::new(&config(&server, auth), Clock::real()).expect("a good configuration");
    let error = client
        .page(collection("groups"), &Place::start())
        .await
        .expect_err("refused");
    assert_eq!(error.class(), Class::Stop);
    assert!(error.to_string().contains("invalid_client: unknown"), "{error}");
    assert!(!format!("{error:?}").contains("s3cret"));
}

#[tokio::test]
async fn an_anonymous_answer_is_no_identity() {
    let server = Server::start(vec![
        Reply::json(r#"{"user":{"id":null,"name":"Anonymous user","role":"end-user"}}"#),
        Reply::json(r#"{"user":{"id":77,"role":"admin","authenticity_token":"x"}}"#),
    ])
    .await;
    let client = client(&server);
    let error = client.identity().await.expect_err("anonymous");
    assert_eq!((error.class(), error.subject.as_str()), (Class::Stop, "credentials"));
    let identity = client.identity().await.expect("somebody");
    assert_eq!((identity.user_id, identity.role.as_str()), (77, "admin"));
}

#[tokio::test]
async fn a_probe_asks_for_one_record() {
    let server = Server::start(vec![
        Reply::json(TICKETS),
        Reply::status(
            403,
            r#"{"error":"Forbidden","description":"Missing the following required scopes: read"}"#,
        ),
    ])
    .await;
    let client = client(&server);
    client.probe(collection("tickets")).await.expect("may be read");
    let error = client.probe(collection("groups")).await.expect_err("may not");
    assert!(
        matches!(
            error.fault,
            Fault::NotAvailable {
                why: Unavailability::Scope,
                ..
            }
        ),
        "{error}"
    );
    assert_eq!(server.requests()[0].query("per_page"), "1");
}

#[tokio::test]
async fn an_address_for_a_subdomain_is_refused_before_any_request() {
    let server = Server::start(Vec::new()).await;
    let (_dir, token) = secret("t0ken");
    let mut config = config(
        &server,
        Auth::ApiToken {
            email: "ops@acme.example".into(),
            token,
        },
    );
    config.subdomain = "https://acme.zendesk.com/agent".into();
    let error = Client::new(&config, Clock::real()).err().expect("refused");
    assert!(error.to_string().contains("write `acme` alone"), "{error}");
    assert!(server.requests().is_empty());
}
