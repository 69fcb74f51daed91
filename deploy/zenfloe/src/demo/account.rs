//! The simulated account of the demo.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use zendesk_sim::{AccountSpec, Clock, Collection, Credentials, Limits, SimConfig, Simulator, Truth};
use zenfloe_oracle::scan::Canary;
use zenfloe_process::{ExitCode, Failure};

use super::Files;
use crate::args::Demo;

/// A simulator that keeps its account in the demo's folder.
pub(crate) struct DemoAccount {
    simulator: Simulator,
    credentials: Credentials,
    changes: usize,
    /// What all passes so far have shown.
    shown: Shown,
    shown_file: PathBuf,
    /// The SLA clocks of each ticket as they were last served: they move without any change of the ticket, and
    /// the simulator forgets with its process what it served.
    clocks: PathBuf,
    /// The account's time as it was shown last.
    time: PathBuf,
}

/// An SLA sideload and the ticket's version with which it was served.
type Served = (i64, Value);

/// What passes have shown, as the demo's folder keeps it.
#[derive(Default, Serialize, Deserialize)]
struct Shown {
    /// The highest id of each collection at the end of the last pass.
    newest: BTreeMap<String, i64>,
    /// Rows of each collection that were made and removed between two passes: nobody could see them.
    unseen: BTreeMap<String, BTreeSet<i64>>,
}

impl Shown {
    /// Notes what a pass that has ended could see of a collection.
    fn note(&mut self, collection: &str, rows: impl Iterator<Item = Truth>) {
        let before = self.newest.get(collection).copied().unwrap_or(0);
        let mut newest = before;
        for row in rows {
            newest = newest.max(row.id);
            if row.is_removed && row.id > before {
                self.unseen.entry(collection.to_owned()).or_default().insert(row.id);
            }
        }
        self.newest.insert(collection.to_owned(), newest);
    }
}

/// Events of side conversations settle last, within five minutes.
const SETTLES: Duration = Duration::from_secs(370);
/// Far more than the demo asks for; told in headers, as Zendesk does.
const REQUESTS_A_MINUTE: u32 = 100_000;

impl DemoAccount {
    /// Makes the account, or goes on with it and changes one ticket in fifty and whatever else changes with them.
    pub(crate) fn open(command: &Demo, files: &Files<'_>, is_first: bool) -> Result<Self, Failure> {
        let credentials = Credentials::default();
        let state = files.at("account.jsonl");
        if is_first {
            // The account of a run that was given up before anything was loaded.
            let _ = std::fs::remove_file(&state);
        }
        let config = SimConfig {
            spec: AccountSpec {
                clock: Clock::manual(now()),
                ..AccountSpec::sized(command.tickets, command.seed)
            },
            credentials: credentials.clone(),
            state: Some(state),
            limits: Limits {
                account: Some(REQUESTS_A_MINUTE),
                incremental_exports: Some(REQUESTS_A_MINUTE),
                incremental_exports_cursor: Some(REQUESTS_A_MINUTE),
                ..Limits::none()
            },
            ..SimConfig::default()
        };
        let simulator = Simulator::start(config).map_err(|error| {
            Failure::from_error(ExitCode::Failed, &error)
                .remedy("a folder of an older release? name another one with --dir, or delete it")
        })?;
        // Minutes that were passed over must not come again: Zendesk's time does not go back.
        let shown = std::fs::read_to_string(files.at("account.time")).ok();
        let shown: i64 = shown.and_then(|text| text.trim().parse().ok()).unwrap_or(0);
        let behind = now().max(shown) - simulator.with_account(zendesk_sim::Account::now);
        if let Ok(behind) = u64::try_from(behind) {
            simulator.advance(Duration::from_secs(behind));
        }
        let tickets = simulator.with_account(|account| account.len(Collection::Tickets));
        let changes = if is_first { 0 } else { (tickets / 50).max(10) };
        simulator.apply_random(changes, u64::try_from(now()).unwrap_or(0));
        Ok(Self {
            simulator,
            credentials,
            changes,
            shown: read_kept(&files.at("shown.json")),
            shown_file: files.at("shown.json"),
            clocks: files.at("served-slas.json"),
            time: files.at("account.time"),
        })
    }

