//! Services, account, configuration and processes of one test.

use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Context as _, bail, ensure};
use snowflake_sim::{Engine, Front, Kind, Settings, User};
use zendesk_sim::{AccountSpec, Clock, Credentials, SimConfig, Simulator};
use zenfloe_harness::{Child, Kafka, Postgres, Program, Registry, program_beside};

/// The source's name.
pub(crate) const SOURCE: &str = "acme";
/// The account's time runs so many times as fast as the machine's, so that the minute that exports hold back is short.
pub(crate) const SPEED: f64 = 30.0;
/// The longest that a process may take to move what is left, or to stop.
pub(crate) const PATIENCE: Duration = Duration::from_secs(240);

/// How long the simulated Snowflake leaves the transaction of a killed loader alone.
const IDLE_TRANSACTION: Duration = Duration::from_secs(3);
/// The token with which the loader signs in there.
const SNOWFLAKE_TOKEN: &str = "a-token-of-the-suite";

/// A process of the pipeline that can be killed and started again.
pub struct Stage {
    /// What it is called in errors and logs.
    pub name: &'static str,
    program: Program,
    child: Option<Child>,
    logs: PathBuf,
}

impl Stage {
    /// A process that writes its logs into a folder; not started yet.
    pub(crate) fn new(name: &'static str, program: Program, logs: PathBuf) -> Self {
        Self {
            name,
            program,
            child: None,
            logs,
        }
    }

    /// Starts it, again if need be.
    pub fn start(&mut self) -> anyhow::Result<()> {
        self.child = Some(self.program.start(&self.logs)?);
        Ok(())
    }

    /// Ends it with SIGKILL; it must be running.
    pub fn kill(&mut self) -> anyhow::Result<()> {
        let child = self.child.as_mut().context("it was started")?;
        ensure!(child.is_running(), "{} ended by itself:\n{}", self.name, child.output());
        child.kill()?;
        Ok(())
    }

    /// Ends it with SIGTERM; it must end well within its drain time and some.
    pub async fn stop(&mut self) -> anyhow::Result<()> {
        let Some(mut child) = self.child.take() else {
            return Ok(());
        };
        ensure!(child.is_running(), "{} ended by itself:\n{}", self.name, child.output());
        let status = child.terminate(Duration::from_secs(30)).await?;
        ensure!(
            status.success(),
            "{} ended with {status}:\n{}",
            self.name,
            child.output()
        );
        Ok(())
    }

    /// The metrics that it serves.
    pub async fn metrics(&mut self) -> anyhow::Result<String> {
        let child = self.child.as_mut().context("it runs")?;
        let find = |said: &str| {
            let at = said.find("\"address\":\"")? + "\"address\":\"".len();
            said[at..].split('"').next().map(str::to_owned)
        };
        let address = child
            .until_output("the admin port", Duration::from_secs(30), find)
            .await?;
        Ok(child.metrics(&address).await?.text().to_owned())
    }
}

/// Everything that one test runs.
pub struct World {
    /// The simulated account.
    pub simulator: Simulator,
    /// The broker.
    pub kafka: Kafka,
    /// The schema registry.
    pub registry: Registry,
    /// The database server.
    pub postgres: Postgres,
    /// fakesnow, to be looked into.
    pub(crate) engine: Engine,
    /// What the loader sees of it.
    pub snowflake: Front,
    folder: tempfile::TempDir,
}

async fn snowflake() -> anyhow::Result<(Engine, Front)> {
    let engine = Engine::start(Kind::NativeMerge).await?;
    let settings = Settings {
        account: "MYORG-ACME".into(),
        users: vec![User::new("loader").with_token(SNOWFLAKE_TOKEN)],
        has_s3_stage: true,
        idle_transaction: Some(IDLE_TRANSACTION),
        ..Settings::default()
    };
    let front = Front::start(&engine, settings).await?;
    Ok((engine, front))
}

impl World {
    /// Starts the services and makes an account and keys.
    pub async fn start(tickets: u32, seed: u64) -> anyhow::Result<Self> {
        let _ = rustls::crypto::ring::default_provider().install_default();
        let (kafka, registry, postgres) = tokio::try_join!(Kafka::start(), Registry::start(), Postgres::start())?;
        let (engine, snowflake) = snowflake().await?;
        let simulator = Simulator::start(SimConfig {
            spec: AccountSpec {
                clock: Clock::scaled(SPEED),
                ..AccountSpec::sized(tickets, seed)
            },
            ..SimConfig::default()
        })?;
        let world = Self {
            simulator,
            kafka,
            registry,
            postgres,
            engine,
            snowflake,
            folder: tempfile::tempdir()?,
        };
        std::fs::write(world.path("zendesk.token"), Credentials::TOKEN)?;
        std::fs::write(world.path("snowflake.token"), SNOWFLAKE_TOKEN)?;
        let made = world
            .run(&["keys", "new", "--seal", "seal.key", "--token", "token.key"])
            .await?;
        ensure!(made.contains("seal.key"), "keys are made: {made}");
        world.write_config("zenfloe.toml", "warehouse")?;
        world.write_config("append.toml", "history")?;
        world.write_config("snow.toml", "snow")?;
        world.write_config("all.toml", "all")?;
        Ok(world)
    }

