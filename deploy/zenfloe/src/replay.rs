//! `zenfloe replay`.

use std::time::Duration;

use tokio_util::sync::CancellationToken;
use zenfloe_process::{ExitCode, Failure, Health, init_metrics, serve_admin, stop_on_signal};
use zenfloe_transformer::{From, Parts, Progress, Replay, ReplayProgress, Replayed, Span};

use crate::args;
use crate::config::Config;
use crate::failure;
use crate::parts::Base;
use crate::pipeline::transformer_parts;

/// How often progress is told.
const EVERY: Duration = Duration::from_secs(2);

/// Runs the command: until everything is transformed again, or until stopped.
pub(crate) async fn replay(command: &args::Replay) -> Result<(), Failure> {
    let config = Config::load(&command.config.config)?;
    let (name, source) = config.source(command.source.as_deref())?;
    let what = what(command)?;
    let base = Base::open_now(&config).await?;
    let parts = transformer_parts(&config, &base, (name, source), Progress::default())?;
    refuse_unknown(&parts, &what)?;
    let stop = stop_on_signal().map_err(|error| Failure::from_error(ExitCode::Failed, &error))?;
    show_metrics(&config, &stop).await;
    let progress = ReplayProgress::default();
    let told = CancellationToken::new();
    let teller = tokio::spawn(tell(progress.clone(), told.clone()));
    let done = zenfloe_transformer::replay(parts, what, progress, stop).await;
    told.cancel();
    let _ = teller.await;
    let done = done.map_err(|error| failure::of_transformer(&error))?;
    report(&done, command.dry_run);
    Ok(())
}

/// Serves the replay's metrics. Beside a service that has the port the replay goes on without.
async fn show_metrics(config: &Config, stop: &CancellationToken) {
    let Ok(metrics) = init_metrics() else { return };
    match serve_admin(&config.admin, Health::default(), metrics, stop.clone()).await {
        Ok(admin) => eprintln!("metrics: http://{}/metrics", admin.address),
        Err(error) => eprintln!(
            "no metrics of this replay: the admin port {} is taken ({error})",
            config.admin.listen
        ),
    }
}

fn what(command: &args::Replay) -> Result<Replay, Failure> {
    let from = match (&command.from.from_offset, &command.from.from_time) {
        (Some(offset), _) => From::Offset(*offset),
        (None, Some(time)) => From::Time(milliseconds(time)?),
        (None, None) => From::All,
    };
    Ok(Replay {
        collections: command.collections.clone(),
        from,
        is_dry_run: command.dry_run,
    })
}

fn milliseconds(text: &str) -> Result<i64, Failure> {
    let time: Result<jiff::Timestamp, _> = text.parse();
    time.map(jiff::Timestamp::as_millisecond).map_err(|_| {
        Failure::new(ExitCode::Usage, format!("`{text}` is no time"))
            .remedy("write it in UTC as in 2026-01-31T12:00:00Z")
    })
}

fn refuse_unknown(parts: &Parts, what: &Replay) -> Result<(), Failure> {
    let known = |name: &&String| !parts.collections.iter().any(|collection| collection.name == **name);
    let Some(unknown) = what.collections.iter().find(known) else {
        return Ok(());
    };
    let names: Vec<&str> = parts
        .collections
        .iter()
        .map(|collection| collection.name.as_str())
        .collect();
    let what = format!("this source has no collection `{unknown}`");
    Err(Failure::new(ExitCode::Usage, what).remedy(format!("it has: {}", names.join(", "))))
}

/// Tells now and then how far the replay is.
async fn tell(progress: ReplayProgress, told: CancellationToken) {
    loop {
        tokio::select! {
            () = told.cancelled() => return,
            () = tokio::time::sleep(EVERY) => {}
        }
        let spans = progress.snapshot();
        let records: u64 = spans.iter().map(|span| span.records).sum();
        let left: u64 = spans.iter().map(Span::left).sum();
        eprintln!("{records} records transformed, {left} offsets left");
    }
}

fn report(done: &Replayed, is_dry_run: bool) {
    if is_dry_run {
        println!("would be transformed again, under revision {}:", done.revision);
    }
    for span in &done.spans {
        let place = format!("{}[{}]", span.topic, span.partition);
        match is_dry_run {
            true => println!(
                "  {place:<44} {:>12} offsets ({}..{})",
                span.left(),
                span.next,
                span.until
            ),
            false => println!(
                "  {place:<44} {:>12} records ({}..{})",
                span.records, span.from, span.until
            ),
        }
    }
    if is_dry_run {
        return;
    }
    if done.is_resumed {
        println!("an interrupted replay was taken up");
    }
    println!(
        "{} records, {} rows, {} dead letters under revision {}",
        done.records, done.rows, done.dead, done.revision
    );
    if !done.is_complete {
        println!("stopped; the same command goes on where it stopped");
    }
}
