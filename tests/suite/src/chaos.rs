//! Kills what runs, at random moments.

use std::collections::BTreeMap;
use std::time::Duration;

use fastrand::Rng;

use crate::{Stage, World};

/// Kills a random stage with SIGKILL and starts it again, `kills` times; halfway the broker as well.
///
/// Returns how often each was killed: all as often, but for one. The moments and the order follow from the seed.
pub async fn kill_at_random(
    world: &mut World,
    stages: &mut [Stage],
    kills: usize,
    seed: u64,
) -> anyhow::Result<BTreeMap<String, usize>> {
    let mut rng = Rng::with_seed(seed);
    let mut killed: BTreeMap<String, usize> = BTreeMap::new();
    let mut victims: Vec<usize> = (0..kills).map(|kill| kill % stages.len()).collect();
    rng.shuffle(&mut victims);
    for (round, victim) in victims.into_iter().enumerate() {
        tokio::time::sleep(Duration::from_millis(rng.u64(200..1_500))).await;
        let victim = &mut stages[victim];
        victim.kill()?;
        *killed.entry(victim.name.to_owned()).or_default() += 1;
        if rng.bool() {
            tokio::time::sleep(Duration::from_millis(rng.u64(0..400))).await;
        }
        victim.start()?;
        if round == kills / 2 {
            world.kafka.kill()?;
            tokio::time::sleep(Duration::from_millis(500)).await;
            world.kafka.restart().await?;
            killed.insert("kafka".to_owned(), 1);
        }
    }
    Ok(killed)
}
