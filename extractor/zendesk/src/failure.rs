//! A request that failed, before it is known what it was for.

use zenfloe_pacing::Reading;

use crate::body::Unread;
use crate::{Fault, SourceError};

pub(crate) struct Failure {
    pub(crate) status: Option<u16>,
    pub(crate) readings: Vec<Reading>,
    pub(crate) fault: FaultOrUnread,
}

/// What went wrong; for a body that was not read it depends on what was asked for.
pub(crate) enum FaultOrUnread {
    Fault(Fault),
    Unread(Unread),
}

impl From<Fault> for FaultOrUnread {
    fn from(fault: Fault) -> Self {
        Self::Fault(fault)
    }
}

impl From<Fault> for Failure {
    fn from(fault: Fault) -> Self {
        Self {
            status: None,
            readings: Vec::new(),
            fault: fault.into(),
        }
    }
}

impl From<Unread> for Failure {
    fn from(unread: Unread) -> Self {
        Self {
            status: None,
            readings: Vec::new(),
            fault: FaultOrUnread::Unread(unread),
        }
    }
}

impl Failure {
    pub(crate) fn about(self, subject: &str) -> SourceError {
        let fault = match self.fault {
            FaultOrUnread::Fault(fault) => fault,
            FaultOrUnread::Unread(unread) => unread.fault(),
        };
        SourceError {
            subject: subject.to_owned(),
            status: self.status,
            readings: self.readings,
            fault,
        }
    }
}
