//! Rows from their Avro bytes, straight into whoever takes the values: no tree, no copy.

use crate::{ColumnShape, ColumnType, TableShape};

/// A value of a column, borrowed from the row's bytes.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Value<'b> {
    /// No value.
    Null,
    /// A 64-bit integer.
    Long(i64),
    /// A 32-bit integer.
    Int(i32),
    /// A float.
    Double(f64),
    /// A boolean.
    Boolean(bool),
    /// A text.
    Text(&'b str),
    /// Microseconds since 1970.
    Timestamp(i64),
    /// Days since 1970-01-01.
    Date(i32),
    /// A JSON text.
    Json(&'b str),
}

/// A row that its schema does not describe. Names a column, never a value.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("column `{column}` {what}")]
pub struct DecodeError {
    /// The column at which decoding ended.
    pub column: String,
    /// What was found.
    pub what: &'static str,
}

impl TableShape {
    /// Hands the values of a row to `put` with the indexes of their columns, in the order of the columns.
    ///
    /// Stops at the first error, of the row or of `put`; bytes after the last field are an error.
    pub fn read<'b, E: From<DecodeError>>(
        &self,
        body: &'b [u8],
        mut put: impl FnMut(usize, Value<'b>) -> Result<(), E>,
    ) -> Result<(), E> {
        let mut rest = body;
        for (index, column) in self.columns.iter().enumerate() {
            let value = field(column, &mut rest).map_err(|what| error(column, what))?;
            put(index, value)?;
        }
        if rest.is_empty() {
            Ok(())
        } else {
            let last = self.columns.last().expect("a shape has columns");
            Err(error(last, "is followed by more bytes").into())
        }
    }
}

fn error(column: &ColumnShape, what: &'static str) -> DecodeError {
    DecodeError {
        column: column.name.clone(),
        what,
    }
}

const SHORT: &str = "is cut short";

#[inline]
fn field<'b>(column: &ColumnShape, rest: &mut &'b [u8]) -> Result<Value<'b>, &'static str> {
    if let Some(null) = column.null_branch {
        match long(rest)? {
            branch if branch == i64::from(null) => return Ok(Value::Null),
            0 | 1 => {}
            _ => return Err("has a branch that its union lacks"),
        }
    }
    Ok(match column.kind {
        ColumnType::Long => Value::Long(long(rest)?),
        ColumnType::Timestamp => Value::Timestamp(long(rest)?),
        ColumnType::Int => Value::Int(int(rest)?),
        ColumnType::Date => Value::Date(int(rest)?),
        ColumnType::Double => Value::Double(f64::from_le_bytes(*take(rest)?)),
        ColumnType::Boolean => match take::<1>(rest)? {
            [0] => Value::Boolean(false),
            [1] => Value::Boolean(true),
            _ => return Err("is neither true nor false"),
        },
        ColumnType::Text => Value::Text(text(rest)?),
        ColumnType::Json => Value::Json(text(rest)?),
    })
}

fn take<'b, const N: usize>(rest: &mut &'b [u8]) -> Result<&'b [u8; N], &'static str> {
    let (taken, after) = rest.split_first_chunk().ok_or(SHORT)?;
    *rest = after;
    Ok(taken)
}

/// Avro's zigzag number of up to ten bytes.
#[inline]
fn long(rest: &mut &[u8]) -> Result<i64, &'static str> {
    let (mut number, mut shift) = (0_u64, 0);
    for (index, byte) in rest.iter().enumerate() {
        if shift == 63 && *byte > 1 {
            return Err("is a number of more than 64 bits");
        }
        number |= u64::from(byte & 0x7f) << shift;
        if byte & 0x80 == 0 {
            *rest = &rest[index + 1..];
            return Ok((number >> 1) as i64 ^ -((number & 1) as i64));
        }
        shift += 7;
    }
    Err(SHORT)
}

fn int(rest: &mut &[u8]) -> Result<i32, &'static str> {
    i32::try_from(long(rest)?).map_err(|_| "is a number of more than 32 bits")
}

#[inline]
fn text<'b>(rest: &mut &'b [u8]) -> Result<&'b str, &'static str> {
    let length = usize::try_from(long(rest)?).map_err(|_| "has a negative length")?;
    let (taken, after) = rest.split_at_checked(length).ok_or(SHORT)?;
    *rest = after;
    std::str::from_utf8(taken).map_err(|_| "is not UTF-8")
}

#[cfg(test)]
mod tests {
    use apache_avro::types::Value as Avro;
    use apache_avro::writer::datum::GenericDatumWriter;
    use proptest::prelude::*;

    use super::*;
    use crate::contract::Sample;

