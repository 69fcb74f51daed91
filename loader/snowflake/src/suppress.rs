//! Rows and columns taken away for ever.

use async_trait::async_trait;
use zenfloe_destination::{LoadError, Mode, Suppression, Target, legal_name};

use crate::erase::{clean_erasures, note_clean};
use crate::fence::{clean, clean_column, enter_all};
use crate::ledger::lock_all;
use crate::rules::{Found, columns};
use crate::session::{Open, Trouble, Warehouse, Work};
use crate::table::schema;

/// Enters them; the statement commits by itself.
pub(crate) struct Enter<'a> {
    pub(crate) target: &'a Target,
    pub(crate) what: &'a [Suppression],
}

#[async_trait]
impl Work for Enter<'_> {
    type Done = ();

    async fn attempt(&self, warehouse: &Warehouse, open: &mut Open) -> Result<(), Trouble> {
        refuse_required(&columns(open, &self.target.table).await?, self.target, self.what)?;
        warehouse.faults.before_statement_async().await?;
        open.run(enter_all(self.target, self.what)).await?;
        warehouse.faults.after_commit()?;
        Ok(())
    }
}

/// Cleans the table in a transaction that updates all of its positions rows; returns the rows changed.
pub(crate) struct Clean<'a> {
    pub(crate) target: &'a Target,
    pub(crate) what: &'a [Suppression],
}

#[async_trait]
impl Work for Clean<'_> {
    type Done = u64;

    async fn attempt(&self, warehouse: &Warehouse, open: &mut Open) -> Result<u64, Trouble> {
        let (table, faults) = (&*self.target.table, &warehouse.faults);
        if columns(open, table).await?.is_empty() {
            if let Some(note) = note_clean(self.target, self.what) {
                open.run(note).await?;
            }
            return Ok(0);
        }
        faults.before_statement_async().await?;
        open.begin(table).await?;
        faults.before_statement_async().await?;
        open.run(lock_all(table)).await?;
        let found = columns(open, table).await?;
        let mut cleaned = 0;
        for statement in self.statements(&found) {
            faults.before_statement_async().await?;
            cleaned += open.run(statement).await?.number(0)?;
        }
        if let Some(note) = note_clean(self.target, self.what) {
            faults.before_statement_async().await?;
            open.run(note).await?;
        }
        faults.before_statement_async().await?;
        open.commit(table).await?;
        faults.after_commit()?;
        Ok(cleaned)
    }
}

impl Clean<'_> {
    fn statements(&self, found: &[Found]) -> Vec<crate::driver::Statement> {
        let (mut fences, mut statements) = (Vec::new(), Vec::new());
        for one in self.what {
            match one {
                Suppression::Rows(fence) if self.target.mode == Mode::Upsert || fence.before.is_none() => {
                    fences.push(fence);
                }
                Suppression::Rows(_) => {}
                Suppression::Column { column, revision } if found.iter().any(|held| held.name == *column) => {
                    statements.push(clean_column(self.target, column, *revision));
                }
                Suppression::Column { .. } | Suppression::Erasure(_) => {}
            }
        }
        statements.extend(clean(self.target, found, &fences));
        statements.extend(clean_erasures(self.target, found, self.what));
        statements
    }
}

/// A key, a version or a name that cannot be a column's is not tightened.
fn refuse_required(found: &[Found], target: &Target, what: &[Suppression]) -> Result<(), LoadError> {
    for one in what {
        let Suppression::Column { column, .. } = one else {
            continue;
        };
        let is_fixed = found.iter().any(|held| held.name == *column && !held.is_emptied());
        if is_fixed || !legal_name(column) {
            return Err(schema(&target.table, format!("column `{column}` cannot be emptied")));
        }
    }
    Ok(())
}
