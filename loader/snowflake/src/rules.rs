//! What a flush must know of its table: the columns, and what must not come back.

use zenfloe_destination::{LOADED_AT, Target};

use crate::driver::{Rows, Statement};
use crate::error::{ApiError, broken};
use crate::layout::Layout;
use crate::session::{Open, Warehouse};
use crate::sql::{SUPPRESSED, ident, positions, text};

/// A column as the account has it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Found {
    /// In small letters, as schemas write it.
    pub(crate) name: String,
    /// As `INFORMATION_SCHEMA.COLUMNS` calls its type.
    pub(crate) kind: String,
    pub(crate) is_required: bool,
    pub(crate) comment: Option<String>,
}

impl Found {
    /// Claims that a row that is gone keeps no value here.
    pub(crate) fn is_emptied(&self) -> bool {
        !self.is_required && self.name != LOADED_AT
    }
}

/// What this process knows of a table.
#[derive(Debug, Clone, Default)]
pub(crate) struct Known {
    pub(crate) columns: Vec<Found>,
    /// `None` until they have been read once.
    pub(crate) rules: Option<Rules>,
}

/// What a flush must mind of a table's suppression.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Rules {
    /// Columns by which rows are suppressed.
    pub(crate) scopes: Vec<String>,
    /// Columns that are null in rows of a revision before this one.
    pub(crate) tightened: Vec<(String, i64)>,
    /// How many people and tickets were erased.
    pub(crate) erasures: u64,
}

impl Rules {
    /// The same with more columns by which rows are suppressed.
    pub(crate) fn and_scopes<'s>(mut self, scopes: impl Iterator<Item = &'s str>) -> Self {
        for scope in scopes {
            if !self.scopes.iter().any(|held| held == scope) {
                self.scopes.push(scope.to_owned());
            }
        }
        self
    }

    /// A condition that holds while the table has no other rules and columns than these.
    pub(crate) fn still_hold(&self, target: &Target, columns: usize) -> String {
        let table = text(&target.table);
        let mut known = vec!["X.\"KIND\" = 'erased'".to_owned()];
        for scope in &self.scopes {
            known.push(format!("X.\"KIND\" = 'rows' AND X.\"COLUMN_NAME\" = {}", text(scope)));
        }
        for (column, revision) in &self.tightened {
            known.push(format!(
                "X.\"KIND\" = 'column' AND X.\"COLUMN_NAME\" = {} AND X.\"REVISION\" <= {revision}",
                text(column)
            ));
        }
        format!(
            "(SELECT MAX(\"NEXT_OFFSET\") FROM {} WHERE \"PART\" = -1) <= {columns} AND (SELECT COUNT(DISTINCT \"VALUE\") \
             FROM {SUPPRESSED} WHERE \"TABLE_NAME\" = {table} AND \"KIND\" = 'erased') <= {} AND NOT EXISTS (SELECT 1 \
             FROM {SUPPRESSED} X WHERE X.\"TABLE_NAME\" = {table} AND NOT ({}))",
            positions(&target.table),
            self.erasures,
            known.join(" OR ")
        )
    }
}

/// Reads the columns of a table in order; none when it does not exist.
pub(crate) async fn columns(open: &mut Open, table: &str) -> Result<Vec<Found>, ApiError> {
    let select = format!(
        "SELECT COLUMN_NAME, DATA_TYPE, IS_NULLABLE, COMMENT FROM INFORMATION_SCHEMA.COLUMNS \
         WHERE TABLE_SCHEMA = CURRENT_SCHEMA() AND TABLE_NAME = {} ORDER BY ORDINAL_POSITION",
        text(&table.to_ascii_uppercase())
    );
    let rows = open.run(Statement::new(table, select)).await?;
    let found = |row: Vec<Option<String>>| {
        let [name, kind, nullable, comment] = <[_; 4]>::try_from(row).ok()?;
        Some(Found {
            name: name?.to_ascii_lowercase(),
            kind: kind?,
            is_required: nullable? == "NO",
            comment,
        })
    };
    let found: Option<Vec<_>> = rows.0.into_iter().map(found).collect();
    found.ok_or_else(|| broken("a column has no name"))
}

