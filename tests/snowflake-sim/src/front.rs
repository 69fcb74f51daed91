//! The front: what a real account does and fakesnow does not.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::future::IntoFuture;
use std::io::Read;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::{DefaultBodyLimit, Path, Query, State};
use axum::http::{HeaderMap, Method, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::routing::{any, get, post};
use serde_json::{Value as Json, json};
use tokio::sync::OnceCell;
use tokio::task::JoinHandle;

use crate::auth::{self, User};
use crate::history::History;
use crate::objects::{self, Parts};
use crate::results::{self, Format};
use crate::script::{Fault, Script};
use crate::{Engine, parquet_text};

/// What the simulated account is.
#[derive(Debug, Clone, Default)]
pub struct Settings {
    /// The account's name, as signed tokens carry it.
    pub account: String,
    /// Who may sign in.
    pub users: Vec<User>,
    /// Names that exist: databases, schemas, warehouses and roles; empty means that every name does.
    pub names: HashSet<String>,
    /// In which form queries are answered.
    pub format: Format,
    /// Hands out uploads as S3 does, to the front's own objects, instead of the engine's way.
    pub has_s3_stage: bool,
    /// How long a transaction may stand still before it is taken back, with its session; a real account waits five
    /// minutes when somebody else wants the lock, and four hours otherwise.
    pub idle_transaction: Option<Duration>,
    /// The port to listen on; 0 takes a free one.
    pub port: u16,
}

/// A running front; it ends with its handle.
#[derive(Debug)]
pub struct Front {
    address: SocketAddr,
    account: Arc<Account>,
    server: JoinHandle<()>,
}

#[derive(Debug)]
struct Account {
    settings: Settings,
    engine: String,
    own: String,
    http: reqwest::Client,
    script: Script,
    held: Mutex<Held>,
    parts: Parts,
}

#[derive(Debug, Default)]
struct Held {
    /// By their present token.
    sessions: HashMap<String, Arc<Session>>,
    /// Answers by request id: a repeated request runs nothing.
    answers: HashMap<String, Arc<OnceCell<Json>>>,
    /// Statements that are answered "not yet", by their id.
    pending: HashMap<String, (u32, Arc<OnceCell<Json>>)>,
    chunks: HashMap<String, Vec<u8>>,
    /// Where an object goes in the engine, by its key.
    uploads: HashMap<String, String>,
    /// Objects that hold the poison, by their file name.
    poisoned: HashSet<String>,
    poison: Option<String>,
    statements: Vec<String>,
    history: History,
    asked: u64,
    repeated: u32,
}

#[derive(Debug)]
struct Session {
    id: u64,
    engine_token: String,
    master: String,
    is_expired: AtomicBool,
    /// Since when its transaction stands still.
    idle: Mutex<Option<Instant>>,
}

impl Session {
    /// Notes what a statement means to the transaction: `None` when it has none.
    fn note(&self, sql: &str) {
        let mut idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner);
        let is = |word: &str| sql.starts_with(word);
        *idle = match *idle {
            _ if is("BEGIN") => Some(Instant::now()),
            _ if is("COMMIT") || is("ROLLBACK") => None,
            held => held.map(|_| Instant::now()),
        };
    }

    fn is_idle_for(&self, longest: Duration) -> bool {
        let idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner);
        idle.is_some_and(|since| since.elapsed() > longest)
    }
}

impl Front {
    /// Starts it before an engine.
    pub async fn start(engine: &Engine, settings: Settings) -> Result<Self> {
        let listener = tokio::net::TcpListener::bind((Ipv4Addr::LOCALHOST, settings.port)).await;
        let listener = listener.context("binding a port")?;
        let address = listener.local_addr()?;
        let account = Arc::new(Account {
            settings,
            engine: engine.url().to_owned(),
            own: format!("http://{address}"),
            http: crate::http_client()?,
            script: Script::default(),
            held: Mutex::default(),
            parts: Parts::default(),
        });
        let router = Router::new()
            .route("/session/v1/login-request", post(login))
            .route("/session/token-request", post(renew))
            .route("/session", post(session))
            .route("/session/heartbeat", post(session))
            .route("/queries/v1/query-request", post(query))
            .route("/queries/v1/abort-request", post(abort))
            .route("/queries/{id}/result", get(result))
            .route("/chunks/{id}", get(chunk))
            .route(&format!("/{}/{{*key}}", objects::BUCKET), any(object))
            .layer(DefaultBodyLimit::disable())
            .with_state(account.clone());
        let watched = account.clone();
        let server = tokio::spawn(async move {
            tokio::select! {
                served = axum::serve(listener, router).into_future() => served.expect("a bound listener serves"),
                () = watched.take_back() => {}
            }
        });
        Ok(Self {
            address,
            account,
            server,
        })
    }

