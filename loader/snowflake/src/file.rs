//! Parquet files of a batch: written row group by row group, read back only to look for a bad row.

use std::fs::File;
use std::path::Path;
use std::sync::Arc;

use parquet::basic::{Compression, ConvertedType, LogicalType, Repetition, TimeUnit, Type as Physical, ZstdLevel};
use parquet::column::reader::{ColumnReader, ColumnReaderImpl};
use parquet::data_type::{BoolType, ByteArray, ByteArrayType, DataType, DoubleType, Int32Type, Int64Type};
use parquet::errors::ParquetError;
use parquet::file::properties::{EnabledStatistics, WriterProperties};
use parquet::file::reader::{FileReader, RowGroupReader, SerializedFileReader};
use parquet::file::writer::{SerializedColumnWriter, SerializedFileWriter};
use parquet::schema::types::{Type, TypePtr};
use zenfloe_destination::{ColumnType, LoadError};

use crate::columns::{Column, Columns, Values};
use crate::layout::Layout;

/// A file that is being written.
pub(crate) struct Writer {
    writer: SerializedFileWriter<File>,
    load: ByteArray,
}

fn failed(error: ParquetError) -> LoadError {
    LoadError::Unavailable {
        what: format!("a file of rows cannot be written ({error}); make room, or name another `spool_folder`"),
    }
}

impl Writer {
    /// Begins a file; `load` names the batch in each of its rows.
    pub(crate) fn create(path: &Path, layout: &Layout, load: &str) -> Result<Self, LoadError> {
        let file = File::create(path).map_err(|error| failed(error.into()))?;
        let properties = WriterProperties::builder()
            .set_compression(Compression::ZSTD(ZstdLevel::default()))
            // Nobody prunes a file that is read once and whole.
            .set_statistics_enabled(EnabledStatistics::None)
            .set_offset_index_disabled(true)
            .set_created_by("zenfloe".into())
            .build();
        let schema = schema(layout).map_err(failed)?;
        let writer = SerializedFileWriter::new(file, schema, Arc::new(properties)).map_err(failed)?;
        Ok(Self {
            writer,
            load: load.into(),
        })
    }

    /// Writes rows as one group.
    pub(crate) fn write(&mut self, columns: &Columns) -> Result<(), LoadError> {
        self.try_write(columns).map_err(failed)
    }

    fn try_write(&mut self, columns: &Columns) -> Result<(), ParquetError> {
        let load = vec![self.load.clone(); columns.rows];
        let mut group = self.writer.next_row_group()?;
        for column in &columns.columns {
            let mut writer = group.next_column()?.expect("the schema has this column");
            write_column(&mut writer, column)?;
            writer.close()?;
        }
        let mut writer = group.next_column()?.expect("the schema ends with the batch's name");
        writer.typed::<ByteArrayType>().write_batch(&load, None, None)?;
        writer.close()?;
        group.close()?;
        Ok(())
    }

    /// Ends the file.
    pub(crate) fn finish(self) -> Result<(), LoadError> {
        self.writer.close().map(drop).map_err(failed)
    }

    /// What is on disk so far, in bytes.
    pub(crate) fn bytes(&self) -> usize {
        self.writer.bytes_written()
    }
}

fn write_column(writer: &mut SerializedColumnWriter<'_>, column: &Column) -> Result<(), ParquetError> {
    fn write<T: DataType>(
        writer: &mut SerializedColumnWriter<'_>,
        column: &Column,
        values: &[T::T],
    ) -> Result<(), ParquetError> {
        let written = writer.typed::<T>().write_batch(values, Some(&column.levels), None)?;
        debug_assert_eq!(written, values.len());
        Ok(())
    }
    match &column.values {
        Values::Long(values) => write::<Int64Type>(writer, column, values),
        Values::Int(values) => write::<Int32Type>(writer, column, values),
        Values::Double(values) => write::<DoubleType>(writer, column, values),
        Values::Boolean(values) => write::<BoolType>(writer, column, values),
        Values::Text(values) => write::<ByteArrayType>(writer, column, values),
    }
}

/// The name of a file's column: by its number, so that no word is reserved where a COPY names it.
pub(crate) fn name(number: usize) -> String {
    format!("C{number}")
}

