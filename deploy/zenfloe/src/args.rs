use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};

/// Moves Zendesk data into a warehouse, personal data made safe on the way.
///
/// Try `zenfloe demo` first: it needs nothing. Then `zenfloe init` writes a configuration,
/// `zenfloe keys new` makes the keys, `zenfloe check` says what is missing, `zenfloe run` runs.
#[derive(Debug, Parser)]
#[command(version, about, long_about, max_term_width = 100, after_help = EXIT_CODES)]
pub(crate) struct Cli {
    /// What to do.
    #[command(subcommand)]
    pub(crate) command: Command,
}

const EXIT_CODES: &str = "Exit codes: 0 done, 1 failed, 2 usage, 3 configuration, 4 credentials refused, \
    5 a topic was recreated or truncated, 6 unknown key version, 7 the destination refuses, \
    8 replaced by a newer process, 9 a comparison or check found a difference. \
    Logs go to standard error; ZENFLOE_LOG=debug shows more.";

/// What to do.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Shows a simulated Zendesk account flowing into a database that can be queried
    Demo(Demo),
    /// Runs the stages of a configuration until stopped
    Run(Run),
    /// Shows how far every source, collection and destination is, without disturbing what runs
    Status(Status),
    /// Checks a configuration, the credentials and every part it names, without running
    Check(WithConfig),
    /// Writes a commented configuration to begin with
    Init(Init),
    /// Publishes the records of Zendesk's own data export, as if they had been fetched
    Import(Import),
    /// Reads a collection's history again, beside what changes
    Resync(Resync),
    /// Takes a source away
    #[command(subcommand)]
    Source(Source),
    /// Logs in to an account in the browser and keeps the tokens
    Login(Login),
    /// Transforms records again that are in Kafka (or the file log) already
    Replay(Replay),
    /// Lists, shows and retries what could not be transformed or loaded
    #[command(subcommand)]
    Dead(Dead),
    /// Erases people: out of clean topics and destinations, and away for ever
    Erase(Erase),
    /// Makes, rotates, retires and shows keys
    #[command(subcommand)]
    Keys(Keys),
    /// Shows every collection, table and column, and what happens to its values
    Catalog(Catalog),
}

/// Where the configuration is.
#[derive(Debug, Args)]
pub(crate) struct WithConfig {
    /// The configuration file
    #[arg(long, value_name = "FILE", default_value = "zenfloe.toml")]
    pub(crate) config: PathBuf,
}

/// `zenfloe demo`.
#[derive(Debug, Args)]
pub(crate) struct Demo {
    /// Where everything is kept; a second run goes on there and loads only what changed
    #[arg(long, value_name = "DIR", default_value = "zenfloe-demo")]
    pub(crate) dir: PathBuf,
    /// Tickets of the simulated account
    #[arg(long, value_name = "N", default_value_t = 5_000, value_parser = clap::value_parser!(u32).range(1..=2_000_000))]
    pub(crate) tickets: u32,
    /// Makes another account; the same seed makes the same one
    #[arg(long, value_name = "S", default_value_t = 1)]
    pub(crate) seed: u64,
}

/// A stage of the pipeline.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum StageName {
    /// Zendesk to raw topics
    Extract,
    /// Raw topics to clean topics
    Transform,
    /// Clean topics to destinations
    Load,
}

/// `zenfloe run`.
#[derive(Debug, Args)]
pub(crate) struct Run {
    #[command(flatten)]
    pub(crate) config: WithConfig,
    /// Only this stage (may be given again); all three by default
    #[arg(long = "stage", value_name = "STAGE")]
    pub(crate) stages: Vec<StageName>,
    /// Ends once everything that is there has been moved
    #[arg(long)]
    pub(crate) once: bool,
}

