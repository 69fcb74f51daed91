//! One pass over a record: notes where the values stand that the plan reads.

use zenfloe_catalog::CustomBy;

use crate::output::Unknown;
use crate::scan::{Kind, NotJson, Scanner, Slot};
use crate::text;
use crate::tree::{Node, Selector, Shape};

/// Why a pass ends early.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Halt<'p> {
    NotJson(NotJson),
    /// A container was expected at the path.
    Type {
        path: &'p str,
        wanted: Kind,
        found: Kind,
    },
}

impl From<NotJson> for Halt<'_> {
    fn from(fault: NotJson) -> Self {
        Self::NotJson(fault)
    }
}

/// An element of an array of rows: the tree that it was read by, and where its slots begin.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Element {
    pub(crate) tree: u16,
    pub(crate) base: usize,
    /// Where the slots of the element around it begin, or the record's.
    pub(crate) above: usize,
}

impl Element {
    /// Stands for the record where there is no element.
    pub(crate) const RECORD: Self = Self {
        tree: u16::MAX,
        base: 0,
        above: 0,
    };
}

/// What a pass has noted; reused.
#[derive(Debug, Default)]
pub(crate) struct Notes {
    /// The record's slots, then those of each element.
    pub(crate) slots: Vec<Slot>,
    /// The elements in order.
    pub(crate) elements: Vec<Element>,
    /// Custom fields with a value and without a column, each once: their ids or keys.
    pub(crate) undefined: Vec<String>,
    decoded: String,
}

/// A pass.
pub(crate) struct Walk<'p, 'j, 'n> {
    json: &'j str,
    scan: Scanner<'j>,
    trees: &'p [Shape],
    notes: &'n mut Notes,
    unknown: &'n mut Unknown,
}

type Walked<'p, T = ()> = Result<T, Halt<'p>>;

/// Walks a record by the tree of records and the trees of elements; the record's slots come first.
pub(crate) fn walk<'p>(
    json: &str,
    record: &'p Shape,
    trees: &'p [Shape],
    notes: &mut Notes,
    unknown: &mut Unknown,
) -> Walked<'p> {
    notes.elements.clear();
    notes.slots.clear();
    notes.undefined.clear();
    notes.slots.resize(usize::from(record.slots), Slot::ABSENT);
    let mut walk = Walk {
        json,
        scan: Scanner::new(json, 0),
        trees,
        notes,
        unknown,
    };
    let root = &record.nodes[0];
    match walk.scan.peek()? {
        b'{' => {
            let start = walk.scan.at();
            walk.object(record, 0, root)?;
            let whole = walk.slot(Kind::Object, start);
            walk.note(0, root, whole);
        }
        _ => {
            let found = walk.scan.skip()?.kind;
            walk.scan.end()?;
            return Err(wrong(root, Kind::Object, found));
        }
    }
    Ok(walk.scan.end()?)
}

fn wrong(node: &Node, wanted: Kind, found: Kind) -> Halt<'_> {
    Halt::Type {
        path: &node.path,
        wanted,
        found,
    }
}

