//! Processes: services and the product's own binaries, started, watched, killed and measured.

use std::ffi::OsString;
use std::fs::OpenOptions;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use crate::error::Error;
use crate::usage::{self, Metrics, Usage};
use crate::{http, spawner, system};

/// Between two looks at a process.
const PAUSE: Duration = Duration::from_millis(20);
/// How much of a log an error shows, in lines.
const TAIL: usize = 40;

/// A program of this workspace, built beside the running one.
pub fn program_beside(name: &str) -> Result<PathBuf, Error> {
    let missing = |at: &Path| Error::Missing {
        what: name.to_owned(),
        remedy: format!(
            "build it first, beside {}: `cargo build -p {name}` with the same profile",
            at.display()
        ),
    };
    let this = std::env::current_exe().map_err(|_| missing(Path::new("this program")))?;
    // Tests lie in `deps`, one folder below.
    let places = this.ancestors().skip(1).take(2).map(|folder| folder.join(name));
    places
        .into_iter()
        .find(|place| place.is_file())
        .ok_or_else(|| missing(&this))
}

/// What to start: a file with its arguments and environment. Can be started any number of times.
///
/// The environment of this process is inherited; what is set here comes on top.
#[derive(Debug, Clone)]
pub struct Program {
    name: String,
    file: PathBuf,
    arguments: Vec<OsString>,
    variables: Vec<(OsString, OsString)>,
    folder: Option<PathBuf>,
    account: Option<(u32, u32)>,
}

impl Program {
    /// A program by its path. `name` names its log files and stands in errors.
    pub fn new(name: impl Into<String>, file: impl Into<PathBuf>) -> Self {
        Self {
            name: name.into(),
            file: file.into(),
            arguments: Vec::new(),
            variables: Vec::new(),
            folder: None,
            account: None,
        }
    }

    /// Adds one argument.
    #[must_use]
    pub fn arg(mut self, argument: impl Into<OsString>) -> Self {
        self.arguments.push(argument.into());
        self
    }

    /// Adds arguments.
    #[must_use]
    pub fn args<A: Into<OsString>>(mut self, arguments: impl IntoIterator<Item = A>) -> Self {
        self.arguments.extend(arguments.into_iter().map(Into::into));
        self
    }

    /// Sets one variable of the environment.
    #[must_use]
    pub fn env(mut self, name: impl Into<OsString>, value: impl Into<OsString>) -> Self {
        self.variables.push((name.into(), value.into()));
        self
    }

    /// Sets the folder in which it runs; else it is this process's.
    #[must_use]
    pub fn current_dir(mut self, folder: impl Into<PathBuf>) -> Self {
        self.folder = Some(folder.into());
        self
    }

    /// Runs it as another account (user and group id), which only root may.
    pub(crate) fn account(mut self, account: Option<(u32, u32)>) -> Self {
        self.account = account;
        self
    }

    /// Starts it. What it prints is appended to `<name>.out` and `<name>.err` in the folder `logs`.
    pub fn start(&self, logs: &Path) -> Result<Child, Error> {
        let out = Log::open(logs.join(format!("{}.out", self.name)))?;
        let err = Log::open(logs.join(format!("{}.err", self.name)))?;
        if !self.file.is_file() {
            return Err(Error::Missing {
                what: self.file.display().to_string(),
                remedy: "build it first".to_owned(),
            });
        }
        let mut command = self.command()?;
        command
            .stdin(Stdio::null())
            .stdout(out.for_writing()?)
            .stderr(err.for_writing()?);
        let process = spawner::spawn(command).map_err(Error::io(format!("starting {}", self.name)))?;
        Ok(Child {
            name: self.name.clone(),
            process,
            ended: None,
            usage: Usage::default(),
            out,
            err,
        })
    }

