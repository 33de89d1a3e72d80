//! One sample of each record, for the tests of everything that reads or writes them.

use super::*;
use crate::detect::Reasons;

const START: i64 = 1_763_892_130; // 2025-11-23 10:02:10 UTC

fn second(after: i64) -> Timestamp {
    Timestamp::from_secs_nanos(START + after, 123_456_789)
}

fn ends() -> (SocketAddr, SocketAddr) {
    (SocketAddr::from(([203, 0, 113, 7], 40112)), SocketAddr::from(([10, 0, 0, 5], 8080)))
}

pub fn login() -> HttpFields<'static> {
    HttpFields {
        hostname: Some("api.shop.example".into()),
        url: Some("/v1/login".into()),
        http_user_agent: Some("python-requests/2.32".into()),
        http_content_type: Some("application/json".into()),
        http_method: Some("POST".into()),
        protocol: Some("HTTP/1.1".into()),
        status: Some(401),
        length: Some(42),
        ..HttpFields::default()
    }
}

pub fn alert() -> AlertRecord {
    let (client, server) = ends();
    let detail = AlertDetail {
        detector: "credential_stuffing".to_owned(),
        incident: "9f3c00aa12de4b71".to_owned(),
        sequence: 1,
        state: IncidentState::Opened,
        severity: Severity::High,
        probability: Some(1e-40),
        subject: Subject { kind: SubjectKind::Endpoint, value: "POST api.shop.example/v1/login".to_owned() },
        endpoint: Some("POST api.shop.example/v1/login".to_owned()),
        client: Some(client.ip()),
        principal: None,
        network: None,
        clients: Some(Clients { count: 51, sample: vec![IpAddr::from([198, 51, 100, 9]), client.ip()] }),
        accounts: Vec::new(),
        first_seen: second(0),
        last_seen: second(119),
        count: 415,
        observed: "412 failed logins for 380 users in 2m; 3 succeeded".to_owned(),
        expected: Some("under 5 failed logins in 2m".to_owned()),
        reasons: Reasons::default(),
        timeline: Vec::new(),
        evidence: vec![Evidence {
            timestamp: second(0),
            src_ip: client.ip(),
            src_port: client.port(),
            dest_ip: server.ip(),
            dest_port: server.port(),
            http: login(),
        }],
        marks: Vec::new(),
        owasp: Some("API2:2023 Broken Authentication".to_owned()),
        advice: "Lock the 3 accounts that were entered and look at what they did since.".to_owned(),
    };
    let mut record = EveRecord::new(second(120), EventType::Alert, detail).with_flow(FlowHead {
        flow_id: 1_332_028_388_187_153,
        client,
        server,
        community_id: "1:LQU9qZlK+B5F3KDmev6m5PMibrg=",
    });
    record.alert =
        Some(AlertFields::new(9_000_001, 1, "Credential stuffing", "Attempted User Privilege Gain", Severity::High));
    record.http = Some(login());
    record
}

pub fn http() -> HttpRecord<'static> {
    let (client, server) = ends();
    let detail = HttpDetail {
        endpoint: Some("POST api.shop.example/v1/login".into()),
        client: Some(client.ip()),
        principal: Some("bearer:5ad1c0ffee00beef".into()),
        flags: vec!["injection".into()],
        marks: vec!["midstream".into(), "obs_fold".into()],
    };
    let mut record = EveRecord::new(second(0), EventType::Http, detail).with_flow(FlowHead {
        flow_id: 1_332_028_388_187_153,
        client,
        server,
        community_id: "1:LQU9qZlK+B5F3KDmev6m5PMibrg=",
    });
    record.http = Some(login());
    record
}

pub fn endpoint() -> EndpointRecord {
    let detail = EndpointDetail {
        method: "GET".to_owned(),
        host: "api.shop.example".to_owned(),
        template: "/v1/users/{id}".to_owned(),
        methods: vec!["DELETE".to_owned(), "GET".to_owned()],
        status: BTreeMap::from([(200, 950), (404, 12)]),
        requests: 962,
        rate_per_minute: 16.25,
        latency_ms: Some(Latency { p50: 3.1, p99: 41.0 }),
        credentials: BTreeMap::from([("bearer".to_owned(), 960), ("none".to_owned(), 2)]),
        data: BTreeMap::from([("email".to_owned(), 950)]),
        first_seen: Some(second(0)),
        last_seen: Some(second(3600)),
        documented: Some(true),
    };
    EveRecord::new(second(3600), EventType::Endpoint, detail)
}

pub fn stats() -> StatsRecord {
    let counters = BTreeMap::from([("frames".to_owned(), 10_000), ("transactions".to_owned(), 962)]);
    EveRecord::new(second(3600), EventType::Stats, StatsDetail { counters })
}
