//! The records of a file as texts: one a line, or the elements of one JSON array; plain or gzip.

use std::fs::File;
use std::io::{self, BufRead, BufReader, Read};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use flate2::read::MultiGzDecoder;
use serde::de::IgnoredAny;
use sha2::{Digest, Sha256};
use zenfloe_record::Reason;
use zenfloe_zendesk::RawRecord;

use crate::StageError;

/// What a file holds.
pub(crate) enum Item {
    /// A record.
    Record {
        /// Where it begins, from 1.
        line: u64,
        /// The record.
        record: RawRecord,
    },
    /// A text that is none.
    Bad(BadLine),
}

/// A text that is no record.
pub(crate) struct BadLine {
    /// Where it begins, from 1.
    pub(crate) line: u64,
    /// Its kind of fault.
    pub(crate) reason: Reason,
    /// What is wrong, without what stands there.
    pub(crate) what: String,
    /// What stands there.
    pub(crate) text: Vec<u8>,
}

impl Item {
    pub(crate) fn bad(line: u64, reason: Reason, what: String, text: Vec<u8>) -> Self {
        Self::Bad(BadLine {
            line,
            reason,
            what,
            text,
        })
    }

    /// Bytes of the text.
    pub(crate) fn size(&self) -> usize {
        match self {
            Self::Record { record, .. } => record.json.len(),
            Self::Bad(bad) => bad.text.len(),
        }
    }
}

/// A record is no larger than this, or the file is none of records.
const LARGEST: usize = 64 << 20;
/// How gzip begins.
const GZIP: [u8; 2] = [0x1f, 0x8b];
/// What some editors put before a text.
const BOM: &[u8] = b"\xef\xbb\xbf";

/// A file that is being read.
pub(crate) struct RecordFile {
    path: PathBuf,
    text: Box<dyn BufRead + Send>,
    form: Form,
    /// The line at hand, from 1.
    line: u64,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Form {
    Lines,
    /// Elements read so far.
    Array(u64),
    /// The array has been closed.
    Over,
}

/// Counts what is read of the file itself, so that progress is told of compressed files too.
struct Counted {
    file: File,
    read: Arc<AtomicU64>,
}

impl Read for Counted {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        let read = self.file.read(into)?;
        self.read.fetch_add(read as u64, Ordering::Relaxed);
        Ok(read)
    }
}

pub(crate) fn stopped(path: &Path, line: u64, what: impl Into<String>) -> StageError {
    StageError::File {
        path: path.to_owned(),
        line,
        what: what.into(),
    }
}

pub(crate) fn unreadable(path: &Path, error: &io::Error) -> StageError {
    stopped(path, 0, format!("cannot be read: {error}"))
}

/// Names the contents of a file.
pub(crate) async fn fingerprint(path: &Path) -> Result<String, StageError> {
    let path = path.to_owned();
    let hashed = tokio::task::spawn_blocking(move || {
        let mut hash = Sha256::new();
        let mut file = File::open(&path).map_err(|error| unreadable(&path, &error))?;
        let mut part = vec![0; 1 << 18];
        loop {
            match file.read(&mut part).map_err(|error| unreadable(&path, &error))? {
                0 => return Ok(data_encoding::HEXLOWER.encode(&hash.finalize())),
                read => hash.update(&part[..read]),
            }
        }
    });
    hashed
        .await
        .unwrap_or_else(|broken| std::panic::resume_unwind(broken.into_panic()))
}

/// What is wrong with a text that should be a JSON object.
pub(crate) fn fault(text: &[u8]) -> Option<(Reason, String)> {
    if text.first() != Some(&b'{') {
        return Some((Reason::NotJson, "it is no JSON object".into()));
    }
    if std::str::from_utf8(text).is_err() {
        return Some((Reason::NotJson, "it is not UTF-8".into()));
    }
    let error = serde_json::from_slice::<IgnoredAny>(text).err()?;
    Some((
        Reason::NotJson,
        format!("it is no JSON: broken at byte {}", error.column()),
    ))
}

