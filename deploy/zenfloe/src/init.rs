//! `zenfloe init`.

use std::io::Write;
use std::path::Path;

use zenfloe_process::{ExitCode, Failure};

use crate::args::Init;
use crate::{reference, warehouse};

/// The configuration to begin with; a test loads it.
pub(crate) const TEMPLATE: &str = include_str!("../zenfloe.example.toml");

/// Runs the command.
pub(crate) fn init(command: &Init) -> Result<(), Failure> {
    if command.reference {
        print!("{}", reference::page());
        return Ok(());
    }
    if command.schema {
        println!("{:#}", reference::schema());
        return Ok(());
    }
    if let Some(kind) = command.setup.destination {
        print!("{}", warehouse::sql(&command.setup, kind)?);
        return Ok(());
    }
    write(&command.config)
}

fn write(path: &Path) -> Result<(), Failure> {
    let failed = |error: std::io::Error| {
        let what = format!("`{}` cannot be written: {error}", path.display());
        let remedy = match error.kind() {
            std::io::ErrorKind::AlreadyExists => "an existing file is never replaced; name another one with --config",
            _ => "check that the folder exists and may be written",
        };
        Failure::new(ExitCode::Configuration, what).remedy(remedy)
    };
    let mut file = std::fs::File::create_new(path).map_err(failed)?;
    file.write_all(TEMPLATE.as_bytes()).map_err(failed)?;
    println!("{} written. Next:", path.display());
    println!("  1. put the account's subdomain and credentials into it");
    println!("  2. zenfloe keys new");
    println!("  3. zenfloe check --config {}", path.display());
    println!("  4. zenfloe run --config {}", path.display());
    Ok(())
}
