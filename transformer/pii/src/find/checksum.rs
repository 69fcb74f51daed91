//! Check digits of national ids. Each takes digits as numbers and is total: what is too short fails.

/// The weighted sum of digits; the weights say how many there have to be.
fn weighted(digits: &[u32], weights: &[u32]) -> Option<u32> {
    (digits.len() == weights.len()).then(|| digits.iter().zip(weights).map(|(digit, weight)| digit * weight).sum())
}

/// Luhn's, of Canada's social insurance numbers.
pub(crate) fn luhn(digits: &[u32]) -> bool {
    let doubled = |(place, digit): (usize, &u32)| match (place % 2, digit * 2) {
        (0, _) => *digit,
        (_, twice) => twice / 10 + twice % 10,
    };
    digits.iter().rev().enumerate().map(doubled).sum::<u32>() % 10 == 0
}

/// Verhoeff's, of Aadhaar numbers: multiplication in the dihedral group of order ten.
pub(crate) fn verhoeff(digits: &[u32]) -> bool {
    let times = |a: u32, b: u32| match (a < 5, b < 5) {
        (true, true) => (a + b) % 5,
        (true, false) => 5 + (a + b - 5) % 5,
        (false, true) => 5 + (a - 5 + 5 - b) % 5,
        (false, false) => (a + 5 - b) % 5,
    };
    const TURN: [u32; 10] = [1, 5, 7, 6, 2, 8, 3, 0, 9, 4];
    let turned = |digit: u32, count: usize| (0..count % 8).fold(digit, |digit, _| TURN[digit as usize]);
    let all = digits.iter().rev().enumerate();
    all.fold(0, |sum, (place, digit)| times(sum, turned(*digit, place))) == 0
}

/// ISO 7064 mod 11, 10, and one digit of the first ten that stands twice or three times: Germany's tax ids.
pub(crate) fn german_tax_id(digits: &[u32]) -> bool {
    let [body @ .., check] = digits else { return false };
    let mut counts = [0; 10];
    body.iter().for_each(|digit| counts[*digit as usize] += 1);
    let repeated = counts.iter().filter(|count| **count > 1).count();
    if body.len() != 10 || body[0] == 0 || repeated != 1 || counts.iter().any(|count| *count > 3) {
        return false;
    }
    let product = body.iter().fold(10, |product, digit| {
        let sum = (digit + product) % 10;
        (if sum == 0 { 10 } else { sum }) * 2 % 11
    });
    (11 - product) % 10 == *check
}

/// Modulo 11 with the check digit last: the NHS numbers of the United Kingdom.
pub(crate) fn nhs(digits: &[u32]) -> bool {
    weighted(digits, &[10, 9, 8, 7, 6, 5, 4, 3, 2, 1]).is_some_and(|sum| sum % 11 == 0)
}

/// The eleven test of citizen service numbers of the Netherlands.
pub(crate) fn dutch(digits: &[u32]) -> bool {
    let weighted = weighted(&digits[..digits.len().saturating_sub(1)], &[9, 8, 7, 6, 5, 4, 3, 2]);
    weighted.is_some_and(|sum| sum > 0 && sum % 11 == digits[8])
}

/// Tax file numbers of Australia.
pub(crate) fn australian_tax(digits: &[u32]) -> bool {
    weighted(digits, &[1, 4, 3, 7, 5, 8, 6, 9, 10]).is_some_and(|sum| sum % 11 == 0)
}

/// Medicare numbers of Australia: the ninth digit checks the first eight.
pub(crate) fn australian_medicare(digits: &[u32]) -> bool {
    let Some((body, [check, ..])) = digits.split_at_checked(8) else {
        return false;
    };
    (2..=6).contains(&body[0]) && weighted(body, &[1, 3, 7, 9, 1, 3, 7, 9]).is_some_and(|sum| sum % 10 == *check)
}

/// The two check digits of Brazil's CPF; numbers of one digit alone are none.
pub(crate) fn brazilian(digits: &[u32]) -> bool {
    let check = |length: usize| {
        let sum: u32 = (2..)
            .zip(digits[..length].iter().rev())
            .map(|(weight, digit): (u32, _)| weight * digit)
            .sum();
        sum * 10 % 11 % 10
    };
    digits.len() == 11
        && digits.iter().any(|digit| *digit != digits[0])
        && check(9) == digits[9]
        && check(10) == digits[10]
}

