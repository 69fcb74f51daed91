//! Serves a simulated Zendesk account until it is told to stop; prints its address first.

use std::io::Write;
use std::path::PathBuf;

use anyhow::Context;
use clap::{Parser, ValueEnum};
use zendesk_sim::{AccountSpec, Clock, Credentials, Limits, Plan, SimConfig, Simulator};

/// A simulated Zendesk account. Its own endpoints begin with `/_sim/`; the library's page lists them.
#[derive(Debug, Parser)]
#[command(version)]
struct Args {
    /// Port on the loopback; 0 for any free one.
    #[arg(long, default_value_t = 0)]
    port: u16,
    /// Tickets of the account; people and organizations come in proportion.
    #[arg(long, default_value_t = 5_000)]
    tickets: u32,
    /// Decides every value.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Custom fields of tickets.
    #[arg(long, default_value_t = 12)]
    custom_fields: u32,
    /// Random changes in a second.
    #[arg(long, default_value_t = 0.0)]
    rate: f64,
    /// Rate limits of a plan.
    #[arg(long, value_enum, default_value_t = LimitsOf::None)]
    limits: LimitsOf,
    /// The High Volume add-on.
    #[arg(long)]
    high_volume: bool,
    /// The account's time runs so many times as fast as the machine's.
    #[arg(long, default_value_t = 1.0)]
    speed: f64,
    /// The user of the API token.
    #[arg(long, default_value = Credentials::EMAIL)]
    email: String,
    /// The API token.
    #[arg(long, default_value = Credentials::TOKEN)]
    token: String,
    /// The OAuth client.
    #[arg(long, default_value = Credentials::CLIENT_ID)]
    client_id: String,
    /// The OAuth client's secret.
    #[arg(long, default_value = Credentials::CLIENT_SECRET)]
    client_secret: String,
    /// Seconds that an access token lives.
    #[arg(long, default_value_t = 1_799)]
    token_seconds: u32,
    /// File that keeps the account over restarts; an account that is in it goes on, whatever its size was to be.
    #[arg(long)]
    state: Option<PathBuf>,
    /// Do not remember what was served.
    #[arg(long)]
    no_ledger: bool,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum LimitsOf {
    None,
    Essential,
    Team,
    Professional,
    Enterprise,
    EnterprisePlus,
}

impl Args {
    fn limits(&self) -> Limits {
        let limits = match self.limits {
            LimitsOf::None => return Limits::none(),
            LimitsOf::Essential => Limits::of(Plan::Essential),
            LimitsOf::Team => Limits::of(Plan::Team),
            LimitsOf::Professional => Limits::of(Plan::Professional),
            LimitsOf::Enterprise => Limits::of(Plan::Enterprise),
            LimitsOf::EnterprisePlus => Limits::of(Plan::EnterprisePlus),
        };
        if self.high_volume {
            limits.with_high_volume()
        } else {
            limits
        }
    }

    fn credentials(&self) -> Credentials {
        let mut credentials = Credentials {
            access_seconds: self.token_seconds,
            ..Credentials::default()
        };
        for known in &mut credentials.api_tokens {
            known.email.clone_from(&self.email);
            known.token.clone_from(&self.token);
        }
        for client in &mut credentials.clients {
            client.id.clone_from(&self.client_id);
            client.secret = Some(self.client_secret.clone());
        }
        credentials
    }

    fn config(self) -> SimConfig {
        let is_real = (self.speed - 1.0).abs() < f64::EPSILON;
        SimConfig {
            limits: self.limits(),
            credentials: self.credentials(),
            spec: AccountSpec {
                custom_fields: self.custom_fields,
                clock: if is_real {
                    Clock::real()
                } else {
                    Clock::scaled(self.speed)
                },
                ..AccountSpec::sized(self.tickets, self.seed)
            },
            change_rate: self.rate,
            port: self.port,
            state: self.state,
            keeps_ledger: !self.no_ledger,
            ..SimConfig::default()
        }
    }
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> anyhow::Result<()> {
    let filter = tracing_subscriber::EnvFilter::from_default_env();
    tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr)
        .init();
    let mut terminate = tokio::signal::unix::signal(tokio::signal::unix::SignalKind::terminate())?;
    let simulator = Simulator::start(Args::parse().config()).context("the simulator does not start")?;
    println!("{}", simulator.url());
    std::io::stdout().flush()?;
    tokio::select! {
        interrupted = tokio::signal::ctrl_c() => interrupted?,
        _ = terminate.recv() => {}
    }
    simulator.stop();
    Ok(())
}
