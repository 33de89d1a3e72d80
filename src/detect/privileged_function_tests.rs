//! Facts about `privileged_function`.

use super::*;
use crate::window::{PrincipalWindow, Service};

const USERS: u64 = 90;
const REPORTS: u64 = 91;
/// Two who administer, of forty who are there.
const ADMINS: [u64; 2] = [900, 901];
const EVERYBODY: u64 = 40;

fn home_of(user: u64) -> IpAddr {
    IpAddr::from([10, 9, 0, user as u8])
}

/// A user is served by an endpoint.
fn serve(traffic: &mut Traffic, user: u64, key: u64, method: &str, path: &str) {
    traffic.tally(home_of(user), key, method, path, 200, true);
    let (key_of_transaction, evidence) = traffic.shown(home_of(user), method, path, 200);
    let time = evidence.time;
    let mut endpoint = an_endpoint(method, HOST, path);
    endpoint.served.insert(mix(user), Service { key: key_of_transaction, evidence });
    traffic.window.endpoints.put(key, endpoint);
    let mut tally = Tally { requests: 1, with_credentials: 1, ..Tally::default() };
    tally.moment.record(time);
    let mut window = PrincipalWindow { tally, ..PrincipalWindow::default() };
    window.clients.insert(key_of(home_of(user)));
    window.client_sample.insert(key_of(home_of(user)), home_of(user));
    traffic.window.principals.put(mix(user), window);
}

/// Four of all look at products, an administrator at users, and one of them at reports.
fn usual(nth: u64, traffic: &mut Traffic) {
    (0..4).for_each(|next| serve(traffic, (nth * 4 + next) % EVERYBODY, 70, "GET", "/products"));
    serve(traffic, ADMINS[nth as usize % 2], USERS, "GET", "/admin/users");
    serve(traffic, ADMINS[0], REPORTS, "GET", "/admin/reports");
}

/// The same for half an hour.
fn learned_from(mut usual: impl FnMut(u64, &mut Traffic)) -> Sensor {
    let mut sensor = Sensor::new();
    assert_eq!(sensor.voices(180, &mut usual), SILENCE);
    sensor
}

fn learned() -> Sensor {
    learned_from(usual)
}

#[test]
fn a_customer_who_is_served_what_two_administrators_use_is_told_once() {
    let mut sensor = learned();
    let mut found = Vec::new();
    for nth in 0..500 {
        found.extend(sensor.window(|traffic| {
            usual(nth, traffic);
            if nth == 5 || nth > 400 {
                serve(traffic, 7, USERS, "GET", "/admin/users");
            }
        }));
    }
    let told =
        found.iter().map(|finding| (finding.detector, &finding.subject, finding.severity, finding.evidence.len()));
    let expected = ("privileged_function", &Subject::Principal(mix(7)), Severity::Medium, 1);
    assert_eq!(told.collect::<Vec<_>>(), [expected]);
    assert_eq!((found[0].client, found[0].endpoint, found[0].probability), (Some(home_of(7)), Some(USERS), None));
    assert_eq!(found[0].observed, "an account is served by what only 2 others use");
}

#[test]
fn what_changes_something_is_worse() {
    let mut sensor = learned_from(|nth, traffic| {
        usual(nth, traffic);
        serve(traffic, ADMINS[0], 92, "DELETE", "/admin/users/{id}");
    });
    let found = sensor.window(|traffic| serve(traffic, 7, 92, "DELETE", "/admin/users/{id}"));
    assert_eq!(found.iter().map(|finding| finding.severity).collect::<Vec<_>>(), [Severity::High]);
}

#[test]
fn who_goes_there_first_of_all_may_be_an_administrator() {
    let found = learned().voices(60, |nth, traffic| {
        usual(nth, traffic);
        // Another administrator, or the same with another session; soon at another of their functions.
        let (key, path) = if nth < 20 { (USERS, "/admin/users") } else { (REPORTS, "/admin/reports") };
        serve(traffic, 902, key, "GET", path);
    });
    assert_eq!(found, SILENCE);
}

#[test]
fn who_belongs_to_one_circle_may_join_another() {
    let found = learned().voices(3, |nth, traffic| {
        usual(nth, traffic);
        serve(traffic, ADMINS[1], REPORTS, "GET", "/admin/reports");
    });
    assert_eq!(found, SILENCE);
}

#[test]
fn what_is_seldom_used_is_everybodys() {
    let seldom = |nth: u64, traffic: &mut Traffic| {
        usual(nth, traffic);
        if nth.is_multiple_of(50) {
            serve(traffic, nth / 50, 93, "GET", "/refunds");
        }
    };
    let mut sensor = learned_from(seldom);
    assert_eq!(sensor.voices(120, |nth, traffic| seldom(nth + 200, traffic)), SILENCE);
}

#[test]
fn where_most_are_members_nobody_is_an_outsider() {
    let few = |nth: u64, traffic: &mut Traffic| {
        serve(traffic, nth % 8, USERS, "GET", "/users");
        serve(traffic, 9, 70, "GET", "/products");
    };
    let found = learned_from(few).voices(30, |nth, traffic| {
        few(nth, traffic);
        serve(traffic, 9, USERS, "GET", "/users");
    });
    assert_eq!(found, SILENCE);
}

#[test]
fn sessions_that_change_are_nobody_who_was_about() {
    // A quarter of an hour each; it begins with what everybody may.
    let found = learned().voices(900, |nth, traffic| {
        usual(nth, traffic);
        let (key, path) = if nth % 90 < 12 { (70, "/products") } else { (USERS, "/admin/users") };
        serve(traffic, 1000 + nth / 90, key, "GET", path);
    });
    assert_eq!(found, SILENCE);
}

#[test]
fn who_came_before_the_circle_was_known_is_told_of_when_he_comes_again() {
    // Four visits while the sensor learns; the others come afterwards.
    let mut nth = 0;
    let mut usual_and = |more: &dyn Fn(&mut Traffic), traffic: &mut Traffic| {
        usual(nth, traffic);
        if nth >= 156 && nth.is_multiple_of(6) {
            serve(traffic, ADMINS[nth as usize / 6 % 2], 94, "GET", "/admin/keys");
        }
        more(traffic);
        nth += 1;
    };
    let mut sensor = Sensor::new();
    let stranger = |traffic: &mut Traffic| serve(traffic, 7, 94, "GET", "/admin/keys");
    assert_eq!(sensor.voices(180, |_, traffic| usual_and(&|_| (), traffic)), SILENCE);
    assert_eq!(sensor.voices(1, |_, traffic| usual_and(&stranger, traffic)), SILENCE);
    assert_eq!(sensor.voices(120, |_, traffic| usual_and(&|_| (), traffic)), SILENCE);
    assert_eq!(sensor.voices(1, |_, traffic| usual_and(&stranger, traffic)), ["privileged_function"]);
}

#[test]
fn who_comes_back_after_weeks_may_have_been_a_member_that_is_forgotten() {
    let mut sensor = learned();
    for days in [7, 9] {
        let principal = mix(days);
        let last = start_of(sensor.window).saturating_sub(Duration::from_secs(days * 86_400));
        sensor.store.principals.get_mut(&principal).unwrap().moment = Moment { first: last, last };
    }
    assert_eq!(sensor.voices(1, |_, traffic| serve(traffic, 9, USERS, "GET", "/admin/users")), SILENCE);
    let found = sensor.voices(1, |_, traffic| serve(traffic, 7, USERS, "GET", "/admin/users"));
    assert_eq!(found, ["privileged_function"]);
}
