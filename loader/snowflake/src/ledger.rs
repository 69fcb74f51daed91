//! How far each partition is loaded: one table of positions beside each table.
//!
//! Its first row, of partition -1, belongs to no topic: updating it is the lock under which partitions are entered
//! (Snowflake enforces no primary key), its `TOPIC_ID` says what the table keeps, and its `NEXT_OFFSET` how many columns
//! the table has had at least. `TURN` counts what a row has been through: there are stand-ins on which an UPDATE that
//! changes no value takes no lock.

use async_trait::async_trait;
use serde_json::json;
use zenfloe_destination::{Cover, Flush, LoadError, Mode, Target, TopicRef};
use zenfloe_record::{Partition, Positions, TopicPartition};

use crate::Config;
use crate::driver::{Rows, Statement};
use crate::error::{ApiError, broken};
use crate::session::{Open, Trouble, Warehouse, Work};
use crate::sql::{ELEMENTS, SUPPRESSED, ident, positions, text};

/// Makes the table of what is suppressed.
pub(crate) fn suppressed() -> String {
    format!(
        "CREATE TABLE IF NOT EXISTS {SUPPRESSED} (\"TABLE_NAME\" VARCHAR NOT NULL, \"KIND\" VARCHAR NOT NULL, \
         \"COLUMN_NAME\" VARCHAR NOT NULL, \"VALUE\" VARCHAR NOT NULL, \"BEFORE_AT\" TIMESTAMP_NTZ(6), \"REVISION\" NUMBER(38,0))"
    )
}

/// Makes the stage. Files are encrypted by it, so that an upload is a plain one.
pub(crate) fn stage(config: &Config) -> String {
    format!(
        "CREATE STAGE IF NOT EXISTS {} ENCRYPTION=(TYPE='SNOWFLAKE_SSE')",
        ident(&config.stage)
    )
}

/// Makes what all tables share: what is suppressed, and the stage.
pub(crate) async fn make(config: &Config, open: &mut Open) -> Result<(), ApiError> {
    let look = format!("SELECT COUNT(*) FROM {SUPPRESSED} WHERE 1 = 0");
    let found = open.run(Statement::new("", look)).await;
    if let Err(ApiError::Missing { .. }) = found {
        unless_there(open.run(Statement::new("", suppressed())).await)?;
    } else {
        found?;
    }
    match open.run(Statement::new("", stage(config))).await {
        // A role that may not make stages may use the one that is there; a PUT says it if there is none.
        Err(ApiError::Forbidden { .. }) => Ok(()),
        other => unless_there(other),
    }
}

fn unless_there(made: Result<Rows, ApiError>) -> Result<(), ApiError> {
    match made {
        Ok(_) | Err(ApiError::Exists { .. }) => Ok(()),
        Err(error) => Err(error),
    }
}

/// What a table keeps, as the first row says it.
fn keeps(mode: Mode) -> &'static str {
    match mode {
        Mode::Upsert => "upsert",
        Mode::Append => "append",
    }
}

/// Makes a table's ledger with its first row, or says what the table keeps.
pub(crate) async fn make_positions(open: &mut Open, target: &Target) -> Result<(), Trouble> {
    let (table, ledger) = (&*target.table, positions(&target.table));
    let select = format!("SELECT \"TOPIC_ID\" FROM {ledger} WHERE \"PART\" = -1");
    let found = match open.run(Statement::new(table, select.clone())).await {
        Err(ApiError::Missing { .. }) => {
            let create = format!(
                "CREATE TABLE {ledger} AS SELECT ''::VARCHAR \"TOPIC\", {}::VARCHAR \"TOPIC_ID\", -1::NUMBER(38,0) \"PART\", \
                 0::NUMBER(38,0) \"NEXT_OFFSET\", ''::VARCHAR \"BATCH_ID\", 0::NUMBER(38,0) \"TURN\"",
                text(keeps(target.mode))
            );
            match open.run(Statement::new(table, create)).await {
                Ok(_) => return Ok(()),
                Err(ApiError::Exists { .. }) => open.run(Statement::new(table, select)).await?,
                Err(error) => return Err(error.into()),
            }
        }
        found => found?,
    };
    let found = found.0.first().and_then(|row| row.first().cloned().flatten());
    match found.as_deref() {
        Some(found) if found == keeps(target.mode) => Ok(()),
        Some(found) => Err(LoadError::Schema {
            table: table.to_owned(),
            what: format!("it exists for `{found}`; give this destination another table or schema"),
        }
        .into()),
        None => Err(broken(format!("{ledger} has lost its first row, that of partition -1")).into()),
    }
}

