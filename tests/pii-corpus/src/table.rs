//! What was found of how much.

use std::collections::BTreeMap;

/// Counts by kind.
#[derive(Debug, Default)]
pub struct Table {
    rows: BTreeMap<String, (usize, usize)>,
    missed: Vec<String>,
}

impl Table {
    /// Counts a span; `shown` is what is printed of it where it was missed.
    pub fn count(&mut self, kind: &str, is_found: bool, shown: impl FnOnce() -> String) {
        let row = self.rows.entry(kind.to_owned()).or_default();
        row.0 += usize::from(is_found);
        row.1 += 1;
        if !is_found {
            self.missed.push(format!("{kind}: {}", shown()));
        }
    }

    /// Found and all of a kind.
    #[must_use]
    pub fn of(&self, kind: &str) -> (usize, usize) {
        self.rows.get(kind).copied().unwrap_or_default()
    }

    /// The share of a kind that was found, of nothing nothing.
    #[must_use]
    pub fn recall(&self, kind: &str) -> f64 {
        let (found, all) = self.of(kind);
        if all == 0 { 0.0 } else { found as f64 / all as f64 }
    }

    /// What was missed.
    #[must_use]
    pub fn missed(&self) -> &[String] {
        &self.missed
    }

    /// Prints the counts.
    pub fn print(&self, title: &str) {
        println!("{title}");
        for (kind, (found, all)) in &self.rows {
            println!(
                "  {kind:<18} {found:>6} of {all:>6}  {:6.2} %",
                *found as f64 * 100.0 / *all as f64
            );
        }
    }
}
