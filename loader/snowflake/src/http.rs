//! The driver protocol over HTTP. The readable reference is <https://github.com/snowflakedb/gosnowflake>.

use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use async_trait::async_trait;
use bytes::Bytes;
use reqwest::header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE, DATE, HeaderMap, RETRY_AFTER, USER_AGENT};
use reqwest::{Method, StatusCode, Url};
use secrecy::{ExposeSecret, SecretString};
use serde_json::{Value as Json, json};
use zenfloe_destination::LoadError;

use crate::Config;
use crate::auth::{Proof, proof};
use crate::driver::{APP, Driver, Rows, Session, Statement};
use crate::error::{ApiError, broken, forbidden, pause, refused, remedy_of_sign_in};
use crate::rows;
use crate::stage;
use crate::wire::{Answer, Outcome, Renewed, SignedIn};

/// The account decides by this name which habits of a driver it serves; it must be one that it knows.
const CLIENT: (&str, &str) = ("Go", "1.17.0");
/// An answer waits on the other side for 45 seconds before it says "not yet".
const REQUEST_TIMEOUT: Duration = Duration::from_secs(120);
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);
/// A session is ended, or a statement cancelled, for the account's sake: that must not take long.
const COURTESY: Duration = Duration::from_secs(5);
/// "Not yet": ask where the answer says.
const PENDING: [&str; 2] = ["333333", "333334"];
/// The session's token has expired and can be renewed.
const EXPIRED: &str = "390112";
/// A clock that is further off makes signed tokens invalid.
const CLOCK_SKEW: u64 = 60;

/// An account.
#[derive(Clone)]
pub(crate) struct Account(Arc<Inner>);

struct Inner {
    config: Config,
    base: Url,
    http: reqwest::Client,
    /// What `ca_file` holds, for stages too.
    authorities: Vec<u8>,
}

/// Why a request has no answer.
enum Lost {
    /// It may be sent again.
    Again { what: String, after: Option<Duration> },
    /// It was understood and refused.
    Refused(ApiError),
}

/// An answer and the clock of who gave it.
struct Heard {
    answer: Answer,
    date: Option<SystemTime>,
}

impl Account {
    pub(crate) fn new(config: Config) -> Result<Self, LoadError> {
        config.check().map_err(|error| forbidden(error.to_string()))?;
        let base = config.base().map_err(|error| forbidden(error.to_string()))?;
        // A second provider in one process is refused, which is fine: the first one serves.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let mut http = reqwest::Client::builder()
            .redirect(reqwest::redirect::Policy::none())
            .connect_timeout(CONNECT_TIMEOUT)
            .timeout(REQUEST_TIMEOUT);
        if base.scheme() == "http" {
            http = http.no_proxy();
        }
        let mut authorities = Vec::new();
        if let Some(file) = &config.ca_file {
            let unreadable = |what: String| forbidden(format!("ca_file {} cannot be read: {what}", file.display()));
            authorities = std::fs::read(file).map_err(|error| unreadable(error.to_string()))?;
            let parsed = reqwest::Certificate::from_pem_bundle(&authorities);
            for authority in parsed.map_err(|error| unreadable(error.to_string()))? {
                http = http.add_root_certificate(authority);
            }
        }
        let http = http.build().map_err(|error| forbidden(format!("no TLS: {error}")))?;
        Ok(Self(Arc::new(Inner {
            config,
            base,
            http,
            authorities,
        })))
    }

    fn url(&self, path: &str, query: &[(&str, &str)]) -> Result<Url, ApiError> {
        let url = self.0.base.join(path);
        let mut url = url.map_err(|_| broken("the account names an address that is none"))?;
        if !query.is_empty() {
            url.query_pairs_mut().extend_pairs(query);
        }
        Ok(url)
    }

    /// Sends one request and reads its answer.
    async fn send(
        &self,
        method: Method,
        url: Url,
        token: Option<&SecretString>,
        body: Option<Bytes>,
    ) -> Result<Heard, Lost> {
        let mut request = self.0.http.request(method, url).header(ACCEPT, "application/snowflake");
        request = request.header(USER_AGENT, concat!("zenfloe/", env!("CARGO_PKG_VERSION")));
        if let Some(token) = token {
            let bearer = format!("Snowflake Token=\"{}\"", token.expose_secret());
            request = request.header(AUTHORIZATION, bearer);
        }
        if let Some(body) = body {
            request = request.header(CONTENT_TYPE, "application/json").body(body);
        }
        let reply = request.send().await.map_err(|error| lost(&error))?;
        let (status, headers) = (reply.status(), reply.headers().clone());
        let body = reply.bytes().await.map_err(|error| lost(&error))?;
        understand(status, &headers, &body)
    }

