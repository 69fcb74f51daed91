//! An account in memory: the trait of the API client without HTTP, with faults and a place to stop at.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Mutex, MutexGuard};
use std::time::Duration;

use async_trait::async_trait;
use tokio::sync::Notify;
use zenfloe_catalog::{Collection, Paging};
use zenfloe_pacing::{Moment, Reading};
use zenfloe_zendesk::{Clock, Fault, Identity, Page, Place, RawRecord, Source, SourceError};

/// A row of a collection: its time, its id, and the rest of its JSON.
type Row = (i64, i64, String);

#[derive(Default)]
struct Rows {
    by_collection: BTreeMap<String, Vec<Row>>,
    faults: VecDeque<(String, Fault)>,
    requests: Vec<(String, Place)>,
    halt_at: Option<usize>,
    limit: Option<Limit>,
}

/// The rate limit of the incremental exports, in sliding windows of a minute.
struct Limit {
    total: u32,
    clock: Clock,
    arrivals: Vec<Moment>,
    refused: u32,
}

impl Limit {
    /// Counts a request; an error when it comes too early.
    fn count(&mut self) -> Result<Reading, Fault> {
        let now = self.clock.now();
        let used = self.arrivals.iter().filter(|at| **at + MINUTE > now).count() as u32;
        if used >= self.total {
            self.refused += 1;
            return Err(Fault::RateLimited { after: Some(MINUTE) });
        }
        self.arrivals.push(now);
        Ok(Reading {
            bucket: "incremental-exports".into(),
            total: Some(self.total),
            remaining: Some(self.total - used - 1),
            resets: Some(MINUTE),
        })
    }
}

const MINUTE: Duration = Duration::from_secs(60);

#[derive(Default)]
pub(crate) struct Account {
    rows: Mutex<Rows>,
    /// Told when a request has come to the halt.
    pub(crate) halted: Notify,
}

/// Rows on a page.
pub(crate) const PAGE: usize = 3;
/// When the first request is answered.
const FIRST_DATE: i64 = 1_800_000_000;

impl Account {
    /// An account with `count` rows in each of the collections.
    pub(crate) fn with(counts: &[(&str, i64)]) -> Self {
        let account = Self::default();
        for (collection, count) in counts {
            for id in 1..=*count {
                account.put(collection, id, 1_700_000_000 + id, "first");
            }
        }
        account
    }

    fn lock(&self) -> MutexGuard<'_, Rows> {
        self.rows.lock().expect("no test panics while it holds the rows")
    }

    /// Adds or changes a row.
    pub(crate) fn put(&self, collection: &str, id: i64, time: i64, text: &str) {
        let mut rows = self.lock();
        let rows = rows.by_collection.entry(collection.to_owned()).or_default();
        rows.retain(|(_, held, _)| *held != id);
        rows.push((time, id, text.to_owned()));
        rows.sort();
    }

    /// Takes a row away without a trace.
    pub(crate) fn remove(&self, collection: &str, id: i64) {
        let mut rows = self.lock();
        rows.by_collection
            .get_mut(collection)
            .expect("a known collection")
            .retain(|(_, held, _)| *held != id);
    }

    /// The next request for the collection fails like this.
    pub(crate) fn fail(&self, collection: &str, fault: Fault) {
        self.lock().faults.push_back((collection.to_owned(), fault));
    }

    /// The request with this number (from 0) is never answered.
    pub(crate) fn halt_at(&self, request: Option<usize>) {
        let mut rows = self.lock();
        rows.halt_at = request;
        rows.requests.clear();
    }

    /// From now on the exports are limited to `total` requests a minute of `clock`.
    pub(crate) fn limit(&self, total: u32, clock: &Clock) {
        self.lock().limit = Some(Limit {
            total,
            clock: clock.clone(),
            arrivals: Vec::new(),
            refused: 0,
        });
    }

    /// When limited requests were served, and how many were refused.
    pub(crate) fn served(&self) -> (Vec<Moment>, u32) {
        let rows = self.lock();
        let limit = rows.limit.as_ref().expect("a limit was set");
        (limit.arrivals.clone(), limit.refused)
    }

    /// What has been asked since the last halt was set.
    pub(crate) fn requests(&self) -> Vec<(String, Place)> {
        self.lock().requests.clone()
    }

    /// The JSON of a row as a page shows it.
    pub(crate) fn json(time: i64, id: i64, text: &str) -> String {
        // Tickets without clocks would be asked for once more.
        format!(r#"{{"id":{id},"updated_at":{time},"text":"{text}","slas":null}}"#)
    }

    fn answer(&self, collection: &Collection, after: &Place) -> Option<Result<Page, SourceError>> {
        let mut rows = self.lock();
        let number = rows.requests.len();
        rows.requests.push((collection.name.clone(), after.clone()));
        if rows.halt_at == Some(number) {
            return None;
        }
        if let Some(index) = rows.faults.iter().position(|(held, _)| *held == collection.name) {
            let (_, fault) = rows.faults.remove(index)?;
            let subject = collection.name.clone();
            return Some(Err(SourceError {
                subject,
                status: Some(500),
                readings: Vec::new(),
                fault,
            }));
        }
        let reading = match rows.limit.as_mut().map(Limit::count).transpose() {
            Ok(reading) => reading,
            Err(fault) => {
                let subject = collection.name.clone();
                return Some(Err(SourceError {
                    subject,
                    status: Some(429),
                    readings: Vec::new(),
                    fault,
                }));
            }
        };
        let date = (FIRST_DATE + number as i64) * 1_000_000;
        let held = rows.by_collection.get(&collection.name).cloned().unwrap_or_default();
        let mut page = page(collection, after, &held, date);
        page.readings.extend(reading);
        Some(Ok(page))
    }
}

