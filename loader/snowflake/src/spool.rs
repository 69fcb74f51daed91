//! Rows of a coming flush: encoded as they arrive, on disk from the first few megabytes on.

use std::collections::{BTreeMap, HashSet};
use std::hash::RandomState;
use std::path::PathBuf;
use std::sync::Arc;

use parquet::data_type::ByteArray;
use tempfile::TempDir;
use zenfloe_destination::{LoadError, RefusedRow, Row, TableShape};
use zenfloe_record::{Offset, Partition};

use crate::columns::Columns;
use crate::file::{self, Writer};
use crate::layout::Layout;

/// Rows of a group of the file, and their bytes in memory.
const GROUP_ROWS: usize = 10_000;
const GROUP_BYTES: usize = 8 << 20;
/// What a cell and a row take of memory beside their bytes.
const CELL_BYTES: usize = size_of::<ByteArray>() + size_of::<i16>();
const ROW_BYTES: usize = size_of::<(Partition, Offset)>() + 2 * size_of::<u64>();

/// How a batch travels, and where its file waits.
#[derive(Debug, Clone)]
pub(crate) struct Manner {
    pub(crate) inline_rows: usize,
    pub(crate) inline_bytes: usize,
    pub(crate) folder: Option<PathBuf>,
}

/// Takes the rows of a flush one by one and keeps no more than a group of them in memory.
///
/// Rows that their own schema refuses are told with the reason and not taken.
pub(crate) struct Encoder {
    /// Names the batch in the staging table, and its file.
    pub(crate) id: String,
    pub(crate) layout: Arc<Layout>,
    manner: Manner,
    group: Columns,
    group_bytes: usize,
    writer: Option<(Writer, Folder)>,
    pub(crate) places: Vec<(Partition, Offset)>,
    /// Up to which row number rows of a partition are given up.
    gone: BTreeMap<Partition, usize>,
    /// Hashes of the keys so far.
    keys: HashSet<u64>,
    hasher: RandomState,
    has_doubles: bool,
    has_rewritten: bool,
}

/// A temporary folder and the file in it.
pub(crate) struct Folder {
    folder: TempDir,
    name: String,
}

impl Folder {
    fn new(manner: &Manner, id: &str) -> Result<Self, LoadError> {
        let mut builder = tempfile::Builder::new();
        builder.prefix("zenfloe-load-");
        let folder = match &manner.folder {
            Some(folder) => builder.tempdir_in(folder),
            None => builder.tempdir(),
        };
        let folder = folder.map_err(|error| LoadError::Unavailable {
            what: format!("no folder for files of rows ({error}); make room, or name another `spool_folder`"),
        })?;
        Ok(Self {
            folder,
            name: format!("{id}.parquet"),
        })
    }

    pub(crate) fn file(&self) -> PathBuf {
        self.folder.path().join(&self.name)
    }
}

/// Rows ready to be staged.
pub(crate) enum Body {
    /// None.
    Empty,
    /// Few enough to travel within a statement.
    Inline(Columns),
    /// A file.
    File(Folder),
}

/// A batch that is complete.
pub(crate) struct Batch {
    pub(crate) id: String,
    pub(crate) layout: Arc<Layout>,
    pub(crate) body: Body,
    /// Where its rows stood in the topic.
    pub(crate) places: Vec<(Partition, Offset)>,
    pub(crate) nul_replaced: u64,
    /// Some key may stand in it more than once.
    pub(crate) has_doubles: bool,
    /// Some row was written anew by an erasure.
    pub(crate) has_rewritten: bool,
    manner: Manner,
}

impl Encoder {
    pub(crate) fn new(id: String, shapes: &[Arc<TableShape>], manner: Manner) -> Self {
        let layout = Arc::new(Layout::of(shapes));
        Self::of(id, layout, manner)
    }

    fn of(id: String, layout: Arc<Layout>, manner: Manner) -> Self {
        Self {
            group: Columns::new(&layout),
            id,
            layout,
            manner,
            group_bytes: 0,
            writer: None,
            places: Vec::new(),
            gone: BTreeMap::new(),
            keys: HashSet::new(),
            hasher: RandomState::new(),
            has_doubles: false,
            has_rewritten: false,
        }
    }

