//! `zenfloe run`.

use zenfloe_process::{ExitCode, Failure, Health, init_logs, init_metrics, serve_admin, stop_on_signal};

use crate::args::{Run, StageName};
use crate::config::Config;
use crate::parts::Base;
use crate::pipeline::Pipeline;
use crate::show;

/// Runs the command: until stopped, or until everything is moved.
pub(crate) async fn run(command: &Run) -> Result<(), Failure> {
    let config = Config::load(&command.config.config)?;
    let on_terminal = show::is_terminal();
    init_logs(config.process.logs, if on_terminal { "warn" } else { "info" });
    let metrics = init_metrics().map_err(|error| Failure::new(ExitCode::Failed, error))?;
    let stop = stop_on_signal().map_err(|error| Failure::from_error(ExitCode::Failed, &error))?;
    let health = Health::default();
    let admin = serve_admin(&config.admin, health.clone(), metrics, stop.clone())
        .await
        .map_err(|error| {
            let what = format!("the admin port {} cannot be opened: {error}", config.admin.listen);
            Failure::new(ExitCode::Configuration, what)
                .remedy("set `admin.listen` to another address, or port 0 for a free one")
        })?;
    tracing::info!(address = %admin.address, "admin port open");
    let Some(base) = Base::open(&config, &stop).await? else {
        return Ok(());
    };
    let pipeline = Pipeline {
        config: &config,
        base,
        stages: stages(command),
        once: command.once,
        health,
    };
    let running = pipeline.start(&stop)?;
    let shown = on_terminal.then(|| show::live(running.shown.clone()));
    let result = running.wait().await;
    if let Some(shown) = shown {
        shown.finish().await;
    }
    tracing::info!("ended");
    result
}

fn stages(command: &Run) -> Vec<StageName> {
    match command.stages.is_empty() {
        true => vec![StageName::Extract, StageName::Transform, StageName::Load],
        false => command.stages.clone(),
    }
}
