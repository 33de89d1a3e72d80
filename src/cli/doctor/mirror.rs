//! What the counts say of the mirror: [`Figures`] in, a line for each thing that can be wrong with one out.

use super::report::Check;
use super::traffic::{Figures, Protocol};
use std::collections::BTreeMap;

/// One-sided flows: a few are flows that had just begun or were ending; half of them are a mirror of one direction.
const ONE_SIDED_WARNED: f64 = 0.05;
const ONE_SIDED_FAILED: f64 = 0.5;
/// Connections without an answer: scans and dead servers make some; more than this and answers go another way.
const UNANSWERED_WARNED: f64 = 0.5;
/// Packets of tunnels that cannot be looked into: a VPN beside the traffic is usual.
const UNREAD_WARNED: f64 = 0.05;
/// Segments that came twice: network cards and switches that flood make a few.
const DUPLICATES_WARNED: f64 = 0.02;
/// Ports and tags named in a line.
const NAMED: usize = 5;

/// The checks of traffic, in the order of a report. `span` says for how long it was listened to, or of what file it is.
pub fn checks(figures: &Figures, span: &str) -> Vec<Check> {
    if figures.frames == 0 {
        return vec![Check::fail(
            "frames",
            format!("none {span}"),
            "see whether the switch's mirror session is on and ends at this port (`ip -s link` counts what arrives)",
        )];
    }
    let mut checks = vec![frames(figures, span), tags(figures)];
    checks.push(tunnels(figures));
    checks.push(sizes(figures));
    if figures.tcp_segments > 0 {
        checks.extend([duplicates(figures), directions(figures), handshakes(figures), http(figures)]);
    }
    checks
}

fn share(part: u64, whole: u64) -> f64 {
    if whole == 0 { 0.0 } else { part as f64 / whole as f64 }
}

fn percent(part: u64, whole: u64) -> String {
    format!("{:.0} %", 100.0 * share(part, whole))
}

fn frames(figures: &Figures, span: &str) -> Check {
    let Figures { frames, bytes, tcp_segments, .. } = figures;
    let found = format!("{frames} frames, {bytes} bytes, {tcp_segments} TCP segments {span}");
    if figures.unknown_link == *frames {
        return Check::fail("frames", format!("{found}; of a link type that is not read"), "capture on Ethernet");
    }
    if *tcp_segments == 0 {
        return Check::fail(
            "frames",
            format!("{found}: HTTP is spoken over TCP, and there is none"),
            "mirror the port or VLAN of the API's servers, or of what ends TLS for them",
        );
    }
    if figures.malformed > frames / 10 {
        return Check::warn(
            "frames",
            format!("{found}; {} malformed", figures.malformed),
            "see whether the mirror cuts frames or adds headers of its own",
        );
    }
    Check::ok("frames", found)
}

fn named<K: std::fmt::Display + Ord>(counts: &BTreeMap<K, u64>) -> String {
    let mut largest: Vec<_> = counts.iter().collect();
    largest.sort_by(|one, other| other.1.cmp(one.1).then(one.0.cmp(other.0)));
    let mut said = largest.iter().take(NAMED).map(|(key, _)| key.to_string()).collect::<Vec<_>>().join(", ");
    if largest.len() > NAMED {
        said.push_str(&format!(" and {} more", largest.len() - NAMED));
    }
    said
}

fn tags(figures: &Figures) -> Check {
    let tagged: u64 = figures.vlans.values().sum();
    Check::ok(
        "vlan",
        match figures.vlans.len() {
            0 => "no tags".to_owned(),
            _ => format!("{} of frames are tagged: {}", percent(tagged, figures.frames), named(&figures.vlans)),
        },
    )
}

fn tunnels(figures: &Figures) -> Check {
    let Figures { frames, wrapped, wrapped_unread, too_deep, .. } = figures;
    let shares = |counts: &BTreeMap<&'static str, u64>| {
        counts.iter().map(|(name, count)| format!("{name} {}", percent(*count, *frames))).collect::<Vec<_>>().join(", ")
    };
    if *too_deep > 0 {
        return Check::warn(
            "tunnels",
            format!("{} of frames are wrapped more often than is followed", percent(*too_deep, *frames)),
            "mirror behind where the outer tunnels end, or raise `capture.encapsulation_depth`",
        );
    }
    if wrapped.is_empty() {
        return Check::ok("tunnels", "none");
    }
    let found = format!("frames are wrapped in {}", shares(wrapped));
    let unread: u64 = wrapped_unread.values().sum();
    match share(unread, *frames) {
        some if some > UNREAD_WARNED => Check::warn(
            "tunnels",
            format!("{found}; not looked into, because encrypted or no such tunnel: {}", shares(wrapped_unread)),
            "mirror behind where encrypted tunnels end; see `capture.vxlan_ports` and its like for what is no tunnel",
        ),
        _ => Check::ok("tunnels", format!("{found}; looked into")),
    }
}

