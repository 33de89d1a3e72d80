//! How rare is rare: tail probabilities as this sensor's own quiet history bears them out, and how rare a finding must be.
//!
//! In goes what the detectors tested in a window ([`Trial`]: which test, of which key, with which probability by the model).
//! Out comes, for each test, the probability as history has it, and whether that is rare enough to speak.
//!
//! A model's tail is right as far as its assumptions are, and a sensor makes so many tests a day that only far tails matter.
//! So each test keeps the *scores* (minus the decimal logarithm of the probability) of quiet traffic that lie beyond
//! [`BASE_SCORE`], and extends them by a fitted tail: peaks over a threshold, here with exponential excesses, since a score
//! is a logarithm (Coles, "An Introduction to Statistical Modeling of Extreme Values", 2001, chapter 4). One episode is
//! tested window after window; it counts once, with its peak (runs declustering, ibid. §5.3.2).
//!
//! The knob is false alarms a day. Each test has an equal share of it, and speaks where a score is one that quiet traffic
//! reaches less often than that share: the return level. Where attacks are being found, the share grows by one for each
//! recent incident: what is controlled then is the proportion of false alarms (online false discovery rate: Javanmard and
//! Montanari, "Online rules for control of false discovery rate", Annals of Statistics 46, 2018; forgetting what is past:
//! Ramdas et al., "Online control of the false discovery rate with decaying memory", NIPS 2017).
//!
//! An attacker must not teach: a score counts no higher than what was rare enough to speak, and the tail is stretched
//! [`MOST_STRETCH`] times at most. Bounds: [`MOST_EPISODES`] under way.

use super::stats::Probability;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// The tests whose scores are calibrated.
pub const TESTS: [&str; 23] = [
    "business_flow_abuse",
    "user_enumeration.endpoint",
    "registration_abuse.endpoint",
    "password_reset_abuse.endpoint",
    "credential_stuffing.endpoint",
    "credential_stuffing.strangers",
    "client_error_spike.client",
    "client_error_spike.endpoint",
    "client_error_spike.host",
    "client_error_spike.slow",
    "data_exfiltration.values",
    "data_exfiltration.volume",
    "latency_anomaly.endpoint",
    "latency_anomaly.host",
    "object_enumeration",
    "resource_abuse.bytes",
    "resource_abuse.requests",
    "response_drift",
    "server_error_spike.client",
    "server_error_spike.endpoint",
    "server_error_spike.host",
    "traffic_drop",
    "unauthenticated_data_exposure.new_class",
];

/// Scores from which on the tail is fitted: one in a hundred by the model.
const BASE_SCORE: f64 = 2.0;
/// What is assumed before there is history: so many episodes beyond the base a day (ten thousand for all tests), as much as
/// a day of it tells. With one false alarm a day for the sensor a test speaks at one in a million then.
const PRIOR_EPISODES: f64 = 10_000.0 / TESTS.len() as f64;
const PRIOR_DAYS: f64 = 1.0;
/// Episodes by the model that the fit of the tail begins with.
const PRIOR_FIT: f64 = 20.0;
/// The model's tail may be stretched so many times by what was seen.
const MOST_STRETCH: f64 = 2.0;
/// History weighs half after so many days.
const HALF_LIFE_DAYS: f64 = 14.0;
/// A recent incident is one of the last hours: half of it is forgotten in one.
const DISCOVERY_HALF_LIFE_DAYS: f64 = 1.0 / 24.0;
/// Windows without a test after which an episode is over: the shortest span of the detectors.
const EPISODE_WINDOWS: i64 = 60;
/// Windows without traffic that count as watched: after more, the sensor was not there.
const WATCHED_WINDOWS: i64 = 360;
const WINDOWS_A_DAY: f64 = 8640.0;
const MOST_EPISODES: usize = 10_000;

/// One test of one key in one window.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Trial {
    pub test: &'static str,
    pub key: u64,
    pub probability: Probability,
}

/// Below this failed logins are odd enough not to teach, though not rare enough to be told: who is slow would else become
/// usual before there is enough to speak of.
const ODD: f64 = 1e-3;

/// Endpoints whose logins do not teach for what was tested.
pub fn odd_logins(trials: &[Trial]) -> impl Iterator<Item = u64> + '_ {
    let is_of_login = |trial: &&Trial| trial.test.starts_with("credential_stuffing.");
    trials.iter().filter(is_of_login).filter(|trial| trial.probability.value() < ODD).map(|trial| trial.key)
}

