//! One record through a plan.

use zenfloe_catalog::{Expected, TimeUnit};
use zenfloe_record::{CleanKind, Fence, FenceScope, Micros, RawKind, Reason, RowVersion};

use crate::avro;
use crate::cell::{At, Make};
use crate::encode::{Encoder, Texts};
use crate::output::Work;
use crate::plan::{Claim, RowsAt, TablePlan, Timed};
use crate::scan::{Kind, NotJson, Slot};
use crate::value::{self, Wrong};
use crate::walk::{Element, Halt, walk};
use crate::{Given, Guard, OutFence, OutRow, Output, Plan, Rejected};

/// What a record is, beside its values.
struct Fate {
    version: RowVersion,
    is_deleted: bool,
    /// Key and version alone are left of its rows.
    is_erased: bool,
}

/// Appends rows and fences; may leave a part of them behind when it fails.
pub(crate) fn run<G: Guard>(
    plan: &Plan,
    json: &[u8],
    given: &Given,
    guard: &mut G,
    out: &mut Output,
) -> Result<(), Rejected> {
    let json = readable(json)?;
    let Work { notes, texts, meta } = &mut out.work;
    walk(json, &plan.record, &plan.trees, notes, &mut out.unknown).map_err(halted)?;
    let fate = fate(plan, json, &notes.slots, given)?;
    if fate.is_erased {
        notes.undefined.clear();
    }
    write_meta(given, &fate, meta);
    let mut writer = Writer {
        plan,
        json,
        slots: &notes.slots,
        elements: &notes.elements,
        fate: &fate,
        meta,
        guard,
        texts,
        rows: &mut out.rows,
        fences: &mut out.fences,
        bytes: &mut out.bytes,
        replaced: &mut out.surrogates_replaced,
    };
    for (index, table) in plan.tables.iter().enumerate() {
        match given.kind {
            RawKind::Record => writer.table(index, table)?,
            RawKind::Delete => writer.gone(index, table)?,
        }
    }
    if fate.is_erased {
        writer.erase()?;
    }
    Ok(())
}

fn readable(json: &[u8]) -> Result<&str, Rejected> {
    let not_json = |detail: &str| Rejected {
        reason: Reason::NotJson,
        detail: detail.to_owned(),
    };
    if u32::try_from(json.len()).is_err() {
        return Err(not_json("the record has 4 GiB or more"));
    }
    std::str::from_utf8(json).map_err(|fault| not_json(&format!("not UTF-8 at byte {}", fault.valid_up_to())))
}

#[cold]
fn halted(halt: Halt<'_>) -> Rejected {
    match halt {
        Halt::NotJson(fault) => Rejected {
            reason: Reason::NotJson,
            detail: match fault {
                NotJson::Syntax(at) => format!("not JSON at byte {at}"),
                NotJson::Deep => "nested too deeply".to_owned(),
            },
        },
        Halt::Type { path, wanted, found } => Rejected {
            reason: Reason::WrongType,
            detail: format!("{} is {}, not {}", place(path), found.name(), wanted.name()),
        },
    }
}

fn place(path: &str) -> String {
    if path.is_empty() {
        "the record".to_owned()
    } else {
        format!("`{path}`")
    }
}

#[cold]
fn rejected(path: &str, wrong: Wrong) -> Rejected {
    Rejected {
        reason: wrong.reason(),
        detail: format!("{} {}", place(path), wrong.describe()),
    }
}

fn fate(plan: &Plan, json: &str, slots: &[Slot], given: &Given) -> Result<Fate, Rejected> {
    let holds = |claim: &Claim| holds(claim, slots, json);
    let is_erased = !plan.erased.is_empty() && plan.erased.iter().all(holds);
    Ok(Fate {
        version: RowVersion {
            version: version(plan, json, slots, given)?,
            extracted_at: given.extracted_at,
            raw_offset: given.offset,
            revision: given.revision,
        },
        is_deleted: is_erased || given.kind == RawKind::Delete || plan.deleted.iter().any(holds),
        is_erased,
    })
}

fn holds(claim: &Claim, slots: &[Slot], json: &str) -> bool {
    let slot = slots[usize::from(claim.slot)];
    match &claim.is {
        Expected::Bool(wanted) => value::boolean(slot, json) == Ok(*wanted),
        Expected::Present => !slot.is_nothing(),
        Expected::Text(wanted) if slot.kind == Kind::Escaped => {
            let mut meant = String::new();
            crate::text::unescape(slot.of(json), &mut meant, &mut 0);
            &meant == wanted
        }
        Expected::Text(wanted) => slot.kind == Kind::Text && slot.of(json) == wanted,
    }
}

