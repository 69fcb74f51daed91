//! What must not come back: entered, applied to what is there, asked by every flush.

use std::collections::BTreeMap;

use tokio_postgres::types::{ToSql, Type};
use zenfloe_destination::{Faults, Flush, LOADED_AT, LoadError, Mode, Suppression, TableShape, Target, legal_name};
use zenfloe_record::{Fence, FenceScope, Micros};

use crate::erase::{clean_erasures, enter_erasures};
use crate::ledger::lock;
use crate::session::{Session, Statements};
use crate::sql::{Bound, list};
use crate::table::{Found, columns, schema};

/// What a flush must mind of a table's suppression.
#[derive(Debug, Default)]
pub(crate) struct Rules {
    /// Columns by which rows are suppressed.
    pub(crate) scopes: Vec<String>,
    /// Columns that are null in rows of a revision before this one.
    pub(crate) tightened: Vec<(String, i32)>,
}

/// Reads them. Contract: called after the flush moved its positions, in a later statement.
pub(crate) async fn rules(
    statements: &Statements<'_>,
    target: &Target,
    shape: &TableShape,
) -> Result<Rules, LoadError> {
    let held = statements.session.place.suppressed();
    let read = format!(
        "SELECT name, NULL::integer FROM unnest($2) name WHERE EXISTS
            (SELECT 1 FROM {held} WHERE table_name = $1 AND kind = 'rows' AND column_name = name)
        UNION ALL SELECT column_name, revision FROM {held} WHERE table_name = $1 AND kind = 'column'"
    );
    let names: Vec<&str> = shape.scopes().map(|column| column.name.as_str()).collect();
    let values = [(&&*target.table as _, Type::TEXT), (&names as _, Type::TEXT_ARRAY)];
    let mut rules = Rules::default();
    for row in statements.query(&read, &values).await? {
        match row.get(1) {
            None => rules.scopes.push(row.get(0)),
            Some(revision) => rules.tightened.push((row.get(0), revision)),
        }
    }
    Ok(rules)
}

/// Fences by scope, the newest of each.
pub(crate) struct Fences(BTreeMap<FenceScope, Option<Micros>>);

impl Fences {
    /// Those of `fences` that mean something to the table: where every state is kept, absence is no reason to forget.
    pub(crate) fn acting<'f>(mode: Mode, fences: impl IntoIterator<Item = &'f Fence>) -> Self {
        let mut newest = Self::all(fences);
        newest.0.retain(|_, before| mode == Mode::Upsert || before.is_none());
        newest
    }

    fn all<'f>(fences: impl IntoIterator<Item = &'f Fence>) -> Self {
        let mut newest: BTreeMap<FenceScope, Option<Micros>> = BTreeMap::new();
        for fence in fences {
            let held = newest.entry(fence.scope.clone()).or_insert(fence.before);
            *held = held.zip(fence.before).map(|(held, before)| held.max(before));
        }
        Self(newest)
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The columns that their scopes name.
    fn columns(&self) -> impl Iterator<Item = &str> {
        let mut last = None;
        self.0
            .keys()
            .map(|scope| scope.column.as_str())
            .filter(move |column| last.replace(*column) != Some(*column))
    }

    /// Values and bounds of the scopes of one column.
    fn of(&self, column: &str) -> impl Iterator<Item = (&str, Option<Bound>)> {
        let of_column = self.0.iter().filter(move |(scope, _)| scope.column == column);
        of_column.map(|(scope, before)| (scope.value.as_str(), before.map(Bound)))
    }
}

/// Makes the indexes that find fences' rows. Called outside the flush's transaction.
pub(crate) async fn index_scopes(session: &mut Session, flush: &Flush) -> Result<(), LoadError> {
    let table = &*flush.target.table;
    let fences = Fences::acting(flush.target.mode, &flush.fences);
    for column in fences.columns() {
        let known = (table.to_owned(), column.to_owned());
        if session.indexed.contains(&known) {
            continue;
        }
        let found = columns(session, table).await?;
        // Fences may come before the first row, and with it the table.
        if let Some(column) = found.iter().find(|found| found.name == column) {
            make_index(session, table, column).await?;
            session.indexed.insert(known);
        }
    }
    Ok(())
}

