//! The extractor process: CPU time, memory and requests for a whole account.

use anyhow::ensure;
use zendesk_sim::{Collection, Simulator};
use zenfloe_catalog::Catalog;
use zenfloe_harness::{Kafka, Registry};
use zenfloe_log::Log;
use zenfloe_log_file::{Config, FileLog};
use zenfloe_record::{SourceName, Topic, TopicPartition};

use crate::meter::megabytes;
use crate::stand::{Queue, Run, SOURCE, Stand, account, kafka_log};
use crate::table::Table;

/// Of all records of an account of ordinary proportions, the share that are tickets, in percent.
const TICKETS: u32 = 69;

/// What one pass over an account did.
struct Extracted {
    run: Run,
    /// Records that the account has.
    records: usize,
    /// Records that the raw topics hold.
    appended: usize,
    /// Requests sent.
    requests: usize,
    /// Full pages that the account fills, the last ones of each collection included.
    floor: usize,
}

/// Measures over both logs; about so many records.
pub(crate) async fn measure(records: u32, table: &mut Table) -> anyhow::Result<()> {
    let tickets = records * TICKETS / 100;
    let simulator = account(tickets, None)?;
    show("file log", &over_file(&simulator).await?, table);
    let (kafka, registry) = tokio::try_join!(Kafka::start(), Registry::start())?;
    show("Kafka", &over_kafka(&simulator, &kafka, &registry).await?, table);
    Ok(())
}

fn show(log: &str, done: &Extracted, table: &mut Table) {
    let share = done.records as f64 / 32_000.0;
    let cpu = done.run.usage.cpu.as_secs_f64();
    table.add(
        format!("extract {} records, {log}: CPU", done.records),
        format!("{cpu:.2} s"),
        format!("{:.2} s", 1.5 * share),
        format!("{:.1} s by the clock", done.run.took.as_secs_f64()),
    );
    table.add(
        format!("extract, {log}: peak resident"),
        megabytes(done.run.usage.peak_resident),
        "40 MB",
        "",
    );
    table.add(
        format!("extract, {log}: requests"),
        done.requests,
        "the fewest",
        format!("{} pages hold all records", done.floor),
    );
}

async fn over_file(simulator: &Simulator) -> anyhow::Result<Extracted> {
    let stand = stand(&Queue::File, simulator).await?;
    let run = pass(&stand, simulator).await?;
    let log = FileLog::open(Config::new(stand.path("log.sqlite"))).await?;
    counted(run, simulator, &log).await
}

async fn over_kafka(simulator: &Simulator, kafka: &Kafka, registry: &Registry) -> anyhow::Result<Extracted> {
    let stand = stand(&Queue::Kafka(kafka, registry), simulator).await?;
    let run = pass(&stand, simulator).await?;
    counted(run, simulator, &kafka_log(kafka).await?).await
}

async fn stand(queue: &Queue<'_>, simulator: &Simulator) -> anyhow::Result<Stand> {
    Stand::new(queue, simulator.url(), "kind = \"sqlite\"\npath = \"warehouse.sqlite\"").await
}

async fn pass(stand: &Stand, simulator: &Simulator) -> anyhow::Result<Run> {
    simulator.clear_requests();
    stand.run_once("extract").await
}

/// Compares what the topics hold with the account.
async fn counted(run: Run, simulator: &Simulator, log: &dyn Log) -> anyhow::Result<Extracted> {
    let source = SourceName::new(SOURCE)?;
    let mut done = Extracted {
        run,
        records: 0,
        appended: 0,
        requests: simulator.requests().len(),
        floor: 0,
    };
    for collection in Collection::ALL {
        // A side conversation is read for its events, and is a record of its own.
        let is_read_for = |truth: &zendesk_sim::Truth| truth.json.contains("\"side_conversations\":[");
        let held = simulator.records(collection);
        let held: usize = held.map(|truth| 1 + usize::from(is_read_for(&truth))).sum();
        let found = records(log, &Topic::raw(&source, collection.name())).await?;
        ensure!(
            held == found,
            "{}: {held} records in the account, {found} in the log",
            collection.name()
        );
        done.records += held;
        done.appended += found;
        done.floor += held.div_ceil(page_size(collection)).max(1);
    }
    ensure!(done.appended == done.records, "rows are equal");
    Ok(done)
}

fn page_size(collection: Collection) -> usize {
    let held = Catalog::builtin().collection(collection.name());
    held.map_or(1, |held| held.endpoint.page_size as usize)
}

/// The number of records of a topic, read committed.
async fn records(log: &dyn Log, topic: &str) -> anyhow::Result<usize> {
    let partitions = log.topic(topic).await?.map_or(0, |info| info.partitions);
    let mut count = 0;
    for partition in 0..partitions {
        let at = TopicPartition::new(topic, partition);
        let start = log.bounds(&at).await?.start;
        count += log.scan(&at, start).await?.0.len();
    }
    Ok(count)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(flavor = "multi_thread")]
    async fn a_small_account_is_counted_in_records_and_requests() -> anyhow::Result<()> {
        let _ = rustls::crypto::ring::default_provider().install_default();
        let simulator = account(120, None)?;
        let done = over_file(&simulator).await?;
        assert!(done.records > 120 && done.appended == done.records);
        assert!(done.requests >= done.floor, "{} requests", done.requests);
        // Beyond full pages: a look whether each list goes on, and the beginnings of live tracks.
        assert!(
            done.requests <= 3 * done.floor,
            "{} requests for {} pages",
            done.requests,
            done.floor
        );
        assert!(done.run.usage.cpu.as_millis() > 0 && done.run.usage.peak_resident > 1 << 20);
        Ok(())
    }
}