fn page(collection: &Collection, after: &Place, rows: &[Row], date: i64) -> Page {
    let (place, until) = match after {
        Place::Past { until, place } => (&**place, *until),
        place => (place, i64::MAX),
    };
    let from = beginning(place);
    let rest: Vec<_> = rows.iter().filter(|(time, id, _)| (*time, *id) > from).collect();
    let is_last = rest.len() <= PAGE;
    let mut shown = rest[..rest.len().min(PAGE)].to_vec();
    let cursor = shown.last().map_or(from, |(time, id, _)| (*time, *id));
    let all = shown.len();
    shown.retain(|(time, _, _)| *time < until);
    let is_caught_up = is_last || shown.len() < all;
    let records: Vec<_> = shown.iter().map(|row| record(row)).collect();
    let reached = shown.last().map(|(time, _, _)| *time * 1_000_000);
    let next = next(collection, place, cursor, is_last);
    Page {
        bytes: records.iter().map(|record| record.json.len() as u64).sum(),
        records,
        next: if until == i64::MAX { next } else { next.until(until) },
        is_caught_up,
        date,
        reached: if is_caught_up { Some(date) } else { reached },
        repeats: 0,
        readings: Vec::new(),
        request: format!("/api/v2/{}", collection.name),
        notes: Vec::new(),
    }
}

/// Time and id of the last row before a place.
fn beginning(place: &Place) -> (i64, i64) {
    match place {
        Place::Cursor { cursor, .. } => pair(cursor),
        Place::List { after, .. } => pair(after),
        Place::Start { since, .. } => (*since, i64::MIN),
        _ => (0, 0),
    }
}

fn next(collection: &Collection, place: &Place, (time, id): (i64, i64), is_last: bool) -> Place {
    let cursor = format!("{time}|{id}");
    match (collection.endpoint.paging == Paging::List, is_last) {
        (true, true) => Place::start(),
        (true, false) => Place::List {
            after: cursor,
            page: place.list_page() + 1,
        },
        (false, _) => Place::Cursor {
            cursor,
            time: None,
            delivered_to: None,
        },
    }
}

fn record((time, id, text): &Row) -> RawRecord {
    RawRecord {
        key: id.to_string().into_bytes(),
        partition_key: id.to_string().into_bytes(),
        json: Account::json(*time, *id, text).into_bytes().into(),
    }
}

fn pair(cursor: &str) -> (i64, i64) {
    let (time, id) = cursor.split_once('|').expect("our own cursor");
    (time.parse().expect("a number"), id.parse().expect("a number"))
}

#[async_trait]
impl Source for Account {
    async fn page(&self, collection: &Collection, after: &Place) -> Result<Page, SourceError> {
        match self.answer(collection, after) {
            Some(answer) => answer,
            None => {
                self.halted.notify_one();
                std::future::pending().await
            }
        }
    }

    async fn probe(&self, collection: &Collection) -> Result<(), SourceError> {
        self.page(collection, &Place::start()).await.map(|_| ())
    }

    async fn identity(&self) -> Result<Identity, SourceError> {
        Ok(Identity {
            user_id: 1,
            role: "admin".into(),
        })
    }
}
