//! Looks for a text in a Parquet file.

use axum::body::Bytes;
use parquet::file::reader::{FileReader, SerializedFileReader};

/// Claims that some value of the file holds the text.
pub(crate) fn contains(file: &Bytes, text: &str) -> bool {
    let Ok(reader) = SerializedFileReader::new(file.clone()) else {
        return false;
    };
    let Ok(mut rows) = reader.get_row_iter(None) else {
        return false;
    };
    rows.any(|row| row.is_ok_and(|row| row.to_string().contains(text)))
}
