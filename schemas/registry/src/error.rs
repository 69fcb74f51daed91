/// What a caller does about an error.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Class {
    /// The world is at fault and may mend: wait and call again.
    Retry,
    /// A person is needed.
    Stop,
}

/// Why a registry did not do what it was asked.
#[derive(Debug, thiserror::Error)]
pub enum RegistryError {
    /// It cannot be reached, or is busy.
    #[error("the schema registry is not available: {what}")]
    Away {
        /// What was tried and what was said.
        what: String,
    },
    /// The schema cannot read what an earlier one of the subject wrote.
    #[error("the schema for `{subject}` cannot read what an earlier one wrote (BACKWARD_TRANSITIVE): {why}")]
    Incompatible {
        /// The subject.
        subject: String,
        /// Which field, as far as it is known.
        why: String,
    },
    /// The text is no Avro schema.
    #[error("the schema for `{subject}` is not one: {why}")]
    Invalid {
        /// The subject.
        subject: String,
        /// What is wrong with it.
        why: String,
    },
    /// Nobody registered this id here.
    #[error("schema id {id} is unknown to the registry; was the value written with another one?")]
    Unknown {
        /// The id.
        id: u32,
    },
    /// The subject is checked less strictly than it must be, and that may not be changed.
    #[error(
        "subject `{subject}` is checked by `{found}` and that may not be changed here ({why}); set it to BACKWARD_TRANSITIVE"
    )]
    Level {
        /// The subject.
        subject: String,
        /// Its level.
        found: String,
        /// Why it could not be changed.
        why: String,
    },
    /// Refused by access rules or sign-in.
    #[error("the schema registry refused: {what}")]
    Forbidden {
        /// What was tried and what was said.
        what: String,
    },
    /// What answers is no registry, the file is damaged, or the configuration cannot be used.
    #[error("the schema registry cannot be used: {what}")]
    Broken {
        /// What was found.
        what: String,
    },
}

impl RegistryError {
    /// What the caller does about it.
    pub fn class(&self) -> Class {
        match self {
            Self::Away { .. } => Class::Retry,
            Self::Incompatible { .. }
            | Self::Invalid { .. }
            | Self::Unknown { .. }
            | Self::Level { .. }
            | Self::Forbidden { .. }
            | Self::Broken { .. } => Class::Stop,
        }
    }
}

pub(crate) fn broken(what: impl Into<String>) -> RegistryError {
    RegistryError::Broken { what: what.into() }
}
