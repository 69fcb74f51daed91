//! One request from its first byte to the answer that is due.

use axum::http::{Method, Uri};
use serde_json::json;

use super::answer::Answer;
use super::auth::Caller;
use super::bucket::{Bucket, Standing};
use super::export::Export;
use super::fault::{Asked, FaultKind};
use super::list::{self, List};
use super::log::LoggedRequest;
use super::query::Query;
use super::route::{self, Route};
use super::{Served, Shared, refusal, single, talks};
use crate::clock::Clock;

/// A request as it came.
pub(crate) struct Request {
    pub(crate) method: Method,
    pub(crate) uri: Uri,
    /// `Authorization`.
    pub(crate) authorization: Option<String>,
    /// `Host`.
    pub(crate) host: String,
    pub(crate) body: Vec<u8>,
}

/// The answer and what becomes of it on the wire.
pub(crate) struct Due {
    pub(crate) answer: Answer,
    pub(crate) fault: Option<FaultKind>,
}

impl Request {
    /// Answers a request of the API.
    pub(crate) fn answer(&self, shared: &Shared) -> Due {
        let path = route::bare(self.uri.path());
        let query = Query::of(&self.uri);
        let route = Route::of(path);
        let fault = shared.faults().strike(&Asked {
            target: &format!("{path}?{}", query.plain()),
            page_size: page_size(route, &query),
            has_cursor: query.get("cursor").is_some() || query.get("page[after]").is_some(),
        });
        let served = match fault.as_ref().and_then(replacement) {
            Some(answer) => answer.into(),
            None => self.serve(shared, route, path, &query, fault.as_ref()),
        };
        let answer = match &fault {
            Some(fault) => spoil(served.answer, fault),
            None => served.answer,
        };
        let is_dropped = fault == Some(FaultKind::DropConnection);
        shared.log().push(LoggedRequest {
            at_ms: shared.clock.now_ms(),
            method: self.method.to_string(),
            path: path.to_owned(),
            query: self.uri.query().unwrap_or_default().to_owned(),
            bucket: route.bucket(),
            status: if is_dropped { 0 } else { answer.status },
            rows: u32::try_from(answer.rows).expect("a page has few rows"),
            bytes: answer.body.len() as u64,
            is_fault: fault.is_some(),
            unknown_includes: served.unknown_includes,
        });
        Due { answer, fault }
    }

    fn serve(&self, shared: &Shared, route: Route, path: &str, query: &Query, fault: Option<&FaultKind>) -> Served {
        let now = shared.clock.now();
        match route {
            Route::Token if self.method == Method::POST => return shared.gate().token(&self.body, now).into(),
            Route::Authorize => return shared.gate().authorize(query, now).into(),
            _ => {}
        }
        let caller = match shared.gate().caller(self.authorization.as_deref(), now) {
            Ok(caller) => caller,
            Err(answer) => return answer.into(),
        };
        let bucket = route.bucket().unwrap_or(Bucket::Account);
        let taken = shared.buckets().take(bucket, shared.clock.now_ms());
        let (standings, served) = match taken {
            Ok(standings) => {
                let served = self.dispatch(shared, route, path, query, caller.as_ref(), fault);
                (standings, served.unwrap_or_else(Served::from))
            }
            Err(standings) => {
                let tells = shared.buckets().limits().tells_retry_after;
                return limited(&standings, tells, &shared.clock).into();
            }
        };
        let headers = standings.iter().flat_map(Standing::headers);
        let answer = headers.fold(served.answer, |answer, (name, value)| answer.header(name, value));
        Served { answer, ..served }
    }

    fn dispatch(
        &self,
        shared: &Shared,
        route: Route,
        path: &str,
        query: &Query,
        caller: Option<&Caller>,
        fault: Option<&FaultKind>,
    ) -> Result<Served, Answer> {
        if route == Route::Me {
            return Ok(single::me(shared, caller).into());
        }
        let caller = caller.ok_or_else(Answer::unauthenticated)?;
        if let Some(refused) = refusal::refusal(path, &shared.settings.refusals, shared.buckets().limits().plan) {
            return Err(refused.answer());
        }
        if self.method != Method::GET {
            return Err(Answer::no_such_endpoint());
        }
        let address = format!("http://{}{path}.json", self.host);
        let repeats = fault == Some(&FaultKind::RepeatPage);
        match route {
            Route::ExportByCursor(collection) | Route::ExportByTime(collection) => {
                caller.may_read(collection, true)?;
                let export = Export {
                    collection,
                    query,
                    address,
                    repeats,
                };
                if route == Route::ExportByTime(collection) {
                    export.by_time(shared)
                } else {
                    export.by_cursor(shared)
                }
            }
            Route::List(collection) => {
                caller.may_read(collection, false)?;
                let list = List {
                    collection,
                    query,
                    address,
                    repeats,
                };
                list.page(shared)
            }
            _ => self.dispatch_single(shared, route, query, caller, &address),
        }
    }

