//! What the last complete list of a collection held, so that only changes are published and what is
//! gone is noticed.
//!
//! The ledger lives in the state topic: one record per page of the list (key and hash of each row), one
//! set for rows that stand on no page any more. Pages are written in the commit of the page that changed
//! them, so that a list may be interrupted anywhere. A row stands where it was last seen: rows on the
//! pages before the present one have been seen in this pass, which needs no mark of its own.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use zenfloe_record::Partition;

/// The first half of a SHA-256.
type Hash = [u8; 16];

/// A complete list that misses a row this many times in a row says that it is gone: some lists are
/// ordered by fields that change, so that a row can slip past one look.
const LOOKS: u32 = 2;
/// Fewer gone rows than this are believed at once, whatever their share, unless they were the last ones.
const FEW: usize = 5;
/// Missing rows that one state record holds.
const MISSING_PER_RECORD: usize = 2_000;

/// The rows of one list.
#[derive(Debug, Default)]
pub(crate) struct Ledger {
    pass: u64,
    rows: HashMap<Arc<str>, Row>,
    pages: Vec<Vec<Arc<str>>>,
    /// Rows on no page, with the number of complete lists that missed them.
    missing: BTreeMap<Arc<str>, u32>,
    missing_records: usize,
}

#[derive(Debug, Clone, Copy)]
struct Row {
    hash: Hash,
    partition: Partition,
    /// `None` while it is missing.
    page: Option<u32>,
}

/// A row as a page shows it.
pub(crate) struct Seen<'r> {
    pub(crate) key: &'r str,
    pub(crate) json: &'r [u8],
    pub(crate) partition: Partition,
}

/// What a page changed.
#[derive(Debug, Default)]
pub(crate) struct Change {
    /// For each row of the page whether it is new or has changed.
    pub(crate) is_new: Vec<bool>,
    /// Rows that are gone, with the partition of their records.
    pub(crate) gone: Vec<(Arc<str>, Partition)>,
    /// Rows that would be gone, had the list not shrunk so much.
    pub(crate) held: usize,
    /// State records to write: the end of their key, and their value (`None` takes the record away).
    pub(crate) state: Vec<(String, Option<Vec<u8>>)>,
}

/// The value of a state record.
#[derive(Serialize, Deserialize)]
struct Kept {
    pass: u64,
    rows: Vec<KeptRow>,
}

/// Key, hash in hexadecimal, partition, missed looks.
#[derive(Serialize, Deserialize)]
struct KeptRow(Arc<str>, String, Partition, u32);

