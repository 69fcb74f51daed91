//! What the account says that loading cost, told by the tag of each statement.

use async_trait::async_trait;
use serde::Deserialize;
use zenfloe_destination::{Cost, Costs};

use crate::driver::{APP, Rows, Statement};
use crate::error::{ApiError, broken};
use crate::session::{Open, Trouble, Warehouse, Work};

/// The most that the account tells at once:
/// <https://docs.snowflake.com/en/sql-reference/functions/query_history>.
const MOST: u64 = 10_000;

/// Reads it. A user sees statements of its own without any grant.
pub(crate) struct Read {
    pub(crate) hours: u32,
}

/// What is read of a tag.
#[derive(Deserialize)]
struct Tag {
    #[serde(default)]
    table: String,
}

#[async_trait]
impl Work for Read {
    type Done = Costs;

    async fn attempt(&self, _: &Warehouse, open: &mut Open) -> Result<Costs, Trouble> {
        Ok(costs(&open.run(self.statement()).await?)?)
    }
}

impl Read {
    fn statement(&self) -> Statement {
        let sql = format!(
            "SELECT QUERY_TAG, COUNT(*)::VARCHAR, SUM(TOTAL_ELAPSED_TIME)::VARCHAR, \
             SUM(COALESCE(BYTES_SCANNED, 0))::VARCHAR \
             FROM TABLE(INFORMATION_SCHEMA.QUERY_HISTORY_BY_USER(\
             END_TIME_RANGE_START => DATEADD('hour', -{hours}, CURRENT_TIMESTAMP()), RESULT_LIMIT => {MOST})) \
             WHERE QUERY_TAG LIKE '{{\"app\":\"{APP}\"%' AND DATABASE_NAME = CURRENT_DATABASE() \
             AND SCHEMA_NAME = CURRENT_SCHEMA() GROUP BY QUERY_TAG",
            hours = self.hours
        );
        Statement::new("", sql)
    }
}

fn costs(rows: &Rows) -> Result<Costs, ApiError> {
    let mut costs = Costs::default();
    for row in &rows.0 {
        let cell = |column: usize| row.get(column).and_then(Option::as_deref).unwrap_or_default();
        let number = |column: usize| cell(column).parse::<f64>().unwrap_or_default();
        let tag: Tag = serde_json::from_str(cell(0)).map_err(|_| broken("a statement's tag is not the loader's"))?;
        let held: &mut Cost = costs.tables.entry(tag.table).or_default();
        held.statements += number(1) as u64;
        held.seconds += number(2) / 1_000.0;
        held.bytes += number(3) as u64;
    }
    costs.is_cut = costs.tables.values().map(|cost| cost.statements).sum::<u64>() >= MOST;
    Ok(costs)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tags_of_a_table_are_added_up() {
        let row = |tag: &str, count: &str, millis: &str, bytes: &str| {
            [tag, count, millis, bytes].map(|cell| Some(cell.to_owned())).to_vec()
        };
        let rows = Rows(vec![
            row(r#"{"app":"zenfloe-load","table":"users"}"#, "3", "1500", "10"),
            row(r#"{"app":"zenfloe-load","table":""}"#, "9999", "0", "0"),
            row(r#"{"app":"zenfloe-load"}"#, "1", "20", "0"),
        ]);
        let told = costs(&rows).expect("tags of the loader");
        let users = Cost {
            statements: 3,
            seconds: 1.5,
            bytes: 10,
        };
        assert_eq!((told.tables["users"], told.tables[""].statements), (users, 10_000));
        assert!(told.is_cut);
        assert!(costs(&Rows(vec![row("{", "1", "1", "1")])).is_err());
        let sql = Read { hours: 24 }.statement().sql;
        assert!(sql.contains(r#"LIKE '{"app":"zenfloe-load"%'"#), "{sql}");
    }
}
