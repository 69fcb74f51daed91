use std::collections::BTreeMap;

use zenfloe_catalog::{Catalog, Class, ColumnType, CustomColumn};
use zenfloe_normalize::slug;
use zenfloe_record::Micros;

/// Letters of a title in a name that stands alone; with the id of the field fewer, as PostgreSQL takes 63.
const LETTERS: usize = 40;
const LETTERS_BEFORE_ID: usize = 28;
/// What a column of tokens under the next key is called behind the column's name.
const NEXT: &str = "_next";

/// A field's definition as the source tells it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Definition {
    pub(crate) id: i64,
    /// Zendesk's name of its type.
    pub(crate) kind: String,
    pub(crate) title: String,
    /// The key under which records carry it, where they do.
    pub(crate) key: Option<String>,
    /// What a lookup points to.
    pub(crate) target: Option<String>,
    /// When the source said so.
    pub(crate) seen_at: Micros,
}

/// The columns of all custom fields.
#[derive(Debug, Clone, Default)]
pub(crate) struct Columns {
    by_table: BTreeMap<String, BTreeMap<i64, CustomColumn>>,
    /// Rises with every change.
    stamp: u64,
}

impl Columns {
    /// Takes over what the rules topic says.
    pub(crate) fn take(&mut self, table: &str, id: i64, column: CustomColumn) {
        let held = self.by_table.entry(table.to_owned()).or_default();
        let is_news = held.get(&id) != Some(&column);
        held.insert(id, column);
        self.stamp += u64::from(is_news);
    }

    /// A number that differs once something has changed.
    pub(crate) fn stamp(&self) -> u64 {
        self.stamp
    }

    /// The columns of a table with their fields, in their order.
    pub(crate) fn of(&self, table: &str) -> Vec<(i64, &CustomColumn)> {
        let held = self.by_table.get(table).into_iter().flatten();
        let mut all: Vec<_> = held.map(|(id, column)| (*id, column)).collect();
        all.sort_by_key(|(id, column)| (column.number, *id));
        all
    }

    /// Claims that a field, which a record names by id or key, has a column.
    pub(crate) fn knows(&self, table: &str, field: &str) -> bool {
        let mut held = self.by_table.get(table).into_iter().flatten();
        held.any(|(id, column)| column.key.as_deref() == Some(field) || id.to_string() == field)
    }

    /// What is to be written about a table's definitions: columns of new fields, and titles that have changed.
    pub(crate) fn news(&self, catalog: &Catalog, table: &str, definitions: &[Definition]) -> Vec<(i64, CustomColumn)> {
        let mut with = self.clone();
        let mut news = Vec::new();
        for definition in definitions {
            let held = with.by_table.get(table).and_then(|held| held.get(&definition.id));
            let column = match held {
                Some(held) if held.title == definition.title || held.seen_at >= definition.seen_at => continue,
                Some(held) => CustomColumn {
                    title: definition.title.clone(),
                    seen_at: definition.seen_at,
                    ..held.clone()
                },
                None => with.made(catalog, table, definition),
            };
            with.take(table, definition.id, column.clone());
            news.push((definition.id, column));
        }
        news
    }