/// Quiet history of one test.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
struct Tail {
    /// Episodes, those beyond the base, and by how much these went beyond it in all; fading.
    episodes: f64,
    beyond: f64,
    excess: f64,
}

#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
struct Episode {
    last: i64,
    peak: f64,
}

/// What is stored between runs.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Odds {
    tails: BTreeMap<String, Tail>,
    days: f64,
    /// Recent incidents, fading.
    discoveries: f64,
    window: Option<i64>,
    #[serde(skip)]
    under_way: BTreeMap<(&'static str, u64), Episode>,
}

impl Odds {
    /// The probability as history bears it out, if it is rare enough to speak with so many false alarms a day allowed.
    pub fn rare(&self, test: &str, probability: Probability, false_alarms_per_day: f64) -> Option<Probability> {
        let is_rare = score_of(probability) >= self.level(test, false_alarms_per_day);
        is_rare.then(|| self.calibrated(test, probability))
    }

    /// The probability as history bears it out: never smaller than the model's.
    pub fn calibrated(&self, test: &str, probability: Probability) -> Probability {
        let excess = (score_of(probability) - BASE_SCORE).max(0.0);
        let tail = self.tail(test);
        let prior = PRIOR_EPISODES * PRIOR_DAYS;
        let base = (prior + tail.beyond) / (prior / 10f64.powf(-BASE_SCORE) + tail.episodes);
        let calibrated = base.min(1.0) * 10f64.powf(-excess / tail.stretch());
        Probability::new(calibrated.max(probability.value()))
    }

    /// The score from which on a test speaks.
    pub fn level(&self, test: &str, false_alarms_per_day: f64) -> f64 {
        let tail = self.tail(test);
        let a_day = (PRIOR_EPISODES * PRIOR_DAYS + tail.beyond) / (PRIOR_DAYS + self.days);
        let share = false_alarms_per_day / TESTS.len() as f64 * (1.0 + self.discoveries);
        BASE_SCORE + tail.stretch() * (a_day / share).log10().max(0.0)
    }

    /// Takes in what was tested in a window. `opened` incidents came of it.
    pub fn learn(&mut self, window: i64, trials: &[Trial], opened: usize, false_alarms_per_day: f64) {
        self.pass(window);
        for trial in trials {
            let score = score_of(trial.probability).min(self.level(trial.test, false_alarms_per_day));
            let is_known = self.under_way.contains_key(&(trial.test, trial.key));
            if !is_known && self.under_way.len() >= MOST_EPISODES {
                continue;
            }
            let episode = self.under_way.entry((trial.test, trial.key)).or_insert(Episode { last: window, peak: 0.0 });
            *episode = Episode { last: window, peak: episode.peak.max(score) };
        }
        self.discoveries += opened as f64;
        let Odds { under_way, tails, .. } = self;
        under_way.retain(|(test, _), episode| {
            let is_under_way = window.saturating_sub(episode.last) <= EPISODE_WINDOWS;
            if !is_under_way {
                tails.entry((*test).to_owned()).or_default().add(episode.peak);
            }
            is_under_way
        });
    }

    /// Another time follows: episodes under way are dropped, what was learned stays.
    pub fn forget_recent(&mut self) {
        self.under_way.clear();
        self.window = None;
        self.discoveries = 0.0;
    }

    fn pass(&mut self, window: i64) {
        let passed = self.window.map_or(0, |before| window.saturating_sub(before)).clamp(0, WATCHED_WINDOWS);
        self.window = Some(window);
        let days = passed as f64 / WINDOWS_A_DAY;
        let fading = 0.5f64.powf(days / HALF_LIFE_DAYS);
        self.days = self.days * fading + days;
        self.discoveries *= 0.5f64.powf(days / DISCOVERY_HALF_LIFE_DAYS);
        for tail in self.tails.values_mut() {
            tail.episodes *= fading;
            tail.beyond *= fading;
            tail.excess *= fading;
        }
    }

    fn tail(&self, test: &str) -> Tail {
        self.tails.get(test).copied().unwrap_or_default()
    }
}

impl Tail {
    fn add(&mut self, peak: f64) {
        self.episodes += 1.0;
        if peak > BASE_SCORE {
            self.beyond += 1.0;
            self.excess += peak - BASE_SCORE;
        }
    }

    /// How much longer than the model's the tail is: the mean excess over that of a right model, 1 / ln 10.
    fn stretch(&self) -> f64 {
        let fitted = (PRIOR_FIT + std::f64::consts::LN_10 * self.excess) / (PRIOR_FIT + self.beyond);
        fitted.clamp(1.0, MOST_STRETCH)
    }
}

