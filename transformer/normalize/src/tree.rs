//! The places that a plan reads, as a tree of names, and the slots in which their values are noted.

use std::ops::Range;

use zenfloe_catalog::{CustomBy, Step};

use crate::keys::{Entries, Keys};
use crate::scan::Kind;

/// A place in a record (or in an element of an array), and what to do with the value there.
#[derive(Debug)]
pub(crate) struct Node {
    /// The path for people.
    pub(crate) path: Box<str>,
    /// Where the value is noted.
    pub(crate) slot: Option<u16>,
    /// Every slot at or below this place: what a second member of the same name makes void.
    pub(crate) slots: Range<u16>,
    /// The members that are read or known; the value is an object.
    pub(crate) keys: Keys,
    /// The elements that are read by the value of one of their fields; the value is an array.
    pub(crate) selectors: Vec<Selector>,
    /// The elements are rows, of the elements' tree of this index; the value is an array.
    pub(crate) elements: Option<u16>,
    /// Members that nobody names are counted.
    pub(crate) counts_unknown: bool,
    /// Values of custom fields: those that nobody names have a definition that is not known yet.
    pub(crate) customs: Option<CustomBy>,
    /// The value may be no container as well.
    pub(crate) is_loose: bool,
}

impl Node {
    /// What a value here has to be, if it has to be a container.
    pub(crate) fn wanted(&self) -> Option<Kind> {
        if !self.keys.is_empty() || self.customs == Some(CustomBy::Key) {
            Some(Kind::Object)
        } else if self.elements.is_some() || !self.selectors.is_empty() || self.customs == Some(CustomBy::Id) {
            Some(Kind::Array)
        } else {
            None
        }
    }
}

/// Elements told by one field: its values, and the nodes of the elements that have them.
#[derive(Debug)]
pub(crate) struct Selector {
    pub(crate) key: Box<str>,
    pub(crate) values: Keys,
}

/// A finished tree; its root is node 0.
#[derive(Debug, Default)]
pub(crate) struct Shape {
    pub(crate) nodes: Vec<Node>,
    pub(crate) slots: u16,
}

/// A tree that grows.
#[derive(Debug)]
pub(crate) struct Tree {
    drafts: Vec<Draft>,
}

#[derive(Debug, Default)]
struct Draft {
    path: String,
    has_slot: bool,
    keys: Vec<(String, usize)>,
    selected: Vec<(String, String, usize)>,
    elements: Option<u16>,
    counts_unknown: bool,
    customs: Option<CustomBy>,
    is_loose: bool,
}

/// A node of a growing tree.
pub(crate) type NodeId = usize;

impl Tree {
    /// A tree whose root stands at `path`.
    pub(crate) fn new(path: String) -> Self {
        Self {
            drafts: vec![Draft {
                path,
                ..Draft::default()
            }],
        }
    }

    /// The node at the end of some steps from another one; made where it is not there.
    pub(crate) fn place(&mut self, from: NodeId, steps: &[Step]) -> NodeId {
        steps.iter().fold(from, |at, step| match step {
            Step::Key(key) => self.member(at, key),
            Step::Element { key, value } => self.element(at, key, value),
        })
    }

    fn member(&mut self, at: NodeId, key: &str) -> NodeId {
        if let Some((_, held)) = self.drafts[at].keys.iter().find(|(held, _)| held == key) {
            return *held;
        }
        let dot = if self.drafts[at].path.is_empty() { "" } else { "." };
        let made = self.add(format!("{}{dot}{key}", self.drafts[at].path));
        self.drafts[at].keys.push((key.to_owned(), made));
        made
    }

    fn element(&mut self, at: NodeId, key: &str, value: &str) -> NodeId {
        let mut held = self.drafts[at].selected.iter();
        if let Some((.., held)) = held.find(|(name, text, _)| name == key && text == value) {
            return *held;
        }
        let made = self.add(format!("{}[{key}={value}]", self.drafts[at].path));
        self.drafts[at].selected.push((key.to_owned(), value.to_owned(), made));
        // Its slot tells whether an element of this value has been met before.
        self.drafts[made].has_slot = true;
        made
    }

