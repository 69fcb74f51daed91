use zenfloe_catalog::{
    Action, Changed, Class, Collection, Column, ColumnType, Custom, CustomBy, CustomColumn, Path, Step,
};
use zenfloe_normalize::Choice;

use super::Columns;
use crate::Config;
use crate::columns::{Wish, wish};

/// A collection and the choice of its columns, with the columns of custom fields as they are known.
///
/// A wish that cannot be followed (a token of a number) drops the column: a field that appears must not stop anybody.
pub(crate) fn extended(
    collection: &Collection,
    choice: &Choice,
    columns: &Columns,
    config: &Config,
) -> (Collection, Choice) {
    let (mut collection, mut choice) = (collection.clone(), choice.clone());
    for table in &mut collection.tables {
        for column in table.columns.iter_mut().filter(|column| column.custom.is_some()) {
            let (Some(of), Some(at)) = (&column.of, &column.custom) else {
                continue;
            };
            for (id, custom) in columns.of(of) {
                let (class, action) = treated(custom, wish(config, of, &custom.name));
                let path = below(at, [Step::Key(id.to_string())]);
                let changed = Changed { path, class, action };
                column.changes.insert(custom.name.clone(), changed);
            }
        }
        let Some(custom) = table.custom.clone() else { continue };
        for (id, held) in columns.of(&table.name) {
            let wish = wish(config, &table.name, &held.name);
            if wish == Wish::Out {
                choice.excluded.insert((table.name.clone(), held.name.clone()));
            }
            let (class, action) = treated(held, wish);
            let Some(path) = path(&custom, id, held) else { continue };
            table.columns.push(Column {
                name: held.name.clone(),
                path,
                r#type: held.r#type,
                op: None,
                of: None,
                changes: Default::default(),
                custom: None,
                class,
                class_by: None,
                action,
                doc: held.doc(id),
            });
        }
    }
    (collection, choice)
}

/// Class and action under a wish.
fn treated(column: &CustomColumn, wish: Wish) -> (Class, Action) {
    let action = match wish {
        Wish::Own => column.default_action(),
        Wish::Out => Action::Drop,
        Wish::Be(action) => action,
    };
    let is_text = matches!(column.r#type, ColumnType::String | ColumnType::Json);
    match (action, column.r#type) {
        // The whole of a text is somebody's id in the customer's own words.
        (Action::Token, ColumnType::String) => (Class::ExternalId, action),
        (Action::Redact, _) if is_text => (column.class, action),
        (Action::Coarse, ColumnType::Date) | (Action::Clear | Action::Drop, _) => (column.class, action),
        (Action::Token | Action::Redact | Action::Coarse, _) => (column.class, Action::Drop),
    }
}

/// Where a record carries a field's value.
fn path(custom: &Custom, id: i64, column: &CustomColumn) -> Option<Path> {
    match custom.by {
        CustomBy::Id => {
            let element = Step::Element {
                key: "id".to_owned(),
                value: id.to_string(),
            };
            Some(below(&custom.at, [element, Step::Key("value".to_owned())]))
        }
        CustomBy::Key => Some(below(&custom.at, [Step::Key(column.key.clone()?)])),
    }
}

fn below(at: &Path, steps: impl IntoIterator<Item = Step>) -> Path {
    let mut path = at.clone();
    path.steps.extend(steps);
    path
}
