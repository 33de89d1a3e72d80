//! How likely it is that what comes next was never seen.

/// The chance that the next thing seen is a new one, from how many of `observations` were things seen once (Good, "The
/// population frequencies of species", 1953: N1 / N). One is added to both, so that it is never 0, and 1 at the start.
pub fn good_turing_novelty(singletons: u64, observations: u64) -> f64 {
    (singletons.min(observations) as f64 + 1.0) / (observations as f64 + 1.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn novelty_is_certain_at_first_and_rare_when_all_repeats() {
        assert_eq!(good_turing_novelty(0, 0), 1.0);
        assert_eq!(good_turing_novelty(9, 99), 0.1);
        assert_eq!(good_turing_novelty(0, 999), 0.001);
    }
}
