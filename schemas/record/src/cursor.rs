use serde::{Deserialize, Serialize};

use crate::{Malformed, Micros};

/// Where the extraction of one collection stands; written in the page's own commit.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Cursor {
    /// The place in Zendesk's stream, in the words of its API client; absent before the first page.
    pub place: Option<serde_json::Value>,
    /// The last `extracted_at` given out; the next one is larger.
    pub extracted_at: Micros,
    /// The end of the last complete pass, if there was one.
    pub completed_at: Option<Micros>,
    /// Records published in the collection's life.
    pub records: u64,
}

impl Cursor {
    /// The beginning.
    pub fn start() -> Self {
        Self {
            place: None,
            extracted_at: 0,
            completed_at: None,
            records: 0,
        }
    }

    /// The extraction time of a page served at `date`: the larger of it and the last one plus 1 µs.
    pub fn next_extracted_at(&self, date: Micros) -> Micros {
        date.max(self.extracted_at + 1)
    }

    /// The value in the state topic.
    pub fn encode(&self) -> Vec<u8> {
        serde_json::to_vec(self).expect("JSON values and numbers serialise")
    }

    /// Reads the value.
    pub fn decode(value: &[u8]) -> Result<Self, Malformed> {
        serde_json::from_slice(value).map_err(|_| Malformed::Value("cursor"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn extraction_times_rise_even_when_the_servers_clock_does_not() {
        let mut cursor = Cursor::start();
        assert_eq!(cursor.next_extracted_at(5), 5);
        cursor.extracted_at = 9;
        assert_eq!(cursor.next_extracted_at(5), 10);
        assert_eq!(Cursor::decode(&cursor.encode()), Ok(cursor));
    }
}