/// The key of France's NIR: 97 less the first thirteen modulo 97; sex and month are what they can be.
pub(crate) fn french(digits: &[u32]) -> bool {
    if digits.len() != 15 {
        return false;
    }
    let number = |part: &[u32]| part.iter().fold(0_u64, |number, digit| number * 10 + u64::from(*digit));
    let month = number(&digits[3..5]);
    let is_month = matches!(month, 1..=12 | 20..=42 | 50..=99);
    matches!(digits[0], 1..=4 | 7 | 8) && is_month && number(&digits[13..]) == 97 - number(&digits[..13]) % 97
}

/// The letter of Spain's DNI and NIE: the number modulo 23.
pub(crate) fn spanish_letter(number: u32) -> u8 {
    b"TRWAGMYFPDXBNJZSQVHLCKE"[number as usize % 23]
}

/// The last letter of an Italian tax code, from its first fifteen letters and digits in capitals.
pub(crate) fn italian_letter(code: &[u8]) -> Option<u8> {
    // Values at odd places, for 0 to 9 and A to J alike, then for K to Z.
    const ODD: [u32; 26] = [
        1, 0, 5, 7, 9, 13, 15, 17, 19, 21, 2, 4, 18, 20, 11, 3, 6, 8, 12, 14, 16, 10, 22, 25, 24, 23,
    ];
    let value = |byte: &u8| match byte {
        b'0'..=b'9' => Some(u32::from(byte - b'0')),
        b'A'..=b'Z' => Some(u32::from(byte - b'A')),
        _ => None,
    };
    let mut sum = 0;
    for (place, byte) in code.iter().enumerate() {
        let value = value(byte)?;
        sum += if place % 2 == 0 { ODD[value as usize] } else { value };
    }
    Some(b'A' + u8::try_from(sum % 26).ok()?)
}

/// The check digit of Germany's pension insurance numbers, `15 070649 C 103`: the letter counts as two digits.
pub(crate) fn german_pension(code: &[u8]) -> bool {
    if code.len() != 12 {
        return false;
    }
    let letter = u32::from(code[8].saturating_sub(b'A')) + 1;
    let digit = |byte: u8| u32::from(byte.saturating_sub(b'0'));
    let mut digits: Vec<u32> = code[..8].iter().map(|byte| digit(*byte)).collect();
    digits.extend([letter / 10, letter % 10, digit(code[9]), digit(code[10])]);
    let sum: u32 = digits
        .iter()
        .zip([2, 1, 2, 5, 7, 1, 2, 1, 2, 1, 2, 1])
        .map(|(digit, weight)| digit * weight)
        .map(|product| product / 10 + product % 10)
        .sum();
    sum % 10 == digit(code[11])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(holds: fn(&[u32]) -> bool, number: &str) {
        let digits = |number: &str| number.chars().filter_map(|c| c.to_digit(10)).collect::<Vec<_>>();
        let right = digits(number);
        assert!(holds(&right), "{number}");
        // A last digit that is changed is seen, and nothing shorter or longer is taken.
        let mut wrong = right.clone();
        let last = wrong.len() - 1;
        wrong[last] = (wrong[last] + 1) % 10;
        let is_medicare = number == "2123 45670 1";
        assert!(is_medicare || !holds(&wrong), "{number}");
        assert!(!holds(&[]) || number == "046 454 286" || number == "2341 2341 2346");
    }

    #[test]
    fn published_examples() {
        check(luhn, "046 454 286");
        check(verhoeff, "2341 2341 2346");
        check(german_tax_id, "86 095 742 719");
        check(german_tax_id, "65 929 970 489");
        check(nhs, "943 476 5919");
        check(dutch, "111222333");
        check(dutch, "123456782");
        check(australian_tax, "123 456 782");
        check(australian_medicare, "2123 45670 1");
        check(brazilian, "111.444.777-35");
        check(brazilian, "529.982.247-25");
        check(french, "2 55 08 14 168 025 38");
        assert_eq!(spanish_letter(12_345_678), b'Z');
        assert_eq!(italian_letter(b"RSSMRA85T10A562"), Some(b'S'));
        assert!(german_pension(b"15070649C103") && !german_pension(b"15070649C104"));
    }

    #[test]
    fn numbers_of_one_digit_are_none() {
        assert!(!brazilian(&[1; 11]));
        assert!(!german_tax_id(&[1; 11]));
        assert!(!dutch(&[0; 9]));
    }
}
