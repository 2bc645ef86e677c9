//! Random numbers that are the same everywhere and in every version: SplitMix64.

/// A stream of numbers from a seed.
pub(crate) struct Random(u64);

impl Random {
    pub(crate) fn new(seed: u64) -> Self {
        Self(seed)
    }

    pub(crate) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let z = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// A number below `bound`, which is not zero.
    pub(crate) fn below(&mut self, bound: u64) -> u64 {
        let wide = u128::from(self.next()) * u128::from(bound);
        u64::try_from(wide >> 64).unwrap_or(0)
    }

    /// One of `choices`, each as often as the others.
    pub(crate) fn even<'a, T, const N: usize>(&mut self, choices: &'a [T; N]) -> &'a T {
        // Below N, so it is there.
        &choices[usize::try_from(self.below(N as u64)).unwrap_or(0)]
    }

    /// One of `choices`, the first ones more often: half, a quarter, an eighth, …
    pub(crate) fn skewed<'a, T, const N: usize>(&mut self, choices: &'a [T; N]) -> &'a T {
        &choices[self.next().trailing_ones() as usize % N]
    }
}

/// Draws places 0, 1, 2, … with the weights 1, 1/2, 1/3, …
pub(crate) struct Zipf {
    /// Upper ends of the places' shares of the range of u64.
    ends: Vec<u64>,
}

impl Zipf {
    #[expect(
        clippy::cast_precision_loss,
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "shares of a range; the last one ends at its top"
    )]
    pub(crate) fn new(places: usize) -> Self {
        let total: f64 = (1..=places).map(|place| 1.0 / place as f64).sum();
        let mut sum = 0.0;
        let end = |place: usize| {
            sum += 1.0 / place as f64;
            (sum / total * u64::MAX as f64) as u64
        };
        Self { ends: (1..=places).map(end).collect() }
    }

    pub(crate) fn draw(&self, random: &mut Random) -> usize {
        let number = random.next();
        self.ends.partition_point(|&end| end < number).min(self.ends.len().saturating_sub(1))
    }
}
