use zenfloe_catalog::Class;

/// Makes values safe; the one way by which personal data get into a row.
pub trait Guard {
    /// Appends the token of a value to `out`. `false`: there is nothing to tell, the column is null, `out` is as before.
    fn token(&mut self, class: Class, value: &str, out: &mut String) -> bool;

    /// Appends a free text to `out`, its personal spans replaced by typed placeholders.
    fn redact(&mut self, text: &str, out: &mut String);

    /// Appends a coarser form of a value to `out`. `false`: there is none, the column is null, `out` is as before.
    fn coarse(&mut self, class: Class, value: &str, out: &mut String) -> bool;
}
