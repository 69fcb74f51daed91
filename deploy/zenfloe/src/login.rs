//! `zenfloe login`: the browser goes to Zendesk, comes back to a port of this machine, and brings a code.

use std::collections::HashMap;
use std::fs::OpenOptions;
use std::io::{IsTerminal, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use axum::Router;
use axum::extract::{Query, State};
use axum::http::StatusCode;
use axum::routing::get;
use tokio::net::TcpListener;
use tokio::sync::oneshot;
use zenfloe_process::{ExitCode, Failure, stop_on_signal};
use zenfloe_record::SourceName;
use zenfloe_zendesk::{Auth, Clock, Login, LoginError, TokenPair};

use crate::args;
use crate::config::Config;

/// How long a person may take.
const PATIENCE: Duration = Duration::from_secs(600);

/// What the browser brought back.
type Brought = HashMap<String, String>;

/// Runs the command.
pub(crate) async fn login(command: &args::Login) -> Result<(), Failure> {
    let config = Config::load(&command.config.config)?;
    let (name, source) = config.source(command.source.as_deref())?;
    let Auth::OauthLogin { tokens, .. } = &source.zendesk.auth else {
        return Err(refused(&LoginError::OtherMethod));
    };
    let listener = listen(command.port).await?;
    let port = listener.local_addr().map_or(command.port, |address| address.port());
    let login = Login::new(&source.zendesk, &format!("http://localhost:{port}/callback"));
    let login = login.map_err(|error| refused(&error))?;
    println!("Open this address, as an admin of the account, and say yes:");
    println!("{}", login.address());
    if !command.no_browser && std::io::stdout().is_terminal() {
        open(login.address());
    }
    let stop = stop_on_signal().map_err(|error| Failure::from_error(ExitCode::Failed, &error))?;
    let brought = tokio::select! {
        brought = come_back(listener) => brought?,
        () = stop.cancelled() => return Err(Failure::new(ExitCode::Failed, "no login: stopped")),
        () = tokio::time::sleep(PATIENCE) => {
            return Err(Failure::new(ExitCode::Failed, "no login: nobody came back within ten minutes"));
        }
    };
    let part = |name: &str| brought.get(name).map(String::as_str).unwrap_or_default();
    if let Some(error) = brought.get("error") {
        let what = format!("no login: Zendesk said `{error}` {}", part("error_description"));
        return Err(Failure::new(ExitCode::Credentials, what));
    }
    let pair = login.finish(part("code"), part("state"), Clock::real().now()).await;
    let pair = pair.map_err(|error| refused(&error))?;
    match &command.manifest {
        Some(path) => write_manifest(path, name, &pair),
        None => write_tokens(tokens, &pair),
    }
}

fn refused(error: &LoginError) -> Failure {
    match error {
        LoginError::Config(_) => Failure::from_error(ExitCode::Configuration, error),
        LoginError::OtherMethod => Failure::from_error(ExitCode::Configuration, error)
            .remedy("`zenfloe init` shows it; for servers `method = \"oauth_client\"` needs no login"),
        LoginError::Foreign => Failure::from_error(ExitCode::Credentials, error).remedy("begin again"),
        LoginError::Refused(_) => Failure::from_error(ExitCode::Credentials, error).remedy(
            "check the OAuth client: its identifier, its secret, and that its redirect URLs have the address that was used",
        ),
    }
}

async fn listen(port: u16) -> Result<TcpListener, Failure> {
    let listener = TcpListener::bind(("127.0.0.1", port)).await;
    listener.map_err(|error| {
        Failure::new(ExitCode::Failed, format!("port {port} cannot be opened: {error}"))
            .remedy("name another one with --port, and add it to the redirect URLs of the OAuth client")
    })
}

/// Tries the ways to open a browser; without one the address has been printed.
fn open(address: &str) {
    for program in ["xdg-open", "open"] {
        let tried = Command::new(program)
            .arg(address)
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn();
        if tried.is_ok() {
            return;
        }
    }
}

/// Who waits for the browser; taken by the first answer.
type Waiting = Arc<Mutex<Option<oneshot::Sender<Brought>>>>;

/// Serves the one address that the browser comes back to.
async fn come_back(listener: TcpListener) -> Result<Brought, Failure> {
    let (to, from) = oneshot::channel();
    let waiting: Waiting = Arc::new(Mutex::new(Some(to)));
    let routes = Router::new().route("/callback", get(callback)).with_state(waiting);
    let failed = || {
        Failure::new(
            ExitCode::Failed,
            "the address for the browser's answer cannot be served",
        )
    };
    tokio::select! {
        brought = from => {
            // The answer to the browser is on its way.
            tokio::time::sleep(Duration::from_millis(200)).await;
            brought.map_err(|_| failed())
        }
        _ = async { axum::serve(listener, routes).await } => Err(failed()),
    }
}

async fn callback(State(waiting): State<Waiting>, Query(brought): Query<Brought>) -> (StatusCode, &'static str) {
    if !brought.contains_key("code") && !brought.contains_key("error") {
        return (StatusCode::BAD_REQUEST, "This is not an answer of Zendesk's.");
    }
    let to = waiting.lock().unwrap_or_else(PoisonError::into_inner).take();
    if let Some(to) = to {
        // Whoever waited may have stopped.
        let _ = to.send(brought);
    }
    (
        StatusCode::OK,
        "Thank you. The rest is said where zenfloe runs; this page may be closed.",
    )
}

fn write_tokens(path: &Path, pair: &TokenPair) -> Result<(), Failure> {
    pair.write(path).map_err(|error| {
        let what = format!("`{}` cannot be written: {error}", path.display());
        Failure::new(ExitCode::Failed, what).remedy("mend that and log in again: the tokens were not kept")
    })?;
    println!(
        "{}: written, readable by you alone. A running extractor takes it at its next start.",
        path.display()
    );
    Ok(())
}

/// A Secret whose key `tokens.json` is mounted as the token file.
fn manifest(source: &SourceName, pair: &TokenPair) -> String {
    let name = source.as_str().replace('_', "-");
    let tokens = String::from_utf8_lossy(&pair.encode()).replace('\'', "''");
    format!(
        "apiVersion: v1\nkind: Secret\nmetadata:\n  name: zenfloe-{name}-login\ntype: Opaque\nstringData:\n  \
         tokens.json: '{tokens}'\n"
    )
}

fn write_manifest(path: &Path, source: &SourceName, pair: &TokenPair) -> Result<(), Failure> {
    let text = manifest(source, pair);
    if path == Path::new("-") {
        print!("{text}");
        return Ok(());
    }
    let file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(path);
    let written = file.and_then(|mut file| file.write_all(text.as_bytes()));
    written.map_err(|error| {
        let what = format!("`{}` cannot be written: {error}", path.display());
        Failure::new(ExitCode::Failed, what).remedy("name a new file with --manifest and log in again")
    })?;
    println!(
        "{}: a Secret to apply; the extractor reads it as a seed and renews it in its state topic.",
        path.display()
    );
    Ok(())
}
