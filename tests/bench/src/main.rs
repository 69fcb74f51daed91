//! Measures speed and size of every stage beside a reference of the same run, and prints one table.
//!
//! `cargo run --release -p zenfloe-bench -- [extract|transform|load|hop|restart|all] [--quick]`, after
//! `cargo build --release -p zenfloe`: processes are those of the real binary, over the real broker, registry and
//! database. Everything listens on the loopback and lies in temporary folders.
//!
//! Invariants: what is measured is also counted (a run that lost or doubled a row is an error, not a figure); a slow
//! machine makes other figures and never a failure. CPU time is what is compared wherever a busy machine would spoil
//! the wall's clock.

mod engine;
mod extract;
mod hop;
mod load;
mod meter;
mod restart;
mod rows;
mod stand;
mod table;
mod transform;
mod trees;

use clap::{Parser, ValueEnum};

use crate::table::Table;

/// Measures the stages and prints what was measured beside what is asked for.
#[derive(Debug, Parser)]
struct Args {
    /// What to measure.
    #[arg(value_enum, default_value_t = What::All)]
    what: What,
    /// A tenth of everything.
    #[arg(long)]
    quick: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum What {
    Extract,
    Transform,
    Load,
    Hop,
    Restart,
    All,
}

impl What {
    fn includes(self, other: Self) -> bool {
        self == other || self == Self::All
    }
}

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    // The first call wins; the provider is the one that every crate of the workspace is built with.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let args = Args::parse();
    let share = if args.quick { 10 } else { 1 };
    let mut table = Table::begin(args.quick);
    if args.what.includes(What::Extract) {
        extract::measure(32_000 / share, &mut table).await?;
    }
    if args.what.includes(What::Transform) {
        transform::measure(512, if args.quick { 1 } else { 7 }, &mut table)?;
    }
    if args.what.includes(What::Load) {
        load::measure(100_000 / i64::from(share), &mut table).await?;
    }
    if args.what.includes(What::Hop) {
        hop::measure(100_000 / i64::from(share), &mut table).await?;
    }
    if args.what.includes(What::Restart) {
        restart::measure(if args.quick { 1 } else { 5 }, &mut table).await?;
    }
    table.print();
    Ok(())
}
