//! The stage's metrics.

use std::collections::{BTreeMap, BTreeSet};

use metrics::{counter, gauge};
use zenfloe_record::SourceName;

use crate::tally::{Share, Tally};

/// Paths of unknown fields that have a label of their own, by collection; further ones are counted as `other`.
const UNKNOWN_PATHS: usize = 100;

/// Counts what is committed.
pub(crate) struct Meter {
    source: String,
    paths: BTreeMap<&'static str, BTreeSet<String>>,
}

impl Meter {
    pub(crate) fn new(source: &SourceName) -> Self {
        Self {
            source: source.to_string(),
            paths: BTreeMap::new(),
        }
    }

    /// Counts a commit.
    pub(crate) fn count(&mut self, tally: &Tally) {
        counter!("zenfloe_transform_commits_total", "source" => self.source.clone()).increment(1);
        for (collection, share) in &tally.0 {
            self.share(collection, share);
        }
    }

    fn share(&mut self, collection: &'static str, share: &Share) {
        let labels = [("source", self.source.clone()), ("collection", collection.to_owned())];
        counter!("zenfloe_transform_records_total", &labels).increment(share.records);
        counter!("zenfloe_transform_bytes_total", &labels).increment(share.bytes);
        if share.surrogates > 0 {
            counter!("zenfloe_transform_surrogates_replaced_total", &labels).increment(share.surrogates);
        }
        for (table, rows) in share.rows.iter() {
            counter!("zenfloe_transform_rows_total", "source" => self.source.clone(), "table" => table.to_string())
                .increment(*rows);
        }
        for (reason, letters) in share.dead.iter() {
            counter!(
                "zenfloe_transform_dead_letters_total",
                "source" => self.source.clone(), "collection" => collection, "reason" => reason.as_str()
            )
            .increment(*letters);
        }
        for (class, tokens) in share.tokens.iter() {
            counter!("zenfloe_transform_tokens_total", "source" => self.source.clone(), "class" => class.as_str())
                .increment(*tokens);
        }
        for (path, count) in &share.unknown {
            let path = self.label(collection, path);
            counter!(
                "zenfloe_transform_unknown_fields_total",
                "source" => self.source.clone(), "collection" => collection, "path" => path
            )
            .increment(*count);
        }
    }

    /// A label for a path; the first ones have their own, as a label's values must stay few.
    fn label(&mut self, collection: &'static str, path: &str) -> String {
        let held = self.paths.entry(collection).or_default();
        if !held.contains(path) && held.len() >= UNKNOWN_PATHS {
            return "other".to_owned();
        }
        if held.insert(path.to_owned()) {
            let source = self.source.as_str();
            tracing::info!(
                source,
                collection,
                path,
                "a field that the catalog does not name stays in raw only"
            );
        }
        path.to_owned()
    }

    /// Shows how far a collection lies behind.
    pub(crate) fn lag(&self, collection: &str, records: u64, seconds: Option<f64>) {
        let labels = [("source", self.source.clone()), ("collection", collection.to_owned())];
        gauge!("zenfloe_transform_lag_records", &labels).set(records as f64);
        if let Some(seconds) = seconds {
            gauge!("zenfloe_transform_lag_seconds", &labels).set(seconds);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn labels_of_unknown_fields_stay_few() {
        let mut meter = Meter::new(&SourceName::new("acme").expect("a legal name"));
        for number in 0..UNKNOWN_PATHS {
            assert_eq!(meter.label("tickets", &format!("f{number}")), format!("f{number}"));
        }
        assert_eq!(meter.label("tickets", "one_more"), "other");
        assert_eq!(meter.label("tickets", "f7"), "f7");
        assert_eq!(meter.label("users", "one_more"), "one_more");
    }
}
