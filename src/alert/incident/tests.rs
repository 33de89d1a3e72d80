//! Facts about incidents of several voices.

use super::*;
use crate::window::Moment;
use detect::Subject as About;

const KEY: HashKey = HashKey::new([7; 16]);

struct Room {
    incidents: Incidents,
    store: Store,
    rules: Ruleset,
    window: i64,
}

impl Room {
    fn new() -> Room {
        Room { incidents: Incidents::new(KEY), store: Store::default(), rules: Ruleset::default(), window: 100 }
    }

    fn window(&mut self, findings: Vec<Finding>) -> Vec<AlertRecord> {
        self.window += 1;
        self.incidents.update(self.window, findings, &self.store, &self.rules)
    }

    fn found(&self, detector: &'static str, about: About, severity: Severity, count: u64) -> Finding {
        let now = start_of(self.window + 1);
        let mut finding = Finding::new(detector, about, severity, Moment { first: now, last: now });
        finding.count = count;
        finding.observed = format!("{count} of them");
        finding
    }
}

fn client(last: u8) -> About {
    About::Client([192, 0, 2, last].into())
}

/// A transaction that is shown.
fn shown(flow_id: u64) -> std::sync::Arc<crate::window::Evidence> {
    std::sync::Arc::new(crate::window::Evidence {
        time: start_of(101),
        flow_id,
        source: ([192, 0, 2, 1].into(), 40_000),
        destination: ([10, 0, 0, 1].into(), 80),
        method: "GET".to_owned(),
        host: "a.example".to_owned(),
        url: "/".to_owned(),
        status: Some(404),
        length: None,
        user_agent: None,
        protocol: "HTTP/1.1".into(),
    })
}

/// State, detector, severity, incident and sequence of each.
fn told(records: &[AlertRecord]) -> Vec<(IncidentState, &str, Severity, &str, u64)> {
    records
        .iter()
        .map(|record| {
            let alert = &record.apitap;
            (alert.state, alert.detector.as_str(), alert.severity, alert.incident.as_str(), alert.sequence)
        })
        .collect()
}

#[test]
fn a_scan_then_guesses_then_data_of_one_client_are_one_incident_with_a_timeline() {
    let mut room = Room::new();
    let scan = room.window(vec![room.found("scanner", client(1), Severity::Low, 100)]);
    let id = scan[0].apitap.incident.clone();
    assert_eq!(told(&scan), [(IncidentState::Opened, "scanner", Severity::Low, id.as_str(), 1)]);
    assert!(scan[0].apitap.timeline.is_empty());
    let guesses = room.window(vec![room.found("brute_force", client(1), Severity::Medium, 30)]);
    assert_eq!(told(&guesses), [(IncidentState::Updated, "brute_force", Severity::Medium, id.as_str(), 2)]);
    let mut data = room.found("unauthenticated_data_exposure", About::Endpoint(5), Severity::Critical, 9);
    data.client = Some([192, 0, 2, 1].into());
    let data = room.window(vec![data]);
    assert_eq!(
        told(&data),
        [(IncidentState::Updated, "unauthenticated_data_exposure", Severity::Critical, id.as_str(), 3)]
    );
    let timeline: Vec<&str> = data[0].apitap.timeline.iter().map(|entry| entry.detector.as_str()).collect();
    assert_eq!(timeline, ["scanner", "brute_force", "unauthenticated_data_exposure"]);
    assert_eq!(room.incidents.list(&room.store)[0].also, ["brute_force", "scanner"]);
    let tally = room.incidents.tally();
    assert_eq!((tally.total(), tally.at_least(Severity::Critical)), (1, 1));
    let closed = room.incidents.finish(start_of(10_000), &room.store, &room.rules);
    assert_eq!(
        told(&closed),
        [(IncidentState::Closed, "unauthenticated_data_exposure", Severity::Critical, id.as_str(), 4)]
    );
}

