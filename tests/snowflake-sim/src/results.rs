//! Results in the form that a test wants: fakesnow answers queries in Arrow and everything else in JSON.

use std::sync::Arc;

use anyhow::{Context, Result, bail};
use arrow_array::cast::AsArray;
use arrow_array::types::{Date32Type, Decimal128Type, Float64Type, Int8Type, Int16Type, Int32Type, Int64Type};
use arrow_array::{Array, ArrayRef, RecordBatch};
use arrow_ipc::reader::StreamReader;
use arrow_schema::DataType;
use data_encoding::BASE64;
use serde_json::{Value as Json, json};

/// In which form queries are answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Format {
    /// As fakesnow does: Arrow within the answer.
    #[default]
    Arrow,
    /// Arrow in a part that is fetched by itself.
    ArrowChunks,
    /// JSON, as drivers without Arrow are answered.
    Json,
}

/// Turns an answer's Arrow result into JSON, where it has one.
pub(crate) fn to_json(answer: &mut Json) -> Result<()> {
    let data = &mut answer["data"];
    let Some(text) = data["rowsetBase64"].as_str() else {
        return Ok(());
    };
    let mut rows = Vec::new();
    if !text.is_empty() {
        let bytes = BASE64.decode(text.as_bytes()).context("base64")?;
        for batch in StreamReader::try_new(bytes.as_slice(), None)? {
            append(&batch?, &mut rows)?;
        }
    }
    data["rowset"] = json!(rows);
    data["queryResultFormat"] = json!("json");
    data.as_object_mut().map(|data| data.remove("rowsetBase64"));
    Ok(())
}

/// Takes an answer's Arrow result out, to be fetched at `url`.
pub(crate) fn to_chunk(answer: &mut Json, url: &str) -> Option<Vec<u8>> {
    let data = &mut answer["data"];
    let bytes = BASE64.decode(data["rowsetBase64"].as_str()?.as_bytes()).ok()?;
    if bytes.is_empty() {
        return None;
    }
    data["rowsetBase64"] = json!("");
    data["chunks"] = json!([{
        "url": url, "rowCount": data["total"], "uncompressedSize": bytes.len(), "compressedSize": bytes.len(),
    }]);
    data["chunkHeaders"] = json!({"x-of-the-front": "yes"});
    Some(bytes)
}

fn append(batch: &RecordBatch, rows: &mut Vec<Vec<Json>>) -> Result<()> {
    for row in 0..batch.num_rows() {
        rows.push(
            batch
                .columns()
                .iter()
                .map(|column| cell(column, row))
                .collect::<Result<_>>()?,
        );
    }
    Ok(())
}

fn cell(column: &ArrayRef, row: usize) -> Result<Json> {
    let column: &Arc<dyn Array> = column;
    if column.is_null(row) {
        return Ok(Json::Null);
    }
    Ok(json!(match column.data_type() {
        DataType::Utf8 => column.as_string::<i32>().value(row).to_owned(),
        DataType::LargeUtf8 => column.as_string::<i64>().value(row).to_owned(),
        DataType::Boolean => column.as_boolean().value(row).to_string(),
        DataType::Int8 => column.as_primitive::<Int8Type>().value(row).to_string(),
        DataType::Int16 => column.as_primitive::<Int16Type>().value(row).to_string(),
        DataType::Int32 => column.as_primitive::<Int32Type>().value(row).to_string(),
        DataType::Int64 => column.as_primitive::<Int64Type>().value(row).to_string(),
        DataType::Decimal128(_, 0) => column.as_primitive::<Decimal128Type>().value(row).to_string(),
        DataType::Date32 => column.as_primitive::<Date32Type>().value(row).to_string(),
        DataType::Float64 => column.as_primitive::<Float64Type>().value(row).to_string(),
        // A timestamp: seconds, and nanoseconds behind the point.
        DataType::Struct(_) => {
            let parts = column.as_struct();
            let epoch = parts.column(0).as_primitive::<Int64Type>().value(row);
            let fraction = parts.column(1).as_primitive::<Int32Type>().value(row);
            format!("{epoch}.{fraction:09}")
        }
        other => bail!("a JSON result of type {other} is not simulated"),
    }))
}
