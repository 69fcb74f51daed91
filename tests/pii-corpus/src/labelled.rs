//! The labelled texts of `presidio-evaluator`.

use std::ops::Range;
use std::path::Path;

use serde::Deserialize;

/// A text with labels.
#[derive(Debug)]
pub struct Labelled {
    /// The text.
    pub text: String,
    /// Its labels in their order.
    pub labels: Vec<Label>,
}

/// A personal span.
#[derive(Debug)]
pub struct Label {
    /// `EMAIL_ADDRESS`, `PHONE_NUMBER` …
    pub kind: String,
    /// Its bytes in the text.
    pub range: Range<usize>,
}

#[derive(Deserialize)]
struct Record {
    full_text: String,
    spans: Vec<Span>,
}

#[derive(Deserialize)]
struct Span {
    entity_type: String,
    /// In characters.
    start_position: usize,
    end_position: usize,
}

impl Labelled {
    /// Reads the file of the package.
    ///
    /// # Errors
    ///
    /// Where it cannot be read, or is not what the package of this version holds.
    pub fn load(file: &Path) -> Result<Vec<Self>, Box<dyn std::error::Error>> {
        let records: Vec<Record> = serde_json::from_str(&std::fs::read_to_string(file)?)?;
        Ok(records.into_iter().map(Self::of).collect())
    }

    fn of(record: Record) -> Self {
        let text = record.full_text;
        let byte = |place: usize| text.char_indices().nth(place).map_or(text.len(), |(byte, _)| byte);
        let label = |span: Span| Label {
            kind: span.entity_type,
            range: byte(span.start_position)..byte(span.end_position),
        };
        let labels = record.spans.into_iter().map(label).collect();
        Self { text, labels }
    }
}

/// Claims that a plain address of a page is known as one: with a query it would be replaced. Plain pages are no
/// personal data, and stay.
pub fn is_url_detected(url: &str, is_replaced: impl FnOnce(&str) -> bool) -> bool {
    let with_query = match url.contains("://") || url.starts_with("www.") {
        true => format!("{}/?user=1", url.trim_end_matches('/')),
        false => format!("https://{}/?user=1", url.trim_end_matches('/')),
    };
    is_replaced(&with_query)
}