    /// The same until it is answered or patience ends.
    async fn insist(
        &self,
        what: &str,
        mut request: impl FnMut(u32) -> Result<(Method, Url, Option<Bytes>), ApiError>,
        token: Option<&SecretString>,
    ) -> Result<Heard, ApiError> {
        let deadline = Instant::now() + self.0.config.retry_timeout;
        for n in 0.. {
            let (method, url, body) = request(n)?;
            match self.send(method, url, token, body).await {
                Ok(heard) => return Ok(heard),
                Err(Lost::Refused(error)) => return Err(error),
                Err(Lost::Again { what: why, after }) => {
                    let wait = after.unwrap_or_else(|| pause(n + 1));
                    if Instant::now() + wait > deadline {
                        return Err(ApiError::Unavailable {
                            what: format!("{what}: {why}"),
                        });
                    }
                    tracing::debug!(what, why, "a request is sent again");
                    tokio::time::sleep(wait).await;
                }
            }
        }
        unreachable!("patience ends before numbers do")
    }

    fn sign_in_body(&self, proof: &Proof) -> Json {
        let Config {
            statement_timeout,
            lock_timeout,
            ..
        } = &self.0.config;
        let mut data = proof.fields.clone();
        let more = json!({
            "CLIENT_APP_ID": CLIENT.0,
            "CLIENT_APP_VERSION": CLIENT.1,
            "CLIENT_ENVIRONMENT": {"APPLICATION": "zenfloe", "OS": std::env::consts::OS, "OS_VERSION": "-"},
            "SESSION_PARAMETERS": {
                "AUTOCOMMIT": true,
                "TIMEZONE": "UTC",
                "TRANSACTION_ABORT_ON_ERROR": true,
                "ABORT_DETACHED_QUERY": true,
                "ERROR_ON_NONDETERMINISTIC_MERGE": true,
                "LOCK_TIMEOUT": lock_timeout.as_secs().max(1),
                "STATEMENT_TIMEOUT_IN_SECONDS": statement_timeout.as_secs().max(1),
                "QUERY_TAG": format!("{{\"app\":\"{APP}\"}}"),
            },
        });
        if let Json::Object(more) = more {
            data.extend(more);
        }
        json!({ "data": data })
    }
}

fn lost(error: &reqwest::Error) -> Lost {
    let mut what = String::from(if error.is_connect() {
        "the account is not reached"
    } else if error.is_timeout() {
        "the account did not answer in time"
    } else {
        "the connection to the account broke"
    });
    let mut source = std::error::Error::source(error);
    while let Some(cause) = source {
        what = format!("{what}: {cause}");
        source = cause.source();
    }
    Lost::Again { what, after: None }
}

/// Reads an answer. A server error that holds one is that answer; any other is the road's, not the account's.
fn understand(status: StatusCode, headers: &HeaderMap, body: &[u8]) -> Result<Heard, Lost> {
    let answer: Option<Answer> = serde_json::from_slice(body).ok();
    let date = headers.get(DATE).and_then(|date| date.to_str().ok());
    let date = date.and_then(|date| httpdate::parse_http_date(date).ok());
    match answer {
        Some(answer) if status.is_success() || !answer.code().is_empty() => Ok(Heard { answer, date }),
        _ if status.is_success() => Err(Lost::Refused(broken("the account's answer is not understood"))),
        _ if is_passing(status) => Err(Lost::Again {
            what: format!("HTTP {}", status.as_u16()),
            after: retry_after(headers),
        }),
        _ => Err(Lost::Refused(ApiError::Forbidden {
            what: format!(
                "HTTP {} instead of an answer; is `account` right, and may this machine reach it?",
                status.as_u16()
            ),
        })),
    }
}

fn is_passing(status: StatusCode) -> bool {
    status.is_server_error() || matches!(status.as_u16(), 408 | 429)
}

fn retry_after(headers: &HeaderMap) -> Option<Duration> {
    let seconds: u64 = headers.get(RETRY_AFTER)?.to_str().ok()?.parse().ok()?;
    Some(Duration::from_secs(seconds.min(60)))
}

