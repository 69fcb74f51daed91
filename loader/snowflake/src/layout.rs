//! What a batch is staged as: the columns of all its schemas beside each other, and two of the loader's own.

use std::sync::Arc;

use zenfloe_destination::{ColumnShape, ColumnType, Role, TableShape};

/// The column of the staging table that names the batch of a row.
pub(crate) const LOAD: &str = "_zf_load";
/// The column that says which schema a row had and whether it is gone; see [`Layout::kind`].
pub(crate) const KIND: &str = "_zf_kind";

/// The columns of a batch.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Layout {
    /// Columns in the order of the schemas, each once.
    pub(crate) columns: Vec<Staged>,
    /// The schemas, in the order in which they came.
    pub(crate) shapes: Vec<Known>,
    /// The primary key: indexes into `columns`.
    pub(crate) key: Vec<usize>,
}

/// One staged column.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Staged {
    pub(crate) name: String,
    pub(crate) kind: ColumnType,
    pub(crate) role: Role,
}

/// A schema of a batch.
#[derive(Debug, Clone)]
pub(crate) struct Known {
    pub(crate) shape: Arc<TableShape>,
    /// Where each of its columns stands in the layout.
    pub(crate) places: Vec<usize>,
    /// The layout's columns that it lacks.
    pub(crate) lacks: Vec<usize>,
}

impl PartialEq for Known {
    fn eq(&self, other: &Self) -> bool {
        self.places == other.places && self.lacks == other.lacks
    }
}

impl Eq for Known {}

impl Layout {
    /// Puts the columns of schemas of one table beside each other. Contract: at least one, with the same key.
    pub(crate) fn of(shapes: &[Arc<TableShape>]) -> Self {
        let mut columns: Vec<Staged> = Vec::new();
        let mut known = Vec::new();
        for shape in shapes {
            let places = shape.columns.iter().map(|column| place(&mut columns, column)).collect();
            known.push(Known {
                shape: shape.clone(),
                places,
                lacks: Vec::new(),
            });
        }
        for known in &mut known {
            known.lacks = (0..columns.len())
                .filter(|place| !known.places.contains(place))
                .collect();
        }
        let first = &known[0];
        let key = first.shape.key.iter().map(|column| first.places[*column]).collect();
        Self {
            key,
            shapes: known,
            columns,
        }
    }

    /// Which of the schemas this is.
    pub(crate) fn find(&self, shape: &Arc<TableShape>) -> Option<usize> {
        self.shapes.iter().position(|known| Arc::ptr_eq(&known.shape, shape))
    }

    /// What [`KIND`] says of a row: its schema's number, and below 0 the same of a row that is gone.
    pub(crate) fn kind(shape: usize, is_gone: bool) -> i32 {
        let number = shape as i32;
        if is_gone { -1 - number } else { number }
    }

    /// The numbers of the schemas that lack a column.
    pub(crate) fn lacking(&self, column: usize) -> Vec<i32> {
        let lacks = |(_, known): &(usize, &Known)| known.lacks.contains(&column);
        let lacking = self.shapes.iter().enumerate().filter(lacks);
        lacking.map(|(number, _)| Self::kind(number, false)).collect()
    }
}

fn place(columns: &mut Vec<Staged>, column: &ColumnShape) -> usize {
    if let Some(place) = columns.iter().position(|held| held.name == column.name) {
        return place;
    }
    columns.push(Staged {
        name: column.name.clone(),
        kind: column.kind,
        role: column.role,
    });
    columns.len() - 1
}

#[cfg(test)]
mod tests {
    use zenfloe_destination::contract::Sample;

    use super::*;

    #[test]
    fn schemas_of_one_table_stand_beside_each_other() {
        let (first, second) = (Sample::new("t").shape(), Sample::second("t").shape());
        let layout = Layout::of(&[first.clone(), second.clone()]);
        assert_eq!(layout.columns.len(), second.columns.len());
        assert_eq!(layout.key, [0]);
        let added = layout
            .columns
            .iter()
            .position(|column| column.name == "added")
            .expect("staged");
        assert_eq!(layout.lacking(added), [0]);
        assert_eq!(layout.lacking(0), [0; 0]);
        assert_eq!((layout.find(&first), layout.find(&second)), (Some(0), Some(1)));
        assert_eq!(
            (Layout::kind(1, false), Layout::kind(0, true), Layout::kind(1, true)),
            (1, -1, -2)
        );
    }
}