impl Ledger {
    /// Reads the ledger back from its state records: the end of their key, and their value.
    pub(crate) fn load<'s>(records: impl IntoIterator<Item = (&'s str, &'s [u8])>) -> Option<Self> {
        let mut ledger = Self::default();
        let mut pages: Vec<(u64, u32, Kept)> = Vec::new();
        for (name, value) in records {
            let kept: Kept = serde_json::from_slice(value).ok()?;
            ledger.pass = ledger.pass.max(kept.pass);
            match name.split_once('/')? {
                ("page", number) => pages.push((kept.pass, number.parse().ok()?, kept)),
                ("missing", number) => {
                    ledger.missing_records = ledger.missing_records.max(number.parse::<usize>().ok()? + 1);
                    for KeptRow(key, hash, partition, missed) in kept.rows {
                        ledger.rows.insert(
                            key.clone(),
                            Row {
                                hash: read_hash(&hash)?,
                                partition,
                                page: None,
                            },
                        );
                        ledger.missing.insert(key, missed);
                    }
                }
                _ => return None,
            }
        }
        // A row that moved stands on its old page's record until that page is written again: the newer record wins.
        pages.sort_by_key(|(pass, number, _)| (*pass, *number));
        for (_, number, kept) in pages {
            let index = number as usize;
            if ledger.pages.len() <= index {
                ledger.pages.resize(index + 1, Vec::new());
            }
            for KeptRow(key, hash, partition, _) in kept.rows {
                ledger.missing.remove(&key);
                ledger.rows.insert(
                    key.clone(),
                    Row {
                        hash: read_hash(&hash)?,
                        partition,
                        page: Some(number),
                    },
                );
                ledger.pages[index].push(key);
            }
        }
        Some(ledger)
    }

    /// Rows known to stand in the list.
    #[cfg(test)]
    fn len(&self) -> usize {
        self.rows.len() - self.missing.len()
    }

    /// Forgets what the rows held, not that they are there: every row is news when it is seen next. Returns the
    /// state records to write.
    pub(crate) fn forget(&mut self) -> Vec<(String, Option<Vec<u8>>)> {
        self.rows.values_mut().for_each(|row| row.hash = Hash::default());
        let pages = 0..self.pages.len();
        pages
            .map(|index| (format!("page/{index}"), Some(self.encode_page(index))))
            .collect()
    }

    /// Takes a page of the list in; `is_shrinking_fine` lets many rows go at once.
    pub(crate) fn page(&mut self, number: u32, seen: &[Seen<'_>], is_last: bool, is_shrinking_fine: bool) -> Change {
        let index = number as usize;
        if self.pages.len() <= index {
            self.pages.resize(index + 1, Vec::new());
        }
        let mut change = Change::default();
        let before = std::mem::take(&mut self.pages[index]);
        let missing_before = self.missing.clone();
        self.displace(&before, number);
        for row in seen {
            let is_new = self.place(number, row);
            change.is_new.push(is_new);
        }
        if before != self.pages[index] || change.is_new.contains(&true) {
            change
                .state
                .push((format!("page/{number}"), Some(self.encode_page(index))));
        }
        if is_last {
            self.end_pass(number, is_shrinking_fine, &mut change);
        }
        if missing_before != self.missing {
            self.encode_missing(&mut change.state);
        }
        change
    }

    /// Rows that stood on a page stand nowhere until they are seen.
    fn displace(&mut self, keys: &[Arc<str>], number: u32) {
        for key in keys {
            if let Some(row) = self.rows.get_mut(key).filter(|row| row.page == Some(number)) {
                row.page = None;
                self.missing.insert(key.clone(), 0);
            }
        }
    }

    /// Puts a row on a page. Returns whether it is new or has changed.
    fn place(&mut self, number: u32, seen: &Seen<'_>) -> bool {
        let hash = hash_of(seen.json);
        let (key, held) = match self.rows.get_key_value(seen.key) {
            Some((key, row)) => (key.clone(), Some(row.hash)),
            None => (seen.key.into(), None),
        };
        self.missing.remove(&key);
        self.pages[number as usize].push(key.clone());
        self.rows.insert(
            key,
            Row {
                hash,
                partition: seen.partition,
                page: Some(number),
            },
        );
        held != Some(hash)
    }

    /// The list is complete: what stands on no page has been missed once more.
    fn end_pass(&mut self, last: u32, is_shrinking_fine: bool, change: &mut Change) {
        for number in last + 1..self.pages.len() as u32 {
            let keys = std::mem::take(&mut self.pages[number as usize]);
            self.displace(&keys, number);
            change.state.push((format!("page/{number}"), None));
        }
        self.pages.truncate(last as usize + 1);
        self.pass += 1;
        self.missing
            .values_mut()
            .for_each(|missed| *missed = missed.saturating_add(1).min(LOOKS));
        let gone: Vec<_> = self
            .missing
            .iter()
            .filter(|(_, missed)| **missed >= LOOKS)
            .map(|(key, _)| key.clone())
            .collect();
        let live = self.rows.len() - self.missing.len();
        let is_few = gone.len() < FEW && live > 0;
        let is_believed = is_few || gone.len() * 5 <= gone.len() + live || is_shrinking_fine;
        if !is_believed {
            change.held = gone.len();
            return;
        }
        for key in gone {
            self.missing.remove(&key);
            if let Some(row) = self.rows.remove(&key) {
                change.gone.push((key, row.partition));
            }
        }
    }

    fn kept(&self, key: &Arc<str>, missed: u32) -> Option<KeptRow> {
        let row = self.rows.get(key)?;
        Some(KeptRow(
            key.clone(),
            data_encoding::HEXLOWER.encode(&row.hash),
            row.partition,
            missed,
        ))
    }

    fn encode_page(&self, index: usize) -> Vec<u8> {
        let rows = self.pages[index].iter().filter_map(|key| self.kept(key, 0)).collect();
        encode(&Kept { pass: self.pass, rows })
    }

    fn encode_missing(&mut self, state: &mut Vec<(String, Option<Vec<u8>>)>) {
        let rows: Vec<_> = self.missing.iter().collect();
        let chunks: Vec<_> = rows.chunks(MISSING_PER_RECORD).collect();
        for (number, chunk) in chunks.iter().enumerate() {
            let rows = chunk
                .iter()
                .filter_map(|(key, missed)| self.kept(key, **missed))
                .collect();
            state.push((
                format!("missing/{number}"),
                Some(encode(&Kept { pass: self.pass, rows })),
            ));
        }
        let written = chunks.len();
        for number in written..self.missing_records {
            state.push((format!("missing/{number}"), None));
        }
        self.missing_records = written;
    }
}