    fn made(&self, catalog: &Catalog, table: &str, definition: &Definition) -> CustomColumn {
        let (r#type, class) = typed(&definition.kind, definition.target.as_deref());
        let numbers = self.of(table).into_iter().map(|(_, column)| column.number);
        CustomColumn {
            number: numbers.max().unwrap_or(0) + 1,
            name: self.name(catalog, table, definition),
            r#type,
            class,
            kind: definition.kind.clone(),
            key: definition.key.clone(),
            title: definition.title.clone(),
            seen_at: definition.seen_at,
        }
    }

    /// A name of a field's title; of one that has none, or whose name another column has, the id tells it apart.
    fn name(&self, catalog: &Catalog, table: &str, definition: &Definition) -> String {
        let id = definition.id;
        let own = catalog.table(table).map(|(_, table)| &table.columns);
        let is_taken = |name: &str| {
            let is_own = own.is_some_and(|columns| columns.iter().any(|column| column.name == name));
            // A name may be followed by the mark of the next key.
            is_own || name.ends_with(NEXT) || self.of(table).iter().any(|(_, held)| held.name == name)
        };
        let slug = slug_of(&definition.title);
        if slug.is_empty() {
            return format!("custom_{id}");
        }
        let plain = format!("custom_{}", cut(&slug, LETTERS));
        if is_taken(&plain) {
            format!("custom_{}_{id}", cut(&slug, LETTERS_BEFORE_ID))
        } else {
            plain
        }
    }
}

fn slug_of(title: &str) -> String {
    let mut out = String::new();
    slug(title, &mut out);
    // Names of nothing but digits are kept for ids.
    if out.bytes().all(|byte| byte.is_ascii_digit() || byte == b'_') {
        out.clear();
    }
    out
}

/// The beginning of an ASCII text.
fn cut(slug: &str, letters: usize) -> &str {
    slug[..slug.len().min(letters)].trim_end_matches('_')
}

/// Type and class of the values of a field. Whatever people write, and whatever is not known, may be personal.
fn typed(kind: &str, target: Option<&str>) -> (ColumnType, Class) {
    match kind {
        "checkbox" => (ColumnType::Boolean, Class::None),
        "integer" => (ColumnType::Long, Class::None),
        "decimal" => (ColumnType::Double, Class::None),
        "date" => (ColumnType::Date, Class::None),
        "tagger" | "dropdown" => (ColumnType::String, Class::None),
        "multiselect" => (ColumnType::Json, Class::None),
        "lookup" if target == Some("zen:user") => (ColumnType::String, Class::ExternalId),
        "lookup" => (ColumnType::String, Class::None),
        "text" | "textarea" | "regexp" | "partialcreditcard" => (ColumnType::String, Class::Text),
        _ => (ColumnType::Json, Class::Text),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn definition(id: i64, title: &str) -> Definition {
        Definition {
            id,
            kind: "text".into(),
            title: title.into(),
            key: None,
            target: None,
            seen_at: 1,
        }
    }

    fn named(titles: &[&str]) -> (Columns, Vec<String>) {
        let mut columns = Columns::default();
        let definitions: Vec<_> = titles
            .iter()
            .zip(1..)
            .map(|(title, id)| definition(id, title))
            .collect();
        let news = columns.news(Catalog::builtin(), "tickets", &definitions);
        for (id, column) in &news {
            columns.take("tickets", *id, column.clone());
        }
        let names = news.into_iter().map(|(_, column)| column.name).collect();
        (columns, names)
    }

    #[test]
    fn names_are_made_of_titles_and_never_twice() {
        let long = "A".repeat(100);
        let titles = [
            "Order No.",
            "order no",
            "  ",
            "注文",
            "Status ID",
            "Due next",
            "12",
            &long,
        ];
        let (_, names) = named(&titles);
        let long = format!("custom_{}", "a".repeat(40));
        let expected = [
            "custom_order_no",
            "custom_order_no_2",
            "custom_3",
            "custom_4",
            "custom_status_id_5",
            "custom_due_next_6",
            "custom_7",
            &long,
        ];
        assert_eq!(names, expected);
    }

    #[test]
    fn a_swap_of_titles_changes_what_is_said_alone() {
        let (mut columns, _) = named(&["First", "Second"]);
        let swapped = [(1, "Second"), (2, "First")].map(|(id, title)| Definition {
            seen_at: 2,
            ..definition(id, title)
        });
        for (id, column) in columns.news(Catalog::builtin(), "tickets", &swapped) {
            columns.take("tickets", id, column);
        }
        let shown: Vec<_> = columns
            .of("tickets")
            .into_iter()
            .map(|(id, column)| (id, column.number, column.name.as_str(), column.title.as_str()))
            .collect();
        assert_eq!(
            shown,
            [(1, 1, "custom_first", "Second"), (2, 2, "custom_second", "First")]
        );
        let old = [definition(1, "First")];
        assert!(
            columns.news(Catalog::builtin(), "tickets", &old).is_empty(),
            "an older word"
        );
    }

    #[test]
    fn a_field_is_known_by_its_id_or_its_key() {
        let (mut columns, _) = named(&["Tier"]);
        assert!(columns.knows("tickets", "1") && !columns.knows("tickets", "2"));
        let keyed = CustomColumn {
            key: Some("tier".into()),
            ..columns.of("tickets")[0].1.clone()
        };
        columns.take("users", 9, keyed);
        assert!(columns.knows("users", "tier") && columns.knows("users", "9"));
    }
}