/// `zenfloe status`.
#[derive(Debug, Args)]
pub(crate) struct Status {
    #[command(flatten)]
    pub(crate) config: WithConfig,
    /// Only this source; all by default
    #[arg(long, value_name = "S")]
    pub(crate) source: Option<String>,
    /// Also what loading each table took of a destination that charges for it, in the last 24 hours
    #[arg(long)]
    pub(crate) cost: bool,
    /// As JSON
    #[arg(long)]
    pub(crate) json: bool,
}

/// `zenfloe init`.
#[derive(Debug, Args)]
pub(crate) struct Init {
    /// Where to write it; an existing file is never replaced
    #[arg(long, value_name = "FILE", default_value = "zenfloe.toml")]
    pub(crate) config: PathBuf,
    /// Print the configuration reference instead (Markdown)
    #[arg(long, conflicts_with = "schema")]
    pub(crate) reference: bool,
    /// Print the configuration's JSON Schema instead, for editors
    #[arg(long)]
    pub(crate) schema: bool,
    #[command(flatten)]
    pub(crate) setup: Setup,
}

/// The SQL that sets a warehouse up, printed instead of a configuration.
#[derive(Debug, Args)]
pub(crate) struct Setup {
    /// Prints the SQL that makes roles, schemas and grants in this warehouse, instead of writing a configuration
    #[arg(long, value_name = "KIND")]
    pub(crate) destination: Option<Warehouse>,
    /// With --destination: what the names of roles and users begin with
    #[arg(long, value_name = "NAME", default_value = "zenfloe", requires = "destination")]
    pub(crate) prefix: String,
    /// With --destination: the database
    #[arg(long, value_name = "NAME", default_value = "zendesk", requires = "destination")]
    pub(crate) database: String,
    /// With --destination: the schema that the loader writes
    #[arg(long, value_name = "NAME", default_value = "mart_zendesk", requires = "destination")]
    pub(crate) mart: String,
    /// With --destination: the schema of dbt's views
    #[arg(
        long,
        value_name = "NAME",
        default_value = "staging_zendesk",
        requires = "destination"
    )]
    pub(crate) views: String,
    /// With --destination: the schema of the views in Fivetran's shape
    #[arg(
        long,
        value_name = "NAME",
        default_value = "fivetran_zendesk",
        requires = "destination"
    )]
    pub(crate) fivetran: String,
    /// With --destination snowflake: the virtual warehouse
    #[arg(long, value_name = "NAME", default_value = "zenfloe", requires = "destination")]
    pub(crate) warehouse: String,
    /// With --destination snowflake: the stage that files pass through
    #[arg(long, value_name = "NAME", default_value = "load_stage", requires = "destination")]
    pub(crate) stage: String,
    /// With --destination snowflake: the loader's public key, PEM
    #[arg(long, value_name = "FILE", requires = "destination")]
    pub(crate) public_key: Option<PathBuf>,
    /// With --destination snowflake: the masking policies for columns that hold tokens, to be run after the rest
    #[arg(long, requires = "destination")]
    pub(crate) masking: bool,
}

/// A warehouse that can be set up by SQL.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Warehouse {
    /// Snowflake
    Snowflake,
    /// PostgreSQL
    Postgres,
}

/// `zenfloe import`.
#[derive(Debug, Args)]
pub(crate) struct Import {
    #[command(flatten)]
    pub(crate) config: WithConfig,
    /// The source; may be left out when the configuration has one
    #[arg(long, value_name = "S")]
    pub(crate) source: Option<String>,
    /// What the records are: tickets, users, …
    #[arg(long, value_name = "C")]
    pub(crate) collection: String,
    /// Publishes again what was imported before, as after the loss of a topic
    #[arg(long)]
    pub(crate) again: bool,
    /// Files of one record a line, or of one JSON array; plain or gzip
    #[arg(value_name = "FILE", required = true)]
    pub(crate) files: Vec<PathBuf>,
}

