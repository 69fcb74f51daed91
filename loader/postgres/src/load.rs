//! The transaction of a flush.

use std::collections::HashMap;

use bytes::{BufMut, BytesMut};
use futures::SinkExt;
use zenfloe_destination::{Class, Faults, Flush, LoadError, Loaded, Mode, RefusedRow, Row, RowKind, Segment};

use crate::encode::{Encoder, HEADER, TRAILER};
use crate::erase::refuse_behind;
use crate::error::{Trouble, broken};
use crate::ledger::{Moved, compare_and_swap};
use crate::session::{Session, Statements};
use crate::staging::{self, Staged, StagedKey, Take, upsert};
use crate::suppress::{Fences, clean, enter, index_scopes, rules};
use crate::table::{Found, columns};

/// Rows are handed to the connection in pieces of about this size.
const CHUNK: usize = 128 * 1024;

/// See [`zenfloe_destination::Destination::flush`].
pub(crate) async fn flush(session: &mut Session, faults: &Faults, flush: &Flush) -> Result<Loaded, LoadError> {
    if flush.covers.is_empty() {
        return Ok(Loaded::default());
    }
    staging::make(session, flush).await?;
    index_scopes(session, flush).await?;
    let statements = Statements { session, faults };
    let result = transaction(&statements, flush).await;
    match &result {
        Ok(loaded) if !loaded.repeated => {}
        // A session that failed in a way that may mend is dropped with its transaction.
        Err(error) if error.class() == Class::Retry => {}
        _ => session.roll_back().await,
    }
    result
}

async fn transaction(statements: &Statements<'_>, flush: &Flush) -> Result<Loaded, LoadError> {
    statements.begin().await?;
    if compare_and_swap(statements, flush).await? == Moved::Before {
        return Ok(Loaded {
            repeated: true,
            ..Loaded::default()
        });
    }
    if !flush.segments.is_empty() {
        refuse_behind(statements, flush).await?;
    }
    let mut loaded = Loaded::default();
    let fences = Fences::acting(flush.target.mode, &flush.fences);
    let has_deletes = flush.segments.iter().any(|segment| segment.kind == RowKind::Delete);
    let found = match fences.is_empty() && !has_deletes {
        true => Vec::new(),
        false => columns(statements.session, &flush.target.table).await?,
    };
    enter(statements, &flush.target, &fences).await?;
    loaded.fenced = clean(statements, &flush.target, &found, &fences).await?;
    let mut refused = Vec::new();
    for segment in &flush.segments {
        let part = write(statements, flush, segment, &found).await?;
        loaded.written += part.written;
        loaded.nul_replaced += part.nul_replaced;
        refused.extend(part.refused);
    }
    if !refused.is_empty() {
        return Err(LoadError::Refused {
            table: flush.target.table.to_string(),
            rows: refused,
        });
    }
    statements.commit().await?;
    Ok(loaded)
}

/// What became of the rows of a segment.
#[derive(Default)]
struct Written {
    written: u64,
    nul_replaced: u64,
    refused: Vec<RefusedRow>,
}

/// Writes a segment. If the database refuses it, halves are tried and undone until the rows at fault are known: the
/// transaction is not going to be committed then.
async fn write(
    statements: &Statements<'_>,
    flush: &Flush,
    segment: &Segment,
    found: &[Found],
) -> Result<Written, LoadError> {
    let rules = rules(statements, &flush.target, &segment.shape).await?;
    let staged = &statements.session.staged[&StagedKey::of(flush, segment)];
    let upsert = |take| upsert(&statements.session.place, flush, segment, staged, found, &rules, take);
    let rows = match flush.target.mode {
        Mode::Upsert => newest(&segment.rows),
        Mode::Append => segment.rows.iter().collect(),
    };
    let attempt = Attempt {
        statements,
        segment,
        staged,
        upsert: &upsert,
    };
    statements.run("SAVEPOINT rows").await?;
    match attempt.run(&rows).await {
        Ok(written) => Ok(written),
        Err(Trouble::Load(error)) => Err(error),
        Err(Trouble::Row(detail)) => attempt.find_faults(&rows, detail).await,
        Err(Trouble::Twice) => Err(twice()),
    }
}

