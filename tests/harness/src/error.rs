//! What can go wrong while services are fetched, started and talked to.

use std::path::PathBuf;
use std::time::Duration;

/// A service or a program could not be fetched, started or asked.
#[derive(thiserror::Error)]
pub enum Error {
    /// A program of the system is missing and may not be installed from here.
    #[error("`{what}` is missing; {remedy}")]
    Missing {
        /// The program.
        what: String,
        /// What a person does about it.
        remedy: String,
    },
    /// A fetched file is not the pinned one.
    #[error("{} is not the pinned file: expected SHA-256 {expected}, found {found}", file.display())]
    Checksum {
        /// The file as it was fetched.
        file: PathBuf,
        /// The pinned digest in hexadecimal.
        expected: String,
        /// The digest of what was fetched.
        found: String,
    },
    /// The fetched files are not those of the pinned list.
    #[error("{part}: {what}")]
    Pins {
        /// The part whose list it is.
        part: String,
        /// What differs.
        what: String,
    },
    /// A helper program ran and failed.
    #[error("`{command}` failed: {output}")]
    Command {
        /// The program with its arguments.
        command: String,
        /// The last lines that it wrote.
        output: String,
    },
    /// A service did not come up; the end of its log tells why.
    #[error("{service} did not start: {reason}\n--- end of its log\n{log}")]
    Start {
        /// The service.
        service: String,
        /// What was seen from outside.
        reason: String,
        /// The last lines that it wrote.
        log: String,
    },
    /// Another process took a service's port between the choice and the start.
    #[error("the port of {service} is taken\n--- end of its log\n{log}")]
    PortTaken {
        /// The service.
        service: String,
        /// The last lines that it wrote.
        log: String,
    },
    /// A process or a service took longer than allowed.
    #[error("{what} took longer than {within:?}")]
    Late {
        /// What was waited for.
        what: String,
        /// The time allowed.
        within: Duration,
    },
    /// A service answered, and the answer is a refusal or makes no sense.
    #[error("{service} answered: {what}")]
    Answer {
        /// The service.
        service: String,
        /// What it said.
        what: String,
    },
    /// The operating system refused something.
    #[error("{doing}")]
    Io {
        /// What was being done.
        doing: String,
        /// The refusal.
        source: std::io::Error,
    },
}

impl Error {
    /// Adds to an error of the operating system what was being done.
    pub(crate) fn io(doing: impl Into<String>) -> impl FnOnce(std::io::Error) -> Self {
        let doing = doing.into();
        move |source| Self::Io { doing, source }
    }

    /// A protocol answer that is a refusal or makes no sense.
    pub(crate) fn answer(service: &str, what: impl Into<String>) -> Self {
        Self::Answer {
            service: service.to_owned(),
            what: what.into(),
        }
    }
}

/// As it is shown: tests unwrap errors, and the end of a log is unreadable with its lines escaped.
impl std::fmt::Debug for Error {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{self}")?;
        match std::error::Error::source(self) {
            Some(cause) => write!(f, ": {cause}"),
            None => Ok(()),
        }
    }
}
