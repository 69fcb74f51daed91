//! Shows how far the stages are: live lines on a terminal, plain lines elsewhere.

use std::collections::BTreeMap;
use std::io::IsTerminal;
use std::time::Duration;

use indicatif::{MultiProgress, ProgressBar, ProgressStyle};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;
use zenfloe_extractor::Status;

use crate::pipeline::Shown;

/// How often a terminal is drawn.
const DRAWN_EVERY: Duration = Duration::from_millis(250);
/// How often plain lines are written.
const WRITTEN_EVERY: Duration = Duration::from_secs(2);

/// Claims that a person is watching.
pub(crate) fn is_terminal() -> bool {
    std::io::stderr().is_terminal()
}

/// A display that is being kept up to date.
pub(crate) struct Live {
    told: CancellationToken,
    task: JoinHandle<()>,
}

/// Begins to show; on a terminal in place, elsewhere as lines where something has changed.
pub(crate) fn live(shown: Shown) -> Live {
    let told = CancellationToken::new();
    let task = tokio::spawn(keep_showing(shown, told.clone()));
    Live { told, task }
}

impl Live {
    /// Shows the last state and ends.
    pub(crate) async fn finish(self) {
        self.told.cancel();
        let _ = self.task.await;
    }
}

async fn keep_showing(shown: Shown, told: CancellationToken) {
    let mut screen = Screen::new();
    loop {
        screen.show(&lines(&shown));
        tokio::select! {
            () = told.cancelled() => break,
            () = tokio::time::sleep(screen.every()) => {}
        }
    }
    screen.show(&lines(&shown));
    screen.leave();
}

/// Where lines go.
enum Screen {
    Terminal {
        bars: MultiProgress,
        held: BTreeMap<String, ProgressBar>,
    },
    Plain {
        last: BTreeMap<String, String>,
    },
}

impl Screen {
    fn new() -> Self {
        match is_terminal() {
            true => Self::Terminal {
                bars: MultiProgress::new(),
                held: BTreeMap::new(),
            },
            false => Self::Plain { last: BTreeMap::new() },
        }
    }

    fn every(&self) -> Duration {
        match self {
            Self::Terminal { .. } => DRAWN_EVERY,
            Self::Plain { .. } => WRITTEN_EVERY,
        }
    }

    fn show(&mut self, lines: &[(String, String)]) {
        for (label, text) in lines {
            match self {
                Self::Terminal { bars, held } => {
                    let bar = held.entry(label.clone()).or_insert_with(|| bars.add(line_of(label)));
                    bar.set_message(text.clone());
                    bar.tick();
                }
                Self::Plain { last } => {
                    if last.get(label) != Some(text) {
                        eprintln!("{label:<40} {text}");
                        last.insert(label.clone(), text.clone());
                    }
                }
            }
        }
    }

    fn leave(&mut self) {
        if let Self::Terminal { held, .. } = self {
            held.values().for_each(ProgressBar::abandon);
        }
    }
}

fn line_of(label: &str) -> ProgressBar {
    let bar = ProgressBar::new_spinner().with_prefix(label.to_owned());
    let style = ProgressStyle::with_template("{prefix:40} {wide_msg}").expect("a legal template");
    bar.with_style(style)
}

/// One line for each collection, transformer and destination: label and text.
fn lines(shown: &Shown) -> Vec<(String, String)> {
    let mut lines = Vec::new();
    for (source, progress) in &shown.extractors {
        for (name, held) in progress.snapshot().collections {
            lines.push((format!("extract   {source} {name}"), extracting(&held)));
        }
    }
    for (source, progress) in &shown.transformers {
        lines.push((format!("transform {source}"), transforming(&progress.snapshot())));
    }
    for (name, progress) in &shown.loaders {
        lines.push((format!("load      {name}"), loading(&progress.snapshot())));
    }
    lines
}

fn extracting(held: &zenfloe_extractor::CollectionProgress) -> String {
    let doing = match &held.status {
        Status::Pending => "waits for others".to_owned(),
        Status::Running => working(held.rate, held.eta_seconds),
        Status::Waiting { .. } if held.completed_at.is_some() => "up to date".to_owned(),
        Status::Waiting { .. } => working(held.rate, held.eta_seconds),
        Status::NotAvailable { why, .. } => format!("switched off: {why}"),
        Status::Failing { what, .. } => format!("tries again: {what}"),
    };
    format!("{:>9} records  {doing}", held.records)
}

fn working(rate: f64, eta: Option<u64>) -> String {
    match eta {
        Some(seconds) => format!("{rate:.0}/s  {} left", span(seconds)),
        None => format!("{rate:.0}/s"),
    }
}

/// A time span for people.
pub(crate) fn span(seconds: u64) -> String {
    match seconds {
        0..60 => format!("{seconds} s"),
        60..3_600 => format!("{} min {} s", seconds / 60, seconds % 60),
        _ => format!("{} h {} min", seconds / 3_600, seconds / 60 % 60),
    }
}

fn transforming(snapshot: &zenfloe_transformer::Snapshot) -> String {
    let (mut records, mut rows, mut dead, mut lag, mut rate) = (0, 0, 0, 0, 0.0);
    for held in snapshot.collections.values() {
        records += held.records;
        rows += held.rows;
        dead += held.dead_letters;
        lag += held.lag_records.unwrap_or(0);
        rate += held.rate;
    }
    let doing = match &snapshot.status {
        zenfloe_transformer::Status::Waiting { on } => format!("waits for {on}"),
        _ => behind(lag, rate),
    };
    format!("{records:>9} records  {rows} rows{}  {doing}", letters(dead))
}

fn loading(snapshot: &zenfloe_loader::Snapshot) -> String {
    let (mut records, mut rows, mut dead, mut lag, mut rate) = (0, 0, 0, 0, 0.0);
    for held in snapshot.tables.values() {
        records += held.records;
        rows += held.rows;
        dead += held.dead_letters;
        lag += held.lag_records.unwrap_or(0);
        rate += held.rate;
    }
    let doing = match &snapshot.waiting_for {
        Some(what) => format!("waits for {what}"),
        None => behind(lag, rate),
    };
    format!("{records:>9} records  {rows} rows written{}  {doing}", letters(dead))
}

fn behind(lag: u64, rate: f64) -> String {
    match lag {
        0 => "up to date".to_owned(),
        lag => format!("{rate:.0}/s  {lag} behind"),
    }
}

fn letters(dead: u64) -> String {
    match dead {
        0 => String::new(),
        dead => format!("  {dead} DEAD LETTERS"),
    }
}