    /// Takes a row, or says why it is none. Contract: the row's schema is one of those that the encoder was made for.
    pub(crate) fn push(&mut self, row: &Row) -> Result<Option<RefusedRow>, LoadError> {
        let number = self.layout.find(&row.shape).ok_or_else(|| LoadError::Broken {
            what: "a row of another schema came to a batch".into(),
        })?;
        if let Err(why) = self.group.push(&self.layout, number, row) {
            return Ok(Some(RefusedRow {
                partition: row.partition,
                offset: row.offset,
                detail: why.to_string(),
            }));
        }
        self.places.push((row.partition, row.offset));
        let key = self.group.hash_of_last_key(&self.layout, &self.hasher);
        // Two keys of one hash cost no more than a sort that was not needed.
        self.has_doubles |= !self.keys.insert(key);
        self.has_rewritten |= row.is_rewritten;
        self.group_bytes += row.size() + self.layout.columns.len() * CELL_BYTES;
        let is_full = self.group.rows >= GROUP_ROWS || self.group_bytes >= GROUP_BYTES.max(self.manner.inline_bytes);
        if is_full {
            self.write_group()?;
        }
        Ok(None)
    }

    /// Claims that rows of this schema are taken.
    pub(crate) fn takes(&self, shape: &Arc<TableShape>) -> bool {
        self.layout.find(shape).is_some()
    }

    /// The rows so far, those that were given up left out.
    pub(crate) fn rows(&self) -> usize {
        match self.gone.is_empty() {
            true => self.places.len(),
            false => (0..self.places.len()).filter(|row| self.is_kept(*row)).count(),
        }
    }

    /// Gives up the rows of a partition that came so far.
    pub(crate) fn drop_partition(&mut self, partition: Partition) -> usize {
        let before = self.rows();
        if self.places.iter().any(|(held, _)| *held == partition) {
            self.gone.insert(partition, self.places.len());
        }
        before - self.rows()
    }

    fn is_kept(&self, row: usize) -> bool {
        self.gone.get(&self.places[row].0).is_none_or(|until| row >= *until)
    }

    /// What is in memory, in bytes.
    pub(crate) fn in_memory(&self) -> usize {
        self.group_bytes + self.places.len() * ROW_BYTES
    }

    /// What is on disk so far, in bytes.
    pub(crate) fn on_disk(&self) -> usize {
        self.writer.as_ref().map_or(0, |(writer, _)| writer.bytes())
    }

    /// Writes what is in memory to disk, but for what a row costs there anyway.
    pub(crate) fn settle(&mut self) -> Result<(), LoadError> {
        self.write_group()
    }

    fn write_group(&mut self) -> Result<(), LoadError> {
        if self.group.rows == 0 {
            return Ok(());
        }
        if self.writer.is_none() {
            let folder = Folder::new(&self.manner, &self.id)?;
            let writer = Writer::create(&folder.file(), &self.layout, &self.id)?;
            self.writer = Some((writer, folder));
        }
        let (writer, _) = self.writer.as_mut().expect("made above");
        writer.write(&self.group)?;
        self.group.clear();
        self.group_bytes = 0;
        Ok(())
    }

    /// Ends it. Whatever fits into a statement stays in memory, the rest is in the file.
    pub(crate) fn finish(mut self) -> Result<Batch, LoadError> {
        let kept: Option<Vec<bool>> =
            (!self.gone.is_empty()).then(|| (0..self.places.len()).map(|row| self.is_kept(row)).collect());
        let fits = self.group.rows <= self.manner.inline_rows && self.group_bytes <= self.manner.inline_bytes;
        if self.writer.is_some() || !fits {
            self.write_group()?;
        }
        let nul_replaced = self.group.nul_replaced;
        let body = match self.writer {
            Some((writer, folder)) => {
                writer.finish()?;
                Body::File(folder)
            }
            None if self.group.rows == 0 => Body::Empty,
            None => Body::Inline(self.group),
        };
        let batch = Batch {
            id: self.id,
            layout: self.layout,
            body,
            places: self.places,
            nul_replaced,
            has_doubles: self.has_doubles,
            has_rewritten: self.has_rewritten,
            manner: self.manner,
        };
        match kept {
            Some(kept) => batch.part(|row| kept[row]),
            None => Ok(batch),
        }
    }
}

impl Batch {
    /// The same batch with the rows alone for which `keep` holds, by their number.
    pub(crate) fn part(&self, keep: impl Fn(usize) -> bool) -> Result<Self, LoadError> {
        let mut part = Encoder::of(self.id.clone(), self.layout.clone(), self.manner.clone());
        part.has_doubles = self.has_doubles;
        part.has_rewritten = self.has_rewritten;
        let mut number = 0;
        let mut take = |group: &Columns| {
            let first = number;
            number += group.rows;
            group.append_to(&mut part.group, |row| keep(first + row));
            // Bytes are not known any more: what is longer than a tenth of the rows that may go inline, goes by file.
            if part.group.rows >= part.manner.inline_rows.div_ceil(10) {
                part.write_group()?;
            }
            Ok(())
        };
        match &self.body {
            Body::Empty => {}
            Body::Inline(columns) => take(columns)?,
            Body::File(folder) => file::read(&folder.file(), &self.layout, |group| take(&group))?,
        }
        let places = self.places.iter().enumerate().filter(|(number, _)| keep(*number));
        part.places = places.map(|(_, place)| *place).collect();
        part.finish()
    }
}

