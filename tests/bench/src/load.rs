//! Destinations beside the engines' own bulk paths.

use std::ops::Range;
use std::path::Path;
use std::sync::Arc;

use anyhow::ensure;
use zenfloe_destination::{Cover, Destination, Flush, Mode, TableShape, Target, TopicRef};
use zenfloe_harness::Postgres;

use crate::engine::{self, Way};
use crate::meter::{Spent, Watch};
use crate::rows;
use crate::table::Table;

/// Rows of one flush: as many as the loader has in hand.
pub(crate) const BATCH: i64 = 2_800;
/// Each way is run so often, in turn; the shortest counts.
const ROUNDS: usize = 2;

/// Ids of the rows, batch by batch.
pub(crate) fn batches(rows: i64) -> impl Iterator<Item = Range<i64>> {
    let count = (rows + BATCH - 1) / BATCH;
    (0..count).map(move |n| n * BATCH..((n + 1) * BATCH).min(rows))
}

/// Chooses one of the ways.
type Pick = fn(&Compared) -> Spent;

/// What each way needed.
struct Compared {
    ours: Spent,
    plain: Spent,
    guarded: Spent,
}

/// Measures SQLite and PostgreSQL with so many rows.
pub(crate) async fn measure(count: i64, table: &mut Table) -> anyhow::Result<()> {
    let (mut sqlite, mut postgres) = (Vec::new(), Vec::new());
    let mut server = Postgres::start().await?;
    for round in 0..ROUNDS {
        let folder = tempfile::tempdir()?;
        sqlite.push(with_sqlite(folder.path(), count).await?);
        postgres.push(with_postgres(&mut server, round, count).await?);
    }
    show("SQLite", count, &sqlite, table);
    show("PostgreSQL", count, &postgres, table);
    Ok(())
}

async fn with_sqlite(folder: &Path, count: i64) -> anyhow::Result<Compared> {
    let config = zenfloe_sqlite::Config {
        path: folder.join("ours.sqlite"),
        ..zenfloe_sqlite::Config::default()
    };
    Ok(Compared {
        plain: engine::sqlite(&folder.join("plain.sqlite"), count, Way::Plain).await?,
        ours: through(&zenfloe_sqlite::Sqlite::new(config), count, None).await?,
        guarded: engine::sqlite(&folder.join("guarded.sqlite"), count, Way::Guarded).await?,
    })
}

async fn with_postgres(server: &mut Postgres, round: usize, count: i64) -> anyhow::Result<Compared> {
    let process = server.child().id();
    let plain = server.create_database(&format!("plain_{round}")).await?;
    let ours = server.create_database(&format!("ours_{round}")).await?;
    let guarded = server.create_database(&format!("guarded_{round}")).await?;
    let config = zenfloe_postgres::Config {
        url: Some(ours),
        tls: zenfloe_postgres::Tls::Disable,
        ..zenfloe_postgres::Config::default()
    };
    Ok(Compared {
        plain: engine::postgres(&plain, process, count, Way::Plain).await?,
        ours: through(&zenfloe_postgres::Postgres::new(config)?, count, Some(process)).await?,
        guarded: engine::postgres(&guarded, process, count, Way::Guarded).await?,
    })
}

/// Loads through a destination, decoding included.
async fn through(destination: &dyn Destination, count: i64, server: Option<u32>) -> anyhow::Result<Spent> {
    let shape = Arc::new(TableShape::parse(1, &rows::schema())?);
    let target = Target {
        table: "things".into(),
        mode: Mode::Upsert,
    };
    let topic = TopicRef {
        name: "acme.clean.things".into(),
        id: "1".into(),
    };
    destination.prepare(&target, &shape).await?;
    destination.positions(&target, &topic, &[0]).await?;
    let mut watch = Watch::new(server);
    let mut written = 0;
    for ids in batches(count) {
        let cover = Cover {
            partition: 0,
            from: ids.start,
            to: ids.end,
        };
        let made = ids.map(|id| rows::row(id, &shape)).collect();
        let flush = Flush::new(target.clone(), topic.clone(), vec![cover], made, Vec::new());
        written += watch.time(destination.flush(Arc::new(flush))).await?.written;
    }
    ensure!(written == count.unsigned_abs(), "{written} rows of {count} written");
    Ok(watch.spent())
}

fn show(engine: &str, count: i64, rounds: &[Compared], table: &mut Table) {
    let best =
        |way: Pick, time: fn(&Spent) -> f64| rounds.iter().map(|round| time(&way(round))).fold(f64::MAX, f64::min);
    let cpu = |spent: &Spent| spent.cpu().as_secs_f64();
    let wall = |spent: &Spent| spent.wall.as_secs_f64();
    let ours = best(|round| round.ours, cpu);
    let client = best(|round| round.ours, |spent| spent.client.as_secs_f64());
    table.add(
        format!("load {count} rows into {engine}: rows a CPU second"),
        format!(
            "{:.0} ({ours:.2} s, {client:.2} of them the client's)",
            count as f64 / ours
        ),
        "",
        format!("{:.2} s by the clock", best(|round| round.ours, wall)),
    );
    let ways: [(&str, Pick); 2] = [
        ("plain bulk path", |round| round.plain),
        ("guarded bulk upsert", |round| round.guarded),
    ];
    for (name, way) in ways {
        let (own_cpu, own_wall) = (best(way, cpu), best(way, wall));
        table.add(
            format!("load into {engine}: share of the engine's {name}"),
            format!("{:.0} %", 100.0 * own_cpu / ours),
            "80 %",
            format!(
                "{own_cpu:.2} CPU s; by the clock {:.0} % of its {own_wall:.2} s",
                100.0 * own_wall / best(|round| round.ours, wall)
            ),
        );
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn batches_cover_all_rows_once() {
        let all: Vec<_> = batches(6_000).collect();
        assert_eq!(all, [0..2_800, 2_800..5_600, 5_600..6_000]);
        assert_eq!(batches(2_800).count(), 1);
    }

    #[tokio::test]
    async fn sqlite_takes_every_row_each_way() -> anyhow::Result<()> {
        let folder = tempfile::tempdir()?;
        with_sqlite(folder.path(), 3_000).await?;
        for (file, name) in [("ours", "things"), ("plain", "t"), ("guarded", "t")] {
            let db = rusqlite::Connection::open(folder.path().join(format!("{file}.sqlite")))?;
            let count: i64 = db.query_row(&format!("SELECT count(*) FROM {name}"), [], |row| row.get(0))?;
            assert_eq!(count, 3_000, "{file}");
        }
        Ok(())
    }
}
