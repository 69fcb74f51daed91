//! Telephone numbers in E.164.

use std::str::FromStr;

use phonenumber::country;
use phonenumber::metadata::DATABASE;

/// A region that is none.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is no region: write ISO 3166 codes such as `US`")]
pub struct UnknownRegion(String);

/// A region by whose rules numbers may be written.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Region {
    id: country::Id,
    /// `1` where numbers are of the North American plan: ten digits in groups of 3, 3 and 4.
    pub(crate) is_north_american: bool,
    /// National numbers begin with a zero.
    pub(crate) has_trunk_zero: bool,
}

/// Reads telephone numbers.
#[derive(Debug, Clone)]
pub struct Phones {
    regions: Vec<Region>,
}

impl Phones {
    /// Regions whose national forms are read, by ISO 3166 code; the first one counts for columns.
    pub fn new<S: AsRef<str>>(regions: &[S]) -> Result<Self, UnknownRegion> {
        let region = |code: &S| region(code.as_ref()).ok_or_else(|| UnknownRegion(code.as_ref().to_owned()));
        Ok(Self {
            regions: regions.iter().map(region).collect::<Result<_, _>>()?,
        })
    }

    /// The digits of a column's number without its country's code; `None`: it cannot be read as one.
    pub(crate) fn national(&self, text: &str) -> Option<String> {
        let home = self.regions.first().map(|region| region.id);
        let number = phonenumber::parse(home, text.trim()).ok()?;
        Some(number.national().to_string())
    }

    /// Claims that at home dates are written `7/30/1964`.
    pub(crate) fn is_month_first(&self) -> bool {
        self.regions.first().is_some_and(|home| home.is_north_american)
    }

    pub(crate) fn regions(&self) -> &[Region] {
        &self.regions
    }

    /// Appends a number of a column in E.164; `false`: it cannot be read as one, `out` is as before.
    pub(crate) fn column(&self, text: &str, out: &mut String) -> bool {
        let text = text.trim();
        if !(5..=40).contains(&text.len()) {
            return false;
        }
        let home = self.regions.first().map(|region| region.id);
        let dialled = text
            .strip_prefix("00")
            .filter(|rest| !rest.starts_with('0'))
            .map(|rest| format!("+{rest}"));
        let parsed = dialled
            .and_then(|dialled| phonenumber::parse(None, dialled).ok())
            .or_else(|| phonenumber::parse(home, text).ok());
        match parsed {
            Some(number) => write(&number, out),
            None => false,
        }
    }
}

fn region(code: &str) -> Option<Region> {
    let code = code.to_ascii_uppercase();
    let metadata = DATABASE.by_id(code.as_str())?;
    Some(Region {
        id: country::Id::from_str(&code).ok()?,
        is_north_american: metadata.country_code() == 1,
        has_trunk_zero: metadata.national_prefix() == Some("0"),
    })
}

impl Region {
    /// Reads a number that this region has; numbers that nobody can have are none.
    pub(crate) fn valid(&self, text: &str, out: &mut String) -> bool {
        match phonenumber::parse(Some(self.id), text) {
            Ok(number) if number.is_valid() => write(&number, out),
            _ => false,
        }
    }
}

/// Reads a number that begins with a plus and a country's code. Whether somebody can have it is not asked:
/// plans change, and nothing else is written so.
pub(crate) fn international(text: &str, out: &mut String) -> bool {
    let digits = text.bytes().filter(u8::is_ascii_digit).count();
    match phonenumber::parse(None, text) {
        Ok(number) if (8..=15).contains(&digits) => write(&number, out),
        _ => false,
    }
}

/// `+`, country code, leading zeros that belong to the number (Italy), the rest; no extension.
fn write(number: &phonenumber::PhoneNumber, out: &mut String) -> bool {
    use std::fmt::Write;
    let written = write!(out, "+{}{}", number.code().value(), number.national());
    written.is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(regions: &[&str], text: &str, expected: Option<&str>) {
        let mut out = String::new();
        let is_read = Phones::new(regions).expect("regions").column(text, &mut out);
        assert_eq!(is_read.then_some(out.as_str()), expected, "{text}");
    }

    #[test]
    fn columns_are_read_by_the_first_region() {
        for text in [
            "+12025550123",
            "(202) 555-0123",
            "202.555.0123",
            "1 202 555 0123",
            "+1 (202) 555-0123",
            "001 202 555 0123",
            "+1 202 555 0123 ext. 5",
        ] {
            check(&["US", "DE"], text, Some("+12025550123"));
        }
        check(&["DE"], "030 / 901820", Some("+4930901820"));
        check(&["DE"], "+49 (0)30 901820", Some("+4930901820"));
        check(&["DE"], "0049 30 901820", Some("+4930901820"));
        check(&["IT"], "06 6982", Some("+39066982"));
        check(&["US"], "+39 06 6982", Some("+39066982"));
        check(&[], "+12025550123", Some("+12025550123"));
        for text in ["", "call me", "12", "none", "+"] {
            check(&["US"], text, None);
        }
    }

    #[test]
    fn regions_are_told_by_their_codes() {
        assert!(Phones::new(&["us", "GB"]).is_ok());
        let fault = Phones::new(&["US", "Narnia"]).expect_err("no region");
        assert_eq!(
            fault.to_string(),
            "`Narnia` is no region: write ISO 3166 codes such as `US`"
        );
        let regions = Phones::new(&["US", "CA", "DE", "ES"]).expect("regions").regions;
        assert_eq!(
            regions.iter().map(|held| held.is_north_american).collect::<Vec<_>>(),
            [true, true, false, false]
        );
        assert_eq!(
            regions.iter().map(|held| held.has_trunk_zero).collect::<Vec<_>>(),
            [false, false, true, false]
        );
    }
}
