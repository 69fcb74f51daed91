//! `zenfloe check`: everything but run.

use std::collections::BTreeSet;
use std::sync::Arc;

use zenfloe_catalog::Collection;
use zenfloe_log::Log;
use zenfloe_process::{ExitCode, Failure};
use zenfloe_record::SourceName;
use zenfloe_zendesk::Auth;

use crate::args::WithConfig;
use crate::config::{Config, SourceConfig};
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

/// Zendesk's calendar of 2026.
const API_TOKENS_END: &str = "works, but Zendesk ends all API tokens on 2027-04-30 (and makes no new ones since \
    2026-10-27): change to an OAuth client, `method = \"oauth_client\"`";

/// Runs the command.
pub(crate) async fn check(command: &WithConfig) -> Result<(), Failure> {
    let config = Config::load(&command.config)?;
    let mut lines = vec![Line::good("configuration", "is understood")];
    lines.push(Line::of("seal key", "can be read", parts::seal_keys(&config)).0);
    lines.push(Line::of("token key", "can be read", parts::token_keys(&config)).0);
    let (line, base) = Line::of("log", "answers", Base::open_now(&config).await);
    lines.push(line);
    if let Some(base) = &base {
        lines.push(registry(base).await);
    }
    let log = base.map(|base| base.log);
    for (name, source) in &config.sources {
        lines.extend(account(&config, log.as_ref(), name, source).await);
    }
    for (name, source) in config
        .destinations
        .keys()
        .flat_map(|name| config.sources.keys().map(move |source| (name, source)))
    {
        let subject = match config.sources.len() {
            1 => format!("destination {name}"),
            _ => format!("destination {name}: {source}"),
        };
        lines.extend(database(subject, name, &config.destination(name, source)).await);
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

async fn account(config: &Config, log: Option<&Arc<dyn Log>>, name: &SourceName, source: &SourceConfig) -> Vec<Line> {
    let subject = |what: &str| format!("{name}: {what}");
    let (api, collections) = match (parts::api(source), parts::collections(source)) {
        (Ok(api), Ok(collections)) => (api, collections),
        (Err(failure), _) | (_, Err(failure)) => return vec![Line::bad(subject("source"), &failure)],
    };
    let mut lines = vec![scopes(name, &collections)];
    if matches!(source.zendesk.auth, Auth::ApiToken { .. }) {
        lines.push(Line::good(subject("API token"), API_TOKENS_END));
    }
    if let Some(log) = log
        && matches!(source.zendesk.auth, Auth::OauthLogin { .. })
        && let Ok(keys) = parts::seal_keys(config)
    {
        // What the extractor has renewed; nothing is renewed here.
        match zenfloe_extractor::kept_login(&**log, name, &keys).await {
            Ok(kept) => api.entrust(None, kept).await,
            Err(error) => lines.push(Line::bad(subject("login"), &failure::of_extractor(&error))),
        }
    }
    let findings = zenfloe_extractor::check(&*api, &collections).await;
    let line = |finding: zenfloe_extractor::Finding| Line {
        subject: subject(&finding.subject),
        found: finding.found,
        remedy: finding.remedy,
    };
    lines.extend(findings.into_iter().map(line));
    lines
}

/// The scopes that an OAuth client or login needs: the broad one, or one for each collection.
fn scopes(name: &SourceName, collections: &[&Collection]) -> Line {
    let narrow: BTreeSet<&str> = collections.iter().map(|held| held.endpoint.scope.as_str()).collect();
    let narrow: Vec<&str> = narrow.into_iter().collect();
    Line::good(
        format!("{name}: scopes"),
        format!("an OAuth token needs `read`, or all of `{}`", narrow.join(" ")),
    )
}

async fn database(subject: String, name: &str, destination: &zenfloe_loader::DestinationConfig) -> Vec<Line> {
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
