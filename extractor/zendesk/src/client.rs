use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use async_trait::async_trait;
use bytes::Bytes;
use reqwest::header::{ACCEPT, AUTHORIZATION, HeaderMap, LOCATION};
use reqwest::{StatusCode, Url};
use serde::Deserialize;
use zenfloe_catalog::{Collection, Follow, Paging, TimeUnit, Window};
use zenfloe_pacing::Reading;
use zenfloe_record::Micros;

use crate::auth::Credentials;
use crate::body::{self, Unread};
use crate::envelope::Envelope;
use crate::failure::{Failure, FaultOrUnread};
use crate::refusal::{self, Said};
use crate::scan;
use crate::size::PageSize;
use crate::step::{Exchange, Step};
use crate::{
    Clock, Config, ConfigError, Fault, Identity, Note, Page, Place, RawRecord, Source, SourceError, TokenPair,
    Unavailability, Vault,
};

/// A Zendesk account's API.
pub struct Client {
    http: reqwest::Client,
    base: Url,
    credentials: Credentials,
    max_response: usize,
    clock: Clock,
    habits: Mutex<HashMap<String, Habit>>,
    /// A page has come from this address: there is an account.
    is_known: AtomicBool,
}

/// What earlier pages of a collection taught.
#[derive(Clone, Copy)]
struct Habit {
    size: PageSize,
    /// The size of the last answer, so that the next one's memory is asked for once.
    body: usize,
    /// It has been told that Zendesk leaves a sideload out.
    has_said_lack: bool,
}

/// An answer whose body has been read.
struct Answer {
    status: StatusCode,
    headers: HeaderMap,
    readings: Vec<Reading>,
    body: Bytes,
}

impl Answer {
    fn failed(&self, fault: Fault) -> Failure {
        Failure {
            status: Some(self.status.as_u16()),
            readings: self.readings.clone(),
            fault: fault.into(),
        }
    }
}

/// Establishing a connection takes no longer, or never succeeds.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);
/// A day in seconds.
const DAY: i64 = 86_400;
/// How far before the last good row reading starts again when a cursor is refused.
const RESTART_OVERLAP: i64 = 60;

/// The client of an account's host.
pub(crate) fn http(config: &Config, base: &Url) -> Result<reqwest::Client, ConfigError> {
    // A second provider in one process is refused, which is fine: the first one serves.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let mut http = reqwest::Client::builder()
        .user_agent(concat!("zenfloe/", env!("CARGO_PKG_VERSION")))
        .redirect(reqwest::redirect::Policy::none())
        .connect_timeout(CONNECT_TIMEOUT)
        .timeout(config.timeout)
        .gzip(true);
    if is_loopback(base) {
        http = http.no_proxy();
    }
    http.build().map_err(ConfigError::Http)
}

impl Client {
    /// Makes a client; reads the secrets but makes no request.
    pub fn new(config: &Config, clock: Clock) -> Result<Self, ConfigError> {
        let base = config.base()?;
        Ok(Self {
            http: http(config, &base)?,
            credentials: Credentials::new(&config.auth)?,
            max_response: usize::try_from(config.max_response.as_u64()).unwrap_or(usize::MAX),
            base,
            clock,
            habits: Mutex::default(),
            is_known: AtomicBool::new(false),
        })
    }

    /// What an answer that is no page means for what was asked.
    fn refusal(&self, answer: &Answer) -> Failure {
        let host = self.base.host_str().unwrap_or_default();
        let fault = match refusal::fault(answer.status, &answer.headers, &answer.body, host) {
            // The host's pages for people: an unknown account has nothing else, a known one has them
            // under the addresses of products that it did not buy.
            Fault::NoSuchAccount { .. } if self.is_known.load(Ordering::Relaxed) => Fault::NotAvailable {
                why: Unavailability::Plan,
                said: "a page of HTML".into(),
            },
            fault => fault,
        };
        answer.failed(fault)
    }

    fn habit(&self, collection: &Collection) -> Habit {
        let habits = self.habits.lock().unwrap_or_else(PoisonError::into_inner);
        let first = Habit {
            size: PageSize::new(collection.endpoint.page_size),
            body: 16 << 10,
            has_said_lack: false,
        };
        habits.get(&collection.name).copied().unwrap_or(first)
    }

    fn learn(&self, collection: &Collection, change: impl FnOnce(&mut Habit)) {
        let mut habit = self.habit(collection);
        change(&mut habit);
        let mut habits = self.habits.lock().unwrap_or_else(PoisonError::into_inner);
        habits.insert(collection.name.clone(), habit);
    }