    /// Where it answers, `http://127.0.0.1:port`.
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Lets `after` statements that contain `part` pass, then fails `times` of them.
    ///
    /// `LOGIN`, `RENEW`, `RESULT` and `UPLOAD` stand for requests that are no statements.
    pub fn fail(&self, part: &str, fault: Fault, after: u32, times: u32) {
        self.account.script.add(part, fault, after, times);
    }

    /// Refuses every row that holds this text, as a value that does not fit its column is refused.
    pub fn poison(&self, text: Option<&str>) {
        self.account.held().poison = text.map(str::to_owned);
    }

    /// The statements that were run since the last call.
    pub fn take_statements(&self) -> Vec<String> {
        std::mem::take(&mut self.account.held().statements)
    }

    /// How many statements were asked for, whatever became of them.
    pub fn asked(&self) -> u64 {
        self.account.held().asked
    }

    /// How many requests came again and were answered from memory.
    pub fn repeated(&self) -> u32 {
        self.account.held().repeated
    }
}

impl Drop for Front {
    fn drop(&mut self) {
        self.server.abort();
    }
}

type Shared = State<Arc<Account>>;
type Params = Query<BTreeMap<String, String>>;

fn refusal(code: &str, message: &str) -> Json {
    json!({"data": {"errorCode": code, "sqlState": "00000"}, "code": code, "message": message, "success": false})
}

fn answer(body: &Json) -> Response {
    ([("content-type", "application/json")], body.to_string()).into_response()
}

/// An answer whose connection ends before its body.
fn broken() -> Response {
    let cut = futures::stream::once(async { Err::<Bytes, _>(std::io::Error::other("cut by the script")) });
    Response::new(Body::from_stream(cut))
}

/// What a fault does instead of an answer; `None` when the statement has to run all the same.
async fn fail(fault: &Fault) -> Option<Response> {
    match fault {
        Fault::Status(status, after) => {
            let status = StatusCode::from_u16(*status).expect("a test names a status");
            let after: Vec<_> = after
                .iter()
                .map(|seconds| ("retry-after", seconds.to_string()))
                .collect();
            let mut response = (status, "the script says so").into_response();
            for (name, value) in after {
                response.headers_mut().insert(name, value.parse().expect("digits"));
            }
            Some(response)
        }
        Fault::Silence(time) => {
            tokio::time::sleep(*time).await;
            Some(broken())
        }
        Fault::Refused(code, message) => Some(answer(&refusal(code, message))),
        Fault::LostReply | Fault::Slow(_) | Fault::Expired | Fault::Gone => None,
    }
}

/// The body as JSON; drivers pack it.
fn parse(headers: &HeaderMap, body: &Bytes) -> Option<Json> {
    let is_packed = headers
        .get("content-encoding")
        .is_some_and(|encoding| encoding == "gzip");
    if !is_packed {
        return serde_json::from_slice(body).ok();
    }
    let mut plain = Vec::new();
    flate2::read::GzDecoder::new(body.as_ref())
        .read_to_end(&mut plain)
        .ok()?;
    serde_json::from_slice(&plain).ok()
}

/// The token between the quotes of `Snowflake Token="…"`.
fn token(headers: &HeaderMap) -> Option<String> {
    let held = headers.get("authorization")?.to_str().ok()?;
    let token = held.strip_prefix("Snowflake Token=\"")?.strip_suffix('"')?;
    Some(token.to_owned())
}

fn random() -> String {
    format!("{:032x}", fastrand::u128(..))
}

impl Account {
    fn held(&self) -> MutexGuard<'_, Held> {
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn session(&self, headers: &HeaderMap) -> Option<(String, Arc<Session>)> {
        let token = token(headers)?;
        let session = self.held().sessions.get(&token).cloned()?;
        Some((token, session))
    }