impl RecordFile {
    /// Opens a file and finds out what it is.
    pub(crate) fn open(path: &Path, read: Arc<AtomicU64>) -> Result<Self, StageError> {
        let failed = |error: io::Error| unreadable(path, &error);
        let mut head = Vec::new();
        File::open(path)
            .and_then(|file| file.take(2).read_to_end(&mut head))
            .map_err(failed)?;
        let file = Counted {
            file: File::open(path).map_err(failed)?,
            read,
        };
        let text: Box<dyn BufRead + Send> = match head == GZIP {
            true => Box::new(BufReader::with_capacity(
                1 << 18,
                MultiGzDecoder::new(BufReader::new(file)),
            )),
            false => Box::new(BufReader::with_capacity(1 << 18, file)),
        };
        let mut opened = Self {
            path: path.to_owned(),
            text,
            form: Form::Lines,
            line: 1,
        };
        if opened.fill()?.starts_with(BOM) {
            opened.text.consume(BOM.len());
        }
        if opened.peek()? == Some(b'[') {
            opened.text.consume(1);
            opened.form = Form::Array(0);
        }
        Ok(opened)
    }

    /// The next text that should be a record, with the line where it begins.
    pub(crate) fn next(&mut self) -> Result<Option<(u64, Vec<u8>)>, StageError> {
        match self.form {
            Form::Lines => self.next_line(),
            Form::Array(number) => self.next_element(number),
            Form::Over => match self.peek()? {
                None => Ok(None),
                Some(_) => Err(self.broken("something follows the array")),
            },
        }
    }

    fn next_line(&mut self) -> Result<Option<(u64, Vec<u8>)>, StageError> {
        if self.peek()?.is_none() {
            return Ok(None);
        }
        let line = self.line;
        let mut text = Vec::new();
        let mut limited = (&mut self.text).take(LARGEST as u64 + 1);
        if let Err(error) = limited.read_until(b'\n', &mut text) {
            return Err(self.failed(&error));
        }
        if text.len() > LARGEST {
            return Err(self.broken("a line of more than 64 MiB is no record"));
        }
        if text.ends_with(b"\n") {
            self.line += 1;
        }
        text.truncate(text.trim_ascii_end().len());
        Ok(Some((line, text)))
    }

    fn next_element(&mut self, number: u64) -> Result<Option<(u64, Vec<u8>)>, StageError> {
        let mut next = self.peek()?;
        if number > 0 && next == Some(b',') {
            self.text.consume(1);
            next = self.peek()?;
        } else if next == Some(b']') {
            self.text.consume(1);
            self.form = Form::Over;
            return self.next();
        } else if number > 0 {
            return Err(self.broken("neither `,` nor `]` follows an element of the array"));
        }
        match next {
            None => Err(self.broken("the file ends within the array")),
            Some(b'{') => {
                self.form = Form::Array(number + 1);
                let line = self.line;
                Ok(Some((line, self.object()?)))
            }
            Some(_) => Err(self.broken("an element of the array is no object")),
        }
    }

    /// Takes the object at hand: up to the brace that closes it.
    fn object(&mut self) -> Result<Vec<u8>, StageError> {
        let mut text = Vec::new();
        let (mut depth, mut in_string, mut is_escaped) = (0_usize, false, false);
        loop {
            let part = self.fill()?;
            if part.is_empty() {
                return Err(self.broken("the file ends within a record"));
            }
            let mut lines = 0;
            let end = part.iter().position(|byte| {
                lines += u64::from(*byte == b'\n');
                match byte {
                    _ if is_escaped => is_escaped = false,
                    b'\\' if in_string => is_escaped = true,
                    b'"' => in_string = !in_string,
                    _ if in_string => {}
                    b'{' | b'[' => depth += 1,
                    b'}' | b']' => depth = depth.saturating_sub(1),
                    _ => {}
                }
                depth == 0
            });
            let taken = end.map_or(part.len(), |end| end + 1);
            text.extend_from_slice(&part[..taken]);
            self.text.consume(taken);
            self.line += lines;
            if end.is_some() {
                return Ok(text);
            }
            if text.len() > LARGEST {
                return Err(self.broken("a record of more than 64 MiB is none"));
            }
        }
    }

    /// The first byte that is no white space; stays where it is.
    fn peek(&mut self) -> Result<Option<u8>, StageError> {
        loop {
            let part = self.fill()?;
            if part.is_empty() {
                return Ok(None);
            }
            let space = part.iter().take_while(|byte| byte.is_ascii_whitespace()).count();
            let lines = part[..space].iter().filter(|byte| **byte == b'\n').count();
            let found = part.get(space).copied();
            self.text.consume(space);
            self.line += lines as u64;
            if found.is_some() {
                return Ok(found);
            }
        }
    }