    /// What it holds, in one sentence.
    pub(crate) fn greeting(&self) -> String {
        let count = |collection| self.simulator.with_account(|account| account.len(collection));
        let (tickets, users) = (count(Collection::Tickets), count(Collection::Users));
        match self.changes {
            0 => format!(
                "a simulated Zendesk account of {tickets} tickets and {users} users at {}",
                self.url()
            ),
            changes => format!("the same account, {changes} changes later: {tickets} tickets and {users} users"),
        }
    }

    /// Every unmistakable value of its people.
    pub(crate) fn canaries(&self) -> Vec<Canary> {
        let all = self.simulator.directory().into_iter();
        all.map(|held| Canary {
            value: held.value,
            class: held.class.name().to_owned(),
        })
        .collect()
    }

    /// Its address.
    pub(crate) fn url(&self) -> &str {
        self.simulator.url()
    }

    /// The admin's e-mail address and API token.
    pub(crate) fn credentials(&self) -> (String, String) {
        let token = &self.credentials.api_tokens[0];
        (token.email.clone(), token.token.clone())
    }

    /// What has just happened is left to settle, for five minutes at most: they pass at once here.
    pub(crate) fn let_it_settle(&self) -> Result<(), Failure> {
        self.simulator.advance(SETTLES);
        let time = self.simulator.with_account(zendesk_sim::Account::now).to_string();
        std::fs::write(&self.time, time).map_err(|error| unwritable(&self.time, &error))
    }

    /// The latest states of a collection's records; SLA clocks as they were last served.
    pub(crate) fn truths(&self, name: &str) -> Vec<(Value, Truth)> {
        let Some(collection) = Collection::ALL.into_iter().find(|collection| collection.name() == name) else {
            return Vec::new();
        };
        let clocks = match collection {
            Collection::Tickets => self.kept_clocks(),
            _ => BTreeMap::new(),
        };
        let with_clocks = |truth: Truth| {
            let mut record: Value = serde_json::from_str(&truth.json).expect("the simulator writes JSON");
            if let Some((version, slas)) = clocks.get(&truth.id)
                && truth.version == Some(*version)
            {
                record["slas"] = slas.clone();
            }
            (record, truth)
        };
        self.simulator.records(collection).map(with_clocks).collect()
    }

    /// All that identifies anyone, each value with its user.
    pub(crate) fn identifying(&self) -> impl Iterator<Item = (i64, String)> {
        let all = self.simulator.directory().into_iter();
        all.filter_map(|canary| Some((canary.user_id?, canary.value)))
    }

    /// Claims that a row was made and removed between two passes, before anyone could see it.
    pub(crate) fn is_unseen(&self, collection: &str, truth: &Truth) -> bool {
        self.shown
            .unseen
            .get(collection)
            .is_some_and(|ids| ids.contains(&truth.id))
    }

    /// Keeps what a pass that has ended was shown over the end of the process.
    pub(crate) fn keep_shown(&mut self) -> Result<(), Failure> {
        for collection in Collection::ALL {
            self.shown.note(collection.name(), self.simulator.records(collection));
        }
        write_kept(&self.shown_file, &self.shown)?;
        self.keep_clocks()
    }

    fn keep_clocks(&self) -> Result<(), Failure> {
        let mut clocks = self.kept_clocks();
        for served in self.simulator.served_slas() {
            if let Some(slas) = served.json.as_deref().and_then(|json| serde_json::from_str(json).ok()) {
                clocks.insert(served.id, (served.version, slas));
            }
        }
        write_kept(&self.clocks, &clocks)
    }

    fn kept_clocks(&self) -> BTreeMap<i64, Served> {
        read_kept(&self.clocks)
    }
}

/// What an earlier run kept in a file; nothing where there is none.
fn read_kept<T: DeserializeOwned + Default>(path: &Path) -> T {
    let text = std::fs::read_to_string(path).unwrap_or_default();
    serde_json::from_str(&text).unwrap_or_default()
}

fn write_kept(path: &Path, kept: &impl Serialize) -> Result<(), Failure> {
    let text = serde_json::to_string(kept).expect("JSON values under names and numbers serialise");
    std::fs::write(path, text).map_err(|error| unwritable(path, &error))
}

fn unwritable(path: &Path, error: &std::io::Error) -> Failure {
    Failure::new(
        ExitCode::Failed,
        format!("`{}` cannot be written: {error}", path.display()),
    )
}

fn now() -> i64 {
    let since = std::time::SystemTime::now()
        .duration_since(std::time::UNIX_EPOCH)
        .unwrap_or_default();
    i64::try_from(since.as_secs()).unwrap_or(i64::MAX)
}
