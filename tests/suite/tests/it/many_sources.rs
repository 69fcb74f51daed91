//! Ten sources and three extractors: nothing lost, nothing doubled, whoever is killed.

use std::time::Duration;

use anyhow::Context as _;
use fastrand::Rng;
use zenfloe_suite::{Fleet, counts};

use crate::honest_path::seed;

/// Kills of extractors.
const KILLS: usize = 12;
/// Changes of each account in a second.
const CHANGES_PER_SECOND: f64 = 1.0;

#[tokio::test(flavor = "multi_thread")]
async fn sources_are_handed_over_and_nothing_is_lost_or_doubled() -> anyhow::Result<()> {
    let seed = seed();
    println!("seed {seed} (ZENFLOE_SEED chooses another)");
    let fleet = Fleet::start(10, 40, seed).await?;
    let names = ["extract-a", "extract-b", "extract-c"];
    let mut extractors = names
        .map(|name| fleet.extractor(name))
        .into_iter()
        .collect::<anyhow::Result<Vec<_>>>()?;
    extractors.iter_mut().try_for_each(|extractor| extractor.start())?;
    for (_, account) in &fleet.accounts {
        account.set_change_rate(CHANGES_PER_SECOND);
    }
    // The state topics are made by whoever comes first.
    tokio::time::sleep(Duration::from_secs(10)).await;
    let spread = fleet.until_all_are_read().await?;
    println!("all sources are read {spread:?} after the start");
    let mut rng = Rng::with_seed(seed);
    for _ in 0..KILLS {
        tokio::time::sleep(Duration::from_millis(rng.u64(200..2_500))).await;
        let victim = &mut extractors[rng.usize(..names.len())];
        victim.kill()?;
        if rng.bool() {
            // Sometimes long enough that its sources are given to others.
            tokio::time::sleep(Duration::from_millis(rng.u64(0..9_000))).await;
        }
        victim.start()?;
    }
    let mut gone = extractors.pop().context("the third one")?;
    gone.kill()?;
    let took = fleet.until_all_are_read().await?;
    println!("after the end of one for good, all sources are read within {took:?}");
    for (_, account) in &fleet.accounts {
        account.set_change_rate(0.0);
    }
    for extractor in &mut extractors {
        extractor.stop().await?;
    }
    fleet.settle().await?;
    for (source, account) in &fleet.accounts {
        let counted = counts::raw_exactly_once(account, &mut fleet.topics(source).await?).await;
        let counted = counted.with_context(|| format!("source {source}, seed {seed}"))?;
        println!("{source}: {} records, each once", counted.values().sum::<usize>());
    }
    Ok(())
}
