//! Several accounts, and extractors that share them.

use std::fmt::Write as _;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use anyhow::{Context as _, bail, ensure};
use zendesk_sim::{AccountSpec, Clock, Credentials, SimConfig, Simulator};
use zenfloe_harness::{Kafka, Program};

use crate::world::{PATIENCE, SPEED, binary};
use crate::{Stage, Topics};

/// Accounts, a broker and one configuration for all extractors.
pub struct Fleet {
    /// The accounts by the name of their source.
    pub accounts: Vec<(String, Simulator)>,
    /// The broker.
    pub kafka: Kafka,
    folder: tempfile::TempDir,
}

impl Fleet {
    /// Starts a broker and small accounts, each of its own seed.
    pub async fn start(sources: u64, tickets: u32, seed: u64) -> anyhow::Result<Self> {
        let _ = rustls::crypto::ring::default_provider().install_default();
        let kafka = Kafka::start().await?;
        let mut accounts = Vec::new();
        for number in 0..sources {
            let spec = AccountSpec {
                clock: Clock::scaled(SPEED),
                ..AccountSpec::sized(tickets, seed.wrapping_add(number))
            };
            let simulator = Simulator::start(SimConfig {
                spec,
                ..SimConfig::default()
            })?;
            accounts.push((format!("account_{number}"), simulator));
        }
        let fleet = Self {
            accounts,
            kafka,
            folder: tempfile::tempdir()?,
        };
        std::fs::write(fleet.path("zendesk.token"), Credentials::TOKEN)?;
        std::fs::write(fleet.path("zenfloe.toml"), fleet.config()?)?;
        fleet.run(&["keys", "new"]).await?;
        Ok(fleet)
    }

    /// A path in the test's folder.
    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn config(&self) -> anyhow::Result<String> {
        let mut text = format!(
            r#"
[log]
kind = "kafka"
brokers = ["{brokers}"]
session_timeout = "6s"

[registry]
kind = "http"
url = "http://127.0.0.1:9"

[destinations.warehouse]
kind = "sqlite"

[process]
drain = "5s"

[admin]
listen = "127.0.0.1:0"
"#,
            brokers = self.kafka.brokers
        );
        for (source, account) in &self.accounts {
            write!(
                text,
                r#"
[sources.{source}.zendesk]
subdomain = "{subdomain}"
base_url = "{url}"
auth = {{ method = "api_token", email = "{email}", token = {{ file = "{token}" }} }}

[sources.{source}.extract]
interval = "2s"
continuous = true
account_requests_per_minute = 100000
headroom = 0.0
partitions = 2
accept_shrunk = ["group_memberships", "groups", "organization_fields", "organization_memberships", "ticket_fields"]
"#,
                subdomain = source.replace('_', "-"),
                url = account.url(),
                email = Credentials::EMAIL,
                token = self.path("zendesk.token").display(),
            )?;
        }
        Ok(text)
    }

    /// An extractor of the fleet; not started yet.
    pub fn extractor(&self, name: &'static str) -> anyhow::Result<Stage> {
        let program = Program::new(name, binary()?)
            .args(["run", "--stage", "extract"])
            .env("ZENFLOE_LOG", "info")
            .env("HOSTNAME", name)
            .current_dir(self.folder.path());
        Ok(Stage::new(name, program, self.folder.path().to_owned()))
    }

    /// Runs a command to its end; fails unless it ends with 0.
    pub async fn run(&self, words: &[&str]) -> anyhow::Result<()> {
        let mut child = Program::new("command", binary()?)
            .args(words.iter().copied())
            .env("HOSTNAME", "command")
            .current_dir(self.folder.path())
            .start(self.folder.path())?;
        let status = child.wait(PATIENCE).await?;
        if !status.success() {
            bail!("`zenfloe {}` ended with {status}:\n{}", words.join(" "), child.output());
        }
        Ok(())
    }

    /// The topics of one source.
    pub async fn topics(&self, source: &str) -> anyhow::Result<Topics> {
        Topics::of(&self.kafka.brokers, source, &self.path("seal.key")).await
    }

    /// Waits until every source has had a page committed since now, and returns how long it took.
    pub async fn until_all_are_read(&self) -> anyhow::Result<Duration> {
        let began = Instant::now();
        let mut waiting = Vec::new();
        for (source, _) in &self.accounts {
            let topics = self.topics(source).await?;
            let end = topics.state_end().await.with_context(|| format!("state of {source}"))?;
            waiting.push((source, topics, end));
        }
        while !waiting.is_empty() {
            ensure!(
                began.elapsed() < PATIENCE,
                "nobody reads {:?}",
                waiting.iter().map(|(source, ..)| source).collect::<Vec<_>>()
            );
            let mut still = Vec::new();
            for (source, topics, end) in waiting {
                if topics.state_end().await? <= end {
                    still.push((source, topics, end));
                }
            }
            waiting = still;
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        Ok(began.elapsed())
    }

    /// Reads what is left, twice, since lists are believed at the second look.
    pub async fn settle(&self) -> anyhow::Result<()> {
        for _ in 0..2 {
            tokio::time::sleep(Duration::from_secs_f64(125.0 / SPEED)).await;
            self.run(&["run", "--once", "--stage", "extract"]).await?;
        }
        Ok(())
    }
}
