use serde_json::Value as Json;
use zenfloe_catalog::{Class, Column, ColumnType, Table};

use crate::{Cleaned, Erased, clean};

/// A row or a schema that is not as it should be. Names what, never a value.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct Malformed(pub String);

/// How a field stands in a row's bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Wire {
    /// A zigzag number, whatever it means.
    Number,
    Double,
    Boolean,
    Text,
}

#[derive(Debug, Clone)]
struct Field {
    wire: Wire,
    /// The branch of null in its union.
    null: Option<u8>,
    /// A part of the key, or what every row carries: stays in a row that is gone.
    is_kept: bool,
    /// A text that somebody wrote.
    is_written: bool,
    /// Describes the row's sender.
    is_of_sender: bool,
    /// `_deleted`.
    is_mark: bool,
}

/// What a row's bytes are, and which of its columns say whose it is.
#[derive(Debug, Clone)]
pub struct Layout {
    fields: Vec<Field>,
    person: Option<usize>,
    ticket: Option<usize>,
    author: Option<usize>,
    sender: Option<usize>,
}

/// What becomes of a row.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// It holds nothing that is erased.
    Same,
    /// It stays, without what is erased.
    Changed,
    /// Key and version alone are left of it.
    Gone,
}

/// The fields that every row carries (see `zenfloe_catalog::META_FIELDS`).
fn is_meta(name: &str) -> bool {
    zenfloe_catalog::META_FIELDS.iter().any(|(meta, ..)| *meta == name)
}

impl Layout {
    /// Reads the schema that a row was written with; the table says whose its rows are. Of a table that the catalog
    /// does not know tokens alone are taken out.
    pub fn new(table: Option<&Table>, schema: &str) -> Result<Self, Malformed> {
        let bad = |what: &str| Malformed(format!("a row's schema: {what}"));
        let schema: Json = serde_json::from_str(schema).map_err(|_| bad("no JSON"))?;
        let written = schema["fields"].as_array().ok_or_else(|| bad("no record"))?;
        let key = schema["zenfloe.key"].as_array().ok_or_else(|| bad("no key"))?;
        let erase = table.map(|table| table.erase.clone()).unwrap_or_default();
        let mut names = Vec::new();
        let mut fields = Vec::new();
        for field in written {
            let name = field["name"].as_str().ok_or_else(|| bad("a field without a name"))?;
            let (wire, null) = wire(&field["type"]).ok_or_else(|| bad("a type that rows do not have"))?;
            let is_text = column(table, name).is_some_and(|held| held.class == Class::Text);
            let is_json = column(table, name).is_some_and(|held| held.r#type == ColumnType::Json);
            fields.push(Field {
                wire,
                null,
                is_kept: is_meta(name) || key.iter().any(|key| key == name),
                is_written: (is_text || field["zenfloe.class"] == "text") && !is_json && null.is_some(),
                is_of_sender: null.is_some() && erase.described().any(|described| described == name),
                is_mark: name == "_deleted",
            });
            names.push(name);
        }
        let place = |column: &Option<String>| names.iter().position(|name| Some(*name) == column.as_deref());
        Ok(Self {
            person: place(&erase.person),
            ticket: place(&erase.ticket),
            author: place(&erase.author),
            sender: place(&erase.sender.map(|sender| sender.id)),
            fields,
        })
    }

    /// Changes a row by what is erased: `out` becomes the new body where the verdict is not [`Verdict::Same`].
    pub fn apply(&self, erased: &Erased, body: &[u8], out: &mut Vec<u8>) -> Result<Verdict, Malformed> {
        if erased.is_empty() {
            return Ok(Verdict::Same);
        }
        let values = self.values(body)?;
        let id = |place: Option<usize>| place.and_then(|place| values[place].number(body));
        let is_gone = id(self.person).is_some_and(|id| erased.is_person(id))
            || id(self.ticket).is_some_and(|id| erased.is_ticket(id));
        let drops_texts = id(self.author).is_some_and(|id| erased.drops_texts_of(id));
        let drops_sender = id(self.sender).is_some_and(|id| erased.is_person(id));
        out.clear();
        let mut verdict = if is_gone { Verdict::Gone } else { Verdict::Same };
        for (field, value) in self.fields.iter().zip(&values) {
            let is_emptied = (is_gone && !field.is_kept)
                || (drops_texts && field.is_written)
                || (drops_sender && field.is_of_sender);
            match field.null {
                _ if is_gone && field.is_mark => out.push(1),
                Some(null) if is_emptied => {
                    number(i64::from(null), out);
                    if !is_gone && !value.is_null {
                        verdict = Verdict::Changed;
                    }
                }
                _ => match value.cleaned(field, erased, body) {
                    None => out.extend_from_slice(&body[value.whole.clone()]),
                    Some(change) => {
                        write(field, change, out);
                        verdict = if is_gone { Verdict::Gone } else { Verdict::Changed };
                    }
                },
            }
        }
        Ok(verdict)
    }

    /// Where the values of a row stand.
    fn values(&self, body: &[u8]) -> Result<Vec<Value>, Malformed> {
        let mut at = 0;
        let mut values = Vec::with_capacity(self.fields.len());
        for field in &self.fields {
            let value = Value::read(field, body, at).ok_or_else(|| Malformed("a row is cut short".into()))?;
            at = value.whole.end;
            values.push(value);
        }
        if at == body.len() {
            Ok(values)
        } else {
            Err(Malformed("a row has more bytes than its schema has fields".into()))
        }
    }
}

fn column<'t>(table: Option<&'t Table>, name: &str) -> Option<&'t Column> {
    table?.columns.iter().find(|column| column.name == name)
}