    /// `setpriv` asks the kernel to kill the process when this one dies, however that happens, and
    /// becomes the program, so that its process id is the program's. It changes the account first,
    /// since doing so clears the request.
    fn command(&self) -> Result<Command, Error> {
        use std::os::unix::process::CommandExt;
        let mut command = system::SETPRIV.command(&|line| eprintln!("{line}"))?;
        command.args(["--pdeathsig", "KILL"]);
        if let Some((user, group)) = self.account {
            command
                .arg(format!("--reuid={user}"))
                .arg(format!("--regid={group}"))
                .arg("--init-groups");
        }
        command.arg("--").arg(&self.file).args(&self.arguments);
        command.envs(self.variables.iter().map(|(name, value)| (name, value)));
        if let Some(folder) = &self.folder {
            command.current_dir(folder);
        }
        command.process_group(0);
        Ok(command)
    }
}

/// A running process. It is killed when the handle is dropped, and by the kernel when this process
/// dies.
#[derive(Debug)]
pub struct Child {
    name: String,
    process: std::process::Child,
    ended: Option<ExitStatus>,
    usage: Usage,
    out: Log,
    err: Log,
}

impl Child {
    /// The process id.
    #[must_use]
    pub fn id(&self) -> u32 {
        self.process.id()
    }

    /// Tells whether it has not ended yet.
    pub fn is_running(&mut self) -> bool {
        matches!(self.look(), Ok(None))
    }

    /// Kills it (SIGKILL, with all of its process group) and returns when it is gone.
    pub fn kill(&mut self) -> Result<(), Error> {
        if self.look()?.is_some() {
            return Ok(());
        }
        let group = self.send("KILL", &format!("-{}", self.id()));
        // The group's leader once more by its handle, which needs no helper program.
        let leader = self.process.kill();
        let status = self
            .process
            .wait()
            .map_err(Error::io(format!("waiting for {}", self.name)))?;
        self.ended = Some(status);
        if leader.is_ok() { Ok(()) } else { group }
    }

    /// Sends a signal by its name without SIG: `TERM`, `STOP`, `CONT`, …
    pub fn signal(&self, name: &str) -> Result<(), Error> {
        self.send(name, &self.id().to_string())
    }

    /// Sends SIGTERM and waits for its end.
    pub async fn terminate(&mut self, within: Duration) -> Result<ExitStatus, Error> {
        if self.look()?.is_none() {
            self.signal("TERM")?;
        }
        self.wait(within).await
    }

    /// Waits for its end. When the time is over it goes on running.
    pub async fn wait(&mut self, within: Duration) -> Result<ExitStatus, Error> {
        let deadline = Instant::now() + within;
        loop {
            if let Some(status) = self.look()? {
                return Ok(status);
            }
            if Instant::now() > deadline {
                return Err(self.late("its end", within));
            }
            tokio::time::sleep(PAUSE).await;
        }
    }

    /// Waits until `find` sees in what was printed what it looks for. Fails when the process ends
    /// first or the time is over; the error shows the end of the log.
    pub async fn until_output<T>(
        &mut self,
        what: &str,
        within: Duration,
        find: impl Fn(&str) -> Option<T>,
    ) -> Result<T, Error> {
        let deadline = Instant::now() + within;
        loop {
            let status = self.look()?;
            if let Some(found) = find(&self.output()) {
                return Ok(found);
            }
            if let Some(status) = status {
                return Err(self.failed(format!("it ended with {status}")));
            }
            if Instant::now() > deadline {
                return Err(self.failed(format!("no sign of {what} after {within:?}")));
            }
            tokio::time::sleep(PAUSE).await;
        }
    }

    /// Memory and CPU time so far; of a process that ended under [`Child::wait`], the final CPU time
    /// and the last memory that was seen.
    pub fn usage(&mut self) -> Result<Usage, Error> {
        self.look()?;
        Ok(self.usage)
    }

