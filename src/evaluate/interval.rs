//! A share of a count, and how sure it is.

use serde::Serialize;

/// So many of so many, with the 95 % confidence interval.
#[derive(Clone, Copy, PartialEq, Debug, Serialize)]
pub struct Share {
    pub count: u64,
    pub of: u64,
    /// None of nothing.
    pub share: Option<f64>,
    /// The share lies between these with a confidence of 95 %.
    pub low: f64,
    pub high: f64,
}

impl Share {
    /// A count above `of` is taken for `of`.
    pub fn new(count: u64, of: u64) -> Share {
        let count = count.min(of);
        let (low, high) = wilson(count, of);
        Share { count, of, share: (of > 0).then(|| count as f64 / of as f64), low, high }
    }
}

/// The 0.975 quantile of the normal distribution.
const Z: f64 = 1.959_963_984_540_054;

/// The score interval of a binomial share: E. B. Wilson, "Probable Inference, the Law of Succession, and Statistical
/// Inference", Journal of the American Statistical Association 22 (1927). It holds its level for few trials and shares
/// near 0 and 1, where the usual ± does not (Brown, Cai and DasGupta, "Interval Estimation for a Binomial Proportion",
/// Statistical Science 16, 2001). Of nothing everything is possible.
fn wilson(count: u64, of: u64) -> (f64, f64) {
    if of == 0 {
        return (0.0, 1.0);
    }
    let n = of as f64;
    let share = count as f64 / n;
    let scale = 1.0 + Z * Z / n;
    let centre = (share + Z * Z / (2.0 * n)) / scale;
    let half = Z / scale * (share * (1.0 - share) / n + Z * Z / (4.0 * n * n)).sqrt();
    // The bounds of none and of all are exact, whatever rounding makes of them.
    let low = if count == 0 { 0.0 } else { (centre - half).max(0.0) };
    let high = if count == of { 1.0 } else { (centre + half).min(1.0) };
    (low, high)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// The worked examples of R. G. Newcombe, "Two-sided confidence intervals for the single proportion: comparison of
    /// seven methods", Statistics in Medicine 17 (1998), table I, method 3 (score, without continuity correction).
    #[test]
    fn the_interval_is_as_tabulated() {
        for (count, of, low, high) in
            [(81, 263, 0.2553, 0.3662), (15, 148, 0.0624, 0.1605), (0, 20, 0.0, 0.1611), (1, 29, 0.0061, 0.1718)]
        {
            let share = Share::new(count, of);
            assert!((share.low - low).abs() < 5e-5 && (share.high - high).abs() < 5e-5, "{share:?}");
        }
    }

    #[test]
    fn of_nothing_nothing_is_known() {
        let share = Share::new(0, 0);
        assert_eq!((share.share, share.low, share.high), (None, 0.0, 1.0));
    }

    proptest! {
        #[test]
        fn the_share_lies_within_and_the_mirror_image_is_the_complement(of in 1u64..5000, part in 0.0f64..=1.0) {
            let count = (of as f64 * part) as u64;
            let (share, rest) = (Share::new(count, of), Share::new(of - count, of));
            let value = share.share.unwrap();
            prop_assert!(0.0 <= share.low && share.low <= value && value <= share.high && share.high <= 1.0);
            prop_assert!((share.low - (1.0 - rest.high)).abs() < 1e-12);
        }

        #[test]
        fn more_trials_narrow_it(of in 1u64..2000, part in 0.0f64..=1.0) {
            let count = (of as f64 * part) as u64;
            let (few, many) = (Share::new(count, of), Share::new(10 * count, 10 * of));
            prop_assert!(many.high - many.low < few.high - few.low);
        }
    }
}
