//! The loader process from Kafka into PostgreSQL.

use anyhow::ensure;
use zenfloe_harness::{Kafka, Postgres, Registry};
use zenfloe_log::{Append, Cleanup, Log, TopicSpec};
use zenfloe_record::{Partition, SourceName, Topic, TopicPartition};
use zenfloe_registry::{Config, HttpRegistry, Registry as _, header, subject};

use crate::load::batches;
use crate::meter::megabytes;
use crate::rows;
use crate::stand::{Queue, SOURCE, Stand, kafka_log};
use crate::table::Table;

/// What topics of tickets have.
const PARTITIONS: Partition = 12;

/// Measures so many rows.
pub(crate) async fn measure(count: i64, table: &mut Table) -> anyhow::Result<()> {
    let (kafka, registry, postgres) = tokio::try_join!(Kafka::start(), Registry::start(), Postgres::start())?;
    fill(&kafka, &registry, count).await?;
    let destination = destination(&postgres);
    // Nothing is asked of the account.
    let stand = Stand::new(&Queue::Kafka(&kafka, &registry), "http://127.0.0.1:9", &destination).await?;
    let run = stand.run_once("load").await?;
    let found = postgres
        .query("postgres", "SELECT count(*) FROM warehouse.things")
        .await?;
    ensure!(found == count.to_string(), "{found} rows of {count} are in the table");
    let share = count as f64 / 100_000.0;
    table.add(
        format!("load {count} rows, Kafka to PostgreSQL, the loader process: CPU"),
        format!("{:.2} s", run.usage.cpu.as_secs_f64()),
        format!("{:.2} s", 1.5 * share),
        format!(
            "{:.1} s by the clock; a JVM sink connector takes 8 to 12 CPU s for 100,000",
            run.took.as_secs_f64()
        ),
    );
    table.add(
        "load, Kafka to PostgreSQL, the loader process: peak resident",
        megabytes(run.usage.peak_resident),
        "64 MB",
        "a JVM sink connector takes 940 MB",
    );
    Ok(())
}

/// The settings of a destination in the server's own database.
pub(crate) fn destination(server: &Postgres) -> String {
    format!(
        "kind = \"postgres\"\nurl = \"{}\"\nschema = \"warehouse\"\ntls = \"disable\"",
        server.url("postgres")
    )
}

/// Writes the rows to a clean topic, as the transformer does.
async fn fill(kafka: &Kafka, registry: &Registry, count: i64) -> anyhow::Result<()> {
    let log = kafka_log(kafka).await?;
    let topic = Topic::clean(&SourceName::new(SOURCE)?, "things");
    log.ensure(&[TopicSpec {
        name: topic.clone(),
        partitions: PARTITIONS,
        cleanup: Cleanup::Compact,
        max_message_bytes: 5 << 20,
    }])
    .await?;
    let registry = HttpRegistry::new(&Config::new(&registry.url))?;
    let id = registry.register(&subject(&topic), &rows::schema()).await?;
    let mut writer = log.writer("bench").await?;
    for ids in batches(count) {
        let append = |id_of_row: i64| Append {
            at: TopicPartition::new(topic.clone(), (id_of_row % i64::from(PARTITIONS)) as Partition),
            timestamp: None,
            key: rows::key(id_of_row),
            value: Some(rows::body(id_of_row, &header(id))),
            headers: rows::headers(id_of_row),
        };
        writer.commit(ids.map(append).collect(), None).await?;
    }
    Ok(())
}
