//! The statistical tests that detectors share: how likely is a count this extreme if nothing had changed?
//!
//! In go counts of the window and of its baseline, out comes a [`Probability`]. Shares are tested with a beta-binomial
//! tail, rates with a gamma-Poisson (negative binomial) tail: both carry the uncertainty of a young baseline and the
//! overdispersion of an old one, whose share is never as constant as a coin's. All tails are computed as logarithms, so
//! that tiny ones keep their digits. Parameters without a meaning (not positive, not finite) give 1: no evidence.
//!
//! Bounds: every function ends after a bounded number of steps (see [`CONTINUED_FRACTION_STEPS`], [`SUM_BLOCKS`]); counts
//! up to 10^7 take 0.25 ms at worst. `ln` and `exp` differ in their last bit between platforms: output goes
//! through [`round_probability`].

use serde::Serialize;

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

/// The chance that the next thing seen is a new one, from how many of `observations` were things seen once (Good, "The
/// population frequencies of species", 1953: N1 / N). One is added to both, so that it is never 0, and 1 at the start.
pub fn good_turing_novelty(singletons: u64, observations: u64) -> f64 {
    (singletons.min(observations) as f64 + 1.0) / (observations as f64 + 1.0)
}

/// P[X >= k] for X binomial (n, p).
pub fn binomial_tail(k: u64, n: u64, p: f64) -> f64 {
    Probability::from_ln(ln_binomial_tail(k, n, p)).value()
}

/// P[X >= k] for X Poisson (mean).
pub fn poisson_tail(k: u64, mean: f64) -> f64 {
    Probability::from_ln(ln_poisson_tail(k, mean)).value()
}

/// P[X >= k] for X binomial (n, p) and p beta (alpha, beta).
pub fn beta_binomial_tail(k: u64, n: u64, alpha: f64, beta: f64) -> f64 {
    Probability::from_ln(ln_beta_binomial_tail(k, n, alpha, beta)).value()
}

/// P[X >= k] for X Poisson (rate * exposure) and the rate gamma (`shape`, `rate`): a negative binomial.
pub fn gamma_poisson_tail(k: u64, exposure: f64, shape: f64, rate: f64) -> f64 {
    Probability::from_ln(ln_gamma_poisson_tail(k, exposure, shape, rate)).value()
}

/// P[X <= k] for X as in [`gamma_poisson_tail`].
pub fn gamma_poisson_lower_tail(k: u64, exposure: f64, shape: f64, rate: f64) -> f64 {
    if !is_positive(exposure) || !is_positive(shape) || !is_positive(rate) {
        return 1.0;
    }
    let whole = exposure + rate;
    Probability::from_ln(ln_incomplete_beta(shape, k as f64 + 1.0, rate / whole, exposure / whole)).value()
}

/// The natural logarithm of [`binomial_tail`], by the incomplete beta function (DLMF 8.17.5).
pub fn ln_binomial_tail(k: u64, n: u64, p: f64) -> f64 {
    if k == 0 || !is_positive(p) || p >= 1.0 {
        return 0.0;
    }
    if k > n {
        return f64::NEG_INFINITY;
    }
    ln_incomplete_beta(k as f64, (n - k) as f64 + 1.0, p, 1.0 - p)
}

/// The natural logarithm of [`poisson_tail`], by the lower incomplete gamma function (DLMF 8.4.9).
pub fn ln_poisson_tail(k: u64, mean: f64) -> f64 {
    if k == 0 || !is_positive(mean) { 0.0 } else { ln_lower_gamma(k as f64, mean) }
}

/// The natural logarithm of [`gamma_poisson_tail`]: a negative binomial's tail is an incomplete beta function.
pub fn ln_gamma_poisson_tail(k: u64, exposure: f64, shape: f64, rate: f64) -> f64 {
    if k == 0 || !is_positive(exposure) || !is_positive(shape) || !is_positive(rate) {
        return 0.0;
    }
    let whole = exposure + rate;
    ln_incomplete_beta(k as f64, shape, exposure / whole, rate / whole)
}