/// The newest state of each key, of equal ones the later: one statement cannot update a row twice.
fn newest(rows: &[Row]) -> Vec<&Row> {
    let mut newest: Vec<&Row> = Vec::with_capacity(rows.len());
    let mut places: HashMap<&[u8], usize> = HashMap::with_capacity(rows.len());
    for row in rows {
        match places.get(&*row.key) {
            Some(place) if row.version >= newest[*place].version => newest[*place] = row,
            Some(_) => {}
            None => {
                places.insert(&row.key, newest.len());
                newest.push(row);
            }
        }
    }
    newest
}

/// Rows on their way through a temporary table, after a savepoint.
struct Attempt<'a> {
    statements: &'a Statements<'a>,
    segment: &'a Segment,
    staged: &'a Staged,
    upsert: &'a (dyn Fn(Take) -> String + Sync),
}

impl Attempt<'_> {
    /// Writes rows. Two records may have one primary key and differ in their own keys: then the database chooses.
    async fn run(&self, rows: &[&Row]) -> Result<Written, Trouble> {
        match self.run_taking(Take::All, rows).await {
            Err(Trouble::Twice) => {
                self.undo().await?;
                self.run_taking(Take::Newest, rows).await
            }
            done => done,
        }
    }

    async fn run_taking(&self, take: Take, rows: &[&Row]) -> Result<Written, Trouble> {
        let mut written = self.stream(rows).await?;
        written.written = self.statements.write(&(self.upsert)(take)).await?;
        Ok(written)
    }

    async fn undo(&self) -> Result<(), LoadError> {
        self.statements.run("ROLLBACK TO SAVEPOINT rows").await.map(drop)
    }

    /// Streams rows into the temporary table, but for those that cannot be encoded.
    async fn stream(&self, rows: &[&Row]) -> Result<Written, Trouble> {
        let mut written = Written::default();
        let mut encoder = Encoder::new(self.segment);
        let mut sink = std::pin::pin!(self.statements.copy(&self.staged.copy).await?);
        let mut chunk = BytesMut::with_capacity(CHUNK + CHUNK / 4);
        chunk.put_slice(HEADER);
        for row in rows {
            if let Err(why) = encoder.row(row, &mut chunk) {
                written.refused.push(refused(row, why.0));
            }
            if chunk.len() >= CHUNK {
                let full = std::mem::replace(&mut chunk, BytesMut::with_capacity(CHUNK + CHUNK / 4));
                // An error of the sink is the connection's; what the server says comes at the end.
                if sink.feed(full.freeze()).await.is_err() {
                    break;
                }
            }
        }
        chunk.put_slice(TRAILER);
        let fed = sink.feed(chunk.freeze()).await;
        let count = sink.as_mut().finish().await?;
        fed?;
        if count + written.refused.len() as u64 != rows.len() as u64 {
            return Err(Trouble::Load(broken(format!(
                "COPY took {count} of {} rows",
                rows.len()
            ))));
        }
        written.nul_replaced = encoder.nul_replaced;
        Ok(written)
    }

    /// Names the rows that the database refuses, each tried alone in the end.
    async fn find_faults(&self, rows: &[&Row], detail: String) -> Result<Written, LoadError> {
        let mut found = Written::default();
        let mut suspects = vec![(rows, detail)];
        while let Some((rows, detail)) = suspects.pop() {
            if let [row] = rows {
                found.refused.push(refused(row, detail));
                continue;
            }
            let (left, right) = rows.split_at(rows.len() / 2);
            for half in [left, right] {
                self.undo().await?;
                match self.run(half).await {
                    Ok(written) => found.refused.extend(written.refused),
                    Err(Trouble::Row(detail)) => suspects.push((half, detail)),
                    Err(Trouble::Load(error)) => return Err(error),
                    Err(Trouble::Twice) => return Err(twice()),
                }
            }
        }
        self.undo().await?;
        if found.refused.is_empty() {
            return Err(broken("rows are refused together and accepted apart"));
        }
        Ok(found)
    }
}

fn refused(row: &Row, detail: String) -> RefusedRow {
    RefusedRow {
        partition: row.partition,
        offset: row.offset,
        detail,
    }
}

/// A statement that takes each key once cannot find one twice.
fn twice() -> LoadError {
    broken("a statement that takes the newest row of each key found one twice")
}
