//! How much traffic there was, and when: what delays and rates are measured by.

use crate::time::Timestamp;

/// Event time and transactions of a capture. Transactions are known as sums at points of time, one a window.
#[derive(Clone, Default, Debug)]
pub struct Traffic {
    span: Option<(Timestamp, Timestamp)>,
    /// Transactions that ended before a time, ascending in both.
    sums: Vec<(Timestamp, u64)>,
}

impl Traffic {
    /// There was traffic at this time.
    pub fn reaches(&mut self, time: Timestamp) {
        let (first, last) = self.span.unwrap_or((time, time));
        self.span = Some((first.min(time), last.max(time)));
    }

    /// So many transactions ended before this time. Times and sums that go backwards tell nothing new.
    pub fn sum(&mut self, time: Timestamp, transactions: u64) {
        if self.sums.last().is_none_or(|(last, most)| time > *last && transactions >= *most) {
            self.sums.push((time, transactions));
        }
    }

    pub fn event_seconds(&self) -> f64 {
        self.span.map_or(0.0, |(first, last)| last.since(first).as_secs_f64())
    }

    /// Of the whole capture; none where nobody counted.
    pub fn transactions(&self) -> Option<u64> {
        let (first, last) = (self.sums.first()?, self.sums.last()?);
        Some(last.1 - first.1)
    }

    /// Transactions between two times, to about a window's; none where nobody counted.
    pub fn between(&self, start: Timestamp, end: Timestamp) -> Option<u64> {
        if self.sums.len() < 2 {
            return None;
        }
        Some((self.sum_at(end) - self.sum_at(start)).max(0.0).round() as u64)
    }

    /// Within a window they are taken to be spread evenly.
    fn sum_at(&self, time: Timestamp) -> f64 {
        let behind = self.sums.partition_point(|(at, _)| *at <= time);
        match (behind.checked_sub(1).map(|before| self.sums[before]), self.sums.get(behind)) {
            (Some((from, least)), Some((to, most))) => {
                let share = time.since(from).as_secs_f64() / to.since(from).as_secs_f64();
                least as f64 + share * (most - least) as f64
            }
            (Some((_, all)), None) => all as f64,
            (None, first) => first.map_or(0.0, |(_, sum)| *sum as f64),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_secs_nanos(seconds, 0)
    }

    #[test]
    fn transactions_between_two_times_are_counted_to_the_window() {
        let mut traffic = Traffic::default();
        for (time, sum) in [(0, 100), (10, 200), (20, 200), (30, 500)] {
            traffic.sum(at(time), sum);
        }
        assert_eq!(traffic.transactions(), Some(400));
        assert_eq!(traffic.between(at(0), at(10)), Some(100));
        assert_eq!(traffic.between(at(5), at(25)), Some(200));
        assert_eq!(traffic.between(at(-100), at(100)), Some(400));
        assert_eq!(traffic.between(at(30), at(10)), Some(0));
    }

    #[test]
    fn what_nobody_counted_is_not_guessed() {
        let mut traffic = Traffic::default();
        traffic.reaches(at(5));
        traffic.reaches(at(65));
        traffic.sum(at(5), 1);
        assert_eq!((traffic.event_seconds(), traffic.between(at(0), at(9))), (60.0, None));
    }

    #[test]
    fn time_that_goes_backwards_does_no_harm() {
        let mut traffic = Traffic::default();
        for (time, sum) in [(0, 0), (10, 50), (5, 60), (10, 70), (20, 80)] {
            traffic.sum(at(time), sum);
        }
        assert_eq!(traffic.between(at(0), at(20)), Some(80));
    }
}