/// A random id of the form that the protocol wants (RFC 9562, version 4).
pub(crate) fn unique() -> String {
    let mut bytes = [0; 16];
    getrandom::fill(&mut bytes).expect("the operating system gives random bytes");
    bytes[6] = bytes[6] & 0x0f | 0x40;
    bytes[8] = bytes[8] & 0x3f | 0x80;
    let hex = data_encoding::HEXLOWER.encode(&bytes);
    format!(
        "{}-{}-{}-{}-{}",
        &hex[..8],
        &hex[8..12],
        &hex[12..16],
        &hex[16..20],
        &hex[20..]
    )
}

fn millis() -> String {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    since.as_millis().to_string()
}

#[async_trait]
impl Driver for Account {
    async fn sign_in(&self) -> Result<Box<dyn Session>, LoadError> {
        let config = &self.0.config;
        let request_id = unique();
        let mut remedy = String::new();
        let heard = self
            .insist(
                "sign-in",
                |_| {
                    // A signed token is made anew for each attempt: patience may outlast it.
                    let proof = proof(config).map_err(|error| ApiError::Forbidden {
                        what: error.to_string(),
                    })?;
                    remedy.clone_from(&proof.remedy);
                    let guid = unique();
                    let (database, schema) = (config.database.as_str(), config.schema.to_ascii_uppercase());
                    let mut query = vec![
                        ("request_id", request_id.as_str()),
                        ("request_guid", guid.as_str()),
                        ("databaseName", database),
                        ("schemaName", schema.as_str()),
                    ];
                    query.extend(config.warehouse.as_deref().map(|name| ("warehouse", name)));
                    query.extend(config.role.as_deref().map(|name| ("roleName", name)));
                    let url = self.url("/session/v1/login-request", &query)?;
                    let body = self.sign_in_body(&proof).to_string();
                    Ok((Method::POST, url, Some(body.into())))
                },
                None,
            )
            .await?;
        let Heard { answer, date } = heard;
        if !answer.success {
            let skew = date.and_then(skew).unwrap_or_default();
            let (code, message) = (answer.code(), answer.message());
            let remedy = remedy_of_sign_in(&code).map_or(remedy, str::to_owned);
            return Err(forbidden(format!(
                "sign-in of `{}`: {message} ({code}); {remedy}{skew}",
                config.user
            )));
        }
        let signed: SignedIn = answer.data().ok_or_else(|| broken("a sign-in brought no session"))?;
        check_context(config, &signed.session_info)?;
        Ok(Box::new(HttpSession {
            account: self.clone(),
            token: signed.token.into(),
            master: signed.master_token.map(Into::into),
            sequence: 0,
        }))
    }
}

/// What a clock that is off has to do with a refusal.
fn skew(theirs: SystemTime) -> Option<String> {
    let ours = SystemTime::now();
    let off = ours
        .duration_since(theirs)
        .or_else(|_| theirs.duration_since(ours))
        .ok()?;
    let seconds = off.as_secs();
    (seconds > CLOCK_SKEW).then(|| format!("; this machine's clock is {seconds} s off the account's"))
}

/// The account signs in without what it does not find or grant: say which.
fn check_context(config: &Config, info: &Json) -> Result<(), LoadError> {
    let wanted = [
        ("databaseName", "database", Some(config.database.as_str())),
        ("schemaName", "schema", Some(config.schema.as_str())),
        ("warehouseName", "warehouse", config.warehouse.as_deref()),
        ("roleName", "role", config.role.as_deref()),
    ];
    for (key, name, wanted) in wanted {
        let Some(wanted) = wanted else { continue };
        if info.get(key).is_some_and(Json::is_null) {
            return Err(forbidden(format!(
                "{name} `{wanted}` does not exist, or `{}` may not use it; run the set-up SQL, or correct `{name}`",
                config.user
            )));
        }
    }
    Ok(())
}

struct HttpSession {
    account: Account,
    token: SecretString,
    master: Option<SecretString>,
    sequence: u64,
}

/// What is done about an answer that is not the last one.
enum Next {
    /// Ask at this address.
    Poll(String),
    /// Change the token and send the statement again.
    Renew,
}

