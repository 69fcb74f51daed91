//! A folder with a configuration, keys and a simulated account.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use tempfile::TempDir;
use zendesk_sim::{AccountSpec, Clock, Credentials, Limits, SimConfig, Simulator};

/// One user's desk.
pub(crate) struct Bench {
    folder: TempDir,
    pub(crate) simulator: Simulator,
}

/// What a command said.
pub(crate) struct Said {
    pub(crate) code: i32,
    pub(crate) out: String,
    pub(crate) err: String,
}

impl Bench {
    /// A small account, keys, and a configuration over the file log into SQLite.
    pub(crate) fn new() -> Self {
        Self::with(|config| config)
    }

    pub(crate) fn with(change: impl FnOnce(SimConfig) -> SimConfig) -> Self {
        let now = std::time::SystemTime::now()
            .duration_since(std::time::UNIX_EPOCH)
            .expect("after 1970");
        let spec = AccountSpec {
            clock: Clock::manual(i64::try_from(now.as_secs()).expect("this age")),
            ..AccountSpec::sized(60, 5)
        };
        // Limits that nothing reaches: without any the extractor keeps to the smallest plan's, and waits.
        let plenty = Some(100_000);
        let config = change(SimConfig {
            spec,
            limits: Limits {
                account: plenty,
                incremental_exports: plenty,
                incremental_exports_cursor: plenty,
                ..Limits::none()
            },
            ..SimConfig::default()
        });
        let bench = Self {
            folder: tempfile::tempdir().expect("a temporary folder"),
            simulator: Simulator::start(config).expect("it starts"),
        };
        bench.simulator.advance(std::time::Duration::from_secs(400));
        bench.write("zendesk.token", Credentials::TOKEN);
        bench.write("zenfloe.toml", &bench.config("acme"));
        assert_eq!(bench.run(&["keys", "new"]).code, 0);
        bench
    }

    /// The text of a configuration.
    pub(crate) fn config(&self, subdomain: &str) -> String {
        format!(
            r#"
[log]
kind = "file"
path = "log.sqlite"

[sources.acme.zendesk]
subdomain = "{subdomain}"
base_url = "{url}"
auth = {{ method = "api_token", email = "{email}", token = {{ file = "{token}" }} }}

[sources.acme.extract]
account_requests_per_minute = 100000
partitions = 2

[destinations.warehouse]
kind = "sqlite"
path = "warehouse.sqlite"

[admin]
listen = "127.0.0.1:0"
"#,
            url = self.simulator.url(),
            email = Credentials::EMAIL,
            token = self.path("zendesk.token").display(),
        )
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    pub(crate) fn write(&self, name: &str, text: &str) {
        std::fs::write(self.path(name), text).expect("written");
    }

    /// Runs a command in the folder to its end.
    pub(crate) fn run(&self, words: &[&str]) -> Said {
        let output = Command::new(binary())
            .args(words)
            .current_dir(self.folder.path())
            .output();
        Said::of(&output.expect("it starts"))
    }

    /// The same, with what it must end with.
    #[track_caller]
    pub(crate) fn expect(&self, words: &[&str], code: i32) -> Said {
        let said = self.run(words);
        assert_eq!(
            said.code,
            code,
            "zenfloe {}\n{}\n{}",
            words.join(" "),
            said.out,
            said.err
        );
        said
    }
}

impl Said {
    pub(crate) fn of(output: &Output) -> Self {
        Self {
            code: output.status.code().expect("no signal"),
            out: String::from_utf8_lossy(&output.stdout).into_owned(),
            err: String::from_utf8_lossy(&output.stderr).into_owned(),
        }
    }
}

pub(crate) fn binary() -> &'static Path {
    Path::new(env!("CARGO_BIN_EXE_zenfloe"))
}
