use std::collections::{BTreeMap, HashMap, HashSet};

use crate::{Entry, State, Subject};

/// Everything that is erased of a source.
#[derive(Debug, Clone, Default)]
pub struct Erased {
    entries: BTreeMap<Subject, Entry>,
    tokens: HashSet<Box<str>>,
    /// Whether texts that they wrote stay.
    people: HashMap<i64, bool>,
    tickets: HashSet<i64>,
}

impl Erased {
    /// Nobody.
    pub fn new() -> Self {
        Self::default()
    }

    /// Takes an entry; returns whether more is erased than before.
    pub fn take(&mut self, subject: Subject, entry: Entry) -> bool {
        match subject {
            Subject::Person(id) => {
                let keeps_texts = self.people.get(&id).is_none_or(|held| *held) && entry.keeps_texts;
                self.people.insert(id, keeps_texts);
            }
            Subject::Ticket(id) => _ = self.tickets.insert(id),
            Subject::Address(_) => {}
        }
        self.tokens
            .extend(entry.tokens.iter().map(|token| token.token.as_str().into()));
        let held = self.entries.insert(subject, entry.clone());
        held.is_none_or(|held| held.tokens != entry.tokens || held.marks != entry.marks || held.state < State::Known)
    }

    /// Claims that nobody is erased.
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// The entry of a subject.
    pub fn get(&self, subject: &Subject) -> Option<&Entry> {
        self.entries.get(subject)
    }

    /// Every entry.
    pub fn entries(&self) -> impl Iterator<Item = (&Subject, &Entry)> {
        self.entries.iter()
    }

    /// Those whose tokens are known: what destinations are cleaned by.
    pub fn settled(&self) -> impl Iterator<Item = (&Subject, &Entry)> {
        self.entries().filter(|(_, entry)| entry.state >= State::Known)
    }

    /// Those that are still to be worked on.
    pub fn open(&self) -> impl Iterator<Item = (&Subject, &Entry)> {
        self.entries().filter(|(_, entry)| entry.state < State::Done)
    }

    pub(crate) fn is_token(&self, token: &str) -> bool {
        self.tokens.contains(token)
    }

    pub(crate) fn is_person(&self, id: i64) -> bool {
        self.people.contains_key(&id)
    }

    /// Claims that the texts that a person wrote are dropped.
    pub(crate) fn drops_texts_of(&self, id: i64) -> bool {
        self.people.get(&id) == Some(&false)
    }

    pub(crate) fn is_ticket(&self, id: i64) -> bool {
        self.tickets.contains(&id)
    }
}
