//! What an account does not have and a caller may not do.

use serde::{Deserialize, Serialize};

use super::answer::Answer;
use super::bucket::Plan;

/// Refuses requests for good.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Refusal {
    /// Requests whose path contains this are meant.
    pub path: String,
    /// How they are refused.
    pub kind: RefusalKind,
}

/// Why something is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RefusalKind {
    /// 403: the role or the plan does not allow it.
    Forbidden,
    /// 403: the token lacks the scope `read`.
    Scope,
    /// 404 `InvalidEndpoint`: the account has no such feature.
    InvalidEndpoint,
}

impl RefusalKind {
    pub(crate) fn answer(self) -> Answer {
        match self {
            Self::Forbidden => Answer::forbidden(),
            Self::Scope => Answer::missing_scope("read"),
            Self::InvalidEndpoint => Answer::no_such_endpoint(),
        }
    }
}

/// Collections of higher plans, which the simulator does not serve otherwise.
const GATED: [(&str, Plan); 5] = [
    ("audit_logs", Plan::Enterprise),
    ("custom_roles", Plan::Enterprise),
    ("ticket_forms", Plan::Professional),
    ("slas/policies", Plan::Professional),
    ("side_conversations", Plan::Professional),
];

/// The refusal of a path, by configuration or by plan.
pub(crate) fn refusal(path: &str, refusals: &[Refusal], plan: Option<Plan>) -> Option<RefusalKind> {
    let configured = refusals.iter().find(|refusal| path.contains(&refusal.path));
    let is_above = |needed: Plan| plan.is_some_and(|plan| plan < needed);
    let gated = || {
        GATED
            .iter()
            .any(|(name, needed)| path.contains(name) && is_above(*needed))
    };
    configured
        .map(|refusal| refusal.kind)
        .or_else(|| gated().then_some(RefusalKind::Forbidden))
}