fn duplicates(figures: &Figures) -> Check {
    let Figures { duplicates, tcp_segments, .. } = figures;
    let all = duplicates + tcp_segments;
    match share(*duplicates, all) {
        few if few <= DUPLICATES_WARNED => {
            Check::ok("duplicates", format!("{duplicates} of {all} segments came twice"))
        }
        _ => Check::warn(
            "duplicates",
            format!("{} of segments came twice; the second counts for nothing", percent(*duplicates, all)),
            "it costs the sensor time: mirror either one port in both directions, or what all ports receive (rx)",
        ),
    }
}

fn sizes(figures: &Figures) -> Check {
    let Figures { largest_frame, over_mtu, cut_by_snaplen, frames, .. } = figures;
    if *cut_by_snaplen > 0 {
        return Check::warn(
            "frame sizes",
            format!("{} of frames were cut by the snap length", percent(*cut_by_snaplen, *frames)),
            "capture whole frames (`tcpdump -s 0`)",
        );
    }
    if *over_mtu > 0 {
        return Check::warn(
            "frame sizes",
            format!(
                "{over_mtu} frames are longer than the link carries, up to {largest_frame} bytes: the card joins them"
            ),
            "`ethtool -K IFACE gro off lro off` on the sensor's interface; on the machine's own traffic also `tso off gso off`",
        );
    }
    Check::ok("frame sizes", format!("up to {largest_frame} bytes, none cut or joined"))
}

fn directions(figures: &Figures) -> Check {
    let Figures { flows_judged: judged, flows_one_sided: one_sided, .. } = figures;
    if *judged == 0 {
        return Check::warn(
            "directions",
            format!("{} flows, all too short to judge", figures.flows),
            "listen for longer (`--duration 1m`)",
        );
    }
    let found = format!("{} of {judged} flows show both directions", judged - one_sided);
    let mend = "mirror what the port sends and what it receives (rx and tx, `both`); of a tap with a card for each \
                direction give both: -i ONE -i OTHER; look for asymmetric routes";
    match share(*one_sided, *judged) {
        few if few <= ONE_SIDED_WARNED => Check::ok("directions", found),
        some if some <= ONE_SIDED_FAILED => {
            Check::warn("directions", format!("{found}, {} only one", percent(*one_sided, *judged)), mend)
        }
        _ => Check::fail("directions", format!("{found}, {} only one", percent(*one_sided, *judged)), mend),
    }
}

fn handshakes(figures: &Figures) -> Check {
    let Figures { flows_opened: opened, flows_answered: answered, flows_answered_only: answered_only, .. } = figures;
    if opened + answered_only == 0 {
        return Check::ok("handshakes", "no connection was opened; see directions");
    }
    let found = format!(
        "{opened} connections opened (SYN), {answered} of them answered (SYN-ACK), {answered_only} answers without a SYN"
    );
    if share(opened - answered, *opened) > UNANSWERED_WARNED {
        let mend = "see directions; if that is well, the servers are down or somebody scans";
        return Check::warn("handshakes", found, mend);
    }
    if share(*answered_only, opened + answered_only) > UNANSWERED_WARNED {
        return Check::warn("handshakes", found, "see directions: what clients send is not mirrored");
    }
    Check::ok("handshakes", found)
}

fn http(figures: &Figures) -> Check {
    let count = |protocol| figures.flows_by_protocol.get(&protocol).copied().unwrap_or(0);
    let (http, http2, tls) = (count(Protocol::Http), count(Protocol::Http2), count(Protocol::Tls));
    let whole = figures.flows_with_payload;
    let told = |name: &str, protocol, count| {
        let ports = figures.ports.get(&protocol).map(named).unwrap_or_default();
        format!("{name} in {count} of {whole} flows with payload ({}; port {ports})", percent(count, whole))
    };
    let all: Vec<String> =
        [("HTTP/1", Protocol::Http, http), ("HTTP/2", Protocol::Http2, http2), ("TLS", Protocol::Tls, tls)]
            .into_iter()
            .filter(|(_, _, count)| *count > 0)
            .map(|(name, protocol, count)| told(name, protocol, count))
            .collect();
    let found = all.join(", ");
    match (http + http2, tls) {
        (1.., _) => Check::ok("http", found),
        (0, 1..) => Check::fail(
            "http",
            format!("no HTTP in clear: {found}"),
            "nothing is decrypted: mirror behind what ends TLS (load balancer, ingress, sidecar)",
        ),
        (0, 0) => Check::warn(
            "http",
            format!("neither HTTP nor TLS began in {whole} flows with payload"),
            "listen for longer (`--duration 1m`), or mirror the port of the API's servers",
        ),
    }
}
