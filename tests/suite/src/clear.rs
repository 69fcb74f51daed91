//! Looks for clear-text personal data of the account's people, everywhere but in raw topics.

use zenfloe_oracle::scan::{Canary, Scanner};

use crate::tables::Tables;
use crate::{Topics, World};

/// The account's unmistakable values that must be nowhere.
pub fn canaries(world: &World) -> Vec<Canary> {
    let all = world.simulator.directory().into_iter();
    all.map(|canary| Canary {
        value: canary.value,
        class: canary.class.name().to_owned(),
    })
    .collect()
}

/// Scans clean topics, tables, logs and metrics; returns what was found and how many bytes were looked at.
pub async fn scan_everything(
    world: &World,
    topics: &Topics,
    tables: &[&Tables],
    metrics: &[String],
) -> anyhow::Result<(Vec<String>, usize)> {
    let scanner = Scanner::new(&canaries(world));
    let mut found = Vec::new();
    let mut looked_at = 0;
    let mut scan = |place: &str, bytes: &[u8]| {
        looked_at += bytes.len();
        found.extend(scanner.scan(place, bytes));
    };
    for (place, bytes) in topics.clean_bytes().await? {
        scan(&place, &bytes);
    }
    for (table, dump) in tables.iter().flat_map(|tables| tables.dumps()) {
        dump.iter().for_each(|row| scan(table, row.as_bytes()));
    }
    for (file, bytes) in world.logs()? {
        scan(&file, &bytes);
    }
    for text in metrics {
        scan("metrics", text.as_bytes());
    }
    Ok((found, looked_at))
}
