//! `zenfloe check`: everything but run.

use zenfloe_process::{ExitCode, Failure};

use crate::args::WithConfig;
use crate::config::Config;
use crate::failure;
use crate::parts::{self, Base};

/// What was looked at, what was found, and what to do about it.
struct Line {
    subject: String,
    found: String,
    remedy: Option<String>,
}

impl Line {
    fn good(subject: impl Into<String>, found: impl Into<String>) -> Self {
        Self {
            subject: subject.into(),
            found: found.into(),
            remedy: None,
        }
    }

    fn bad(subject: impl Into<String>, failure: &Failure) -> Self {
        Self {
            subject: subject.into(),
            found: failure.what.clone(),
            remedy: Some(failure.remedy.clone()),
        }
    }

    fn of<T>(subject: &str, found: &str, result: Result<T, Failure>) -> (Self, Option<T>) {
        match result {
            Ok(value) => (Self::good(subject, found), Some(value)),
            Err(failure) => (Self::bad(subject, &failure), None),
        }
    }
}

/// Runs the command.
pub(crate) async fn check(command: &WithConfig) -> Result<(), Failure> {
    let config = Config::load(&command.config)?;
    let mut lines = vec![Line::good("configuration", "is understood")];
    lines.push(Line::of("seal key", "can be read", parts::seal_keys(&config)).0);
    lines.push(Line::of("token key", "can be read", parts::token_keys(&config)).0);
    let (line, base) = Line::of("log", "answers", Base::open_now(&config).await);
    lines.push(line);
    if let Some(base) = base {
        lines.push(registry(&base).await);
    }
    for (name, source) in &config.sources {
        lines.extend(account(name.as_str(), source).await);
    }
    for (name, destination) in &config.destinations {
        lines.extend(database(name, destination).await);
    }
    lines.iter().for_each(print);
    let faults = lines.iter().filter(|line| line.remedy.is_some()).count();
    if faults == 0 {
        println!("all well");
        return Ok(());
    }
    Err(Failure::new(
        ExitCode::Differs,
        format!("{faults} of {} checks found a fault", lines.len()),
    ))
}

async fn registry(base: &Base) -> Line {
    match base.registry.ping().await {
        Ok(()) => Line::good("registry", "answers"),
        Err(error) => {
            let failure = Failure::from_error(ExitCode::Failed, &error);
            Line::bad(
                "registry",
                &failure.remedy("check `[registry]`: url (with its path), user, password"),
            )
        }
    }
}

async fn account(name: &str, source: &crate::config::SourceConfig) -> Vec<Line> {
    let subject = |what: &str| format!("{name}: {what}");
    let (api, collections) = match (parts::api(source), parts::collections(source)) {
        (Ok(api), Ok(collections)) => (api, collections),
        (Err(failure), _) | (_, Err(failure)) => return vec![Line::bad(subject("source"), &failure)],
    };
    let findings = zenfloe_extractor::check(&*api, &collections).await;
    let line = |finding: zenfloe_extractor::Finding| Line {
        subject: subject(&finding.subject),
        found: finding.found,
        remedy: finding.remedy,
    };
    findings.into_iter().map(line).collect()
}

async fn database(name: &str, destination: &zenfloe_loader::DestinationConfig) -> Vec<Line> {
    let subject = format!("destination {name}");
    let built = match destination.build() {
        Ok(built) => built,
        Err(error) => return vec![Line::bad(subject, &failure::of_destination_config(name, &error))],
    };
    let line = |finding: zenfloe_destination::Finding| match finding.subject.as_str() {
        "" => Line {
            subject: subject.clone(),
            found: format!("{}: {}", destination.describe(), finding.found),
            remedy: finding.remedy,
        },
        part => Line {
            subject: format!("{subject}: {part}"),
            found: finding.found,
            remedy: finding.remedy,
        },
    };
    built.check().await.into_iter().map(line).collect()
}

fn print(line: &Line) {
    let mark = if line.remedy.is_none() { "ok  " } else { "BAD " };
    println!("{mark}{:<32} {}", line.subject, line.found);
    if let Some(remedy) = line.remedy.as_deref().filter(|remedy| !remedy.is_empty()) {
        println!("    {:<32} -> {remedy}", "");
    }
}
