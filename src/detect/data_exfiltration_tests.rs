//! Facts about `data_exfiltration`.

use super::*;
use crate::window::PrincipalWindow;

/// Windows of an hour.
const HOUR: u64 = 360;

impl Traffic {
    /// An answer to one key, from one address, with e-mail addresses.
    fn takes(&mut self, client: IpAddr, principal: u64, values: std::ops::Range<u64>) {
        self.tally(client, 40, "GET", "/customers", 200, true);
        let mut exposure = exposure_of(client, DataClass::Email, values, self.now);
        exposure.evidence.insert((self.now, u64::from(self.count), 0), evidence_at(client, self.now));
        let mut tally = Tally { requests: 1, with_credentials: 1, ..Tally::default() };
        tally.statuses.record(200);
        tally.moment.record(self.now);
        let exposure = Some(Box::new(exposure));
        let taker = PrincipalWindow {
            tally,
            clients: [key_of(client)].into_iter().collect(),
            exposure: exposure.clone(),
            records: 1,
            ..PrincipalWindow::default()
        };
        self.window.principals.put(mix(principal), taker);
        self.window.clients.put(key_of(client), ClientWindow { exposure, ..new_client(client) });
    }
}

fn evidence_at(client: IpAddr, time: Timestamp) -> Arc<Evidence> {
    Arc::new(Evidence {
        time,
        flow_id: 1,
        source: (client, 40_000),
        destination: (IpAddr::from([10, 0, 0, 1]), 80),
        method: "GET".to_owned(),
        host: HOST.to_owned(),
        url: "/customers".to_owned(),
        status: Some(200),
        length: Some(100),
        user_agent: None,
        protocol: "HTTP/1.1".into(),
    })
}

/// Fifteen employees look up a customer in every third window.
fn ordinary(nth: u64, traffic: &mut Traffic) {
    for employee in 0..15 {
        if (nth + employee).is_multiple_of(3) {
            let customer = nth * 15 + employee;
            traffic.takes(person_of(employee), employee, customer..customer + 1);
        }
    }
}

fn learned() -> Sensor {
    let mut sensor = Sensor::new();
    assert_eq!(sensor.voices(LEARNED as u64, ordinary), SILENCE);
    sensor
}

/// The first window in which somebody is told of, and who, where one takes so many in each.
fn told(sensor: &mut Sensor, who: u64, a_window: u64, windows: u64) -> Option<(u64, Subject)> {
    (0..windows).find_map(|nth| {
        let found = sensor.window(|traffic| {
            ordinary(LEARNED as u64 + nth, traffic);
            let first = 100_000 + nth * a_window;
            traffic.takes(person_of(who), who, first..first + a_window);
        });
        let found = found.into_iter().find(|finding| finding.detector == "data_exfiltration")?;
        Some((nth, found.subject))
    })
}

#[test]
fn one_who_takes_what_nobody_takes_is_told_of_by_his_key() {
    let found = told(&mut learned(), 3, 60, 30);
    assert!(matches!(found, Some((0..10, Subject::Principal(key))) if key == mix(3)), "{found:?}");
}

#[test]
fn nobody_is_told_of_while_learning() {
    let mut sensor = Sensor::new();
    let found = sensor.voices(LEARNED as u64, |nth, traffic| traffic.takes(person_of(3), 3, nth * 60..nth * 60 + 60));
    assert_eq!(found, SILENCE);
}

#[test]
fn a_long_day_of_looking_customers_up_is_none() {
    let found = learned().voices(4 * HOUR, |nth, traffic| ordinary(LEARNED as u64 + nth, traffic));
    assert_eq!(found, SILENCE);
}

#[test]
fn where_everybody_takes_more_nobody_stands_out() {
    let mut sensor = learned();
    for nth in 0..60 {
        let found = sensor.window(|traffic| {
            for employee in 0..15 {
                let first = 100_000 + (nth * 15 + employee) * 20;
                traffic.takes(person_of(employee), employee, first..first + 20);
            }
        });
        assert!(found.iter().all(|finding| finding.detector != "data_exfiltration"), "{found:?}");
    }
}

#[test]
fn a_stranger_is_measured_by_the_greediest_of_the_others() {
    let mut sensor = learned();
    let found = told(&mut sensor, 200, 100, 30);
    assert!(matches!(found, Some((1.., Subject::Principal(key))) if key == mix(200)), "{found:?}");
    let few = told(&mut learned(), 200, 1, 60);
    assert_eq!(few, None);
}