/// Reads what a flush must mind. Contract: called after the flush moved its positions, in a later statement.
pub(crate) async fn read(open: &mut Open, warehouse: &Warehouse, target: &Target) -> Result<Known, ApiError> {
    let table = &*target.table;
    let select = format!(
        "SELECT 'columns' \"KIND\", '' \"COLUMN_NAME\", MAX(\"NEXT_OFFSET\") \"N\" FROM {} WHERE \"PART\" = -1 UNION ALL \
         SELECT \"KIND\", \"COLUMN_NAME\", CASE WHEN \"KIND\" = 'erased' THEN COUNT(DISTINCT \"VALUE\") ELSE MAX(\"REVISION\") END \
         FROM {SUPPRESSED} WHERE \"TABLE_NAME\" = {} GROUP BY \"KIND\", \"COLUMN_NAME\"",
        positions(table),
        text(table)
    );
    let rows = open.run(Statement::new(table, select)).await?;
    let (rules, count) = parse(rows)?;
    let mut known = warehouse.known(table).unwrap_or_default();
    if known.columns.len() < count || known.columns.is_empty() {
        known.columns = columns(open, table).await?;
    }
    known.rules = Some(rules);
    warehouse.learn(table, known.clone());
    Ok(known)
}

fn parse(rows: Rows) -> Result<(Rules, usize), ApiError> {
    let (mut rules, mut count) = (Rules::default(), 0);
    for row in rows.0 {
        let unread = || broken("a rule of suppression is not understood");
        let [kind, column, number] = <[_; 3]>::try_from(row).map_err(|_| unread())?;
        let number: Option<i64> = number.and_then(|number| number.parse().ok());
        match (kind.as_deref(), column, number) {
            (Some("columns"), _, Some(number)) => count = usize::try_from(number).unwrap_or_default(),
            (Some("rows"), Some(column), _) => rules.scopes.push(column),
            (Some("erased"), _, Some(number)) => rules.erasures = u64::try_from(number).unwrap_or_default(),
            (Some("column"), Some(column), Some(revision)) => rules.tightened.push((column, revision)),
            _ => return Err(unread()),
        }
    }
    rules.scopes.sort_unstable();
    Ok((rules, count))
}

/// What is chosen among staged rows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Choose {
    /// Nothing: all are written.
    All,
    /// The newest state of each key.
    Newest,
    /// Each state once.
    States,
}

/// The staged rows that may be written; binds the batch's name.
pub(crate) fn winners(staging: &str, layout: &Layout, target: &Target, rules: &Rules, choose: Choose) -> String {
    use zenfloe_destination::{ColumnType, Role, STATE_COLUMNS, VERSION_COLUMNS};
    let value = |column: &crate::layout::Staged| {
        let name = ident(&column.name);
        let mut value = format!("S.{name}");
        if column.kind == ColumnType::Json {
            value = format!("PARSE_JSON({value})");
        }
        let tightened = rules.tightened.iter().find(|(held, _)| *held == column.name);
        if let (Role::Data, Some((_, first))) = (column.role, tightened) {
            value = format!("CASE WHEN S.\"_REVISION\" < {first} THEN NULL ELSE {value} END");
        }
        format!("{value} {name}")
    };
    let mut values: Vec<String> = layout.columns.iter().map(value).collect();
    let kind = ident(crate::layout::KIND);
    values.push(format!("S.{kind} {kind}"));
    let (mut joins, mut conditions) = (String::new(), format!("S.{} = ?", ident(crate::layout::LOAD)));
    let may_be_scope = |kind| matches!(kind, ColumnType::Long | ColumnType::Int | ColumnType::Text);
    let scopes = layout
        .columns
        .iter()
        .filter(|column| may_be_scope(column.kind) && rules.scopes.contains(&column.name));
    for (number, column) in scopes.enumerate() {
        joins += &format!(
            " LEFT JOIN (SELECT \"VALUE\" \"V\", MAX(COALESCE(\"BEFORE_AT\", '9999-12-31 23:59:59.999999'::TIMESTAMP_NTZ(6))) \"UNTIL_\" \
             FROM {SUPPRESSED} WHERE \"TABLE_NAME\" = {} AND \"KIND\" = 'rows' AND \"COLUMN_NAME\" = {} GROUP BY \"VALUE\") F{number} \
             ON F{number}.\"V\" = S.{}::VARCHAR",
            text(&target.table),
            text(&column.name),
            ident(&column.name)
        );
        conditions += &format!(" AND (F{number}.\"UNTIL_\" IS NULL OR S.\"_EXTRACTED_AT\" >= F{number}.\"UNTIL_\")");
    }
    let mut select = format!(
        "SELECT {} FROM {staging} S{joins} WHERE {conditions}",
        values.join(", ")
    );
    let key = layout.key.iter().map(|key| &*layout.columns[*key].name);
    let names: Vec<&str> = match choose {
        Choose::All => return select,
        Choose::Newest => key.collect(),
        Choose::States => key.chain(STATE_COLUMNS).collect(),
    };
    let names: Vec<String> = names.into_iter().map(|name| format!("S.{}", ident(name))).collect();
    let order = VERSION_COLUMNS.map(|name| format!("S.{} DESC", ident(name))).join(", ");
    select += &format!(
        " QUALIFY ROW_NUMBER() OVER (PARTITION BY {} ORDER BY {order}) = 1",
        names.join(", ")
    );
    select
}