impl HttpSession {
    /// Runs a statement and returns the answer that ends it.
    async fn ask(&mut self, statement: &Statement) -> Result<Answer, ApiError> {
        self.sequence += 1;
        let (request_id, started) = (unique(), millis());
        let body = Bytes::from(query_body(statement, self.sequence).to_string());
        let deadline = Instant::now() + self.account.0.config.statement_timeout + REQUEST_TIMEOUT;
        let mut answer = self.submit(&request_id, &started, &body).await;
        for n in 1.. {
            let next = match &answer {
                Ok(answer) if PENDING.contains(&answer.code().as_str()) => {
                    let address = answer.data::<Outcome>().and_then(|pending| pending.get_result_url);
                    Next::Poll(address.ok_or_else(|| broken("a pending statement has no address of its result"))?)
                }
                Ok(answer) if answer.code() == EXPIRED => Next::Renew,
                _ => break,
            };
            answer = match next {
                Next::Poll(_) if Instant::now() > deadline => Err(ApiError::Unavailable {
                    what: "a statement took longer than it may".into(),
                }),
                Next::Poll(address) => self.poll(&address, n).await,
                Next::Renew => {
                    self.renew().await?;
                    self.submit(&request_id, &started, &body).await
                }
            };
        }
        if matches!(answer, Err(ApiError::Unavailable { .. })) {
            self.abort(&request_id).await;
        }
        answer
    }

    async fn submit(&self, request_id: &str, started: &str, body: &Bytes) -> Result<Answer, ApiError> {
        let request = |n: u32| {
            let (guid, count) = (unique(), n.to_string());
            let mut query = vec![("requestId", request_id), ("request_guid", guid.as_str())];
            if n > 0 {
                query.extend([
                    ("clientStartTime", started),
                    ("retryCount", count.as_str()),
                    ("retryReason", "0"),
                ]);
            }
            let url = self.account.url("/queries/v1/query-request", &query)?;
            Ok((Method::POST, url, Some(body.clone())))
        };
        let heard = self.account.insist("statement", request, Some(&self.token)).await?;
        Ok(heard.answer)
    }

    /// Asks for the result of a statement that takes long.
    async fn poll(&mut self, path: &str, n: u32) -> Result<Answer, ApiError> {
        // The account itself holds the answer back while there is none.
        tokio::time::sleep(pause(n).min(Duration::from_millis(250))).await;
        let request = |_| Ok((Method::GET, self.account.url(path, &[])?, None));
        let heard = self.account.insist("result", request, Some(&self.token)).await?;
        if heard.answer.code() != EXPIRED {
            return Ok(heard.answer);
        }
        self.renew().await?;
        let request = |_| Ok((Method::GET, self.account.url(path, &[])?, None));
        let heard = self.account.insist("result", request, Some(&self.token)).await?;
        Ok(heard.answer)
    }

    /// Changes the expired token for a fresh one.
    async fn renew(&mut self) -> Result<(), ApiError> {
        let ended = |code: &str| ApiError::Ended { code: code.to_owned() };
        let master = self.master.clone().ok_or_else(|| ended(EXPIRED))?;
        let body = json!({"oldSessionToken": self.token.expose_secret(), "requestType": "RENEW"}).to_string();
        let request_id = unique();
        let request = |_| {
            let guid = unique();
            let query = [("requestId", request_id.as_str()), ("request_guid", guid.as_str())];
            let url = self.account.url("/session/token-request", &query)?;
            Ok((Method::POST, url, Some(Bytes::from(body.clone()))))
        };
        let answer = self.account.insist("renewal", request, Some(&master)).await?.answer;
        let renewed = answer.data::<Renewed>().filter(|_| answer.success);
        let renewed = renewed.ok_or_else(|| ended(&answer.code()))?;
        tracing::debug!("the session's token was renewed");
        self.token = renewed.session_token.into();
        if let Some(master) = renewed.master_token {
            self.master = Some(master.into());
        }
        Ok(())
    }

    /// Asks the account to cancel a statement that nobody waits for any more.
    async fn abort(&self, request_id: &str) {
        let guid = unique();
        let query = [("requestId", guid.as_str())];
        let body = json!({ "requestId": request_id }).to_string();
        self.courtesy("/queries/v1/abort-request", &query, body).await;
    }

    /// A request whose failure changes nothing.
    async fn courtesy(&self, path: &str, query: &[(&str, &str)], body: String) {
        let Ok(url) = self.account.url(path, query) else {
            return;
        };
        let sent = self
            .account
            .send(Method::POST, url, Some(&self.token), Some(body.into()));
        if tokio::time::timeout(COURTESY, sent).await.is_err() {
            tracing::debug!(path, "not answered");
        }
    }

