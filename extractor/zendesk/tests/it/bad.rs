//! Answers that no client expects: each is told for what it is, and nothing is lost.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use zenfloe_zendesk::{Auth, Class, Client, Clock, Fault, Place, Source, SourceError};

use crate::server::{Reply, Server};
use crate::{GROUPS, TICKETS, client, collection, config, secret};

async fn refusal(client: &Client, name: &str, after: &Place) -> SourceError {
    client.page(collection(name), after).await.expect_err("no page")
}

fn assert_says(error: &SourceError, text: &str) {
    assert!(error.to_string().contains(text), "{error}, not {text}");
    assert_eq!(error.class(), Class::Retry { after: None }, "{error}");
}

#[tokio::test]
async fn an_answer_without_end_is_left_at_the_limit() {
    let server = Server::start(vec![
        Reply::json(" ".repeat(1 << 16)).endless(),
        Reply::json("{").header("content-length", "1073741824"),
        Reply::json(" ".repeat(32 << 20)).gzip(),
        Reply::json(TICKETS),
    ])
    .await;
    let client = client(&server);
    for next in [500, 250, 125] {
        let error = refusal(&client, "tickets", &Place::start()).await;
        assert_says(&error, &format!("is larger than 1.0 MiB; asking for {next}"));
    }
    client
        .page(collection("tickets"), &Place::start())
        .await
        .expect("the same place in a smaller page");
}

#[tokio::test]
async fn a_token_answer_without_end_is_left_too() {
    let server = Server::start(vec![
        Reply::json(" ".repeat(1 << 16)).endless(),
        Reply::status(503, "").header("retry-after", "3"),
        Reply::status(404, "<!DOCTYPE html>"),
    ])
    .await;
    let (_dir, client_secret) = secret("s3cret");
    let auth = Auth::OauthClient {
        client_id: "zenfloe".into(),
        client_secret,
        scope: "read".into(),
    };
    let client = Client::new(&config(&server, auth), Clock::real()).expect("a good configuration");
    assert_says(
        &refusal(&client, "groups", &Place::start()).await,
        "it is larger than allowed",
    );
    let away = refusal(&client, "groups", &Place::start()).await;
    let after = Some(Duration::from_secs(3));
    assert_eq!(away.class(), Class::Retry { after }, "{away}");
    let unknown = refusal(&client, "groups", &Place::start()).await;
    assert_eq!(unknown.class(), Class::Stop, "{unknown}");
    assert!(unknown.to_string().contains("no Zendesk account answers"), "{unknown}");
}

#[tokio::test]
async fn a_page_of_html_under_a_known_account_is_a_missing_product() {
    let server = Server::start(vec![
        Reply::status(404, "<!DOCTYPE html>"),
        Reply::json(GROUPS),
        Reply::status(404, "<!DOCTYPE html>"),
    ])
    .await;
    let client = client(&server);
    assert_eq!(refusal(&client, "tickets", &Place::start()).await.class(), Class::Stop);
    client
        .page(collection("groups"), &Place::start())
        .await
        .expect("a page");
    let error = refusal(&client, "tickets", &Place::start()).await;
    assert_eq!(error.class(), Class::Reject);
    assert!(error.to_string().contains("not on this plan"), "{error}");
}

#[tokio::test]
async fn a_page_that_repeats_for_ever_is_noticed() {
    let server = Server::start(vec![Reply::json(TICKETS), Reply::json(GROUPS)]).await;
    let client = client(&server);
    let tickets = Place::Cursor {
        cursor: "c".into(),
        time: None,
        delivered_to: None,
    };
    let error = refusal(&client, "tickets", &tickets).await;
    assert_says(&error, "its cursor leads to the same page again");
    let groups = Place::List {
        after: "a+/=".into(),
        page: 1,
    };
    let error = refusal(&client, "groups", &groups).await;
    assert_says(&error, "its cursor leads to the same page again");
}

#[tokio::test]
async fn a_redirect_to_another_host_is_named_and_not_followed() {
    let other = Server::start(vec![Reply::json(GROUPS)]).await;
    let server = Server::start(vec![
        Reply::status(302, "").header("location", "https://evil.example/api/v2/groups"),
        Reply::status(307, "").header("location", "//evil.example/api/v2/groups"),
        Reply::status(301, "").header("location", &format!("{}/api/v2/groups", other.url())),
    ])
    .await;
    let client = client(&server);
    for expected in ["https://evil.example", "http://evil.example", &other.url()] {
        let error = refusal(&client, "groups", &Place::start()).await;
        assert!(
            matches!(&error.fault, Fault::ForeignRedirect { host } if host == expected),
            "{error}, not {expected}"
        );
        assert_eq!(error.class(), Class::Stop);
    }
    assert!(other.requests().is_empty(), "another port is another server");
}

#[tokio::test]
async fn a_clock_that_is_ten_minutes_off_changes_nothing() {
    let now = SystemTime::now();
    let since = now.duration_since(UNIX_EPOCH).expect("after 1970");
    let body = format!(
        r#"{{"users":[{{"id":1,"updated_at":"{}"}},{{"id":2,"updated_at":"{}"}}],"after_cursor":"c","end_of_stream":true}}"#,
        iso(since.as_secs() - 300),
        iso(since.as_secs() - 5)
    );
    for off in [0_i64, 600, -600] {
        let server = Server::start(vec![Reply::json(&body).header("date", &httpdate::fmt_http_date(now))]).await;
        let clock = Clock::scaled(
            Duration::from_secs(since.as_secs().checked_add_signed(off).expect("after 1970")),
            1.0,
        );
        let (_dir, token) = secret("t0ken");
        let auth = Auth::ApiToken {
            email: "ops@acme.example".into(),
            token,
        };
        let client = Client::new(&config(&server, auth), clock).expect("a good configuration");
        let page = client.page(collection("users"), &Place::start()).await.expect("a page");
        assert_eq!(
            page.date,
            (since.as_secs() * 1_000_000).cast_signed(),
            "{off}: Zendesk's own clock"
        );
        let keys: Vec<_> = page.records.iter().map(|record| record.key.as_slice()).collect();
        assert_eq!(keys, [b"1"], "{off}: the last minute waits by Zendesk's clock");
    }
}

fn iso(second: u64) -> String {
    jiff::Timestamp::from_second(second.cast_signed())
        .expect("in range")
        .to_string()
}
