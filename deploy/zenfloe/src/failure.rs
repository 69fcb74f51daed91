//! What the errors of the crates mean for whoever started the process.

use zenfloe_destination::LoadError;
use zenfloe_keyring::OpenError;
use zenfloe_log::LogError;
use zenfloe_process::{ExitCode, Failure};
use zenfloe_zendesk::{Fault, SourceError};

/// A failure of the extractor.
pub(crate) fn of_extractor(error: &zenfloe_extractor::StageError) -> Failure {
    use zenfloe_extractor::StageError;
    let code = match error {
        StageError::Log(log) => code_of_log(log),
        StageError::Source(source) => code_of_source(source),
        StageError::NoSuchCollection { .. } | StageError::NotSelected { .. } => ExitCode::Configuration,
        StageError::File { .. } => ExitCode::Usage,
        StageError::Login {
            source: OpenError::UnknownKeyVersion(_),
        } => ExitCode::KeyVersion,
        StageError::State { .. } | StageError::GaveUp { .. } | StageError::Login { .. } => ExitCode::Failed,
    };
    Failure::from_error(code, error).remedy(remedy(code))
}

/// A failure of the transformer.
pub(crate) fn of_transformer(error: &zenfloe_transformer::StageError) -> Failure {
    use zenfloe_transformer::Class;
    let code = match error.class() {
        Class::Replaced => ExitCode::Replaced,
        Class::Positions => ExitCode::Positions,
        Class::KeyVersion => ExitCode::KeyVersion,
        Class::Configuration => ExitCode::Configuration,
        Class::Credentials => ExitCode::Credentials,
        Class::Stop => ExitCode::Failed,
    };
    Failure::from_error(code, error).remedy(remedy(code))
}

/// A failure of a loader.
pub(crate) fn of_loader(error: &zenfloe_loader::StageError) -> Failure {
    use zenfloe_loader::StageError;
    let code = match error {
        StageError::Log(log) => code_of_log(log),
        StageError::Destination { error, .. } => code_of_destination(error),
        StageError::Registry(_) => ExitCode::Configuration,
        StageError::Position { .. } => ExitCode::Positions,
        StageError::Rules { .. } => ExitCode::Failed,
    };
    Failure::from_error(code, error).remedy(remedy(code))
}

/// A failure of a destination outside a stage.
pub(crate) fn of_destination(error: &LoadError) -> Failure {
    let code = code_of_destination(error);
    Failure::from_error(code, error).remedy(remedy(code))
}

/// A destination that cannot be used as it is written.
pub(crate) fn of_destination_config(name: &str, error: &zenfloe_loader::ConfigError) -> Failure {
    Failure::new(ExitCode::Configuration, format!("`[destinations.{name}]`: {error}"))
        .remedy("`zenfloe init` writes an example of each kind")
}

fn code_of_destination(error: &LoadError) -> ExitCode {
    match error {
        LoadError::Forbidden { .. } => ExitCode::Credentials,
        LoadError::TopicRecreated { .. } => ExitCode::Positions,
        LoadError::Schema { .. } | LoadError::Broken { .. } => ExitCode::Destination,
        LoadError::Unavailable { .. }
        | LoadError::Moved { .. }
        | LoadError::Behind { .. }
        | LoadError::Refused { .. } => ExitCode::Failed,
    }
}

/// A failure of the log outside a stage.
pub(crate) fn of_log(error: &LogError) -> Failure {
    let code = code_of_log(error);
    Failure::from_error(code, error).remedy(remedy(code))
}

fn code_of_log(error: &LogError) -> ExitCode {
    match error {
        LogError::Fenced { .. } => ExitCode::Replaced,
        LogError::OutOfRange { .. } => ExitCode::Positions,
        LogError::PartitionCount { .. } | LogError::NoTopic { .. } | LogError::TooLarge { .. } => {
            ExitCode::Configuration
        }
        LogError::Forbidden { .. } => ExitCode::Credentials,
        LogError::Unavailable { .. } | LogError::Rebalanced | LogError::Lapsed { .. } | LogError::Broken { .. } => {
            ExitCode::Failed
        }
    }
}

fn code_of_source(error: &SourceError) -> ExitCode {
    match error.fault {
        Fault::Unauthorized { .. } => ExitCode::Credentials,
        Fault::NoSuchAccount { .. } | Fault::ForeignRedirect { .. } => ExitCode::Configuration,
        _ => ExitCode::Failed,
    }
}

/// What helps against every failure of a kind.
fn remedy(code: ExitCode) -> &'static str {
    match code {
        ExitCode::Credentials => "nothing is lost; mend the credentials (`zenfloe check` tries them) and start again",
        ExitCode::Positions => {
            "nothing is written past it; read what is missing again (`zenfloe replay`), or load into an empty destination"
        }
        ExitCode::KeyVersion => "nothing is lost; add the key version to the key file and start again",
        ExitCode::Replaced => "a newer process of the same name has taken over; this one ends",
        ExitCode::Destination => "nothing is lost; mend the destination and start again",
        ExitCode::Configuration => "`zenfloe check` looks at the whole configuration",
        _ => "",
    }
}