fn wire(written: &Json) -> Option<(Wire, Option<u8>)> {
    let (plain, null) = match written {
        Json::Array(branches) => match branches.as_slice() {
            [Json::String(null), plain] if null == "null" => (plain, Some(0)),
            [plain, Json::String(null)] if null == "null" => (plain, Some(1)),
            _ => return None,
        },
        plain => (plain, None),
    };
    let wire = match plain.as_str().or_else(|| plain["type"].as_str())? {
        "long" | "int" => Wire::Number,
        "double" => Wire::Double,
        "boolean" => Wire::Boolean,
        "string" => Wire::Text,
        _ => return None,
    };
    Some((wire, null))
}

/// Where a value stands in a row's bytes.
struct Value {
    /// With the branch of its union and its length.
    whole: std::ops::Range<usize>,
    /// What comes after those.
    bare: std::ops::Range<usize>,
    is_null: bool,
    wire: Wire,
}

impl Value {
    fn read(field: &Field, body: &[u8], from: usize) -> Option<Self> {
        let mut at = from;
        let value = |bare: std::ops::Range<usize>, is_null| Self {
            whole: from..bare.end,
            bare,
            is_null,
            wire: field.wire,
        };
        if let Some(null) = field.null {
            let branch = read_number(body, &mut at)?;
            if branch == i64::from(null) {
                return Some(value(at..at, true));
            }
        }
        let end = match field.wire {
            Wire::Number => {
                let mut end = at;
                read_number(body, &mut end)?;
                end
            }
            Wire::Double => at + 8,
            Wire::Boolean => at + 1,
            Wire::Text => {
                let length = usize::try_from(read_number(body, &mut at)?).ok()?;
                at.checked_add(length)?
            }
        };
        (end <= body.len()).then(|| value(at..end, false))
    }

    fn number(&self, body: &[u8]) -> Option<i64> {
        if self.is_null {
            return None;
        }
        match self.wire {
            Wire::Number => read_number(body, &mut self.bare.start.clone()),
            // Ids are numbers wherever they are columns; some are kept as texts.
            Wire::Text => std::str::from_utf8(&body[self.bare.clone()]).ok()?.parse().ok(),
            Wire::Double | Wire::Boolean => None,
        }
    }

    /// What becomes of a text; `None`: it stays.
    fn cleaned(&self, field: &Field, erased: &Erased, body: &[u8]) -> Option<Option<String>> {
        if self.wire != Wire::Text || self.is_null || field.is_kept {
            return None;
        }
        let text = std::str::from_utf8(&body[self.bare.clone()]).ok()?;
        match clean(text, erased) {
            Cleaned::Same => None,
            Cleaned::Null if field.null.is_some() => Some(None),
            Cleaned::Null => Some(Some(crate::ERASED.to_owned())),
            Cleaned::Text(text) => Some(Some(text)),
        }
    }
}

fn write(field: &Field, value: Option<String>, out: &mut Vec<u8>) {
    match (field.null, value) {
        (Some(null), None) => number(i64::from(null), out),
        (null, value) => {
            if let Some(null) = null {
                number(i64::from(1 - null.min(1)), out);
            }
            let text = value.unwrap_or_default();
            number(text.len() as i64, out);
            out.extend_from_slice(text.as_bytes());
        }
    }
}

/// Reads Avro's zigzag number.
fn read_number(body: &[u8], at: &mut usize) -> Option<i64> {
    let mut number = 0_u64;
    for shift in (0..64).step_by(7) {
        let byte = *body.get(*at)?;
        *at += 1;
        number |= u64::from(byte & 0x7f) << shift;
        if byte & 0x80 == 0 {
            return Some((number >> 1) as i64 ^ -((number & 1) as i64));
        }
    }
    None
}

/// Appends Avro's zigzag number.
fn number(value: i64, out: &mut Vec<u8>) {
    let mut left = ((value << 1) ^ (value >> 63)) as u64;
    while left >= 0x80 {
        out.push(left as u8 | 0x80);
        left >>= 7;
    }
    out.push(left as u8);
}

#[cfg(test)]
mod tests;
