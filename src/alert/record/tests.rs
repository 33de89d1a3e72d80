use super::*;
use proptest::prelude::*;

const SCHEMA: &str = include_str!("../../../docs/schema/eve.schema.json");

fn line_of<D: Serialize>(record: &EveRecord<'_, D>) -> String {
    let mut line = Vec::new();
    write_line(record, &mut line);
    String::from_utf8(line).unwrap()
}

fn schema() -> jsonschema::Validator {
    let schema = serde_json::from_str(SCHEMA).unwrap();
    jsonschema::meta::validate(&schema).unwrap_or_else(|error| panic!("the schema is no schema: {error}"));
    jsonschema::draft202012::options().should_validate_formats(true).build(&schema).unwrap()
}

fn assert_valid(line: &str) {
    let instance = serde_json::from_str(line).unwrap();
    let errors: Vec<String> = schema().iter_errors(&instance).map(|e| format!("{}: {e}", e.instance_path)).collect();
    assert!(errors.is_empty(), "{errors:#?}\n{line}");
}

#[test]
fn an_http_line_reads_like_suricatas() {
    assert_eq!(
        line_of(&samples::http()),
        concat!(
            r#"{"timestamp":"2025-11-23T10:02:10.123456+0000","flow_id":1332028388187153,"event_type":"http","#,
            r#""src_ip":"203.0.113.7","src_port":40112,"dest_ip":"10.0.0.5","dest_port":8080,"proto":"TCP","#,
            r#""app_proto":"http","community_id":"1:LQU9qZlK+B5F3KDmev6m5PMibrg=","#,
            r#""http":{"hostname":"api.shop.example","url":"/v1/login","http_user_agent":"python-requests/2.32","#,
            r#""http_content_type":"application/json","http_method":"POST","protocol":"HTTP/1.1","status":401,"#,
            r#""length":42},"apitap":{"endpoint":"POST api.shop.example/v1/login","client":"203.0.113.7","#,
            r#""principal":"bearer:5ad1c0ffee00beef","flags":["injection"],"marks":["midstream","obs_fold"]}}"#,
            "\n"
        )
    );
}

#[test]
fn every_kind_of_record_fits_the_schema() {
    assert_valid(&line_of(&samples::alert()));
    assert_valid(&line_of(&samples::http()));
    assert_valid(&line_of(&samples::endpoint()));
    assert_valid(&line_of(&samples::stats()));
}

#[test]
fn what_a_record_may_lack_the_schema_lets_it_lack() {
    let mut alert = samples::alert();
    let detail = alert.apitap.clone();
    alert = EveRecord::new(alert.timestamp, EventType::Alert, detail);
    alert.alert = samples::alert().alert;
    (alert.apitap.probability, alert.apitap.endpoint, alert.apitap.client) = (None, None, None);
    (alert.apitap.clients, alert.apitap.expected, alert.apitap.owasp) = (None, None, None);
    alert.apitap.evidence.clear();
    assert_valid(&line_of(&alert));

    let mut half = samples::http();
    half.http = Some(HttpFields { status: Some(200), length: Some(0), ..HttpFields::default() });
    half.apitap = HttpDetail { marks: vec!["response_only".into()], ..HttpDetail::default() };
    assert_valid(&line_of(&half));
}

#[test]
fn the_schema_refuses_what_is_not_in_the_contract() {
    let validator = schema();
    let broken = |line: String, change: &dyn Fn(&mut serde_json::Value)| {
        let mut value = serde_json::from_str(&line).unwrap();
        assert!(validator.is_valid(&value));
        change(&mut value);
        !validator.is_valid(&value)
    };
    let alert = || line_of(&samples::alert());
    let http = || line_of(&samples::http());
    assert!(broken(alert(), &|v| v["apitap"]["password"] = "x".into()));
    assert!(broken(alert(), &|v| v["apitap"]["severity"] = "urgent".into()));
    assert!(broken(alert(), &|v| v["apitap"]["evidence"][0]["body"] = "x".into()));
    assert!(broken(alert(), &|v| v["apitap"]["probability"] = 1.5.into()));
    assert!(broken(alert(), &|v| v["alert"]["severity"] = 4.into()));
    assert!(broken(alert(), &|v| v["event_type"] = "http".into()));
    assert!(broken(alert(), &|v| v["timestamp"] = "2025-11-23 10:00".into()));
    assert!(broken(alert(), &|v| drop(v.as_object_mut().unwrap().remove("alert"))));
    assert!(broken(http(), &|v| v["apitap"]["detector"] = "x".into()));
    assert!(broken(http(), &|v| drop(v.as_object_mut().unwrap().remove("src_ip"))));
    assert!(broken(line_of(&samples::endpoint()), &|v| v["apitap"]["status"]["twohundred"] = 1.into()));
    assert!(broken(line_of(&samples::stats()), &|v| v["apitap"]["uptime"] = 1.into()));
}

