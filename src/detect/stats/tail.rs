//! How much of a distribution lies at or beyond a count.
//!
//! In go a count and the parameters of its distribution, out comes the natural logarithm of the tail: tiny ones keep their digits.
//! Parameters without a meaning (not positive, not finite) give 0, the logarithm of one. Every function ends after a bounded
//! number of steps, see [`SUM_BLOCKS`] and [`CONTINUED_FRACTION_STEPS`]; counts up to 10^7 take 0.25 ms at worst.

use super::Probability;

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

/// The natural logarithm of [`gamma_poisson_tail`]: a negative binomial's tail is an incomplete beta function.
pub fn ln_gamma_poisson_tail(k: u64, exposure: f64, shape: f64, rate: f64) -> f64 {
    if k == 0 || !is_positive(exposure) || !is_positive(shape) || !is_positive(rate) {
        return 0.0;
    }
    let whole = exposure + rate;
    ln_incomplete_beta(k as f64, shape, exposure / whole, rate / whole)
}

/// The natural logarithm of P[X >= k] for X binomial (n, p) and p beta (alpha, beta). There is no closed form: its terms are summed.
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
const SUM_BLOCKS: usize = 100_000;
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

/// Steps of a continued fraction: about the square root of its largest parameter, so good to 10^9.
const CONTINUED_FRACTION_STEPS: usize = 100_000;
/// Lentz's method must not divide by zero.
const TINY: f64 = 1e-290;
/// Relative change at which a fraction has converged.
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
fn ln_gamma(x: f64) -> f64 {
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
    // Reference values were computed with 30 digits (mpmath 1.3), tails as plain sums of their terms.
    use super::super::tests::assert_near;
    use super::*;
    use proptest::prelude::*;

    /// P[X >= k] for X binomial (n, p) (DLMF 8.17.5).
    fn ln_binomial_tail(k: u64, n: u64, p: f64) -> f64 {
        ln_incomplete_beta(k as f64, (n - k) as f64 + 1.0, p, 1.0 - p)
    }

    fn beta_binomial_tail(k: u64, n: u64, alpha: f64, beta: f64) -> f64 {
        Probability::from_ln(ln_beta_binomial_tail(k, n, alpha, beta)).value()
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
    fn incomplete_beta_functions_are_the_tails_of_binomials() {
        for (k, n, p, expected) in [
            (8, 10, 0.5, 0.0546875),
            (20, 100, 0.05, 1.052295342e-7),
            (60, 100, 0.5, 0.02844396682),
            (40, 100, 0.5, 0.9823998999),
            (3_000, 10_000, 0.25, 6.149550004e-30),
            (200, 1_000, 0.01, 2.221482674e-188),
            (100_300, 10_000_000, 0.01, 0.1705681256),
        ] {
            assert_near(ln_binomial_tail(k, n, p).exp(), expected, 1e-6);
        }
        assert_near(ln_binomial_tail(103_000, 10_000_000, 0.01), -48.1808668661, 1e-6);
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
        assert_near(beta_binomial_tail(150, 10_000, alpha, beta), ln_binomial_tail(150, 10_000, 0.01).exp(), 1e-3);
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
    }
}