#[test]
fn an_incident_opens_before_it_goes_on_and_shows_what_comes_later_where_it_had_nothing_to_show() {
    let mut room = Room::new();
    let mut first = room.found("scanner", client(1), Severity::Low, 100);
    first.evidence = vec![shown(9)];
    let bare = room.found("brute_force", client(1), Severity::Medium, 30);
    let records = room.window(vec![first, bare]);
    let states: Vec<IncidentState> = records.iter().map(|record| record.apitap.state).collect();
    assert_eq!(states, [IncidentState::Opened, IncidentState::Updated]);
    let mut again = room.found("brute_force", client(1), Severity::High, 90);
    again.evidence = vec![shown(3)];
    let records = room.window(vec![again]);
    assert_eq!(records[0].apitap.evidence.len(), 1);
    // The clock was set back by a day: what is open is over.
    room.window -= 8640;
    assert!(room.window(Vec::new()).iter().all(|record| record.apitap.state == IncidentState::Closed));
    assert_eq!(room.incidents.open_count(), 0);
}

#[test]
fn others_are_incidents_of_their_own_and_what_the_sensor_says_of_itself_too() {
    let mut room = Room::new();
    let findings = vec![
        room.found("scanner", client(1), Severity::Low, 100),
        room.found("scanner", client(2), Severity::Low, 100),
        room.found("sensor_loss", About::Sensor("sensor".to_owned()), Severity::Low, 1),
        room.found("sensor_clock", About::Sensor("sensor".to_owned()), Severity::Low, 1),
    ];
    assert_eq!(room.window(findings).len(), 4);
    assert_eq!(room.incidents.open_count(), 4);
}

#[test]
fn an_incident_gets_no_better_and_ends_when_all_of_it_is_quiet() {
    let mut room = Room::new();
    room.window(vec![room.found("scanner", client(1), Severity::High, 100)]);
    room.window = 150;
    let joined = room.window(vec![room.found("client_error_spike", client(1), Severity::Low, 100)]);
    assert_eq!((joined[0].apitap.severity, joined[0].apitap.timeline[1].severity), (Severity::High, Severity::Low));
    // The scan is quiet for longer than ten minutes, the errors are not.
    room.window = 190;
    assert_eq!(room.window(Vec::new()), []);
    room.window = 250;
    let closed = room.window(Vec::new());
    assert_eq!((closed.len(), closed[0].apitap.state), (1, IncidentState::Closed));
    let anew = room.window(vec![room.found("scanner", client(1), Severity::Low, 100)]);
    assert_eq!(anew[0].apitap.state, IncidentState::Opened);
    assert_ne!(anew[0].apitap.incident, closed[0].apitap.incident);
}

#[test]
fn who_acknowledged_hears_again_only_of_what_is_worse() {
    let mut room = Room::new();
    let opened = room.window(vec![room.found("scanner", client(1), Severity::Medium, 100)]);
    assert!(room.incidents.acknowledge(&opened[0].apitap.incident));
    assert_eq!(room.window(vec![room.found("object_enumeration", client(1), Severity::Medium, 50)]), []);
    assert_eq!(room.window(vec![room.found("brute_force", client(1), Severity::High, 50)]).len(), 1);
}

#[test]
fn voices_are_bounded() {
    let mut room = Room::new();
    let of = |room: &Room, endpoint: u64| {
        let mut walk = room.found("object_enumeration", client(1), Severity::Low, 50);
        walk.endpoint = Some(endpoint);
        walk
    };
    let many = (0..100).map(|endpoint| of(&room, endpoint)).collect();
    room.window(many);
    assert!(room.incidents.open.values().all(|incident| incident.voices.len() <= MOST_VOICES));
    assert_eq!(room.incidents.open_count(), 100usize.div_ceil(MOST_VOICES));
    assert_eq!(room.incidents.open.values().map(|incident| incident.voices.len()).sum::<usize>(), 100);
}

