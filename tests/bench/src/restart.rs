//! How soon a killed stage works again.

use std::time::{Duration, Instant};

use anyhow::{Context as _, bail, ensure};
use tokio_postgres::{Client, NoTls};
use zendesk_sim::Simulator;
use zenfloe_harness::{Child, Kafka, Postgres, Registry};
use zenfloe_log::{Assign, Limit, Log, Read, Reader, ReaderSpec, Start};
use zenfloe_log_kafka::KafkaLog;
use zenfloe_record::TopicPartition;

use crate::hop::destination;
use crate::meter::median;
use crate::stand::{Queue, SOURCE, Stand, account, kafka_log};
use crate::table::Table;

/// The account's time, in which the newest minute is held back.
const SPEED: f64 = 30.0;
const CHANGES_PER_SECOND: f64 = 20.0;
/// The longest that a stage may take before the run is given up.
const PATIENCE: Duration = Duration::from_secs(90);
/// After a kill: what had been committed becomes visible, and work for the next start comes in.
const REST: Duration = Duration::from_secs(3);

/// Kills each stage so often, over Kafka into PostgreSQL, with changes coming in.
pub(crate) async fn measure(kills: usize, table: &mut Table) -> anyhow::Result<()> {
    let (kafka, registry, postgres) = tokio::try_join!(Kafka::start(), Registry::start(), Postgres::start())?;
    let simulator = account(1_000, Some(SPEED))?;
    let queue = Queue::Kafka(&kafka, &registry);
    let stand = Stand::new(&queue, simulator.url(), &destination(&postgres)).await?;
    let mut stages = Stages::start(&stand, &simulator)?;
    let log = kafka_log(&kafka).await?;
    let database = connect(&postgres).await?;
    until_loaded(&database, &mut stages).await?;
    let mut raw = Topics::open(&log, "raw.").await?;
    let mut clean = Topics::open(&log, "clean.").await?;
    for stage in ["extract", "transform", "load"] {
        let mut took = Vec::with_capacity(kills);
        for _ in 0..kills {
            stages.kill(stage)?;
            tokio::time::sleep(REST).await;
            let seen = match stage {
                "extract" => raw.settle().await.map(|()| 0)?,
                "transform" => clean.settle().await.map(|()| 0)?,
                _ => loaded(&database).await?,
            };
            let began = Instant::now();
            stages.start_again(&stand, stage)?;
            match stage {
                "extract" => raw.next().await?,
                "transform" => clean.next().await?,
                _ => until_beyond(&database, seen).await?,
            }
            took.push(began.elapsed().as_secs_f64());
        }
        show(stage, &took, table);
    }
    Ok(())
}

fn show(stage: &str, took: &[f64], table: &mut Table) {
    let longest = took.iter().copied().fold(0.0, f64::max);
    table.add(
        format!("{stage}: from start after kill -9 to its first new commit"),
        format!("{:.2} s", median(took.to_vec())),
        "5 s",
        format!("middle of {}; the longest {longest:.2} s", took.len()),
    );
}

