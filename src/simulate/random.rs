//! Seeded randomness: xoshiro256++ (Blackman and Vigna, "Scrambled Linear Pseudorandom Number Generators", 2019),
//! its state filled by SplitMix64 (Steele, Lea and Flood, "Fast Splittable Pseudorandom Number Generators", 2014).
//!
//! In goes a seed, out come the same numbers on every machine. Not for secrets. Generators are forked by name, so
//! that adding an attack does not change the benign traffic around it.

use std::time::Duration;

/// SplitMix64: one step from `state`, as Vigna publishes it.
#[inline]
pub fn splitmix(state: &mut u64) -> u64 {
    *state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let mut z = *state;
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

/// A fixed pseudo-random function of two numbers: properties that something has without being remembered.
#[inline]
pub fn scatter(what: u64, index: u64) -> u64 {
    let mut state = what.wrapping_mul(0xd6e8_feb8_6659_fd93) ^ index;
    let first = splitmix(&mut state);
    first ^ splitmix(&mut state).rotate_left(32)
}

#[derive(Clone, Debug)]
pub struct Rng {
    state: [u64; 4],
}

impl Rng {
    pub fn new(seed: u64) -> Rng {
        let mut s = seed;
        Rng { state: [splitmix(&mut s), splitmix(&mut s), splitmix(&mut s), splitmix(&mut s)] }
    }

    /// An independent generator for one purpose (`name` of it, `index` among its like).
    pub fn named(seed: u64, name: &str, index: u64) -> Rng {
        let named = name.bytes().fold(seed, |hash, byte| scatter(hash, u64::from(byte)));
        Rng::new(scatter(named, index))
    }

    /// xoshiro256++ `next`.
    #[inline]
    pub fn next_u64(&mut self) -> u64 {
        let [s0, s1, s2, s3] = &mut self.state;
        let result = s0.wrapping_add(*s3).rotate_left(23).wrapping_add(*s0);
        let shifted = *s1 << 17;
        *s2 ^= *s0;
        *s3 ^= *s1;
        *s1 ^= *s2;
        *s0 ^= *s3;
        *s2 ^= shifted;
        *s3 = s3.rotate_left(45);
        result
    }

    /// Uniform in `0..bound` (Lemire's multiplication; the bias is below `bound / 2^64`). Zero for a zero bound.
    #[inline]
    pub fn below(&mut self, bound: u64) -> u64 {
        ((u128::from(self.next_u64()) * u128::from(bound)) >> 64) as u64
    }

    /// Uniform in `low..=high`.
    #[inline]
    pub fn between(&mut self, low: u64, high: u64) -> u64 {
        low + self.below(high.saturating_sub(low) + 1)
    }

    /// Uniform in `[0, 1)`.
    #[inline]
    pub fn unit(&mut self) -> f64 {
        (self.next_u64() >> 11) as f64 / (1u64 << 53) as f64
    }

    #[inline]
    pub fn chance(&mut self, probability: f64) -> bool {
        self.unit() < probability
    }

    /// Exponentially distributed with this mean: the gaps of a Poisson process.
    pub fn exponential(&mut self, mean: f64) -> f64 {
        -(1.0 - self.unit()).ln() * mean
    }

    /// Log-normal by its median and the standard deviation of its logarithm (Box-Muller transform).
    pub fn log_normal(&mut self, median: f64, sigma: f64) -> f64 {
        let radius = (-2.0 * (1.0 - self.unit()).ln()).sqrt();
        median * (sigma * radius * (std::f64::consts::TAU * self.unit()).cos()).exp()
    }

    /// Log-uniform in `[low, high)`.
    pub fn log_uniform(&mut self, low: f64, high: f64) -> f64 {
        low * (high / low).powf(self.unit())
    }

    /// One of `choices`, which must not be empty.
    pub fn pick<'a, T>(&mut self, choices: &'a [T]) -> &'a T {
        &choices[self.below(choices.len() as u64) as usize] // `below` is smaller than the length
    }

    /// The index of one of `weights`, chosen in proportion.
    pub fn weighted(&mut self, weights: &[u32]) -> usize {
        let total: u64 = weights.iter().map(|weight| u64::from(*weight)).sum();
        let mut drawn = self.below(total);
        for (index, weight) in weights.iter().enumerate() {
            if drawn < u64::from(*weight) {
                return index;
            }
            drawn -= u64::from(*weight);
        }
        0
    }

    /// A span between two, uniform.
    pub fn span(&mut self, low: Duration, high: Duration) -> Duration {
        Duration::from_nanos(self.between(low.as_nanos() as u64, high.as_nanos() as u64))
    }

    pub fn millis(&mut self, low: u64, high: u64) -> Duration {
        self.span(Duration::from_millis(low), Duration::from_millis(high))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn splitmix_gives_its_published_numbers() {
        let mut state = 1_234_567;
        let drawn: Vec<u64> = (0..3).map(|_| splitmix(&mut state)).collect();
        assert_eq!(drawn, [6_457_827_717_110_365_317, 3_203_168_211_198_807_973, 9_817_491_932_198_370_423]);
    }

    #[test]
    fn xoshiro_gives_its_reference_numbers() {
        let mut rng = Rng { state: [1, 2, 3, 4] };
        let drawn: Vec<u64> = (0..4).map(|_| rng.next_u64()).collect();
        assert_eq!(drawn, [41_943_041, 58_720_359, 3_588_806_011_781_223, 3_591_011_842_654_386]);
    }

    #[test]
    fn distributions_have_their_means() {
        let mut rng = Rng::new(7);
        let n = 20_000;
        let mean = (0..n).map(|_| rng.exponential(5.0)).sum::<f64>() / f64::from(n);
        assert!((4.8..5.2).contains(&mean), "{mean}");
        assert!((0..n).all(|_| (3..=9).contains(&rng.between(3, 9))));
        let heavy = (0..n).filter(|_| rng.weighted(&[1, 3]) == 1).count();
        assert!((14_500..15_500).contains(&heavy), "{heavy}");
    }
}
