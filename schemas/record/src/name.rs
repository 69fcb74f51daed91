use std::fmt;
use std::sync::Arc;

/// A name that breaks the rule for its kind.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{given}` is no source name: use a lower-case letter, then up to 39 lower-case letters, digits or `_`")]
pub struct InvalidName {
    given: String,
}

/// The user's name for one Zendesk account.
///
/// It begins topic names and becomes a schema name in a warehouse, so it is restricted to what
/// Kafka, Snowflake and PostgreSQL all accept without quoting: `[a-z][a-z0-9_]{0,39}`.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct SourceName(Arc<str>);

impl SourceName {
    /// Checks and takes a name.
    pub fn new(name: &str) -> Result<Self, InvalidName> {
        let legal = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_';
        let starts_well = name.starts_with(|c: char| c.is_ascii_lowercase());
        if starts_well && name.len() <= 40 && name.chars().all(legal) {
            Ok(Self(name.into()))
        } else {
            Err(InvalidName { given: name.to_owned() })
        }
    }

    /// The name as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for SourceName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for SourceName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl serde::Serialize for SourceName {
    fn serialize<S: serde::Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.serialize_str(&self.0)
    }
}

impl<'de> serde::Deserialize<'de> for SourceName {
    fn deserialize<D: serde::Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        let name = String::deserialize(from)?;
        Self::new(&name).map_err(serde::de::Error::custom)
    }
}

/// Builds the topic names of a source; the only place that knows how they are written.
///
/// `<source>.raw.<collection>`, `<source>.clean.<table>`, `<source>.dead`, `.pending`, `.drift`,
/// `.state`, `.people`, `.rules`. What each holds: DESIGN in the README, "Topics".
#[derive(Debug, Clone, Copy)]
pub struct Topic;

impl Topic {
    /// Sealed records of a collection, as Zendesk sent them.
    pub fn raw(source: &SourceName, collection: &str) -> Arc<str> {
        format!("{source}.raw.{collection}").into()
    }
    /// Rows of a table in Avro, personal data made safe.
    pub fn clean(source: &SourceName, table: &str) -> Arc<str> {
        format!("{source}.clean.{table}").into()
    }
    /// What could not be transformed or loaded, with the reason.
    pub fn dead(source: &SourceName) -> Arc<str> {
        format!("{source}.dead").into()
    }
    /// Origins of records that wait for a custom field's definition.
    pub fn pending(source: &SourceName) -> Arc<str> {
        format!("{source}.pending").into()
    }
    /// Counts of unknown fields and changed types, never values.
    pub fn drift(source: &SourceName) -> Arc<str> {
        format!("{source}.drift").into()
    }
    /// The extractor's own: cursors, pacing, hashes of full lists. One partition.
    pub fn state(source: &SourceName) -> Arc<str> {
        format!("{source}.state").into()
    }
    /// Sealed identifiers of every person ever seen. One partition.
    pub fn people(source: &SourceName) -> Arc<str> {
        format!("{source}.people").into()
    }
    /// Revisions, custom columns and suppression. One partition.
    pub fn rules(source: &SourceName) -> Arc<str> {
        format!("{source}.rules").into()
    }

    /// The collection of a raw topic of this source, if it is one.
    pub fn collection_of<'t>(source: &SourceName, topic: &'t str) -> Option<&'t str> {
        topic.strip_prefix(source.as_str())?.strip_prefix(".raw.")
    }

    /// The table of a clean topic of this source, if it is one.
    pub fn table_of<'t>(source: &SourceName, topic: &'t str) -> Option<&'t str> {
        topic.strip_prefix(source.as_str())?.strip_prefix(".clean.")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_that_every_part_accepts_are_taken_and_no_others() {
        for good in ["acme", "acme_eu", "a", "a1", &"a".repeat(40)] {
            assert!(SourceName::new(good).is_ok(), "{good}");
        }
        for bad in ["", "Acme", "1a", "_a", "a-b", "a.b", "ä", "a b", &"a".repeat(41)] {
            assert!(SourceName::new(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn topics_are_named_and_read_back() {
        let source = SourceName::new("acme").expect("a legal name");
        assert_eq!(&*Topic::raw(&source, "tickets"), "acme.raw.tickets");
        assert_eq!(&*Topic::clean(&source, "ticket_slas"), "acme.clean.ticket_slas");
        assert_eq!(Topic::collection_of(&source, "acme.raw.users"), Some("users"));
        assert_eq!(Topic::collection_of(&source, "acme2.raw.users"), None);
        assert_eq!(Topic::table_of(&source, "acme.clean.users"), Some("users"));
    }
}
