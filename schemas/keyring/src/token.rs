use std::collections::BTreeMap;
use std::fmt;

use data_encoding::{Encoding, Specification};
use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;

use crate::{Key, KeyVersion, TokenKeys, derive};

/// Characters of a token after its version: 130 bits in base32.
pub const TOKEN_LENGTH: usize = 26;

/// Makes the tokens of one source (or of one join domain that sources share).
///
/// `token = "k" version "_" base32(HMAC-SHA-256(K, "zenfloe1" 00 class 00 normalised))[..26]` with
/// `K = HKDF-SHA-256(root, info = "zenfloe1|" domain "|" class "|" version)`; base32 of RFC 4648 in
/// lower case. One HMAC per class is prepared and cloned, as making one costs half as much again.
#[derive(Clone)]
pub struct Tokens {
    version: KeyVersion,
    prefix: String,
    by_class: BTreeMap<&'static str, Hmac<Sha256>>,
    base32: Encoding,
}

impl Tokens {
    /// Prepares the key in use for a domain and the classes given.
    pub fn new(keys: &TokenKeys, domain: &str, classes: impl IntoIterator<Item = &'static str>) -> Self {
        Self::of(keys.main(), domain, classes)
    }

    /// The same with the key of the next version, while a rotation is under way.
    pub fn next(keys: &TokenKeys, domain: &str, classes: impl IntoIterator<Item = &'static str>) -> Option<Self> {
        Some(Self::of(keys.next()?, domain, classes))
    }

    /// One for every version that the file holds, oldest first: all tokens that a value may have.
    pub fn all(keys: &TokenKeys, domain: &str, classes: &[&'static str]) -> Vec<Self> {
        keys.all()
            .map(|root| Self::of(root, domain, classes.iter().copied()))
            .collect()
    }

    fn of((version, root): (KeyVersion, &Key), domain: &str, classes: impl IntoIterator<Item = &'static str>) -> Self {
        let prepared = |class: &'static str| {
            let key = derive(root, &format!("zenfloe1|{domain}|{class}|{version}"));
            let mut mac = Hmac::<Sha256>::new_from_slice(key.as_slice()).expect("HMAC takes any length");
            mac.update(b"zenfloe1\0");
            mac.update(class.as_bytes());
            mac.update(&[0]);
            (class, mac)
        };
        let mut lower = Specification::new();
        lower.symbols.push_str("abcdefghijklmnopqrstuvwxyz234567");
        Self {
            version,
            prefix: format!("k{version}_"),
            by_class: classes.into_iter().map(prepared).collect(),
            base32: lower.encoding().expect("32 distinct symbols"),
        }
    }

    /// The version of the key in use.
    pub fn version(&self) -> KeyVersion {
        self.version
    }

    /// Appends the token of a normalised value to `out`.
    ///
    /// Contract: `class` is one of those given to [`Tokens::new`].
    pub fn write(&self, class: &str, normalised: &[u8], out: &mut String) {
        let mut mac = self.by_class.get(class).expect("the class was prepared").clone();
        mac.update(normalised);
        let digest = mac.finalize().into_bytes();
        let mut text = [0; TOKEN_LENGTH];
        // 17 bytes give 28 characters, of which 26 count.
        let mut whole = [0; 28];
        self.base32
            .encode_mut(&digest[..17], &mut whole[..self.base32.encode_len(17)]);
        text.copy_from_slice(&whole[..TOKEN_LENGTH]);
        out.push_str(&self.prefix);
        out.push_str(std::str::from_utf8(&text).expect("base32 is ASCII"));
    }

    /// The token of a normalised value.
    pub fn token(&self, class: &str, normalised: &[u8]) -> String {
        let mut out = String::with_capacity(self.prefix.len() + TOKEN_LENGTH);
        self.write(class, normalised, &mut out);
        out
    }
}

impl fmt::Debug for Tokens {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Tokens(version {}, {} classes)", self.version, self.by_class.len())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tokens(domain: &str, version: KeyVersion) -> Tokens {
        let root: [u8; 32] = std::array::from_fn(|index| u8::try_from(index).expect("below 32"));
        Tokens::new(&TokenKeys::of([(version, root)]), domain, ["email", "phone"])
    }

    /// Computed with Python's `hmac` and `hashlib`: root = bytes 00..1f, HKDF without salt.
    #[test]
    fn tokens_equal_the_golden_vectors() {
        let made = tokens("acme", 1).token("email", b"ann@example.com");
        assert_eq!(made, "k1_7mgt2av3r4kjfcliq422vwr4wh");
        let made = tokens("acme", 2).token("phone", b"+12025550123");
        assert_eq!(made, "k2_w7nul4r4e5mxdj554e4ukyikkv");
    }

    #[test]
    fn domain_class_and_version_keep_tokens_apart() {
        let base = tokens("acme", 1).token("email", b"x");
        assert_ne!(base, tokens("acme2", 1).token("email", b"x"));
        assert_ne!(base, tokens("acme", 1).token("phone", b"x"));
        assert_ne!(base[3..], tokens("acme", 2).token("email", b"x")[3..]);
        assert_eq!(base.len(), 3 + TOKEN_LENGTH);
    }
}