async fn make_index(session: &Session, table: &str, column: &Found) -> Result<(), LoadError> {
    let (place, column) = (&session.place, &column.name);
    let held = "SELECT 1 FROM pg_index i JOIN pg_attribute a ON a.attrelid = i.indrelid AND a.attnum = i.indkey[0]
        WHERE i.indrelid = to_regclass($1) AND a.attname = $2";
    let name = place.table(table);
    let values: [(&(dyn ToSql + Sync), Type); 2] = [(&name, Type::TEXT), (column, Type::TEXT)];
    session
        .alone(async || {
            if session.query(held, &values).await?.is_empty() {
                session.run(&format!("CREATE INDEX ON {name} (\"{column}\")")).await?;
            }
            Ok(())
        })
        .await
}

/// Enters fences; of two of one scope the newer stays.
pub(crate) async fn enter(statements: &Statements<'_>, target: &Target, fences: &Fences) -> Result<(), LoadError> {
    if fences.is_empty() {
        return Ok(());
    }
    let enter = format!(
        "INSERT INTO {} AS held (table_name, kind, column_name, value, before)
        SELECT $1, 'rows', f.name, f.value, f.before FROM unnest($2, $3, $4) f(name, value, before)
        ON CONFLICT (table_name, kind, column_name, value) DO UPDATE SET before = excluded.before
        WHERE held.before IS NOT NULL AND (excluded.before IS NULL OR excluded.before > held.before)",
        statements.session.place.suppressed()
    );
    let names: Vec<&str> = fences.0.keys().map(|scope| scope.column.as_str()).collect();
    let values: Vec<&str> = fences.0.keys().map(|scope| scope.value.as_str()).collect();
    let bounds: Vec<Option<Bound>> = fences.0.values().map(|before| before.map(Bound)).collect();
    let parameters: [(&(dyn ToSql + Sync), Type); 4] = [
        (&&*target.table, Type::TEXT),
        (&names, Type::TEXT_ARRAY),
        (&values, Type::TEXT_ARRAY),
        (&bounds, Type::TIMESTAMPTZ_ARRAY),
    ];
    statements.execute(&enter, &parameters).await.map(drop)
}

async fn enter_column(
    statements: &Statements<'_>,
    target: &Target,
    column: &str,
    revision: i32,
) -> Result<(), LoadError> {
    let enter = format!(
        "INSERT INTO {} AS held (table_name, kind, column_name, value, revision) VALUES ($1, 'column', $2, '', $3)
        ON CONFLICT (table_name, kind, column_name, value)
        DO UPDATE SET revision = greatest(held.revision, excluded.revision)",
        statements.session.place.suppressed()
    );
    let parameters: [(&(dyn ToSql + Sync), Type); 3] = [
        (&&*target.table, Type::TEXT),
        (&column, Type::TEXT),
        (&revision, Type::INT4),
    ];
    statements.execute(&enter, &parameters).await.map(drop)
}

/// Empties fences' rows down to key and version; returns how many.
pub(crate) async fn clean(
    statements: &Statements<'_>,
    target: &Target,
    found: &[Found],
    fences: &Fences,
) -> Result<u64, LoadError> {
    let mut cleaned = 0;
    for column in fences.columns() {
        let Some(column) = found.iter().find(|found| found.name == column) else {
            continue;
        };
        cleaned += clean_column_of(statements, target, found, column, fences).await?;
    }
    Ok(cleaned)
}

async fn clean_column_of(
    statements: &Statements<'_>,
    target: &Target,
    found: &[Found],
    column: &Found,
    fences: &Fences,
) -> Result<u64, LoadError> {
    let emptied = list(
        found
            .iter()
            .filter(|column| column.is_emptied())
            .map(|column| column.name.as_str()),
    );
    let emptied: String = match emptied.is_empty() {
        true => String::new(),
        false => emptied.split(", ").map(|name| format!("{name} = NULL, ")).collect(),
    };
    let update = format!(
        "UPDATE {} t SET {emptied}\"_deleted\" = true, \"{LOADED_AT}\" = now() FROM unnest($1, $2) f(value, before)
        WHERE t.\"{}\" = f.value AND (f.before IS NULL OR t.\"_extracted_at\" < f.before)",
        statements.session.place.table(&target.table),
        column.name
    );
    let of = || fences.of(&column.name);
    match column.declared.as_str() {
        // A value that is no number is no row's.
        "bigint" | "integer" => {
            let numbers = of().filter_map(|(value, before)| Some((value.parse::<i64>().ok()?, before)));
            let (values, bounds): (Vec<i64>, Vec<_>) = numbers.unzip();
            run_clean(statements, &update, (&values, Type::INT8_ARRAY), &bounds).await
        }
        "text" => {
            let (values, bounds): (Vec<&str>, Vec<_>) = of().unzip();
            run_clean(statements, &update, (&values, Type::TEXT_ARRAY), &bounds).await
        }
        _ => Ok(0),
    }
}