    /// The page was too much: asks for half of it next time.
    fn too_heavy(&self, collection: &Collection, asked: u32, what: String) -> Fault {
        let mut next = asked;
        self.learn(collection, |habit| next = habit.size.halve());
        Fault::TooHeavy { what, asked, next }
    }

    /// Sends one request and reads its answer, of any status but 401 and redirects.
    async fn get(&self, url: Url, subject: &str, expected: usize) -> Result<Answer, Failure> {
        let signature = self.credentials.sign(&self.http, &self.base, self.clock.now()).await?;
        let request = self.http.get(url).header(ACCEPT, "application/json");
        let request = request.header(AUTHORIZATION, signature.header.clone());
        let answer = request.send().await.map_err(Unread::from)?;
        let (status, headers) = (answer.status(), answer.headers().clone());
        let readings = readings(&headers);
        let failed = |fault: Fault| Failure {
            status: Some(status.as_u16()),
            readings: readings.clone(),
            fault: fault.into(),
        };
        if status.is_redirection() {
            return Err(failed(self.redirected(status, &headers)));
        }
        let body = body::read(answer, expected, self.max_response).await;
        let body = body.map_err(|unread| Failure {
            status: Some(status.as_u16()),
            readings: readings.clone(),
            fault: FaultOrUnread::Unread(unread),
        })?;
        if status == StatusCode::UNAUTHORIZED {
            if self.credentials.refused(&signature).await {
                return Err(failed(Fault::TokenRefused));
            }
            tracing::debug!(subject, "credentials refused");
            return Err(failed(Fault::Unauthorized {
                said: Said::read(&body).text(),
            }));
        }
        self.credentials.accepted(&signature).await;
        Ok(Answer {
            status,
            headers,
            readings,
            body,
        })
    }

    fn redirected(&self, status: StatusCode, headers: &HeaderMap) -> Fault {
        let location = headers.get(LOCATION).and_then(|value| value.to_str().ok());
        let target = location.and_then(|location| self.base.join(location).ok());
        match target {
            Some(target) if target.origin() != self.base.origin() => Fault::ForeignRedirect {
                host: target.origin().ascii_serialization(),
            },
            _ => Fault::Refused {
                status: status.as_u16(),
                said: "a redirect, which is not followed".into(),
            },
        }
    }

    fn url(&self, path: &str) -> Url {
        let mut url = self.base.clone();
        url.set_path(&format!("{}{path}", self.base.path().trim_end_matches('/')));
        url
    }

    /// The address of the page of `size` records after a place.
    fn page_url(&self, collection: &Collection, after: &Place, size: u32) -> Url {
        let endpoint = &collection.endpoint;
        let (after, _) = after.bounded();
        let mut url = self.url(&endpoint.path);
        {
            let mut query = url.query_pairs_mut();
            match after {
                Place::Cursor { cursor, .. } => query.append_pair("cursor", cursor),
                Place::Time { start_time, .. } => query.append_pair("start_time", &start_time.to_string()),
                Place::List { after, .. } if endpoint.paging == Paging::Offset => query.append_pair("page", after),
                Place::List { after, .. } | Place::Window { after: Some(after), .. } => {
                    query.append_pair("page[after]", after)
                }
                Place::Start { .. } if !endpoint.paging.is_incremental() => &mut query,
                Place::Start { since, .. } => query.append_pair("start_time", &since.to_string()),
                Place::Window { .. } | Place::Past { .. } => &mut query,
            };
            if let Some(window) = &endpoint.window {
                let end = i64::try_from(self.clock.now().as_secs()).unwrap_or(i64::MAX);
                query.extend_pairs(bounds(window, after, end));
            }
            match endpoint.paging {
                Paging::List | Paging::Window => query.append_pair("page[size]", &size.to_string()),
                Paging::IncrementalCursor | Paging::IncrementalTime | Paging::Offset => {
                    query.append_pair("per_page", &size.to_string())
                }
                Paging::Whole => &mut query,
            };
            query.extend_pairs(&endpoint.params);
            if !endpoint.include.is_empty() {
                query.append_pair("include", &endpoint.include.join(","));
            }
        }
        // A question mark is left over where nothing is asked.
        if url.query() == Some("") {
            url.set_query(None);
        }
        url
    }