/// The collection's own version; where the record does not tell it, what the catalog falls back to.
///
/// Lists, and notices that a record is gone, are of the time of their extraction. An imported list record
/// without any time is older than everything.
fn version(plan: &Plan, json: &str, slots: &[Slot], given: &Given) -> Result<Micros, Rejected> {
    let own = plan.version.path.as_ref();
    if let Some(own) = own
        && let Some(version) = timed(own, json, slots)?
    {
        return Ok(version);
    }
    let is_by_extraction = own.is_none() || given.kind == RawKind::Delete;
    if is_by_extraction && given.extracted_at != 0 {
        return Ok(given.extracted_at);
    }
    if let Some(fallback) = &plan.version.fallback
        && let Some(version) = timed(fallback, json, slots)?
    {
        return Ok(version);
    }
    match own {
        Some(own) if !is_by_extraction => Err(rejected(&own.path, Wrong::Missing)),
        _ => Ok(0),
    }
}

fn timed(timed: &Timed, json: &str, slots: &[Slot]) -> Result<Option<Micros>, Rejected> {
    let slot = slots[usize::from(timed.slot)];
    if slot.is_nothing() {
        return Ok(None);
    }
    let read = match timed.unit {
        TimeUnit::Iso8601 => value::timestamp(slot, json),
        TimeUnit::EpochSeconds => value::epoch_seconds(slot, json),
        TimeUnit::EpochMillis => value::epoch_millis(slot, json),
    };
    read.map(Some).map_err(|wrong| rejected(&timed.path, wrong))
}

/// The fields of [`zenfloe_catalog::META_FIELDS`], `_deleted` included: every row of a record has the same.
fn write_meta(given: &Given, fate: &Fate, meta: &mut Vec<u8>) {
    meta.clear();
    avro::long(given.received_at, meta);
    avro::long(fate.version.version, meta);
    avro::long(given.extracted_at, meta);
    avro::long(i64::from(given.partition), meta);
    avro::long(given.offset, meta);
    avro::long(i64::from(given.revision), meta);
    avro::boolean(fate.is_deleted, meta);
}

struct Writer<'r, G> {
    plan: &'r Plan,
    json: &'r str,
    slots: &'r [Slot],
    elements: &'r [Element],
    fate: &'r Fate,
    meta: &'r [u8],
    guard: &'r mut G,
    texts: &'r mut Texts,
    rows: &'r mut Vec<OutRow>,
    fences: &'r mut Vec<OutFence>,
    bytes: &'r mut Vec<u8>,
    replaced: &'r mut u64,
}

type Written = Result<(), Rejected>;

