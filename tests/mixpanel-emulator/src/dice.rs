//! Chance that can be repeated: a seeded generator for choices, and a hash that turns an id into
//! the same numbers for ever. No invariant depends on their quality.

/// A SplitMix64 generator.
#[derive(Debug, Clone)]
pub(crate) struct Dice {
    state: u64,
}

impl Dice {
    /// The same seed gives the same throws.
    pub(crate) fn new(seed: u64) -> Self {
        Self { state: seed }
    }

    /// Dice whose seed is made of a text and a number.
    pub(crate) fn of(text: &str, salt: u64) -> Self {
        Self::new(hash(text) ^ mix(salt))
    }

    /// The next 64 bits.
    pub(crate) fn next(&mut self) -> u64 {
        self.state = self.state.wrapping_add(0x9E37_79B9_7F4A_7C15);
        mix(self.state)
    }

    /// A number below `limit`; 0 if the limit is 0.
    pub(crate) fn below(&mut self, limit: u64) -> u64 {
        self.next().checked_rem(limit).unwrap_or(0)
    }

    /// One member of a list that is not empty.
    pub(crate) fn one_of<T: Copy>(&mut self, list: &[T]) -> T {
        let index = usize::try_from(self.below(list.len() as u64)).unwrap_or(0);
        list[index]
    }

    /// True with the given probability.
    pub(crate) fn happens(&mut self, probability: f64) -> bool {
        // 53 bits are all that a double can tell apart.
        #[expect(clippy::cast_precision_loss, reason = "53 bits fit")]
        let throw = (self.next() >> 11) as f64 / (1u64 << 53) as f64;
        throw < probability
    }
}

/// FNV-1a, then mixed: stable over runs and machines.
pub(crate) fn hash(text: &str) -> u64 {
    let folded = text.bytes().fold(0xCBF2_9CE4_8422_2325_u64, |sum, byte| {
        (sum ^ u64::from(byte)).wrapping_mul(0x0100_0000_01B3)
    });
    mix(folded)
}

fn mix(value: u64) -> u64 {
    let value = (value ^ (value >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    let value = (value ^ (value >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    value ^ (value >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_seed_gives_the_same_throws() {
        let throws = |seed| {
            let mut dice = Dice::new(seed);
            [dice.below(1000), dice.below(1000), dice.below(1000)]
        };
        assert_eq!(throws(7), throws(7));
        assert_ne!(throws(7), throws(8));
    }

    #[test]
    fn a_probability_of_a_tenth_happens_about_one_time_in_ten() {
        let mut dice = Dice::new(1);
        let hits = (0..10_000).filter(|_| dice.happens(0.1)).count();
        assert!((800..1200).contains(&hits), "{hits} of 10000");
    }

    #[test]
    fn certainty_and_impossibility_are_exact() {
        let mut dice = Dice::new(1);
        assert!((0..1000).all(|_| dice.happens(1.0)));
        assert!(!(0..1000).any(|_| dice.happens(0.0)));
    }
}
