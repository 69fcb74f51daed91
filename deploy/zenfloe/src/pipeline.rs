//! Runs stages side by side in one process, and ends them together.

use std::time::Duration;

use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;
use zenfloe_catalog::Catalog;
use zenfloe_extractor::{Mode, Shared, Turns};
use zenfloe_process::{ExitCode, Failure, Health};
use zenfloe_record::SourceName;
use zenfloe_zendesk::Clock;

use crate::args::StageName;
use crate::config::{Config, SourceConfig};
use crate::parts::{self, Base};
use crate::{failure, pulse};

/// What runs, and until when.
pub(crate) struct Pipeline<'c> {
    /// The configuration.
    pub(crate) config: &'c Config,
    /// The log and the registry.
    pub(crate) base: Base,
    /// Which stages.
    pub(crate) stages: Vec<StageName>,
    /// Ends once everything that is there has been moved.
    pub(crate) once: bool,
    /// Told about every stage.
    pub(crate) health: Health,
}

/// Where each stage shows how far it is.
#[derive(Clone, Default)]
pub(crate) struct Shown {
    /// By source.
    pub(crate) extractors: Vec<(SourceName, zenfloe_extractor::Progress)>,
    /// By source.
    pub(crate) transformers: Vec<(SourceName, zenfloe_transformer::Progress)>,
    /// By destination.
    pub(crate) loaders: Vec<(String, zenfloe_loader::Progress)>,
}

/// A stage that has ended.
struct Ended {
    kind: StageName,
    name: String,
    /// It did all that was asked, rather than being stopped.
    is_complete: bool,
}

/// Running stages.
pub(crate) struct Running {
    tasks: JoinSet<Result<Ended, Failure>>,
    /// Ends everything.
    stop: CancellationToken,
    upstream: Upstream,
    drain: Duration,
    /// Progress of every stage.
    pub(crate) shown: Shown,
}

/// How many stages of a kind are still at work, and what tells the kind after it.
struct Upstream {
    extracting: usize,
    transforming: usize,
    extracted: CancellationToken,
    transformed: CancellationToken,
    once: bool,
}

impl Upstream {
    fn ended(&mut self, kind: StageName) {
        match kind {
            StageName::Extract => self.extracting -= 1,
            StageName::Transform => self.transforming -= 1,
            StageName::Load => {}
        }
        self.tell();
    }

    /// In a single pass a stage may end once those before it have.
    fn tell(&self) {
        if self.once && self.extracting == 0 {
            self.extracted.cancel();
            if self.transforming == 0 {
                self.transformed.cancel();
            }
        }
    }
}

