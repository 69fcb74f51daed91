//! Serves a simulated Snowflake account, for drivers and loaders alike, until it is stopped; prints where.

use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Context, Result};
use clap::Parser;
use snowflake_sim::{Engine, Front, Kind, Settings, User};

/// A simulated Snowflake account: a front before fakesnow.
#[derive(Parser)]
struct Arguments {
    /// The port to listen on; 0 takes a free one.
    #[arg(long, default_value_t = 0)]
    port: u16,
    /// The account's name.
    #[arg(long, default_value = "MYORG-ACME")]
    account: String,
    /// Who may sign in.
    #[arg(long, default_value = "LOADER")]
    user: String,
    /// The user's public key, in PEM.
    #[arg(long)]
    public_key: Option<PathBuf>,
    /// An access token of the user.
    #[arg(long)]
    token: Option<String>,
    /// Takes a transaction back that stands still for so many seconds: a killed loader leaves one.
    #[arg(long)]
    idle_transaction: Option<u64>,
    /// Hands out uploads as S3 does.
    #[arg(long)]
    s3: bool,
}

#[tokio::main]
async fn main() -> Result<()> {
    let arguments = Arguments::parse();
    let mut user = User::new(&arguments.user);
    if let Some(file) = &arguments.public_key {
        let pem = std::fs::read_to_string(file).with_context(|| format!("reading {}", file.display()))?;
        user = user.with_public_key(&pem)?;
    }
    if let Some(token) = &arguments.token {
        user = user.with_token(token);
    }
    let engine = Engine::start(Kind::NativeMerge).await?;
    let settings = Settings {
        account: arguments.account,
        users: vec![user],
        has_s3_stage: arguments.s3,
        idle_transaction: arguments.idle_transaction.map(Duration::from_secs),
        port: arguments.port,
        ..Settings::default()
    };
    let front = Front::start(&engine, settings).await?;
    println!("{}", front.url());
    tokio::signal::ctrl_c().await.context("waiting for a signal")
}
