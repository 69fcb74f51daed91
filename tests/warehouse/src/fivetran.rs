//! The tables and columns that Fivetran's customers build on, as its public dbt package names them.

use zenfloe_catalog::ColumnType;

const CSV: &str = include_str!("../fivetran-columns.csv");

/// Columns whose type in the list is an artefact of its seed files, in which every value is null or a text: Fivetran's
/// own are texts, truth values and times.
const CORRECTED: [(&str, &[(&str, ColumnType)]); 5] = [
    (
        "ticket",
        &[
            ("external_id", ColumnType::String),
            ("recipient", ColumnType::String),
            ("system_ccs", ColumnType::String),
            ("system_json_email_identifier", ColumnType::String),
            ("system_machine_generated", ColumnType::Boolean),
            ("system_message_id", ColumnType::String),
            ("system_raw_email_identifier", ColumnType::String),
            ("updated_at", ColumnType::Timestamp),
            ("followup_ids", ColumnType::Json),
            ("via_source_from_address", ColumnType::String),
            ("via_source_from_title", ColumnType::String),
            ("via_source_rel", ColumnType::String),
            ("via_source_to_address", ColumnType::String),
            ("via_source_to_name", ColumnType::String),
        ],
    ),
    (
        "ticket_comment",
        &[
            ("_fivetran_synced", ColumnType::Timestamp),
            ("location", ColumnType::String),
            ("recording_url", ColumnType::String),
            ("transcription_status", ColumnType::String),
            ("transcription_text", ColumnType::String),
            ("trusted", ColumnType::Boolean),
            ("voice_comment_transcription_visible", ColumnType::Boolean),
        ],
    ),
    (
        "organization",
        &[
            ("details", ColumnType::String),
            ("domain_names", ColumnType::Json),
            ("external_id", ColumnType::String),
            ("notes", ColumnType::String),
            ("organization_fields", ColumnType::Json),
            ("tags", ColumnType::Json),
        ],
    ),
    (
        "user",
        &[
            ("authenticity_token", ColumnType::String),
            ("details", ColumnType::String),
            ("external_id", ColumnType::String),
            ("notes", ColumnType::String),
            ("remote_photo_url", ColumnType::String),
            ("signature", ColumnType::String),
            ("updated_at", ColumnType::Timestamp),
        ],
    ),
    ("brand", &[("default", ColumnType::Boolean)]),
];

/// A column of one of Fivetran's tables.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FivetranColumn {
    /// The table.
    pub table: String,
    /// The column's name.
    pub name: String,
    /// What its values are.
    pub kind: ColumnType,
}

/// All columns, table by table.
#[must_use]
pub fn columns() -> Vec<FivetranColumn> {
    let lines = CSV.lines().skip(1).filter(|line| !line.is_empty());
    lines.map(column).collect()
}

fn column(line: &str) -> FivetranColumn {
    let mut fields = line.split(',').map(|field| field.trim_matches('"'));
    let mut next = || fields.next().unwrap_or_default().to_owned();
    let (table, name, written) = (next(), next(), next());
    let corrected = CORRECTED.iter().find(|(of, _)| *of == table).and_then(|(_, columns)| {
        columns
            .iter()
            .find(|(column, _)| *column == name)
            .map(|(_, kind)| *kind)
    });
    let kind = corrected.unwrap_or(match written.as_str() {
        "int" => ColumnType::Long,
        "float" => ColumnType::Double,
        "boolean" => ColumnType::Boolean,
        "timestamp" | "datetime" => ColumnType::Timestamp,
        _ if name == "_Company_synced" => ColumnType::Timestamp,
        _ => ColumnType::String,
    });
    FivetranColumn { table, name, kind }
}

/// The tables in order.
#[must_use]
pub fn tables() -> Vec<String> {
    let mut tables: Vec<String> = columns().into_iter().map(|column| column.table).collect();
    tables.dedup();
    tables
}