fn schema(layout: &Layout) -> Result<TypePtr, ParquetError> {
    let kinds = layout.columns.iter().map(|column| column.kind);
    let kinds = kinds.chain([ColumnType::Int]).enumerate();
    let mut fields = kinds
        .map(|(number, kind)| field(number, kind, Repetition::OPTIONAL))
        .collect::<Result<Vec<_>, _>>()?;
    fields.push(field(fields.len(), ColumnType::Text, Repetition::REQUIRED)?);
    let schema = Type::group_type_builder("rows").with_fields(fields).build()?;
    Ok(Arc::new(schema))
}

fn field(number: usize, kind: ColumnType, repetition: Repetition) -> Result<TypePtr, ParquetError> {
    let (physical, logical) = match kind {
        ColumnType::Long => (Physical::INT64, None),
        ColumnType::Int => (Physical::INT32, None),
        ColumnType::Double => (Physical::DOUBLE, None),
        ColumnType::Boolean => (Physical::BOOLEAN, None),
        ColumnType::Text | ColumnType::Json => (Physical::BYTE_ARRAY, Some(LogicalType::String)),
        ColumnType::Date => (Physical::INT32, Some(LogicalType::Date)),
        // Not adjusted to UTC: Snowflake makes a TIMESTAMP_NTZ of it, whatever the session's time zone is.
        ColumnType::Timestamp => (Physical::INT64, Some(LogicalType::timestamp(false, TimeUnit::MICROS))),
    };
    let field = Type::primitive_type_builder(&name(number), physical)
        .with_repetition(repetition)
        .with_converted_type(ConvertedType::NONE)
        .with_logical_type(logical)
        .build()?;
    Ok(Arc::new(field))
}

/// Reads the rows of a file back, group by group.
pub(crate) fn read(
    path: &Path,
    layout: &Layout,
    mut each: impl FnMut(Columns) -> Result<(), LoadError>,
) -> Result<(), LoadError> {
    let file = File::open(path).map_err(|error| failed(error.into()))?;
    let reader = SerializedFileReader::new(file).map_err(failed)?;
    for index in 0..reader.num_row_groups() {
        let group = reader.get_row_group(index).map_err(failed)?;
        each(read_group(&*group, layout).map_err(failed)?)?;
    }
    Ok(())
}

fn read_group(group: &dyn RowGroupReader, layout: &Layout) -> Result<Columns, ParquetError> {
    let rows = usize::try_from(group.metadata().num_rows()).unwrap_or_default();
    let mut columns = Columns::new(layout);
    for (index, column) in columns.columns.iter_mut().enumerate() {
        read_column(group.get_column_reader(index)?, column, rows)?;
    }
    columns.rows = rows;
    Ok(columns)
}

fn read_column(reader: ColumnReader, column: &mut Column, rows: usize) -> Result<(), ParquetError> {
    fn all<T: DataType>(
        mut reader: ColumnReaderImpl<T>,
        levels: &mut Vec<i16>,
        values: &mut Vec<T::T>,
        rows: usize,
    ) -> Result<(), ParquetError> {
        while levels.len() < rows {
            let (read, ..) = reader.read_records(rows - levels.len(), Some(levels), None, values)?;
            if read == 0 {
                return Err(ParquetError::General("a column is cut short".into()));
            }
        }
        Ok(())
    }
    let levels = &mut column.levels;
    match (reader, &mut column.values) {
        (ColumnReader::Int64ColumnReader(reader), Values::Long(values)) => all(reader, levels, values, rows),
        (ColumnReader::Int32ColumnReader(reader), Values::Int(values)) => all(reader, levels, values, rows),
        (ColumnReader::DoubleColumnReader(reader), Values::Double(values)) => all(reader, levels, values, rows),
        (ColumnReader::BoolColumnReader(reader), Values::Boolean(values)) => all(reader, levels, values, rows),
        (ColumnReader::ByteArrayColumnReader(reader), Values::Text(values)) => all(reader, levels, values, rows),
        _ => Err(ParquetError::General("a column is of another type".into())),
    }
}

#[cfg(test)]
mod tests {
    use zenfloe_destination::Class;
    use zenfloe_destination::contract::Sample;

    use super::*;

    #[cfg(target_os = "linux")]
    #[test]
    fn a_full_disk_is_told_with_what_to_do_about_it() {
        let layout = Layout::of(&[Sample::new("t").shape()]);
        let full = Writer::create(Path::new("/dev/full"), &layout, "b").and_then(Writer::finish);
        let error = full.expect_err("there is no room");
        assert_eq!(error.class(), Class::Retry);
        let told = error.to_string();
        assert!(
            told.contains("No space left on device") && told.contains("spool_folder"),
            "{told}"
        );
    }
}
