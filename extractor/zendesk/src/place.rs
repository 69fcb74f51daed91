use serde::{Deserialize, Serialize};

/// Where the reading of a collection stands; kept by the caller between calls and over restarts.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "at", rename_all = "snake_case")]
pub enum Place {
    /// The beginning: everything that changed since a time, or the first page of a list.
    Start {
        /// Whole seconds since 1970; 0 for all of history. Lists do not heed it.
        since: i64,
        /// Rows up to this second have been delivered from here; see [`Place::Cursor`].
        #[serde(default, skip_serializing_if = "Option::is_none")]
        delivered_to: Option<i64>,
    },
    /// Behind a page of a cursor export.
    Cursor {
        /// Zendesk's cursor.
        cursor: String,
        /// The time of the last row before it: where to start again should the cursor be refused.
        time: Option<i64>,
        /// The page after the cursor has been delivered up to this second, the younger rows held back
        /// because their seconds could still grow: the page is asked for again without what was delivered.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        delivered_to: Option<i64>,
    },
    /// Behind a page of a time export.
    Time {
        /// The next request's start, whole seconds since 1970.
        start_time: i64,
        /// Keys of the rows of that very second that have been delivered: the next page repeats them.
        seen: Vec<String>,
    },
    /// Within a list.
    List {
        /// Zendesk's cursor.
        after: String,
        /// Pages of this pass that lie behind, at least 1.
        page: u32,
    },
    /// Within or between passes over what changes in a list by time.
    Window {
        /// States up to this second have been delivered by the passes before; `None` before the first one.
        delivered_to: Option<i64>,
        /// The pass delivers states up to this second; `None` before its first page.
        to: Option<i64>,
        /// Zendesk's cursor behind the pass's last page.
        after: Option<String>,
        /// History is wanted from this second on, whole seconds since 1970.
        since: i64,
    },
    /// Within the past of an export: what changed before a second. Whoever reads on from that second
    /// meets the rest, and together they miss nothing and repeat nothing, for a row that changes
    /// meanwhile leaves the past.
    Past {
        /// Where the past ends, whole seconds since 1970; this second no longer belongs to it.
        until: i64,
        /// Where its reading stands.
        place: Box<Place>,
    },
}

impl Place {
    /// The beginning of a collection's history.
    pub fn start() -> Self {
        Self::since(0)
    }

    /// The beginning of what changed since `since` (whole seconds since 1970).
    pub fn since(since: i64) -> Self {
        Self::Start {
            since,
            delivered_to: None,
        }
    }

    /// From this place on what changed before `until` alone.
    pub fn until(self, until: i64) -> Self {
        Self::Past {
            until,
            place: Box::new(self),
        }
    }

    /// The place itself, and where the past ends in which it lies.
    pub(crate) fn bounded(&self) -> (&Self, Option<i64>) {
        match self {
            Self::Past { until, place } => {
                let (place, inner) = place.bounded();
                (place, Some(inner.map_or(*until, |inner| inner.min(*until))))
            }
            place => (place, None),
        }
    }

    /// The number of the list's page that comes next, from 0.
    pub fn list_page(&self) -> u32 {
        match self {
            Self::List { page, .. } => *page,
            _ => 0,
        }
    }

    /// Claims that a pass has begun here that is not over: only lists have a middle.
    pub fn is_midway(&self) -> bool {
        matches!(self, Self::List { .. } | Self::Window { after: Some(_), .. })
    }

    pub(crate) fn delivered_to(&self) -> Option<i64> {
        match self {
            Self::Start { delivered_to, .. } | Self::Cursor { delivered_to, .. } => *delivered_to,
            Self::Time { .. } | Self::List { .. } | Self::Window { .. } | Self::Past { .. } => None,
        }
    }

    /// The same place with rows up to a second delivered from it.
    pub(crate) fn delivered(&self, to: i64) -> Self {
        let mut place = self.clone();
        match &mut place {
            Self::Start { delivered_to, .. } | Self::Cursor { delivered_to, .. } => *delivered_to = Some(to),
            Self::Time { .. } | Self::List { .. } | Self::Window { .. } | Self::Past { .. } => {}
        }
        place
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_kept_form_is_fixed() {
        let check = |place: Place, json: &str| {
            assert_eq!(serde_json::to_string(&place).expect("plain data"), json);
            assert_eq!(serde_json::from_str::<Place>(json).expect("its own form"), place);
        };
        check(Place::start(), r#"{"at":"start","since":0}"#);
        check(
            Place::Cursor {
                cursor: "c".into(),
                time: Some(7),
                delivered_to: None,
            },
            r#"{"at":"cursor","cursor":"c","time":7}"#,
        );
        check(
            Place::Time {
                start_time: 7,
                seen: vec!["1".into()],
            },
            r#"{"at":"time","start_time":7,"seen":["1"]}"#,
        );
        check(
            Place::List {
                after: "a".into(),
                page: 1,
            },
            r#"{"at":"list","after":"a","page":1}"#,
        );
        check(
            Place::Window {
                delivered_to: Some(7),
                to: None,
                after: None,
                since: 0,
            },
            r#"{"at":"window","delivered_to":7,"to":null,"after":null,"since":0}"#,
        );
        check(
            Place::since(5).until(9),
            r#"{"at":"past","until":9,"place":{"at":"start","since":5}}"#,
        );
    }
}
