//! `zenfloe source`.

use zenfloe_process::{ExitCode, Failure};
use zenfloe_record::SourceName;

use crate::args::Source;
use crate::config::Config;
use crate::{failure, parts};

/// Runs the command.
pub(crate) async fn source(command: &Source) -> Result<(), Failure> {
    match command {
        Source::Remove { config, source, yes } => {
            let config = Config::load(&config.config)?;
            remove(&config, source, *yes).await
        }
    }
}

async fn remove(config: &Config, name: &str, is_meant: bool) -> Result<(), Failure> {
    // It may have been taken out of the configuration already.
    let name = SourceName::new(name).map_err(|error| Failure::from_error(ExitCode::Usage, &error))?;
    let log = parts::existing_log(config).await?;
    let topics = match &log {
        Some(log) => log
            .topics(&format!("{name}."))
            .await
            .map_err(|error| failure::of_log(&error))?,
        None => Vec::new(),
    };
    let (Some(log), false) = (log, topics.is_empty()) else {
        let what = format!("the log has no topic of a source `{name}`");
        return Err(Failure::new(ExitCode::Usage, what).remedy("`zenfloe status` shows the sources"));
    };
    tell(config, &name, &topics);
    if !is_meant {
        println!("Nothing has been done. With --yes the extractor forgets the source.");
        return Ok(());
    }
    let forgotten = zenfloe_extractor::forget(&*log, &name).await;
    let forgotten = forgotten.map_err(|error| failure::of_extractor(&error))?;
    println!("Forgotten: {} records of {name}.state.", forgotten.records);
    Ok(())
}

/// Says what goes and what stays.
fn tell(config: &Config, name: &SourceName, topics: &[String]) {
    if config.sources.contains_key(name) {
        println!("Take `[sources.{name}]` out of the configuration of every process first: one that still has it");
        println!("begins to read the account anew.");
    }
    println!("What goes: cursors, lists, rate budget, a kept login. A source of this name begins anew.");
    println!("What stays, until you delete it:");
    for topic in topics {
        println!("  topic {topic}");
    }
    for destination in config.destinations.keys() {
        println!(
            "  its tables in {destination}: {}",
            config.destination(destination, name).describe()
        );
    }
    println!("  the account's OAuth client or token at Zendesk, the token file or Secret here");
    println!("Raw topics expire by themselves; clean topics and tables hold rows for ever.");
}