    /// A path in the test's folder.
    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// The text of the token key file.
    pub fn token_key(&self) -> anyhow::Result<String> {
        Ok(std::fs::read_to_string(self.path("token.key"))?)
    }

    fn postgres(&self, name: &str, mode: &str) -> String {
        format!(
            "[destinations.{name}]\nkind = \"postgres\"\nmode = \"{mode}\"\nurl = \"{}\"\nschema = \"{name}\"\ntls = \"disable\"\n",
            self.postgres.url("postgres")
        )
    }

    /// The newest states, and beside them every state, in one schema.
    fn snow(&self) -> String {
        let account = format!(
            "kind = \"snowflake\"\naccount = \"myorg-acme\"\nurl = \"{}\"\nuser = \"loader\"\ndatabase = \"ZENDESK\"\n\
             authenticator = \"access-token\"\ntoken_file = \"snowflake.token\"\n",
            self.snowflake.url()
        );
        format!(
            "[destinations.snow]\n{account}\n[destinations.snow_history]\n{account}mode = \"append\"\ntable_suffix = \"_history\"\n"
        )
    }

    fn write_config(&self, file: &str, destinations: &str) -> anyhow::Result<()> {
        let (warehouse, history) = (self.postgres("warehouse", "upsert"), self.postgres("history", "append"));
        let destinations = match destinations {
            "warehouse" => warehouse,
            "history" => history,
            "snow" => self.snow(),
            _ => warehouse + &history + &self.snow(),
        };
        let text = format!(
            r#"
[log]
kind = "kafka"
brokers = ["{brokers}"]
session_timeout = "6s"

[registry]
kind = "http"
url = "{registry}"

[sources.{SOURCE}.zendesk]
subdomain = "acme"
base_url = "{zendesk}"
auth = {{ method = "api_token", email = "{email}", token = {{ file = "{token}" }} }}

[sources.{SOURCE}.extract]
interval = "2s"
continuous = true
account_requests_per_minute = 100000
headroom = 0.0
partitions = 4
accept_shrunk = ["group_memberships", "groups", "organization_fields", "organization_memberships", "ticket_fields"]

{destinations}
[load]
flush_interval = "1s"
discover = "2s"

[process]
drain = "5s"

[admin]
listen = "127.0.0.1:0"
"#,
            brokers = self.kafka.brokers,
            registry = self.registry.url,
            zendesk = self.simulator.url(),
            email = Credentials::EMAIL,
            token = self.path("zendesk.token").display(),
        );
        std::fs::write(self.path(file), text)?;
        Ok(())
    }

    /// A process of the product; not started yet.
    pub fn stage(&self, name: &'static str, config: &str, stage: &str) -> anyhow::Result<Stage> {
        let program = Program::new(name, program_beside("zenfloe")?)
            .args(["run", "--config", config, "--stage", stage])
            .env("ZENFLOE_LOG", "info")
            .env("HOSTNAME", name)
            .current_dir(self.folder.path());
        Ok(Stage::new(name, program, self.folder.path().to_owned()))
    }

    /// Runs a command to its end and returns what it printed; fails unless it ends with 0.
    pub async fn run(&self, words: &[&str]) -> anyhow::Result<String> {
        let mut child = Program::new("command", program_beside("zenfloe")?)
            .args(words.iter().copied())
            .env("HOSTNAME", "command")
            .current_dir(self.folder.path())
            .start(self.folder.path())?;
        let status = child.wait(PATIENCE).await?;
        if !status.success() {
            bail!("`zenfloe {}` ended with {status}:\n{}", words.join(" "), child.output());
        }
        Ok(child.stdout())
    }

    /// Moves everything that is there with `run --once`, three times, since lists are believed at the second whole look.
    pub async fn settle(&self) -> anyhow::Result<()> {
        // A look that a kill has cut in two may have begun before a row went: it ends, and two complete ones follow.
        for _ in 0..3 {
            self.let_it_settle().await;
            self.run(&["run", "--config", "all.toml", "--once"]).await?;
        }
        Ok(())
    }

    /// Waits until all that has happened so far has settled: five minutes for events of side conversations, and some.
    pub async fn let_it_settle(&self) {
        tokio::time::sleep(Duration::from_secs_f64(370.0 / SPEED)).await;
    }

    /// Every log file of every process so far.
    pub fn logs(&self) -> anyhow::Result<Vec<(String, Vec<u8>)>> {
        let mut logs = Vec::new();
        for entry in std::fs::read_dir(self.folder.path())? {
            let path = entry?.path();
            let is_log = path
                .extension()
                .is_some_and(|extension| extension == "out" || extension == "err");
            if is_log {
                logs.push((path.display().to_string(), std::fs::read(&path)?));
            }
        }
        Ok(logs)
    }
}