/// Says in the first row how many columns the table has.
pub(crate) async fn note_columns(open: &mut Open, table: &str, columns: usize) -> Result<(), ApiError> {
    let update = format!(
        "UPDATE {} SET \"NEXT_OFFSET\" = {columns} WHERE \"PART\" = -1 AND \"NEXT_OFFSET\" < {columns}",
        positions(table)
    );
    open.run(Statement::new(table, update)).await.map(drop)
}

/// Reads the positions of partitions, entering those that are new.
pub(crate) struct Read<'a> {
    pub(crate) target: &'a Target,
    pub(crate) topic: &'a TopicRef,
    pub(crate) partitions: &'a [Partition],
}

#[async_trait]
impl Work for Read<'_> {
    type Done = Positions;

    async fn attempt(&self, _: &Warehouse, open: &mut Open) -> Result<Positions, Trouble> {
        let mut found = match self.stored(open).await {
            // A loader asks where to begin before it has seen a schema.
            Err(Trouble::Api(ApiError::Missing { .. })) => {
                make_positions(open, self.target).await?;
                Vec::new()
            }
            found => found?,
        };
        if self.missing(&found).next().is_some() {
            self.enter(open).await?;
            found = self.stored(open).await?;
        }
        if let Some(partition) = self.missing(&found).next() {
            return Err(broken(format!("partition {partition} could not be entered")).into());
        }
        let mut positions = Positions::new();
        for row in found.iter().filter(|row| self.partitions.contains(&row.partition)) {
            positions.set(
                TopicPartition::new(self.topic.name.clone(), row.partition),
                row.next_offset,
            );
        }
        Ok(positions)
    }
}

impl Read<'_> {
    fn missing<'r>(&'r self, found: &'r [Stored]) -> impl Iterator<Item = Partition> + 'r {
        let is_missing = |partition: &Partition| !found.iter().any(|row| row.partition == *partition);
        self.partitions.iter().copied().filter(is_missing)
    }

    async fn stored(&self, open: &mut Open) -> Result<Vec<Stored>, Trouble> {
        let found = stored(open, self.target, self.topic).await?;
        match found.iter().find(|row| row.topic_id != *self.topic.id) {
            Some(row) => Err(recreated(self.target, self.topic, &row.topic_id).into()),
            None => Ok(found),
        }
    }

    /// Enters all partitions in one statement, under the lock of the first row.
    async fn enter(&self, open: &mut Open) -> Result<(), ApiError> {
        let (table, ledger) = (&*self.target.table, positions(&self.target.table));
        let insert = format!(
            "INSERT INTO {ledger} (\"TOPIC\", \"TOPIC_ID\", \"PART\", \"NEXT_OFFSET\", \"BATCH_ID\", \"TURN\") \
             SELECT {topic}, {id}, C.value::NUMBER(38,0), 0, '', 0 FROM {ELEMENTS} WHERE NOT EXISTS (SELECT 1 FROM {ledger} P \
             WHERE P.\"TOPIC\" = {topic} AND P.\"PART\" = C.value::NUMBER(38,0))",
            topic = text(&self.topic.name),
            id = text(&self.topic.id),
        );
        open.begin(table).await?;
        lock_first(open, table).await?;
        let partitions = json!(self.partitions).to_string();
        open.run(Statement::new(table, insert).bind(partitions)).await?;
        open.commit(table).await
    }
}

/// Takes the lock under which partitions are entered.
async fn lock_first(open: &mut Open, table: &str) -> Result<(), ApiError> {
    let lock = format!(
        "UPDATE {} SET \"TURN\" = \"TURN\" + 1 WHERE \"PART\" = -1",
        positions(table)
    );
    open.run(Statement::new(table, lock)).await.map(drop)
}