/// `zenfloe resync`.
#[derive(Debug, Args)]
pub(crate) struct Resync {
    #[command(flatten)]
    pub(crate) config: WithConfig,
    /// The source; may be left out when the configuration has one
    #[arg(long, value_name = "S")]
    pub(crate) source: Option<String>,
    /// The collection (may be given again)
    #[arg(long = "collection", value_name = "C", required = true)]
    pub(crate) collections: Vec<String>,
}

/// `zenfloe source`.
#[derive(Debug, Subcommand)]
pub(crate) enum Source {
    /// Says what of a source stays and what goes, and with --yes makes its extractor forget it
    Remove {
        #[command(flatten)]
        config: WithConfig,
        /// The source
        #[arg(value_name = "S")]
        source: String,
        /// Does it
        #[arg(long)]
        yes: bool,
    },
}

/// `zenfloe login`.
#[derive(Debug, Args)]
pub(crate) struct Login {
    #[command(flatten)]
    pub(crate) config: WithConfig,
    /// The source; may be left out when the configuration has one
    #[arg(long, value_name = "S")]
    pub(crate) source: Option<String>,
    /// Where the browser comes back to, http://localhost:PORT/callback: a redirect URL of the OAuth client
    #[arg(long, value_name = "PORT", default_value_t = 8976)]
    pub(crate) port: u16,
    /// Writes a Kubernetes Secret manifest there instead of the token file; - for standard output
    #[arg(long, value_name = "FILE")]
    pub(crate) manifest: Option<PathBuf>,
    /// Prints the address and opens no browser
    #[arg(long)]
    pub(crate) no_browser: bool,
}

/// `zenfloe replay`.
#[derive(Debug, Args)]
pub(crate) struct Replay {
    #[command(flatten)]
    pub(crate) config: WithConfig,
    /// The source; may be left out when the configuration has one
    #[arg(long, value_name = "S")]
    pub(crate) source: Option<String>,
    /// Only this collection (may be given again); all by default
    #[arg(long = "collection", value_name = "C")]
    pub(crate) collections: Vec<String>,
    #[command(flatten)]
    pub(crate) from: ReplayFrom,
    /// Says what would be replayed, and ends
    #[arg(long)]
    pub(crate) dry_run: bool,
}

/// Where a replay begins.
#[derive(Debug, Args)]
#[group(required = true, multiple = false)]
pub(crate) struct ReplayFrom {
    /// From the first record that is still kept
    #[arg(long)]
    pub(crate) all: bool,
    /// From this offset of every partition
    #[arg(long, value_name = "N")]
    pub(crate) from_offset: Option<i64>,
    /// From the first record extracted at this time, as in 2026-01-31T12:00:00Z
    #[arg(long, value_name = "T")]
    pub(crate) from_time: Option<String>,
}

/// `zenfloe dead`.
#[derive(Debug, Subcommand)]
pub(crate) enum Dead {
    /// Counts letters by stage, reason and topic, and lists them
    List(DeadWhich),
    /// Shows one letter: its reason, origin and size, and with --clear what it holds
    Show {
        #[command(flatten)]
        which: DeadWhich,
        /// The offset in the dead topic
        offset: i64,
        /// The partition of the dead topic
        #[arg(long, default_value_t = 0)]
        partition: i32,
        /// Prints the record as Zendesk sent it, personal data included
        #[arg(long)]
        clear: bool,
    },
    /// Transforms letters again under the current configuration, and offers those of the loader again
    Retry {
        #[command(flatten)]
        which: DeadWhich,
        /// Only the letter at this offset (may be given again); all by default
        #[arg(long, value_name = "N")]
        offset: Vec<i64>,
        /// The partition of the dead topic
        #[arg(long, default_value_t = 0)]
        partition: i32,
    },
}

/// Whose letters.
#[derive(Debug, Args)]
pub(crate) struct DeadWhich {
    #[command(flatten)]
    pub(crate) config: WithConfig,
    /// The source; may be left out when the configuration has one
    #[arg(long, value_name = "S")]
    pub(crate) source: Option<String>,
}