    /// Sends a request to the engine.
    async fn forward(&self, path: &str, query: &str, engine_token: Option<&str>, body: &Json) -> Json {
        let mut request = self.http.post(format!("{}{path}?{query}", self.engine)).json(body);
        if let Some(token) = engine_token {
            request = request.header("Authorization", format!("Snowflake Token=\"{token}\""));
        }
        match request.send().await {
            Ok(reply) => reply
                .json()
                .await
                .unwrap_or_else(|_| refusal("261000", "the engine failed")),
            Err(_) => refusal("261000", "the engine is away"),
        }
    }

    /// What exists of the names that a session asks for.
    fn context(&self, query: &BTreeMap<String, String>) -> Json {
        let names = &self.settings.names;
        let known = |key: &str| {
            let name = query.get(key).map(|name| name.to_ascii_uppercase());
            name.filter(|name| names.is_empty() || names.contains(name))
        };
        json!({
            "databaseName": known("databaseName"),
            "schemaName": known("schemaName"),
            "warehouseName": known("warehouse"),
            "roleName": known("roleName"),
        })
    }

    /// Runs a statement once and keeps its answer.
    async fn run(&self, session: &Session, body: &Json) -> Json {
        let sql = body["sqlText"].as_str().unwrap_or_default();
        if self.is_poisoned(sql, body) {
            return refusal("100038", "Numeric value 'poison' is not recognized");
        }
        self.held().statements.push(sql.to_owned());
        session.note(sql);
        if History::is_asked(sql) {
            return self.held().history.answer();
        }
        let begun = Instant::now();
        let mut outcome = self
            .forward(
                "/queries/v1/query-request",
                "requestId=front",
                Some(&session.engine_token),
                body,
            )
            .await;
        self.held().history.note(body, begun.elapsed());
        if self.settings.has_s3_stage && !outcome["data"]["stageInfo"].is_null() {
            self.hand_out_s3(&mut outcome);
        }
        outcome
    }

    fn is_poisoned(&self, sql: &str, body: &Json) -> bool {
        let held = self.held();
        let Some(poison) = held.poison.as_deref() else {
            return false;
        };
        let is_bound = sql.starts_with("INSERT") && body["bindings"].to_string().contains(poison);
        let is_copied = sql.starts_with("COPY") && held.poisoned.iter().any(|file| sql.contains(file.as_str()));
        is_bound || is_copied
    }

    /// Replaces the engine's address of an upload by one in the front's own bucket.
    fn hand_out_s3(&self, outcome: &mut Json) {
        let info = &mut outcome["data"]["stageInfo"];
        let address = info["presignedUrl"].as_str().unwrap_or_default().to_owned();
        let key = address.split_once("/fs_bucket/").map_or("", |(_, key)| key).to_owned();
        let folder = key.rsplit_once('/').map_or("", |(folder, _)| folder);
        *info = json!({
            "locationType": "S3",
            "location": format!("{}/{folder}/", objects::BUCKET),
            "region": "us-west-2",
            "endPoint": self.own,
            "isClientSideEncrypted": false,
            "creds": {
                "AWS_KEY_ID": objects::KEY_ID, "AWS_SECRET_KEY": objects::SECRET, "AWS_TOKEN": objects::TOKEN,
            },
        });
        self.held().uploads.insert(key, address);
    }

    /// An answer in the form that the settings ask for.
    fn present(&self, kept: &Json) -> Response {
        let mut body = kept.clone();
        match self.settings.format {
            Format::Arrow => {}
            Format::Json => {
                if let Err(error) = results::to_json(&mut body) {
                    body = refusal("390999", &error.to_string());
                }
            }
            Format::ArrowChunks => {
                let id = random();
                if let Some(bytes) = results::to_chunk(&mut body, &format!("{}/chunks/{id}", self.own)) {
                    self.held().chunks.insert(id, bytes);
                }
            }
        }
        answer(&body)
    }

    /// Takes transactions back that stand still.
    async fn take_back(&self) {
        let Some(longest) = self.settings.idle_transaction else {
            return std::future::pending().await;
        };
        loop {
            tokio::time::sleep(longest / 10).await;
            let idle: Vec<String> = {
                let held = self.held();
                let idle = held.sessions.iter().filter(|(_, session)| session.is_idle_for(longest));
                idle.map(|(token, _)| token.clone()).collect()
            };
            for token in idle {
                self.end(&token).await;
            }
        }
    }

    async fn end(&self, token: &str) {
        let session = self.held().sessions.remove(token);
        if let Some(session) = session {
            let rollback = json!({"sqlText": "ROLLBACK"});
            self.forward(
                "/queries/v1/query-request",
                "requestId=end",
                Some(&session.engine_token),
                &rollback,
            )
            .await;
            self.forward("/session", "delete=true", Some(&session.engine_token), &json!({}))
                .await;
        }
    }
}

