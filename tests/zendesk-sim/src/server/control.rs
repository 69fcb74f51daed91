//! The simulator's own endpoints, for those who run it as a process; the crate's page lists them.

use std::sync::Arc;
use std::time::Duration;

use axum::body::{Body, Bytes};
use axum::http::Response;
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use super::Shared;
use super::bucket::Bucket;
use super::fault::Fault;
use super::query::Query;
use super::request::Request;
use crate::model::Collection;
use crate::op::Op;
use crate::truth::Records;

/// Why a request of this kind cannot be met: status and words.
type Refused = (u16, String);

/// Claims that a request is for the simulator itself.
pub(crate) fn is_meant(request: &Request) -> bool {
    request.uri.path().starts_with("/_sim")
}

/// Answers it.
pub(crate) async fn answer(shared: Arc<Shared>, request: Request) -> Response<Body> {
    let work = move || Control { shared, request }.answer();
    let answered = tokio::task::spawn_blocking(work).await;
    let (status, body) = match answered {
        Ok(Ok(body)) => (200, body),
        Ok(Err((status, words))) => (status, object(&json!({"error": words}))),
        Err(_) => (500, Body::empty()),
    };
    let response = Response::builder()
        .status(status)
        .header("content-type", "application/json");
    response.body(body).expect("a legal status")
}

struct Control {
    shared: Arc<Shared>,
    request: Request,
}

impl Control {
    fn answer(&self) -> Result<Body, Refused> {
        let path = self.request.uri.path().trim_start_matches("/_sim").trim_matches('/');
        let method = self.request.method.as_str();
        let shared = &self.shared;
        match (method, path.split_once('/').unwrap_or((path, ""))) {
            ("GET", ("", _)) => Ok(self.summary()),
            ("POST", ("ops", _)) => self.apply(),
            ("POST", ("changes", _)) => self.change(),
            ("POST", ("rate", _)) => self.rate(),
            ("GET", ("faults", _)) => Ok(object(&json!(shared.faults().ahead()))),
            ("POST", ("faults", _)) => self.add_faults(),
            ("DELETE", ("faults", _)) => Ok(self.forget(|shared| shared.faults().clear())),
            ("GET", ("directory", _)) => Ok(lines(shared.read().directory().into_iter())),
            ("GET", ("truth", name)) => Ok(lines(Records::new(shared.clone(), named(name)?))),
            ("GET", ("served", name)) => self.served(named(name)?),
            ("GET", ("slas", _)) => Ok(lines(shared.served_slas().into_iter())),
            ("GET", ("requests", _)) => Ok(lines(shared.log().clone().into_iter())),
            ("DELETE", ("requests", _)) => Ok(self.forget(|shared| shared.log().clear())),
            ("POST", ("clock", _)) => self.advance(),
            ("POST", ("consume", _)) => self.consume(),
            ("POST", ("revoke", _)) => Ok(self.forget(|shared| shared.gate().revoke())),
            _ => Err((404, format!("there is no {method} of `{path}`"))),
        }
    }

    fn forget(&self, forget: impl FnOnce(&Shared)) -> Body {
        forget(&self.shared);
        done()
    }

    fn query(&self) -> Query {
        Query::of(&self.request.uri)
    }

    fn body<T: DeserializeOwned>(&self) -> Result<T, Refused> {
        serde_json::from_slice(&self.request.body).map_err(|error| (400, error.to_string()))
    }

    /// One thing or an array of them.
    fn many<T: DeserializeOwned>(&self) -> Result<Vec<T>, Refused> {
        match self.body::<Value>()? {
            Value::Array(all) => all.into_iter().map(serde_json::from_value).collect::<Result<_, _>>(),
            one => serde_json::from_value(one).map(|one| vec![one]),
        }
        .map_err(|error| (400, error.to_string()))
    }

    fn number(&self, name: &str) -> Result<u64, Refused> {
        let number = self.query().number(name).and_then(|number| u64::try_from(number).ok());
        number.ok_or_else(|| (400, format!("`{name}` is no number")))
    }

