//! Tables made and widened, each column with what it is for and what happens to its values.

use async_trait::async_trait;
use zenfloe_destination::{
    ColumnShape, LOADED_AT, LoadError, Mode, Role, TableShape, Target, current_view, legal_name,
};

use crate::Config;
use crate::driver::Statement;
use crate::error::ApiError;
use crate::ledger;
use crate::rules::{Found, Known, columns};
use crate::session::{Open, Trouble, Warehouse, Work};
use crate::sql::{SUPPRESSED, declared, described, ident, text};

/// See [`zenfloe_destination::Destination::prepare`].
pub(crate) struct Prepare<'a> {
    pub(crate) target: &'a Target,
    pub(crate) shape: &'a TableShape,
}

pub(crate) fn schema(table: &str, what: String) -> LoadError {
    LoadError::Schema {
        table: table.to_owned(),
        what,
    }
}

#[async_trait]
impl Work for Prepare<'_> {
    type Done = ();

    async fn attempt(&self, warehouse: &Warehouse, open: &mut Open) -> Result<(), Trouble> {
        let table = &*self.target.table;
        if !legal_name(table) {
            return Err(schema(table, "its name is not made of a-z, 0-9 and _".into()).into());
        }
        ledger::make_positions(open, self.target).await?;
        let mut found = columns(open, table).await?;
        let statements = self.statements(&warehouse.config, &found)?;
        for statement in &statements {
            // Another loader may have been faster.
            match open.run(Statement::new(table, statement.as_str())).await {
                Err(ApiError::Exists { .. }) => {}
                other => drop(other?),
            }
        }
        if !statements.is_empty() {
            tracing::info!(table, statements = statements.len(), "table made or widened");
            found = columns(open, table).await?;
            self.widen(&found)?;
        }
        if self.target.mode == Mode::Upsert {
            make_view(open, table, !statements.is_empty()).await?;
        }
        ledger::note_columns(open, table, found.len()).await?;
        open.run(compaction(table)).await?;
        let rules = warehouse.known(table).and_then(|known| known.rules);
        warehouse.learn(table, Known { columns: found, rules });
        Ok(())
    }
}

impl Prepare<'_> {
    fn statements(&self, config: &Config, found: &[Found]) -> Result<Vec<String>, LoadError> {
        if found.is_empty() {
            return Ok(vec![self.create(config)]);
        }
        let mut statements: Vec<String> = self.widen(found)?.into_iter().collect();
        statements.extend(self.comments(found));
        Ok(statements)
    }

    fn create(&self, config: &Config) -> String {
        let table = &*self.target.table;
        let mut parts: Vec<String> = self.shape.columns.iter().map(|column| define(column, true)).collect();
        parts.push(format!(
            "{} TIMESTAMP_NTZ(6) COMMENT 'When the row was written.'",
            ident(LOADED_AT)
        ));
        let clustering = config.cluster_by.get(table).filter(|columns| !columns.is_empty());
        let clustering = clustering.map_or(String::new(), |columns| {
            let columns: Vec<String> = columns.iter().map(|column| ident(column)).collect();
            format!(" CLUSTER BY ({})", columns.join(", "))
        });
        format!(
            "CREATE {}TABLE IF NOT EXISTS {} ({}){clustering} COMMENT={}",
            if config.transient { "TRANSIENT " } else { "" },
            ident(table),
            parts.join(", "),
            text(&self.shape.comment)
        )
    }

    /// The statement that adds the columns that the table lacks.
    fn widen(&self, found: &[Found]) -> Result<Option<String>, LoadError> {
        let table = &*self.target.table;
        let mut added = Vec::new();
        for column in &self.shape.columns {
            let wanted = described(column.kind);
            match found.iter().find(|found| found.name == column.name) {
                Some(found) if found.kind == wanted => {}
                Some(found) => {
                    let what = format!("column `{}` is {} and the rows hold {wanted}", column.name, found.kind);
                    return Err(schema(table, what));
                }
                None if column.role != Role::Data => {
                    let what = format!("it exists without column `{}`: it is not one of ours", column.name);
                    return Err(schema(table, what));
                }
                None => added.push(format!("IF NOT EXISTS {}", define(column, false))),
            }
        }
        if !found.iter().any(|found| found.name == LOADED_AT) {
            added.push(format!("IF NOT EXISTS {} TIMESTAMP_NTZ(6)", ident(LOADED_AT)));
        }
        let add = |added: Vec<String>| format!("ALTER TABLE {} ADD COLUMN {}", ident(table), added.join(", "));
        Ok((!added.is_empty()).then(|| add(added)))
    }

    /// The statements that say anew what a column is for.
    fn comments(&self, found: &[Found]) -> Vec<String> {
        let changed = |column: &&ColumnShape| {
            let held = found.iter().find(|found| found.name == column.name);
            held.and_then(|held| held.comment.as_deref())
                .is_some_and(|held| held != column.comment)
        };
        let say = |column: &ColumnShape| {
            format!(
                "ALTER TABLE {} ALTER COLUMN {} COMMENT {}",
                ident(&self.target.table),
                ident(&column.name),
                text(&column.comment)
            )
        };
        self.shape.columns.iter().filter(changed).map(say).collect()
    }
}