    fn dispatch_single(
        &self,
        shared: &Shared,
        route: Route,
        query: &Query,
        caller: &Caller,
        address: &str,
    ) -> Result<Served, Answer> {
        use crate::model::{Collection::Tickets, Role};
        match route {
            Route::ShowMany => {
                caller.may_read(Tickets, false)?;
                list::show_many(shared, query)
            }
            Route::Ticket(id) => {
                caller.may_read(Tickets, false)?;
                single::ticket(shared, id, query)
            }
            Route::Comments(id) => {
                caller.may_read(Tickets, false)?;
                list::comments(shared, id, query)
            }
            Route::Holidays(id) => {
                caller.has_role(Role::Admin)?;
                single::holidays(shared, id)
            }
            Route::ConversationLog(id) => {
                caller.may_read(Tickets, false)?;
                talks::log_of_ticket(shared, id, query)
            }
            Route::SideConversations(id) => {
                caller.has_role(Role::Agent)?;
                caller.has_scope(&["tickets:read"])?;
                talks::of_ticket(shared, id, query, address)
            }
            Route::Settings => {
                caller.has_role(Role::Agent)?;
                caller.has_scope(&["account_settings:read"])?;
                Ok(single::settings().into())
            }
            Route::CurrentToken => Ok(shared.gate().current(caller).into()),
            _ => Err(Answer::no_such_endpoint()),
        }
    }
}

/// How many records the page is to have, where the endpoint has pages.
fn page_size(route: Route, query: &Query) -> Option<u32> {
    let (name, default) = match route {
        Route::ExportByCursor(_) | Route::ExportByTime(_) => ("per_page", 1_000),
        Route::List(_) => ("page[size]", 100),
        _ => return None,
    };
    u32::try_from(query.number(name).unwrap_or(default)).ok()
}

fn limited(standings: &[Standing], tells_retry_after: bool, clock: &Clock) -> Answer {
    let (answer, resets) = (Answer::too_many_requests(), standings[0].resets());
    if !tells_retry_after {
        let at = crate::stamp::Stamp(clock.now() + resets);
        let at = serde_json::to_value(at).expect("a text");
        return answer.header("ratelimit-reset", at.as_str().unwrap_or_default());
    }
    let headers = standings.iter().flat_map(Standing::headers);
    let answer = headers.fold(answer, |answer, (name, value)| answer.header(name, value));
    tracing::debug!(bucket = standings[0].bucket().name(), resets, "refused");
    answer.header("retry-after", resets.to_string())
}

/// The answer that a fault puts in the real one's place, so that nothing counts as served.
fn replacement(fault: &FaultKind) -> Option<Answer> {
    Some(match fault {
        FaultKind::Status { status, retry_after } => {
            let answer = Answer::of_status(*status);
            retry_after.iter().fold(answer, |answer, seconds| {
                answer.header("retry-after", seconds.to_string())
            })
        }
        FaultKind::TooHeavyAbove { .. } => Answer::of_status(504),
        FaultKind::DropConnection | FaultKind::EmptyBody => Answer::raw_json(200, Vec::new()),
        // Half of it is sent.
        FaultKind::TruncateBody => Answer::json(200, &json!({"padding": "0".repeat(4_096)})),
        FaultKind::Html { status } => Answer::html(*status),
        FaultKind::NoEnvelope => Answer::json(200, &json!({})),
        FaultKind::Redirect { to } => Answer::html(302).header("location", to.clone()),
        FaultKind::RefusedCursor => Answer::invalid_cursor(),
        FaultKind::Slow { .. } | FaultKind::RepeatPage | FaultKind::HugeBody { .. } | FaultKind::ExtraRows { .. } => {
            return None;
        }
    })
}

/// What a fault does to a page.
fn spoil(mut answer: Answer, fault: &FaultKind) -> Answer {
    if answer.status != 200 {
        return answer;
    }
    match fault {
        FaultKind::HugeBody { bytes } if answer.body.ends_with(b"}") => {
            answer.body.pop();
            answer.body.extend_from_slice(b",\"padding\":\"");
            answer.body.resize(answer.body.len() + bytes, b'0');
            answer.body.extend_from_slice(b"\"}");
        }
        FaultKind::ExtraRows { rows } => {
            // Behind the bracket that opens the rows: `{"tickets":[`.
            let Some(start) = answer.body.iter().position(|byte| *byte == b'[') else {
                return answer;
            };
            let is_alone = answer.body.get(start + 1) == Some(&b']');
            let text = rows.join(",") + if is_alone || rows.is_empty() { "" } else { "," };
            answer.body.splice(start + 1..start + 1, text.into_bytes());
            answer.rows += rows.len();
        }
        _ => {}
    }
    answer
}