    fn summary(&self) -> Body {
        let per_second = self.shared.traffic().per_second;
        let account = self.shared.read();
        let rows =
            Collection::ALL.map(|collection| (collection.name().to_owned(), Value::from(account.len(collection))));
        object(&json!({
            "now": account.now(),
            "anchor": account.anchor(),
            "changes": account.script().len(),
            "per_second": per_second,
            "rows": serde_json::Map::from_iter(rows),
        }))
    }

    fn apply(&self) -> Result<Body, Refused> {
        let mut ids = Vec::new();
        for op in self.many::<Op>()? {
            let id = self
                .shared
                .apply(op)
                .map_err(|error| (409, format!("after {} changes: {error}", ids.len())))?;
            ids.push(id);
        }
        Ok(object(&json!({"ids": ids})))
    }

    fn change(&self) -> Result<Body, Refused> {
        let n = usize::try_from(self.number("n")?).unwrap_or(usize::MAX).min(1_000_000);
        let seed = self
            .number("seed")
            .unwrap_or_else(|_| self.shared.read().script().len() as u64);
        Ok(object(&json!({"ops": self.shared.apply_random(n, seed)})))
    }

    fn rate(&self) -> Result<Body, Refused> {
        let body: Value = self.body()?;
        let rate = body["per_second"]
            .as_f64()
            .filter(|rate| rate.is_finite() && *rate >= 0.0);
        let mut traffic = self.shared.traffic();
        traffic.per_second = rate.ok_or_else(|| (400, "`per_second` is no number".to_owned()))?;
        traffic.seed = body["seed"].as_u64().unwrap_or(traffic.seed);
        Ok(done())
    }

    fn add_faults(&self) -> Result<Body, Refused> {
        for fault in self.many::<Fault>()? {
            self.shared.faults().add(fault);
        }
        Ok(done())
    }

    fn served(&self, collection: Collection) -> Result<Body, Refused> {
        let ledger = self.shared.ledger();
        let (versions, states) = (ledger.versions(collection), ledger.states(collection));
        drop(ledger);
        Ok(if states.is_empty() {
            lines(versions.into_iter())
        } else {
            lines(states.into_iter())
        })
    }

    fn advance(&self) -> Result<Body, Refused> {
        let by = Duration::from_secs(self.number("advance")?);
        if self.shared.clock.advance(by) {
            Ok(done())
        } else {
            Err((409, "the clock runs by itself".into()))
        }
    }

    fn consume(&self) -> Result<Body, Refused> {
        let query = self.query();
        let bucket = query.get("bucket").unwrap_or("account");
        let bucket: Bucket = serde_json::from_value(bucket.into()).map_err(|error| (400, error.to_string()))?;
        let requests = u32::try_from(self.number("requests")?).unwrap_or(u32::MAX);
        self.shared
            .buckets()
            .use_up(bucket, requests, self.shared.clock.now_ms());
        Ok(done())
    }
}

fn named(name: &str) -> Result<Collection, Refused> {
    Collection::named(name).ok_or_else(|| (404, format!("there is no collection `{name}`")))
}

fn object(value: &Value) -> Body {
    Body::from(value.to_string())
}

fn done() -> Body {
    object(&json!({"done": true}))
}

/// Lines of a chunk.
const CHUNK: usize = 500;

/// Streams values, one a line.
fn lines<T: Serialize>(mut values: impl Iterator<Item = T> + Send + 'static) -> Body {
    let chunks = std::iter::from_fn(move || {
        let mut chunk = Vec::new();
        for value in values.by_ref().take(CHUNK) {
            serde_json::to_writer(&mut chunk, &value).expect("plain data goes into memory");
            chunk.push(b'\n');
        }
        (!chunk.is_empty()).then(|| Ok::<_, std::convert::Infallible>(Bytes::from(chunk)))
    });
    Body::from_stream(futures::stream::iter(chunks))
}
