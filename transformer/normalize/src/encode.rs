//! The cells of a row as Avro, from the slots that a walk has noted.

use zenfloe_catalog::Class;

use crate::Guard;
use crate::avro;
use crate::cell::{At, Cell, Changes, Field, Make, Told};
use crate::scan::{Kind, Slot};
use crate::text;
use crate::time;
use crate::value::{self, Wrong};

/// Texts on their way; reused.
#[derive(Debug, Default)]
pub(crate) struct Texts {
    /// A string as it is meant.
    decoded: String,
    /// A text that may leave.
    safe: String,
}

/// What the cells of one row are made from and written to.
pub(crate) struct Encoder<'r, G> {
    pub(crate) json: &'r str,
    /// The record's slots and those of all elements.
    pub(crate) slots: &'r [Slot],
    /// Where the slots of the row's element begin.
    pub(crate) base: usize,
    /// Where those of the element around it begin.
    pub(crate) above: usize,
    pub(crate) guard: &'r mut G,
    pub(crate) out: &'r mut Vec<u8>,
    pub(crate) texts: &'r mut Texts,
    pub(crate) replaced: &'r mut u64,
}

/// A shorter number is nobody's: telephone numbers have seven digits and more.
const TELLING_DIGITS: usize = 7;

type Encoded = Result<(), Wrong>;