/// The three services.
struct Stages(Vec<(&'static str, Child)>);

impl Stages {
    fn start(stand: &Stand, simulator: &Simulator) -> anyhow::Result<Self> {
        let start = |stage| Ok((stage, stand.start_stage(stage)?));
        let started: anyhow::Result<_> = ["extract", "transform", "load"].into_iter().map(start).collect();
        simulator.set_change_rate(CHANGES_PER_SECOND);
        Ok(Self(started?))
    }

    fn of(&mut self, stage: &str) -> anyhow::Result<&mut Child> {
        let held = self.0.iter_mut().find(|(name, _)| *name == stage);
        Ok(&mut held.context("a stage of that name")?.1)
    }

    fn check(&mut self) -> anyhow::Result<()> {
        for (stage, child) in &mut self.0 {
            ensure!(child.is_running(), "{stage} ended by itself:\n{}", child.output());
        }
        Ok(())
    }

    fn kill(&mut self, stage: &str) -> anyhow::Result<()> {
        self.check()?;
        Ok(self.of(stage)?.kill()?)
    }

    fn start_again(&mut self, stand: &Stand, stage: &str) -> anyhow::Result<()> {
        *self.of(stage)? = stand.start_stage(stage)?;
        Ok(())
    }
}

/// Reads what is committed to some topics.
struct Topics {
    reader: Box<dyn Reader>,
}

impl Topics {
    /// All topics of the source whose names go on with `part`, from their ends.
    async fn open(log: &KafkaLog, part: &str) -> anyhow::Result<Self> {
        let mut starts = Vec::new();
        for topic in log.topics(&format!("{SOURCE}.{part}")).await? {
            let partitions = log.topic(&topic).await?.map_or(0, |info| info.partitions);
            for partition in 0..partitions {
                let at = TopicPartition::new(topic.as_str(), partition);
                let end = log.bounds(&at).await?.end;
                starts.push((at, Start::At(end)));
            }
        }
        let spec = ReaderSpec {
            group: format!("bench-{part}"),
            member: None,
            assign: Assign::Exact(starts.iter().map(|(at, _)| at.clone()).collect()),
        };
        let mut reader = log.reader(spec).await?;
        reader.begin(&starts).await?;
        Ok(Self { reader })
    }

    /// Reads all that is there.
    async fn settle(&mut self) -> anyhow::Result<()> {
        while self.records(Duration::from_millis(500)).await? > 0 {}
        Ok(())
    }

    /// Waits for a record.
    async fn next(&mut self) -> anyhow::Result<()> {
        let began = Instant::now();
        while self.records(Duration::from_millis(20)).await? == 0 {
            ensure!(began.elapsed() < PATIENCE, "no new commit within {PATIENCE:?}");
        }
        Ok(())
    }

    async fn records(&mut self, wait: Duration) -> anyhow::Result<usize> {
        let limit = Limit {
            wait,
            ..Limit::default()
        };
        match self.reader.read(limit).await? {
            Read::Batch(batch) => Ok(batch.records.len()),
            Read::Assigned(_) | Read::Revoked(_) => bail!("the partitions are ours alone"),
        }
    }
}

async fn connect(postgres: &Postgres) -> anyhow::Result<Client> {
    let (client, connection) = tokio_postgres::connect(&postgres.url("postgres"), NoTls).await?;
    tokio::spawn(connection);
    Ok(client)
}

/// The sum of all positions that are loaded; 0 before there is a ledger.
async fn loaded(database: &Client) -> anyhow::Result<i64> {
    let ledger = "SELECT to_regclass('warehouse._zenfloe_positions') IS NOT NULL";
    let is_there: bool = database.query_one(ledger, &[]).await?.get(0);
    if !is_there {
        return Ok(0);
    }
    let sum = "SELECT coalesce(sum(next_offset), 0)::bigint FROM warehouse._zenfloe_positions";
    Ok(database.query_one(sum, &[]).await?.get(0))
}

async fn until_beyond(database: &Client, seen: i64) -> anyhow::Result<()> {
    let began = Instant::now();
    while loaded(database).await? <= seen {
        ensure!(began.elapsed() < PATIENCE, "no new rows within {PATIENCE:?}");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    Ok(())
}

/// Waits until the account's history has passed through and changes are what is loaded.
async fn until_loaded(database: &Client, stages: &mut Stages) -> anyhow::Result<()> {
    let began = Instant::now();
    let (mut before, mut last) = (0, 0);
    // History comes in steps of hundreds, changes in steps of few.
    while last == 0 || last - before > 500 {
        stages.check()?;
        ensure!(began.elapsed() < 2 * PATIENCE, "the account is not loaded");
        tokio::time::sleep(Duration::from_secs(3)).await;
        before = last;
        last = loaded(database).await?;
    }
    Ok(())
}
