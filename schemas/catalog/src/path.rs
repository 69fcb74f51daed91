// Where a value stands in a record; compiled twice, for the build script and for the crate.

use serde::{Deserialize, Serialize};

/// A place in a record: keys from the row downwards, or from the record where it begins with `$`, or from the
/// element around the row where it begins with `^`.
///
/// Written `via.source.rel`, `$.id`, or with a selector of one array element by a text field:
/// `policy_metrics[metric=first_reply_time].stage`. The empty path is the row itself.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Path {
    /// Starts at the record rather than at the row.
    pub from_record: bool,
    /// Starts at the element within which the row's array stands.
    #[serde(default)]
    pub from_above: bool,
    /// The steps downwards.
    pub steps: Vec<Step>,
}

/// One step of a [`Path`].
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Step {
    /// The value under a key of an object.
    Key(String),
    /// The first element of an array of objects whose text field `key` is `value`.
    Element {
        /// The field to compare.
        key: String,
        /// What it must be.
        value: String,
    },
}

impl Path {
    /// Reads the written form; the error says what is wrong with it.
    pub fn parse(text: &str) -> Result<Self, String> {
        let (from_record, from_above) = (text.starts_with('$'), text.starts_with('^'));
        let rest = match text.strip_prefix(['$', '^']) {
            Some(rest) => rest.strip_prefix('.').unwrap_or(rest),
            None => text,
        };
        let mut steps = Vec::new();
        for part in rest.split('.').filter(|_| !rest.is_empty()) {
            let (key, selector) = match part.split_once('[') {
                Some((key, selector)) => (key, Some(selector)),
                None => (part, None),
            };
            let legal = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | ':');
            if key.is_empty() || !key.chars().all(legal) {
                return Err(format!("`{part}` is no key"));
            }
            steps.push(Step::Key(key.to_owned()));
            if let Some(selector) = selector {
                let (key, value) = selector
                    .strip_suffix(']')
                    .and_then(|inner| inner.split_once('='))
                    .ok_or_else(|| format!("`[{selector}` is no selector, write `[key=value]`"))?;
                steps.push(Step::Element {
                    key: key.to_owned(),
                    value: value.to_owned(),
                });
            }
        }
        Ok(Self {
            from_record,
            from_above,
            steps,
        })
    }

    /// The same path without selectors.
    pub fn keys_alone(&self) -> Self {
        let keys = self.steps.iter().filter(|step| matches!(step, Step::Key(_)));
        Self {
            steps: keys.cloned().collect(),
            ..*self
        }
    }
}

impl std::fmt::Display for Path {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let mut between = match (self.from_record, self.from_above) {
            (true, _) => "$.",
            (_, true) => "^.",
            _ => "",
        };
        for step in &self.steps {
            match step {
                Step::Key(key) => write!(f, "{between}{key}")?,
                Step::Element { key, value } => write!(f, "[{key}={value}]")?,
            }
            between = ".";
        }
        Ok(())
    }
}
