//! An account behind a server, in this process.

use std::io;
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError, mpsc};
use std::time::{Duration, Instant};

use thiserror::Error;
use tokio::runtime::Runtime;
use tokio::sync::oneshot;

use crate::account::Account;
use crate::directory::Canary;
use crate::ids::mix;
use crate::model::Collection;
use crate::op::{Op, OpError};
use crate::random::Traffic;
use crate::saved::{Journal, SavedError};
use crate::server::auth::{Credentials, Gate};
use crate::server::bucket::{Bucket, Buckets, Limits};
use crate::server::fault::{Fault, Faults};
use crate::server::ledger::{Ledger, ServedSlas, ServedState, ServedVersion};
use crate::server::log::LoggedRequest;
use crate::server::refusal::Refusal;
use crate::server::{Parts, Settings, Shared, serve};
use crate::spec::AccountSpec;
use crate::truth::Records;

/// How a simulator begins.
#[derive(Debug, Clone)]
pub struct SimConfig {
    /// The account; not heeded where `state` names a saved one.
    pub spec: AccountSpec,
    /// The rate limits.
    pub limits: Limits,
    /// Who may ask.
    pub credentials: Credentials,
    /// The first requests' faults.
    pub faults: Vec<Fault>,
    /// What the account does not have.
    pub refusals: Vec<Refusal>,
    /// Random changes in a second of real time; 0 for none.
    pub change_rate: f64,
    /// The port on the loopback; 0 for any free one.
    pub port: u16,
    /// Where the account is kept: a simulator that finds it there goes on with it.
    pub state: Option<PathBuf>,
    /// Time exports cut a page inside a second without expanding it, as older servers do.
    pub legacy_stall: bool,
    /// Ticket exports heed `include=slas`; some accounts do so on `tickets/show_many` alone.
    pub exports_slas: bool,
    /// Remember what was served; costs some 60 bytes per version.
    pub keeps_ledger: bool,
}

impl Default for SimConfig {
    fn default() -> Self {
        Self {
            spec: AccountSpec::default(),
            limits: Limits::none(),
            credentials: Credentials::default(),
            faults: Vec::new(),
            refusals: Vec::new(),
            change_rate: 0.0,
            port: 0,
            state: None,
            legacy_stall: false,
            exports_slas: true,
            keeps_ledger: true,
        }
    }
}

/// Why a simulator does not start.
#[derive(Debug, Error)]
pub enum SimError {
    /// The port is taken, or no thread can be had.
    #[error("cannot listen on port {port} of the loopback")]
    Listen {
        /// The port.
        port: u16,
        /// Why.
        source: io::Error,
    },
    /// The account's file cannot be used.
    #[error("the account cannot be kept")]
    State(#[from] SavedError),
}

/// A running simulator; it ends when it is dropped.
pub struct Simulator {
    shared: Arc<Shared>,
    url: String,
    runtime: Option<Runtime>,
    /// Ends the serving when it is dropped.
    stop: Option<oneshot::Sender<()>>,
    /// Tells when the port is free again; in a mutex, so that threads can share the simulator.
    stopped: Mutex<mpsc::Receiver<()>>,
}

/// Closing the port takes no longer.
const LONGEST_STOP: Duration = Duration::from_secs(5);
/// Changes are made in steps of this.
const STEP: Duration = Duration::from_millis(50);

impl Simulator {
    /// Makes the account and serves it from threads of its own.
    pub fn start(config: SimConfig) -> Result<Self, SimError> {
        let failed = |source| SimError::Listen {
            port: config.port,
            source,
        };
        let listener = listen(config.port).map_err(failed)?;
        let address = listener.local_addr().map_err(failed)?;
        let runtime = runtime().map_err(failed)?;
        let shared = Arc::new(shared(config.clone())?);
        let listener = {
            let _inside = runtime.enter();
            tokio::net::TcpListener::from_std(listener).map_err(failed)?
        };
        let (stop, stopping) = oneshot::channel();
        let (ended, stopped) = mpsc::channel();
        let serving = serve(listener, shared.clone());
        runtime.spawn(async move {
            tokio::select! {
                _ = serving => {}
                _ = stopping => {}
            }
            // Whoever waited no longer is not interested.
            let _ = ended.send(());
        });
        runtime.spawn(keep_changing(shared.clone()));
        Ok(Self {
            shared,
            url: format!("http://{address}"),
            runtime: Some(runtime),
            stop: Some(stop),
            stopped: Mutex::new(stopped),
        })
    }

    /// The base address, without a slash at its end.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// Ends it: connections close, the port is free, the account is gone unless it is kept in a file.
    pub fn stop(self) {}

    /// Looks at the account.
    ///
    /// Contract: `look` does not call the simulator.
    pub fn with_account<R>(&self, look: impl FnOnce(&Account) -> R) -> R {
        look(&self.shared.read())
    }

    /// Makes a change now; returns the id of the record that it made or changed.
    pub fn apply(&self, op: Op) -> Result<i64, OpError> {
        self.shared.apply(op)
    }

    /// Makes `n` random changes now; returns them.
    pub fn apply_random(&self, n: usize, seed: u64) -> Vec<Op> {
        self.shared.apply_random(n, seed)
    }

    /// Changes the account at random, so often in a second of real time; 0 stops it. A change that is being
    /// made is finished before this returns.
    pub fn set_change_rate(&self, per_second: f64) {
        self.shared.traffic().per_second = per_second;
    }

    /// Moves a manual clock on; returns false where the clock runs by itself.
    pub fn advance(&self, by: Duration) -> bool {
        self.shared.clock.advance(by)
    }

