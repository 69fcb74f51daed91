//! Everything about being a process somewhere: configuration files, telemetry, the admin port,
//! signals and exit codes.
//!
//! Invariant: a liveness answer asks nobody but this process's own loops.
//!
//! What it does not know: any stage. Stages take their parts and a stop token; this crate makes the
//! surroundings in which a binary runs them.

mod admin;
mod config;
mod exit;
mod health;
mod memory;
mod signal;
mod telemetry;

pub use admin::{Admin, AdminConfig, serve_admin};
pub use config::{ConfigError, load_config};
pub use exit::{ExitCode, Failure};
pub use health::{Health, Pulse};
pub use memory::keep_memory_small;
pub use signal::stop_on_signal;
pub use telemetry::{LogFormat, Metrics, init_logs, init_metrics};
