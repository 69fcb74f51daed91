//! Nothing lost, nothing doubled, nothing leaked, whatever is killed.

use zenfloe_oracle::scan::Scanner;
use zenfloe_suite::tables::{Tables, against_the_account};
use zenfloe_suite::{Topics, World, chaos, clear, counts, snow};

/// Kills of stages; the broker comes on top.
const KILLS: usize = 28;
/// Changes of the account in a second, while it is read.
const CHANGES_PER_SECOND: f64 = 15.0;

#[tokio::test(flavor = "multi_thread")]
async fn killed_at_random_moments_nothing_is_lost_doubled_or_leaked() -> anyhow::Result<()> {
    let seed = seed();
    println!("seed {seed} (ZENFLOE_SEED chooses another)");
    let mut world = World::start(1_500, seed).await?;
    let mut stages = vec![
        world.stage("extract", "zenfloe.toml", "extract")?,
        world.stage("transform-a", "zenfloe.toml", "transform")?,
        world.stage("transform-b", "zenfloe.toml", "transform")?,
        world.stage("load", "zenfloe.toml", "load")?,
        world.stage("load-append", "append.toml", "load")?,
        world.stage("load-snow", "snow.toml", "load")?,
    ];
    stages.iter_mut().try_for_each(|stage| stage.start())?;
    world.simulator.set_change_rate(CHANGES_PER_SECOND);
    let killed = chaos::kill_at_random(&mut world, &mut stages, KILLS, seed).await?;
    println!("killed: {killed:?}");
    let mut metrics = Vec::new();
    for stage in &mut stages {
        metrics.push(stage.metrics().await?);
    }
    world.simulator.set_change_rate(0.0);
    for stage in &mut stages {
        stage.stop().await?;
    }
    world.settle().await?;

    let mut topics = Topics::open(&world).await?;
    let counted = counts::exactly_once(&world.simulator, &mut topics).await?;
    println!("raw {:?}\nclean {:?}", counted.raw, counted.clean);
    assert_eq!(topics.dead().await?, 0, "dead letters");

    let cells = snow::same_as(&world, "warehouse", "").await?;
    let of_states = snow::same_as(&world, "history", "_history").await?;
    println!("{cells} cells of Snowflake are PostgreSQL's, and {of_states} of every state");

    let mut warehouse = Tables::read(&world, "warehouse").await?;
    let report = against_the_account(&world, &mut topics, &mut warehouse).await?;
    println!("{} cells compared, rows {:?}", report.cells, report.rows);
    assert_eq!(report.different, 0, "{}", report.differences.join("\n"));

    let history = Tables::read(&world, "history").await?;
    assert!(history.doubled().is_empty(), "{}", history.doubled().join("\n"));
    assert!(
        counted.are_kept(&history.counts()),
        "a destination that keeps every state holds each once: {:?}, expected {:?}",
        history.counts(),
        counted.states
    );

    let (found, bytes) = clear::scan_everything(&world, &topics, &[&warehouse, &history], &metrics).await?;
    println!("{bytes} bytes scanned for {} values", clear::canaries(&world).len());
    assert!(found.is_empty(), "clear text: {found:?}");

    let replayed = replayed(&world).await?;
    let different = warehouse.plain_differences(&replayed);
    assert!(
        different.is_empty(),
        "a replay from 0 gives the same tables: {}",
        first(&different)
    );
    let again = self::replayed(&world).await?;
    let different = replayed.differences(&again);
    assert!(
        different.is_empty(),
        "once everyone is known, texts are the same too: {}",
        first(&different)
    );
    Ok(())
}

/// The warehouse after a replay from 0; Snowflake holds the same.
async fn replayed(world: &World) -> anyhow::Result<Tables> {
    world.run(&["replay", "--config", "zenfloe.toml", "--all"]).await?;
    world
        .run(&["run", "--config", "zenfloe.toml", "--stage", "load", "--once"])
        .await?;
    world
        .run(&["run", "--config", "snow.toml", "--stage", "load", "--once"])
        .await?;
    snow::same_as(world, "warehouse", "").await?;
    Tables::read(world, "warehouse").await
}

fn first(differences: &[String]) -> String {
    let shown: Vec<&str> = differences.iter().take(10).map(String::as_str).collect();
    format!("{} differences\n{}", differences.len(), shown.join("\n"))
}

#[tokio::test(flavor = "multi_thread")]
async fn the_scan_finds_what_is_planted() -> anyhow::Result<()> {
    let world = World::start(50, 7).await?;
    let canaries = clear::canaries(&world);
    let scanner = Scanner::new(&canaries);
    for canary in canaries.iter().step_by(97) {
        let planted = format!("row of {} and more", canary.value.to_uppercase());
        assert!(
            !scanner.scan("planted", planted.as_bytes()).is_empty(),
            "a {} is found",
            canary.class
        );
    }
    let harmless = "nothing personal stands here, ticket 42 of 2026-01-31, k1_abcdefghijklmnopqrstuvwxyz";
    assert!(scanner.scan("harmless", harmless.as_bytes()).is_empty());
    Ok(())
}

/// Random unless it is given, so that runs differ; a failure prints it.
pub(crate) fn seed() -> u64 {
    let given = std::env::var("ZENFLOE_SEED").ok().and_then(|text| text.parse().ok());
    given.unwrap_or_else(|| fastrand::u64(..1_000_000))
}
