//! Sets up the test services by hand: `fetch` fills the cache, `up` runs one of each until Ctrl-C.

use anyhow::{Context as _, bail};
use zenfloe_harness::{Kafka, KafkaConfig, Postgres, PostgresConfig, Registry, cache_folder, prepare};

const USAGE: &str = "\
usage: zenfloe-harness fetch           fetch and install what the test services need
       zenfloe-harness up [--secure]   run Kafka, a schema registry and PostgreSQL until Ctrl-C;
                                       --secure: TLS, sign-in and rights";

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match words.as_slice() {
        ["fetch" | "prepare"] => fetch(),
        ["up"] => up(false).await,
        ["up", "--secure"] => up(true).await,
        ["--help" | "-h" | "help"] => {
            println!("{USAGE}");
            Ok(())
        }
        _ => bail!("{USAGE}"),
    }
}

fn fetch() -> anyhow::Result<()> {
    println!("cache: {}", cache_folder().display());
    prepare(&|line| println!("{line}")).context("the test services cannot be set up")?;
    println!("ready");
    Ok(())
}

async fn up(secure: bool) -> anyhow::Result<()> {
    let kafka = KafkaConfig {
        secure,
        ..KafkaConfig::default()
    };
    let postgres = PostgresConfig {
        tls: secure,
        ..PostgresConfig::default()
    };
    println!("starting");
    let (kafka, registry, postgres) = tokio::try_join!(
        Kafka::start_with(kafka),
        Registry::start(),
        Postgres::start_with(postgres)
    )?;
    println!("kafka      {}", kafka.brokers);
    if let Some(security) = &kafka.security {
        println!("  admin    {} (asks for nothing)", kafka.admin);
        println!("  CA       {}", security.ca.display());
        for user in &security.users {
            println!("  user     {} / {}", user.name, user.password);
        }
    }
    println!("registry   {}", registry.url);
    println!("postgresql {}", postgres.url("postgres"));
    if let Some(ca) = &postgres.ca {
        println!("  CA       {}", ca.display());
    }
    println!("Ctrl-C stops them");
    tokio::signal::ctrl_c().await.context("waiting for Ctrl-C")
}
