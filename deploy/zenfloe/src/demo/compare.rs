//! The demo's tables against its account.

use std::path::Path;

use zenfloe_oracle::compare::{Truth, compare as compare_collection};
use zenfloe_oracle::custom::Customs;
use zenfloe_oracle::oracle::{Erased, Oracle};
use zenfloe_oracle::token::TokenRoot;
use zenfloe_process::{ExitCode, Failure};

use super::SOURCE;
use super::account::DemoAccount;
use crate::config::Config;
use crate::parts;
use zenfloe_oracle::scan::{Canary, Scanner};
use zenfloe_oracle::sqlite::Warehouse;

/// What the comparison found.
pub(crate) struct Report {
    rows: zenfloe_oracle::compare::Report,
    /// Personal values that were looked for in every text of every table.
    pub(crate) values: usize,
    /// Where one was found; kinds and places, never values.
    pub(crate) leaks: Vec<String>,
}

impl std::ops::Deref for Report {
    type Target = zenfloe_oracle::compare::Report;

    fn deref(&self) -> &Self::Target {
        &self.rows
    }
}

impl Report {
    /// An error unless every row equals the account's.
    pub(crate) fn verdict(&self) -> Result<(), Failure> {
        let what = if self.different > 0 {
            format!(
                "{} differences, the first of them:\n  {}",
                self.different,
                self.differences.join("\n  ")
            )
        } else if let Some(leak) = self.leaks.first() {
            format!("{} values in clear text, the first of them: {leak}", self.leaks.len())
        } else {
            return Ok(());
        };
        Err(Failure::new(ExitCode::Differs, what)
            .remedy("this is a fault of ours: please report it with the output above"))
    }
}

/// Compares every row of every table.
pub(crate) fn compare(
    config: &Config,
    account: &DemoAccount,
    database: &Path,
    token_key: &Path,
) -> Result<Report, Failure> {
    let failed =
        |error: anyhow::Error| Failure::new(ExitCode::Failed, format!("the tables cannot be compared: {error:#}"));
    let key = std::fs::read_to_string(token_key).map_err(|error| failed(error.into()))?;
    let users: Vec<_> = account.truths("users").into_iter().map(|(record, _)| record).collect();
    let root = TokenRoot::parse(&key);
    let oracle = Oracle {
        erased: Erased::of(&users, account.identifying(), SOURCE, &root),
        source: SOURCE.into(),
        root,
    };
    let mut warehouse = Warehouse::open(database).map_err(failed)?;
    let mut report = zenfloe_oracle::compare::Report::default();
    let (_, source) = config.source(Some(SOURCE))?;
    let collections = parts::collections(source)?;
    let fields = |name: &str| {
        let all = account.truths(name).into_iter();
        all.map(|(record, truth)| (record, truth.is_removed)).collect()
    };
    let customs = Customs::read(&collections, fields, &mut warehouse).map_err(failed)?;
    for collection in collections {
        let truths = account
            .truths(&collection.name)
            .into_iter()
            .map(|(record, truth)| Truth {
                record,
                is_removed: truth.is_removed,
                is_wiped: truth.is_wiped,
                is_unseen: account.is_unseen(&collection.name, &truth),
            });
        compare_collection(&oracle, &customs.with(collection), truths, &mut warehouse, &mut report).map_err(failed)?;
    }
    let (values, leaks) = leaks(account, &warehouse).map_err(failed)?;
    Ok(Report {
        rows: report,
        values,
        leaks,
    })
}

/// Looks for every personal value of the account in every text of every table.
fn leaks(account: &DemoAccount, warehouse: &Warehouse) -> anyhow::Result<(usize, Vec<String>)> {
    let canaries: Vec<Canary> = account.canaries();
    let scanner = Scanner::new(&canaries);
    let mut leaks = Vec::new();
    warehouse.each_text(|table, text| leaks.extend(scanner.scan(table, text)))?;
    Ok((canaries.len(), leaks))
}
