//! Facts about `excessive_data_exposure`.

use super::*;

const CUSTOMER: u64 = 41;

/// An answer that carries so many numbers of social security.
fn answer(traffic: &mut Traffic, client: IpAddr, values: std::ops::Range<u64>) {
    traffic.tally(client, CUSTOMER, "GET", "/customers/{id}", 200, true);
    let mut endpoint = an_endpoint("GET", HOST, "/customers/{id}");
    endpoint.sensitive_values.record(values.end - values.start);
    endpoint.exposure = Some(Box::new(exposure_of(client, DataClass::UsSsn, values, traffic.now)));
    traffic.window.endpoints.put(CUSTOMER, endpoint);
}

/// What is said, and how severe, when an endpoint that gives one number in each answer gives so many in some.
fn told_of(answers: u64, values: u64) -> Vec<(&'static str, Severity)> {
    let mut sensor = Sensor::new();
    let ordinary = |nth: u64, traffic: &mut Traffic| answer(traffic, person_of(nth), nth..nth + 1);
    assert_eq!(sensor.voices(LEARNED as u64, ordinary), SILENCE);
    let found = sensor.window(|traffic| {
        for nth in 0..answers {
            answer(traffic, person_of(7), 1_000 + nth * values..1_000 + (nth + 1) * values);
        }
    });
    let of_endpoint = found.into_iter().filter(|finding| finding.detector == "excessive_data_exposure");
    of_endpoint.map(|finding| (finding.detector, finding.severity)).collect()
}

#[test]
fn three_answers_with_a_field_too_many_are_an_excess_and_two_are_not() {
    assert_eq!(told_of(3, 6), [("excessive_data_exposure", Severity::High)]);
    assert_eq!(told_of(2, 6), []);
    assert_eq!(told_of(3, 4), []);
}

#[test]
fn one_answer_that_gives_a_table_is_a_dump_and_one_with_a_page_is_not() {
    assert_eq!(told_of(1, 50), [("excessive_data_exposure", Severity::Medium)]);
    assert_eq!(told_of(1, 49), []);
}

#[test]
fn dumps_that_come_one_by_one_are_each_told_as_one() {
    let mut sensor = Sensor::new();
    let ordinary = |nth: u64, traffic: &mut Traffic| answer(traffic, person_of(nth), nth..nth + 1);
    assert_eq!(sensor.voices(LEARNED as u64, ordinary), SILENCE);
    let found = (0..200).flat_map(|nth| {
        sensor.window(|traffic| match nth % 90 {
            0 => answer(traffic, person_of(7), 1_000 + nth * 100..1_000 + nth * 100 + 80),
            _ => ordinary(nth, traffic),
        })
    });
    let of_endpoint = found.filter(|finding| finding.detector == "excessive_data_exposure");
    assert_eq!(of_endpoint.map(|finding| finding.severity).max(), Some(Severity::Medium));
}

/// A page of sixty rows with thirty numbers, for one customer, who is told of as such.
fn page(traffic: &mut Traffic, client: IpAddr, first: u64) {
    let values = first..first + 30;
    answer(traffic, client, values.clone());
    let mut endpoint = an_endpoint("GET", HOST, "/customers/{id}");
    endpoint.records.record(60);
    let (key, evidence) = traffic.shown(client, "GET", "/customers/7", 200);
    endpoint.evidence.insert(key, evidence);
    traffic.window.endpoints.put(CUSTOMER, endpoint);
    let exposure = exposure_of(client, DataClass::UsSsn, values, traffic.now);
    let window = ClientWindow { exposure: Some(Box::new(exposure)), ..new_client(client) };
    traffic.window.clients.put(key_of(client), window);
}

#[test]
fn the_same_large_answer_again_is_one_and_not_three() {
    let told = |step: u64| {
        let mut sensor = Sensor::new();
        let ordinary = |nth: u64, traffic: &mut Traffic| {
            answer(traffic, person_of(nth), nth..nth + 1);
            // Only large answers are shown of an endpoint that is known.
            traffic.window.endpoints.get_mut(CUSTOMER).unwrap().evidence.keep_first(0);
        };
        assert_eq!(sensor.voices(LEARNED as u64, ordinary), SILENCE);
        let found = (0..3).flat_map(|nth| sensor.window(|traffic| page(traffic, person_of(7), 1_000 + nth * step)));
        found.filter(|finding| finding.detector == "excessive_data_exposure").count()
    };
    assert_eq!((told(0), told(30)), (0, 1));
}
