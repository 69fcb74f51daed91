use crate::Malformed;

/// Microseconds since 1970-01-01T00:00:00Z.
pub type Micros = i64;

/// Which of two states of a row is the newer one.
///
/// Compared field by field in this order; an equal tuple is the same state and overwrites.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct RowVersion {
    /// The collection's own version in microseconds (tickets: `generated_timestamp`; lists: extraction time).
    pub version: Micros,
    /// When Zendesk served it: strictly rising within a source's cursor; 0 for imported files.
    pub extracted_at: Micros,
    /// The raw record's offset.
    pub raw_offset: i64,
    /// The number of the transform configuration that made the row.
    pub revision: i32,
}

impl RowVersion {
    /// The header form: four decimal numbers with `/` between.
    pub fn encode(&self) -> String {
        format!(
            "{}/{}/{}/{}",
            self.version, self.extracted_at, self.raw_offset, self.revision
        )
    }

    /// Reads the header form.
    pub fn decode(text: &str) -> Result<Self, Malformed> {
        let bad = || Malformed::Value("row version");
        let mut parts = text.split('/');
        let mut next = || parts.next().and_then(|part| part.parse::<i64>().ok()).ok_or_else(bad);
        let version = Self {
            version: next()?,
            extracted_at: next()?,
            raw_offset: next()?,
            revision: next()?.try_into().map_err(|_| bad())?,
        };
        match parts.next() {
            None => Ok(version),
            Some(_) => Err(bad()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const V: RowVersion = RowVersion {
        version: 1_791_532_660_000_000,
        extracted_at: 1_791_532_700_000_001,
        raw_offset: 42,
        revision: 3,
    };

    #[test]
    fn the_header_form_is_fixed() {
        assert_eq!(V.encode(), "1791532660000000/1791532700000001/42/3");
        assert_eq!(RowVersion::decode(&V.encode()), Ok(V));
        for bad in ["", "1/2/3", "1/2/3/4/5", "a/2/3/4", "1/2/3/99999999999"] {
            assert!(RowVersion::decode(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn fields_weigh_in_order() {
        let later_read = RowVersion {
            extracted_at: V.extracted_at + 1,
            raw_offset: 0,
            ..V
        };
        let newer = RowVersion {
            version: V.version + 1,
            extracted_at: 0,
            raw_offset: 0,
            revision: 0,
        };
        let revised = RowVersion { revision: 4, ..V };
        assert!(V < revised && revised < later_read && later_read < newer);
    }
}
