//! A folder with configuration and keys, and processes of the product in it.

use std::path::PathBuf;
use std::time::{Duration, Instant};

use anyhow::bail;
use zendesk_sim::{AccountSpec, Clock, Credentials, Limits, SimConfig, Simulator};
use zenfloe_harness::{Child, Kafka, Program, Registry, Usage, program_beside};
use zenfloe_log_kafka::{KafkaConfig, KafkaLog};

/// The source's name.
pub(crate) const SOURCE: &str = "acme";
/// The longest that a process may take for its work.
const PATIENCE: Duration = Duration::from_secs(600);

/// The queue between the stages.
pub(crate) enum Queue<'s> {
    /// One file in the folder.
    File,
    /// A broker and its registry.
    Kafka(&'s Kafka, &'s Registry),
}

impl Queue<'_> {
    fn written(&self) -> String {
        match self {
            Self::File => "[log]\nkind = \"file\"\npath = \"log.sqlite\"\n".to_owned(),
            Self::Kafka(kafka, registry) => format!(
                "[log]\nkind = \"kafka\"\nbrokers = [\"{}\"]\n[registry]\nkind = \"http\"\nurl = \"{}\"\n",
                kafka.brokers, registry.url
            ),
        }
    }
}

/// A folder in which the product runs.
pub(crate) struct Stand {
    folder: tempfile::TempDir,
}

/// What a process did until its end.
pub(crate) struct Run {
    /// CPU time and memory.
    pub(crate) usage: Usage,
    /// From start to end.
    pub(crate) took: Duration,
}

impl Stand {
    /// Makes keys and a configuration. `zendesk`: the account's address; `destination`: the settings of one.
    pub(crate) async fn new(queue: &Queue<'_>, zendesk: &str, destination: &str) -> anyhow::Result<Self> {
        let stand = Self {
            folder: tempfile::tempdir()?,
        };
        let token = stand.path("zendesk.token");
        std::fs::write(&token, Credentials::TOKEN)?;
        let text = format!(
            r#"
{queue}
[sources.{SOURCE}.zendesk]
subdomain = "acme"
base_url = "{zendesk}"
auth = {{ method = "api_token", email = "{email}", token = {{ file = "{token}" }} }}

[sources.{SOURCE}.extract]
interval = "1s"
account_requests_per_minute = 100000
headroom = 0.0

[destinations.warehouse]
{destination}

[load]
flush_interval = "1s"
discover = "2s"

[admin]
listen = "127.0.0.1:0"
"#,
            queue = queue.written(),
            email = Credentials::EMAIL,
            token = token.display(),
        );
        std::fs::write(stand.path("zenfloe.toml"), text)?;
        stand
            .to_its_end("keys", &["keys", "new", "--seal", "seal.key", "--token", "token.key"])
            .await?;
        Ok(stand)
    }

    /// A path in the folder.
    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Starts a command of the product; `name` is its host's name as well.
    pub(crate) fn start(&self, name: &str, words: &[&str]) -> anyhow::Result<Child> {
        let program = Program::new(name, program_beside("zenfloe")?)
            .args(words.iter().copied())
            .env("HOSTNAME", name)
            .current_dir(self.folder.path());
        Ok(program.start(self.folder.path())?)
    }

    /// Starts a stage as a service.
    pub(crate) fn start_stage(&self, stage: &str) -> anyhow::Result<Child> {
        self.start(stage, &["run", "--stage", stage])
    }

    /// Runs a stage until everything that is there has been moved.
    pub(crate) async fn run_once(&self, stage: &str) -> anyhow::Result<Run> {
        self.to_its_end(stage, &["run", "--stage", stage, "--once"]).await
    }

    async fn to_its_end(&self, name: &str, words: &[&str]) -> anyhow::Result<Run> {
        let began = Instant::now();
        let mut child = self.start(name, words)?;
        let status = child.wait(PATIENCE).await?;
        let took = began.elapsed();
        if !status.success() {
            bail!("`zenfloe {}` ended with {status}:\n{}", words.join(" "), child.output());
        }
        let usage = child.usage()?;
        Ok(Run { usage, took })
    }
}

/// An account of so many tickets with 40 custom fields, whose time runs `speed` times as fast as the machine's.
///
/// It tells limits that nothing reaches: without any the extractor would keep to the smallest plan's.
pub(crate) fn account(tickets: u32, speed: Option<f64>) -> anyhow::Result<Simulator> {
    let plenty = Some(100_000);
    Ok(Simulator::start(SimConfig {
        spec: AccountSpec {
            custom_fields: 40,
            clock: speed.map_or_else(Clock::real, Clock::scaled),
            ..AccountSpec::sized(tickets, 1)
        },
        limits: Limits {
            account: plenty,
            incremental_exports: plenty,
            incremental_exports_cursor: plenty,
            ..Limits::none()
        },
        keeps_ledger: false,
        ..SimConfig::default()
    })?)
}

/// The broker's log.
pub(crate) async fn kafka_log(kafka: &Kafka) -> anyhow::Result<KafkaLog> {
    let config = KafkaConfig {
        brokers: kafka.brokers.split(',').map(str::to_owned).collect(),
        ..KafkaConfig::default()
    };
    Ok(KafkaLog::connect(config).await?)
}
