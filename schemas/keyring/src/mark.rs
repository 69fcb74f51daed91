use std::fmt;

use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;
use zenfloe_record::SourceName;

use crate::{TokenKeys, derive};

/// Bytes of a [`Mark`].
pub const MARK_LENGTH: usize = 16;

/// By what an erased value is recognised: a keyed digest that no rotation of token keys changes.
pub type Mark = [u8; MARK_LENGTH];

/// Makes the marks of one source.
///
/// `mark = HMAC-SHA-256(K, domain 00 value)[..16]`, `K = HKDF-SHA-256(the file's mark key, "zenfloe1|marks|" source)`.
#[derive(Clone)]
pub struct Marks {
    mac: Hmac<Sha256>,
    /// For [`Marks::hint`].
    seed: [u64; 2],
}

impl Marks {
    /// Prepares the key of a source.
    pub fn new(keys: &TokenKeys, source: &SourceName) -> Self {
        let root = keys.marks();
        let key = derive(&root, &format!("zenfloe1|marks|{source}"));
        let seed = derive(&root, &format!("zenfloe1|hints|{source}"));
        let half = |bytes: &[u8]| u64::from_be_bytes(bytes.try_into().expect("8 bytes"));
        Self {
            mac: Hmac::new_from_slice(key.as_slice()).expect("HMAC takes any length"),
            seed: [half(&seed[..8]), half(&seed[8..16])],
        }
    }

    /// The mark of a value in a domain; equal values of two domains have nothing in common.
    pub fn mark(&self, domain: &str, value: &[u8]) -> Mark {
        let mut mac = self.mac.clone();
        mac.update(domain.as_bytes());
        mac.update(&[0]);
        mac.update(value);
        let digest = mac.finalize().into_bytes();
        digest[..MARK_LENGTH].try_into().expect("a digest has 32 bytes")
    }

    /// A number that says of most values at little cost that they are not one of a few: keyed, and too short to tell
    /// anything else.
    pub fn hint(&self, value: impl IntoIterator<Item = char>) -> u16 {
        const PRIME: u64 = 0x9e37_79b9_7f4a_7c15;
        let step = |state: u64, c: char| {
            let product = u128::from(state ^ u64::from(u32::from(c))) * u128::from(self.seed[1] | PRIME);
            (product as u64) ^ (product >> 64) as u64
        };
        let whole = value.into_iter().fold(self.seed[0], step);
        (whole ^ whole >> 16 ^ whole >> 32 ^ whole >> 48) as u16
    }
}

impl fmt::Debug for Marks {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Marks")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn marks(source: &str) -> Marks {
        let source = SourceName::new(source).expect("a legal name");
        Marks::new(&TokenKeys::of([(1, [7; 32])]), &source)
    }

    /// Computed with Python's `hmac` and `hashlib`: must stay, or erased people come back.
    #[test]
    fn marks_equal_the_golden_vectors() {
        let hex = |mark: Mark| data_encoding::HEXLOWER.encode(&mark);
        assert_eq!(hex(marks("acme").mark("email", b"ann@example.com")), GOLDEN);
        assert_eq!(marks("acme").hint("ann".chars()), HINT);
    }

    const GOLDEN: &str = "22a669aeebf0abb99140d12fa2b66bde";
    const HINT: u16 = 0x247e;

    #[test]
    fn domain_and_source_keep_marks_apart() {
        let one = marks("acme").mark("email", b"x");
        assert_ne!(one, marks("other").mark("email", b"x"));
        assert_ne!(one, marks("acme").mark("phone", b"x"));
        assert_ne!(one, marks("acme").mark("email", b"y"));
    }

    #[test]
    fn hints_spread() {
        let marks = marks("acme");
        let hints: std::collections::HashSet<u16> =
            (0..1_000).map(|n| marks.hint(format!("word{n}").chars())).collect();
        assert!(hints.len() > 950, "{}", hints.len());
    }
}
