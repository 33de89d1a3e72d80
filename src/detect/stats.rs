//! The statistical tests that detectors share: how likely is a count this extreme if nothing had changed?
//!
//! In go counts of the window and of its baseline, out comes a [`Probability`]. Shares are tested with a beta-binomial
//! tail, rates with a gamma-Poisson (negative binomial) tail: both carry the uncertainty of a young baseline and the
//! overdispersion of an old one, whose share is never as constant as a coin's. All tails are computed as logarithms, so
//! that tiny ones keep their digits (`tail.rs`). Parameters without a meaning (not positive, not finite) give 1: no
//! evidence. `ln` and `exp` differ in their last bit between platforms: output goes through [`round_probability`].

mod tail;

pub use tail::{gamma_poisson_lower_tail, gamma_poisson_tail};

use serde::Serialize;
use tail::{ln_beta_binomial_tail, ln_gamma_poisson_tail};

/// The chance of counts at least this extreme if nothing had changed, within 1e-300 to 1. Smaller is not told apart:
/// no traffic model is right that far out.
#[derive(Clone, Copy, Debug, PartialEq, PartialOrd, Serialize)]
#[serde(transparent)]
pub struct Probability(f64);

impl Probability {
    pub const MIN: Probability = Probability(1e-300);
    pub const ONE: Probability = Probability(1.0);

    /// Clamps; what is not a number is no evidence.
    pub fn new(value: f64) -> Probability {
        if value.is_nan() { Probability::ONE } else { Probability(value.clamp(Probability::MIN.0, 1.0)) }
    }

    pub fn from_ln(ln: f64) -> Probability {
        Probability::new(ln.exp())
    }

    pub fn value(self) -> f64 {
        self.0
    }

    /// As it is written in an alert.
    pub fn rounded(self) -> f64 {
        round_probability(self.0)
    }
}

/// Two significant digits: more would claim a precision that the model has not, and would differ between platforms.
pub fn round_probability(probability: f64) -> f64 {
    format!("{probability:.1e}").parse().unwrap_or(probability)
}

/// Is a share of `successes` in `n` compatible with the baseline's share? The chance of at least that many.
///
/// The baseline's share has a beta distribution (Gelman et al., "Bayesian Data Analysis", §2.4, with Jeffreys' prior)
/// that weighs no more than `prior_strength` observations, however long it learned: real shares move from window to
/// window more than a coin's would. With little learned it weighs what was learned. Without a baseline: no evidence.
pub fn ratio_test(
    successes: u64,
    n: u64,
    baseline_successes: u64,
    baseline_n: u64,
    prior_strength: f64,
) -> Probability {
    if baseline_n == 0 || n == 0 {
        return Probability::ONE;
    }
    let weight = baseline_n as f64 + 1.0;
    let share = (baseline_successes.min(baseline_n) as f64 + 0.5) / weight;
    let strength = weight.min(prior_strength);
    Probability::from_ln(ln_beta_binomial_tail(successes, n, share * strength, (1.0 - share) * strength))
}

/// How many times the odds of one share are those of another. For small shares about the factor between them; but a share
/// of 40 % can become three times as odd, and never three times as large.
pub fn odds_factor(share: f64, usual: f64) -> f64 {
    let odds = |share: f64| share.clamp(0.0, 1.0) / (1.0 - share.clamp(0.0, 1.0));
    match (odds(share), odds(usual)) {
        (now, _) if now <= 0.0 => 0.0,
        (now, usual) if usual <= 0.0 || now.is_infinite() => f64::INFINITY,
        (now, usual) => now / usual,
    }
}

/// Is `count` within `exposure` (seconds, requests, any unit) compatible with the baseline's rate? The chance of at
/// least that many. As in [`ratio_test`], the baseline weighs no more than `prior_strength` events.
pub fn rate_test(
    count: u64,
    exposure: f64,
    baseline_count: u64,
    baseline_exposure: f64,
    prior_strength: f64,
) -> Probability {
    let is_known = baseline_exposure > 0.0 && baseline_exposure.is_finite();
    if !is_known {
        return Probability::ONE;
    }
    let events = baseline_count as f64 + 0.5;
    let shape = events.min(prior_strength);
    Probability::from_ln(ln_gamma_poisson_tail(count, exposure, shape, shape * baseline_exposure / events))
}

/// The counts out of `n` between which 95 of 100 lie, by the baseline of [`ratio_test`].
pub fn ratio_interval(n: u64, baseline_successes: u64, baseline_n: u64, prior_strength: f64) -> [u64; 2] {
    interval(n, |k| ratio_test(k, n, baseline_successes, baseline_n, prior_strength).value())
}

