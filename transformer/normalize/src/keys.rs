//! Finds a name among those that a plan knows.

/// Names and the numbers of what stands under them.
pub(crate) type Entries = Vec<(Box<str>, u16)>;

/// Names and what stands under them; open addressing over a hash of length, beginning and end.
#[derive(Debug, Clone, Default)]
pub(crate) struct Keys {
    entries: Entries,
    /// Indexes into `entries` plus one; 0 is free. The length is a power of two.
    places: Vec<u16>,
}

impl Keys {
    pub(crate) fn new(entries: Entries) -> Self {
        if entries.is_empty() {
            return Self::default();
        }
        let mut places = vec![0; (entries.len() * 4).next_power_of_two()];
        let mask = places.len() - 1;
        for (index, (key, _)) in entries.iter().enumerate() {
            let mut place = hash(key.as_bytes()) & mask;
            while places[place] != 0 {
                place = (place + 1) & mask;
            }
            places[place] = u16::try_from(index + 1).expect("a plan has few names");
        }
        Self { entries, places }
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// What stands under a name.
    #[inline]
    pub(crate) fn get(&self, key: &[u8]) -> Option<u16> {
        let mask = self.places.len().wrapping_sub(1);
        let mut place = hash(key) & mask;
        loop {
            let index = usize::from(*self.places.get(place)?);
            let (held, target) = self.entries.get(index.checked_sub(1)?)?;
            if held.as_bytes() == key {
                return Some(*target);
            }
            place = (place + 1) & mask;
        }
    }
}

#[inline]
fn hash(key: &[u8]) -> usize {
    let (first, last) = if let (Some(first), Some(last)) = (key.first_chunk::<8>(), key.last_chunk::<8>()) {
        (u64::from_le_bytes(*first), u64::from_le_bytes(*last))
    } else if let (Some(first), Some(last)) = (key.first_chunk::<4>(), key.last_chunk::<4>()) {
        (
            u64::from(u32::from_le_bytes(*first)),
            u64::from(u32::from_le_bytes(*last)),
        )
    } else if let (Some(first), Some(last)) = (key.first(), key.last()) {
        (u64::from(*first) << 8 | u64::from(key[key.len() / 2]), u64::from(*last))
    } else {
        (0, 0)
    };
    let mixed = (first ^ last.rotate_left(29) ^ key.len() as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    (mixed >> 32) as usize
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_name_is_found_and_no_other() {
        let names: Vec<String> = (0..500)
            .map(|n| format!("{}field_{n}_of_many", "x".repeat(n % 30)))
            .collect();
        let short: Vec<String> = (b'a'..=b'z').map(|c| char::from(c).to_string()).collect();
        let all: Vec<&String> = names.iter().chain(&short).collect();
        let keys = Keys::new(
            all.iter()
                .enumerate()
                .map(|(n, name)| (name.as_str().into(), n as u16))
                .collect(),
        );
        for (n, name) in all.iter().enumerate() {
            assert_eq!(keys.get(name.as_bytes()), Some(n as u16));
            assert_eq!(keys.get(format!("{name}_").as_bytes()), None);
        }
        assert_eq!(keys.get(b""), None);
        assert_eq!(Keys::default().get(b"a"), None);
    }
}