    async fn fetch(&self, collection: &Collection, after: &Place) -> Result<Page, Failure> {
        let (after, until) = after.bounded();
        let habit = self.habit(collection);
        let asked = habit.size.current();
        let url = self.page_url(collection, after, asked);
        let request = path_and_query(&url);
        let answer = match self.get(url, &collection.name, habit.body).await {
            Ok(answer) => answer,
            Err(failure) => return Err(self.weigh(collection, asked, failure)),
        };
        let date = date(&answer.headers, &self.clock);
        match answer.status {
            StatusCode::OK => {}
            StatusCode::GATEWAY_TIMEOUT => {
                let fault = self.too_heavy(collection, asked, "took Zendesk too long (504)".into());
                return Err(answer.failed(fault));
            }
            _ => {
                let restarted = restart(after, &answer, date, &request);
                return restarted
                    .map(|page| page.until(until))
                    .ok_or_else(|| self.refusal(&answer));
            }
        }
        let exchange = Exchange {
            collection,
            after,
            until,
            was_largest: habit.size.is_largest(),
            date: date.div_euclid(1_000_000),
        };
        let step = step(&exchange, &answer.body).map_err(|fault| answer.failed(fault))?;
        self.is_known.store(true, Ordering::Relaxed);
        let lacks = (!habit.has_said_lack)
            .then(|| lack(collection, &step.records))
            .flatten();
        self.learn_from(collection, &step, answer.body.len(), lacks.is_some());
        Ok(Page {
            records: step.records,
            next: step.next,
            is_caught_up: step.is_caught_up,
            date,
            reached: step.reached.map(|second| second.saturating_mul(1_000_000)),
            repeats: step.repeats,
            readings: answer.readings,
            bytes: answer.body.len() as u64,
            request,
            notes: step.note.into_iter().chain(lacks).collect(),
        })
    }

    fn learn_from(&self, collection: &Collection, step: &Step, body: usize, says_lack: bool) {
        let was_cut = matches!(step.note, Some(Note::SecondWasCut { .. }));
        self.learn(collection, |habit| {
            habit.body = body;
            habit.has_said_lack |= says_lack;
            if was_cut {
                habit.size.raise()
            } else {
                habit.size.went_well()
            }
        });
    }

    /// Turns a body that was too slow or too large into a request for a smaller page.
    fn weigh(&self, collection: &Collection, asked: u32, failure: Failure) -> Failure {
        let fault = match failure.fault {
            FaultOrUnread::Unread(Unread::TooSlow) => self
                .too_heavy(collection, asked, "took longer than the time limit".into())
                .into(),
            FaultOrUnread::Unread(Unread::TooLarge) => {
                let limit = bytesize::ByteSize::b(self.max_response as u64);
                self.too_heavy(collection, asked, format!("is larger than {limit}"))
                    .into()
            }
            other => other,
        };
        Failure { fault, ..failure }
    }
}

#[async_trait]
impl Source for Client {
    async fn page(&self, collection: &Collection, after: &Place) -> Result<Page, SourceError> {
        self.fetch(collection, after)
            .await
            .map_err(|failure| failure.about(&collection.name))
    }

    async fn probe(&self, collection: &Collection) -> Result<(), SourceError> {
        let url = self.page_url(collection, &Place::start(), 1);
        let about = |failure: Failure| failure.about(&collection.name);
        let answer = self.get(url, &collection.name, 0).await.map_err(about)?;
        if answer.status != StatusCode::OK {
            return Err(about(self.refusal(&answer)));
        }
        match Envelope::read(collection, &answer.body) {
            Ok(_) => Ok(()),
            Err(what) => Err(about(answer.failed(Fault::Broken { what }))),
        }
    }

    async fn identity(&self) -> Result<Identity, SourceError> {
        let about = |failure: Failure| failure.about("credentials");
        let url = self.url("/api/v2/users/me");
        let answer = self.get(url, "credentials", 0).await.map_err(about)?;
        if answer.status != StatusCode::OK {
            return Err(about(self.refusal(&answer)));
        }
        who(&answer.body).map_err(|fault| about(answer.failed(fault)))
    }

    async fn entrust(&self, vault: Option<Arc<dyn Vault>>, kept: Option<Vec<u8>>) {
        if let Credentials::Rotating(rotation) = &self.credentials {
            let kept = kept.as_deref().and_then(TokenPair::decode);
            rotation.entrust(vault, kept).await;
        }
    }

    async fn settle(&self) {
        if let Credentials::Rotating(rotation) = &self.credentials {
            rotation.settle().await;
        }
    }
}

/// The answer is 200 for anyone: an anonymous user has no id.
fn who(body: &[u8]) -> Result<Identity, Fault> {
    let me: Me = serde_json::from_slice(body).map_err(|_| Fault::Broken {
        what: "it has no `user`".into(),
    })?;
    let user = me.user.and_then(|user| Some((user.id?, user.role)));
    let (user_id, role) = user.ok_or_else(|| Fault::Unauthorized {
        said: "Zendesk sees an anonymous user".into(),
    })?;
    Ok(Identity {
        user_id,
        role: role.unwrap_or_default(),
    })
}

