//! What whole sets were when they were read last, so that only changed ones are published.

use std::collections::BTreeMap;

use crate::errand::{Errand, Record};
use crate::ledger::name_of_contents;

/// The hashes of one collection's sets, by errand.
#[derive(Debug, Default)]
pub(crate) struct Sets {
    hashes: BTreeMap<String, String>,
    /// What the next commit must keep.
    changed: Vec<Record>,
}

impl Sets {
    /// Goes on with what an earlier process left.
    pub(crate) fn resume(hashes: BTreeMap<String, String>) -> Self {
        Self {
            hashes,
            changed: Vec::new(),
        }
    }

    /// Claims that a set is not what it was, and takes note of it.
    pub(crate) fn is_news(&mut self, errand: &Errand, set: &[u8]) -> bool {
        let (name, hash) = (errand.name(), name_of_contents(set));
        if self.hashes.get(&name) == Some(&hash) {
            return false;
        }
        self.changed.push((name.clone(), Some(hash.clone().into_bytes())));
        self.hashes.insert(name, hash);
        true
    }

    /// The sets of a parent that is gone: should it return, they are news.
    pub(crate) fn forget(&mut self, parent: &str) {
        let of_parent =
            |name: &String, _: &mut String| Errand::named(name).is_some_and(|errand| errand.parent == parent);
        let gone: Vec<_> = self
            .hashes
            .extract_if(.., of_parent)
            .map(|(name, _)| (name, None))
            .collect();
        self.changed.extend(gone);
    }

    /// All sets are news again.
    pub(crate) fn forget_all(&mut self) {
        let gone = std::mem::take(&mut self.hashes).into_keys().map(|name| (name, None));
        self.changed.extend(gone);
    }

    /// What the next commit must keep.
    pub(crate) fn take_changed(&mut self) -> Vec<Record> {
        std::mem::take(&mut self.changed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_set_is_news_once_and_again_when_its_parent_returns() {
        let errand = Errand {
            follow: 0,
            parent: "8".into(),
        };
        let mut sets = Sets::default();
        assert!(sets.is_news(&errand, b"[1]") && !sets.is_news(&errand, b"[1]") && sets.is_news(&errand, b"[2]"));
        let kept = sets.take_changed();
        let kept: BTreeMap<_, _> = kept
            .into_iter()
            .filter_map(|(name, value)| Some((name, String::from_utf8(value?).ok()?)))
            .collect();
        let mut sets = Sets::resume(kept);
        assert!(!sets.is_news(&errand, b"[2]"), "it is known over a restart");
        sets.forget("9");
        assert!(sets.take_changed().is_empty());
        sets.forget("8");
        assert_eq!(sets.take_changed(), [("0/8".to_owned(), None)]);
        assert!(sets.is_news(&errand, b"[2]"));
    }
}