    /// Lists every personal value of everyone.
    pub fn directory(&self) -> Vec<Canary> {
        self.shared.read().directory()
    }

    /// The latest state of every record, with those that have disappeared silently.
    pub fn records(&self, collection: Collection) -> Records {
        Records::new(self.shared.clone(), collection)
    }

    /// Every (id, version) that an export of tickets, users or organizations has served.
    pub fn served_versions(&self, collection: Collection) -> Vec<ServedVersion> {
        self.shared.ledger().versions(collection)
    }

    /// Every state of every row that a list has served.
    pub fn served_states(&self, collection: Collection) -> Vec<ServedState> {
        self.shared.ledger().states(collection)
    }

    /// The SLA clocks of every ticket as they were served with its newest version: once for each time, in order. They
    /// move without any change of the ticket, so that a page that is asked for twice may tell two things.
    pub fn served_slas(&self) -> Vec<ServedSlas> {
        self.shared.served_slas()
    }

    /// Every request since the beginning, or since [`Simulator::clear_requests`].
    pub fn requests(&self) -> Vec<LoggedRequest> {
        self.shared.log().clone()
    }

    /// Forgets the requests so far.
    pub fn clear_requests(&self) {
        self.shared.log().clear();
    }

    /// Spoils requests to come.
    pub fn add_fault(&self, fault: Fault) {
        self.shared.faults().add(fault);
    }

    /// Faults that have not worn out yet.
    pub fn faults(&self) -> Vec<Fault> {
        self.shared.faults().ahead().to_vec()
    }

    /// Spoils nothing more.
    pub fn clear_faults(&self) {
        self.shared.faults().clear();
    }

    /// Counts requests of the account's other integrations.
    pub fn consume(&self, bucket: Bucket, requests: u32) {
        self.shared
            .buckets()
            .use_up(bucket, requests, self.shared.clock.now_ms());
    }

    /// Makes all access tokens invalid at once.
    pub fn revoke_access_tokens(&self) {
        self.shared.gate().revoke();
    }

    /// Writes specification, anchor and script.
    pub fn save(&self, path: &Path) -> Result<(), SavedError> {
        self.shared.read().save(path)
    }
}

impl Drop for Simulator {
    fn drop(&mut self) {
        drop(self.stop.take());
        let stopped = self.stopped.get_mut().unwrap_or_else(PoisonError::into_inner);
        let _ = stopped.recv_timeout(LONGEST_STOP);
        if let Some(runtime) = self.runtime.take() {
            // Waiting for the rest is not allowed where this may be dropped, in asynchronous tests.
            runtime.shutdown_background();
        }
    }
}

fn listen(port: u16) -> io::Result<TcpListener> {
    let listener = TcpListener::bind(SocketAddr::from((Ipv4Addr::LOCALHOST, port)))?;
    listener.set_nonblocking(true)?;
    Ok(listener)
}

fn runtime() -> io::Result<Runtime> {
    tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .thread_name("zendesk-sim")
        .enable_all()
        .build()
}

fn shared(config: SimConfig) -> Result<Shared, SavedError> {
    let account = match &config.state {
        Some(path) if path.exists() => Account::load(path)?,
        _ => Account::seeded(config.spec),
    };
    let journal = config.state.map(|path| Journal::begin(&account, &path)).transpose()?;
    let seed = mix(account.seed());
    Ok(Shared::new(Parts {
        account,
        journal,
        ledger: Ledger::new(config.keeps_ledger),
        gate: Gate::new(config.credentials),
        buckets: Buckets::new(config.limits),
        faults: Faults::new(config.faults),
        traffic: Traffic {
            per_second: config.change_rate,
            seed,
        },
        settings: Settings {
            refusals: config.refusals,
            legacy_stall: config.legacy_stall,
            exports_slas: config.exports_slas,
        },
    }))
}

/// Makes random changes at the rate of the moment.
async fn keep_changing(shared: Arc<Shared>) {
    let mut due = 0.0;
    let mut last = Instant::now();
    loop {
        tokio::time::sleep(STEP).await;
        let elapsed = last.elapsed().as_secs_f64();
        last = Instant::now();
        let shared = shared.clone();
        let changed = tokio::task::spawn_blocking(move || shared.change_at_rate(due, elapsed)).await;
        due = changed.unwrap_or_default();
    }
}

impl Shared {
    /// Makes the changes that are due by now; returns what is left over, below 1.
    fn change_at_rate(&self, due: f64, elapsed: f64) -> f64 {
        // Held to the end: whoever stops the changes waits for the last one.
        let traffic = self.traffic();
        let due = due + traffic.per_second * elapsed;
        if traffic.per_second <= 0.0 {
            return 0.0;
        }
        for _ in 0..due as u64 {
            // The same seed makes the same changes, however they fall into steps.
            let number = self.read().script().len() as u64;
            self.apply_random(1, mix(traffic.seed ^ number));
        }
        due.fract()
    }

    /// The SLA clocks as they were last served, made again from the tickets that have not changed since.
    pub(crate) fn served_slas(&self) -> Vec<ServedSlas> {
        let account = self.read();
        let served = self.ledger().slas();
        let slas = |(id, version, served_at): (i64, i64, i64)| {
            let mut json = Vec::new();
            let is_same = account.version(Collection::Tickets, id) == Some(version);
            let is_there = is_same && account.write_slas(&mut json, id, served_at);
            ServedSlas {
                id,
                version,
                served_at,
                json: is_there.then(|| String::from_utf8(json).expect("JSON is text")),
            }
        };
        served.into_iter().map(slas).collect()
    }
}