fn score_of(probability: Probability) -> f64 {
    -probability.value().log10()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const TEST: &str = TESTS[0];

    fn trial(key: u64, probability: f64) -> Trial {
        Trial { test: TEST, key, probability: Probability::new(probability) }
    }

    /// Days of episodes, each an hour after the other, with scores beyond the base that a right model has, times `stretch`.
    fn history(days: i64, stretch: f64) -> Odds {
        let mut odds = Odds::default();
        for hour in 0..days * 24 {
            // The quantiles of an exponential distribution, in an order without a trend.
            let quantile = ((hour as f64 + 0.5) * 0.618_033_988).fract();
            let score = BASE_SCORE - stretch * (1.0 - quantile).log10();
            odds.learn(hour * 360, &[trial(hour as u64, 10f64.powf(-score))], 0, 1.0);
        }
        odds
    }

    #[test]
    fn without_history_one_in_a_million_is_rare() {
        let odds = Odds::default();
        assert_eq!(odds.rare(TEST, Probability::new(1e-3), 1.0), None);
        assert_eq!(odds.calibrated(TEST, Probability::new(1e-3)).rounded(), 1e-3);
        let share = 1.0 / TESTS.len() as f64;
        let level = 10f64.powf(-BASE_SCORE) * share / PRIOR_EPISODES;
        assert!(odds.rare(TEST, Probability::new(level * 0.99), 1.0).is_some());
        assert!(odds.rare(TEST, Probability::new(level * 1.01), 1.0).is_none());
    }

    #[test]
    fn quiet_days_make_it_quicker_to_speak_and_more_false_alarms_allowed_too() {
        let quiet = history(10, 1.0);
        assert!(quiet.level(TEST, 1.0) < Odds::default().level(TEST, 1.0));
        assert!(quiet.level(TEST, 10.0) < quiet.level(TEST, 1.0) && quiet.level(TEST, 0.1) > quiet.level(TEST, 1.0));
    }

    #[test]
    fn a_tail_that_the_model_has_too_short_is_stretched() {
        let (right, wrong) = (history(20, 1.0), history(20, 1.8));
        let far = Probability::new(1e-9);
        assert!(wrong.calibrated(TEST, far).value() > 100.0 * right.calibrated(TEST, far).value());
        assert!(wrong.level(TEST, 1.0) > right.level(TEST, 1.0) + 1.0);
        // As often as was allowed, and not ten times as often: 24 episodes a day beyond the base.
        let level = wrong.level(TEST, 1.0);
        let a_day = 24.0 * 10f64.powf(-(level - BASE_SCORE) / 1.8);
        assert!(a_day < 1.0 / TESTS.len() as f64, "{a_day}");
    }

    #[test]
    fn an_episode_counts_once_and_no_higher_than_what_speaks() {
        let mut odds = Odds::default();
        let level = odds.level(TEST, 1.0);
        for window in 0..500 {
            odds.learn(window, &[trial(7, 1e-200)], 0, 1.0);
        }
        odds.learn(700, &[], 0, 1.0);
        let tail = odds.tail(TEST);
        assert!((tail.beyond - 1.0).abs() < 0.01 && tail.excess <= level - BASE_SCORE + 0.01, "{tail:?}");
    }

    #[test]
    fn where_attacks_are_found_more_is_said_for_a_while() {
        let mut odds = Odds::default();
        let before = odds.level(TEST, 1.0);
        odds.learn(0, &[], 9, 1.0);
        assert!((odds.level(TEST, 1.0) - (before - 1.0)).abs() < 1e-9, "ten times the share");
        for window in 1..=360 * 12 {
            odds.learn(window, &[], 0, 1.0);
        }
        assert!(odds.level(TEST, 1.0) > before - 0.2);
    }

    #[test]
    fn what_is_stored_comes_back() {
        let odds = history(3, 1.5);
        let stored = serde_json::to_string(&odds).unwrap();
        let restored: Odds = serde_json::from_str(&stored).unwrap();
        assert_eq!(restored.level(TEST, 1.0), odds.level(TEST, 1.0));
    }

    proptest! {
        #[test]
        fn smaller_probabilities_stay_smaller(one in 0.0f64..1.0, other in 0.0f64..1.0, days in 0i64..4, stretch in 0.5f64..4.0) {
            let odds = history(days, stretch);
            let (small, large) = (one.min(other).powi(20), one.max(other).powi(20));
            let calibrated = |value| odds.calibrated(TEST, Probability::new(value));
            prop_assert!(calibrated(small) <= calibrated(large));
            prop_assert!(calibrated(large).value() >= large);
        }
    }
}
