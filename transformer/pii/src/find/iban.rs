//! International bank account numbers, by their countries' formats and check digits.

use std::ops::Range;

use super::run::next_digit;
use super::{Detector, Span, before};
use crate::kind::Kind;

/// The longest IBAN.
const LONGEST: usize = 34;

/// Finds two letters with two digits behind them, and reads on from there.
pub(crate) struct Ibans;

impl Detector for Ibans {
    fn find(&self, view: &str, found: &mut Vec<Span>) {
        let bytes = view.as_bytes();
        let mut at = 0;
        while let Some(digit) = next_digit(bytes, at) {
            at = digit + bytes[digit..].iter().take_while(|byte| byte.is_ascii_digit()).count();
            let Some(start) = digit.checked_sub(2).filter(|_| at - digit >= 2) else {
                continue;
            };
            let is_country = bytes[start..digit].iter().all(u8::is_ascii_alphabetic);
            let begins = || !before(view, start).is_some_and(char::is_alphanumeric);
            if is_country
                && begins()
                && let Some(range) = iban(view, start)
            {
                at = at.max(range.end);
                found.push(Span::new(view, range, Kind::Iban));
            }
        }
    }
}

/// The longest IBAN that begins at a place.
fn iban(view: &str, start: usize) -> Option<Range<usize>> {
    let mut compact = String::with_capacity(LONGEST);
    // Ends of words, with the letters and digits up to there.
    let mut ends: Vec<(usize, usize)> = Vec::new();
    let mut place = start;
    let mut rest = view[start..].chars().peekable();
    while let Some(c) = rest.next() {
        if c.is_ascii_alphanumeric() && compact.len() < LONGEST {
            compact.push(c.to_ascii_uppercase());
            place += 1;
            if !rest.peek().is_some_and(|next| next.is_alphanumeric()) {
                ends.push((place, compact.len()));
            }
        } else if matches!(c, ' ' | '-') && rest.peek().is_some_and(char::is_ascii_alphanumeric) {
            place += 1;
        } else {
            break;
        }
    }
    let is_iban = |(_, length): &&(usize, usize)| compact[..*length].parse::<iban::Iban>().is_ok();
    ends.iter()
        .rev()
        .filter(|(_, length)| *length >= 15)
        .find(is_iban)
        .map(|(end, _)| start..*end)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(view: &str, expected: &[&str]) {
        let mut found = Vec::new();
        Ibans.find(view, &mut found);
        let values: Vec<_> = found.iter().map(|span| span.value.as_str()).collect();
        assert_eq!(values, expected, "{view}");
    }

    #[test]
    fn ibans() {
        for iban in [
            "DE89370400440532013000",
            "DE89 3704 0044 0532 0130 00",
            "GB29 NWBK 6016 1331 9268 19",
            "GB29NWBK60161331926819",
            "fr1420041010050500013m02606",
            "NL91 ABNA 0417 1643 00",
            "DE89-3704-0044-0532-0130-00",
            "MT84MALT011000012345MTLCAST001S",
            "NO93 8601 1117 947",
        ] {
            check(iban, &[iban]);
            check(&format!("refund to {iban}, thank you"), &[iban]);
            check(&format!("IBAN:{iban} please"), &[iban]);
        }
    }

    #[test]
    fn what_is_none() {
        for view in [
            "DE88370400440532013000",
            "XX89370400440532013000",
            "ADE89370400440532013000",
            "DE8937040044",
            "DE89370400440532013000123",
            "SKU AB12 3456 7890 1234 5678",
        ] {
            check(view, &[]);
        }
    }
}
