//! Social security numbers of the United States.

use super::Span;
use super::announce::is_preceded;
use super::run::Run;
use crate::kind::Kind;

/// Words that announce one which is not written with hyphens.
const WORDS: &[&str] = &["ssn", "social security", "social sec", "soc sec"];

pub(crate) fn find(run: &Run<'_>, found: &mut Vec<Span>) {
    for start in 0..run.groups.len() {
        let length = |ahead: usize| run.groups.get(start + ahead).map_or(0, std::ops::Range::len);
        let (groups, needs_word) = match (length(0), length(1), length(2)) {
            (3, 2, 4) => match run.separator(start..start + 3) {
                Some("-") => (start..start + 3, false),
                Some(" " | ".") => (start..start + 3, true),
                _ => continue,
            },
            (9, ..) => (start..start + 1, true),
            _ => continue,
        };
        let range = run.range(groups.clone());
        if run.stands_alone(groups.clone())
            && is_issued(&run.digits(groups))
            && (!needs_word || is_preceded(run.view, range.start, WORDS))
        {
            found.push(Span::new(run.view, range, Kind::Ssn));
        }
    }
}

/// The rules of the Social Security Administration since 2011.
fn is_issued(digits: &str) -> bool {
    let (area, group, serial) = (&digits[..3], &digits[3..5], &digits[5..]);
    area != "000" && area != "666" && !area.starts_with('9') && group != "00" && serial != "0000"
}

#[cfg(test)]
mod tests {
    use super::super::run::values;
    use super::*;

    #[track_caller]
    fn check(view: &str, expected: &[&str]) {
        assert_eq!(values(view, find), expected, "{view}");
    }

    #[test]
    fn numbers() {
        check("it is 123-45-6789.", &["123-45-6789"]);
        check("(536-22-8145)", &["536-22-8145"]);
        check("SSN: 123 45 6789", &["123 45 6789"]);
        check("my social security number is 123456789", &["123456789"]);
    }

    #[test]
    fn what_is_none() {
        for view in [
            "000-12-3456",
            "666-12-3456",
            "912-12-3456",
            "123-00-4567",
            "123-45-0000",
            "123 45 6789",
            "123456789",
            "A123-45-6789",
            "123-45-6789-1",
            "12-345-6789",
            "1-123-45-6789",
        ] {
            check(view, &[]);
        }
    }
}
