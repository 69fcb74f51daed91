//! The configuration reference, written from the types that read the file: as a page, and as a JSON Schema.

use std::fmt::Write;

use schemars::generate::SchemaSettings;
use serde_json::{Map, Value};

use crate::config::Config;

/// What stands above the settings.
const HEAD: &str = "# Configuration

The file is TOML; `zenfloe init` writes one to begin with, and `zenfloe check` tries it out. This page is written from
the program (`zenfloe init --reference`); `zenfloe init --schema` prints the same as a JSON Schema, for editors.

Durations are written `30s`, `15m`, `6h`, `30d`; sizes `5MiB`; times `2024-01-01T00:00:00Z`. Secrets are never values: a
setting names the file or the environment variable that holds one. Unknown settings are refused. `<name>` stands for a
name of your choice.
";

/// The file as a JSON Schema (draft 2020-12).
pub(crate) fn schema() -> Value {
    let settings = SchemaSettings::draft2020_12().with(|settings| settings.inline_subschemas = true);
    settings.into_generator().into_root_schema_for::<Config>().to_value()
}

/// The page, as Markdown.
pub(crate) fn page() -> String {
    let mut page = Page(HEAD.to_owned());
    page.tables(&[], &schema());
    page.0
}

struct Page(String);

impl Page {
    /// Writes what may stand at a place of the file: one table, or one per kind.
    fn tables(&mut self, path: &[&str], schema: &Value) {
        let kinds = kinds(schema);
        if kinds.is_empty() {
            return self.table(path, None, schema);
        }
        for kind in kinds {
            self.table(path, tag(kind), kind);
        }
    }

    /// Writes one table's settings, and then the tables within it.
    fn table(&mut self, path: &[&str], tag: Option<(&str, &str)>, schema: &Value) {
        let mut inner = Vec::new();
        let mut rows = String::new();
        let required: Vec<&str> = texts(&schema["required"]).collect();
        for (name, setting) in properties(schema) {
            if tag.is_some_and(|(held, _)| held == name) {
                continue;
            }
            let is_required = required.contains(&name.as_str());
            match tables_of(setting) {
                Some((steps, held)) => inner.push(([path, &[name.as_str()], steps].concat(), held)),
                None => row(&mut rows, name, setting, is_required),
            }
        }
        let heading = heading(path, tag);
        let says_something = !path.is_empty() && (!rows.is_empty() || tag.is_some());
        // A table within each kind of another is written once.
        if says_something && !self.0.contains(&heading) {
            self.0.push_str(&heading);
            self.settings(schema, &rows);
        }
        for (path, held) in inner {
            self.tables(&path, held);
        }
    }

    fn settings(&mut self, schema: &Value, rows: &str) {
        if let Some(doc) = schema["description"].as_str() {
            let _ = write!(self.0, "\n{}\n", flowing(doc));
        }
        if !rows.is_empty() {
            let _ = write!(self.0, "\n| Setting | Default | Meaning |\n| --- | --- | --- |\n{rows}");
        }
    }
}

fn heading(path: &[&str], tag: Option<(&str, &str)>) -> String {
    let place = path.join(".");
    match tag {
        Some((name, kind)) => format!("\n## `[{place}]` with `{name} = \"{kind}\"`\n"),
        None => format!("\n## `[{place}]`\n"),
    }
}

/// The alternatives of a table, each with a tag of its own.
fn kinds(schema: &Value) -> Vec<&Value> {
    let of = schema["oneOf"].as_array().into_iter().flatten();
    of.filter(|kind| tag(kind).is_some()).collect()
}

/// The setting that tells a table's kind, and its value.
fn tag(schema: &Value) -> Option<(&str, &str)> {
    let mut held = properties(schema);
    held.find_map(|(name, setting)| Some((name.as_str(), setting["const"].as_str()?)))
}

/// The tables under a setting: the steps below its name that lead there, and what each may hold.
fn tables_of(setting: &Value) -> Option<(&'static [&'static str], &Value)> {
    let setting = present(setting);
    let named = &setting["additionalProperties"];
    if named.is_object() && is_table(named) {
        return Some((&["<name>"], named));
    }
    is_table(setting).then_some((&[], setting))
}

fn is_table(schema: &Value) -> bool {
    schema["properties"].is_object() || !kinds(schema).is_empty()
}

/// What an optional setting is when it is there.
fn present(setting: &Value) -> &Value {
    let either = setting["anyOf"].as_array().into_iter().flatten();
    let mut real = either.filter(|one| one["type"] != "null");
    match (real.next(), real.next()) {
        (Some(one), None) => one,
        _ => setting,
    }
}

fn row(rows: &mut String, name: &str, setting: &Value, is_required: bool) {
    let default = match &setting["default"] {
        _ if is_required => "required".to_owned(),
        Value::Null => String::new(),
        given => format!("`{given}`"),
    };
    let doc = setting["description"].as_str().unwrap_or_default();
    let meaning = [flowing(doc), choices(setting)]
        .into_iter()
        .filter(|text| !text.is_empty());
    let meaning = meaning.collect::<Vec<_>>().join(" ").replace('|', "\\|");
    let _ = writeln!(rows, "| `{name}` | {default} | {meaning} |");
}

/// The values that a setting may have, where they are few.
fn choices(setting: &Value) -> String {
    let setting = present(setting);
    let mut told: Vec<String> = texts(&setting["enum"]).map(|value| format!("`\"{value}\"`")).collect();
    for one in setting["oneOf"].as_array().into_iter().flatten() {
        match one["const"].as_str() {
            Some(value) => told.push(explained(&format!("\"{value}\""), one)),
            None => told.extend(properties(one).map(|(name, _)| explained(&format!("{{ {name} = \"…\" }}"), one))),
        }
    }
    match told.is_empty() {
        true => String::new(),
        false => format!("One of {}.", told.join(", ")),
    }
}

fn explained(value: &str, of: &Value) -> String {
    match of["description"].as_str() {
        Some(doc) => format!("`{value}` ({})", flowing(doc).trim_end_matches('.')),
        None => format!("`{value}`"),
    }
}

fn properties(schema: &Value) -> impl Iterator<Item = (&String, &Value)> {
    schema["properties"].as_object().into_iter().flat_map(Map::iter)
}

fn texts(list: &Value) -> impl Iterator<Item = &str> {
    list.as_array().into_iter().flatten().filter_map(Value::as_str)
}

/// A doc comment on one line.
fn flowing(doc: &str) -> String {
    doc.split_whitespace().collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    const PAGE: &str = include_str!("../CONFIGURATION.md");

    #[test]
    fn the_page_is_what_the_program_reads() {
        assert_eq!(
            PAGE,
            page(),
            "write it anew: cargo run --features snowflake -- init --reference > deploy/zenfloe/CONFIGURATION.md"
        );
    }

    #[test]
    fn every_setting_is_explained() {
        let bare: Vec<&str> = PAGE.lines().filter(|line| line.ends_with("|  |")).collect();
        assert!(bare.is_empty(), "{bare:#?}");
    }

    /// Some that lie deep, in each form that a setting has.
    #[test]
    fn the_settings_are_there() {
        for part in [
            "`[log]` with `kind = \"kafka\"`",
            "`[log.sasl]`",
            "`[sources.<name>.zendesk.auth]` with `method = \"api_token\"`",
            "| `interval` | `\"30m\"` |",
            "`[destinations.<name>]` with `kind = \"postgres\"`",
        ] {
            assert!(PAGE.contains(part), "{part}");
        }
    }
}