async fn run_clean(
    statements: &Statements<'_>,
    update: &str,
    values: (&(dyn ToSql + Sync), Type),
    bounds: &Vec<Option<Bound>>,
) -> Result<u64, LoadError> {
    statements
        .execute(update, &[values, (bounds, Type::TIMESTAMPTZ_ARRAY)])
        .await
}

async fn clean_column(
    statements: &Statements<'_>,
    target: &Target,
    found: &[Found],
    column: &str,
    revision: i32,
) -> Result<u64, LoadError> {
    if !found.iter().any(|held| held.name == column) {
        return Ok(0);
    }
    let table = statements.session.place.table(&target.table);
    let update =
        format!("UPDATE {table} SET \"{column}\" = NULL WHERE \"_revision\" < {revision} AND \"{column}\" IS NOT NULL");
    statements.run(&update).await
}

/// See [`zenfloe_destination::Destination::suppress`].
pub(crate) async fn suppress(
    session: &mut Session,
    faults: &Faults,
    target: &Target,
    what: &[Suppression],
) -> Result<u64, LoadError> {
    refuse_required(session, target, what).await?;
    let statements = Statements { session, faults };
    let result = async {
        statements.begin().await?;
        enter_all(&statements, target, what).await?;
        statements.commit().await?;
        statements.begin().await?;
        lock(&statements, target).await?;
        let cleaned = clean_all(&statements, target, what).await?;
        statements.commit().await?;
        Ok(cleaned)
    };
    let result = result.await;
    if result.is_err() {
        session.roll_back().await;
    }
    result
}

async fn enter_all(statements: &Statements<'_>, target: &Target, what: &[Suppression]) -> Result<(), LoadError> {
    enter(statements, target, &Fences::all(fences(what))).await?;
    for (column, revision) in tightened(what) {
        enter_column(statements, target, column, revision).await?;
    }
    enter_erasures(statements, target, what).await
}

async fn clean_all(statements: &Statements<'_>, target: &Target, what: &[Suppression]) -> Result<u64, LoadError> {
    let found = columns(statements.session, &target.table).await?;
    let mut cleaned = clean(statements, target, &found, &Fences::acting(target.mode, fences(what))).await?;
    for (column, revision) in tightened(what) {
        cleaned += clean_column(statements, target, &found, column, revision).await?;
    }
    cleaned += clean_erasures(statements, target, &found, what).await?;
    Ok(cleaned)
}

fn fences(what: &[Suppression]) -> impl Iterator<Item = &Fence> {
    what.iter().filter_map(|one| match one {
        Suppression::Rows(fence) => Some(fence),
        Suppression::Column { .. } | Suppression::Erasure(_) => None,
    })
}

fn tightened(what: &[Suppression]) -> impl Iterator<Item = (&str, i32)> {
    what.iter().filter_map(|one| match one {
        Suppression::Column { column, revision } => Some((column.as_str(), *revision)),
        Suppression::Rows(_) | Suppression::Erasure(_) => None,
    })
}

/// A key, a version or a name that cannot be a column's is not tightened.
async fn refuse_required(session: &Session, target: &Target, what: &[Suppression]) -> Result<(), LoadError> {
    let found = columns(session, &target.table).await?;
    for (column, _) in tightened(what) {
        let is_fixed = found.iter().any(|held| held.name == column && !held.is_emptied());
        if is_fixed || !legal_name(column) {
            return Err(schema(&target.table, format!("column `{column}` cannot be emptied")));
        }
    }
    Ok(())
}
