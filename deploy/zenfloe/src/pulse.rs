//! Liveness of the stages: a stage counts its turns, a pulse beats while the count rises.

use std::time::Duration;

use tokio_util::sync::CancellationToken;
use zenfloe_process::Health;

/// How often the counts are looked at.
const EVERY: Duration = Duration::from_secs(1);

/// Beats the pulse `name` whenever `turns` has risen, until `stop` fires.
///
/// The first turn also makes the stage ready: it has its parts and has begun.
pub(crate) fn watch(health: &Health, name: &str, turns: impl Fn() -> u64 + Send + 'static, stop: CancellationToken) {
    let pulse = health.pulse(name);
    tokio::spawn(async move {
        let mut seen = 0;
        loop {
            let now = turns();
            if now != seen {
                seen = now;
                pulse.beat();
            }
            tokio::select! {
                () = stop.cancelled() => break,
                () = tokio::time::sleep(EVERY) => {}
            }
        }
    });
}
