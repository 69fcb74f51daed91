/// How many records of a collection to ask for at a time.
///
/// Zendesk gives up on pages that take it too long (504): then the page is halved, and grows again
/// once smaller ones have gone well for a while.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct PageSize {
    current: u32,
    max: u32,
    good: u32,
}

/// Smaller pages than this are not tried: then it is not the size.
const SMALLEST: u32 = 50;
/// Pages that must go well before the size is doubled again.
const GOOD_BEFORE_GROWTH: u32 = 10;

impl PageSize {
    pub(crate) fn new(max: u32) -> Self {
        Self {
            current: max,
            max,
            good: 0,
        }
    }

    pub(crate) fn current(self) -> u32 {
        self.current
    }

    pub(crate) fn is_largest(self) -> bool {
        self.current == self.max
    }

    /// The page was too heavy. Returns the size to ask for next.
    pub(crate) fn halve(&mut self) -> u32 {
        self.good = 0;
        self.current = (self.current / 2).max(SMALLEST.min(self.max));
        self.current
    }

    pub(crate) fn raise(&mut self) {
        self.current = self.max;
    }

    pub(crate) fn went_well(&mut self) {
        self.good += 1;
        if self.good >= GOOD_BEFORE_GROWTH && !self.is_largest() {
            self.good = 0;
            self.current = (self.current * 2).min(self.max);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pages_are_halved_down_to_fifty_and_grow_again() {
        let mut size = PageSize::new(1_000);
        let halved: Vec<_> = (0..6).map(|_| size.halve()).collect();
        assert_eq!(halved, [500, 250, 125, 62, 50, 50]);
        for _ in 0..GOOD_BEFORE_GROWTH {
            size.went_well();
        }
        assert_eq!(size.current(), 100);
        for _ in 0..5 * GOOD_BEFORE_GROWTH {
            size.went_well();
        }
        assert!(size.is_largest());
        assert_eq!(PageSize::new(10).halve(), 10, "never above what the API allows");
    }
}
