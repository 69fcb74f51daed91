//! A small account, moved by the product into a PostgreSQL that the set-up SQL prepared.

use std::path::PathBuf;
use std::process::Command;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use anyhow::{Result, bail};
use serde_json::{Value, json};
use zendesk_sim::{AccountSpec, Clock, Credentials, SimConfig, Simulator};
use zenfloe_harness::{Postgres, program_beside};

/// The database.
pub const DATABASE: &str = "zendesk";
/// Tickets of the account.
pub const TICKETS: u32 = 150;

/// Account, database, and the product's files.
pub struct World {
    /// The database server.
    pub postgres: Postgres,
    simulator: Simulator,
    folder: tempfile::TempDir,
}

impl World {
    /// Starts the account and a server whose database the set-up SQL has prepared; nothing is loaded yet.
    pub async fn start() -> Result<Self> {
        let postgres = Postgres::start().await?;
        postgres.create_database(DATABASE).await?;
        let now = SystemTime::now().duration_since(UNIX_EPOCH)?.as_secs();
        let spec = AccountSpec {
            clock: Clock::manual(i64::try_from(now)?),
            ..AccountSpec::sized(TICKETS, 11)
        };
        let simulator = Simulator::start(SimConfig {
            spec,
            ..SimConfig::default()
        })?;
        simulator.advance(Duration::from_secs(120));
        let world = Self {
            postgres,
            simulator,
            folder: tempfile::tempdir()?,
        };
        std::fs::write(world.path("zendesk.token"), Credentials::TOKEN)?;
        std::fs::write(world.path("zenfloe.toml"), world.configuration())?;
        world.zenfloe(&["keys", "new"])?;
        world.set_up().await?;
        Ok(world)
    }

    /// Runs the set-up SQL as a user would print it.
    pub async fn set_up(&self) -> Result<()> {
        let sql = self.zenfloe(&["init", "--destination", "postgres", "--database", DATABASE])?;
        self.sql(&sql).await.map(drop)
    }

    /// A path in the test's folder.
    #[must_use]
    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Statements as a superuser; what the last one returns, columns separated by `|`.
    pub async fn sql(&self, sql: &str) -> Result<String> {
        Ok(self.postgres.query(DATABASE, sql).await?)
    }

    /// Statements as someone with the rights of a role alone.
    pub async fn sql_as(&self, role: &str, sql: &str) -> Result<String> {
        self.sql(&format!("SET ROLE \"{role}\"; {sql}")).await
    }

    /// Moves everything that is there into the database, as the loader's own role.
    pub fn load(&self) -> Result<()> {
        self.zenfloe(&["run", "--once"]).map(drop)
    }

    /// Runs a command of the product to its end; what it printed.
    pub fn zenfloe(&self, words: &[&str]) -> Result<String> {
        let output = Command::new(program_beside("zenfloe")?)
            .args(words)
            .current_dir(self.folder.path())
            .output()?;
        let said = String::from_utf8_lossy(&output.stdout).into_owned();
        if !output.status.success() {
            bail!(
                "zenfloe {}:\n{said}\n{}",
                words.join(" "),
                String::from_utf8_lossy(&output.stderr)
            );
        }
        Ok(said)
    }

    /// dbt's profile for the role that makes views.
    #[must_use]
    pub fn profile(&self) -> Value {
        json!({
            "type": "postgres", "host": self.postgres.host, "port": self.postgres.port, "user": "zenfloe_transform",
            "password": "", "dbname": DATABASE, "schema": "staging_zendesk", "threads": 2,
        })
    }

    fn configuration(&self) -> String {
        format!(
            r#"
[log]
kind = "file"
path = "log.sqlite"

[sources.acme.zendesk]
subdomain = "acme"
base_url = "{zendesk}"
auth = {{ method = "api_token", email = "{email}", token = {{ file = "{token}" }} }}

[sources.acme.extract]
account_requests_per_minute = 100000
headroom = 0.0
partitions = 2

[destinations.warehouse]
kind = "postgres"
host = "{host}"
port = {port}
database = "{DATABASE}"
user = "zenfloe_load"
schema = "mart_zendesk"
tls = "disable"

[load]
flush_interval = "1s"

[admin]
listen = "127.0.0.1:0"
"#,
            zendesk = self.simulator.url(),
            email = Credentials::EMAIL,
            token = self.path("zendesk.token").display(),
            host = self.postgres.host,
            port = self.postgres.port,
        )
    }
}
