//! The transaction of a flush.

use async_trait::async_trait;
use zenfloe_destination::{Flush, LoadError, Loaded, RefusedRow};

use crate::error::{ApiError, broken};
use crate::fence::{acting, clean, enter};
use crate::ledger::{compare_and_swap, explain};
use crate::rules::{self, Known, Rules};
use crate::session::{Open, Trouble, Warehouse, Work};
use crate::spool::Batch;
use crate::staging;
use crate::upsert;

/// Bad rows that are looked for at once: each costs some statements for every halving of the batch.
const MOST_BAD: usize = 16;

/// One attempt of a flush.
pub(crate) struct Load<'a> {
    /// Where from, where to, which positions, which fences; its own rows are not looked at.
    pub(crate) head: &'a Flush,
    /// The rows.
    pub(crate) batch: Option<&'a Batch>,
}

/// What became of it.
pub(crate) enum Done {
    /// It is committed.
    Loaded(Loaded),
    /// Nothing is committed: a value was refused.
    Refused {
        /// The account's code.
        code: String,
    },
}

#[async_trait]
impl Work for Load<'_> {
    type Done = Done;

    async fn attempt(&self, warehouse: &Warehouse, open: &mut Open) -> Result<Done, Trouble> {
        match self.load(warehouse, open).await {
            Ok(loaded) => Ok(Done::Loaded(loaded)),
            Err(Trouble::Api(ApiError::Data { code })) if self.batch.is_some() => {
                open.rollback(&self.head.target.table).await?;
                Ok(Done::Refused { code })
            }
            Err(trouble) => Err(trouble),
        }
    }
}

impl Load<'_> {
    async fn load(&self, warehouse: &Warehouse, open: &mut Open) -> Result<Loaded, Trouble> {
        let (table, faults) = (&*self.head.target.table, &warehouse.faults);
        if let Some(batch) = self.batch {
            staging::make(warehouse, open, table, &batch.layout).await?;
            faults.before_statement_async().await?;
            staging::upload(warehouse, open, table, batch).await?;
        }
        faults.before_statement_async().await?;
        open.begin(table).await?;
        faults.before_statement_async().await?;
        if !self.swap(open).await? {
            return Ok(Loaded {
                repeated: true,
                ..Loaded::default()
            });
        }
        let mut loaded = self.write(warehouse, open).await?;
        faults.before_statement_async().await?;
        open.commit(table).await?;
        faults.after_commit()?;
        loaded.nul_replaced = self.batch.map_or(0, |batch| batch.nul_replaced);
        Ok(loaded)
    }

    /// Moves the positions; `false` when this very flush had moved them.
    async fn swap(&self, open: &mut Open) -> Result<bool, Trouble> {
        let moved = open.run(compare_and_swap(self.head)).await?.number(0)?;
        match (moved as usize).cmp(&self.head.covers.len()) {
            std::cmp::Ordering::Equal => Ok(true),
            std::cmp::Ordering::Greater => Err(broken("a partition stands twice in the ledger of positions").into()),
            std::cmp::Ordering::Less => {
                open.rollback(&self.head.target.table).await?;
                explain(open, self.head).await.map(|()| false)
            }
        }
    }

    /// Everything between the positions and the commit.
    async fn write(&self, warehouse: &Warehouse, open: &mut Open) -> Result<Loaded, Trouble> {
        let (target, faults) = (&self.head.target, &warehouse.faults);
        let mut loaded = Loaded::default();
        if let Some(batch) = self.batch {
            faults.before_statement_async().await?;
            staging::stage(warehouse, open, &target.table, batch).await?;
        }
        let fences = acting(target.mode, &self.head.fences);
        let known = if fences.is_empty() {
            if self.batch.is_none() {
                return Ok(loaded);
            }
            faults.before_statement_async().await?;
            rules::read(open, warehouse, target).await?
        } else {
            let known = self.enter_fences(warehouse, open).await?;
            if let Some(clean) = clean(target, &known.columns, &fences) {
                faults.before_statement_async().await?;
                loaded.fenced = open.run(clean).await?.number(0)?;
            }
            known
        };
        if let Some(batch) = self.batch {
            let entered = known.rules.as_ref().map_or(0, |rules| rules.erasures);
            self.head.refuse_behind(entered)?;
            let how = warehouse.config.upsert;
            for statement in upsert::statements(how, target, batch, &known) {
                faults.before_statement_async().await?;
                let rows = open.run(statement).await?;
                loaded.written += upsert::written(how, target.mode, &rows)?;
            }
        }
        Ok(loaded)
    }

    /// Enters the fences if the table's rules are those that were read last: this saves reading them.
    async fn enter_fences(&self, warehouse: &Warehouse, open: &mut Open) -> Result<Known, Trouble> {
        let (target, faults) = (&self.head.target, &warehouse.faults);
        let fences = acting(target.mode, &self.head.fences);
        let scopes = || fences.iter().map(|fence| fence.scope.column.as_str());
        let with_ours = |mut known: Known, rules: Rules| {
            known.rules = Some(rules.and_scopes(scopes()));
            known
        };
        if let Some(known) = warehouse.known(&target.table).filter(|known| !known.columns.is_empty())
            && let Some(rules) = known.rules.clone()
        {
            let unchanged = rules.still_hold(target, known.columns.len());
            faults.before_statement_async().await?;
            let entered = open.run(enter(target, &fences, &unchanged)).await?.number(0)?;
            if entered == fences.len() as u64 {
                return Ok(with_ours(known, rules));
            }
        }
        faults.before_statement_async().await?;
        let known = rules::read(open, warehouse, target).await?;
        faults.before_statement_async().await?;
        open.run(enter(target, &fences, "1 = 1")).await?;
        let rules = known.rules.clone().unwrap_or_default();
        Ok(with_ours(known, rules))
    }
}