impl Pipeline<'_> {
    /// Starts every stage.
    pub(crate) fn start(self, stop: &CancellationToken) -> Result<Running, Failure> {
        let has = |stage| self.stages.contains(&stage);
        let mut running = Running {
            tasks: JoinSet::new(),
            stop: stop.child_token(),
            upstream: Upstream {
                extracting: match (has(StageName::Extract), self.is_shared()) {
                    (true, true) => 1,
                    (true, false) => self.config.sources.len(),
                    (false, _) => 0,
                },
                transforming: if has(StageName::Transform) {
                    self.config.sources.len()
                } else {
                    0
                },
                extracted: CancellationToken::new(),
                transformed: CancellationToken::new(),
                once: self.once,
            },
            drain: self.config.process.drain,
            shown: Shown::default(),
        };
        match (has(StageName::Extract), self.is_shared()) {
            (true, true) => self.start_sharing(&mut running)?,
            (true, false) => self.start_extractors(&mut running)?,
            (false, _) => {}
        }
        for (name, source) in &self.config.sources {
            if has(StageName::Transform) {
                self.start_transformer(name, source, &mut running)?;
            }
        }
        for name in self.config.destinations.keys().filter(|_| has(StageName::Load)) {
            for source in self.config.sources.keys() {
                self.start_loader(name, source, &mut running)?;
            }
        }
        running.upstream.tell();
        Ok(running)
    }

    /// Claims that several processes share the sources. A single pass reads them all, whoever else may be at work, and
    /// an only source belongs to the process that was started last.
    fn is_shared(&self) -> bool {
        !self.once && self.config.sources.len() > 1
    }

    /// Every source by this process.
    fn start_extractors(&self, running: &mut Running) -> Result<(), Failure> {
        for (name, source) in &self.config.sources {
            let mode = if self.once { Mode::Once } else { source.extract.mode() };
            let parts = self.extractor_parts(name, source, mode)?;
            let (stop, label, progress) = (running.stop.clone(), name.to_string(), parts.progress.clone());
            let turns = progress.clone();
            self.watch("extract", &label, move || turns.turns(), running);
            running.shown.extractors.push((name.clone(), progress));
            running.tasks.spawn(async move {
                let done = zenfloe_extractor::run(parts, stop).await;
                let done = done.map_err(|error| failure::of_extractor(&error))?;
                Ok(ended(StageName::Extract, label, done.is_complete))
            });
        }
        Ok(())
    }

    /// Those of the sources that fall to this process among its like.
    fn start_sharing(&self, running: &mut Running) -> Result<(), Failure> {
        let mut sources = Vec::new();
        for (name, source) in &self.config.sources {
            let parts = self.extractor_parts(name, source, source.extract.mode())?;
            running.shown.extractors.push((name.clone(), parts.progress.clone()));
            sources.push(parts);
        }
        let turns = Turns::default();
        let shared = Shared {
            sources,
            member: self.config.member(),
            log: self.base.log.clone(),
            turns: turns.clone(),
        };
        self.watch("extract", "sources", move || turns.count(), running);
        let stop = running.stop.clone();
        running.tasks.spawn(async move {
            let done = zenfloe_extractor::share(shared, stop).await;
            let done = done.map_err(|error| failure::of_extractor(&error))?;
            Ok(ended(StageName::Extract, "sources".into(), done.is_complete))
        });
        Ok(())
    }

    fn extractor_parts(
        &self,
        name: &SourceName,
        source: &SourceConfig,
        mode: Mode,
    ) -> Result<zenfloe_extractor::Parts, Failure> {
        Ok(zenfloe_extractor::Parts {
            source: name.clone(),
            config: source.extract.clone(),
            mode,
            catalog: Catalog::builtin(),
            api: parts::api(source)?,
            log: self.base.log.clone(),
            seal_keys: parts::seal_keys(self.config)?,
            clock: Clock::real(),
            progress: zenfloe_extractor::Progress::default(),
        })
    }

    fn start_transformer(
        &self,
        name: &SourceName,
        source: &SourceConfig,
        running: &mut Running,
    ) -> Result<(), Failure> {
        let progress = zenfloe_transformer::Progress::default();
        let parts = transformer_parts(self.config, &self.base, (name, source), progress.clone())?;
        let parts = zenfloe_transformer::Parts {
            caught_up: running.upstream.extracted.clone(),
            ..parts
        };
        let (stop, label) = (running.stop.clone(), name.to_string());
        let turns = progress.clone();
        self.watch("transform", &label, move || turns.turns(), running);
        running.shown.transformers.push((name.clone(), progress));
        running.tasks.spawn(async move {
            let done = zenfloe_transformer::run(parts, stop).await;
            let done = done.map_err(|error| failure::of_transformer(&error))?;
            Ok(ended(StageName::Transform, label, done.is_complete))
        });
        Ok(())
    }

    fn start_loader(&self, name: &str, source: &SourceName, running: &mut Running) -> Result<(), Failure> {
        let destination = self.config.destination(name, source);
        let progress = zenfloe_loader::Progress::default();
        let parts = zenfloe_loader::Parts {
            name: name.to_owned(),
            destination: destination
                .build()
                .map_err(|error| failure::of_destination_config(name, &error))?,
            source: source.clone(),
            tables: destination.tables.clone(),
            config: self.config.load.clone(),
            log: self.base.log.clone(),
            registry: self.base.registry.clone(),
            member: self.config.loader_member(source),
            progress: progress.clone(),
            caught_up: running.upstream.transformed.clone(),
        };
        let (stop, label) = (running.stop.clone(), format!("{name} {source}"));
        let turns = progress.clone();
        self.watch("load", &label, move || turns.turns(), running);
        running.shown.loaders.push((label.clone(), progress));
        running.tasks.spawn(async move {
            let done = zenfloe_loader::run(parts, stop).await;
            let done = done.map_err(|error| failure::of_loader(&error))?;
            Ok(ended(StageName::Load, label, done.is_complete))
        });
        Ok(())
    }

    fn watch(&self, stage: &str, name: &str, turns: impl Fn() -> u64 + Send + 'static, running: &Running) {
        pulse::watch(&self.health, &format!("{stage} {name}"), turns, running.stop.clone());
    }
}

impl Running {
    /// Returns when every stage has ended: all of them did what was asked, or `stop` fired, or one failed,
    /// which ends the others too.
    pub(crate) async fn wait(mut self) -> Result<(), Failure> {
        let mut first = None;
        let mut deadline = None;
        loop {
            let late = async move {
                match deadline {
                    Some(deadline) => tokio::time::sleep_until(deadline).await,
                    None => std::future::pending().await,
                }
            };
            tokio::select! {
                ended = self.tasks.join_next() => match ended {
                    None => break,
                    Some(ended) => self.note(ended, &mut first),
                },
                () = self.stop.cancelled(), if deadline.is_none() => {
                    deadline = Some(tokio::time::Instant::now() + self.drain);
                }
                () = late => {
                    tracing::warn!("the drain time is over; what was not committed will be read again");
                    self.tasks.abort_all();
                    break;
                }
            }
        }
        first.map_or(Ok(()), Err)
    }

    fn note(&mut self, ended: Result<Result<Ended, Failure>, tokio::task::JoinError>, first: &mut Option<Failure>) {
        let result =
            ended.unwrap_or_else(|broken| Err(Failure::new(ExitCode::Failed, format!("a stage broke off: {broken}"))));
        match result {
            Ok(ended) => {
                tracing::info!(stage = ?ended.kind, name = ended.name, complete = ended.is_complete, "stage ended");
                self.upstream.ended(ended.kind);
            }
            Err(failure) => {
                tracing::error!("{failure}");
                self.stop.cancel();
                first.get_or_insert(failure);
            }
        }
    }
}

fn ended(kind: StageName, name: String, is_complete: bool) -> Ended {
    Ended {
        kind,
        name,
        is_complete,
    }
}

/// What the transformer of a source works with.
pub(crate) fn transformer_parts(
    config: &Config,
    base: &Base,
    (name, source): (&SourceName, &SourceConfig),
    progress: zenfloe_transformer::Progress,
) -> Result<zenfloe_transformer::Parts, Failure> {
    Ok(zenfloe_transformer::Parts {
        source: name.clone(),
        config: source.transform.clone(),
        catalog: Catalog::builtin(),
        collections: parts::collections(source)?,
        log: base.log.clone(),
        registry: base.registry.clone(),
        seal_keys: parts::seal_keys(config)?,
        token_keys: parts::token_keys(config)?,
        member: config.member(),
        progress,
        caught_up: CancellationToken::new(),
    })
}