impl<'p> Walk<'p, '_, '_> {
    /// Reads the value at a node. `base`: where the slots of its tree begin.
    fn value(&mut self, shape: &'p Shape, base: usize, node: &'p Node) -> Walked<'p> {
        let Some(wanted) = node.wanted() else {
            return self.leaf(base, node);
        };
        // A member that stands twice counts as its last one, as in `serde_json`.
        if node.elements.is_some() {
            self.forget_elements(base, node);
        }
        let below = base + usize::from(node.slots.start)..base + usize::from(node.slots.end);
        self.notes.slots[below].fill(Slot::ABSENT);
        let first = self.scan.peek()?;
        let start = self.scan.at();
        let slot = match (first, wanted) {
            (b'{', Kind::Object) => {
                self.object(shape, base, node)?;
                self.slot(Kind::Object, start)
            }
            (b'[', Kind::Array) => {
                self.array(shape, base, node)?;
                if node.customs.is_some() {
                    // The same array stands once more in a ticket.
                    self.scan.note_passed(start);
                }
                self.slot(Kind::Array, start)
            }
            _ => self.scan.skip()?,
        };
        if slot.kind != wanted && slot.kind != Kind::Null && !node.is_loose {
            return Err(wrong(node, wanted, slot.kind));
        }
        self.note(base, node, slot);
        Ok(())
    }

    #[inline]
    fn leaf(&mut self, base: usize, node: &'p Node) -> Walked<'p> {
        let slot = self.scan.skip()?;
        self.note(base, node, slot);
        Ok(())
    }

    #[inline]
    fn note(&mut self, base: usize, node: &Node, slot: Slot) {
        if let Some(place) = node.slot {
            self.notes.slots[base + usize::from(place)] = slot;
        }
    }

    fn slot(&self, kind: Kind, start: usize) -> Slot {
        Slot {
            kind,
            start: start as u32,
            end: self.scan.at() as u32,
        }
    }

    fn object(&mut self, shape: &'p Shape, base: usize, node: &'p Node) -> Walked<'p> {
        let mut more = self.scan.enter(b'}')?;
        while more {
            let key = self.scan.key()?;
            match self.find(node, key) {
                Some(below) => self.value(shape, base, &shape.nodes[usize::from(below)])?,
                None => self.unnamed(node, key)?,
            }
            more = self.scan.more(b'}')?;
        }
        Ok(())
    }

    #[inline]
    fn find(&mut self, node: &Node, key: Slot) -> Option<u16> {
        if key.kind == Kind::Text {
            return node
                .keys
                .get(&self.json.as_bytes()[key.start as usize..key.end as usize]);
        }
        let name = text::meant(key, self.json, &mut self.notes.decoded, &mut 0);
        node.keys.get(name.as_bytes())
    }

    fn unnamed(&mut self, node: &Node, key: Slot) -> Walked<'p> {
        if node.customs.is_some() {
            let value = self.scan.skip()?;
            self.undefined(key, value);
            return Ok(());
        }
        if node.counts_unknown {
            let name = text::meant(key, self.json, &mut self.notes.decoded, &mut 0);
            self.unknown.count(&node.path, name);
        }
        self.scan.skip()?;
        Ok(())
    }

    fn array(&mut self, shape: &'p Shape, base: usize, node: &'p Node) -> Walked<'p> {
        let mut more = self.scan.enter(b']')?;
        while more {
            match (node.elements, node.customs) {
                (Some(tree), _) => self.row(tree, base)?,
                (None, Some(CustomBy::Id)) => self.custom(shape, base, node)?,
                _ => self.element(shape, base, node)?,
            }
            more = self.scan.more(b']')?;
        }
        Ok(())
    }

    /// Of an array that stands twice the first one's elements, and what stands within them, count no more.
    fn forget_elements(&mut self, base: usize, node: &Node) {
        let is_met = |slot: u16| self.notes.slots[base + usize::from(slot)].kind != Kind::Absent;
        if !node.slot.is_some_and(is_met) {
            return;
        }
        let mut forgotten = Vec::new();
        self.notes.elements.retain(|element| {
            let is_own = element.above == base && Some(element.tree) == node.elements;
            let is_gone = is_own || forgotten.contains(&element.above);
            if is_gone {
                forgotten.push(element.base);
            }
            !is_gone
        });
    }

    /// Reads an element that is a row.
    fn row(&mut self, tree: u16, above: usize) -> Walked<'p> {
        let shape = &self.trees[usize::from(tree)];
        let base = self.notes.slots.len();
        self.notes.slots.resize(base + usize::from(shape.slots), Slot::ABSENT);
        self.notes.elements.push(Element { tree, base, above });
        self.value(shape, base, &shape.nodes[0])
    }

    /// Reads an element of custom fields in one pass: its `id` says which field it is, and `value` is all that it has.
    fn custom(&mut self, shape: &'p Shape, base: usize, node: &'p Node) -> Walked<'p> {
        if self.scan.peek()? != b'{' {
            self.scan.skip()?;
            return Ok(());
        }
        let (mut id, mut value) = (Slot::ABSENT, Slot::ABSENT);
        let mut more = self.scan.enter(b'}')?;
        while more {
            let key = self.scan.key()?;
            let held = self.scan.skip()?;
            match key.of(self.json) {
                "id" => id = held,
                "value" => value = held,
                _ => {}
            }
            more = self.scan.more(b'}')?;
        }
        if !matches!(id.kind, Kind::Number | Kind::Text) {
            return Ok(());
        }
        let of = |selector: &'p Selector| selector.values.get(id.of(self.json).as_bytes());
        let Some(field) = node.selectors.iter().find_map(of) else {
            self.undefined(id, value);
            return Ok(());
        };
        let field = &shape.nodes[usize::from(field)];
        let place = |slot: u16| base + usize::from(slot);
        let is_met = field
            .slot
            .is_some_and(|slot| self.notes.slots[place(slot)].kind != Kind::Absent);
        if let (Some(held), false) = (field.keys.get(b"value"), is_met) {
            self.note(base, field, id);
            self.note(base, &shape.nodes[usize::from(held)], value);
        }
        Ok(())
    }

    /// Notes a custom field that has a value and no column.
    fn undefined(&mut self, name: Slot, value: Slot) {
        if value.is_nothing() {
            return;
        }
        let name = text::meant(name, self.json, &mut self.notes.decoded, &mut 0);
        if !self.notes.undefined.iter().any(|held| held == name) {
            self.notes.undefined.push(name.to_owned());
        }
    }

    /// Reads an element by the selectors that it is the first to satisfy.
    fn element(&mut self, shape: &'p Shape, base: usize, node: &'p Node) -> Walked<'p> {
        self.scan.peek()?;
        let start = self.scan.at();
        if self.scan.skip()?.kind != Kind::Object {
            return Ok(());
        }
        let end = self.scan.clone();
        for selector in &node.selectors {
            let Some(chosen) = self.chosen(selector, start)? else {
                continue;
            };
            let chosen = &shape.nodes[usize::from(chosen)];
            let met = chosen
                .slot
                .is_some_and(|slot| self.notes.slots[base + usize::from(slot)].kind != Kind::Absent);
            if met {
                continue;
            }
            self.scan = Scanner::new(self.json, start);
            self.value(shape, base, chosen)?;
        }
        self.scan = end;
        Ok(())
    }

    /// The node for the object at `start`, by the last of its members that the selector names.
    fn chosen(&mut self, selector: &'p Selector, start: usize) -> Walked<'p, Option<u16>> {
        let mut scan = Scanner::new(self.json, start);
        let mut chosen = None;
        let mut more = scan.enter(b'}')?;
        while more {
            let key = scan.key()?;
            let value = scan.skip()?;
            let is_named = text::meant(key, self.json, &mut self.notes.decoded, &mut 0) == &*selector.key;
            if is_named {
                let told = value.is_text() || value.kind == Kind::Number;
                let text = text::meant(value, self.json, &mut self.notes.decoded, &mut 0);
                chosen = if told {
                    selector.values.get(text.as_bytes())
                } else {
                    None
                };
            }
            more = scan.more(b'}')?;
        }
        Ok(chosen)
    }
}