#[cfg(test)]
mod tests {
    use zenfloe_destination::contract::{Line, Sample};

    use super::*;
    use crate::inline::json;

    fn batch(sample: &Sample, inline_rows: usize) -> Batch {
        let manner = Manner {
            inline_rows,
            inline_bytes: 4 << 20,
            folder: None,
        };
        let mut spool = Encoder::new("b".into(), &[sample.shape()], manner);
        for number in 0..25_000 {
            let line = match number % 3 {
                0 => Line::new(number, number).of(7),
                1 => Line::deleted(number, 1),
                _ => Line {
                    at: Some(number * 1_000_000),
                    data: Some(format!("[{number}]")),
                    ..Line::new(number, 1).note("ä\"\\\n\0")
                },
            };
            let refused = spool.push(&sample.row_at(0, number, &line)).expect("on disk");
            assert!(refused.is_none());
        }
        spool.finish().expect("on disk")
    }

    fn text(batch: &Batch) -> String {
        match &batch.body {
            Body::Inline(columns) => json(&batch.layout, columns, 0..columns.rows),
            Body::Empty | Body::File(_) => panic!("{} rows stay in memory", batch.places.len()),
        }
    }

    #[test]
    fn parts_of_a_file_are_the_rows_that_went_in() {
        let sample = Sample::new("t");
        let filed = batch(&sample, 5_000);
        assert!(matches!(filed.body, Body::File(_)));
        assert_eq!((filed.places.len(), filed.nul_replaced), (25_000, 8_333));
        // Within a group, across two, at the ends.
        for range in [0..1, 5..9, 9_998..10_003, 24_999..25_000] {
            let part = filed.part(|row| range.contains(&row)).expect("read back");
            let places: Vec<_> = range.clone().map(|offset| (0, offset as i64)).collect();
            assert_eq!(part.places, places);
            let text = text(&part);
            let rows: Vec<Vec<serde_json::Value>> = serde_json::from_str(&text).expect("JSON");
            let ids: Vec<_> = rows.iter().map(|row| row[0].as_i64().expect("a key")).collect();
            assert_eq!(ids, range.clone().map(|id| id as i64).collect::<Vec<_>>());
            for row in rows {
                let is_gone = row[0].as_i64().expect("a key") % 3 == 1;
                assert_eq!(row.last().expect("a kind").as_i64(), Some(if is_gone { -1 } else { 0 }));
                assert_eq!(
                    row[3].is_null(),
                    is_gone,
                    "what a row that is gone brings beside key and version"
                );
            }
        }
        let most = filed.part(|row| row != 12_345).expect("read back");
        assert!(matches!(most.body, Body::File(_)));
        assert_eq!(most.places.len(), 24_999);
    }

    #[test]
    fn a_partition_that_is_dropped_leaves_no_row_and_may_begin_anew() {
        for inline_rows in [5_000, 0] {
            let sample = Sample::new("t");
            let manner = Manner {
                inline_rows,
                inline_bytes: 4 << 20,
                folder: None,
            };
            let mut spool = Encoder::new("b".into(), &[sample.shape()], manner);
            let push = |spool: &mut Encoder, partition: Partition, offset| {
                let row = sample.row_at(partition, offset, &Line::new(offset, 1));
                assert!(spool.push(&row).expect("on disk").is_none());
            };
            for offset in 0..10 {
                push(&mut spool, (offset % 2) as Partition, offset);
            }
            assert_eq!(
                (spool.drop_partition(1), spool.drop_partition(1), spool.rows()),
                (5, 0, 5)
            );
            push(&mut spool, 1, 3);
            assert_eq!(spool.rows(), 6);
            let places = spool.finish().expect("on disk").places;
            assert_eq!(places, [(0, 0), (0, 2), (0, 4), (0, 6), (0, 8), (1, 3)]);
        }
    }

    #[test]
    fn texts_of_a_statement_are_what_the_rows_hold() {
        let sample = Sample::new("t");
        let whole = batch(&sample, 5_000);
        let text = text(&whole.part(|row| row == 2).expect("read back"));
        let expected = r#"[[2,null,"ä\"\\\n�",0.5,true,"1970-01-01 00:00:02.000000","2024-10-04","[2]","2023-11-14 22:13:20.123456","1970-01-01 00:00:00.000001","1970-01-01 00:00:00.000001",0,1,1,false,0]]"#;
        assert_eq!(text, expected);
    }
}