/// The natural logarithm of [`beta_binomial_tail`]. There is no closed form: its terms are summed.
pub fn ln_beta_binomial_tail(k: u64, n: u64, alpha: f64, beta: f64) -> f64 {
    if k == 0 || !is_positive(alpha) || !is_positive(beta) {
        return 0.0;
    }
    if k > n {
        return f64::NEG_INFINITY;
    }
    if (k as f64) > n as f64 * (alpha / (alpha + beta)) {
        return ln_upper_sum(k, &BetaBinomial::new(n, alpha, beta)).min(0.0);
    }
    // Below the mean the other side is the smaller sum; failures are distributed with the parameters exchanged.
    let below = ln_upper_sum(n - k + 1, &BetaBinomial::new(n, beta, alpha));
    ln_one_minus_exp(below)
}

fn is_positive(value: f64) -> bool {
    value > 0.0 && value.is_finite()
}

/// ln(1 - e^x) for x <= 0.
fn ln_one_minus_exp(x: f64) -> f64 {
    if x >= 0.0 { f64::NEG_INFINITY } else { (-x.exp()).ln_1p() }
}

/// A beta-binomial distribution, its count taken as a real number where sums become integrals.
struct BetaBinomial {
    n: f64,
    alpha: f64,
    beta: f64,
    ln_constant: f64,
}

impl BetaBinomial {
    fn new(n: u64, alpha: f64, beta: f64) -> BetaBinomial {
        let n = n as f64;
        let ln_constant =
            ln_gamma(n + 1.0) - ln_gamma(n + alpha + beta) + ln_gamma(alpha + beta) - ln_gamma(alpha) - ln_gamma(beta);
        BetaBinomial { n, alpha, beta, ln_constant }
    }

    fn ln_density(&self, x: f64) -> f64 {
        let rest = self.n - x;
        self.ln_constant + ln_gamma(x + self.alpha) - ln_gamma(x + 1.0) + ln_gamma(rest + self.beta)
            - ln_gamma(rest + 1.0)
    }

    /// density(x + 1) / density(x).
    fn ratio(&self, x: f64) -> f64 {
        let rest = self.n - x;
        rest * (x + self.alpha) / ((x + 1.0) * (rest - 1.0 + self.beta))
    }

    /// The largest ratio from x on; below 1 the rest of the sum is at most a geometric series.
    fn largest_ratio_from(&self, x: f64) -> f64 {
        let rest = self.n - x;
        if self.beta < 1.0 {
            f64::INFINITY // grows towards the end
        } else if self.alpha >= 1.0 {
            self.ratio(x) // log-concave: ratios only fall
        } else {
            rest / (rest - 1.0 + self.beta).max(f64::MIN_POSITIVE) // the factor left out rises towards 1
        }
    }
}

/// Blocks shorter than this are summed term by term; in longer ones density changes by less than 1/32 a term, and the
/// integral stands for the sum with an error below 1e-4 (Euler-Maclaurin, DLMF 2.10.1).
const EXACT_BLOCK: f64 = 32.0;
/// A block spans at most this share of the way to the nearer end, where density may have a pole.
const BLOCK_SHARE: f64 = 0.1;
/// A tail needs a few hundred blocks; this bound only stops what parameters beyond reason would make of it.
pub const SUM_BLOCKS: usize = 100_000;
/// What cannot change the sum's last digit is left out.
const NEGLIGIBLE: f64 = 1e-16;

/// Nodes and weights of five-point Gauss-Legendre quadrature (Abramowitz and Stegun, table 25.4).
const GAUSS_LEGENDRE: [(f64, f64); 5] = [
    (0.0, 0.568_888_888_888_888_9),
    (-0.538_469_310_105_683_1, 0.478_628_670_499_366_5),
    (0.538_469_310_105_683_1, 0.478_628_670_499_366_5),
    (-0.906_179_845_938_664, 0.236_926_885_056_189_1),
    (0.906_179_845_938_664, 0.236_926_885_056_189_1),
];