impl<G: Guard> Writer<'_, G> {
    /// The rows of a record in one table, with the fence before them.
    fn table(&mut self, index: usize, table: &TablePlan) -> Written {
        let kind = if self.fate.is_erased {
            CleanKind::Delete
        } else {
            CleanKind::Row
        };
        match &table.rows {
            RowsAt::Record => self.row(index, table, kind, Element::RECORD),
            RowsAt::RecordWith { slot } => match self.slots[usize::from(*slot)].is_nothing() {
                true => Ok(()),
                false => self.row(index, table, kind, Element::RECORD),
            },
            RowsAt::RecordUnless { slot } => match self.slots[usize::from(*slot)].is_nothing() {
                true => self.row(index, table, kind, Element::RECORD),
                false => Ok(()),
            },
            RowsAt::RecordWithout { slot } => {
                let is_empty = self.slots[usize::from(*slot)].is_empty_array(self.json);
                if is_empty {
                    self.row(index, table, kind, Element::RECORD)
                } else {
                    Ok(())
                }
            }
            RowsAt::Object { slot, is_keyed } => {
                let is_absent = self.slots[usize::from(*slot)].kind == Kind::Absent;
                let is_wiped = self.fate.is_erased && *is_keyed;
                if is_absent && !is_wiped {
                    Ok(())
                } else {
                    self.row(index, table, kind, Element::RECORD)
                }
            }
            RowsAt::Each { slot, tree, own, above } => {
                let is_there = slot.is_some_and(|slot| self.slots[usize::from(slot)].kind == Kind::Array);
                if is_there || self.fate.is_erased {
                    self.fence(index, table)?;
                }
                for element in self.elements.iter().filter(|element| element.tree == *tree) {
                    let holds = |claims: &[Claim], base: usize| {
                        claims.iter().all(|claim| holds(claim, &self.slots[base..], self.json))
                    };
                    if holds(own, element.base) && holds(above, element.above) {
                        self.row(index, table, kind, *element)?;
                    }
                }
                Ok(())
            }
        }
    }

    /// What a notice that the record is gone says of one table.
    fn gone(&mut self, index: usize, table: &TablePlan) -> Written {
        match &table.rows {
            RowsAt::Record
            | RowsAt::RecordWith { .. }
            | RowsAt::RecordUnless { .. }
            | RowsAt::Object { is_keyed: true, .. } => self.row(index, table, CleanKind::Delete, Element::RECORD),
            RowsAt::Object { .. } | RowsAt::RecordWithout { .. } => Ok(()),
            RowsAt::Each { .. } => self.fence(index, table),
        }
    }

    /// Of a set's parent whatever is older is gone; of an erased record everything, for ever. Imported
    /// files have no time and make none.
    fn fence(&mut self, index: usize, table: &TablePlan) -> Written {
        let Some(column) = &table.set_of else {
            return Ok(());
        };
        let before = if self.fate.is_erased {
            None
        } else {
            Some(self.fate.version.extracted_at)
        };
        if before == Some(0) {
            return Ok(());
        }
        self.fences.push(OutFence {
            table: index,
            fence: Fence {
                scope: FenceScope {
                    column: column.clone(),
                    value: self.parent()?,
                },
                before,
            },
            version: self.fate.version,
        });
        Ok(())
    }

    /// What hangs on an erased record in other tables is gone for ever.
    fn erase(&mut self) -> Written {
        for (index, erased) in self.plan.erases.iter().enumerate() {
            let scope = FenceScope {
                column: erased.column.clone(),
                value: self.parent()?,
            };
            self.fences.push(OutFence {
                table: self.plan.tables.len() + index,
                fence: Fence { scope, before: None },
                version: self.fate.version,
            });
        }
        Ok(())
    }

    /// The id of the record, as text.
    fn parent(&self) -> Result<String, Rejected> {
        let (path, slot) = &self.plan.parent;
        let slot = self.slots[usize::from(*slot)];
        if slot.is_nothing() {
            return Err(rejected(path, Wrong::Missing));
        }
        if let Ok(number) = value::long(slot, self.json) {
            return Ok(number.to_string());
        }
        value::text(slot, self.json, &mut String::new(), &mut 0)
            .map(str::to_owned)
            .map_err(|wrong| rejected(path, wrong))
    }

    /// Appends the row key ([`zenfloe_record::row_key`]).
    fn key(&mut self, table: &TablePlan, element: Element) -> Written {
        for (part, index) in table.key.iter().enumerate() {
            if part > 0 {
                self.bytes.push(0x1f);
            }
            let cell = &table.cells[*index];
            let slot = match cell.at {
                At::Record(place) => self.slots[usize::from(place)],
                At::Element(place) => self.slots[element.base + usize::from(place)],
                At::Above(place) => self.slots[element.above + usize::from(place)],
            };
            let written = key_part(&cell.make, slot, self.json, self.bytes);
            written.map_err(|wrong| rejected(&cell.path, wrong))?;
        }
        Ok(())
    }

    /// One row: its key, then its cells and what every row carries.
    fn row(&mut self, index: usize, table: &TablePlan, kind: CleanKind, element: Element) -> Written {
        let key = self.bytes.len();
        self.key(table, element)?;
        let body = self.bytes.len();
        let mut encoder = Encoder {
            json: self.json,
            slots: self.slots,
            base: element.base,
            above: element.above,
            guard: &mut *self.guard,
            out: &mut *self.bytes,
            texts: &mut *self.texts,
            replaced: &mut *self.replaced,
        };
        for cell in &table.cells {
            let is_left = kind == CleanKind::Row || cell.is_key;
            let written = if is_left {
                encoder.cell(cell)
            } else {
                encoder.null(cell)
            };
            written.map_err(|wrong| rejected(&cell.path, wrong))?;
        }
        self.bytes.extend_from_slice(self.meta);
        self.rows.push(OutRow {
            table: index,
            kind,
            key: key..body,
            version: self.fate.version,
            body: body..self.bytes.len(),
        });
        Ok(())
    }
}

/// Appends a part of a row key. Texts with control characters are none: `row_key` sets its marks by them.
fn key_part(make: &Make, slot: Slot, json: &str, out: &mut Vec<u8>) -> Result<(), Wrong> {
    if slot.is_nothing() {
        return Err(Wrong::Missing);
    }
    if matches!(make, Make::Long) {
        decimal(value::long(slot, json)?, out);
        return Ok(());
    }
    let mut decoded = String::new();
    let text = value::text(slot, json, &mut decoded, &mut 0)?;
    if text.is_empty() {
        return Err(Wrong::Missing);
    }
    if text.bytes().any(|byte| byte < 0x20) {
        return Err(Wrong::Range);
    }
    out.extend_from_slice(text.as_bytes());
    Ok(())
}

/// Appends a number as text; `write!` takes ten times as long.
fn decimal(value: i64, out: &mut Vec<u8>) {
    let mut digits = [0; 20];
    let mut at = digits.len();
    let mut left = value.unsigned_abs();
    loop {
        at -= 1;
        digits[at] = b'0' + (left % 10) as u8;
        left /= 10;
        if left == 0 {
            break;
        }
    }
    if value < 0 {
        out.push(b'-');
    }
    out.extend_from_slice(&digits[at..]);
}