    /// Reads its metrics from the admin address, `host:port`.
    pub async fn metrics(&self, admin: &str) -> Result<Metrics, Error> {
        let answer = http::http_get(&format!("http://{admin}/metrics")).await?;
        if answer.status != 200 {
            return Err(Error::answer(
                &self.name,
                format!("status {} for /metrics", answer.status),
            ));
        }
        Ok(Metrics::new(answer.body))
    }

    /// All that it printed since it was started: standard output, then standard error.
    #[must_use]
    pub fn output(&self) -> String {
        self.out.since_start() + &self.err.since_start()
    }

    /// What it printed on standard output since it was started.
    #[must_use]
    pub fn stdout(&self) -> String {
        self.out.since_start()
    }

    /// The file that collects standard output over all starts.
    #[must_use]
    pub fn stdout_file(&self) -> &Path {
        &self.out.file
    }

    /// The file that collects standard error over all starts.
    #[must_use]
    pub fn stderr_file(&self) -> &Path {
        &self.err.file
    }

    /// An error of a start, with the end of the log.
    pub(crate) fn failed(&self, reason: impl Into<String>) -> Error {
        let output = self.output();
        let service = self.name.clone();
        let log = system::tail(&output, TAIL);
        // How Java, Kafka, Quarkus and PostgreSQL say it; a long farewell may follow.
        let signs = ["Address already in use", "BindException", "seems to be in use"];
        if signs.iter().any(|sign| output.contains(sign)) {
            return Error::PortTaken { service, log };
        }
        let reason = reason.into();
        Error::Start { service, reason, log }
    }

    fn late(&self, what: &str, within: Duration) -> Error {
        Error::Late {
            what: format!("{}: {what}", self.name),
            within,
        }
    }

    /// Notes the usage, and the end when it has come. The usage of a process that ended can be read
    /// until it is waited for, so the last word is read between the two.
    fn look(&mut self) -> Result<Option<ExitStatus>, Error> {
        if self.ended.is_some() {
            return Ok(self.ended);
        }
        let (seen, has_ended) = usage::read(self.id())?;
        self.usage.cpu = seen.cpu;
        self.usage.peak_resident = self.usage.peak_resident.max(seen.peak_resident);
        if seen.resident > 0 {
            self.usage.resident = seen.resident;
        }
        if has_ended {
            self.ended = self
                .process
                .try_wait()
                .map_err(Error::io(format!("waiting for {}", self.name)))?;
        }
        Ok(self.ended)
    }