    fn add(&mut self, path: String) -> NodeId {
        self.drafts.push(Draft {
            path,
            ..Draft::default()
        });
        self.drafts.len() - 1
    }

    /// Asks for the value at a node.
    pub(crate) fn want(&mut self, at: NodeId) {
        self.drafts[at].has_slot = true;
    }

    /// Makes the elements at a node rows.
    pub(crate) fn rows(&mut self, at: NodeId, elements: u16) {
        self.drafts[at].elements = Some(elements);
        self.drafts[at].has_slot = true;
    }

    /// Asks for the names that nobody reads there.
    pub(crate) fn count_unknown(&mut self, at: NodeId) {
        self.drafts[at].counts_unknown = true;
    }

    /// Asks for the custom fields that nobody reads there.
    pub(crate) fn customs(&mut self, at: NodeId, by: CustomBy) {
        self.drafts[at].customs = Some(by);
    }

    /// Lets a value be no container where members are read of one.
    pub(crate) fn loosen(&mut self, at: NodeId) {
        self.drafts[at].is_loose = true;
    }

    /// Numbers nodes and slots from the root downwards; gives the tree and the slots of the nodes.
    ///
    /// The error is the path of a place that would have to be an object and an array, or names the size.
    pub(crate) fn finish(self) -> Result<(Shape, Vec<Option<u16>>), String> {
        if self.drafts.len() >= usize::from(u16::MAX) {
            return Err("has more places than a plan can hold".to_owned());
        }
        let mut numbering = Numbering {
            slots: vec![None; self.drafts.len()],
            drafts: &self.drafts,
            nodes: Vec::new(),
            next_slot: 0,
        };
        numbering.number(0)?;
        let (nodes, slots) = (numbering.nodes, numbering.slots);
        let nodes = nodes
            .into_iter()
            .map(|node| node.expect("every node is numbered once"))
            .collect();
        let shape = Shape {
            nodes,
            slots: numbering.next_slot,
        };
        Ok((shape, slots))
    }
}

struct Numbering<'d> {
    drafts: &'d [Draft],
    nodes: Vec<Option<Node>>,
    slots: Vec<Option<u16>>,
    next_slot: u16,
}

impl Numbering<'_> {
    fn number(&mut self, at: NodeId) -> Result<u16, String> {
        let draft = &self.drafts[at];
        let is_array = draft.elements.is_some() || !draft.selected.is_empty() || draft.customs == Some(CustomBy::Id);
        if is_array && !draft.keys.is_empty() {
            return Err(format!("`{}` would have to be an object and an array", draft.path));
        }
        let id = u16::try_from(self.nodes.len()).expect("fewer drafts than numbers");
        self.nodes.push(None);
        let first = self.next_slot;
        if draft.has_slot {
            self.slots[at] = Some(self.next_slot);
            self.next_slot += 1;
        }
        let mut keys = Vec::new();
        for (key, below) in &draft.keys {
            keys.push((key.as_str().into(), self.number(*below)?));
        }
        let selectors = self.selectors(draft)?;
        self.nodes[usize::from(id)] = Some(Node {
            path: draft.path.as_str().into(),
            slot: self.slots[at],
            slots: first..self.next_slot,
            keys: Keys::new(keys),
            selectors,
            elements: draft.elements,
            counts_unknown: draft.counts_unknown,
            customs: draft.customs,
            is_loose: draft.is_loose,
        });
        Ok(id)
    }

    fn selectors(&mut self, draft: &Draft) -> Result<Vec<Selector>, String> {
        let mut by_key: Vec<(&str, Entries)> = Vec::new();
        for (key, value, below) in &draft.selected {
            let entry = (value.as_str().into(), self.number(*below)?);
            match by_key.iter_mut().find(|(held, _)| held == key) {
                Some((_, values)) => values.push(entry),
                None => by_key.push((key, vec![entry])),
            }
        }
        let selector = |(key, values): (&str, Entries)| Selector {
            key: key.into(),
            values: Keys::new(values),
        };
        Ok(by_key.into_iter().map(selector).collect())
    }
}