#[test]
fn severities_are_ordered_and_map_to_suricatas() {
    let all = Severity::NAMES.map(|name| name.parse::<Severity>().unwrap());
    assert!(all.is_sorted());
    assert_eq!(all.map(Severity::eve), [3, 2, 1, 1]);
    assert_eq!(all.map(Severity::name), Severity::NAMES);
    assert_eq!(EventType::NAMES.map(|name| name.parse::<EventType>().unwrap().name()), EventType::NAMES);
    assert!("urgent".parse::<Severity>().is_err());
}

#[test]
fn what_could_act_on_a_terminal_is_escaped_in_the_line() {
    let mut record = samples::http();
    let url = "/\u{1b}[2J\u{7f}\u{9b}31m\u{202e}日本\u{e0041}ü";
    record.http.as_mut().unwrap().url = Some(url.into());
    let line = line_of(&record);
    assert!(line.contains(r#""/\u001b[2J\u007f\u009b31m\u202e日本\udb40\udc41ü""#), "{line}");
    let back: HttpRecord<'_> = serde_json::from_str(&line).unwrap();
    assert_eq!(back.http.unwrap().url.unwrap(), url);
}

#[test]
fn bytes_that_are_not_utf8_are_replaced() {
    assert_eq!(wire_text(b"/a\xff\xfe"), "/a\u{fffd}\u{fffd}");
    assert!(matches!(wire_text(b"/plain"), Cow::Borrowed("/plain")));
}

#[test]
fn times_are_written_as_timestamp_displays_them() {
    for nanos in [0, -1, 1_709_164_800_000_000_000, i64::MIN, i64::MAX, 1_763_892_000_123_456_789] {
        let mut record = samples::stats();
        record.timestamp = Timestamp(nanos);
        let expected = format!("{{\"timestamp\":\"{}\",", record.timestamp);
        assert!(line_of(&record).starts_with(&expected));
    }
}

#[test]
fn a_time_that_is_none_is_refused_without_harm() {
    for text in ["", "日本語日本語日本語日本語", "2025-11-23T10:00:00.123456+0000x", "2025-13-23T10:00:00"]
    {
        let line = line_of(&samples::stats()).replacen("2025-11-23T11:02:10.123456+0000", text, 1);
        assert!(serde_json::from_str::<StatsRecord>(&line).is_err(), "{text}");
    }
}

#[test]
fn records_of_later_versions_with_more_fields_are_still_read() {
    let line = line_of(&samples::alert()).replacen(r#""apitap":{"#, r#""new":1,"apitap":{"also_new":[],"#, 1);
    let back: AlertRecord = serde_json::from_str(&line).unwrap();
    assert_eq!(back.apitap, samples::alert().apitap.microsecond());
}

impl AlertDetail {
    /// The log keeps microseconds.
    fn microsecond(mut self) -> AlertDetail {
        let cut = |time: Timestamp| Timestamp(time.0 / 1000 * 1000);
        (self.first_seen, self.last_seen) = (cut(self.first_seen), cut(self.last_seen));
        self.evidence.iter_mut().for_each(|e| e.timestamp = cut(e.timestamp));
        self
    }
}

proptest! {
    #[test]
    fn any_text_comes_back_as_it_was_and_the_line_is_printable(url in ".*", agent in "\\PC*", endpoint in any::<String>()) {
        let mut record = samples::http();
        let http = record.http.as_mut().unwrap();
        (http.url, http.http_user_agent) = (Some(url.into()), Some(agent.into()));
        record.apitap.endpoint = Some(endpoint.into());
        let line = line_of(&record);
        prop_assert!(!line.trim_end_matches('\n').chars().any(is_unsafe));
        record.timestamp = Timestamp(record.timestamp.0 / 1000 * 1000);
        prop_assert_eq!(serde_json::from_str::<HttpRecord<'_>>(&line).unwrap(), record);
    }
}
