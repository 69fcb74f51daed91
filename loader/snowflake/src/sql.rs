//! Pieces of which statements are made.

use zenfloe_destination::ColumnType;

/// What must not come back, for all tables of the schema.
pub(crate) const SUPPRESSED: &str = "\"_ZENFLOE_SUPPRESSED\"";
/// The present, in UTC.
pub(crate) const NOW: &str = "SYSDATE()::TIMESTAMP_NTZ(6)";

/// A name in capitals, so that SQL written by people needs no quotes, and quoted, so that no word is reserved.
pub(crate) fn ident(name: &str) -> String {
    format!("\"{}\"", name.to_ascii_uppercase())
}

/// A text.
pub(crate) fn text(text: &str) -> String {
    format!("'{}'", text.replace('\\', "\\\\").replace('\'', "''"))
}

/// A table's ledger of positions.
pub(crate) fn positions(table: &str) -> String {
    ident(&format!("_zenfloe_positions_{table}"))
}

/// A table's temporary staging table.
pub(crate) fn staging(table: &str) -> String {
    ident(&format!("_zenfloe_staging_{table}"))
}

/// The type of a table's column.
pub(crate) fn declared(kind: ColumnType) -> &'static str {
    match kind {
        ColumnType::Long | ColumnType::Int => "NUMBER(38,0)",
        ColumnType::Double => "FLOAT",
        ColumnType::Boolean => "BOOLEAN",
        ColumnType::Text => "VARCHAR",
        ColumnType::Json => "VARIANT",
        ColumnType::Timestamp => "TIMESTAMP_NTZ(6)",
        ColumnType::Date => "DATE",
    }
}

/// How `INFORMATION_SCHEMA.COLUMNS` calls that type.
pub(crate) fn described(kind: ColumnType) -> &'static str {
    match kind {
        ColumnType::Long | ColumnType::Int => "NUMBER",
        ColumnType::Double => "FLOAT",
        ColumnType::Boolean => "BOOLEAN",
        ColumnType::Text => "TEXT",
        ColumnType::Json => "VARIANT",
        ColumnType::Timestamp => "TIMESTAMP_NTZ",
        ColumnType::Date => "DATE",
    }
}

/// The type of a staged column: JSON is parsed on its way into the table.
pub(crate) fn staged(kind: ColumnType) -> &'static str {
    match kind {
        ColumnType::Json => "VARCHAR",
        other => declared(other),
    }
}

/// The elements of a bound JSON array, as rows with a column `value`.
pub(crate) const ELEMENTS: &str = "TABLE(FLATTEN(INPUT => PARSE_JSON(?))) C";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_texts_are_quoted() {
        assert_eq!(ident("_version"), "\"_VERSION\"");
        assert_eq!(text("it's a \\n"), "'it''s a \\\\n'");
        assert_eq!(positions("tickets"), "\"_ZENFLOE_POSITIONS_TICKETS\"");
    }
}
