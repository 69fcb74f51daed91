use crate::Malformed;

/// The names of the headers that our records carry.
pub mod header {
    /// `record` or `delete` in raw topics; `row`, `fence` or `delete` in clean ones.
    pub const KIND: &str = "zf.kind";
    /// When Zendesk served the record, decimal microseconds; 0 for imported files.
    pub const EXTRACTED_AT: &str = "zf.extracted_at";
    /// There, whatever it says, on a raw record that was imported or read from the past: a younger state of it may stand before it in the topic.
    pub const PAST: &str = "zf.past";
    /// The wrapped data key of a sealed value (see `zenfloe-keyring`).
    pub const SEAL: &str = "zf.seal";
    /// The row version of a clean row: `version/extracted_at/raw_offset/revision`.
    pub const ROW_VERSION: &str = "zf.row_version";
    /// There, whatever it says, on a clean record that was written anew, by an erasure or because the
    /// definition of a custom field came late: its first writing has the same origin.
    pub const REWRITTEN: &str = "zf.rewritten";
    /// The raw record that a clean row or a letter comes from: `topic/partition/offset`.
    pub const ORIGIN: &str = "zf.origin";
    /// The stage that wrote a letter.
    pub const STAGE: &str = "zf.stage";
    /// The reason class of a letter.
    pub const REASON: &str = "zf.reason";
    /// What was wrong, for people; never a value of the record.
    pub const DETAIL: &str = "zf.detail";
    /// The Kafka key of the record that a letter holds: a seal opens under it alone, a clean row goes back under it.
    pub const KEY: &str = "zf.key";
    /// The timestamp of the record that a letter holds, decimal milliseconds.
    pub const TIMESTAMP: &str = "zf.timestamp";
}

/// A record's headers in the order in which they were written.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Headers(Vec<(String, Vec<u8>)>);

impl Headers {
    /// No headers.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds one at the end.
    pub fn push(&mut self, name: impl Into<String>, value: impl Into<Vec<u8>>) {
        self.0.push((name.into(), value.into()));
    }

    /// Adds one at the end, for chains.
    #[must_use]
    pub fn with(mut self, name: impl Into<String>, value: impl Into<Vec<u8>>) -> Self {
        self.push(name, value);
        self
    }

    /// The bytes of the last header of that name (Kafka allows repeats; the last one counts).
    pub fn get(&self, name: &str) -> Option<&[u8]> {
        self.0
            .iter()
            .rev()
            .find(|(held, _)| held == name)
            .map(|(_, value)| value.as_slice())
    }

    /// The text of a header.
    pub fn text(&self, name: &'static str) -> Result<&str, Malformed> {
        let bytes = self.get(name).ok_or(Malformed::MissingHeader(name))?;
        std::str::from_utf8(bytes).map_err(|_| Malformed::Header(name))
    }

    /// The decimal number in a header.
    pub fn number(&self, name: &'static str) -> Result<i64, Malformed> {
        self.text(name)?.parse().map_err(|_| Malformed::Header(name))
    }

    /// Names and values in order.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &[u8])> {
        self.0.iter().map(|(name, value)| (name.as_str(), value.as_slice()))
    }

    /// The number of headers.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Claims that there is none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl<N: Into<String>, V: Into<Vec<u8>>> FromIterator<(N, V)> for Headers {
    fn from_iter<I: IntoIterator<Item = (N, V)>>(items: I) -> Self {
        Self(items.into_iter().map(|(n, v)| (n.into(), v.into())).collect())
    }
}

/// Values print as lengths: a header may hold a wrapped key.
impl std::fmt::Debug for Headers {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_map()
            .entries(self.0.iter().map(|(name, value)| (name, value.len())))
            .finish()
    }
}
