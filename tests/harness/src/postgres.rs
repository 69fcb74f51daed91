//! PostgreSQL, from the binaries of the system.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use crate::certificate::Certificate;
use crate::child::{Child, Program};
use crate::error::Error;
use crate::folder::Folder;
use crate::registry::blocking;
use crate::{port, system};

const WITHIN: Duration = Duration::from_secs(60);
const STARTS: usize = 3;
const USER: &str = "zf";

/// How a server is set up.
#[derive(Debug, Clone, Default)]
pub struct PostgresConfig {
    /// Accept connections over TLS alone, signed in with a password; else neither is asked for.
    pub tls: bool,
    /// Further settings, as `postgres -c` takes them.
    pub settings: Vec<(String, String)>,
}

/// A database server with a data folder of its own, which it keeps over [`Postgres::kill`] and
/// [`Postgres::restart`].
#[derive(Debug)]
pub struct Postgres {
    /// Its address.
    pub host: String,
    /// Its port.
    pub port: u16,
    /// A superuser.
    pub user: String,
    /// The user's password, where one is asked for.
    pub password: Option<String>,
    /// The authority that vouches for its certificate, as a PEM file, when it speaks TLS.
    pub ca: Option<PathBuf>,
    binaries: PathBuf,
    program: Program,
    child: Child,
    folder: Folder,
}

impl Postgres {
    /// Starts a server and returns when it answers.
    pub async fn start() -> Result<Self, Error> {
        Self::start_with(PostgresConfig::default()).await
    }

    /// Starts a server set up as `config` says and returns when it answers.
    pub async fn start_with(config: PostgresConfig) -> Result<Self, Error> {
        for _ in 1..STARTS {
            match Self::try_start(config.clone()).await {
                Err(Error::PortTaken { .. }) => {}
                outcome => return outcome,
            }
        }
        Self::try_start(config).await
    }

    async fn try_start(config: PostgresConfig) -> Result<Self, Error> {
        let mut server = blocking(move |progress| Self::prepare(&config, progress)).await?;
        server.until_it_answers().await?;
        Ok(server)
    }

    /// Makes the data folder and starts the server on it.
    fn prepare(config: &PostgresConfig, progress: &dyn Fn(&str)) -> Result<Self, Error> {
        let binaries = system::postgres_binaries(progress)?;
        let folder = Folder::new("postgres")?;
        let password = config.tls.then(|| "correct horse battery".to_owned());
        let certificate = config
            .tls
            .then(|| Certificate::make(&folder.path().join("tls")))
            .transpose()?;
        if let Some(password) = &password {
            write(&folder.path().join("password"), password)?;
        }
        // The server refuses to run as root; Debian's package brings an account for it.
        let account = system::is_root().then(|| system::account("postgres")).transpose()?;
        if let Some(account) = account {
            give(folder.path(), account)?;
        }
        make_data_folder(&binaries, folder.path(), account, password.is_some())?;
        if config.tls {
            let rules = "hostssl all all 127.0.0.1/32 scram-sha-256\n";
            write(&folder.path().join("data/pg_hba.conf"), rules)?;
        }
        let port = port::free_one()?;
        let program = server(&binaries, folder.path(), port, config, certificate.as_ref()).account(account);
        let child = program.start(folder.path())?;
        Ok(Self {
            host: "127.0.0.1".to_owned(),
            port,
            user: USER.to_owned(),
            password,
            ca: certificate.map(|made| made.authority),
            binaries,
            program,
            child,
            folder,
        })
    }

    /// The address of a database, with user and password: `postgres://…`. The database `postgres` is
    /// always there.
    #[must_use]
    pub fn url(&self, database: &str) -> String {
        let password = self
            .password
            .as_ref()
            .map_or_else(String::new, |password| format!(":{}", password.replace(' ', "%20")));
        format!(
            "postgres://{}{password}@{}:{}/{database}",
            self.user, self.host, self.port
        )
    }

    /// Creates an empty database and returns its address.
    pub async fn create_database(&self, name: &str) -> Result<String, Error> {
        let quoted = name.replace('"', "\"\"");
        self.query("postgres", &format!("CREATE DATABASE \"{quoted}\"")).await?;
        Ok(self.url(name))
    }

    /// Runs statements through `psql`; rows come as lines, columns separated by `|`.
    pub async fn query(&self, database: &str, sql: &str) -> Result<String, Error> {
        let mut psql = Command::new(self.binaries.join("psql"));
        psql.args(["-X", "-q", "-A", "-t", "-v", "ON_ERROR_STOP=1", "-c", sql])
            .env("PGHOST", &self.host)
            .env("PGPORT", self.port.to_string())
            .env("PGUSER", &self.user)
            .env("PGDATABASE", database)
            .env("PGCONNECT_TIMEOUT", "10");
        if let Some(password) = &self.password {
            psql.env("PGPASSWORD", password);
        }
        if let Some(ca) = &self.ca {
            psql.env("PGSSLMODE", "verify-full").env("PGSSLROOTCERT", ca);
        }
        let printed = blocking(move |_| system::run(&mut psql)).await?;
        Ok(printed.trim_end().to_owned())
    }

