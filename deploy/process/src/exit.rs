use std::fmt;

/// How a process of Zenfloe ends; documented in the README, stable for scripts and alerts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub enum ExitCode {
    /// All that was asked is done.
    Done = 0,
    /// Something failed that no code below names.
    Failed = 1,
    /// The command line is not understood.
    Usage = 2,
    /// The configuration, a key file or a name in it is not usable.
    Configuration = 3,
    /// Zendesk, Kafka, the registry or a destination refused the credentials.
    Credentials = 4,
    /// A topic was recreated, truncated or expired below a stored position.
    Positions = 5,
    /// A seal or token needs a key version that the key file does not hold.
    KeyVersion = 6,
    /// A destination refuses what no retry mends.
    Destination = 7,
    /// A newer process of the same name took over.
    Replaced = 8,
    /// A comparison failed: the demo's tables differ from the account, a check found a fault.
    Differs = 9,
}

/// Why a process ends with another code than 0: the code, and sentences for people.
#[derive(Debug)]
pub struct Failure {
    /// The exit code.
    pub code: ExitCode,
    /// What was wrong, where.
    pub what: String,
    /// What to do next; empty when `what` says it.
    pub remedy: String,
}

impl Failure {
    /// A failure without a remedy of its own.
    pub fn new(code: ExitCode, what: impl Into<String>) -> Self {
        Self {
            code,
            what: what.into(),
            remedy: String::new(),
        }
    }

    /// Adds what to do next.
    #[must_use]
    pub fn remedy(mut self, remedy: impl Into<String>) -> Self {
        self.remedy = remedy.into();
        self
    }

    /// A failure from an error: its message and those of its causes, each once.
    pub fn from_error(code: ExitCode, error: &(dyn std::error::Error + 'static)) -> Self {
        let mut what = error.to_string();
        let mut cause = error.source();
        while let Some(inner) = cause {
            let text = inner.to_string();
            if !what.contains(&text) {
                what.push_str(": ");
                what.push_str(&text);
            }
            cause = inner.source();
        }
        Self::new(code, what)
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.what)?;
        if !self.remedy.is_empty() {
            write!(f, "\n  {}", self.remedy)?;
        }
        Ok(())
    }
}

impl std::error::Error for Failure {}

impl From<ExitCode> for std::process::ExitCode {
    fn from(code: ExitCode) -> Self {
        Self::from(code as u8)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn causes_are_told_once() {
        #[derive(Debug, thiserror::Error)]
        #[error("outer")]
        struct Outer(#[source] std::io::Error);
        let error = Outer(std::io::Error::other("inner"));
        let failure = Failure::from_error(ExitCode::Failed, &error).remedy("try again");
        assert_eq!(failure.to_string(), "outer: inner\n  try again");
    }
}
