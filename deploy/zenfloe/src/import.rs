//! `zenfloe import`.

use std::io::IsTerminal;
use std::time::Duration;

use indicatif::{ProgressBar, ProgressStyle};
use tokio_util::sync::CancellationToken;
use zenfloe_catalog::Catalog;
use zenfloe_extractor::{Import, ImportParts, ImportProgress, ImportSnapshot, Imported, ImportedFile};
use zenfloe_process::{ExitCode, Failure, stop_on_signal};
use zenfloe_zendesk::Clock;

use crate::args;
use crate::config::Config;
use crate::parts::{self, Base};
use crate::{failure, show};

/// How often a terminal is drawn.
const DRAWN_EVERY: Duration = Duration::from_millis(250);
/// How often lines are written elsewhere.
const WRITTEN_EVERY: Duration = Duration::from_secs(5);

/// Runs the command: until all files are in, or until stopped.
pub(crate) async fn import(command: &args::Import) -> Result<(), Failure> {
    let config = Config::load(&command.config.config)?;
    let (name, source) = config.source(command.source.as_deref())?;
    let keys = parts::seal_keys(&config)?;
    let base = Base::open_now(&config).await?;
    let parts = ImportParts {
        source: name.clone(),
        config: source.extract.clone(),
        catalog: Catalog::builtin(),
        log: base.log.clone(),
        seal_keys: keys,
        clock: Clock::real(),
    };
    let what = Import {
        collection: command.collection.clone(),
        files: command.files.clone(),
        again: command.again,
    };
    let stop = stop_on_signal().map_err(|error| Failure::from_error(ExitCode::Failed, &error))?;
    let progress = ImportProgress::default();
    let told = CancellationToken::new();
    let teller = tokio::spawn(tell(progress.clone(), told.clone()));
    let done = zenfloe_extractor::import(parts, what, progress, stop).await;
    told.cancel();
    let _ = teller.await;
    report(&done.map_err(|error| failure::of_extractor(&error))?);
    Ok(())
}

/// Tells how far the import is: in place on a terminal, now and then a line elsewhere.
async fn tell(progress: ImportProgress, told: CancellationToken) {
    let is_terminal = std::io::stderr().is_terminal();
    let bar = is_terminal.then(|| {
        let style = ProgressStyle::with_template("{wide_bar} {msg}").expect("a legal template");
        ProgressBar::new(0).with_style(style)
    });
    let every = if is_terminal { DRAWN_EVERY } else { WRITTEN_EVERY };
    let began = std::time::Instant::now();
    loop {
        tokio::select! {
            () = told.cancelled() => break,
            () = tokio::time::sleep(every) => {}
        }
        let now = progress.snapshot();
        let text = line(&now, began.elapsed().as_secs_f64());
        match &bar {
            Some(bar) => {
                bar.set_length(now.bytes);
                bar.set_position(now.bytes_read);
                bar.set_message(text);
            }
            None => eprintln!("{text}"),
        }
    }
    if let Some(bar) = bar {
        bar.finish_and_clear();
    }
}

fn line(now: &ImportSnapshot, elapsed: f64) -> String {
    let rate = now.records as f64 / elapsed.max(0.001);
    let share = now.bytes_read as f64 / now.bytes.max(1) as f64;
    let left = match share {
        share if share > 0.0 => show::span((elapsed * (1.0 - share).max(0.0) / share) as u64),
        _ => "?".into(),
    };
    let (file, records) = (&now.file, now.records);
    format!(
        "{file}: {records} records, {rate:.0}/s, {:.0} %, {left} left",
        share * 100.0
    )
}

fn report(done: &Imported) {
    for file in &done.files {
        println!("{}: {}", file.path.display(), outcome(file));
        for bad in &file.bad {
            println!("  {bad}");
        }
        let untold = file.letters - file.bad.len() as u64;
        if untold > 0 {
            println!("  and {untold} more");
        }
    }
    if !done.is_complete {
        println!("stopped; the same command goes on where it stopped");
    }
}

fn outcome(file: &ImportedFile) -> String {
    let ImportedFile {
        records,
        letters,
        before,
        ..
    } = file;
    match (records, letters, before) {
        (0, 0, 1..) => format!("was imported before ({before} records), nothing to do; --again publishes it once more"),
        _ => {
            let letters = match letters {
                0 => String::new(),
                letters => format!(", {letters} dead letters (`zenfloe dead list`)"),
            };
            let before = match before {
                0 => String::new(),
                before => format!(", after {before} of an earlier import"),
            };
            format!("{records} records published{letters}{before}")
        }
    }
}