    fn shape() -> TableShape {
        TableShape::parse(1, &Sample::new("things").schema()).expect("the sample is legal")
    }

    /// What apache-avro calls a value of ours.
    fn as_avro(value: Value<'_>, nullable: bool) -> Avro {
        let plain = match value {
            Value::Null => return Avro::Union(0, Box::new(Avro::Null)),
            Value::Long(long) => Avro::Long(long),
            Value::Int(int) => Avro::Int(int),
            Value::Double(double) => Avro::Double(double),
            Value::Boolean(boolean) => Avro::Boolean(boolean),
            Value::Text(text) | Value::Json(text) => Avro::String(text.to_owned()),
            Value::Timestamp(micros) => Avro::TimestampMicros(micros),
            Value::Date(days) => Avro::Date(days),
        };
        if nullable {
            Avro::Union(1, Box::new(plain))
        } else {
            plain
        }
    }

    fn value(column: &ColumnShape) -> BoxedStrategy<Avro> {
        let plain = match column.kind {
            ColumnType::Long => any::<i64>().prop_map(Avro::Long).boxed(),
            ColumnType::Int => any::<i32>().prop_map(Avro::Int).boxed(),
            ColumnType::Double => (-1e300..1e300).prop_map(Avro::Double).boxed(),
            ColumnType::Boolean => any::<bool>().prop_map(Avro::Boolean).boxed(),
            ColumnType::Text | ColumnType::Json => ".{0,200}".prop_map(Avro::String).boxed(),
            ColumnType::Timestamp => any::<i64>().prop_map(Avro::TimestampMicros).boxed(),
            ColumnType::Date => any::<i32>().prop_map(Avro::Date).boxed(),
        };
        if column.null_branch.is_none() {
            return plain;
        }
        prop_oneof![
            Just(Avro::Union(0, Box::new(Avro::Null))),
            plain.prop_map(|plain| Avro::Union(1, Box::new(plain)))
        ]
        .boxed()
    }

    fn record() -> impl Strategy<Value = Vec<(String, Avro)>> {
        let names: Vec<_> = shape().columns.iter().map(|column| column.name.clone()).collect();
        let values: Vec<_> = shape().columns.iter().map(value).collect();
        values.prop_map(move |values| names.clone().into_iter().zip(values).collect())
    }

    proptest! {
        #[test]
        fn rows_of_apache_avro_are_read(record in record()) {
            let schema = apache_avro::Schema::parse_str(&Sample::new("things").schema()).expect("the sample is a schema");
            let writer = GenericDatumWriter::builder(&schema).build().expect("a writer of this schema");
            let bytes = writer.write_value_to_vec(Avro::Record(record.clone())).expect("it fits the schema");
            let shape = shape();
            let mut seen = Vec::new();
            shape.read::<DecodeError>(&bytes, |index, value| {
                let column = &shape.columns[index];
                seen.push((column.name.clone(), as_avro(value, column.null_branch.is_some())));
                Ok(())
            }).expect("the row is whole");
            prop_assert_eq!(seen, record);
        }

        #[test]
        fn no_bytes_make_it_panic(bytes in proptest::collection::vec(any::<u8>(), 0..80)) {
            let mut values = 0;
            let end = shape().read::<DecodeError>(&bytes, |_, _| { values += 1; Ok(()) });
            prop_assert!(end.is_err() || values == shape().columns.len());
        }
    }

    #[test]
    fn rows_that_are_cut_or_too_long_are_refused_at_their_column() {
        let row = Sample::new("things").row(5, 1);
        let error = |body: &[u8]| {
            shape()
                .read::<DecodeError>(body, |_, _| Ok(()))
                .expect_err("the row is broken")
        };
        for cut in 0..row.body.len() {
            assert_eq!(error(&row.body[..cut]).what, SHORT, "cut at {cut}");
        }
        let mut long = row.body.to_vec();
        long.push(0);
        assert_eq!(error(&long).to_string(), "column `_deleted` is followed by more bytes");
    }

    #[test]
    fn the_ends_of_the_number_range_are_read() {
        for number in [0, -1, 1, 63, 64, -64, -65, i64::MAX, i64::MIN] {
            let zigzag = ((number << 1) ^ (number >> 63)) as u64;
            let (mut bytes, mut left) = (Vec::new(), zigzag);
            while left >= 0x80 {
                bytes.push(left as u8 | 0x80);
                left >>= 7;
            }
            bytes.push(left as u8);
            assert_eq!(long(&mut bytes.as_slice()), Ok(number));
        }
        assert!(long(&mut [0xff_u8; 10].as_slice()).is_err());
    }
}
