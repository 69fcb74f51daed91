//! `zenfloe demo`: a simulated account, all stages over the file log, a database, and a comparison of every row.

mod account;
mod compare;

use std::path::Path;
use std::time::Instant;

use tokio_util::sync::CancellationToken;
use zenfloe_oracle::sqlite;
use zenfloe_process::{ExitCode, Failure, Health, stop_on_signal};

use crate::args::{Demo, StageName};
use crate::config::Config;
use crate::parts::Base;
use crate::pipeline::{Pipeline, Shown};
use crate::{keys, show};
use account::DemoAccount;

/// The name of the demo's source and destination.
const SOURCE: &str = "demo";

/// What the demo keeps in its folder.
struct Files<'d> {
    folder: &'d Path,
}

impl Files<'_> {
    fn at(&self, name: &str) -> std::path::PathBuf {
        self.folder.join(name)
    }
}

/// Runs the command.
pub(crate) async fn demo(command: &Demo) -> Result<(), Failure> {
    let began = Instant::now();
    let stop = stop_on_signal().map_err(|error| Failure::from_error(ExitCode::Failed, &error))?;
    let files = Files { folder: &command.dir };
    let is_first = prepare(&files)?;
    let mut account = DemoAccount::open(command, &files, is_first)?;
    println!("{}", account.greeting());
    write_config(&files, &account)?;
    let config = Config::load(&files.at("zenfloe.toml"))?;
    let mut totals = Totals::default();
    // What disappears from a list is believed gone when two complete lists have missed it.
    let passes = if is_first { 1 } else { 2 };
    for pass in 1..=passes {
        if pass > 1 {
            println!("second look at the lists: what both have missed is gone");
        }
        account.let_it_settle()?;
        totals.add(&run_pass(&config, &stop).await?);
        account.keep_shown()?;
        if stop.is_cancelled() {
            println!("stopped; the next run goes on here");
            return Ok(());
        }
    }
    let report = compare::compare(&config, &account, &files.at("warehouse.sqlite"), &files.at("token.key"))?;
    summary(&files, &report, &totals, began);
    report.verdict()
}

/// Makes folder and keys; tells whether this is the first run there.
fn prepare(files: &Files<'_>) -> Result<bool, Failure> {
    std::fs::create_dir_all(files.folder).map_err(|error| {
        let what = format!("folder `{}` cannot be made: {error}", files.folder.display());
        Failure::new(ExitCode::Configuration, what).remedy("name another one with --dir")
    })?;
    let (seal, token) = (files.at("seal.key"), files.at("token.key"));
    if !seal.exists() && !token.exists() {
        keys::new(&seal, &token)?;
    }
    Ok(!files.at("warehouse.sqlite").exists())
}

/// Writes the configuration anew: the simulator's port changes with every run.
fn write_config(files: &Files<'_>, account: &DemoAccount) -> Result<(), Failure> {
    let failed = |error: std::io::Error| {
        let what = format!("`{}` cannot be written: {error}", files.folder.display());
        Failure::new(ExitCode::Configuration, what).remedy("name another folder with --dir")
    };
    let (email, token) = account.credentials();
    std::fs::write(files.at("zendesk.token"), token).map_err(failed)?;
    let text = format!(
        r#"# Written by `zenfloe demo` on every run; the account is a simulator that lives as long as the demo runs.
[log]
kind = "file"
path = "log.sqlite"

[sources.{SOURCE}.zendesk]
subdomain = "demo"
base_url = "{url}"
auth = {{ method = "api_token", email = "{email}", token = {{ file = "{token_file}" }} }}

[sources.{SOURCE}.extract]
account_requests_per_minute = 100000
headroom = 0.0
partitions = 4
# The account is small: one organization that goes takes a fifth of the memberships with it, and truly so.
accept_shrunk = ["group_memberships", "groups", "organization_fields", "organization_memberships", "ticket_fields"]

[destinations.warehouse]
kind = "sqlite"
path = "warehouse.sqlite"

[load]
flush_interval = "1s"
"#,
        url = account.url(),
        token_file = std::path::absolute(files.at("zendesk.token"))
            .map_err(failed)?
            .display(),
    );
    std::fs::write(files.at("zenfloe.toml"), text).map_err(failed)
}

/// Runs all three stages until everything that is there has been moved.
async fn run_pass(config: &Config, stop: &CancellationToken) -> Result<Shown, Failure> {
    let pipeline = Pipeline {
        config,
        base: Base::open_now(config).await?,
        stages: vec![StageName::Extract, StageName::Transform, StageName::Load],
        once: true,
        health: Health::default(),
    };
    let running = pipeline.start(stop)?;
    let shown = running.shown.clone();
    let live = show::live(shown.clone());
    let result = running.wait().await;
    live.finish().await;
    result.map(|()| shown)
}

/// What all passes did.
#[derive(Default)]
struct Totals {
    requests: u64,
    records: u64,
    tokens: u64,
    dead_letters: u64,
}

impl Totals {
    fn add(&mut self, shown: &Shown) {
        for (_, progress) in &shown.extractors {
            for held in progress.snapshot().collections.values() {
                self.requests += held.requests;
                self.records += held.records;
                self.dead_letters += held.dead_letters;
            }
        }
        for (_, progress) in &shown.transformers {
            let snapshot = progress.snapshot();
            self.tokens += snapshot.tokens.values().sum::<u64>();
            self.dead_letters += snapshot.collections.values().map(|held| held.dead_letters).sum::<u64>();
        }
        for (_, progress) in &shown.loaders {
            self.dead_letters += progress
                .snapshot()
                .tables
                .values()
                .map(|held| held.dead_letters)
                .sum::<u64>();
        }
    }
}

fn summary(files: &Files<'_>, report: &compare::Report, totals: &Totals, began: Instant) {
    println!();
    println!("{:<28} {:>10} {:>10}", "table", "rows", "live");
    for (table, rows) in &report.rows {
        let live = report.live.get(table).copied().unwrap_or_default();
        println!("{table:<28} {rows:>10} {live:>10}");
    }
    println!();
    println!(
        "{} requests to the account, {} records, {} tokens made, {} dead letters, {:.1} s",
        totals.requests,
        totals.records,
        totals.tokens,
        totals.dead_letters,
        began.elapsed().as_secs_f64()
    );
    println!(
        "{} cells compared with the account, {} differ",
        report.cells, report.different
    );
    println!(
        "{} personal values of the account looked for in every text, {} found",
        report.values,
        report.leaks.len()
    );
    let database = files.at("warehouse.sqlite");
    let query = "SELECT status, count(*) AS tickets, count(DISTINCT requester_id) AS requesters FROM tickets GROUP BY status ORDER BY 2 DESC";
    println!("\nQuery it:\n  sqlite3 -box {} \"{query}\"", database.display());
    if let Ok(lines) = sqlite::show(&database, query) {
        lines.iter().for_each(|line| println!("    {line}"));
    }
    println!("Personal data in it are tokens: SELECT email, name FROM users LIMIT 3");
    println!("Run the demo again: the account changes meanwhile, and only what changed is moved.");
}