impl<G: Guard> Encoder<'_, G> {
    #[inline]
    fn slot(&self, at: At) -> Slot {
        match at {
            At::Record(place) => self.slots[usize::from(place)],
            At::Element(place) => self.slots[self.base + usize::from(place)],
            At::Above(place) => self.slots[self.above + usize::from(place)],
        }
    }

    /// Appends a cell.
    #[inline]
    pub(crate) fn cell(&mut self, cell: &Cell) -> Encoded {
        let slot = self.slot(cell.at);
        if slot.is_nothing() || matches!(cell.make, Make::Nothing) {
            return self.null(cell);
        }
        let begin = self.out.len();
        if !cell.is_key {
            self.out.push(avro::SOME);
        }
        let is_something = match self.make(&cell.make, slot) {
            // An emptied field of numbers or times may be an empty text: there is no value.
            Err(Wrong::Type { .. }) if slot.is_text() && slot.of(self.json).is_empty() => false,
            made => made?,
        };
        if !is_something {
            self.out.truncate(begin);
            return self.null(cell);
        }
        Ok(())
    }

    /// Appends a null, which a key may not be.
    #[inline]
    pub(crate) fn null(&mut self, cell: &Cell) -> Encoded {
        if cell.is_key {
            return Err(Wrong::Missing);
        }
        self.out.push(avro::NULL);
        Ok(())
    }

    /// Appends a value; `false` where there is none after all.
    #[inline]
    fn make(&mut self, make: &Make, slot: Slot) -> Result<bool, Wrong> {
        match make {
            Make::Nothing => return Ok(false),
            Make::Long => avro::long(value::long(slot, self.json)?, self.out),
            Make::Double => avro::double(value::double(slot, self.json)?, self.out),
            Make::Boolean => avro::boolean(value::boolean(slot, self.json)?, self.out),
            Make::Text => avro::text(
                value::text(slot, self.json, &mut self.texts.decoded, self.replaced)?,
                self.out,
            ),
            Make::Timestamp => avro::long(value::timestamp(slot, self.json)?, self.out),
            Make::TimestampOfSeconds => avro::long(value::epoch_seconds(slot, self.json)?, self.out),
            Make::Date => avro::long(value::date(slot, self.json)?.into(), self.out),
            Make::Year(make) => self.year(make, slot)?,
            Make::Json => self.json(slot),
            Make::Minutes => return self.minutes(slot),
            Make::Slug => self.slug(slot)?,
            Make::Label => return self.label(slot),
            Make::ChangedField(changes) => return Ok(self.changed_field(changes)),
            Make::Changed(changes) => return self.changed(changes, slot),
            Make::Written => self.written(slot)?,
            Make::Token(told) => return self.guarded(told, slot, G::token),
            Make::Coarse(told) => return self.guarded(told, slot, G::coarse),
            Make::Redacted => self.redacted(slot),
            Make::RedactedJson => self.redacted_json(slot),
        }
        Ok(true)
    }

    fn year(&mut self, make: &Make, slot: Slot) -> Encoded {
        let year = match make {
            Make::Date => time::year_of_date(value::date(slot, self.json)?).into(),
            Make::TimestampOfSeconds => time::year_of_timestamp(value::epoch_seconds(slot, self.json)?),
            _ => time::year_of_timestamp(value::timestamp(slot, self.json)?),
        };
        avro::long(year, self.out);
        Ok(())
    }

    fn minutes(&mut self, slot: Slot) -> Result<bool, Wrong> {
        let minutes = value::minutes(slot, self.json)?;
        if let Some(minutes) = minutes {
            avro::long(minutes, self.out);
        }
        Ok(minutes.is_some())
    }

    fn slug(&mut self, slot: Slot) -> Encoded {
        let title = value::text(slot, self.json, &mut self.texts.decoded, self.replaced)?;
        self.texts.safe.clear();
        text::slug(title, &mut self.texts.safe);
        avro::text(&self.texts.safe, self.out);
        Ok(())
    }

    /// Children of an object with a channel are not walked: such objects are small and rare enough to be looked through.
    fn label(&mut self, slot: Slot) -> Result<bool, Wrong> {
        if slot.kind != Kind::Object {
            let label = value::text(slot, self.json, &mut self.texts.decoded, self.replaced)?;
            avro::text(label, self.out);
            return Ok(true);
        }
        let channel = value::member(slot, self.json, "channel").filter(|channel| channel.is_text());
        if let Some(channel) = channel {
            let label = value::text(channel, self.json, &mut self.texts.decoded, self.replaced)?;
            avro::text(label, self.out);
        }
        Ok(channel.is_some())
    }

    /// The field that the event of this row changed.
    fn change<'c>(&mut self, changes: &'c Changes) -> Option<(&'c Field, Slot)> {
        let kind = self.slot(changes.kind);
        let kind = kind
            .is_text()
            .then(|| text::meant(kind, self.json, &mut self.texts.decoded, &mut 0))?;
        if !matches!(kind, "Create" | "Change") {
            return None;
        }
        let mut fields = changes.fields.iter().map(|field| (field, self.slot(field.at)));
        fields.find(|(_, slot)| slot.kind != Kind::Absent)
    }

    fn changed_field(&mut self, changes: &Changes) -> bool {
        let change = self.change(changes);
        if let Some((field, _)) = change {
            avro::text(&field.name, self.out);
        }
        change.is_some()
    }

    /// `slot`: where the value stands; the row itself where it stands under the field's name.
    fn changed(&mut self, changes: &Changes, slot: Slot) -> Result<bool, Wrong> {
        let Some((field, under_its_name)) = self.change(changes) else {
            return Ok(false);
        };
        let value = if slot.kind == Kind::Object {
            under_its_name
        } else {
            slot
        };
        if value.is_nothing() {
            return Ok(false);
        }
        // A list of values is no single one; its strings are made safe.
        match (&field.make, value.kind) {
            (Make::Token(_), Kind::Object | Kind::Array | Kind::True | Kind::False) => self.redacted_json(value),
            (make, _) => return self.make(make, value),
        }
        Ok(true)
    }

    fn written(&mut self, slot: Slot) -> Encoded {
        match slot.kind {
            Kind::Text | Kind::Escaped => {
                let text = text::meant(slot, self.json, &mut self.texts.decoded, self.replaced);
                avro::text(text, self.out);
            }
            _ => self.json(slot),
        }
        Ok(())
    }

    /// A JSON text that needs no change is copied once.
    fn json(&mut self, slot: Slot) {
        let whole = slot.whole(self.json);
        let is_scalar = !matches!(slot.kind, Kind::Object | Kind::Array);
        if is_scalar || memchr::memchr3(b' ', b'\n', b'\t', whole.as_bytes()).is_none() && !whole.contains('\r') {
            return avro::text(whole, self.out);
        }
        self.texts.safe.clear();
        text::compact(whole, &mut self.texts.safe);
        avro::text(&self.texts.safe, self.out);
    }

    #[inline]
    fn guarded(
        &mut self,
        told: &Told,
        slot: Slot,
        guard: impl FnOnce(&mut G, Class, &str, &mut String) -> bool,
    ) -> Result<bool, Wrong> {
        if !(slot.is_text() || slot.kind == Kind::Number) {
            return Err(Wrong::Type {
                wanted: "a text",
                found: slot.kind,
            });
        }
        let class = self.class(told);
        let value = text::meant(slot, self.json, &mut self.texts.decoded, self.replaced);
        self.texts.safe.clear();
        let is_something = guard(self.guard, class, value, &mut self.texts.safe);
        if is_something {
            avro::text(&self.texts.safe, self.out);
        }
        Ok(is_something)
    }

    /// The class of a value; one that a field tells is found by the field's text.
    fn class(&mut self, told: &Told) -> Class {
        let Some((at, cases)) = &told.by else {
            return told.class;
        };
        let teller = self.slot(*at);
        if !teller.is_text() {
            return told.class;
        }
        let text = text::meant(teller, self.json, &mut self.texts.decoded, self.replaced);
        cases.get(text).copied().unwrap_or(told.class)
    }

    fn redacted(&mut self, slot: Slot) {
        self.texts.safe.clear();
        match slot.kind {
            Kind::Object | Kind::Array => return self.redacted_json(slot),
            _ => {
                let text = text::meant(slot, self.json, &mut self.texts.decoded, self.replaced);
                self.guard.redact(text, &mut self.texts.safe);
            }
        }
        avro::text(&self.texts.safe, self.out);
    }

    /// Strings, names of members included, are redacted. A number stays as written unless its digits are something
    /// personal: then it becomes a text.
    fn redacted_json(&mut self, slot: Slot) {
        let Texts { decoded, safe } = &mut *self.texts;
        let whole = slot.whole(self.json);
        safe.clear();
        let mut redacted = String::new();
        text::scalars(whole, safe, |scalar, written, out| {
            let is_number = scalar.kind == Kind::Number;
            if is_number && written.len() < TELLING_DIGITS {
                return out.push_str(written);
            }
            let meant = text::meant(scalar, whole, decoded, self.replaced);
            redacted.clear();
            self.guard.redact(meant, &mut redacted);
            if is_number && redacted == written {
                return out.push_str(written);
            }
            text::quote(&redacted, out);
        });
        avro::text(safe, self.out);
    }
}