#[derive(Deserialize)]
struct Me {
    user: Option<User>,
}

#[derive(Deserialize)]
struct User {
    id: Option<i64>,
    role: Option<String>,
}

fn step(exchange: &Exchange<'_>, body: &Bytes) -> Result<Step, Fault> {
    let envelope = Envelope::read(exchange.collection, body).map_err(|what| Fault::Broken { what })?;
    exchange.step(&envelope, envelope.records(exchange.collection, body))
}

/// A sideload that was asked for and that the first record has not: Zendesk is silent about what it does not know.
fn lack(collection: &Collection, records: &[RawRecord]) -> Option<Note> {
    let first = records.first()?;
    let mut asked = collection.endpoint.include.iter();
    let missing = asked.find(|asked| {
        let mut sideloads = collection.sideloads.iter();
        let into = sideloads.find(|sideload| sideload.array == **asked);
        let field = into.map_or(asked.as_str(), |sideload| sideload.into.as_str());
        scan::find(&first.json, [field]).is_none()
    })?;
    let is_asked_again = |follow: &Follow| follow.include.contains(missing);
    Some(Note::SideloadMissing {
        name: missing.clone(),
        has_other_way: collection.follows.iter().any(is_asked_again),
    })
}

/// Beginning and end of a window as parameters. The end lies in the future: what is too young is left out of the
/// answer's rows, by Zendesk's clock and not by ours.
fn bounds<'w>(window: &'w Window, after: &Place, now: i64) -> Vec<(&'w str, String)> {
    let from = match after {
        Place::Window {
            delivered_to: Some(delivered_to),
            since,
            ..
        } => (delivered_to - window.overlap).max(*since),
        Place::Window { since, .. } | Place::Start { since, .. } => *since,
        _ => 0,
    };
    let written = |second: i64| match window.unit {
        TimeUnit::EpochSeconds => second.to_string(),
        TimeUnit::EpochMillis => second.saturating_mul(1_000).to_string(),
        TimeUnit::Iso8601 => jiff::Timestamp::from_second(second).unwrap_or_default().to_string(),
    };
    let mut bounds = vec![(window.from.as_str(), written(from.max(0)))];
    if let Some(to) = &window.to {
        bounds.push((to.as_str(), written(now.saturating_add(DAY))));
    }
    bounds
}

/// An answer that refuses the cursor leads back to the last good time.
fn restart(after: &Place, answer: &Answer, date: Micros, request: &str) -> Option<Page> {
    let is_refusal = matches!(answer.status.as_u16(), 400 | 404 | 410 | 422);
    if !is_refusal || !Said::read(&answer.body).is_refused_cursor() {
        return None;
    }
    let since = match after {
        Place::Cursor { time, .. } => Some(time.map_or(0, |time| (time - RESTART_OVERLAP).max(0))),
        Place::List { .. } | Place::Window { after: Some(_), .. } => None,
        Place::Window { .. } | Place::Start { .. } | Place::Time { .. } | Place::Past { .. } => return None,
    };
    let next = match after {
        Place::Window {
            delivered_to, since, ..
        } => Place::Window {
            delivered_to: *delivered_to,
            to: None,
            after: None,
            since: *since,
        },
        _ => Place::since(since.unwrap_or(0)),
    };
    Some(Page {
        records: Vec::new(),
        next,
        is_caught_up: false,
        date,
        reached: None,
        repeats: 0,
        readings: answer.readings.clone(),
        bytes: answer.body.len() as u64,
        request: request.to_owned(),
        notes: vec![Note::CursorRefused { since }],
    })
}

fn readings(headers: &HeaderMap) -> Vec<Reading> {
    Reading::from_headers(
        headers
            .iter()
            .filter_map(|(name, value)| Some((name.as_str(), value.to_str().ok()?))),
    )
}

/// The server's clock, or ours where it does not say.
fn date(headers: &HeaderMap, clock: &Clock) -> Micros {
    let since = refusal::date(headers).and_then(|at: SystemTime| at.duration_since(UNIX_EPOCH).ok());
    Micros::try_from(since.unwrap_or_else(|| clock.now()).as_micros()).unwrap_or(Micros::MAX)
}

fn path_and_query(url: &Url) -> String {
    match url.query() {
        Some(query) => format!("{}?{query}", url.path()),
        None => url.path().to_owned(),
    }
}

fn is_loopback(url: &Url) -> bool {
    let host = url.host_str().unwrap_or_default().trim_matches(['[', ']']);
    host == "localhost"
        || host
            .parse::<std::net::IpAddr>()
            .is_ok_and(|address| address.is_loopback())
}
