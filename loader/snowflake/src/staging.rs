//! Rows on their way into the staging table, which lives as long as its session.

use zenfloe_destination::ColumnType;

use crate::driver::Statement;
use crate::error::ApiError;
use crate::file;
use crate::inline::json;
use crate::layout::{KIND, LOAD, Layout};
use crate::session::{Open, Warehouse};
use crate::spool::{Batch, Body};
use crate::sql::{ELEMENTS, ident, staged, staging, text};

/// Rows of past batches that stand in the staging table before it is made anew, and files in the session's folder
/// before they are removed: both cost a statement.
const MOST_STAGED: usize = 1_000_000;
const MOST_FILES: usize = 32;

/// Makes the staging table of this layout. Contract: outside a transaction, which a statement of this kind would end.
pub(crate) async fn make(warehouse: &Warehouse, open: &mut Open, table: &str, layout: &Layout) -> Result<(), ApiError> {
    let columns = columns(layout);
    if open.staging.as_ref() != Some(&columns) || open.staged > MOST_STAGED {
        let create = format!("CREATE OR REPLACE TEMPORARY TABLE {} ({columns})", staging(table));
        open.run(Statement::new(table, create)).await?;
        open.staging = Some(columns);
        open.staged = 0;
    }
    if open.files >= MOST_FILES {
        open.files = 0;
        let remove = format!("REMOVE {}", place(warehouse, open, table));
        if let Err(error) = open.run(Statement::new(table, remove)).await {
            tracing::warn!(table, %error, "files that were loaded stay in the stage");
        }
    }
    Ok(())
}

fn columns(layout: &Layout) -> String {
    let define = |(name, kind): (&str, ColumnType)| format!("{} {}", ident(name), staged(kind));
    let columns: Vec<String> = staged_columns(layout).map(define).collect();
    columns.join(", ")
}

/// The session's own folder, so that no other session's file is in it.
fn place(warehouse: &Warehouse, open: &Open, table: &str) -> String {
    format!(
        "@{}/{table}/{}/",
        warehouse.config.stage.to_ascii_uppercase(),
        open.folder
    )
}

/// Uploads a batch's file, where it has one; claims that it did.
pub(crate) async fn upload(warehouse: &Warehouse, open: &mut Open, table: &str, batch: &Batch) -> Result<(), ApiError> {
    if let Body::File(folder) = &batch.body {
        let place = place(warehouse, open, table);
        open.files += 1;
        open.put(&folder.file(), &place, table).await?;
    }
    Ok(())
}

/// Puts a batch's rows into the staging table, all of them.
pub(crate) async fn stage(warehouse: &Warehouse, open: &mut Open, table: &str, batch: &Batch) -> Result<(), ApiError> {
    let rows = batch.places.len();
    let staged = match &batch.body {
        Body::Empty => 0,
        Body::Inline(columns) => {
            let bound = json(&batch.layout, columns, 0..columns.rows);
            open.run(insert(table, batch).bind(bound)).await?.number(0)?
        }
        Body::File(_) => open
            .run(copy(&place(warehouse, open, table), table, batch))
            .await?
            .copied(),
    };
    open.staged += rows;
    if staged != rows as u64 {
        return Err(ApiError::Unavailable {
            what: format!("{rows} rows were sent and {staged} arrived"),
        });
    }
    Ok(())
}

/// The staging table's columns in order, the loader's own at the end.
fn staged_columns(layout: &Layout) -> impl Iterator<Item = (&str, ColumnType)> {
    let data = layout.columns.iter().map(|column| (column.name.as_str(), column.kind));
    data.chain([(KIND, ColumnType::Int), (LOAD, ColumnType::Text)])
}

fn names(layout: &Layout) -> String {
    let names: Vec<String> = staged_columns(layout).map(|(name, _)| ident(name)).collect();
    names.join(", ")
}

fn insert(table: &str, batch: &Batch) -> Statement {
    let bound = staged_columns(&batch.layout).take(batch.layout.columns.len() + 1);
    let values: Vec<String> = bound
        .enumerate()
        .map(|(index, (_, kind))| format!("C.value[{index}]::{}", staged(kind)))
        .collect();
    let insert = format!(
        "INSERT INTO {} ({}) SELECT {}, {} FROM {ELEMENTS}",
        staging(table),
        names(&batch.layout),
        values.join(", "),
        text(&batch.id)
    );
    Statement::new(table, insert)
}

fn copy(place: &str, table: &str, batch: &Batch) -> Statement {
    let values: Vec<String> = staged_columns(&batch.layout)
        .enumerate()
        .map(|(number, (_, kind))| format!("$1:{}::{}", file::name(number), staged(kind)))
        .collect();
    let copy = format!(
        "COPY INTO {} ({}) FROM (SELECT {} FROM {place}{}.parquet) \
         FILE_FORMAT=(TYPE=PARQUET USE_LOGICAL_TYPE=TRUE) FORCE=TRUE ON_ERROR=ABORT_STATEMENT",
        staging(table),
        names(&batch.layout),
        values.join(", "),
        batch.id
    );
    Statement::new(table, copy)
}
