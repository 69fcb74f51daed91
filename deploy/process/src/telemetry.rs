use schemars::JsonSchema;
use std::io::IsTerminal;

use metrics_exporter_prometheus::{PrometheusBuilder, PrometheusHandle};
use tracing_subscriber::EnvFilter;

/// How log lines are written to standard error.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, serde::Serialize, serde::Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum LogFormat {
    /// Text on a terminal, JSON elsewhere.
    #[default]
    Auto,
    /// For people.
    Text,
    /// One JSON object per line.
    Json,
}

/// Starts logging; `ZENFLOE_LOG` filters it, in the syntax of `tracing-subscriber` (default `info`).
pub fn init_logs(format: LogFormat, default_filter: &str) {
    let filter = EnvFilter::try_from_env("ZENFLOE_LOG").unwrap_or_else(|_| EnvFilter::new(default_filter));
    let builder = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr);
    let json = match format {
        LogFormat::Auto => !std::io::stderr().is_terminal(),
        LogFormat::Text => false,
        LogFormat::Json => true,
    };
    // A second call (tests) keeps the first subscriber.
    let _ = if json {
        builder.json().flatten_event(true).try_init()
    } else {
        builder.try_init()
    };
}

/// The metrics of this process, as Prometheus text.
#[derive(Clone)]
pub struct Metrics(PrometheusHandle);

impl Metrics {
    /// Renders the text format.
    pub fn render(&self) -> String {
        self.0.render()
    }

    /// Lets histograms forget; called now and then.
    pub fn upkeep(&self) {
        self.0.run_upkeep();
    }
}

/// Installs the recorder behind the `metrics` facade.
///
/// Errors when the process has one already.
pub fn init_metrics() -> Result<Metrics, String> {
    PrometheusBuilder::new()
        .install_recorder()
        .map(Metrics)
        .map_err(|error| error.to_string())
}
