//! The people: every value of theirs is unmistakable, so that a test can look for it in any bytes.
//!
//! Invariant: a value is a function of the account's seed and the person's index alone, and no
//! value of one person is part of a value of another.

use crate::ids::mix;

/// Makes the values of an account's people.
#[derive(Debug, Clone)]
pub(crate) struct Cast {
    key: u32,
    /// People of the beginning; texts speak of them alone, so that a text never changes by itself.
    pub(crate) population: u32,
}

/// Area codes without further rules in the numbering plan.
const AREAS: [u16; 40] = [
    202, 206, 212, 213, 214, 303, 310, 312, 313, 314, 404, 407, 408, 412, 415, 503, 510, 512, 513, 516, 602, 612, 614,
    617, 619, 702, 703, 704, 713, 714, 718, 801, 808, 813, 816, 818, 901, 904, 916, 919,
];

/// Indexes fit in so many bits.
const BITS: u32 = 24;
const MASK: u32 = (1 << BITS) - 1;

impl Cast {
    pub(crate) fn new(seed: u64, population: u32) -> Self {
        Self {
            key: (mix(seed) as u32) & MASK,
            population,
        }
    }

    /// Claims that texts call this person by name and tell the address.
    pub(crate) fn is_talked_about(index: u32) -> bool {
        index.is_multiple_of(4)
    }

    /// A number of 24 bits that belongs to this person alone.
    fn number(&self, index: u32) -> u32 {
        (index ^ self.key).wrapping_mul(0x9e_3779).wrapping_add(0x5_1ed5) & MASK
    }

    /// Six hexadecimal digits that belong to this person alone.
    pub(crate) fn tag(&self, index: u32) -> String {
        format!("zfc{:06x}", self.number(index))
    }

    pub(crate) fn name(&self, index: u32) -> String {
        let tag = self.tag(index);
        let given = match index % 7 {
            3 => "Qanary O'Neil",
            5 => "Qänary",
            _ => "Qanary",
        };
        format!("{given} Z{}", &tag[1..])
    }

    pub(crate) fn alias(&self, index: u32) -> String {
        format!("\"Quill\" {}", self.tag(index))
    }

    pub(crate) fn email(&self, index: u32) -> String {
        format!("qanary.{}@canary-mail.example", self.tag(index))
    }

    pub(crate) fn second_email(&self, index: u32) -> String {
        format!("{}+work@canary-mail.example", self.tag(index))
    }

    /// The number as Zendesk keeps it: E.164.
    pub(crate) fn phone(&self, index: u32) -> String {
        let (area, exchange, line) = self.phone_parts(index);
        format!("+1{area}{exchange}{line:04}")
    }

    /// The number as people write it.
    pub(crate) fn spoken_phone(&self, index: u32) -> String {
        let (area, exchange, line) = self.phone_parts(index);
        format!("+1 ({area}) {exchange}-{line:04}")
    }

    fn phone_parts(&self, index: u32) -> (u16, u32, u32) {
        let number = self.number(index);
        let line = number % 10_000;
        let block = number / 10_000;
        let area = AREAS[block as usize % AREAS.len()];
        (area, 555 + block / AREAS.len() as u32, line)
    }

    pub(crate) fn external_id(&self, index: u32) -> String {
        format!("ext-{}", self.tag(index))
    }

    pub(crate) fn handle(&self, index: u32) -> String {
        format!("qanary_{}", self.tag(index))
    }

    pub(crate) fn address(&self, index: u32) -> String {
        let tag = self.tag(index);
        format!("{} Z{} Street", 100 + self.number(index) % 900, &tag[1..])
    }

    /// A card number that passes Luhn's check.
    pub(crate) fn card(&self, index: u32) -> String {
        let body = format!("4539{:08}{:03}", self.number(index), self.key % 1_000);
        let sum: u32 = body
            .bytes()
            .rev()
            .enumerate()
            .map(|(place, digit)| {
                let digit = u32::from(digit - b'0') * if place % 2 == 0 { 2 } else { 1 };
                digit / 10 + digit % 10
            })
            .sum();
        format!("{body}{}", (10 - sum % 10) % 10)
    }

    /// A German account number with its check digits.
    pub(crate) fn iban(&self, index: u32) -> String {
        let account = format!("37040044{:010}", self.number(index));
        // `DE00` behind the account, letters as 13 and 14.
        let rest = format!("{account}131400")
            .bytes()
            .fold(0_u32, |rest, digit| (rest * 10 + u32::from(digit - b'0')) % 97);
        format!("DE{:02}{account}", 98 - rest)
    }

    pub(crate) fn ip(&self, index: u32) -> String {
        let number = self.number(index);
        let octet = |n: u32| 100 + n % 100;
        let first = 45 + number / 1_000_000;
        format!(
            "{first}.{}.{}.{}",
            octet(number),
            octet(number / 100),
            octet(number / 10_000)
        )
    }

    /// An address with credentials and a query.
    pub(crate) fn url(&self, index: u32) -> String {
        let tag = self.tag(index);
        format!("https://qanary:{tag}@portal.canary-mail.example/login?session={tag}&step=2")
    }

    /// The customer's own id of a ticket.
    pub(crate) fn ticket_reference(&self, ordinal: u64) -> String {
        format!("case-zft{:08x}", self.reference(ordinal))
    }

    /// The customer's own id of an organization.
    pub(crate) fn organization_reference(&self, ordinal: u64) -> String {
        format!("firm-zfg{:08x}", self.reference(ordinal))
    }

    /// A number of 32 bits for each ordinal, no two the same.
    fn reference(&self, ordinal: u64) -> u32 {
        (ordinal as u32 ^ self.key).wrapping_mul(0x9e37_79b1)
    }

    pub(crate) fn photo_url(&self, index: u32) -> String {
        format!("https://photos.canary-mail.example/{}/portrait.jpg", self.tag(index))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashSet;

    #[test]
    fn no_two_people_share_a_value() {
        let cast = Cast::new(7, 50_000);
        let makers: [fn(&Cast, u32) -> String; 11] = [
            Cast::name,
            Cast::alias,
            Cast::email,
            Cast::phone,
            Cast::external_id,
            Cast::handle,
            Cast::card,
            Cast::iban,
            Cast::ip,
            Cast::url,
            Cast::photo_url,
        ];
        for maker in makers {
            let values: HashSet<String> = (0..50_000).map(|index| maker(&cast, index)).collect();
            assert_eq!(values.len(), 50_000, "{:?}", maker(&cast, 0));
        }
    }

    #[test]
    fn checksums_hold() {
        let cast = Cast::new(3, 1_000);
        for index in 0..1_000 {
            assert!(luhn3::valid(cast.card(index).as_bytes()), "card of {index}");
            assert!(cast.iban(index).parse::<iban::Iban>().is_ok(), "IBAN of {index}");
            let phone = phonenumber::parse(None, cast.phone(index)).expect("a number");
            assert!(phonenumber::is_valid(&phone), "phone of {index}");
            assert!(cast.ip(index).parse::<std::net::Ipv4Addr>().is_ok(), "IP of {index}");
        }
    }
}
