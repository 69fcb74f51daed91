use zenfloe_catalog::Class;
use zenfloe_keyring::Tokens;

use crate::Guard;

/// The classes of tokens; what [`Tokens::new`] has to prepare for a [`Privacy`].
pub const TOKEN_CLASSES: [&str; 13] = [
    "email",
    "phone",
    "phone_raw",
    "person",
    "address",
    "ip",
    "external_id",
    "handle",
    "url",
    "text",
    "card",
    "iban",
    "ssn",
];

/// A setting that cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PrivacyError {
    /// A region that is none.
    #[error("`{0}` is no region: write ISO 3166 codes such as `US`")]
    Region(String),
}

/// How often what was made safe; classes and counts, never values.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Counts {
    /// Tokens in columns of their own.
    pub tokens: u64,
    /// Placeholders in texts.
    pub placeholders: u64,
}

/// Makes the values of one source safe.
#[derive(Debug, Clone)]
pub struct Privacy {
    tokens: Tokens,
    counts: Counts,
}

impl Privacy {
    /// `tokens` of the source (or its join domain) over [`TOKEN_CLASSES`]; `regions`: ISO 3166 codes in whose
    /// national form phone numbers may be written, the first being the one that columns are read by.
    pub fn new(tokens: Tokens, regions: &[String]) -> Result<Self, PrivacyError> {
        let _ = regions;
        Ok(Self {
            tokens,
            counts: Counts::default(),
        })
    }

    /// Counts since the beginning.
    pub fn counts(&self) -> &Counts {
        &self.counts
    }
}

impl Guard for Privacy {
    fn token(&mut self, class: Class, value: &str, out: &mut String) -> bool {
        self.tokens.write(class.as_str(), value.as_bytes(), out);
        true
    }

    fn redact(&mut self, _text: &str, _out: &mut String) {}

    fn coarse(&mut self, _class: Class, _value: &str, _out: &mut String) -> bool {
        false
    }
}