/// ln of the sum of density from k to n. Terms are added one by one where density changes fast, and a block at a time,
/// as an integral over it, where it is smooth: ten million terms in a few hundred blocks.
fn ln_upper_sum(k: u64, distribution: &BetaBinomial) -> f64 {
    let n = distribution.n;
    let mut x = k as f64;
    let reference = distribution.ln_density(x).max(distribution.ln_density(n));
    let mut sum = 0.0;
    for _ in 0..SUM_BLOCKS {
        if x > n {
            break;
        }
        let slope = distribution.ratio(x).ln().abs();
        let length = (BLOCK_SHARE * x.min(n - x)).min(slope.recip()).floor();
        let mut term = (distribution.ln_density(x) - reference).exp();
        if length < EXACT_BLOCK {
            let end = (x + EXACT_BLOCK - 1.0).min(n);
            // Counted, since numbers beyond 2^53 do not grow by one.
            for _ in 0..EXACT_BLOCK as usize {
                sum += term;
                if x >= end {
                    break;
                }
                term *= distribution.ratio(x);
                x += 1.0;
            }
        } else {
            let half = length / 2.0;
            let middle = x - 0.5 + half;
            for (node, weight) in GAUSS_LEGENDRE {
                sum += half * weight * (distribution.ln_density(middle + half * node) - reference).exp();
            }
            x += length - 1.0;
            term = (distribution.ln_density(x) - reference).exp();
        }
        let ratio = distribution.largest_ratio_from(x);
        if ratio < 1.0 && term * ratio <= NEGLIGIBLE * sum * (1.0 - ratio) {
            break;
        }
        x += 1.0;
    }
    reference + sum.ln()
}

/// Steps of a continued fraction or series: about the square root of its largest parameter, so good to 10^9.
pub const CONTINUED_FRACTION_STEPS: usize = 100_000;
/// Lentz's method must not divide by zero.
const TINY: f64 = 1e-290;
/// Relative change at which a series or fraction has converged.
const CONVERGED: f64 = 1e-15;

/// ln I_x(a, b), the regularised incomplete beta function; `y` is 1 - x (given apart, it keeps its digits).
fn ln_incomplete_beta(a: f64, b: f64, x: f64, y: f64) -> f64 {
    let ln_front = ln_gamma(a + b) - ln_gamma(a) - ln_gamma(b) + a * x.ln() + b * y.ln();
    let ln = if x < (a + 1.0) / (a + b + 2.0) {
        ln_front + (beta_fraction(a, b, x) / a).ln()
    } else {
        ln_one_minus_exp(ln_front + (beta_fraction(b, a, y) / b).ln())
    };
    ln.min(0.0)
}

/// The continued fraction of the incomplete beta function (DLMF 8.17.22) by the modified Lentz method (Press et al.,
/// "Numerical Recipes", §6.4).
fn beta_fraction(a: f64, b: f64, x: f64) -> f64 {
    let not_zero = |value: f64| if value.abs() < TINY { TINY } else { value };
    let mut c = 1.0;
    let mut d = not_zero(1.0 - (a + b) * x / (a + 1.0)).recip();
    let mut fraction = d;
    for step in 1..=CONTINUED_FRACTION_STEPS {
        let m = step as f64;
        let even = m * (b - m) * x / ((a + 2.0 * m - 1.0) * (a + 2.0 * m));
        d = not_zero(1.0 + even * d).recip();
        c = not_zero(1.0 + even / c);
        fraction *= d * c;
        let odd = -(a + m) * (a + b + m) * x / ((a + 2.0 * m) * (a + 2.0 * m + 1.0));
        d = not_zero(1.0 + odd * d).recip();
        c = not_zero(1.0 + odd / c);
        fraction *= d * c;
        if (d * c - 1.0).abs() < CONVERGED {
            break;
        }
    }
    fraction
}

/// ln P(a, x), the regularised lower incomplete gamma function: by its series (DLMF 8.11.4) below a + 1, else by the
/// continued fraction of its complement (DLMF 8.9.2).
fn ln_lower_gamma(a: f64, x: f64) -> f64 {
    let ln_front = a * x.ln() - x - ln_gamma(a);
    if x < a + 1.0 {
        let (mut term, mut sum, mut divisor) = (a.recip(), a.recip(), a);
        for _ in 0..CONTINUED_FRACTION_STEPS {
            divisor += 1.0;
            term *= x / divisor;
            sum += term;
            if term < sum * CONVERGED {
                break;
            }
        }
        return (ln_front + sum.ln()).min(0.0);
    }
    ln_one_minus_exp(ln_front + upper_gamma_fraction(a, x).ln())
}

/// The modified Lentz method as in [`beta_fraction`].
fn upper_gamma_fraction(a: f64, x: f64) -> f64 {
    let not_zero = |value: f64| if value.abs() < TINY { TINY } else { value };
    let mut b = x + 1.0 - a;
    let mut c = TINY.recip();
    let mut d = not_zero(b).recip();
    let mut fraction = d;
    for step in 1..=CONTINUED_FRACTION_STEPS {
        let i = step as f64;
        let numerator = -i * (i - a);
        b += 2.0;
        d = not_zero(numerator * d + b).recip();
        c = not_zero(b + numerator / c);
        fraction *= d * c;
        if (d * c - 1.0).abs() < CONVERGED {
            break;
        }
    }
    fraction
}

