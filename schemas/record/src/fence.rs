use serde::{Deserialize, Serialize};

use crate::{Malformed, Micros};

/// Which rows of a table a fence speaks of: those whose `column` equals `value`.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct FenceScope {
    /// The parent column of the table, `user_id` or `ticket_id`.
    pub column: String,
    /// The parent's id as text.
    pub value: String,
}

/// Says that of a parent's rows in one table everything extracted before a time is gone.
///
/// A user record carries the user's whole set of identities: the rows that follow are the set, the
/// fence takes away what is no longer in it. The destination keeps the newest fence of a scope, so
/// that nothing late brings an older row back.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Fence {
    /// Whose rows.
    pub scope: FenceScope,
    /// Rows with `_extracted_at` smaller than this are gone; absent in an erasing fence, which
    /// covers every row of the scope for ever.
    pub before: Option<Micros>,
}

impl Fence {
    /// The Kafka key: never equal to a row's key.
    pub fn key(&self) -> Vec<u8> {
        format!("\x1e{}\x1f{}", self.scope.column, self.scope.value).into_bytes()
    }

    /// The value in a clean topic: JSON, as the record is small, rare and no row.
    pub fn encode(&self) -> Vec<u8> {
        serde_json::to_vec(self).expect("strings and numbers serialise")
    }

    /// Reads the value.
    pub fn decode(value: &[u8]) -> Result<Self, Malformed> {
        serde_json::from_slice(value).map_err(|_| Malformed::Value("fence"))
    }

    /// Claims that a row of this scope is gone.
    pub fn covers(&self, extracted_at: Micros) -> bool {
        self.before.is_none_or(|before| extracted_at < before)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fence_covers_what_is_older_and_an_erasing_one_everything() {
        let scope = FenceScope {
            column: "user_id".into(),
            value: "7".into(),
        };
        let fence = Fence {
            scope: scope.clone(),
            before: Some(10),
        };
        assert!(fence.covers(9) && !fence.covers(10));
        assert!(Fence { scope, before: None }.covers(i64::MAX));
        assert_eq!(Fence::decode(&fence.encode()), Ok(fence.clone()));
        assert_eq!(fence.key(), b"\x1euser_id\x1f7");
    }
}