    fn fill(&mut self) -> Result<&[u8], StageError> {
        // Asked twice, because an error needs the place and the part borrows the reader.
        if let Err(error) = self.text.fill_buf() {
            return Err(self.failed(&error));
        }
        self.text.fill_buf().map_err(|error| unreadable(&self.path, &error))
    }

    fn failed(&self, error: &io::Error) -> StageError {
        self.broken(&format!("cannot be read any further: {error}"))
    }

    fn broken(&self, what: &str) -> StageError {
        stopped(&self.path, self.line, what)
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use flate2::Compression;
    use flate2::write::GzEncoder;

    use super::*;

    fn read(bytes: &[u8]) -> Result<Vec<(u64, String)>, String> {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let path = folder.path().join("export");
        std::fs::write(&path, bytes).expect("written");
        let told = |error: StageError| error.to_string().replace(&*path.to_string_lossy(), "export");
        let mut file = RecordFile::open(&path, Arc::default()).map_err(told)?;
        let mut all = Vec::new();
        while let Some((line, text)) = file.next().map_err(told)? {
            all.push((line, String::from_utf8_lossy(&text).into_owned()));
        }
        Ok(all)
    }

    fn texts(expected: &[(u64, &str)]) -> Vec<(u64, String)> {
        expected
            .iter()
            .map(|(line, text)| (*line, (*text).to_owned()))
            .collect()
    }

    #[test]
    fn lines_and_arrays_give_the_same_records() {
        let lines = b"{\"id\":1}\r\n\n{\"id\":2}";
        assert_eq!(read(lines), Ok(texts(&[(1, "{\"id\":1}"), (3, "{\"id\":2}")])));
        let with_mark = [BOM, lines].concat();
        assert_eq!(read(&with_mark), read(lines));
        let array = b" [\n {\"id\":1},\n {\"t\":\"}\\\"]{\",\"a\":[{}]} ]\n";
        assert_eq!(
            read(array),
            Ok(texts(&[(2, "{\"id\":1}"), (3, "{\"t\":\"}\\\"]{\",\"a\":[{}]}")]))
        );
        for empty in [&b""[..], b"\n\n", b"[]", b" [ ] "] {
            assert_eq!(read(empty), Ok(vec![]));
        }
    }

    #[test]
    fn gzip_is_recognised_and_a_cut_one_is_told() {
        let mut gzip = GzEncoder::new(Vec::new(), Compression::fast());
        let text: String = (0..50_000)
            .map(|id| format!("{{\"id\":{id},\"n\":\"{}\"}}\n", id * 7))
            .collect();
        gzip.write_all(text.as_bytes()).expect("into memory");
        let packed = gzip.finish().expect("into memory");
        assert_eq!(read(&packed).expect("gzip").len(), 50_000);
        let two_members = [packed.clone(), packed.clone()].concat();
        assert_eq!(read(&two_members).expect("gzip of two members").len(), 100_000);
        let cut = read(&packed[..packed.len() / 2]).expect_err("cut");
        assert!(cut.starts_with("export, line ") && cut.contains("any further"), "{cut}");
    }

    #[test]
    fn a_broken_array_stops_at_its_line() {
        for (text, expected) in [
            (
                "[{\"id\":1}\n{\"id\":2}]",
                "export, line 2: neither `,` nor `]` follows an element of the array",
            ),
            (
                "[{\"id\":1},\n\n7]",
                "export, line 3: an element of the array is no object",
            ),
            (
                "[{\"id\":1},\n{\"id\":",
                "export, line 2: the file ends within a record",
            ),
            ("[{\"id\":1},", "export, line 1: the file ends within the array"),
            ("[]\n[]", "export, line 2: something follows the array"),
        ] {
            assert_eq!(read(text.as_bytes()), Err(expected.to_owned()), "{text}");
        }
    }

    #[test]
    fn faults_are_named_without_what_stands_there() {
        let told = |text: &[u8]| fault(text).map(|(_, what)| what);
        assert_eq!(told(b"{\"id\":1}"), None);
        assert_eq!(told(b"id,name"), Some("it is no JSON object".into()));
        assert_eq!(told(b"{\"id\":1"), Some("it is no JSON: broken at byte 7".into()));
        assert_eq!(told(b"{\"id\":\"\xff\"}"), Some("it is not UTF-8".into()));
    }
}