/// `zenfloe keys`.
#[derive(Debug, Subcommand)]
pub(crate) enum Keys {
    /// Makes a seal key file and a token key file; existing files are never replaced
    New {
        /// Where to write the seal key file (extractor and transformer need it)
        #[arg(long, value_name = "FILE", default_value = "seal.key")]
        seal: PathBuf,
        /// Where to write the token key file (the transformer alone needs it)
        #[arg(long, value_name = "FILE", default_value = "token.key")]
        token: PathBuf,
    },
    /// Begins a rotation: of the token key, and with --seal of the seal key
    Rotate {
        #[command(flatten)]
        config: WithConfig,
        /// Adds a seal key, under which everything is sealed from then on
        #[arg(long, conflicts_with = "switch")]
        seal: bool,
        /// Puts the token key that was added last in use
        #[arg(long)]
        switch: bool,
        /// With --seal: the key is for this source alone
        #[arg(long, value_name = "S", requires = "seal")]
        source: Option<String>,
    },
    /// Takes a token key out of the file that no row needs any more, or with --seal destroys a seal key
    Retire {
        #[command(flatten)]
        config: WithConfig,
        /// Destroys a seal key: what was sealed under it is unreadable from then on
        #[arg(long)]
        seal: bool,
        /// The key's version
        #[arg(long, value_name = "N")]
        version: u16,
        /// With --seal: yes, it is meant to be lost
        #[arg(long = "yes", requires = "seal")]
        destroys: bool,
    },
    /// Shows the versions of both key files, and what each is for; never a key
    Show {
        #[command(flatten)]
        config: WithConfig,
    },
}

/// `zenfloe erase`.
#[derive(Debug, Args)]
#[command(group(clap::ArgGroup::new("whom").required(true).multiple(true)))]
pub(crate) struct Erase {
    #[command(flatten)]
    pub(crate) config: WithConfig,
    /// The source; may be left out when the configuration has one
    #[arg(long, value_name = "S")]
    pub(crate) source: Option<String>,
    /// A user's id (may be given again)
    #[arg(long, value_name = "ID", group = "whom")]
    pub(crate) user: Vec<i64>,
    /// A file of e-mail addresses, one a line: the users who have or had them
    #[arg(long, value_name = "FILE", group = "whom")]
    pub(crate) email_file: Option<PathBuf>,
    /// Keeps the texts that the people wrote, but for what identifies them
    #[arg(long)]
    pub(crate) keep_texts: bool,
}

/// `zenfloe catalog`.
#[derive(Debug, Args)]
pub(crate) struct Catalog {
    /// Only this table
    #[arg(long, value_name = "T")]
    pub(crate) table: Option<String>,
    /// As JSON
    #[arg(long)]
    pub(crate) json: bool,
    /// The record of processing: what happens to every column under the configuration, by which rule and since when
    #[arg(long)]
    pub(crate) privacy: bool,
    /// The same as Markdown
    #[arg(long, requires = "privacy", conflicts_with = "json")]
    pub(crate) markdown: bool,
    /// The source, with --privacy; may be left out when the configuration has one
    #[arg(long, value_name = "S", requires = "privacy")]
    pub(crate) source: Option<String>,
    #[command(flatten)]
    pub(crate) config: WithConfig,
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;

    #[test]
    fn the_command_line_is_consistent() {
        Cli::command().debug_assert();
    }

    #[test]
    fn a_replay_needs_one_beginning() {
        let parse = |line: &str| Cli::try_parse_from(line.split(' ')).is_ok();
        assert!(parse("zenfloe replay --all"));
        assert!(parse("zenfloe replay --from-offset 7 --collection tickets"));
        assert!(!parse("zenfloe replay"));
        assert!(!parse("zenfloe replay --all --from-offset 7"));
    }
}