async fn login(State(account): Shared, Query(query): Params, headers: HeaderMap, body: Bytes) -> Response {
    if let Some(failed) = match account.script.take("LOGIN") {
        Some(fault) => fail(&fault).await,
        None => None,
    } {
        return failed;
    }
    let Some(body) = parse(&headers, &body) else {
        return StatusCode::BAD_REQUEST.into_response();
    };
    let data = &body["data"];
    let settings = &account.settings;
    if data["ACCOUNT_NAME"].as_str().map(str::to_ascii_uppercase) != Some(settings.account.to_ascii_uppercase()) {
        return answer(&refusal("390201", "the account is not this one"));
    }
    if let Err((code, why)) = auth::check(&settings.account, &settings.users, data) {
        return answer(&refusal(code, &why));
    }
    let context: Vec<String> = ["databaseName", "schemaName"]
        .iter()
        .filter_map(|key| query.get(*key).map(|name| format!("{key}={name}")))
        .collect();
    let parameters = data["SESSION_PARAMETERS"].clone();
    let parameters = if parameters.is_null() { json!({}) } else { parameters };
    let signed = json!({"data": {"SESSION_PARAMETERS": parameters}});
    let mut outcome = account
        .forward("/session/v1/login-request", &context.join("&"), None, &signed)
        .await;
    let Some(engine_token) = outcome["data"]["token"].as_str().map(str::to_owned) else {
        return answer(&outcome);
    };
    let (token, master) = (random(), random());
    let data = &mut outcome["data"];
    data["token"] = json!(token);
    data["masterToken"] = json!(master);
    data["validityInSeconds"] = json!(3_600);
    data["masterValidityInSeconds"] = json!(14_400);
    data["sessionInfo"] = account.context(&query);
    let id = fastrand::u64(1..1 << 53);
    data["sessionId"] = json!(id);
    let session = Session {
        id,
        engine_token,
        master,
        is_expired: AtomicBool::new(false),
        idle: Mutex::default(),
    };
    account.held().sessions.insert(token, Arc::new(session));
    answer(&outcome)
}

async fn renew(State(account): Shared, headers: HeaderMap, body: Bytes) -> Response {
    if let Some(fault) = account.script.take("RENEW") {
        if let Some(failed) = fail(&fault).await {
            return failed;
        }
        // What cannot be renewed has ended, with its transaction.
        let old = parse(&headers, &body).and_then(|body| body["oldSessionToken"].as_str().map(str::to_owned));
        account.end(&old.unwrap_or_default()).await;
        return answer(&refusal(
            "390114",
            "Authentication token has expired. The user must authenticate again.",
        ));
    }
    let old = parse(&headers, &body).and_then(|body| body["oldSessionToken"].as_str().map(str::to_owned));
    let mut held = account.held();
    let session = old.as_ref().and_then(|old| held.sessions.get(old).cloned());
    let Some(session) = session.filter(|session| Some(&session.master) == token(&headers).as_ref()) else {
        return answer(&refusal(
            "390104",
            "Session no longer exists. New login required to access the service.",
        ));
    };
    let fresh = random();
    session.is_expired.store(false, Ordering::Relaxed);
    held.sessions.remove(&old.unwrap_or_default());
    held.sessions.insert(fresh.clone(), session.clone());
    answer(&json!({
        "data": {
            "sessionToken": fresh, "validityInSecondsST": 3_600,
            "masterToken": session.master, "validityInSecondsMT": 14_400,
            "sessionId": session.id,
        },
        "success": true,
    }))
}

async fn session(State(account): Shared, Query(query): Params, headers: HeaderMap) -> Response {
    let Some((token, _)) = account.session(&headers) else {
        return answer(&refusal(
            "390104",
            "Session no longer exists. New login required to access the service.",
        ));
    };
    if query.contains_key("delete") {
        account.end(&token).await;
    }
    answer(&json!({"data": null, "success": true}))
}

async fn abort() -> Response {
    answer(&json!({"data": null, "success": true}))
}

