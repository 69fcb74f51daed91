//! Results as texts: JSON and Arrow, whichever the account chooses.

use std::sync::Arc;

use arrow_array::cast::AsArray;
use arrow_array::types::{Decimal128Type, Int8Type, Int16Type, Int32Type, Int64Type};
use arrow_array::{Array, RecordBatch};
use arrow_ipc::reader::StreamReader;
use arrow_schema::{DataType, Field};
use data_encoding::BASE64;
use serde_json::Value as Json;

use crate::error::{ApiError, broken};

/// A cell as text; `None` is null.
pub(crate) type Cell = Option<String>;

/// Cells of a JSON result.
pub(crate) fn of_json(rows: Vec<Vec<Option<Json>>>) -> Vec<Vec<Cell>> {
    let cell = |cell: Option<Json>| match cell? {
        Json::String(text) => Some(text),
        Json::Null => None,
        other => Some(other.to_string()),
    };
    let row = |row: Vec<Option<Json>>| row.into_iter().map(cell).collect();
    rows.into_iter().map(row).collect()
}

/// Cells of an Arrow stream in base64; an empty text has none.
pub(crate) fn of_base64(text: &str) -> Result<Vec<Vec<Cell>>, ApiError> {
    let bytes = BASE64.decode(text.as_bytes());
    of_arrow(&bytes.map_err(|_| broken("a result is not base64"))?)
}

/// Cells of an Arrow stream.
pub(crate) fn of_arrow(bytes: &[u8]) -> Result<Vec<Vec<Cell>>, ApiError> {
    if bytes.is_empty() {
        return Ok(Vec::new());
    }
    let unread = |_| broken("a result is not an Arrow stream");
    let mut rows = Vec::new();
    for batch in StreamReader::try_new(bytes, None).map_err(unread)? {
        append(&batch.map_err(unread)?, &mut rows)?;
    }
    Ok(rows)
}

fn append(batch: &RecordBatch, rows: &mut Vec<Vec<Cell>>) -> Result<(), ApiError> {
    let schema = batch.schema();
    for row in 0..batch.num_rows() {
        let cells = batch.columns().iter().zip(schema.fields());
        let cells = cells.map(|(array, field)| cell(array, field, row));
        rows.push(cells.collect::<Result<_, _>>()?);
    }
    Ok(())
}

/// A loader reads texts, numbers and booleans; it asks for everything else as text.
fn cell(array: &Arc<dyn Array>, field: &Field, row: usize) -> Result<Cell, ApiError> {
    if array.is_null(row) {
        return Ok(None);
    }
    let scale = field
        .metadata()
        .get("scale")
        .and_then(|scale| scale.parse().ok())
        .unwrap_or(0);
    let number = |number: i128| Ok(Some(decimal(number, scale)));
    match array.data_type() {
        DataType::Utf8 => Ok(Some(array.as_string::<i32>().value(row).to_owned())),
        DataType::LargeUtf8 => Ok(Some(array.as_string::<i64>().value(row).to_owned())),
        DataType::Boolean => Ok(Some(array.as_boolean().value(row).to_string())),
        DataType::Int8 => number(array.as_primitive::<Int8Type>().value(row).into()),
        DataType::Int16 => number(array.as_primitive::<Int16Type>().value(row).into()),
        DataType::Int32 => number(array.as_primitive::<Int32Type>().value(row).into()),
        DataType::Int64 => number(array.as_primitive::<Int64Type>().value(row).into()),
        DataType::Decimal128(..) => number(array.as_primitive::<Decimal128Type>().value(row)),
        other => Err(broken(format!("a result has a column of type {other}"))),
    }
}

/// A number of which the last `scale` digits are decimals.
fn decimal(number: i128, scale: usize) -> String {
    if scale == 0 {
        return number.to_string();
    }
    let digits = format!("{:0>width$}", number.unsigned_abs(), width = scale + 1);
    let (whole, part) = digits.split_at(digits.len() - scale);
    format!("{}{whole}.{part}", if number < 0 { "-" } else { "" })
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use arrow_array::{ArrayRef, Decimal128Array, Int16Array, StringArray};
    use arrow_ipc::writer::StreamWriter;
    use arrow_schema::Schema;

    use super::*;

    #[test]
    fn arrow_and_json_read_the_same() {
        let fixed = HashMap::from([("scale".to_owned(), "2".to_owned())]);
        let fields = [
            Field::new("A", DataType::Utf8, true),
            Field::new("B", DataType::Int16, true),
            Field::new("C", DataType::Int16, true).with_metadata(fixed),
            Field::new("D", DataType::Decimal128(38, 0), true),
        ];
        let columns: [ArrayRef; 4] = [
            Arc::new(StringArray::from(vec![Some("ä"), None])),
            Arc::new(Int16Array::from(vec![Some(-3), None])),
            Arc::new(Int16Array::from(vec![Some(-7), Some(1234)])),
            Arc::new(
                Decimal128Array::from(vec![Some(i128::from(i64::MIN)), Some(0)])
                    .with_precision_and_scale(38, 0)
                    .expect("fits"),
            ),
        ];
        let schema = Arc::new(Schema::new(fields.to_vec()));
        let batch = RecordBatch::try_new(schema.clone(), columns.to_vec()).expect("columns of one length");
        let mut bytes = Vec::new();
        let mut writer = StreamWriter::try_new(&mut bytes, &schema).expect("a stream");
        writer.write(&batch).expect("memory");
        writer.finish().expect("memory");
        drop(writer);
        let json = r#"[["ä", "-3", "-0.07", "-9223372036854775808"], [null, null, "12.34", "0"]]"#;
        let json = of_json(serde_json::from_str(json).expect("JSON"));
        assert_eq!(of_arrow(&bytes).expect("a stream"), json);
        assert_eq!(of_base64(&BASE64.encode(&bytes)).expect("a stream"), json);
        assert!(of_base64("").expect("empty").is_empty());
        assert!(of_base64("!").is_err() && of_arrow(b"nonsense").is_err());
    }
}
