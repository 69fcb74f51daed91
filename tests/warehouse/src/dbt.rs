//! dbt, in a Python environment of its own, run on the project of `deploy/dbt`.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use anyhow::{Context as _, Result, bail, ensure};
use serde_json::Value;
use zenfloe_harness::PythonPins;

use crate::repository;

const PINS: PythonPins = PythonPins {
    name: "dbt-1.11.16",
    pure: include_str!("../pins/pure.txt"),
    binary: include_str!("../pins/binary.txt"),
};

/// The folder of dbt's programs; made where it is missing. Blocking.
pub fn programs() -> Result<PathBuf> {
    Ok(zenfloe_harness::python(&PINS)?)
}

/// dbt on the project, with a profile and a folder for what it writes.
#[derive(Debug)]
pub struct Dbt {
    programs: PathBuf,
    folder: PathBuf,
}

/// What became of one model, seed or test.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Outcome {
    /// dbt's name of it.
    pub id: String,
    /// `success`, `pass`, `warn`, `fail`, `error`, `skipped`.
    pub status: String,
    /// What it said.
    pub message: String,
}

impl Dbt {
    /// dbt with the profile given; `folder` must exist and takes what it writes.
    pub fn new(folder: &Path, profile: &Value) -> Result<Self> {
        let profiles = serde_json::json!({"zenfloe": {"target": "test", "outputs": {"test": profile}}});
        fs::write(folder.join("profiles.yml"), profiles.to_string()).context("writing a profile")?;
        Ok(Self {
            programs: programs()?,
            folder: folder.to_owned(),
        })
    }

    /// Runs a command with variables; the end of what it said is in the error.
    pub fn run(&self, words: &[&str], variables: &Value) -> Result<String> {
        let output = self.output(words, variables)?;
        let said = String::from_utf8_lossy(&output.stdout).into_owned();
        if !output.status.success() {
            bail!(
                "dbt {}:\n{said}\n{}",
                words.join(" "),
                String::from_utf8_lossy(&output.stderr)
            );
        }
        Ok(said)
    }

    fn output(&self, words: &[&str], variables: &Value) -> Result<Output> {
        let mut command = Command::new(self.programs.join("dbt"));
        command
            .args(words)
            .arg("--project-dir")
            .arg(repository("deploy/dbt"))
            .arg("--profiles-dir")
            .arg(&self.folder)
            .arg("--target-path")
            .arg(self.folder.join("target"))
            .arg("--log-path")
            .arg(self.folder.join("logs"))
            .args(["--no-use-colors", "--vars"])
            .arg(variables.to_string())
            .env("DBT_SEND_ANONYMOUS_USAGE_STATS", "false");
        command.output().context("running dbt")
    }

    /// Each node of the last run, as dbt's own record tells.
    pub fn outcomes(&self) -> Result<Vec<Outcome>> {
        let text = fs::read_to_string(self.folder.join("target/run_results.json")).context("dbt's record of a run")?;
        let record: Value = serde_json::from_str(&text).context("dbt's record of a run")?;
        let results = record["results"].as_array().context("dbt's record has results")?;
        ensure!(!results.is_empty(), "dbt ran something");
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        Ok(results
            .iter()
            .map(|result| Outcome {
                id: text(&result["unique_id"]),
                status: text(&result["status"]),
                message: text(&result["message"]),
            })
            .collect())
    }

    /// The SQL that a model became.
    pub fn compiled(&self, path: &str) -> Result<String> {
        let file = self.folder.join("target/compiled/zenfloe/models").join(path);
        fs::read_to_string(&file).with_context(|| format!("reading {}", file.display()))
    }
}
