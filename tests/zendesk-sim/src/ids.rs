//! Ids as Zendesk gives them: 14 digits, rising, with gaps.

/// What an id is given to; every kind has a range of its own, so that no id means two things.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[repr(u8)]
pub(crate) enum Kind {
    Ticket = 10,
    User = 20,
    Identity = 22,
    Photo = 24,
    Organization = 30,
    Group = 40,
    GroupMembership = 42,
    OrganizationMembership = 44,
    Field = 50,
    Option = 52,
    Schedule = 51,
    Holiday = 53,
    Form = 54,
    Policy = 56,
    Skip = 58,
    MetricSet = 60,
    Brand = 62,
    Macro = 64,
    Trigger = 66,
    View = 68,
    Happening = 70,
    Rating = 80,
    SatisfactionRating = 82,
    Audit = 84,
    Activity = 86,
    MetricEvent = 88,
    Constant = 90,
    SideConversation = 92,
    SideEvent = 94,
}

/// Returns the id of the `ordinal`-th thing of a kind.
pub(crate) fn id(kind: Kind, ordinal: u64) -> i64 {
    let gap = mix(ordinal ^ kind as u64) % 16;
    let within = i64::try_from(ordinal * 16 + gap).expect("ordinals stay small");
    kind as i64 * 1_000_000_000_000 + 718_508_513 + within
}

/// How a side conversation and its events are called: a UUID that ends with the id.
pub(crate) fn key_of(id: i64) -> String {
    let (high, low) = (mix(id.unsigned_abs()), mix(id.unsigned_abs() ^ 1));
    let (first, second) = (high >> 32, high & 0xffff);
    let (third, fourth) = (low & 0xfff, 0x800 | (low >> 16 & 0x3ff));
    format!("{first:08x}-{second:04x}-4{third:03x}-{fourth:03x}0-{id:012x}")
}

/// The id of a key as records show it: a number, or a UUID.
pub(crate) fn id_of(key: &str) -> Option<i64> {
    let by_number = key.parse().ok();
    by_number.or_else(|| i64::from_str_radix(key.rsplit_once('-')?.1, 16).ok())
}

/// Ids of what every account has one of.
pub(crate) const BRAND: i64 = 90_360_002_256_672;
pub(crate) const FORM: i64 = 90_360_000_389_592;
pub(crate) const CUSTOM_ROLE: i64 = 90_360_000_000_017;

/// Spreads the bits of a number (SplitMix64's finisher).
pub(crate) fn mix(number: u64) -> u64 {
    let mut z = number.wrapping_add(0x9e37_79b9_7f4a_7c15);
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

/// Hands out the next id of each kind.
#[derive(Debug, Default, Clone)]
pub(crate) struct Counters {
    next: std::collections::HashMap<Kind, u64>,
}

impl Counters {
    /// Returns an id that has not been given before.
    pub(crate) fn give(&mut self, kind: Kind) -> i64 {
        let next = self.next.entry(kind).or_default();
        *next += 1;
        id(kind, *next - 1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_uuid_leads_back_to_its_id() {
        let given = id(Kind::SideEvent, 7);
        let key = key_of(given);
        assert_eq!((key.len(), id_of(&key)), (36, Some(given)));
        assert_eq!((id_of("42"), id_of("x-y")), (Some(42), None));
    }

    #[test]
    fn ids_have_fourteen_digits_and_rise() {
        let mut last = 0;
        for ordinal in 0..1_000 {
            let given = id(Kind::Ticket, ordinal);
            assert_eq!(given.to_string().len(), 14);
            assert!(given > last);
            last = given;
        }
    }
}
