//! fakesnow as a process: the driver protocol on DuckDB, written by others.

use std::path::Path;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Weak};
use std::time::Duration;

use anyhow::{Context, Result, bail};
use tempfile::TempDir;
use tokio::sync::Mutex;
use zenfloe_harness::{Child, Program, http_get};

use crate::python;

/// How fakesnow is run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// As it is published.
    Plain,
    /// With DuckDB's own MERGE, which works within a transaction.
    NativeMerge,
}

/// A running fakesnow; it ends with its handle.
#[derive(Debug)]
pub struct Engine {
    url: String,
    process: Child,
    _folder: TempDir,
}

/// How long it may take to answer: it imports a few hundred modules.
const PATIENCE: Duration = Duration::from_secs(90);

/// The engines that tests of this process share, by kind.
static SHARED: [Mutex<Weak<Engine>>; 2] = [const { Mutex::const_new(Weak::new()) }; 2];
static SCHEMAS: AtomicU32 = AtomicU32::new(0);

impl Engine {
    /// One that all tests of this process share while one of them holds it: starting it takes longer than most tests.
    ///
    /// Whoever uses it takes a schema of its own ([`Engine::new_schema`]).
    pub async fn shared(kind: Kind) -> Result<Arc<Self>> {
        let mut shared = SHARED[kind as usize].lock().await;
        if let Some(engine) = shared.upgrade() {
            return Ok(engine);
        }
        let engine = Arc::new(Self::start(kind).await?);
        *shared = Arc::downgrade(&engine);
        Ok(engine)
    }

    /// The name of a schema that nobody else in this process has been given.
    pub fn new_schema() -> String {
        format!("mart_{}", SCHEMAS.fetch_add(1, Ordering::Relaxed))
    }

    /// Starts it with an empty store and waits until it answers.
    pub async fn start(kind: Kind) -> Result<Self> {
        let programs = tokio::task::spawn_blocking(python::programs).await??;
        for _ in 0..5 {
            let mut engine = Self::spawn(kind, &programs)?;
            if engine.is_ready().await? {
                return Ok(engine);
            }
        }
        bail!("fakesnow found no free port");
    }

    fn spawn(kind: Kind, programs: &Path) -> Result<Self> {
        let (folder, port) = (tempfile::tempdir().context("making a temporary folder")?, free_port()?);
        let program = match kind {
            Kind::Plain => Program::new("fakesnow", programs.join("fakesnow"))
                .args(["-s", "--host", "127.0.0.1", "-p"])
                .arg(port.to_string()),
            Kind::NativeMerge => {
                let script = folder.path().join("native_merge.py");
                std::fs::write(&script, include_str!("../engine/native_merge.py")).context("writing a script")?;
                let python = Program::new("fakesnow", programs.join("python"));
                python.arg(script).arg(port.to_string())
            }
        };
        // Files of the stage lie below the temporary folder, and go with it.
        let process = program.env("TMPDIR", folder.path()).start(folder.path())?;
        Ok(Self {
            url: format!("http://127.0.0.1:{port}"),
            process,
            _folder: folder,
        })
    }

    /// Waits until it answers; `false` when it ended, as it does when its port was taken meanwhile.
    async fn is_ready(&mut self) -> Result<bool> {
        let deadline = tokio::time::Instant::now() + PATIENCE;
        while tokio::time::Instant::now() < deadline {
            if !self.process.is_running() {
                return Ok(false);
            }
            if http_get(&format!("{}/", self.url)).await.is_ok() {
                return Ok(true);
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        bail!("fakesnow did not answer within {PATIENCE:?}");
    }

    /// Where it answers, `http://127.0.0.1:port`.
    pub fn url(&self) -> &str {
        &self.url
    }
}

fn free_port() -> Result<u16> {
    let listener = std::net::TcpListener::bind(("127.0.0.1", 0)).context("looking for a free port")?;
    Ok(listener.local_addr()?.port())
}