    /// Signals are sent by the shell's own `kill`: the system call would need unsafe code.
    fn send(&self, signal: &str, to: &str) -> Result<(), Error> {
        system::run(Command::new("sh").args(["-c", r#"kill -s "$1" -- "$2""#, "sh", signal, to])).map(drop)
    }
}

impl Drop for Child {
    fn drop(&mut self) {
        if let Err(error) = self.kill() {
            eprintln!("{}: not killed: {error}", self.name);
        }
    }
}

/// A log file, and where the present run begins in it.
#[derive(Debug)]
struct Log {
    file: PathBuf,
    start: usize,
}

impl Log {
    fn open(file: PathBuf) -> Result<Self, Error> {
        let start = std::fs::metadata(&file).map_or(0, |about| about.len());
        let start = usize::try_from(start).expect("a log fits the memory");
        Ok(Self { file, start })
    }

    fn for_writing(&self) -> Result<Stdio, Error> {
        OpenOptions::new()
            .create(true)
            .append(true)
            .open(&self.file)
            .map(Stdio::from)
            .map_err(Error::io(format!("opening {}", self.file.display())))
    }

    fn since_start(&self) -> String {
        let all = std::fs::read(&self.file).unwrap_or_default();
        String::from_utf8_lossy(all.get(self.start..).unwrap_or_default()).into_owned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shell(script: &str) -> Program {
        Program::new("shell", "/bin/sh").args(["-c", script])
    }

    const LONG: Duration = Duration::from_secs(20);

    #[tokio::test]
    async fn a_program_prints_and_ends() {
        let logs = tempfile::tempdir().expect("a folder");
        let mut child = shell("echo $A; echo err >&2; exit 4")
            .env("A", "out")
            .start(logs.path())
            .expect("started");
        assert_eq!(child.wait(LONG).await.expect("it ends").code(), Some(4));
        assert_eq!(
            (child.stdout().as_str(), child.output().as_str()),
            ("out\n", "out\nerr\n")
        );
    }

    #[tokio::test]
    async fn a_second_start_sees_its_own_output() {
        let logs = tempfile::tempdir().expect("a folder");
        for said in ["one\n", "two\n"] {
            let mut child = shell(&format!("printf '{said}'")).start(logs.path()).expect("started");
            child.wait(LONG).await.expect("it ends");
            assert_eq!(child.output(), said);
        }
        let all = std::fs::read_to_string(logs.path().join("shell.out")).expect("the log");
        assert_eq!(all, "one\ntwo\n");
    }

    #[tokio::test]
    async fn cpu_time_is_known_after_the_end() {
        let logs = tempfile::tempdir().expect("a folder");
        let busy = "i=0; while [ $i -lt 300000 ]; do i=$((i+1)); done";
        let mut child = shell(busy).start(logs.path()).expect("started");
        child.wait(LONG).await.expect("it ends");
        let usage = child.usage().expect("usage");
        assert!(
            usage.cpu >= Duration::from_millis(20) && usage.peak_resident > 0,
            "{usage:?}"
        );
    }

    #[tokio::test]
    async fn terminate_is_a_request_and_kill_is_not() {
        let logs = tempfile::tempdir().expect("a folder");
        let deaf = "trap 'echo heard' TERM; echo ready; while :; do sleep 0.05; done";
        let mut child = shell(deaf).start(logs.path()).expect("started");
        let ready = |said: &str| said.contains("ready").then_some(());
        child.until_output("readiness", LONG, ready).await.expect("ready");
        let late = child
            .terminate(Duration::from_millis(300))
            .await
            .expect_err("it goes on");
        assert!(matches!(late, Error::Late { .. }) && child.is_running());
        assert!(child.output().contains("heard"));
        child.kill().expect("killed");
        assert!(!child.is_running());
    }

    #[tokio::test]
    async fn a_process_and_its_children_end_with_the_handle() {
        let logs = tempfile::tempdir().expect("a folder");
        let mut child = shell("sleep 600 & echo $!; wait").start(logs.path()).expect("started");
        let number = |said: &str| said.strip_suffix('\n')?.parse::<u32>().ok();
        let grandchild = child.until_output("a number", LONG, number).await.expect("printed");
        let own = child.id();
        drop(child);
        assert!(!Path::new(&format!("/proc/{own}")).exists());
        assert!(is_gone(grandchild).await, "the whole group is killed");
    }

    /// Whoever inherits an orphan takes a moment to clear it away.
    async fn is_gone(pid: u32) -> bool {
        for _ in 0..200 {
            match usage::read(pid) {
                Err(_) | Ok((_, true)) => return true,
                Ok((_, false)) => tokio::time::sleep(PAUSE).await,
            }
        }
        false
    }

    #[tokio::test]
    async fn an_early_end_shows_the_log() {
        let logs = tempfile::tempdir().expect("a folder");
        let mut child = shell("echo the cause >&2; exit 1").start(logs.path()).expect("started");
        let never = |_: &str| None::<()>;
        let error = child
            .until_output("readiness", LONG, never)
            .await
            .expect_err("it ended")
            .to_string();
        assert!(
            error.contains("the cause") && error.contains("exit status: 1"),
            "{error}"
        );
    }

    #[test]
    fn a_missing_program_is_an_error() {
        let logs = tempfile::tempdir().expect("a folder");
        let error = Program::new("p", "/no/such/file")
            .start(logs.path())
            .expect_err("missing");
        assert!(
            error.to_string().contains("`/no/such/file` is missing; build it first"),
            "{error}"
        );
    }
}
