//! Programs of the operating system: found, or installed where this process may.

use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::cache;
use crate::error::Error;

/// A program that the harness calls, and the Debian package that brings it.
pub(crate) struct Tool {
    pub(crate) command: &'static str,
    package: &'static str,
}

pub(crate) const JAVA: Tool = tool("java", "default-jre-headless");
pub(crate) const MAVEN: Tool = tool("mvn", "maven");
pub(crate) const TAR: Tool = tool("tar", "tar");
pub(crate) const OPENSSL: Tool = tool("openssl", "openssl");
/// With its `venv` module.
pub(crate) const PYTHON: Tool = tool("python3", "python3-venv");
/// Binds the life of a service to the process that started it.
pub(crate) const SETPRIV: Tool = tool("setpriv", "util-linux");

/// All tools, in the order in which they are needed.
pub(crate) const ALL: [&Tool; 6] = [&SETPRIV, &JAVA, &MAVEN, &TAR, &OPENSSL, &PYTHON];

const fn tool(command: &'static str, package: &'static str) -> Tool {
    Tool { command, package }
}

impl Tool {
    /// Returns the program's path, installing its package where it is missing and that is allowed.
    pub(crate) fn find_or_install(&self, progress: &dyn Fn(&str)) -> Result<PathBuf, Error> {
        if let Some(found) = on_path(self.command) {
            return Ok(found);
        }
        install(self.command, self.package, progress)?;
        on_path(self.command).ok_or_else(|| missing(self.command, self.package))
    }

    /// A command line that begins with this program.
    pub(crate) fn command(&self, progress: &dyn Fn(&str)) -> Result<Command, Error> {
        Ok(Command::new(self.find_or_install(progress)?))
    }
}

/// The folder with `initdb`, `postgres` and `psql`; Debian keeps it off the path. The newest wins.
pub(crate) fn postgres_binaries(progress: &dyn Fn(&str)) -> Result<PathBuf, Error> {
    if let Some(found) = find_postgres() {
        return Ok(found);
    }
    install("initdb", "postgresql", progress)?;
    find_postgres().ok_or_else(|| missing("initdb", "postgresql"))
}

fn find_postgres() -> Option<PathBuf> {
    let complete = |folder: &Path| {
        ["initdb", "postgres", "psql"]
            .iter()
            .all(|name| folder.join(name).is_file())
    };
    if let Some(folder) = on_path("initdb").and_then(|file| Some(file.parent()?.to_owned()))
        && complete(&folder)
    {
        return Some(folder);
    }
    std::fs::read_dir("/usr/lib/postgresql")
        .ok()?
        .flatten()
        .filter_map(|entry| {
            let version: u32 = entry.file_name().to_str()?.parse().ok()?;
            Some((version, entry.path().join("bin")))
        })
        .filter(|(_, folder)| complete(folder))
        .max()
        .map(|(_, folder)| folder)
}

/// Tells whether this process is root, which PostgreSQL refuses to run as.
pub(crate) fn is_root() -> bool {
    std::fs::metadata("/proc/self").is_ok_and(|about| about.uid() == 0)
}

/// User and group id of an account of this machine.
pub(crate) fn account(name: &str) -> Result<(u32, u32), Error> {
    let id = |what: &str| -> Result<u32, Error> {
        let said = run(Command::new("id").arg(what).arg(name))?;
        said.trim()
            .parse()
            .map_err(|_| Error::answer("id", format!("`{}`", said.trim())))
    };
    Ok((id("-u")?, id("-g")?))
}

/// Runs a helper program to its end and returns what it printed.
pub(crate) fn run(command: &mut Command) -> Result<String, Error> {
    let line = describe(command);
    let done = command
        .stdin(std::process::Stdio::null())
        .output()
        .map_err(Error::io(format!("running `{line}`")))?;
    let printed = String::from_utf8_lossy(&done.stdout).into_owned();
    if done.status.success() {
        return Ok(printed);
    }
    let said = printed + &String::from_utf8_lossy(&done.stderr);
    Err(Error::Command {
        command: line,
        output: format!("{}\n{}", done.status, tail(&said, 30)),
    })
}

/// The last lines of a text.
pub(crate) fn tail(text: &str, lines: usize) -> String {
    let all: Vec<&str> = text.lines().collect();
    all[all.len().saturating_sub(lines)..].join("\n")
}

fn describe(command: &Command) -> String {
    std::iter::once(command.get_program())
        .chain(command.get_args())
        .map(|word| word.to_string_lossy())
        .collect::<Vec<_>>()
        .join(" ")
}

fn on_path(command: &str) -> Option<PathBuf> {
    std::env::split_paths(&std::env::var_os("PATH")?)
        .map(|folder| folder.join(command))
        .find(|file| file.is_file())
}

fn install(command: &str, package: &str, progress: &dyn Fn(&str)) -> Result<(), Error> {
    if !is_root() || on_path("apt-get").is_none() {
        return Err(missing(command, package));
    }
    let _lock = cache::lock("packages", progress)?;
    progress(&format!("installing {package}"));
    run(Command::new("apt-get").args(["update", "-q"]))?;
    run(Command::new("apt-get")
        .args(["install", "-qy", "--no-install-recommends", package])
        .env("DEBIAN_FRONTEND", "noninteractive"))?;
    Ok(())
}

fn missing(command: &str, package: &str) -> Error {
    Error::Missing {
        what: command.to_owned(),
        remedy: format!(
            "install it first (Debian: `apt-get install {package}`; as root on Debian this happens by itself)"
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_missing_program_names_the_remedy() {
        let error = missing("mvn", "maven").to_string();
        assert!(
            error.contains("`mvn` is missing") && error.contains("apt-get install maven"),
            "{error}"
        );
    }

    #[test]
    fn a_failing_helper_shows_what_it_said() {
        let error = run(Command::new("sh").args(["-c", "echo cause >&2; exit 3"])).expect_err("it fails");
        let error = error.to_string();
        assert!(error.contains("cause") && error.contains("exit status: 3"), "{error}");
    }

    #[test]
    fn tail_keeps_the_end() {
        assert_eq!(tail("a\nb\nc\n", 2), "b\nc");
        assert_eq!(tail("a", 5), "a");
    }
}
