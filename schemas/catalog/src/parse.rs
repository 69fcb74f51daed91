// Reads one file of `collections/`; run by the build script, so that a faulty file stops the build
// with its name, line and reason.

use std::collections::{BTreeMap, BTreeSet};

use serde::Deserialize;
use toml::Spanned;

use crate::model::*;
use crate::path::{Path, Step};

/// Reads a file's text; the error is `FILE:LINE: REASON`.
pub(crate) fn collection(file: &str, text: &str) -> Result<Collection, String> {
    let at = |span: std::ops::Range<usize>, reason: &str| {
        let line = text[..span.start.min(text.len())].matches('\n').count() + 1;
        format!("{file}:{line}: {reason}")
    };
    let written: File = toml::from_str(text).map_err(|error| at(error.span().unwrap_or(0..0), error.message()))?;
    written.checked(file).map_err(|(span, reason)| at(span, &reason))
}

/// Checks and adds what one file alone cannot show.
pub(crate) fn catalog(collections: &mut [Collection]) -> Result<(), String> {
    let mut tables = BTreeMap::new();
    for collection in collections.iter() {
        for table in &collection.tables {
            if let Some((other, _)) = tables.insert(table.name.clone(), (collection.name.clone(), table.clone())) {
                return Err(format!(
                    "collections/{}.toml: table `{}` is fed by `{other}` already",
                    collection.name, table.name
                ));
            }
        }
    }
    let names: BTreeSet<String> = collections.iter().map(|collection| collection.name.clone()).collect();
    for collection in collections.iter_mut() {
        let faulty = |what: String| format!("collections/{}.toml: {what}", collection.name);
        for erased in &collection.erases {
            let held = tables.get(&erased.table);
            if !held.is_some_and(|(_, table)| table.columns.iter().any(|column| column.name == erased.column)) {
                return Err(faulty(format!(
                    "there is no `{}.{}` to erase",
                    erased.table, erased.column
                )));
            }
        }
        let customs = collection.tables.iter().filter_map(|table| table.custom.as_ref());
        if let Some(custom) = customs.into_iter().find(|custom| !names.contains(&custom.fields)) {
            return Err(faulty(format!("there is no collection `{}` of fields", custom.fields)));
        }
        for column in collection.tables.iter_mut().flat_map(|table| &mut table.columns) {
            if let Some(of) = &column.of {
                let (_, table) = tables
                    .get(of)
                    .ok_or_else(|| faulty(format!("there is no table `{of}`")))?;
                column.changes = changes(table);
            }
        }
    }
    Ok(())
}

/// The fields that a table shows under their own name, as an event shows their changes.
fn changes(table: &Table) -> BTreeMap<String, Changed> {
    let own = |column: &&Column| matches!(&column.path.steps[..], [Step::Key(key)] if *key == column.name);
    let shown = table
        .columns
        .iter()
        .filter(own)
        .filter(|column| !table.key.contains(&column.name));
    let changed = |column: &Column| Changed {
        path: column.path.clone(),
        class: column.class,
        action: column.action,
    };
    shown.map(|column| (column.name.clone(), changed(column))).collect()
}

