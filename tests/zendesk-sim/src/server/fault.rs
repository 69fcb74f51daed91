//! Faults by script.

use serde::{Deserialize, Serialize};

/// Spoils the next requests of a kind.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Fault {
    /// Requests whose path and query contain this are meant.
    pub path: String,
    /// So many of them pass first.
    #[serde(default)]
    pub after: u32,
    /// So many of them are spoilt then.
    #[serde(default = "once")]
    pub times: u32,
    /// How.
    pub kind: FaultKind,
}

fn once() -> u32 {
    1
}

/// What goes wrong.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "fault", rename_all = "snake_case", deny_unknown_fields)]
pub enum FaultKind {
    /// An error status with a body of Zendesk's shape for it, HTML from 500 on.
    Status {
        /// 429, 500, 502, 503, 504, 409, 401, 403, …
        status: u16,
        /// Seconds in `Retry-After`, if any.
        #[serde(default)]
        retry_after: Option<u32>,
    },
    /// 504 for pages of more records than this.
    TooHeavyAbove {
        /// Records a page.
        per_page: u32,
    },
    /// The connection ends without an answer.
    DropConnection,
    /// The connection ends in the middle of the body.
    TruncateBody,
    /// The answer comes late.
    Slow {
        /// Milliseconds of real time.
        millis: u64,
    },
    /// An HTML page of this status, 200 included.
    Html {
        /// The status.
        status: u16,
    },
    /// Status 200 and nothing.
    EmptyBody,
    /// Status 200 and `{}`.
    NoEnvelope,
    /// A redirect.
    Redirect {
        /// The whole address.
        to: String,
    },
    /// 400 `InvalidCursor`, for requests with a cursor alone.
    RefusedCursor,
    /// The page leads to itself again and says that there is more.
    RepeatPage,
    /// The page is padded with an unknown member.
    HugeBody {
        /// Bytes of padding.
        bytes: usize,
    },
    /// The page has more rows, given as they are, broken JSON included.
    ExtraRows {
        /// The rows' text.
        rows: Vec<String>,
    },
}

/// A request as faults see it.
pub(crate) struct Asked<'a> {
    /// Path and query as sent, percent signs resolved.
    pub(crate) target: &'a str,
    pub(crate) page_size: Option<u32>,
    pub(crate) has_cursor: bool,
}

/// The faults to come.
#[derive(Debug, Default)]
pub(crate) struct Faults {
    ahead: Vec<Fault>,
}

impl Faults {
    pub(crate) fn new(ahead: Vec<Fault>) -> Self {
        Self { ahead }
    }

    pub(crate) fn add(&mut self, fault: Fault) {
        self.ahead.push(fault);
    }

    pub(crate) fn clear(&mut self) {
        self.ahead.clear();
    }

    pub(crate) fn ahead(&self) -> &[Fault] {
        &self.ahead
    }

    /// Returns what happens to a request: the first fault that means it.
    pub(crate) fn strike(&mut self, asked: &Asked<'_>) -> Option<FaultKind> {
        let mut struck = None;
        for fault in self.ahead.iter_mut().filter(|fault| fault.means(asked)) {
            if fault.after > 0 {
                fault.after -= 1;
            } else if struck.is_none() && fault.times > 0 {
                fault.times -= 1;
                struck = Some(fault.kind.clone());
            }
        }
        self.ahead.retain(|fault| fault.times > 0);
        struck
    }
}

impl Fault {
    /// Spoils the next `times` requests whose path and query contain `path`.
    pub fn new(path: &str, times: u32, kind: FaultKind) -> Self {
        Self {
            path: path.into(),
            after: 0,
            times,
            kind,
        }
    }

    /// Lets so many requests pass first.
    pub fn after(self, after: u32) -> Self {
        Self { after, ..self }
    }

    fn means(&self, asked: &Asked<'_>) -> bool {
        let fits = match self.kind {
            FaultKind::TooHeavyAbove { per_page } => asked.page_size.is_some_and(|size| size > per_page),
            FaultKind::RefusedCursor => asked.has_cursor,
            _ => true,
        };
        fits && asked.target.contains(&self.path)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn asked(target: &str) -> Asked<'_> {
        Asked {
            target,
            page_size: Some(100),
            has_cursor: false,
        }
    }

    #[test]
    fn faults_strike_what_they_mean_and_wear_out() {
        let mut faults = Faults::default();
        faults.add(Fault::new("users", 2, FaultKind::EmptyBody).after(1));
        faults.add(Fault::new("", 1, FaultKind::TooHeavyAbove { per_page: 50 }));
        faults.add(Fault::new("", 1, FaultKind::RefusedCursor));
        let strikes: Vec<_> = ["/groups", "/users", "/users", "/users", "/users"]
            .into_iter()
            .map(|path| faults.strike(&asked(path)))
            .collect();
        let empty = Some(FaultKind::EmptyBody);
        let heavy = Some(FaultKind::TooHeavyAbove { per_page: 50 });
        assert_eq!(strikes, [heavy, None, empty.clone(), empty, None]);
        assert_eq!(faults.ahead().len(), 1, "no cursor came by");
    }
}
