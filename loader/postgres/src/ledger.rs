//! How far each partition is loaded.

use tokio_postgres::types::Type;
use zenfloe_destination::{Cover, Flush, LoadError, Target, TopicRef};
use zenfloe_record::{Offset, Partition, Positions, TopicPartition};

use crate::session::{Session, Statements};

/// Makes the schema and the ledger's tables where they are missing.
pub(crate) async fn make(session: &Session) -> Result<(), LoadError> {
    if is_made(session).await? {
        return Ok(());
    }
    session
        .alone(async || {
            // `IF NOT EXISTS` would ask for a right that the schema's user need not have.
            let schema = session.place.schema();
            let held = "SELECT 1 FROM pg_namespace WHERE nspname = $1";
            if session.query(held, &[(&schema, Type::TEXT)]).await?.is_empty() {
                session.run(&format!("CREATE SCHEMA \"{schema}\"")).await?;
            }
            session.run(&tables(session)).await
        })
        .await
        .map(drop)
}

async fn is_made(session: &Session) -> Result<bool, LoadError> {
    let count = "SELECT 1 FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
        WHERE n.nspname = $1 AND c.relname IN ('_zenfloe_positions', '_zenfloe_suppressed') AND c.relkind = 'r'";
    let found = session.query(count, &[(&session.place.schema(), Type::TEXT)]).await?;
    Ok(found.len() == 2)
}

fn tables(session: &Session) -> String {
    let place = &session.place;
    format!(
        "CREATE TABLE IF NOT EXISTS {} (
            table_name text NOT NULL, topic text NOT NULL, topic_id text NOT NULL, part integer NOT NULL,
            next_offset bigint NOT NULL, batch_id text NOT NULL, updated_at timestamptz NOT NULL,
            PRIMARY KEY (table_name, topic, part)) WITH (fillfactor = 50);
        CREATE TABLE IF NOT EXISTS {} (
            table_name text NOT NULL, kind text NOT NULL, column_name text NOT NULL, value text NOT NULL,
            before timestamptz, revision integer,
            PRIMARY KEY (table_name, kind, column_name, value));",
        place.positions(),
        place.suppressed()
    )
}

/// Enters partitions that are new and reads all of them.
pub(crate) async fn positions(
    session: &Session,
    target: &Target,
    topic: &TopicRef,
    partitions: &[Partition],
) -> Result<Positions, LoadError> {
    let ledger = session.place.positions();
    let enter = format!(
        "INSERT INTO {ledger} SELECT $1, $2, $3, part, 0, '', now() FROM unnest($4) part
        WHERE NOT EXISTS (SELECT 1 FROM {ledger} WHERE table_name = $1 AND topic = $2 AND topic_id <> $3)
        ON CONFLICT DO NOTHING"
    );
    let (table, name, id) = (&*target.table, &*topic.name, &*topic.id);
    let text = Type::TEXT;
    let values = [
        (&table as _, text.clone()),
        (&name as _, text.clone()),
        (&id as _, text.clone()),
    ];
    let with_partitions = [&values[..], &[(&partitions as _, Type::INT4_ARRAY)]].concat();
    session.execute(&enter, &with_partitions).await?;

    let read = format!("SELECT part, topic_id, next_offset FROM {ledger} WHERE table_name = $1 AND topic = $2");
    let mut positions = Positions::new();
    for row in session.query(&read, &values[..2]).await? {
        let (partition, stored): (Partition, &str) = (row.get(0), row.get(1));
        if stored != id {
            return Err(recreated(target, topic, stored));
        }
        if partitions.contains(&partition) {
            positions.set(TopicPartition::new(topic.name.clone(), partition), row.get(2));
        }
    }
    Ok(positions)
}

/// What became of the positions of a flush.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Moved {
    /// They are ours: the transaction holds the lock.
    Now,
    /// They had been moved by this very flush.
    Before,
}

/// Locks the positions of a flush, compares them with where it begins, and moves them.
pub(crate) async fn compare_and_swap(statements: &Statements<'_>, flush: &Flush) -> Result<Moved, LoadError> {
    let mut covers = flush.covers.clone();
    covers.sort_unstable();
    let ledger = statements.session.place.positions();
    let partitions: Vec<Partition> = covers.iter().map(|cover| cover.partition).collect();
    let (table, topic) = (&*flush.target.table, &*flush.topic.name);
    let lock = format!(
        "SELECT part, next_offset, topic_id, batch_id FROM {ledger}
        WHERE table_name = $1 AND topic = $2 AND part = ANY($3) ORDER BY topic, part FOR UPDATE"
    );
    let values = [
        (&table as _, Type::TEXT),
        (&topic as _, Type::TEXT),
        (&partitions as _, Type::INT4_ARRAY),
    ];
    let held = statements.query(&lock, &values).await?;
    for cover in &covers {
        let row = held.iter().find(|row| row.get::<_, Partition>(0) == cover.partition);
        let stored = row.map(|row| (row.get(1), row.get(2), row.get(3)));
        if compare(flush, cover, stored)? == Moved::Before {
            return Ok(Moved::Before);
        }
    }
    let ends: Vec<Offset> = covers.iter().map(|cover| cover.to).collect();
    let batch = flush.batch.as_str();
    let swap = format!(
        "UPDATE {ledger} p SET next_offset = c.next, batch_id = $5, updated_at = now()
        FROM unnest($3, $4) c(part, next) WHERE p.table_name = $1 AND p.topic = $2 AND p.part = c.part"
    );
    let more = [(&ends as _, Type::INT8_ARRAY), (&batch as _, Type::TEXT)];
    statements.execute(&swap, &[&values[..], &more].concat()).await?;
    Ok(Moved::Now)
}

/// Compares one locked position with where a flush begins. The partitions of one flush move together, so the first
/// that is elsewhere tells for all.
fn compare(flush: &Flush, cover: &Cover, stored: Option<(Offset, &str, &str)>) -> Result<Moved, LoadError> {
    match stored {
        Some((_, id, _)) if id != &*flush.topic.id => Err(recreated(&flush.target, &flush.topic, id)),
        Some((next, _, _)) if next == cover.from => Ok(Moved::Now),
        Some((next, _, batch)) if next == cover.to && batch == flush.batch.as_str() => Ok(Moved::Before),
        _ => Err(LoadError::Moved {
            table: flush.target.table.to_string(),
        }),
    }
}

/// Takes the lock of a whole table: every one of its positions rows, in order, updated.
pub(crate) async fn lock(statements: &Statements<'_>, target: &Target) -> Result<(), LoadError> {
    let ledger = statements.session.place.positions();
    let table = [(&&*target.table as _, Type::TEXT)];
    let order = format!("SELECT 1 FROM {ledger} WHERE table_name = $1 ORDER BY topic, part FOR UPDATE");
    statements.query(&order, &table).await?;
    let touch = format!("UPDATE {ledger} SET updated_at = now() WHERE table_name = $1");
    statements.execute(&touch, &table).await.map(drop)
}

fn recreated(target: &Target, topic: &TopicRef, stored: &str) -> LoadError {
    LoadError::TopicRecreated {
        table: target.table.to_string(),
        topic: topic.name.to_string(),
        stored: stored.to_owned(),
        found: topic.id.to_string(),
    }
}
