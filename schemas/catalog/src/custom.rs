//! The column of a custom field, as the rules topic remembers it.

use serde::{Deserialize, Serialize};

use crate::{Action, Class, ColumnType};

const KEY: &str = "column/";

/// A column of a custom field: named and typed once, when the field was first told of.
///
/// In the rules topic it stands under [`CustomColumn::key_of`]; the title alone may change.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CustomColumn {
    /// Its place among the custom columns of its table, from 1 on.
    pub number: u32,
    /// Its name in the warehouse.
    pub name: String,
    /// The type of its values.
    pub r#type: ColumnType,
    /// What may stand in it.
    pub class: Class,
    /// Zendesk's name of the field's type.
    pub kind: String,
    /// The key under which records carry the field, where they do.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub key: Option<String>,
    /// The field's title, for people.
    pub title: String,
    /// When the source gave it that title, microseconds.
    pub seen_at: i64,
}

impl CustomColumn {
    /// The key of a field's column in the rules topic.
    pub fn key_of(table: &str, field: i64) -> String {
        format!("{KEY}{table}/{field}")
    }

    /// The table and the field of such a key; `None` of other keys.
    pub fn place(key: &str) -> Option<(&str, i64)> {
        let (table, field) = key.strip_prefix(KEY)?.split_once('/')?;
        Some((table, field.parse().ok()?))
    }

    /// What happens to its values unless the user says otherwise: what people write is redacted, ids are clear.
    pub fn default_action(&self) -> Action {
        match self.class {
            Class::Text => Action::Redact,
            _ => Action::Clear,
        }
    }

    /// What is said about it.
    pub fn doc(&self, field: i64) -> String {
        format!("{} (custom field {field}, {})", self.title, self.kind)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn records_are_kept_in_this_form() {
        let form = r#"{"number":1,"name":"custom_order_no","type":"string","class":"text","kind":"text","title":"Order No.","seen_at":1}"#;
        let column: CustomColumn = serde_json::from_str(form).expect("the form");
        assert_eq!(serde_json::to_string(&column).expect("plain data"), form);
        assert_eq!(column.default_action(), Action::Redact);
        assert_eq!(column.doc(7), "Order No. (custom field 7, text)");
        assert_eq!(CustomColumn::key_of("tickets", 7), "column/tickets/7");
        assert_eq!(CustomColumn::place("column/tickets/7"), Some(("tickets", 7)));
        assert_eq!(CustomColumn::place("erase/person/7"), None);
    }
}
