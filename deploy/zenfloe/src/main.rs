//! The command line of Zenfloe, and every stage in one process.
//!
//! Invariant: a command ends with a code of [`zenfloe_process::ExitCode`] and, where that is not 0, with a
//! sentence that says what was wrong, where, and what to do.
//!
//! What it does not know: how a stage works. It reads one configuration, builds the parts, and runs them.

mod args;
mod catalog;
mod check;
mod config;
mod dead;
mod demo;
mod erase;
mod failure;
mod import;
mod init;
mod keys;
mod login;
mod parts;
mod pipeline;
mod privacy;
mod pulse;
mod reference;
mod replay;
mod resync;
mod run;
mod show;
mod source;
mod status;
mod warehouse;

use std::process;

use clap::Parser;
use zenfloe_process::{ExitCode, Failure, LogFormat, init_logs, keep_memory_small};

use crate::args::{Cli, Command};

fn main() -> process::ExitCode {
    keep_memory_small();
    let cli = Cli::parse();
    match dispatch(cli.command) {
        Ok(()) => ExitCode::Done.into(),
        Err(failure) => {
            eprintln!("zenfloe: {failure}");
            failure.code.into()
        }
    }
}

fn dispatch(command: Command) -> Result<(), Failure> {
    match command {
        Command::Demo(demo) => quietly(demo::demo(&demo)),
        Command::Run(run) => on_runtime(run::run(&run)),
        Command::Status(status) => quietly(status::status(&status)),
        Command::Check(check) => quietly(check::check(&check)),
        Command::Init(init) => init::init(&init),
        Command::Import(import) => quietly(import::import(&import)),
        Command::Resync(resync) => quietly(resync::resync(&resync)),
        Command::Source(source) => quietly(source::source(&source)),
        Command::Login(login) => quietly(login::login(&login)),
        Command::Replay(replay) => quietly(replay::replay(&replay)),
        Command::Dead(dead) => quietly(dead::dead(&dead)),
        Command::Erase(erase) => quietly(erase::erase(&erase)),
        Command::Keys(keys) => keys::keys(&keys),
        Command::Catalog(catalog) if catalog.privacy => quietly(privacy::privacy(&catalog)),
        Command::Catalog(catalog) => catalog::catalog(&catalog),
    }
}

/// Runs a command that talks to people: logs stay out of the way.
fn quietly(command: impl Future<Output = Result<(), Failure>>) -> Result<(), Failure> {
    init_logs(LogFormat::Auto, "error");
    on_runtime(command)
}

fn on_runtime(command: impl Future<Output = Result<(), Failure>>) -> Result<(), Failure> {
    // The first call wins; the provider is the one that every crate of the workspace is built with.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build();
    let runtime = runtime.map_err(|error| Failure::from_error(ExitCode::Failed, &error))?;
    let result = runtime.block_on(command);
    // What still blocks a thread (a database's time-out) does not hold the process.
    runtime.shutdown_background();
    result
}
