use std::fmt;

use zenfloe_catalog::Class;
use zenfloe_keyring::Tokens;

use crate::find::{Finder, Span};
use crate::kind::Kind;
use crate::normal::{network, normal_form};
use crate::phone::{Phones, UnknownRegion};
use crate::{Erased, Guard, People, fold};

/// How often what was made safe; kinds and counts, never values.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Counts {
    tokens: [u64; Kind::ALL.len()],
    placeholders: [u64; Kind::ALL.len()],
}

impl Counts {
    /// Tokens in columns of their own, by kind; kinds without any are left out.
    pub fn tokens(&self) -> impl Iterator<Item = (Kind, u64)> {
        by_kind(&self.tokens)
    }

    /// Placeholders in texts, by kind; kinds without any are left out.
    pub fn placeholders(&self) -> impl Iterator<Item = (Kind, u64)> {
        by_kind(&self.placeholders)
    }
}

fn by_kind(counts: &[u64; Kind::ALL.len()]) -> impl Iterator<Item = (Kind, u64)> {
    Kind::ALL.into_iter().zip(*counts).filter(|(_, count)| *count > 0)
}

/// What stands in the place of an erased person.
const ERASED: &str = "[erased]";

/// Makes the values of one source safe.
#[derive(Clone)]
pub struct Privacy {
    tokens: Tokens,
    finder: Finder,
    counts: Counts,
    // Reused from value to value.
    normal: String,
    spans: Vec<Span>,
}

impl Privacy {
    /// `tokens` of the source (or its join domain) over [`TOKEN_CLASSES`](crate::TOKEN_CLASSES); `regions`: ISO 3166
    /// codes in whose national form telephone numbers may be written, the first one being the one that columns are
    /// read by.
    pub fn new<S: AsRef<str>>(tokens: Tokens, regions: &[S]) -> Result<Self, UnknownRegion> {
        Ok(Self {
            tokens,
            finder: Finder::new(Phones::new(regions)?, People::new()),
            counts: Counts::default(),
            normal: String::new(),
            spans: Vec::new(),
        })
    }

    /// The same with people and organizations that the source knows; they are shared, and may become more at any time.
    #[must_use]
    pub fn with_people(self, people: People) -> Self {
        let erased = self.finder.whoever_erased();
        let finder = Finder::new(self.finder.phones().clone(), people).with_erased(erased);
        Self { finder, ..self }
    }

    /// The same with people who were erased; they are shared, and may become more at any time.
    #[must_use]
    pub fn with_erased(self, erased: Erased) -> Self {
        let finder = self.finder.with_erased(Some(erased));
        Self { finder, ..self }
    }

    /// How telephone numbers are read: what people are learnt by.
    pub fn phones(&self) -> &Phones {
        self.finder.phones()
    }

    /// Counts since the beginning.
    pub fn counts(&self) -> &Counts {
        &self.counts
    }

    /// Appends `[kind:token]`.
    fn placeholder(&mut self, span: &Span, out: &mut String) {
        self.normal.clear();
        let kind = if span.is_normal {
            self.normal.push_str(&span.value);
            span.kind
        } else {
            normal_form(span.kind, &span.value, self.finder.phones(), &mut self.normal).unwrap_or(span.kind)
        };
        let is_erased = span.is_erased
            || self
                .finder
                .erased()
                .is_some_and(|erased| erased.holds(kind, &self.normal));
        if is_erased {
            out.push_str(ERASED);
            return;
        }
        self.counts.placeholders[kind.index()] += 1;
        out.push('[');
        out.push_str(kind.as_str());
        out.push(':');
        self.tokens.write(kind.as_str(), self.normal.as_bytes(), out);
        out.push(']');
    }
}

impl Guard for Privacy {
    fn token(&mut self, class: Class, value: &str, out: &mut String) -> bool {
        self.normal.clear();
        let Some(kind) = normal_form(class.into(), value, self.finder.phones(), &mut self.normal) else {
            return false;
        };
        if self
            .finder
            .erased()
            .is_some_and(|erased| erased.holds(kind, &self.normal))
        {
            return false;
        }
        self.tokens.write(kind.as_str(), self.normal.as_bytes(), out);
        self.counts.tokens[kind.index()] += 1;
        true
    }

    fn redact(&mut self, text: &str, out: &mut String) {
        let mut spans = std::mem::take(&mut self.spans);
        self.finder.find(text, &mut spans);
        let mut copied = 0;
        for span in &spans {
            out.push_str(&text[copied..span.range.start]);
            self.placeholder(span, out);
            copied = span.range.end;
        }
        out.push_str(&text[copied..]);
        self.spans = spans;
    }

    fn coarse(&mut self, class: Class, value: &str, out: &mut String) -> bool {
        class == Class::Ip && !value.contains(fold::is_invisible) && network(value, out)
    }
}

/// Holds neither keys nor values.
impl fmt::Debug for Privacy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Privacy")
            .field("tokens", &self.tokens)
            .field("counts", &self.counts)
            .finish_non_exhaustive()
    }
}
