//! `zenfloe erase`.

use zenfloe_process::{ExitCode, Failure, stop_on_signal};
use zenfloe_transformer::{Erase, ErasedCounts, Progress};

use crate::args;
use crate::config::Config;
use crate::failure;
use crate::parts::Base;
use crate::pipeline::transformer_parts;

/// Runs the command; nothing that it prints tells who was erased.
pub(crate) async fn erase(command: &args::Erase) -> Result<(), Failure> {
    let config = Config::load(&command.config.config)?;
    let (name, source) = config.source(command.source.as_deref())?;
    let what = Erase {
        people: command.user.clone(),
        emails: emails(command)?,
        keeps_texts: command.keep_texts,
    };
    let base = Base::open_now(&config).await?;
    let stop = stop_on_signal().map_err(|error| Failure::from_error(ExitCode::Failed, &error))?;
    let parts = transformer_parts(&config, &base, (name, source), Progress::default())?;
    let done = zenfloe_transformer::erase(&parts, &what, stop).await;
    report(&done.map_err(|error| failure::of_transformer(&error))?);
    Ok(())
}

/// The addresses of a file, one a line.
fn emails(command: &args::Erase) -> Result<Vec<String>, Failure> {
    let Some(path) = &command.email_file else {
        return Ok(Vec::new());
    };
    let text = std::fs::read_to_string(path).map_err(|error| {
        let what = format!("`{}` cannot be read: {error}", path.display());
        Failure::new(ExitCode::Usage, what).remedy("name a file with one e-mail address a line")
    })?;
    let lines = text.lines().map(str::trim).filter(|line| !line.is_empty());
    Ok(lines.map(str::to_owned).collect())
}

fn report(done: &ErasedCounts) {
    if !done.is_complete {
        println!("stopped; the same command goes on where it stopped");
        return;
    }
    println!(
        "{} people, tickets and addresses erased: {} tokens suppressed, {} clean records written anew, {} values out of the people topic",
        done.subjects, done.tokens, done.rows, done.values
    );
    if done.unknown > 0 {
        println!(
            "of {} users nothing is known but the id: their own rows are emptied, mentions by name cannot be found",
            done.unknown
        );
    }
    println!("loaders clean their destinations with the next flush, or when they are started");
    println!(
        "raw and dead topics expire with their retention; `zenfloe keys retire --seal` makes a period unreadable at once"
    );
}
