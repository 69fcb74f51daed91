//! A simulator with a clock that stands still, and a client for it.

use std::collections::BTreeMap;

use base64::Engine;
use base64::engine::general_purpose::STANDARD as BASE64;
use reqwest::header::{AUTHORIZATION, HeaderMap};
use reqwest::{Client, RequestBuilder};
use serde_json::Value;
use zendesk_sim::{AccountSpec, Clock, Collection, Credentials, SimConfig, Simulator};

/// When all these accounts begin.
pub(crate) const NOW: i64 = 1_800_000_000;

pub(crate) struct Desk {
    pub(crate) sim: Simulator,
    pub(crate) http: Client,
}

/// An answer that has been read.
#[derive(Debug)]
pub(crate) struct Reply {
    pub(crate) status: u16,
    pub(crate) headers: HeaderMap,
    pub(crate) text: String,
}

/// An account of this many tickets whose clock is moved by hand.
pub(crate) fn spec(tickets: u32) -> AccountSpec {
    AccountSpec {
        clock: Clock::manual(NOW),
        organizations: 60,
        users: 150,
        ..AccountSpec::sized(tickets, 7)
    }
}

pub(crate) fn config() -> SimConfig {
    SimConfig {
        spec: spec(300),
        ..SimConfig::default()
    }
}

pub(crate) fn basic(email: &str, token: &str) -> String {
    format!("Basic {}", BASE64.encode(format!("{email}/token:{token}")))
}

impl Desk {
    pub(crate) fn new() -> Self {
        Self::with(config())
    }

    pub(crate) fn with(config: SimConfig) -> Self {
        // A second provider in one process is refused, which is fine: the first one serves.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let http = Client::builder().redirect(reqwest::redirect::Policy::none()).no_proxy();
        Self {
            sim: Simulator::start(config).expect("a free port"),
            http: http.build().expect("a client"),
        }
    }

    pub(crate) fn request(&self, target: &str) -> RequestBuilder {
        let url = if target.starts_with("http") {
            target.to_owned()
        } else {
            format!("{}{target}", self.sim.url())
        };
        self.http.get(url)
    }

    /// Asks as the admin.
    pub(crate) async fn get(&self, target: &str) -> Reply {
        let admin = basic(Credentials::EMAIL, Credentials::TOKEN);
        Reply::of(self.request(target).header(AUTHORIZATION, admin)).await
    }

    /// Asks as the admin; the answer must be a page.
    pub(crate) async fn page(&self, target: &str) -> Value {
        let reply = self.get(target).await;
        assert_eq!(reply.status, 200, "{target}: {}", reply.text);
        reply.json()
    }

    pub(crate) async fn as_token(&self, target: &str, token: &str) -> Reply {
        Reply::of(self.request(target).header(AUTHORIZATION, format!("Bearer {token}"))).await
    }

    pub(crate) async fn post(&self, target: &str, body: &Value) -> Reply {
        let url = format!("{}{target}", self.sim.url());
        Reply::of(self.http.post(url).json(body)).await
    }

    /// The pages of an export by cursor from a first request on.
    pub(crate) async fn pages_by_cursor(&self, first: &str) -> Vec<Value> {
        let mut pages = vec![self.page(first).await];
        while !pages.last().is_some_and(|page| page["end_of_stream"] == true) {
            let next = text(&pages.last().expect("there is one")["after_url"]);
            pages.push(self.page(&next).await);
        }
        pages
    }

    /// The latest state of every record by id.
    pub(crate) fn truth(&self, collection: Collection) -> BTreeMap<i64, Value> {
        let parsed = |json: &str| serde_json::from_str(json).expect("JSON");
        self.sim
            .records(collection)
            .filter(|truth| !truth.is_removed)
            .map(|truth| (truth.id, parsed(&truth.json)))
            .collect()
    }

    /// The first ticket that can be changed in any way.
    pub(crate) fn a_live_ticket(&self) -> i64 {
        let truth = self.truth(Collection::Tickets);
        let is_live =
            |ticket: &&Value| ["open", "new", "pending"].contains(&ticket["status"].as_str().unwrap_or_default());
        truth.values().find(is_live).expect("a live ticket")["id"]
            .as_i64()
            .expect("an id")
    }
}

impl Reply {
    pub(crate) async fn of(request: RequestBuilder) -> Self {
        let answer = request.send().await.expect("an answer");
        Self {
            status: answer.status().as_u16(),
            headers: answer.headers().clone(),
            text: answer.text().await.expect("a whole body"),
        }
    }

    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.text).expect("JSON")
    }

    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).and_then(|value| value.to_str().ok())
    }

    /// The code of an error of the shape `{"errors":[{"code":…}]}`.
    pub(crate) fn code(&self) -> String {
        text(&self.json()["errors"][0]["code"])
    }
}

pub(crate) fn text(value: &Value) -> String {
    value.as_str().unwrap_or_default().to_owned()
}

pub(crate) fn rows<'v>(page: &'v Value, name: &str) -> &'v [Value] {
    page[name].as_array().map(Vec::as_slice).unwrap_or_default()
}

pub(crate) fn ids(page: &Value, name: &str) -> Vec<i64> {
    rows(page, name)
        .iter()
        .map(|row| row["id"].as_i64().expect("an id"))
        .collect()
}
