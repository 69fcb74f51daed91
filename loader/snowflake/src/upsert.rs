//! The statements that take staged rows into their table.

use zenfloe_destination::{LOADED_AT, Mode, Role, STATE_COLUMNS, Target, VERSION_COLUMNS};

use crate::config::Upsert;
use crate::driver::{Rows, Statement};
use crate::error::ApiError;
use crate::layout::{KIND, Layout, Staged};
use crate::rules::{Choose, Known, winners};
use crate::spool::Batch;
use crate::sql::{NOW, ident, staging};

/// The statements, to be run in order; each binds the batch's name.
pub(crate) fn statements(how: Upsert, target: &Target, batch: &Batch, known: &Known) -> Vec<Statement> {
    let layout = &*batch.layout;
    let rules = known.rules.clone().unwrap_or_default();
    // Choosing among the states of a key costs a sort of the whole batch, which mostly has one of each.
    let choose = match target.mode {
        Mode::Upsert if batch.has_doubles => Choose::Newest,
        Mode::Append if batch.has_rewritten => Choose::States,
        _ => Choose::All,
    };
    let source = winners(&staging(&target.table), layout, target, &rules, choose);
    let parts = Parts {
        table: ident(&target.table),
        layout,
        known,
        source,
    };
    let sql = match (target.mode, how) {
        (Mode::Append, _) if batch.has_rewritten => vec![parts.insert(&parts.absent_state())],
        (Mode::Append, _) => vec![parts.insert("")],
        (Mode::Upsert, Upsert::Merge) => vec![parts.merge()],
        (Mode::Upsert, Upsert::UpdateInsert) => vec![parts.update(), parts.insert(&parts.absent())],
    };
    let statement = |sql| Statement::new(&target.table, sql).bind(&*batch.id);
    sql.into_iter().map(statement).collect()
}

/// The rows that a statement of these wrote.
pub(crate) fn written(how: Upsert, mode: Mode, rows: &Rows) -> Result<u64, ApiError> {
    match (mode, how) {
        (Mode::Upsert, Upsert::Merge) => rows.sum(),
        _ => rows.number(0),
    }
}

struct Parts<'p> {
    table: String,
    layout: &'p Layout,
    known: &'p Known,
    source: String,
}

impl Parts<'_> {
    fn merge(&self) -> String {
        let columns = self.names();
        let values: Vec<String> = columns.iter().map(|name| format!("S.{name}")).collect();
        format!(
            "MERGE INTO {table} T USING ({source}) S ON {key} WHEN MATCHED AND {newer} THEN UPDATE SET {sets} \
             WHEN NOT MATCHED THEN INSERT ({columns}, {loaded_at}) VALUES ({values}, {NOW})",
            table = self.table,
            source = self.source,
            key = self.key("T"),
            newer = newer("T", &VERSION_COLUMNS),
            sets = self.sets("T"),
            columns = columns.join(", "),
            values = values.join(", "),
            loaded_at = ident(LOADED_AT),
        )
    }

    fn update(&self) -> String {
        let table = &self.table;
        format!(
            "UPDATE {table} SET {} FROM ({}) S WHERE {} AND {}",
            self.sets(table),
            self.source,
            self.key(table),
            newer(table, &VERSION_COLUMNS)
        )
    }

    fn insert(&self, condition: &str) -> String {
        let columns = self.names();
        let values: Vec<String> = columns.iter().map(|name| format!("S.{name}")).collect();
        format!(
            "INSERT INTO {} ({}, {}) SELECT {}, {NOW} FROM ({}) S{condition}",
            self.table,
            columns.join(", "),
            ident(LOADED_AT),
            values.join(", "),
            self.source
        )
    }

    fn absent(&self) -> String {
        format!(
            " WHERE NOT EXISTS (SELECT 1 FROM {} T WHERE {})",
            self.table,
            self.key("T")
        )
    }

    /// What stands behind the states of an append: those that were written anew may be there.
    fn absent_state(&self) -> String {
        let equal = STATE_COLUMNS.map(|name| format!("T.{0} = S.{0}", ident(name)));
        format!(
            " WHERE NOT EXISTS (SELECT 1 FROM {} T WHERE {} AND {})",
            self.table,
            self.key("T"),
            equal.join(" AND ")
        )
    }

    fn names(&self) -> Vec<String> {
        self.layout.columns.iter().map(|column| ident(&column.name)).collect()
    }

    fn key(&self, table: &str) -> String {
        let equal = |key: &usize| {
            let name = ident(&self.layout.columns[*key].name);
            format!("{table}.{name} = S.{name}")
        };
        let equal: Vec<String> = self.layout.key.iter().map(equal).collect();
        equal.join(" AND ")
    }

    fn sets(&self, table: &str) -> String {
        let staged = self.layout.columns.iter().enumerate();
        let mut sets: Vec<String> = staged
            .filter(|(_, column)| column.role != Role::Key)
            .map(|(index, column)| self.set(table, index, column))
            .collect();
        // A column of the table that no schema of the batch knows is emptied where the row is gone.
        let is_staged = |name: &str| self.layout.columns.iter().any(|column| column.name == name);
        let others = self
            .known
            .columns
            .iter()
            .filter(|held| held.is_emptied() && !is_staged(&held.name));
        sets.extend(others.map(|held| {
            let name = ident(&held.name);
            format!(
                "{name} = CASE WHEN S.{} < 0 THEN NULL ELSE {table}.{name} END",
                ident(KIND)
            )
        }));
        sets.push(format!("{} = {NOW}", ident(LOADED_AT)));
        sets.join(", ")
    }

    /// A column that a row's schema lacks is left untouched.
    fn set(&self, table: &str, index: usize, column: &Staged) -> String {
        let name = ident(&column.name);
        let lacking: Vec<String> = self.layout.lacking(index).iter().map(ToString::to_string).collect();
        match lacking.is_empty() {
            true => format!("{name} = S.{name}"),
            false => format!(
                "{name} = CASE WHEN S.{} IN ({}) THEN {table}.{name} ELSE S.{name} END",
                ident(KIND),
                lacking.join(", ")
            ),
        }
    }
}

/// Claims that the staged row is not older than the one that is there; columns weigh in their order.
fn newer(table: &str, columns: &[&str]) -> String {
    let (first, rest) = columns.split_first().expect("rows have a version");
    let name = ident(first);
    match rest {
        [] => format!("S.{name} >= {table}.{name}"),
        rest => format!(
            "(S.{name} > {table}.{name} OR (S.{name} = {table}.{name} AND {}))",
            newer(table, rest)
        ),
    }
}
