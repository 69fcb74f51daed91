//! Tokens, computed from the key file as PII.md's formula says.

use data_encoding::{BASE32_NOPAD, BASE64};
use hkdf::Hkdf;
use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;
use unicode_normalization::UnicodeNormalization;
use zenfloe_catalog::Class;

/// The newest key of a token key file.
pub struct TokenRoot {
    version: u16,
    key: Vec<u8>,
}

impl TokenRoot {
    /// Reads the text of a key file: a title, then `VERSION BASE64` lines.
    pub fn parse(text: &str) -> Self {
        let newest = text
            .lines()
            .skip(1)
            .filter(|line| !line.starts_with('#') && !line.trim().is_empty())
            .map(|line| line.split_once(' ').expect("a version and a key"))
            // The key of marks has a name in the place of a number.
            .filter_map(|(version, key)| Some((version.parse::<u16>().ok()?, key)))
            .max()
            .expect("a key");
        Self {
            version: newest.0,
            key: BASE64.decode(newest.1.trim().as_bytes()).expect("base64"),
        }
    }

    /// The token of a raw value.
    pub fn token(&self, domain: &str, class: Class, value: &str) -> String {
        let (class, normalised) = normalise(class, value);
        let mut key = [0; 32];
        Hkdf::<Sha256>::new(None, &self.key)
            .expand(
                format!("zenfloe1|{domain}|{class}|{}", self.version).as_bytes(),
                &mut key,
            )
            .expect("32 bytes");
        let mut mac = Hmac::<Sha256>::new_from_slice(&key).expect("any length");
        mac.update(format!("zenfloe1\0{class}\0{normalised}").as_bytes());
        let text = BASE32_NOPAD.encode(&mac.finalize().into_bytes()).to_lowercase();
        format!("k{}_{}", self.version, &text[..26])
    }
}

/// Class and normal form of the simulator's values, which are all well formed.
fn normalise(class: Class, value: &str) -> (&'static str, String) {
    let folded = |text: &str| text.nfkc().collect::<String>().trim().to_lowercase();
    match class {
        Class::Phone => {
            let digits: String = value.chars().filter(char::is_ascii_digit).collect();
            ("phone", format!("+{digits}"))
        }
        Class::Email => ("email", folded(value)),
        Class::Person | Class::Address => {
            let words = folded(value);
            (class.as_str(), words.split_whitespace().collect::<Vec<_>>().join(" "))
        }
        other => (other.as_str(), value.nfkc().collect::<String>().trim().to_owned()),
    }
}
