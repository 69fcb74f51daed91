use std::sync::Arc;

use async_trait::async_trait;
use zenfloe_destination::contract::{self, Subject};
use zenfloe_destination::{Destination, Faults};
use zenfloe_postgres::Postgres;

use crate::Database;

/// Between columns and instead of null; no text of the contract holds them.
const COLUMN: char = '\u{1f}';
const NULL: &str = "\u{1e}";
/// Instead of a line's end within a value, and at the end of a row.
const LINE: &str = "\u{1d}";
const ROW: char = '\u{1c}';

#[async_trait]
impl Subject for Database {
    async fn open(&self, faults: Arc<Faults>) -> Arc<dyn Destination> {
        Arc::new(Postgres::with_faults(self.config(), faults).expect("the configuration is in order"))
    }

    async fn select(&self, table: &str, columns: &[&str]) -> Vec<Vec<Option<String>>> {
        let cells: Vec<String> = columns.iter().map(|column| as_text(column)).collect();
        let order = columns
            .iter()
            .map(|column| format!("\"{column}\" NULLS FIRST"))
            .collect::<Vec<_>>()
            .join(", ");
        let sql = format!(
            "SELECT concat_ws('{COLUMN}', {}) || '{ROW}' FROM mart_zendesk.{table} ORDER BY {order}",
            cells.join(", ")
        );
        let printed = self.query(&sql).await;
        let rows = printed.split(ROW).map(|row| row.trim_start_matches('\n'));
        rows.filter(|row| !row.is_empty()).map(cells_of).collect()
    }
}

/// A column's value as the contract wants it. psql prints with the session's settings.
fn as_text(column: &str) -> String {
    let text = match column {
        "at" | "received_at" | "_version" | "_extracted_at" | "_loaded_at" => {
            format!("to_char(\"{column}\" AT TIME ZONE 'UTC', 'YYYY-MM-DD HH24:MI:SS.US')")
        }
        _ => format!("\"{column}\"::text"),
    };
    format!("coalesce(replace({text}, chr(10), '{LINE}'), '{NULL}')")
}

fn cells_of(row: &str) -> Vec<Option<String>> {
    let cell = |cell: &str| (cell != NULL).then(|| cell.replace(LINE, "\n"));
    row.split(COLUMN).map(cell).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_contract_holds() {
    contract::all(&Database::new().await).await;
}
