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

/// A program's 25 requests, all refused, beside people who go on as they did.
fn program(traffic: &mut Traffic, nth: u64, path: &str, status: u16) {
    ask(traffic, nth, 0);
    (0..25).for_each(|_| traffic.tally(attacker(1), 71, "GET", path, status, false));
}

#[test]
fn a_program_that_nobody_mends_is_told_for_three_days_and_known_then() {
    let mut sensor = Sensor::new();
    assert_eq!(sensor.voices(LEARNED as u64, |nth, traffic| ask(traffic, nth, 0)), SILENCE);
    let of_days = days(&mut sensor, |nth, traffic| program(traffic, nth, "/invoices/7", 403));
    let told = ["client_error_spike"].as_slice();
    assert_eq!(of_days.each_ref().map(Vec::as_slice), [told, told, told, told, &SILENCE]);
}

#[test]
fn a_scan_is_never_the_habit() {
    let mut sensor = Sensor::new();
    assert_eq!(sensor.voices(LEARNED as u64, |nth, traffic| ask(traffic, nth, 0)), SILENCE);
    let of_days = days(&mut sensor, |nth, traffic| program(traffic, nth, "/backup", 404));
    assert!(of_days.iter().all(|found| found.contains(&"scanner")), "{of_days:?}");
    let scanner = sensor.store.clients.get(&key_of(attacker(1))).expect("it has just asked");
    assert_eq!((scanner.errors.share(), &scanner.quarantine), (0.0, &None));
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