#[test]
fn what_was_open_before_incidents_had_voices_goes_on() {
    let mut room = Room::new();
    let scan = room.found("scanner", client(1), Severity::Low, 100);
    let identity = identity_of(&scan);
    let time = serde_json::to_value(start_of(101)).unwrap();
    let before = serde_json::json!({ identity.as_str(): {
        "id": "00aa", "finding": scan, "severity": "low", "told": 2, "told_count": 100, "told_severity": "low",
        "told_at": time, "pause": { "secs": 120, "nanos": 0 }, "first_seen": time, "is_acknowledged": true,
    }});
    room.incidents.restore(before.to_string().as_bytes()).unwrap();
    let worse = room.found("scanner", client(1), Severity::High, 150);
    let told_again = room.window(vec![worse]);
    assert_eq!(told(&told_again), [(IncidentState::Updated, "scanner", Severity::High, "00aa", 3)]);
    let json = room.incidents.to_json().unwrap();
    let mut again = Incidents::new(KEY);
    again.restore(&json).unwrap();
    assert_eq!(again.list(&room.store)[0].id, "00aa");
    assert_eq!((room.incidents.tally().total(), room.incidents.tally().carried_over), (1, 0), "it got worse");
    assert_eq!((again.tally().total(), again.tally().carried_over), (0, 1));
}

/// Two weeks of nights; what each of them tells.
fn nights(room: &mut Room, detector: &'static str, count: u64) -> Vec<AlertRecord> {
    let mut told = Vec::new();
    for _ in 0..14 {
        room.window += 8640;
        let batch = room.found(detector, About::Principal(7), Severity::Medium, count);
        told.extend(room.window(vec![batch]));
        room.window += 360;
        told.extend(room.window(Vec::new()));
    }
    told
}

#[test]
fn a_batch_that_comes_back_each_night_is_one_incident() {
    let mut room = Room::new();
    let told = nights(&mut room, "object_enumeration", 100);
    assert_eq!((told.len(), told[0].apitap.state), (1, IncidentState::Opened));
}

#[test]
fn an_acknowledged_habit_is_no_news_until_it_grows() {
    let mut room = Room::new();
    assert_eq!(nights(&mut room, "resource_abuse", 100).len(), 28, "opened and closed each night");
    let batch = room.found("resource_abuse", About::Principal(7), Severity::Medium, 100);
    let opened = room.window(vec![batch.clone()]);
    assert!(!room.incidents.is_known(&batch));
    assert!(room.incidents.acknowledge(&opened[0].apitap.incident) && room.incidents.is_known(&batch));
    room.window += 360;
    room.window(Vec::new());
    let json = room.incidents.to_json().unwrap();
    room.incidents = Incidents::new(KEY);
    room.incidents.restore(&json).unwrap();
    assert_eq!(nights(&mut room, "resource_abuse", 200), []);
    assert_eq!(room.incidents.tally().known, 14);
    let grown = room.found("resource_abuse", About::Principal(7), Severity::Medium, 201);
    let worse = room.found("resource_abuse", About::Principal(7), Severity::High, 10);
    let other = room.found("resource_abuse", About::Principal(8), Severity::Medium, 10);
    assert!(![grown, worse, other].iter().any(|finding| room.incidents.is_known(finding)));
    room.window += 31 * 8640;
    room.window(Vec::new());
    assert!(!room.incidents.is_known(&batch), "it was away for a month");
}

#[test]
fn a_flood_of_incidents_is_saved_without_what_it_shows() {
    let mut room = Room::new();
    let mut found = room.found("resource_abuse", About::Principal(7), Severity::Medium, 100);
    found.evidence = vec![shown(9)];
    let opened = room.window(vec![found]);
    let whole = room.incidents.to_json().unwrap();
    let short = room.incidents.to_json_within(whole.len() - 1).unwrap();
    assert!(short.len() < whole.len());
    room.incidents = Incidents::new(KEY);
    room.incidents.restore(&short).unwrap();
    assert_eq!(room.incidents.ids_like(""), [opened[0].apitap.incident.clone()]);
}

#[test]
fn what_a_later_version_found_takes_nothing_else_with_it() {
    let mut room = Room::new();
    let found =
        [1, 2].map(|principal| room.found("resource_abuse", About::Principal(principal), Severity::Medium, 100));
    let opened = room.window(found.to_vec());
    room.incidents.acknowledge(&opened[1].apitap.incident);
    let mut saved: serde_json::Value = serde_json::from_slice(&room.incidents.to_json().unwrap()).unwrap();
    let first = saved["open"].as_object_mut().unwrap().values_mut().next().unwrap();
    first["voices"][0]["finding"]["detector"] = "of_tomorrow".into();
    room.incidents = Incidents::new(KEY);
    room.incidents.restore(saved.to_string().as_bytes()).unwrap();
    assert_eq!(room.incidents.open_count(), 1);
    assert!(room.incidents.is_known(&found[1]), "what was learned stays");
}

