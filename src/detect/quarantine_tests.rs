//! Facts about what is told of for days (`baseline::quarantine`).

use super::*;

/// What is said on each of five days, of one window in twenty, in which people do this.
fn days(sensor: &mut Sensor, mut fill: impl FnMut(u64, &mut Traffic)) -> [Vec<&'static str>; 5] {
    std::array::from_fn(|day| {
        let found = (0..432).map(|nth| {
            sensor.window += 19;
            sensor.voices(1, |_, traffic| fill(day as u64 * 432 + nth, traffic))
        });
        let mut found: Vec<&'static str> = found.flatten().collect();
        found.sort_unstable();
        found.dedup();
        found
    })
}

#[test]
fn a_change_that_lasts_is_told_for_three_days_and_is_the_habit_then() {
    let mut sensor = Sensor::new();
    assert_eq!(sensor.voices(LEARNED as u64, |nth, traffic| ask(traffic, nth, 1)), SILENCE);
    let of_days = days(&mut sensor, |nth, traffic| ask(traffic, nth, 10));
    let told = ["client_error_spike"].as_slice();
    assert_eq!(
        of_days.each_ref().map(Vec::as_slice),
        [told, told, told, told, &SILENCE],
        "until the fourth day begins"
    );
}

#[test]
fn failing_logins_are_never_the_habit() {
    let mut sensor = Sensor::learned();
    let of_days = days(&mut sensor, |nth, traffic| {
        (0..8).for_each(|user| traffic.login(person_of(user), user, user, user > 0));
        (0..16).for_each(|pair| traffic.login(attacker(pair % 8), 5_000 + nth * 16 + pair, nth * 16 + pair, false));
    });
    assert!(of_days.iter().all(|found| found == &["credential_stuffing"]), "{of_days:?}");
}
