//! The closing summary: what was read, found, dropped, and how fast.

use crate::alert::IncidentTally;
use crate::packet::PacketCounters;
use crate::pipeline::{Counters, LOSSES, blindness};
use crate::time::Timestamp;
use std::fmt::Write;
use std::time::Duration;

pub struct Summary {
    pub packets: PacketCounters,
    pub counters: Counters,
    pub endpoints: usize,
    pub clients: usize,
    pub keys_evicted: u64,
    pub late_windows: u64,
    /// Operations that descriptions name, and those of them that nobody asked for.
    pub described: Option<(usize, usize)>,
    /// Path segments that turned out to be values.
    pub learned_parameters: usize,
    pub filtered_out: u64,
    pub tally: IncidentTally,
    pub learned_until: Option<Timestamp>,
    pub last_frame: Option<Timestamp>,
    /// Lines of --eve that stand behind later ones.
    pub lines_out_of_order: u64,
    /// What ended the run before the input's end.
    pub interrupted: Option<&'static str>,
    /// The run did not end as it should, and the state is as it was before.
    pub is_state_unchanged: bool,
    pub elapsed: Duration,
}

impl Summary {
    /// Every counter by name.
    pub fn named(&self) -> Vec<(&'static str, u64)> {
        let mut all: Vec<(&'static str, u64)> = self.packets.named();
        all.extend(self.counters.named());
        all.push(("keys_evicted", self.keys_evicted));
        all.push(("windows_late", self.late_windows));
        all.push(("learned_parameters", self.learned_parameters as u64));
        all.push(("frames_filtered_out", self.filtered_out));
        all.push(("endpoints", self.endpoints as u64));
        all.push(("clients", self.clients as u64));
        all.push(("incidents", self.tally.total()));
        all.push(("incidents_carried_over", self.tally.carried_over));
        all.push(("findings_suppressed", self.tally.suppressed));
        all.push(("findings_known", self.tally.known));
        all.push(("incidents_over_limit", self.tally.over_limit));
        all.push(("lines_out_of_order", self.lines_out_of_order));
        all
    }

    pub fn text(&self, all_counters: bool) -> String {
        let mut text = String::new();
        // Writing to a String cannot fail.
        if let Some(by) = self.interrupted {
            let until = self
                .last_frame
                .map_or(String::new(), |last| format!(" up to {}", crate::alert::human::second_of(last)));
            let _ = writeln!(text, "interrupted by {by}: this is what was read{until}");
        }
        let seconds = self.elapsed.as_secs_f64().max(1e-6);
        let _ = writeln!(
            text,
            "{} frames, {} bytes, {} flows, {} transactions, {} endpoints, {} clients",
            self.packets.frames,
            self.packets.wire_bytes,
            self.counters.table.flows,
            self.counters.http.transactions,
            self.endpoints,
            self.clients
        );
        let _ = writeln!(
            text,
            "{:.2} s, {:.0} transactions/s, {:.2} Gbit/s",
            seconds,
            self.counters.http.transactions as f64 / seconds,
            self.packets.wire_bytes as f64 * 8.0 / seconds / 1e9
        );
        if self.filtered_out > 0 {
            let _ = writeln!(text, "{} frames did not match --filter and were left out", self.filtered_out);
        }
        if self.counters.http.transactions == 0 && self.packets.frames > 0 {
            let _ = writeln!(
                text,
                "no HTTP was found: is it encrypted, or cut short? `apitap doctor FILE` says what is there; mirror behind what ends TLS"
            );
        }
        let _ = writeln!(text, "{}", self.incidents());
        if let Some(until) = self.learned_until {
            let only = self.last_frame.is_some_and(|last| last < until);
            let _ = writeln!(
                text,
                "learned until {}{}: detectors that compare with a baseline were silent till then; give --baseline or \
                 --state, or a shorter --learn",
                crate::alert::human::second_of(until),
                if only { " (the whole capture)" } else { "" }
            );
        }
        if let Some(blindness) = blindness(self.counters.seen.forwarded, self.counters.http.transactions) {
            let _ = writeln!(text, "{blindness}");
        }
        if let Some((described, unused)) = self.described {
            let _ = writeln!(
                text,
                "{unused} of {described} documented operations were never asked for (`apitap inventory` lists them)"
            );
        }
        let named = self.named();
        let lost: Vec<String> = named
            .iter()
            .filter(|(name, value)| *value > 0 && LOSSES.contains(name))
            .map(|(name, value)| format!("{} {value}", name.replace('_', " ")))
            .collect();
        let _ = match lost.is_empty() {
            true => writeln!(text, "nothing dropped, cut or evicted"),
            false => writeln!(text, "dropped, cut or evicted: {}", lost.join(", ")),
        };
        if self.is_state_unchanged {
            let _ = writeln!(text, "the state was left as it was before this run");
        }
        if all_counters {
            for (name, value) in named {
                let _ = writeln!(text, "  {name:<28} {value}");
            }
        }
        text
    }

    fn incidents(&self) -> String {
        let before = match self.tally.carried_over {
            0 => String::new(),
            count => format!("; {count} of earlier runs, not heard of in this one"),
        };
        if self.tally.total() == 0 {
            return format!("no incidents{before}");
        }
        let by_detector: Vec<String> = self
            .tally
            .by_detector
            .iter()
            .map(|(detector, counts)| {
                let severities: Vec<String> =
                    counts.iter().rev().map(|(severity, count)| format!("{count} {severity}")).collect();
                format!("{detector} ({})", severities.join(", "))
            })
            .collect();
        let total = self.tally.total();
        format!("{total} incident{}: {}{before}", if total == 1 { "" } else { "s" }, by_detector.join(", "))
    }
}