/// Lanczos' approximation with g = 7 and nine coefficients (Godfrey, "A note on the computation of the convergent
/// Lanczos complex gamma approximation", 2001): about 15 digits for x > 0.
const LANCZOS_G: f64 = 7.0;
const LANCZOS_FIRST: f64 = 0.999_999_999_999_809_9;
const LANCZOS: [f64; 8] = [
    676.520_368_121_885_1,
    -1_259.139_216_722_402_8,
    771.323_428_777_653_1,
    -176.615_029_162_140_6,
    12.507_343_278_686_905,
    -0.138_571_095_265_720_12,
    9.984_369_578_019_572e-6,
    1.505_632_735_149_311_6e-7,
];

/// ln of the gamma function, for x > 0.
pub fn ln_gamma(x: f64) -> f64 {
    if x < 0.5 {
        // Euler's reflection (DLMF 5.5.3); sin(pi x) is positive here.
        return (std::f64::consts::PI / (std::f64::consts::PI * x).sin()).ln() - ln_gamma(1.0 - x);
    }
    let x = x - 1.0;
    let series = LANCZOS
        .iter()
        .enumerate()
        .fold(LANCZOS_FIRST, |sum, (i, coefficient)| sum + coefficient / (x + i as f64 + 1.0));
    let t = x + LANCZOS_G + 0.5;
    0.5 * (2.0 * std::f64::consts::PI).ln() + (x + 0.5) * t.ln() - t + series.ln()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// Reference values were computed with 30 digits (mpmath 1.3), tails as plain sums of their terms.
    fn assert_near(found: f64, expected: f64, relative: f64) {
        assert!((found / expected - 1.0).abs() <= relative, "{found:e} is not {expected:e}");
    }

    #[test]
    fn ln_gamma_is_as_tabulated() {
        for (x, expected) in [
            (0.001, 6.907_178_885_383_854),
            (0.5, 0.572_364_942_924_700_1),
            (1.5, -0.120_782_237_635_245_22),
            (10.0, 12.801_827_480_081_469),
            (100.25, 360.284_559_637_764_23),
            (1e7, 151_180_949.369_473_9),
        ] {
            assert_near(ln_gamma(x), expected, 1e-13);
        }
        assert!(ln_gamma(1.0).abs() < 1e-14 && ln_gamma(2.0).abs() < 1e-14);
    }

    #[test]
    fn binomial_tails_are_as_summed() {
        for (k, n, p, expected) in [
            (8, 10, 0.5, 0.0546875),
            (20, 100, 0.05, 1.052295342e-7),
            (60, 100, 0.5, 0.02844396682),
            (40, 100, 0.5, 0.9823998999),
            (3_000, 10_000, 0.25, 6.149550004e-30),
            (200, 1_000, 0.01, 2.221482674e-188),
            (100_300, 10_000_000, 0.01, 0.1705681256),
        ] {
            assert_near(binomial_tail(k, n, p), expected, 1e-6);
        }
        assert_near(ln_binomial_tail(103_000, 10_000_000, 0.01), -48.1808668661, 1e-6);
    }

    #[test]
    fn poisson_tails_are_as_summed() {
        for (k, mean, expected) in [
            (1, 0.1, 0.09516258196),
            (5, 1.0, 0.003659846827),
            (10, 10.0, 0.5420702855),
            (100, 50.0, 3.200065325e-10),
            (30, 0.5, 2.164467298e-42),
            (1_000, 1_000.0, 0.5042052442),
        ] {
            assert_near(poisson_tail(k, mean), expected, 1e-8);
        }
    }

    #[test]
    fn gamma_poisson_tails_are_as_summed() {
        for (k, exposure, shape, rate, expected) in [
            (10, 1.0, 2.0, 1.0, 0.005859375),
            (50, 60.0, 5.0, 20.0, 0.0008961177457),
            (200, 10.0, 50.0, 10.0, 3.930291809e-23),
            (3, 1.0, 0.5, 5.0, 0.001547421215),
        ] {
            assert_near(gamma_poisson_tail(k, exposure, shape, rate), expected, 1e-8);
        }
    }

    #[test]
    fn beta_binomial_tails_are_as_summed() {
        for (k, n, alpha, beta, expected) in [
            (8, 10, 1.0, 1.0, 0.2727272727),
            (20, 50, 2.0, 18.0, 0.003568402888),
            (30, 40, 0.5, 9.5, 6.466483874e-6),
            (100, 1_000, 5.0, 495.0, 3.647902394e-14),
            (5, 200, 0.5, 0.5, 0.9015540238),
            (199, 200, 0.5, 0.5, 0.05985391448),
            (900, 1_000, 50.0, 0.5, 0.9986661704),
        ] {
            assert_near(beta_binomial_tail(k, n, alpha, beta), expected, 1e-6);
        }
        assert_near(ln_beta_binomial_tail(1_000, 1_000, 5.0, 495.0), -925.3859834, 1e-8);
    }

    #[test]
    fn long_beta_binomial_sums_agree_with_their_integrals() {
        for (k, alpha, beta, expected) in [
            (60_000, 10.0, 90.0, 5.048289888e-7),
            (150_000, 10.0, 90.0, 9.287220287e-44),
            (20_000, 10.0, 90.0, 0.4645096574),
            (199_990, 0.3, 0.2, 0.09008283293),
            (190_000, 30.0, 0.4, 0.9403842658),
            (5_000, 0.05, 9.95, 0.0538218919),
        ] {
            assert_near(beta_binomial_tail(k, 200_000, alpha, beta), expected, 1e-4);
        }
    }

    #[test]
    fn with_much_learned_a_beta_binomial_is_a_binomial() {
        let (alpha, beta) = (1e9, 99e9);
        assert_near(beta_binomial_tail(150, 10_000, alpha, beta), binomial_tail(150, 10_000, 0.01), 1e-3);
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
    fn the_lower_tail_is_what_the_upper_one_leaves() {
        for (k, exposure, shape, rate) in [(0, 10.0, 1.0, 1.0), (3, 10.0, 2.5, 1.0), (40, 30.0, 20.0, 0.5)] {
            let both =
                gamma_poisson_lower_tail(k, exposure, shape, rate) + gamma_poisson_tail(k + 1, exposure, shape, rate);
            assert!((both - 1.0).abs() < 1e-12, "{k}: {both}");
        }
        // Nothing comes: (rate / (rate + exposure)) to the power of the shape.
        let none = gamma_poisson_lower_tail(0, 100.0, 20.0, 20.0);
        assert!((none / (20.0f64 / 120.0).powi(20) - 1.0).abs() < 1e-9, "{none}");
        assert_eq!(gamma_poisson_lower_tail(3, 0.0, 1.0, 1.0), 1.0);
    }

    #[test]
    fn novelty_is_certain_at_first_and_rare_when_all_repeats() {
        assert_eq!(good_turing_novelty(0, 0), 1.0);
        assert_eq!(good_turing_novelty(9, 99), 0.1);
        assert_eq!(good_turing_novelty(0, 999), 0.001);
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
        fn tails_fall_and_stay_probabilities(
            k in 0u64..2_000, n in 0u64..2_000_000, alpha in 1e-4f64..1e4, beta in 1e-4f64..1e4,
        ) {
            let tail = beta_binomial_tail(k, n, alpha, beta);
            prop_assert!((1e-300..=1.0).contains(&tail));
            prop_assert!(beta_binomial_tail(k + 1, n, alpha, beta) <= tail * 1.001);
            let tail = gamma_poisson_tail(k, alpha, beta, 1.0);
            prop_assert!((1e-300..=1.0).contains(&tail));
            prop_assert!(gamma_poisson_tail(k + 1, alpha, beta, 1.0) <= tail * 1.000_001);
        }

        #[test]
        fn nonsense_is_no_evidence_and_never_hangs(
            k in any::<u64>(), n in any::<u64>(), a in any::<f64>(), b in any::<f64>(),
        ) {
            for probability in [
                ratio_test(k, n, k / 2, n / 2, a), rate_test(k, a, n, b, a), Probability::new(binomial_tail(k, n, a)),
                Probability::new(poisson_tail(k, a)), Probability::new(gamma_poisson_tail(k, a, b, a)),
            ] {
                prop_assert!((1e-300..=1.0).contains(&probability.value()));
            }
        }
    }
}
