//! What does not reach the sensor: frames that are lost on their way to it, or one direction of all. It says so, and draws no
//! conclusions about the traffic.

use crate::cli::simulated;
use crate::daemon::Site;
use crate::has_alert_of;
use apitap::simulate::Options;
use serde_json::Value;
use std::collections::BTreeSet;
use std::time::Duration;

/// Ten minutes in which nobody attacks, of which the sensor learns from two.
fn quiet() -> Options {
    Options { duration: Duration::from_secs(600), rate: 10.0, clients: 60, seed: 3, ..Options::default() }
}

/// What a daemon tells of some traffic, and of whom. Where it is to say something of itself, that is waited for.
fn told_of(site: &Site, traffic: &Options, of_itself: Option<&str>) -> BTreeSet<(String, String)> {
    let text = |alert: &Value, key: &str| alert["apitap"][key].as_str().unwrap_or("").to_owned();
    let mut daemon = site.start();
    site.feed(&simulated(traffic));
    if let Some(detector) = of_itself {
        daemon.wait_until(detector, |_| has_alert_of(site, detector));
    }
    daemon.stop();
    site.alerts().iter().map(|alert| (text(alert, "detector"), text(alert, "client"))).collect()
}

#[test]
fn a_mirror_that_loses_frames_is_told_and_nothing_else_that_was_not_there() {
    let whole = told_of(&Site::new(), &quiet(), None);
    let lossy = told_of(&Site::new(), &Options { loss: 0.03, ..quiet() }, Some("sensor_loss"));
    let only_with_loss: Vec<_> = lossy.difference(&whole).filter(|(detector, _)| detector != "sensor_loss").collect();
    assert!(only_with_loss.is_empty(), "{only_with_loss:?}");
}

#[test]
fn a_mirror_of_requests_only_is_told_and_nothing_else() {
    let site = Site::new().set("CAPTURE__FILTER", "dst net 10.20.0.0/24");
    let told = told_of(&site, &quiet(), Some("sensor_one_sided"));
    assert_eq!(told.into_iter().map(|(detector, _)| detector).collect::<Vec<_>>(), ["sensor_one_sided"]);
}
