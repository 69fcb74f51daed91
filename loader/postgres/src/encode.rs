//! Rows as `COPY … (FORMAT binary)` takes them: <https://www.postgresql.org/docs/current/sql-copy.html#id-1.9.3.55.9.4>.

use bytes::{BufMut, BytesMut};
use zenfloe_destination::{DecodeError, Role, Row, RowKind, Segment, Value, json_without_nul, text_without_nul};

use crate::sql::{date, timestamp};

/// Signature, flags, length of the header's extension.
pub(crate) const HEADER: &[u8] = b"PGCOPY\n\xff\r\n\0\0\0\0\0\0\0\0\0";
/// What follows the last row.
pub(crate) const TRAILER: &[u8] = &[0xff, 0xff];

/// Claims that rows of a kind bring a column: a row that is gone brings its key and version alone.
pub(crate) fn is_written(kind: RowKind, role: Role) -> bool {
    kind == RowKind::Live || role != Role::Data
}

/// Why a row cannot be encoded: columns and conditions, never a value.
pub(crate) struct Unwritable(pub(crate) String);

impl From<DecodeError> for Unwritable {
    fn from(error: DecodeError) -> Self {
        Self(error.to_string())
    }
}

/// Encodes the rows of one segment.
pub(crate) struct Encoder<'s> {
    segment: &'s Segment,
    columns: i16,
    /// NULs replaced so far.
    pub(crate) nul_replaced: u64,
}

impl<'s> Encoder<'s> {
    pub(crate) fn new(segment: &'s Segment) -> Self {
        let written = segment
            .shape
            .columns
            .iter()
            .filter(|column| is_written(segment.kind, column.role));
        Self {
            segment,
            columns: i16::try_from(written.count()).expect("a table has at most 1,600 columns"),
            nul_replaced: 0,
        }
    }

    /// Appends a row; on an error nothing of it.
    pub(crate) fn row(&mut self, row: &Row, out: &mut BytesMut) -> Result<(), Unwritable> {
        let (start, replaced) = (out.len(), self.nul_replaced);
        out.put_i16(self.columns);
        let (segment, nul) = (self.segment, &mut self.nul_replaced);
        let result = segment.shape.read(&row.body, |index, value| {
            let column = &segment.shape.columns[index];
            if !is_written(segment.kind, column.role) {
                return Ok(());
            }
            field(value, out, nul).map_err(|what| Unwritable(format!("column `{}` {what}", column.name)))
        });
        if result.is_err() {
            out.truncate(start);
            self.nul_replaced = replaced;
        }
        result
    }
}

/// What PostgreSQL takes in one field.
const LONGEST_FIELD: usize = 0x3fff_ffff;

fn field(value: Value<'_>, out: &mut BytesMut, nul: &mut u64) -> Result<(), &'static str> {
    const ABSURD: &str = "holds a time outside the years 1 to 9999";
    match value {
        Value::Null => out.put_i32(-1),
        Value::Long(long) => eight(out, long),
        Value::Int(int) => four(out, int),
        Value::Double(double) => eight(out, double.to_bits() as i64),
        Value::Boolean(boolean) => {
            out.put_i32(1);
            out.put_u8(u8::from(boolean));
        }
        Value::Timestamp(micros) => eight(out, timestamp(micros).ok_or(ABSURD)?),
        Value::Date(days) => four(out, date(days).ok_or(ABSURD)?),
        Value::Text(text) => {
            let (text, replaced) = text_without_nul(text);
            *nul += replaced;
            bytes(out, &[], text.as_bytes())?;
        }
        Value::Json(json) => {
            let (json, replaced) = json_without_nul(json);
            *nul += replaced;
            // The version of jsonb's binary form.
            bytes(out, &[1], json.as_bytes())?;
        }
    }
    Ok(())
}

fn eight(out: &mut BytesMut, number: i64) {
    out.put_i32(8);
    out.put_i64(number);
}

fn four(out: &mut BytesMut, number: i32) {
    out.put_i32(4);
    out.put_i32(number);
}

fn bytes(out: &mut BytesMut, prefix: &[u8], bytes: &[u8]) -> Result<(), &'static str> {
    let length = prefix.len() + bytes.len();
    if length > LONGEST_FIELD {
        return Err("is longer than 1 GB");
    }
    out.put_i32(length as i32);
    out.put_slice(prefix);
    out.put_slice(bytes);
    Ok(())
}