/// Loads a part of a batch and takes it back: claims that the account takes its values.
struct Probe<'a> {
    head: &'a Flush,
    batch: &'a Batch,
}

#[async_trait]
impl Work for Probe<'_> {
    type Done = bool;

    async fn attempt(&self, warehouse: &Warehouse, open: &mut Open) -> Result<bool, Trouble> {
        let outcome = self.try_load(warehouse, open).await;
        let is_taken = match outcome {
            Ok(()) => true,
            Err(ApiError::Data { .. }) => false,
            Err(error) => return Err(error.into()),
        };
        open.rollback(&self.head.target.table).await?;
        Ok(is_taken)
    }
}

impl Probe<'_> {
    async fn try_load(&self, warehouse: &Warehouse, open: &mut Open) -> Result<(), ApiError> {
        let (target, table) = (&self.head.target, &*self.head.target.table);
        staging::make(warehouse, open, table, &self.batch.layout).await?;
        staging::upload(warehouse, open, table, self.batch).await?;
        open.begin(table).await?;
        staging::stage(warehouse, open, table, self.batch).await?;
        let known = rules::read(open, warehouse, target).await?;
        for statement in upsert::statements(warehouse.config.upsert, target, self.batch, &known) {
            open.run(statement).await?;
        }
        Ok(())
    }
}

/// Finds the rows that the account refuses, by halving.
pub(crate) async fn find_bad(
    warehouse: &Warehouse,
    head: &Flush,
    batch: &Batch,
    code: &str,
) -> Result<Vec<RefusedRow>, LoadError> {
    let mut bad = Vec::new();
    let mut suspects = halves(0..batch.places.len());
    while let Some(range) = suspects.pop() {
        if bad.len() >= MOST_BAD {
            break;
        }
        let part = batch.part(|row| range.contains(&row))?;
        let probe = Probe { head, batch: &part };
        if warehouse.perform(&head.target.table, &probe).await? {
            continue;
        }
        match range.len() {
            1 => bad.push(range.start),
            _ => suspects.extend(halves(range)),
        }
    }
    if bad.is_empty() {
        return Err(LoadError::Broken {
            what: format!("a batch was refused ({code}) and each of its rows alone is taken"),
        });
    }
    let refused = |row: usize| RefusedRow {
        partition: batch.places[row].0,
        offset: batch.places[row].1,
        detail: format!("a value does not fit its column (Snowflake's code {code})"),
    };
    Ok(bad.into_iter().map(refused).collect())
}

/// Both halves, the first on top; a single row is its own.
fn halves(range: std::ops::Range<usize>) -> Vec<std::ops::Range<usize>> {
    if range.len() < 2 {
        return vec![range];
    }
    let middle = range.start + range.len() / 2;
    vec![middle..range.end, range.start..middle]
}