    /// The whole result, further parts included.
    async fn rows(&self, outcome: Outcome) -> Result<Rows, ApiError> {
        let is_json = outcome.query_result_format.as_deref() == Some("json");
        let mut cells = match (outcome.rowset, outcome.rowset_base64) {
            (Some(rowset), _) => rows::of_json(rowset),
            (None, Some(text)) => rows::of_base64(&text)?,
            (None, None) => Vec::new(),
        };
        let headers = outcome.chunk_headers.unwrap_or_default();
        for chunk in outcome.chunks.unwrap_or_default() {
            let bytes = self.fetch(&chunk.url, &headers).await?;
            cells.extend(if is_json {
                chunk_of_json(&bytes)?
            } else {
                rows::of_arrow(&bytes)?
            });
        }
        Ok(Rows(cells))
    }

    async fn fetch(&self, url: &str, headers: &std::collections::BTreeMap<String, String>) -> Result<Bytes, ApiError> {
        let away = |error: reqwest::Error| ApiError::Unavailable {
            what: format!("a part of a result: {}", error.without_url()),
        };
        let mut request = self.account.0.http.get(url);
        for (name, value) in headers {
            request = request.header(name, value);
        }
        let reply = request.send().await.map_err(away)?.error_for_status().map_err(away)?;
        reply.bytes().await.map_err(away)
    }
}

/// A part of a JSON result is its rows without the outer brackets.
fn chunk_of_json(bytes: &[u8]) -> Result<Vec<Vec<rows::Cell>>, ApiError> {
    let whole = [b"[", bytes, b"]"].concat();
    let rows = serde_json::from_slice(&whole).map_err(|_| broken("a part of a result is not JSON"))?;
    Ok(rows::of_json(rows))
}

fn query_body(statement: &Statement, sequence: u64) -> Json {
    let bindings: serde_json::Map<String, Json> = statement
        .binds
        .iter()
        .enumerate()
        .map(|(index, value)| ((index + 1).to_string(), json!({"type": "TEXT", "value": value})))
        .collect();
    let mut body = json!({
        "sqlText": statement.sql,
        "sequenceId": sequence,
        "asyncExec": false,
        "describeOnly": false,
        "parameters": {"QUERY_TAG": statement.tag},
    });
    if !bindings.is_empty() {
        body["bindings"] = Json::Object(bindings);
    }
    body
}

#[async_trait]
impl Session for HttpSession {
    async fn run(&mut self, statement: &Statement) -> Result<Rows, ApiError> {
        let answer = self.ask(statement).await?;
        if !answer.success {
            return Err(refused(&answer.code(), answer.message()));
        }
        let outcome = answer.data::<Outcome>();
        self.rows(outcome.ok_or_else(|| broken("a statement's answer holds no result"))?)
            .await
    }

    async fn put(&mut self, file: &Path, place: &str, table: &str) -> Result<(), ApiError> {
        let file_name = file.display();
        let sql = format!("PUT 'file://{file_name}' {place} AUTO_COMPRESS=FALSE OVERWRITE=TRUE");
        let answer = self.ask(&Statement::new(table, sql)).await?;
        if !answer.success {
            return Err(refused(&answer.code(), answer.message()));
        }
        let outcome = answer.data::<Outcome>().unwrap_or_default();
        let info = outcome
            .stage_info
            .ok_or_else(|| broken("a PUT was not told where to"))?;
        let is_encrypted = outcome.encryption_material.is_some_and(|material| !material.is_null());
        if is_encrypted && info.is_client_side_encrypted != Some(false) {
            return Err(ApiError::Forbidden {
                what: "the stage wants files that the client encrypts; make it with ENCRYPTION=(TYPE='SNOWFLAKE_SSE')"
                    .into(),
            });
        }
        let account = &self.account.0;
        stage::upload(&account.http, &account.authorities, &info, file).await
    }

    async fn end(&mut self) {
        // Deleting the session does the same, but not before the account gets round to it.
        let (rollback, id) = (Statement::new("", "ROLLBACK"), unique());
        self.sequence += 1;
        let body = query_body(&rollback, self.sequence).to_string();
        self.courtesy("/queries/v1/query-request", &[("requestId", id.as_str())], body)
            .await;
        let guid = unique();
        let query = [("delete", "true"), ("requestId", guid.as_str())];
        self.courtesy("/session", &query, String::from("{}")).await;
    }
}
