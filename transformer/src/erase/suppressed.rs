use std::fmt;
use std::sync::{Arc, PoisonError, RwLock};

use data_encoding::HEXLOWER;
use zenfloe_erasure::{Entry, Erased};
use zenfloe_pii::ErasedMark;

use crate::rules::Rules;

/// Who is erased, as whoever makes rows knows it; clones share it.
#[derive(Clone)]
pub(crate) struct Suppressed {
    rows: Arc<RwLock<Arc<Erased>>>,
    /// The same for columns and texts.
    values: zenfloe_pii::Erased,
}

impl Suppressed {
    pub(crate) fn new(values: zenfloe_pii::Erased) -> Self {
        Self {
            rows: Arc::default(),
            values,
        }
    }

    /// Takes over what the rules say.
    pub(crate) fn learn(&self, rules: &Rules) {
        let erased = rules.erased();
        let is_same = |held: &Erased| held.entries().eq(erased.entries());
        if is_same(&self.rows()) {
            return;
        }
        self.values.add(erased.entries().flat_map(|(_, entry)| marks(entry)));
        *self.rows.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(erased.clone());
    }

    /// What rows are changed by.
    pub(crate) fn rows(&self) -> Arc<Erased> {
        self.rows.read().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

fn marks(entry: &Entry) -> impl Iterator<Item = ErasedMark> + '_ {
    entry.marks.iter().filter_map(|held| {
        let bytes = HEXLOWER.decode(held.mark.as_bytes()).ok()?;
        Some(ErasedMark {
            mark: bytes.try_into().ok()?,
            first: held.first,
        })
    })
}

impl fmt::Debug for Suppressed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Suppressed({})", self.rows().entries().count())
    }
}