type Fault = (std::ops::Range<usize>, String);

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    name: Spanned<String>,
    doc: String,
    tier: Spanned<u8>,
    endpoint: FileEndpoint,
    record: FileRecord,
    #[serde(default)]
    sideload: Vec<Sideload>,
    #[serde(default)]
    follow: Vec<FileFollow>,
    #[serde(default)]
    erases: Vec<Erased>,
    table: Vec<FileTable>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct FileEndpoint {
    path: Spanned<String>,
    paging: Spanned<Paging>,
    window: Option<Window>,
    envelope: String,
    page_size: Spanned<u32>,
    #[serde(default)]
    params: BTreeMap<String, String>,
    #[serde(default)]
    include: Vec<String>,
    #[serde(default)]
    ends_by_next_page: bool,
    #[serde(default)]
    ends_by_short_page: bool,
    settles_after: Option<u32>,
    #[serde(default)]
    only_follows: bool,
    bucket: Bucket,
    plan: String,
    role: String,
    scope: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct FileRecord {
    key: Vec<Spanned<String>>,
    partition_key: Spanned<String>,
    version: FileVersion,
    #[serde(default)]
    deleted: Vec<FileCondition>,
    #[serde(default)]
    erased: Vec<FileCondition>,
    #[serde(default)]
    vanished: Vanished,
    #[serde(default)]
    known: Vec<Spanned<String>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct FileFollow {
    path: Spanned<String>,
    parent: Spanned<String>,
    parent_as: Option<String>,
    many: Option<String>,
    only: Option<FileCondition>,
    #[serde(default)]
    when: Vec<Spanned<String>>,
    unless: Option<String>,
    #[serde(default)]
    params: BTreeMap<String, String>,
    #[serde(default)]
    include: Vec<String>,
    envelope: String,
    paging: Spanned<Paging>,
    page_size: u32,
    bucket: Bucket,
    #[serde(default)]
    set: bool,
    mark: Option<String>,
    into: Option<String>,
    #[serde(default)]
    copy: BTreeMap<String, Spanned<String>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct FileVersion {
    path: Option<Spanned<String>>,
    #[serde(default = "iso8601")]
    unit: TimeUnit,
    fallback: Option<Spanned<String>>,
}

fn iso8601() -> TimeUnit {
    TimeUnit::Iso8601
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct FileCondition {
    path: Spanned<String>,
    is: Expected,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct FileTable {
    name: Spanned<String>,
    doc: String,
    r#where: Option<Spanned<String>>,
    unless: Option<Spanned<String>>,
    object: Option<Spanned<String>>,
    each: Option<Spanned<OneOrMore>>,
    #[serde(default)]
    or_record: bool,
    key: Vec<Spanned<String>>,
    set_of: Option<Spanned<String>>,
    erase: Option<Spanned<Erase>>,
    custom: Option<FileCustom>,
    column: Vec<FileColumn>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct FileCustom {
    fields: String,
    at: Spanned<String>,
    by: CustomBy,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum OneOrMore {
    One(String),
    More(Vec<String>),
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct FileColumn {
    name: Spanned<String>,
    path: Option<Spanned<String>>,
    r#type: ColumnType,
    op: Option<Operation>,
    /// The table whose fields change.
    of: Option<Spanned<String>>,
    /// Where an event carries the custom ones.
    custom: Option<Spanned<String>>,
    class: Option<Spanned<FileClass>>,
    action: Option<Action>,
    doc: Spanned<String>,
}

/// A class, or a table of classes by the text of a field.
#[derive(Deserialize)]
#[serde(untagged)]
enum FileClass {
    One(Class),
    By(FileClassBy),
}

#[derive(Deserialize)]
struct FileClassBy {
    by: String,
    r#else: Class,
    #[serde(flatten)]
    cases: BTreeMap<String, Class>,
}

/// A column's class and how a field tells it; not personal where nothing is written.
fn class(written: Option<Spanned<FileClass>>) -> Result<(Class, Option<ClassBy>), Fault> {
    let Some(written) = written else {
        return Ok((Class::None, None));
    };
    let span = written.span();
    match written.into_inner() {
        FileClass::One(class) => Ok((class, None)),
        FileClass::By(by) => by.checked().map_err(|reason| (span, reason)),
    }
}

impl FileClassBy {
    fn checked(self) -> Result<(Class, Option<ClassBy>), String> {
        let personal = |class: &Class| class.default_action() == Action::Token;
        if !self.cases.values().chain([&self.r#else]).all(personal) {
            return Err("classes by a field are those of single personal values".to_owned());
        }
        let by = ClassBy {
            path: Path::parse(&self.by)?,
            cases: self.cases,
        };
        Ok((self.r#else, Some(by)))
    }
}

impl File {
    fn checked(self, file: &str) -> Result<Collection, Fault> {
        name(&self.name)?;
        let stem = file.rsplit('/').next().unwrap_or(file).trim_end_matches(".toml");
        if self.name.get_ref() != stem {
            return fault(
                &self.name,
                format!("the file of `{}` is named `{stem}.toml`", self.name.get_ref()),
            );
        }
        if !(1..=3).contains(self.tier.get_ref()) {
            return fault(&self.tier, "a tier is 1, 2 or 3".to_owned());
        }
        if self.table.is_empty() {
            return fault(&self.name, "a collection feeds at least one table".to_owned());
        }
        let mut seen = BTreeSet::new();
        let mut tables = Vec::new();
        for table in self.table {
            if !seen.insert(table.name.get_ref().clone()) {
                return fault(&table.name, format!("table `{}` stands twice", table.name.get_ref()));
            }
            tables.push(table.checked()?);
        }
        Ok(Collection {
            name: self.name.into_inner(),
            doc: self.doc,
            tier: self.tier.into_inner(),
            endpoint: self.endpoint.checked()?,
            record: self.record.checked()?,
            sideloads: self.sideload,
            follows: self
                .follow
                .into_iter()
                .map(FileFollow::checked)
                .collect::<Result<_, _>>()?,
            erases: self.erases,
            tables,
        })
    }
}

impl FileEndpoint {
    fn checked(self) -> Result<Endpoint, Fault> {
        if !self.path.get_ref().starts_with("/api/v2/") {
            return fault(&self.path, "a path begins with `/api/v2/`".to_owned());
        }
        if !(1..=1000).contains(self.page_size.get_ref()) {
            return fault(&self.page_size, "a page has 1 to 1000 records".to_owned());
        }
        let is_window = *self.paging.get_ref() == Paging::Window;
        if is_window != self.window.is_some() {
            return fault(&self.paging, "`window` and its parameters belong together".to_owned());
        }
        Ok(Endpoint {
            path: self.path.into_inner(),
            paging: self.paging.into_inner(),
            window: self.window,
            envelope: self.envelope,
            page_size: self.page_size.into_inner(),
            params: self.params,
            include: self.include,
            ends_by_next_page: self.ends_by_next_page,
            ends_by_short_page: self.ends_by_short_page,
            settles_after: self.settles_after,
            only_follows: self.only_follows,
            bucket: self.bucket,
            plan: self.plan,
            role: self.role,
            scope: self.scope,
        })
    }
}

impl FileRecord {
    fn checked(self) -> Result<RecordShape, Fault> {
        Ok(RecordShape {
            key: self.key.iter().map(path).collect::<Result<_, _>>()?,
            partition_key: path(&self.partition_key)?,
            version: Version {
                path: self.version.path.as_ref().map(path).transpose()?,
                unit: self.version.unit,
                fallback: self.version.fallback.as_ref().map(path).transpose()?,
            },
            deleted: self.deleted.into_iter().map(condition).collect::<Result<_, _>>()?,
            erased: self.erased.into_iter().map(condition).collect::<Result<_, _>>()?,
            vanished: self.vanished,
            known: self.known.iter().map(path).collect::<Result<_, _>>()?,
        })
    }
}

impl FileFollow {
    fn checked(self) -> Result<Follow, Fault> {
        let parent = format!("{{{}}}", self.parent.get_ref());
        if self.many.is_none() && !self.path.get_ref().contains(&parent) {
            return fault(&self.path, format!("it does not name `{parent}`"));
        }
        if self.many.is_some() && !self.copy.contains_key(self.parent.get_ref()) {
            return fault(
                &self.parent,
                "a row of many parents must tell its own: it is not copied".to_owned(),
            );
        }
        if !self.paging.get_ref().is_complete() {
            return fault(
                &self.paging,
                "what is followed is a `list`, `offset` or `whole`".to_owned(),
            );
        }
        if self.set && (*self.paging.get_ref() != Paging::Whole || self.into.is_none()) {
            return fault(&self.paging, "a set comes `whole` and goes `into` a field".to_owned());
        }
        let copy = self.copy.iter().map(|(name, from)| Ok((name.clone(), path(from)?)));
        Ok(Follow {
            path: self.path.into_inner(),
            parent: self.parent.into_inner(),
            parent_as: self.parent_as,
            many: self.many,
            only: self.only.map(condition).transpose()?,
            params: self.params,
            unless: self.unless,
            include: self.include,
            when: self.when.iter().map(path).collect::<Result<_, _>>()?,
            envelope: self.envelope,
            paging: self.paging.into_inner(),
            page_size: self.page_size,
            bucket: self.bucket,
            set: self.set,
            mark: self.mark,
            into: self.into,
            copy: copy.collect::<Result<_, _>>()?,
        })
    }
}

fn condition(written: FileCondition) -> Result<Condition, Fault> {
    Ok(Condition {
        path: path(&written.path)?,
        is: written.is,
    })
}

/// The rows that a table's file asks for.
fn rows(table: &FileTable) -> Result<Rows, Fault> {
    match (&table.r#where, &table.object, &table.each) {
        (None, None, None) => match &table.unless {
            None => Ok(Rows::Record),
            Some(unless) => Ok(Rows::RecordUnless(path(unless)?)),
        },
        _ if table.unless.is_some() => fault(&table.name, "`unless` stands alone".to_owned()),
        (Some(with), None, None) => Ok(Rows::RecordWith(path(with)?)),
        (None, Some(object), None) => Ok(Rows::Object(path(object)?)),
        (None, None, Some(each)) => {
            let written = match each.get_ref() {
                OneOrMore::One(array) => std::slice::from_ref(array),
                OneOrMore::More(arrays) => arrays.as_slice(),
            };
            let arrays = written.iter().map(|array| Path::parse(array));
            Ok(Rows::Each {
                arrays: arrays
                    .collect::<Result<_, _>>()
                    .map_err(|reason| (each.span(), reason))?,
                or_record: table.or_record,
            })
        }
        _ => fault(
            &table.name,
            "a table has one of `where`, `object` and `each`".to_owned(),
        ),
    }
}

impl FileTable {
    fn checked(self) -> Result<Table, Fault> {
        name(&self.name)?;
        let rows = rows(&self)?;
        let mut columns: Vec<Column> = Vec::new();
        for column in self.column {
            if columns.iter().any(|held| &held.name == column.name.get_ref()) {
                return fault(&column.name, format!("column `{}` stands twice", column.name.get_ref()));
            }
            columns.push(column.checked()?);
        }
        let known = |wanted: &Spanned<String>| match columns.iter().find(|held| &held.name == wanted.get_ref()) {
            None => fault(wanted, format!("`{}` is no column of this table", wanted.get_ref())),
            Some(held) if held.class != Class::None => fault(
                wanted,
                format!(
                    "`{}` is personal ({}) and cannot be a key",
                    held.name,
                    held.class.as_str()
                ),
            ),
            Some(_) => Ok(()),
        };
        if self.key.is_empty() {
            return fault(&self.name, "a table has a key".to_owned());
        }
        self.key.iter().try_for_each(known)?;
        self.set_of.iter().try_for_each(known)?;
        let erase = self.erase.map(|erase| {
            let is_id = |name: &String| {
                columns
                    .iter()
                    .any(|held| &held.name == name && held.r#type == ColumnType::Long)
            };
            let is_plain = |name: &String| {
                let is_key = self.key.iter().any(|key| key.get_ref() == name);
                columns.iter().any(|held| &held.name == name) && !is_key
            };
            let bad_id = erase.get_ref().ids().find(|name| !is_id(name)).cloned();
            let bad_column = erase.get_ref().described().find(|name| !is_plain(name)).cloned();
            match (bad_id, bad_column) {
                (Some(name), _) => fault(&erase, format!("`{name}` is no column of whole numbers of this table")),
                (_, Some(name)) => fault(&erase, format!("`{name}` is no column of this table beside its key")),
                (None, None) => Ok(erase.into_inner()),
            }
        });
        Ok(Table {
            erase: erase.transpose()?.unwrap_or_default(),
            name: self.name.into_inner(),
            doc: self.doc,
            rows,
            custom: self.custom.map(FileCustom::checked).transpose()?,
            key: self.key.into_iter().map(Spanned::into_inner).collect(),
            set_of: self.set_of.map(Spanned::into_inner),
            columns,
        })
    }
}

impl FileCustom {
    fn checked(self) -> Result<Custom, Fault> {
        Ok(Custom {
            fields: self.fields,
            at: path(&self.at)?,
            by: self.by,
        })
    }
}

impl FileColumn {
    fn checked(self) -> Result<Column, Fault> {
        name(&self.name)?;
        if self.name.get_ref().starts_with('_') || self.name.get_ref() == "received_at" {
            return fault(&self.name, "that name belongs to the row's own fields".to_owned());
        }
        if self.doc.get_ref().trim().is_empty() {
            return fault(&self.doc, "say what the column means".to_owned());
        }
        let fits = match self.op {
            None => true,
            Some(Operation::EpochSeconds) => self.r#type == ColumnType::Timestamp,
            Some(Operation::Minutes) => self.r#type == ColumnType::Long,
            Some(Operation::Slug | Operation::Label | Operation::ChangedField | Operation::Changed) => {
                self.r#type == ColumnType::String
            }
        };
        if !fits {
            return fault(&self.name, "the operation does not make this type".to_owned());
        }
        let is_of_a_change = matches!(self.op, Some(Operation::ChangedField | Operation::Changed));
        if is_of_a_change != self.of.is_some() {
            return fault(
                &self.name,
                "`of` names the table whose fields an event changes".to_owned(),
            );
        }
        let (class, class_by) = class(self.class)?;
        let action = self.action.unwrap_or_else(|| class.default_action());
        let makes_text = matches!(self.r#type, ColumnType::String | ColumnType::Json);
        if matches!(action, Action::Token | Action::Redact) && !makes_text {
            return fault(
                &self.name,
                format!("`{}` makes text, but the type is not", action.as_str()),
            );
        }
        if action == Action::Token && (matches!(class, Class::None | Class::Text) || self.r#type == ColumnType::Json) {
            return fault(
                &self.name,
                "a token needs a single value of a personal class".to_owned(),
            );
        }
        let custom = self.custom.as_ref().map(path).transpose()?;
        let path = match &self.path {
            Some(written) => path(written)?,
            // The value stands under the field's own name, whichever it is.
            None if is_of_a_change => Path {
                from_record: false,
                from_above: false,
                steps: Vec::new(),
            },
            None => Path {
                from_record: false,
                from_above: false,
                steps: vec![Step::Key(self.name.get_ref().clone())],
            },
        };
        Ok(Column {
            name: self.name.into_inner(),
            path,
            r#type: self.r#type,
            op: self.op,
            of: self.of.map(Spanned::into_inner),
            // What the table's columns say of them is known when all files have been read.
            changes: BTreeMap::new(),
            custom,
            class,
            class_by,
            action,
            doc: self.doc.into_inner(),
        })
    }
}

fn path(written: &Spanned<String>) -> Result<Path, Fault> {
    Path::parse(written.get_ref()).map_err(|reason| (written.span(), reason))
}

fn name(written: &Spanned<String>) -> Result<(), Fault> {
    let text = written.get_ref();
    let legal = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_';
    if !text.is_empty()
        && text.len() <= 63
        && text.chars().all(legal)
        && !text.starts_with(|c: char| c.is_ascii_digit())
    {
        Ok(())
    } else {
        fault(
            written,
            format!("`{text}` is no name: lower-case letters, digits and `_`, at most 63"),
        )
    }
}

fn fault<T, V>(at: &Spanned<V>, reason: String) -> Result<T, Fault> {
    Err((at.span(), reason))
}