    /// Stops it with SIGINT: connections are cut, what was committed is written.
    pub async fn stop(&mut self) -> Result<(), Error> {
        if self.child.is_running() {
            self.child.signal("INT")?;
        }
        self.child.wait(Duration::from_secs(30)).await.map(drop)
    }

    /// Kills it with SIGKILL; its connections break.
    pub fn kill(&mut self) -> Result<(), Error> {
        self.child.kill()
    }

    /// Starts it again on the same port and data, killing it first if it runs.
    pub async fn restart(&mut self) -> Result<(), Error> {
        self.child.kill()?;
        let deadline = Instant::now() + WITHIN;
        loop {
            self.child = self.program.start(self.folder.path())?;
            match self.until_it_answers().await {
                // The processes of its connections notice the death of the first one a moment later.
                Err(error) if is_held_still(&error) && Instant::now() < deadline => {
                    tokio::time::sleep(Duration::from_millis(100)).await;
                }
                outcome => return outcome,
            }
        }
    }

    /// The process, to look at or to send signals to.
    pub fn child(&mut self) -> &mut Child {
        &mut self.child
    }

    async fn until_it_answers(&mut self) -> Result<(), Error> {
        let ready = |said: &str| said.contains("ready to accept connections").then_some(());
        self.child.until_output("readiness", WITHIN, ready).await?;
        self.query("postgres", "SELECT 1").await.map(drop)
    }
}

/// Tells whether what is left of a killed server holds its port or its shared memory.
fn is_held_still(error: &Error) -> bool {
    match error {
        Error::PortTaken { .. } => true,
        Error::Start { log, .. } => log.contains("still in use"),
        _ => false,
    }
}

/// Runs `initdb`, as the server's account where there is one.
fn make_data_folder(
    binaries: &Path,
    folder: &Path,
    account: Option<(u32, u32)>,
    with_password: bool,
) -> Result<(), Error> {
    let mut command = system::SETPRIV.command(&|line| eprintln!("{line}"))?;
    if let Some((user, group)) = account {
        command
            .arg(format!("--reuid={user}"))
            .arg(format!("--regid={group}"))
            .arg("--init-groups");
    }
    command
        .arg("--")
        .arg(binaries.join("initdb"))
        .args(["--no-sync", "--encoding=UTF8", "--locale=C"])
        .arg(format!("--username={USER}"))
        .arg("--pgdata")
        .arg(folder.join("data"))
        .current_dir(folder);
    if with_password {
        command
            .arg("--auth=scram-sha-256")
            .arg("--pwfile")
            .arg(folder.join("password"));
    } else {
        command.arg("--auth=trust");
    }
    system::run(&mut command).map(drop)
}

/// The server's command line. Without `fsync` a killed process still loses nothing, only a killed
/// machine does.
fn server(
    binaries: &Path,
    folder: &Path,
    port: u16,
    config: &PostgresConfig,
    certificate: Option<&Certificate>,
) -> Program {
    let mut settings = vec![
        ("listen_addresses".to_owned(), "127.0.0.1".to_owned()),
        ("port".to_owned(), port.to_string()),
        ("unix_socket_directories".to_owned(), String::new()),
        ("fsync".to_owned(), "off".to_owned()),
    ];
    if let Some(certificate) = certificate {
        settings.extend([
            ("ssl".to_owned(), "on".to_owned()),
            ("ssl_cert_file".to_owned(), certificate.server.display().to_string()),
            ("ssl_key_file".to_owned(), certificate.key.display().to_string()),
        ]);
    }
    settings.extend(config.settings.iter().cloned());
    Program::new("postgres", binaries.join("postgres"))
        .arg("-D")
        .arg(folder.join("data"))
        .args(
            settings
                .iter()
                .flat_map(|(name, value)| ["-c".to_owned(), format!("{name}={value}")]),
        )
        .env("LC_ALL", "C") // the signs of readiness in the log are English
        .current_dir(folder)
}

/// Gives a folder and all that is in it to an account.
fn give(folder: &Path, account: (u32, u32)) -> Result<(), Error> {
    let doing = || format!("giving {} to the database's account", folder.display());
    std::os::unix::fs::chown(folder, Some(account.0), Some(account.1)).map_err(Error::io(doing()))?;
    if folder.is_dir() {
        for entry in std::fs::read_dir(folder).map_err(Error::io(doing()))? {
            give(&entry.map_err(Error::io(doing()))?.path(), account)?;
        }
    }
    Ok(())
}

fn write(file: &Path, content: &str) -> Result<(), Error> {
    std::fs::write(file, content).map_err(Error::io(format!("writing {}", file.display())))
}
