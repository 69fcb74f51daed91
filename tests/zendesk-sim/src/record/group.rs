//! Groups of agents.

use serde::Serialize;

use super::{Link, write_json};
use crate::account::Account;
use crate::model::Group;
use crate::stamp::Stamp;
use crate::text::Prose;

#[derive(Serialize)]
struct GroupJson<'a> {
    url: Link,
    id: i64,
    is_public: bool,
    name: &'a str,
    description: String,
    default: bool,
    deleted: bool,
    created_at: Stamp,
    updated_at: Stamp,
}

impl Account {
    /// Appends a group.
    pub(crate) fn write_group(&self, out: &mut Vec<u8>, group: &Group) {
        let is_described = group.id % 2 == 0;
        let describe = || Prose::new(&self.cast, group.id.unsigned_abs()).note();
        let json = GroupJson {
            url: Link("groups", group.id),
            id: group.id,
            is_public: true,
            name: &group.name,
            description: if is_described { describe() } else { String::new() },
            default: group.is_default,
            deleted: group.is_deleted,
            created_at: Stamp(group.created_at),
            updated_at: Stamp(group.updated_at),
        };
        write_json(out, &json);
    }
}
