//! Names and values as PostgreSQL writes them.

use std::error::Error;

use bytes::{BufMut, BytesMut};
use tokio_postgres::types::{IsNull, ToSql, Type, to_sql_checked};
use zenfloe_record::Micros;

/// The schema that everything stands in.
#[derive(Debug, Clone)]
pub(crate) struct Place {
    schema: String,
}

impl Place {
    pub(crate) fn new(schema: &str) -> Self {
        Self {
            schema: schema.to_owned(),
        }
    }

    pub(crate) fn schema(&self) -> &str {
        &self.schema
    }

    /// A table's full name, quoted. Contract: the name is legal.
    pub(crate) fn table(&self, name: &str) -> String {
        format!("\"{}\".\"{name}\"", self.schema)
    }

    pub(crate) fn positions(&self) -> String {
        self.table("_zenfloe_positions")
    }

    pub(crate) fn suppressed(&self) -> String {
        self.table("_zenfloe_suppressed")
    }
}

/// Names, quoted, with commas between.
pub(crate) fn list<'n>(names: impl IntoIterator<Item = &'n str>) -> String {
    let quoted: Vec<String> = names.into_iter().map(|name| format!("\"{name}\"")).collect();
    quoted.join(", ")
}

/// A text as a literal.
pub(crate) fn literal(text: &str) -> String {
    format!("'{}'", text.replace('\0', "").replace('\'', "''"))
}

/// From 1970 to 2000, where PostgreSQL counts from.
const EPOCH_MICROS: Micros = 946_684_800_000_000;
const EPOCH_DAYS: i32 = 10_957;
/// The years 1 to 9999, which every destination can tell.
const MICROS: std::ops::Range<Micros> = -62_135_596_800_000_000..253_402_300_800_000_000;
const DAYS: std::ops::Range<i32> = -719_162..2_932_897;

/// Microseconds since 2000; `None` outside the years 1 to 9999.
pub(crate) fn timestamp(micros: Micros) -> Option<i64> {
    MICROS.contains(&micros).then(|| micros - EPOCH_MICROS)
}

/// Days since 2000; `None` outside the years 1 to 9999.
pub(crate) fn date(days: i32) -> Option<i32> {
    DAYS.contains(&days).then(|| days - EPOCH_DAYS)
}

/// A bound of time as a parameter: beyond the years it is infinite.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Bound(pub(crate) Micros);

impl ToSql for Bound {
    fn to_sql(&self, _: &Type, out: &mut BytesMut) -> Result<IsNull, Box<dyn Error + Sync + Send>> {
        let infinite = if self.0 < 0 { i64::MIN } else { i64::MAX };
        out.put_i64(timestamp(self.0).unwrap_or(infinite));
        Ok(IsNull::No)
    }

    fn accepts(of: &Type) -> bool {
        *of == Type::TIMESTAMPTZ
    }

    to_sql_checked!();
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_count_from_2000_and_absurd_ones_are_refused() {
        assert_eq!(timestamp(EPOCH_MICROS), Some(0));
        assert_eq!(timestamp(-1), Some(-946_684_800_000_001));
        assert_eq!((timestamp(MICROS.start - 1), timestamp(MICROS.end)), (None, None));
        assert_eq!((timestamp(i64::MIN), timestamp(i64::MAX)), (None, None));
        assert_eq!((date(10_957), date(i32::MIN), date(i32::MAX)), (Some(0), None, None));
    }

    #[test]
    fn texts_end_where_they_should() {
        assert_eq!(literal("it's \\ \0 fine"), "'it''s \\  fine'");
        assert_eq!(list(["a", "b"]), "\"a\", \"b\"");
    }
}