#[test]
fn an_incident_is_found_by_the_beginning_of_its_id() {
    let mut room = Room::new();
    for principal in 0..40 {
        let found = room.found("resource_abuse", About::Principal(principal), Severity::Medium, 100);
        room.window(vec![found]);
    }
    let ids = room.incidents.ids_like("");
    let first = ids[0][..1].to_owned();
    let like = room.incidents.ids_like(&first);
    assert!(like.len() > 1 && like.iter().all(|id| id.starts_with(&first)), "{like:?}");
    assert_eq!(room.incidents.ids_like(&ids[7]), [ids[7].clone()]);
    assert!(room.incidents.ids_like("what").is_empty());
}

#[test]
fn an_acknowledgement_can_be_taken_back_also_when_the_incident_is_over() {
    let mut room = Room::new();
    let batch = room.found("resource_abuse", About::Principal(7), Severity::Medium, 100);
    let opened = room.window(vec![batch.clone()]);
    let id = opened[0].apitap.incident.as_str();
    assert!(!room.incidents.unacknowledge(id), "nobody acknowledged it");
    assert!(room.incidents.acknowledge(id));
    room.window += 8640;
    room.window(Vec::new());
    assert!(room.incidents.list(&room.store).is_empty());
    let habits = room.incidents.habits(&room.store);
    assert_eq!((habits.len(), habits[0].id.as_str(), habits[0].detector), (1, id, "resource_abuse"));
    assert!(room.incidents.unacknowledge(id) && !room.incidents.is_known(&batch));
    assert!(room.incidents.habits(&room.store).is_empty());
    // One of an attack, which is known of while it is open only.
    let scan = room.found("scanner", client(1), Severity::Low, 100);
    let opened = room.window(vec![scan.clone()]);
    let id = opened[0].apitap.incident.as_str();
    assert!(room.incidents.acknowledge(id) && room.incidents.unacknowledge(id) && !room.incidents.unacknowledge(id));
}

#[test]
fn who_acknowledges_an_attack_knows_of_that_one_only() {
    let mut room = Room::new();
    let scan = room.found("scanner", client(1), Severity::Low, 100);
    let opened = room.window(vec![scan.clone()]);
    assert!(room.incidents.acknowledge(&opened[0].apitap.incident) && !room.incidents.is_known(&scan));
}

#[test]
fn who_is_forgotten_is_not_known() {
    let mut room = Room::new();
    let flood = room.found("resource_abuse", client(1), Severity::Low, 100);
    let opened = room.window(vec![flood.clone()]);
    assert!(room.incidents.acknowledge(&opened[0].apitap.incident) && room.incidents.is_known(&flood));
    room.incidents.forget_client([192, 0, 2, 1].into());
    assert!(!room.incidents.is_known(&flood));
}

#[test]
fn many_small_ones_silence_nothing_that_is_worse() {
    let mut room = Room::new();
    let small = |room: &Room, key: u64| room.found("shadow_endpoint", About::Endpoint(key), Severity::Low, 9);
    let many: Vec<Finding> = (0..MAX_OPEN as u64).map(|key| small(&room, key)).collect();
    assert_eq!(room.window(many).len(), MAX_OPEN);
    let next = small(&room, 100_000);
    assert!(room.window(vec![next]).is_empty(), "as small as those that are open");
    let worse = room.found("brute_force", client(1), Severity::High, 30);
    let records = room.window(vec![worse]);
    let states: Vec<(IncidentState, &str)> =
        told(&records).into_iter().map(|(state, detector, ..)| (state, detector)).collect();
    assert_eq!(states.len(), 2);
    assert!(states.contains(&(IncidentState::Closed, "shadow_endpoint")), "{states:?}");
    assert!(states.contains(&(IncidentState::Opened, "brute_force")), "{states:?}");
    room.window += 61;
    let next = small(&room, 100_001);
    assert!(room.window(vec![next]).len() >= 2, "nothing came of the others for ten minutes");
    assert_eq!((room.incidents.open_count() <= MAX_OPEN, room.incidents.tally.over_limit), (true, 1));
}