fn encode(kept: &Kept) -> Vec<u8> {
    serde_json::to_vec(kept).expect("strings and numbers serialise")
}

fn hash_of(json: &[u8]) -> Hash {
    let digest = Sha256::digest(json);
    std::array::from_fn(|index| digest[index])
}

/// A name for a row that has none: it says nothing about what stands in it.
pub(crate) fn name_of_contents(json: &[u8]) -> String {
    data_encoding::HEXLOWER.encode(&hash_of(json))
}

fn read_hash(text: &str) -> Option<Hash> {
    data_encoding::HEXLOWER.decode(text.as_bytes()).ok()?.try_into().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A ledger and the state records that it has written.
    #[derive(Default)]
    struct Book {
        ledger: Ledger,
        state: BTreeMap<String, Vec<u8>>,
    }

    impl Book {
        /// Takes a page in and says what was new and what was gone.
        fn page(&mut self, number: u32, rows: &[(&str, &str)], is_last: bool) -> (Vec<String>, Vec<String>, usize) {
            let seen: Vec<_> = rows
                .iter()
                .map(|(key, json)| Seen {
                    key,
                    json: json.as_bytes(),
                    partition: 3,
                })
                .collect();
            let change = self.ledger.page(number, &seen, is_last, false);
            for (name, value) in change.state {
                match value {
                    Some(value) => self.state.insert(name, value),
                    None => self.state.remove(&name),
                };
            }
            let new = rows
                .iter()
                .zip(&change.is_new)
                .filter(|(_, new)| **new)
                .map(|((key, _), _)| (*key).to_owned());
            let gone = change.gone.iter().map(|(key, partition)| format!("{key}@{partition}"));
            (new.collect(), gone.collect(), change.held)
        }

        fn restart(&mut self) {
            let records = self.state.iter().map(|(name, value)| (name.as_str(), value.as_slice()));
            self.ledger = Ledger::load(records).expect("what it wrote itself");
        }
    }

    fn strings(texts: &[&str]) -> Vec<String> {
        texts.iter().map(|text| (*text).to_owned()).collect()
    }

    #[test]
    fn only_changes_are_new_and_an_idle_list_writes_nothing() {
        let mut book = Book::default();
        assert_eq!(book.page(0, &[("1", "a"), ("2", "b")], true).0, strings(&["1", "2"]));
        let before = book.state.clone();
        assert_eq!(book.page(0, &[("1", "a"), ("2", "b")], true).0, strings(&[]));
        assert_eq!(book.state, before);
        assert_eq!(book.page(0, &[("1", "a"), ("2", "B")], true).0, strings(&["2"]));
    }

    #[test]
    fn a_row_is_gone_after_two_complete_lists_and_returns_as_new() {
        for restarts in [false, true] {
            let mut book = Book::default();
            book.page(0, &[("1", "a"), ("2", "b")], true);
            for (rows, new, gone) in [
                (&[("2", "b")][..], &[][..], &[][..]),
                (&[("1", "a"), ("2", "b")], &[], &[]),
                (&[("2", "b")], &[], &[]),
                (&[("2", "b")], &[], &["1@3"]),
                (&[("2", "b")], &[], &[]),
                (&[("1", "a"), ("2", "b")], &["1"], &[]),
            ] {
                if restarts {
                    book.restart();
                }
                let (was_new, was_gone, held) = book.page(0, rows, true);
                assert_eq!((was_new, was_gone, held), (strings(new), strings(gone), 0));
            }
        }
    }

    #[test]
    fn rows_that_move_between_pages_are_neither_new_nor_gone() {
        let mut book = Book::default();
        let list = [("a", "1"), ("b", "2"), ("c", "3"), ("d", "4"), ("e", "5")];
        let pass = |book: &mut Book, list: &[(&str, &str)], restart_at: Option<u32>| {
            let pages: Vec<_> = list.chunks(2).collect();
            let mut all = (Vec::new(), Vec::new());
            for (number, rows) in pages.iter().enumerate() {
                if restart_at == Some(number as u32) {
                    book.restart();
                }
                let (new, gone, _) = book.page(number as u32, rows, number + 1 == pages.len());
                all.0.extend(new);
                all.1.extend(gone);
            }
            all
        };
        pass(&mut book, &list, None);
        for restart_at in [None, Some(0), Some(1), Some(2)] {
            // Without the first row everything moves up; with a new first row everything moves down.
            assert_eq!(
                pass(&mut book, &list[1..], restart_at),
                (vec![], vec![]),
                "{restart_at:?}"
            );
            assert_eq!(
                pass(&mut book, &list[1..], restart_at),
                (vec![], strings(&["a@3"])),
                "{restart_at:?}"
            );
            assert_eq!(
                pass(&mut book, &list, restart_at),
                (strings(&["a"]), vec![]),
                "{restart_at:?}"
            );
            assert_eq!(book.ledger.len(), 5);
            book.restart();
            assert_eq!(book.ledger.len(), 5);
        }
    }

    #[test]
    fn a_list_that_shrank_much_waits() {
        let keys: Vec<String> = (0..20).map(|key| key.to_string()).collect();
        let rows: Vec<_> = keys.iter().map(|key| (key.as_str(), "x")).collect();
        let mut book = Book::default();
        book.page(0, &rows, true);
        book.page(0, &rows[..10], true);
        let (_, gone, held) = book.page(0, &rows[..10], true);
        assert_eq!((gone.len(), held), (0, 10));
        book.restart();
        assert_eq!(book.page(0, &rows[..10], true).2, 10, "it waits over a restart");
        let seen: Vec<_> = rows[..10]
            .iter()
            .map(|(key, json)| Seen {
                key,
                json: json.as_bytes(),
                partition: 0,
            })
            .collect();
        assert_eq!(
            book.ledger.page(0, &seen, true, true).gone.len(),
            10,
            "until it is confirmed"
        );
    }

    #[test]
    fn an_empty_list_takes_nothing_away() {
        for count in [1, 6] {
            let keys: Vec<String> = (0..count).map(|key| key.to_string()).collect();
            let rows: Vec<_> = keys.iter().map(|key| (key.as_str(), "x")).collect();
            let mut book = Book::default();
            book.page(0, &rows, true);
            assert_eq!(book.page(0, &[], true).1.len(), 0);
            assert_eq!(book.page(0, &[], true), (vec![], vec![], count), "it waits for a word");
            assert_eq!(
                book.page(0, &rows, true),
                (vec![], vec![], 0),
                "and all is well when it is back"
            );
        }
    }
}