async fn query(State(account): Shared, Query(query): Params, headers: HeaderMap, body: Bytes) -> Response {
    let Some((token, session)) = account.session(&headers) else {
        return answer(&refusal(
            "390104",
            "Session no longer exists. New login required to access the service.",
        ));
    };
    let (Some(body), Some(request_id)) = (parse(&headers, &body), query.get("requestId").cloned()) else {
        return StatusCode::BAD_REQUEST.into_response();
    };
    account.held().asked += 1;
    let fault = account.script.take(body["sqlText"].as_str().unwrap_or_default());
    match &fault {
        Some(Fault::Gone) => {
            account.end(&token).await;
            return answer(&refusal(
                "390104",
                "Session no longer exists. New login required to access the service.",
            ));
        }
        Some(Fault::Expired) => session.is_expired.store(true, Ordering::Relaxed),
        Some(fault) => {
            if let Some(failed) = fail(fault).await {
                return failed;
            }
        }
        None => {}
    }
    if session.is_expired.load(Ordering::Relaxed) {
        return answer(&refusal("390112", "Your session has expired. Please login again."));
    }
    let cell = {
        let mut held = account.held();
        let cell = held.answers.entry(request_id.clone()).or_default().clone();
        held.repeated += u32::from(cell.initialized());
        cell
    };
    let kept = cell.get_or_init(|| account.run(&session, &body)).await.clone();
    match fault {
        Some(Fault::LostReply) => broken(),
        Some(Fault::Slow(polls)) => {
            account.held().pending.insert(request_id.clone(), (polls, cell));
            answer(&not_yet(&request_id))
        }
        _ => account.present(&kept),
    }
}

fn not_yet(id: &str) -> Json {
    json!({
        "data": {"queryId": id, "getResultUrl": format!("/queries/{id}/result")},
        "code": "333334", "message": "Query execution in progress.", "success": true,
    })
}

async fn result(State(account): Shared, Path(id): Path<String>, headers: HeaderMap) -> Response {
    let Some((_, session)) = account.session(&headers) else {
        return answer(&refusal(
            "390104",
            "Session no longer exists. New login required to access the service.",
        ));
    };
    match account.script.take("RESULT") {
        Some(Fault::Expired) => session.is_expired.store(true, Ordering::Relaxed),
        Some(fault) => {
            if let Some(failed) = fail(&fault).await {
                return failed;
            }
        }
        None => {}
    }
    if session.is_expired.load(Ordering::Relaxed) {
        return answer(&refusal("390112", "Your session has expired. Please login again."));
    }
    let kept = {
        let mut held = account.held();
        match held.pending.get_mut(&id) {
            Some((left, _)) if *left > 0 => {
                *left -= 1;
                None
            }
            Some((_, cell)) => cell.get().cloned(),
            None => Some(refusal("000709", "Statement not found")),
        }
    };
    kept.map_or_else(|| answer(&not_yet(&id)), |kept| account.present(&kept))
}

async fn chunk(State(account): Shared, Path(id): Path<String>, headers: HeaderMap) -> Response {
    if !headers.contains_key("x-of-the-front") {
        return StatusCode::FORBIDDEN.into_response();
    }
    match account.held().chunks.get(&id) {
        Some(bytes) => bytes.clone().into_response(),
        None => StatusCode::NOT_FOUND.into_response(),
    }
}

async fn object(
    State(account): Shared,
    method: Method,
    Path(key): Path<String>,
    Query(query): Params,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    if let Some(fault) = account.script.take("UPLOAD")
        && let Some(failed) = fail(&fault).await
    {
        return failed;
    }
    if !objects::is_signed(&headers) {
        return (StatusCode::FORBIDDEN, "<Error><Code>AccessDenied</Code></Error>").into_response();
    }
    match account.parts.take(&method, &query, body) {
        objects::Request::Answered(response) => response,
        objects::Request::Complete(bytes, response) => {
            let poison = account.held().poison.clone();
            if poison.is_some_and(|poison| parquet_text::contains(&bytes, &poison)) {
                let file = key.rsplit('/').next().unwrap_or_default().to_owned();
                account.held().poisoned.insert(file);
            } else {
                let file = key.rsplit('/').next().unwrap_or_default();
                account.held().poisoned.remove(file);
            }
            let Some(address) = account.held().uploads.get(&key).cloned() else {
                return StatusCode::FORBIDDEN.into_response();
            };
            match account.http.put(address).body(bytes).send().await {
                Ok(reply) if reply.status().is_success() => response,
                _ => StatusCode::INTERNAL_SERVER_ERROR.into_response(),
            }
        }
    }
}