/// The counts within `exposure` between which 95 of 100 lie, by the baseline of [`rate_test`]; looked for up to `most`.
pub fn rate_interval(
    exposure: f64,
    baseline_count: u64,
    baseline_exposure: f64,
    prior_strength: f64,
    most: u64,
) -> [u64; 2] {
    interval(most, |k| rate_test(k, exposure, baseline_count, baseline_exposure, prior_strength).value())
}

/// Share of counts on either side of an interval.
const OUTSIDE: f64 = 0.025;

/// From a falling `tail`, P[X >= k] for k from 0 to `most`: the largest counts that it holds above each bound.
fn interval(most: u64, tail: impl Fn(u64) -> f64) -> [u64; 2] {
    [1.0 - OUTSIDE, OUTSIDE].map(|bound| {
        let (mut low, mut high) = (0, most);
        while low < high {
            let middle = low + (high - low).div_ceil(2);
            if tail(middle) > bound { low = middle } else { high = middle - 1 }
        }
        low
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    pub(super) fn assert_near(found: f64, expected: f64, relative: f64) {
        assert!((found / expected - 1.0).abs() <= relative, "{found:e} is not {expected:e}");
    }

    #[test]
    fn a_share_is_judged_by_what_was_learned() {
        let judged = |baseline_n: u64| ratio_test(15, 100, baseline_n / 50, baseline_n, 500.0).value();
        assert_eq!(ratio_test(15, 100, 0, 0, 500.0), Probability::ONE);
        assert!(judged(50) > 1e-3 && judged(5_000) < 1e-6, "{} {}", judged(50), judged(5_000));
        // Past the strength of the prior, more of the same says nothing more.
        assert_near(judged(500_000), judged(5_000_000), 0.01);
        assert!(ratio_test(2, 100, 100, 5_000, 500.0).value() > 0.5);
        assert_eq!(ratio_test(100_000, 100_000, 5, 100_000, 1e6), Probability::MIN);
    }

    #[test]
    fn an_interval_holds_95_of_100() {
        // Of 100 tosses of a fair coin: 40 to 60 (the quantiles of the binomial distribution).
        assert_eq!(ratio_interval(100, 1 << 40, 1 << 41, 1e12), [40, 60]);
        // Poisson with mean 10: 4 to 17.
        assert_eq!(rate_interval(10.0, 1 << 40, (1u64 << 40) as f64, 1e12, 1000), [4, 17]);
        assert_eq!(rate_interval(10.0, 0, 1e9, 100.0, 1000), [0, 0]);
    }

    #[test]
    fn odds_of_a_large_share_can_grow_as_those_of_a_small_one() {
        assert!((odds_factor(0.03, 0.01) - 3.06).abs() < 0.01);
        assert!((odds_factor(0.78, 0.31) - 7.9).abs() < 0.1);
        assert_eq!(
            (odds_factor(0.2, 0.0), odds_factor(0.0, 0.0), odds_factor(1.0, 0.9)),
            (f64::INFINITY, 0.0, f64::INFINITY)
        );
    }

    #[test]
    fn a_rate_is_judged_by_what_was_learned() {
        assert_eq!(rate_test(50, 10.0, 0, 0.0, 100.0), Probability::ONE);
        assert!(rate_test(12, 10.0, 3_600, 3_600.0, 100.0).value() > 0.2);
        assert!(rate_test(60, 10.0, 3_600, 3_600.0, 100.0).value() < 1e-12);
        assert!(rate_test(60, 10.0, 3_600, 3_600.0, 1.0).value() > 1e-3, "a loose prior forgives more");
    }

    #[test]
    fn probabilities_keep_two_digits_and_never_reach_zero() {
        assert_eq!(round_probability(0.012345), 0.012);
        assert_eq!(round_probability(9.97e-9), 1e-8);
        assert_eq!(round_probability(1.0), 1.0);
        assert_eq!(Probability::from_ln(-1e6), Probability::MIN);
        assert_eq!((Probability::new(f64::NAN), Probability::new(1.5)), (Probability::ONE, Probability::ONE));
    }

    #[test]
    fn counts_beyond_what_numbers_can_count_end_too() {
        for (k, n) in [(1 << 60, u64::MAX), (u64::MAX - 3, u64::MAX), ((1 << 53) - 1, 1 << 54)] {
            for strength in [1e-3, 1.0, 1e6, 1e18] {
                assert!(ratio_test(k, n, n / 3, n / 2, strength).value() > 0.0);
            }
        }
    }

    proptest! {
        #[test]
        fn nonsense_is_no_evidence_and_never_hangs(
            k in any::<u64>(), n in any::<u64>(), a in any::<f64>(), b in any::<f64>(),
        ) {
            for probability in [
                ratio_test(k, n, k / 2, n / 2, a), rate_test(k, a, n, b, a), Probability::new(gamma_poisson_tail(k, a, b, a)),
            ] {
                prop_assert!((1e-300..=1.0).contains(&probability.value()));
            }
        }
    }
}
