use super::*;
use crate::alert::record::{AlertRecord, samples, write_line};

fn syslog() -> Syslog {
    Syslog::new(&SyslogSettings {
        address: "udp://127.0.0.1:514".parse().unwrap(),
        facility: "local0".parse().unwrap(),
        app_name: "apitap".to_owned(),
        ca_file: None,
    })
    .unwrap()
}

fn line(record: &AlertRecord) -> Vec<u8> {
    let mut line = Vec::new();
    write_line(record, &mut line);
    line.pop();
    line
}

#[test]
fn a_message_has_the_header_of_rfc_5424_and_the_record_as_it_is() {
    let record = line(&samples::alert());
    let message = String::from_utf8(syslog().message(&record)).unwrap();
    let fields: Vec<&str> = message.splitn(8, ' ').collect();
    // local0 is 16, an error 3.
    assert_eq!((fields[0], fields[1]), ("<131>1", "2025-11-23T10:04:10.123456Z"));
    assert_eq!((fields[3], fields[5], fields[6]), ("apitap", "credential_stuffing", "-"));
    assert!(!fields[2].is_empty() && fields[4].parse::<u32>().is_ok());
    assert_eq!(fields[7].as_bytes(), record);
}

#[test]
fn a_long_message_loses_evidence_first_and_its_identity_never() {
    let mut record = samples::alert();
    record.apitap.evidence = vec![record.apitap.evidence[0].clone(); 100];
    let message = syslog().message(&line(&record));
    assert!(message.len() <= MESSAGE_BYTES && message.len() > MESSAGE_BYTES - 1000, "{}", message.len());
    let body = &message[message.iter().position(|byte| *byte == b'{').unwrap()..];
    let body: AlertRecord = serde_json::from_slice(body).unwrap();
    assert!(body.apitap.evidence.len() > 5 && body.http.is_some());

    record.http.as_mut().unwrap().url = Some("/\u{9b}日".repeat(5000).into());
    record.apitap.observed = "日".repeat(5000);
    let message = syslog().message(&line(&record));
    assert!(message.len() <= MESSAGE_BYTES, "{}", message.len());
    let body = &message[message.iter().position(|byte| *byte == b'{').unwrap()..];
    let body: Value = serde_json::from_slice(body).unwrap();
    assert_eq!((&body["apitap"]["incident"], &body["apitap"]["sequence"]), (&"9f3c00aa12de4b71".into(), &1.into()));
}

#[test]
fn what_is_no_record_still_makes_a_message() {
    let message = String::from_utf8(syslog().message(b"{}")).unwrap();
    assert!(message.starts_with("<133>1 - ") && message.ends_with(" - - {}"), "{message}");
}
