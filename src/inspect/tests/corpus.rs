//! The strings of Presidio's recogniser tests (`pii/presidio.jsonl` of the corpus): what is claimed is found, what only
//! looks like it is not.

use crate::inspect::{DataClass, Role, scan_text};
use std::collections::BTreeMap;

/// An entity that is claimed: its class, and the field name under which an API carries it. Bare digits and passport
/// numbers say nothing by themselves, so those have one; the rest is found in any text.
const CLAIMED: [(&str, DataClass, Option<&str>); 33] = [
    ("CREDIT_CARD", DataClass::PaymentCard, None),
    ("EMAIL_ADDRESS", DataClass::Email, None),
    ("PHONE_NUMBER", DataClass::Phone, None),
    ("US_SSN", DataClass::UsSsn, Some("ssn")),
    ("AU_MEDICARE", DataClass::AuMedicare, Some("medicareNumber")),
    ("AU_TFN", DataClass::AuTfn, Some("tfn")),
    ("US_PASSPORT", DataClass::Passport, Some("passport_number")),
    ("UK_PASSPORT", DataClass::Passport, Some("passport_number")),
    ("ES_PASSPORT", DataClass::Passport, Some("passport_number")),
    ("IT_PASSPORT", DataClass::Passport, Some("passport_number")),
    ("IN_PASSPORT", DataClass::Passport, Some("passport_number")),
    ("US_ITIN", DataClass::NationalId, Some("itin")),
    ("US_MBI", DataClass::HealthId, Some("mbi")),
    ("US_NPI", DataClass::HealthId, Some("npi")),
    ("UK_NHS", DataClass::HealthId, Some("nhs_number")),
    ("UK_NINO", DataClass::NationalId, Some("nationalInsuranceNumber")),
    ("UK_DRIVING_LICENCE", DataClass::NationalId, Some("driving_licence")),
    ("CA_SIN", DataClass::NationalId, Some("sin")),
    ("DE_HEALTH_INSURANCE", DataClass::HealthId, Some("healthInsuranceNumber")),
    ("DE_SOCIAL_SECURITY", DataClass::NationalId, Some("rvnr")),
    ("DE_TAX_ID", DataClass::NationalId, Some("tax_id")),
    ("ES_NIE", DataClass::NationalId, Some("nie")),
    ("ES_NIF", DataClass::NationalId, Some("nif")),
    ("FI_PERSONAL_IDENTITY_CODE", DataClass::NationalId, Some("hetu")),
    ("IN_AADHAAR", DataClass::NationalId, Some("aadhaar")),
    ("IN_PAN", DataClass::NationalId, Some("pan")),
    ("IT_FISCAL_CODE", DataClass::NationalId, Some("codice_fiscale")),
    ("KR_RRN", DataClass::NationalId, Some("rrn")),
    ("PL_PESEL", DataClass::NationalId, Some("pesel")),
    ("SE_PERSONNUMMER", DataClass::NationalId, Some("personnummer")),
    ("SG_NRIC_FIN", DataClass::NationalId, Some("nric")),
    ("TR_NATIONAL_ID", DataClass::NationalId, Some("tckn")),
    ("ZA_ID_NUMBER", DataClass::NationalId, Some("rsa_id")),
];

/// Of the strings said to carry a claimed entity, at least so many of a hundred must be found, and of those said not
/// to, at most so many may be flagged as it.
const FOUND_PERCENT: usize = 90;
const FALSE_PERCENT: usize = 3;
/// Strings of entities that are not claimed and carry nothing: at most so many of a hundred may be flagged at all.
const FALSE_ELSEWHERE_PERCENT: usize = 5;

struct Case {
    entity: String,
    text: String,
    matches: u64,
}

fn cases() -> Option<Vec<Case>> {
    let Some(folder) = std::env::var_os("APITAP_CORPUS") else {
        println!("skipped: APITAP_CORPUS is not set");
        return None;
    };
    let text = std::fs::read_to_string(std::path::Path::new(&folder).join("pii/presidio.jsonl"))
        .expect("the corpus has pii/presidio.jsonl");
    let cases = text.lines().filter_map(|line| {
        let value: serde_json::Value = serde_json::from_str(line).expect("every line is JSON");
        // The telephone recogniser names no entity in its tests.
        let entity = match value["entities"][0].as_str() {
            Some(name) => name.to_owned(),
            None if value["recognizer"] == "phone" => "PHONE_NUMBER".to_owned(),
            None => "OTHER".to_owned(),
        };
        Some(Case { entity, text: value["text"].as_str()?.to_owned(), matches: value["matches"].as_u64()? })
    });
    Some(cases.collect())
}

#[test]
fn claimed_entities_are_found_and_lookalikes_are_not() {
    let Some(cases) = cases() else { return };
    let mut by_entity: BTreeMap<&str, [usize; 4]> = BTreeMap::new();
    let mut total = [0usize; 4];
    for case in &cases {
        let Some((entity, class, field)) = CLAIMED.iter().find(|claim| claim.0 == case.entity) else { continue };
        let found = scan_text(case.text.as_bytes(), *field, Role::Response).iter().any(|hit| hit.0 == *class);
        let column = match (case.matches > 0, found) {
            (true, true) => 0,
            (true, false) => 1,
            (false, true) => 2,
            (false, false) => 3,
        };
        if column == 1 || column == 2 {
            println!("{} {}: {:?}", if column == 1 { "missed" } else { "false" }, entity, case.text);
        }
        by_entity.entry(entity).or_default()[column] += 1;
        total[column] += 1;
    }
    for (entity, [found, missed, wrong, right]) in &by_entity {
        println!("{entity}: {found} of {} found, {wrong} of {} false", found + missed, wrong + right);
    }
    let [found, missed, wrong, right] = total;
    println!("claimed: {found} of {} found, {wrong} of {} false", found + missed, wrong + right);
    assert!(found + missed >= 100 && wrong + right >= 80, "the corpus is not the one that was claimed for");
    assert!(found * 100 >= (found + missed) * FOUND_PERCENT);
    assert!(wrong * 100 <= (wrong + right) * FALSE_PERCENT);
}

#[test]
fn what_carries_nothing_is_hardly_ever_flagged() {
    let Some(cases) = cases() else { return };
    let (mut flagged, mut all) = (0, 0);
    for case in cases.iter().filter(|case| case.matches == 0) {
        let hits = scan_text(case.text.as_bytes(), None, Role::Response);
        all += 1;
        if !hits.is_empty() {
            flagged += 1;
            println!("flagged {} {:?}: {hits:?}", case.entity, case.text);
        }
    }
    println!("{flagged} of {all} strings that carry nothing flagged without a field name");
    assert!(flagged * 100 <= all * FALSE_ELSEWHERE_PERCENT);
    let unclaimed = cases.iter().filter(|case| case.matches > 0 && CLAIMED.iter().all(|claim| claim.0 != case.entity));
    for case in unclaimed {
        let hits = scan_text(case.text.as_bytes(), None, Role::Response);
        if !hits.is_empty() {
            println!("not claimed, flagged: {} {:?}: {hits:?}", case.entity, case.text);
        }
    }
}
