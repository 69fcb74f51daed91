//! An account on disk: its specification and anchor in the first line, then one change in each line.
//!
//! Invariant: a change is in the file before anyone can see it, so that a simulator that is killed goes on
//! with the account that it showed. What was cut off in the last line had not been shown.

use std::fs::{self, File, OpenOptions};
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use thiserror::Error;

use crate::account::Account;
use crate::clock::{Clock, Pace};
use crate::op::{Applied, OpError};
use crate::spec::AccountSpec;

/// Why an account cannot be saved or made again.
#[derive(Debug, Error)]
pub enum SavedError {
    /// The file cannot be read or written.
    #[error("cannot {action} {}", path.display())]
    File {
        /// What was tried.
        action: &'static str,
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// The file holds something else.
    #[error("line {line} of {} is no part of a saved account", path.display())]
    Broken {
        /// The file.
        path: PathBuf,
        /// From 1.
        line: usize,
        /// Why.
        source: serde_json::Error,
    },
    /// The file is of another release.
    #[error("{} is of format {found}, and this release reads {FORMAT}; delete it to begin anew", path.display())]
    Format {
        /// The file.
        path: PathBuf,
        /// Its format.
        found: u32,
    },
    /// A change that was made once cannot be made again.
    #[error("change {number} of {} cannot be repeated; delete it to begin anew", path.display())]
    Script {
        /// The file.
        path: PathBuf,
        /// From 1.
        number: usize,
        /// Why.
        source: OpError,
    },
}

const FORMAT: u32 = 1;

#[derive(Serialize, Deserialize)]
struct Header {
    format: u32,
    spec: AccountSpec,
    pace: Pace,
    /// Milliseconds since 1970, when the file was begun.
    now_ms: i64,
}

impl Account {
    /// Writes specification, anchor and script; a file of that name is replaced at once or not at all.
    pub fn save(&self, path: &Path) -> Result<(), SavedError> {
        let failed = |action| move |source| file_error(action, path, source);
        let beside = path.with_extension("new");
        let mut out = BufWriter::new(File::create(&beside).map_err(failed("create"))?);
        self.write_lines(&mut out).map_err(failed("write"))?;
        let file = out.into_inner().map_err(|error| failed("write")(error.into_error()))?;
        file.sync_all().map_err(failed("write"))?;
        fs::rename(&beside, path).map_err(failed("replace"))
    }

    fn write_lines(&self, out: &mut impl Write) -> io::Result<()> {
        let spec = AccountSpec {
            anchor: Some(self.anchor),
            ..self.spec.clone()
        };
        let header = Header {
            format: FORMAT,
            spec,
            pace: self.spec.clock.pace(),
            now_ms: self.spec.clock.now_ms(),
        };
        write_line(out, &header)?;
        self.script.iter().try_for_each(|applied| write_line(out, applied))
    }

    /// Makes a saved account again. Its clock goes on at its old pace, from the machine's time or from the
    /// last change, whichever is later.
    pub fn load(path: &Path) -> Result<Self, SavedError> {
        let text = fs::read_to_string(path).map_err(|source| file_error("read", path, source))?;
        let end = text.rfind('\n').map_or(0, |end| end + 1);
        let mut lines = text[..end].lines().enumerate();
        let broken = |line, source| SavedError::Broken {
            path: path.into(),
            line: line + 1,
            source,
        };
        let first = lines.next().map_or("", |(_, line)| line);
        let header: Header = serde_json::from_str(first).map_err(|source| broken(0, source))?;
        if header.format != FORMAT {
            return Err(SavedError::Format {
                path: path.into(),
                found: header.format,
            });
        }
        let script = lines.map(|(number, line)| serde_json::from_str(line).map_err(|source| broken(number, source)));
        let script: Vec<Applied> = script.collect::<Result<_, _>>()?;
        let last_ms = script
            .last()
            .map_or(header.now_ms, |last| header.now_ms.max(last.at * 1_000));
        let clock = Clock::resumed(header.pace, last_ms);
        let mut account = Self::seeded(AccountSpec { clock, ..header.spec });
        for (index, applied) in script.iter().enumerate() {
            account
                .replay(std::slice::from_ref(applied))
                .map_err(|source| SavedError::Script {
                    path: path.into(),
                    number: index + 1,
                    source,
                })?;
        }
        Ok(account)
    }
}

/// Keeps a saved account up to date.
#[derive(Debug)]
pub(crate) struct Journal {
    path: PathBuf,
    file: File,
}

impl Journal {
    /// Saves the account and goes on from there.
    pub(crate) fn begin(account: &Account, path: &Path) -> Result<Self, SavedError> {
        account.save(path)?;
        let file = OpenOptions::new().append(true).open(path);
        Ok(Self {
            path: path.into(),
            file: file.map_err(|source| file_error("open", path, source))?,
        })
    }

    /// Adds changes; they outlive the process, though not the machine's power.
    pub(crate) fn append(&mut self, changes: &[Applied]) -> Result<(), SavedError> {
        let mut lines = Vec::with_capacity(changes.len() * 96);
        let written = changes.iter().try_for_each(|change| write_line(&mut lines, change));
        let written = written.and_then(|()| self.file.write_all(&lines));
        written.map_err(|source| file_error("write", &self.path, source))
    }
}

fn write_line(out: &mut impl Write, value: &impl Serialize) -> io::Result<()> {
    serde_json::to_writer(&mut *out, value)?;
    out.write_all(b"\n")
}

fn file_error(action: &'static str, path: &Path, source: io::Error) -> SavedError {
    SavedError::File {
        action,
        path: path.into(),
        source,
    }
}
