//! `protocol_abuse`: one client that uses the protocol to exhaust a server.
//!
//! Sees: of HTTP/2, streams that are reset before their response begins, header blocks without end, header lists that
//! are far larger than on the wire, settings and pings in bulk. Misses: the same spread over many addresses, and what a
//! proxy before the server keeps from it.

use super::reasons::Reasons;
use super::{Finding, Scene, Spoiled, Subject, percent, span_in_words};
use crate::baseline::state::SubjectActivity;
use crate::baseline::tier_of;
use crate::http::AbuseKind;

pub fn judge(scene: &Scene<'_>, findings: &mut Vec<Finding>) {
    let rules = &scene.rules.protocol_abuse;
    if !rules.enabled {
        return;
    }
    let tier = tier_of(rules.window_seconds);
    for key in &scene.touched.clients {
        let Some(state) = scene.store.clients.get(key) else { continue };
        let Some(recent) = &state.recent else { continue };
        let of =
            |kind| recent.sum(tier, |activity: &SubjectActivity| activity.abuses.as_ref().map_or(0, |a| a.count(kind)));
        let resets = of(AbuseKind::RapidReset);
        let reset_share = resets as f64 / recent.sum(tier, |activity| activity.requests).max(resets).max(1) as f64;
        let mut seen = Vec::new();
        let mut count = 0;
        let mut tell = |found: u64, is_enough: bool, text: String| {
            if is_enough {
                count += found;
                seen.push(text);
            }
        };
        tell(
            resets,
            resets >= rules.min_resets && reset_share >= rules.min_reset_share,
            format!("{resets} requests reset before they were answered, {} of its requests", percent(reset_share)),
        );
        let floods = of(AbuseKind::ContinuationFlood);
        tell(floods, floods >= rules.min_continuation_floods, format!("{floods} header blocks without an end"));
        let bombs = of(AbuseKind::HpackBomb);
        tell(
            bombs,
            bombs >= rules.min_hpack_bombs,
            format!("{bombs} header lists that are many times as large as they were sent"),
        );
        let controls = of(AbuseKind::ControlFlood);
        tell(controls, controls >= rules.min_control_frames, format!("{controls} settings and pings beyond all need"));
        if seen.is_empty() {
            continue;
        }
        let Some(abuses) = recent.merged(tier, |activity| activity.abuses.as_deref()) else { continue };
        let alert = &rules.alert;
        let mut finding = Finding::new("protocol_abuse", Subject::Client(state.address), alert.severity, abuses.moment);
        finding.client_count = 1;
        finding.client_sample = vec![state.address];
        finding.count = count;
        finding.observed = format!("{} in {}", seen.join("; "), span_in_words(&abuses.moment));
        finding.expected = Some("none of it".to_owned());
        finding.reasons = seen.iter().cloned().fold(Reasons::over(rules.window_seconds), Reasons::fact);
        finding.spoils = vec![Spoiled::ClientAttack(state.address)];
        findings.push(finding);
    }
}