/// Updates every positions row of a table, to take its lock.
pub(crate) fn lock_all(table: &str) -> Statement {
    let lock = format!("UPDATE {} SET \"TURN\" = \"TURN\" + 1", positions(table));
    Statement::new(table, lock)
}

/// A row of the ledger.
struct Stored {
    topic_id: String,
    partition: Partition,
    next_offset: i64,
    batch_id: String,
}

async fn stored(open: &mut Open, target: &Target, topic: &TopicRef) -> Result<Vec<Stored>, ApiError> {
    let select = format!(
        "SELECT \"TOPIC_ID\", \"PART\", \"NEXT_OFFSET\", \"BATCH_ID\" FROM {} WHERE \"TOPIC\" = ?",
        positions(&target.table)
    );
    let rows = open
        .run(Statement::new(&target.table, select).bind(&*topic.name))
        .await?;
    let row = |row: Vec<Option<String>>| {
        let [topic_id, partition, next_offset, batch_id] = <[_; 4]>::try_from(row).ok()?;
        Some(Stored {
            topic_id: topic_id?,
            partition: partition?.parse().ok()?,
            next_offset: next_offset?.parse().ok()?,
            batch_id: batch_id.unwrap_or_default(),
        })
    };
    let rows: Option<Vec<_>> = rows.0.into_iter().map(row).collect();
    rows.ok_or_else(|| broken("the ledger of positions holds a row that is none"))
}

/// Moves every position of a flush from where it must be to where it goes; changes as many rows as there are partitions,
/// or the flush is not in order.
pub(crate) fn compare_and_swap(flush: &Flush) -> Statement {
    let ledger = positions(&flush.target.table);
    let update = format!(
        "UPDATE {ledger} SET \"NEXT_OFFSET\" = R.\"TO_\", \"BATCH_ID\" = {batch}, \"TURN\" = {ledger}.\"TURN\" + 1 FROM \
         (SELECT C.value[0]::NUMBER(38,0) \"PART\", C.value[1]::NUMBER(38,0) \"FROM_\", C.value[2]::NUMBER(38,0) \"TO_\" FROM {ELEMENTS}) R \
         WHERE {ledger}.\"TOPIC\" = {topic} AND {ledger}.\"TOPIC_ID\" = {id} AND {ledger}.\"PART\" = R.\"PART\" AND {ledger}.\"NEXT_OFFSET\" = R.\"FROM_\"",
        batch = text(flush.batch.as_str()),
        topic = text(&flush.topic.name),
        id = text(&flush.topic.id),
    );
    let ranges: Vec<_> = flush
        .covers
        .iter()
        .map(|Cover { partition, from, to }| json!([partition, from, to]))
        .collect();
    Statement::new(&flush.target.table, update).bind(json!(ranges).to_string())
}

/// Why positions were not where a flush begins: `Ok` when this very flush had moved them.
///
/// The partitions of one flush move together, so each of them tells for all.
pub(crate) async fn explain(open: &mut Open, flush: &Flush) -> Result<(), Trouble> {
    let found = stored(open, &flush.target, &flush.topic).await?;
    if let Some(row) = found.iter().find(|row| row.topic_id != *flush.topic.id) {
        return Err(recreated(&flush.target, &flush.topic, &row.topic_id).into());
    }
    let is_ours = |cover: &Cover| {
        found.iter().any(|row| {
            row.partition == cover.partition && row.next_offset == cover.to && row.batch_id == flush.batch.as_str()
        })
    };
    if flush.covers.iter().all(is_ours) {
        return Ok(());
    }
    Err(LoadError::Moved {
        table: flush.target.table.to_string(),
    }
    .into())
}

fn recreated(target: &Target, topic: &TopicRef, stored: &str) -> LoadError {
    LoadError::TopicRecreated {
        table: target.table.to_string(),
        topic: topic.name.to_string(),
        stored: stored.to_owned(),
        found: topic.id.to_string(),
    }
}