fn define(column: &ColumnShape, may_be_required: bool) -> String {
    let required = if may_be_required && column.role != Role::Data {
        " NOT NULL"
    } else {
        ""
    };
    format!(
        "{} {}{required} COMMENT {}",
        ident(&column.name),
        declared(column.kind),
        text(&column.comment)
    )
}

/// Holds for a row that is not deleted.
const LIVE: &str = "NOT COALESCE(\"_DELETED\", FALSE)";

/// Makes the view of what is not deleted, anew when the table has changed: its columns are those of that moment.
async fn make_view(open: &mut Open, table: &str, is_changed: bool) -> Result<(), ApiError> {
    let Some(view) = current_view(table) else {
        return Ok(());
    };
    let (view, table_name) = (ident(&view), ident(table));
    let make = match is_changed {
        true => format!("CREATE OR REPLACE VIEW {view} COPY GRANTS AS SELECT * FROM {table_name} WHERE {LIVE}"),
        false => format!("CREATE VIEW IF NOT EXISTS {view} AS SELECT * FROM {table_name} WHERE {LIVE}"),
    };
    match open.run(Statement::new(table, make)).await {
        Ok(_) | Err(ApiError::Exists { .. }) => Ok(()),
        // Rows can be loaded without it.
        Err(error @ ApiError::Forbidden { .. }) => {
            tracing::warn!(table, %error, "no view of what is not deleted");
            Ok(())
        }
        Err(error) => Err(error),
    }
}

/// Counts a table's rows that are not deleted; see [`zenfloe_destination::Destination::rows`].
pub(crate) struct Count<'a> {
    pub(crate) target: &'a Target,
}

#[async_trait]
impl Work for Count<'_> {
    type Done = Option<u64>;

    async fn attempt(&self, _: &Warehouse, open: &mut Open) -> Result<Option<u64>, Trouble> {
        let table = &*self.target.table;
        let count = format!("SELECT COUNT(*) FROM {} WHERE {LIVE}", ident(table));
        match open.run(Statement::new(table, count)).await {
            Ok(rows) => Ok(Some(rows.number(0)?)),
            Err(ApiError::Missing { .. }) => Ok(None),
            Err(error) => Err(error.into()),
        }
    }
}

/// Takes fences away that a newer one of the same scope covers: flushes only ever add them.
fn compaction(table: &str) -> Statement {
    let delete = format!(
        "DELETE FROM {SUPPRESSED} USING (SELECT \"KIND\" \"K\", \"COLUMN_NAME\" \"C\", \"VALUE\" \"V\", \
         MAX(COALESCE(\"BEFORE_AT\", '9999-12-31 23:59:59.999999'::TIMESTAMP_NTZ(6))) \"B\" FROM {SUPPRESSED} \
         WHERE \"TABLE_NAME\" = {table} AND \"KIND\" = 'rows' GROUP BY \"KIND\", \"COLUMN_NAME\", \"VALUE\") N \
         WHERE {SUPPRESSED}.\"TABLE_NAME\" = {table} AND {SUPPRESSED}.\"KIND\" = N.\"K\" AND {SUPPRESSED}.\"COLUMN_NAME\" = N.\"C\" \
         AND {SUPPRESSED}.\"VALUE\" = N.\"V\" AND {SUPPRESSED}.\"BEFORE_AT\" < N.\"B\"",
        table = text(table)
    );
    Statement::new(table, delete)
}
