//! Apicurio Registry, asked through its Confluent-compatible interface.

use std::path::PathBuf;
use std::time::{Duration, Instant};

use crate::child::{Child, Program};
use crate::error::Error;
use crate::folder::Folder;
use crate::{cache, http, part, port, system};

const WITHIN: Duration = Duration::from_secs(90);
const STARTS: usize = 3;

/// A schema registry. It keeps its schemas over [`Registry::kill`] and [`Registry::restart`].
#[derive(Debug)]
pub struct Registry {
    /// Where the Confluent protocol is spoken. It carries a path: join to it, do not replace it.
    pub url: String,
    program: Program,
    child: Child,
    folder: Folder,
}

impl Registry {
    /// Starts a registry with an empty store and returns when it answers.
    ///
    /// Its global compatibility level is `BACKWARD`, Confluent's default; its own would be `NONE`.
    pub async fn start() -> Result<Self, Error> {
        let (java, home) = blocking(|progress| {
            Ok((
                system::JAVA.find_or_install(progress)?,
                cache::ensure(&part::REGISTRY, progress)?,
            ))
        })
        .await?;
        for _ in 1..STARTS {
            match Self::try_start(java.clone(), home.clone()).await {
                Err(Error::PortTaken { .. }) => {}
                outcome => return outcome,
            }
        }
        Self::try_start(java, home).await
    }

    async fn try_start(java: PathBuf, home: PathBuf) -> Result<Self, Error> {
        let folder = Folder::new("registry")?;
        let port = port::free_one()?;
        let data = folder.path().join("schemas");
        let program = Program::new("registry", java)
            .arg("-Xmx256m")
            .arg(format!("-Djava.io.tmpdir={}", folder.path().display()))
            .arg("-Dquarkus.http.host=127.0.0.1")
            .arg(format!("-Dquarkus.http.port={port}"))
            .arg("-Dregistry.storage.kind=sql")
            // H2 writes what is committed half a second later, unless it is told otherwise: a kill would lose it.
            .arg(format!(
                "-Dquarkus.datasource.jdbc.url=jdbc:h2:file:{};WRITE_DELAY=0",
                data.display()
            ))
            .arg("-jar")
            .arg(home.join("apicurio-registry-app-2.6.13.Final-runner.jar"))
            .current_dir(folder.path());
        let child = program.start(folder.path())?;
        let mut registry = Self {
            url: format!("http://127.0.0.1:{port}/apis/ccompat/v7"),
            program,
            child,
            folder,
        };
        registry.until_it_answers().await?;
        registry.set_compatibility("BACKWARD").await?;
        Ok(registry)
    }

    /// Sets the global compatibility level: `NONE`, `BACKWARD`, `BACKWARD_TRANSITIVE`, …
    pub async fn set_compatibility(&self, level: &str) -> Result<(), Error> {
        let body = format!(r#"{{"compatibility":"{level}"}}"#);
        let answer = http::http_request("PUT", &format!("{}/config", self.url), Some(&body)).await?;
        if answer.status == 200 {
            return Ok(());
        }
        Err(Error::answer("registry", format!("{}: {}", answer.status, answer.body)))
    }

    /// Stops it with SIGTERM.
    pub async fn stop(&mut self) -> Result<(), Error> {
        self.child.terminate(Duration::from_secs(20)).await.map(drop)
    }

    /// Kills it with SIGKILL.
    pub fn kill(&mut self) -> Result<(), Error> {
        self.child.kill()
    }

    /// Starts it again on the same address with the same schemas, killing it first if it runs.
    pub async fn restart(&mut self) -> Result<(), Error> {
        self.child.kill()?;
        self.child = self.program.start(self.folder.path())?;
        self.until_it_answers().await
    }

    /// The process, to look at or to send signals to.
    pub fn child(&mut self) -> &mut Child {
        &mut self.child
    }

    async fn until_it_answers(&mut self) -> Result<(), Error> {
        let deadline = Instant::now() + WITHIN;
        let subjects = format!("{}/subjects", self.url);
        loop {
            if !self.child.is_running() {
                return Err(self.child.failed("it ended"));
            }
            match http::http_get(&subjects).await {
                // Another process on this port would answer as well: only the one that runs counts.
                Ok(answer) if answer.status == 200 && self.child.is_running() => return Ok(()),
                _ if Instant::now() > deadline => {
                    return Err(self.child.failed(format!("no answer after {WITHIN:?}")));
                }
                _ => tokio::time::sleep(Duration::from_millis(100)).await,
            }
        }
    }
}

/// Runs what may fetch or install off the async runtime's own threads.
pub(crate) async fn blocking<T: Send + 'static>(
    work: impl FnOnce(&dyn Fn(&str)) -> Result<T, Error> + Send + 'static,
) -> Result<T, Error> {
    tokio::task::spawn_blocking(move || work(&|line| eprintln!("{line}")))
        .await
        .expect("fetching does not panic")
}
