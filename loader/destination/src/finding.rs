use crate::LoadError;

/// What a look at a destination found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// What was looked at: `sign-in`, a grant, a warehouse.
    pub subject: String,
    /// What was found.
    pub found: String,
    /// What to do about it; `None` when all is well.
    pub remedy: Option<String>,
}

impl Finding {
    /// Nothing has to be done.
    pub fn good(subject: impl Into<String>, found: impl Into<String>) -> Self {
        Self {
            subject: subject.into(),
            found: found.into(),
            remedy: None,
        }
    }

    /// Somebody has to do something.
    pub fn bad(subject: impl Into<String>, error: &LoadError, remedy: impl Into<String>) -> Self {
        Self {
            subject: subject.into(),
            found: error.to_string(),
            remedy: Some(remedy.into()),
        }
    }
}
