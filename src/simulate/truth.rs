//! The truth file: a line of JSON for each attack and each benign change, and one for each transaction where wanted.

use super::scenario::{Level, Scenario};
use crate::time::Timestamp;
use serde_json::json;
use std::collections::BTreeSet;
use std::net::{IpAddr, SocketAddr};

/// What a stretch of traffic is.
#[derive(Clone, Copy, PartialEq, Debug)]
pub enum Matter {
    Attack(Scenario, Level),
    /// A lawful change: its name, the detectors that may speak of it, and their highest severity.
    Benign {
        name: &'static str,
        may: &'static [&'static str],
        max_severity: &'static str,
    },
}

/// What became of it.
#[derive(Clone, Debug)]
pub struct Record {
    pub matter: Matter,
    /// First and last request; none yet where there was no traffic.
    span: Option<(Timestamp, Timestamp)>,
    clients: BTreeSet<IpAddr>,
    endpoints: BTreeSet<String>,
    transactions: u64,
}

impl Record {
    pub fn new(matter: Matter) -> Record {
        Record { matter, span: None, clients: BTreeSet::new(), endpoints: BTreeSet::new(), transactions: 0 }
    }

    pub fn lasting(matter: Matter, from: Timestamp, until: Timestamp) -> Record {
        Record { span: Some((from, until)), ..Record::new(matter) }
    }

    pub fn note(&mut self, at: Timestamp, client: IpAddr, endpoint: String) {
        let (first, last) = self.span.unwrap_or((at, at));
        self.span = Some((first.min(at), last.max(at)));
        if self.is_attack() {
            self.clients.insert(client);
        }
        self.endpoints.insert(endpoint);
        self.transactions += 1;
    }

    pub fn is_attack(&self) -> bool {
        matches!(self.matter, Matter::Attack(..))
    }

    pub fn start(&self) -> Option<Timestamp> {
        self.span.map(|(first, _)| first)
    }

    /// The line for the truth file; none where nothing happened.
    pub fn line(&self) -> Option<String> {
        let (start, end) = self.span?;
        let (start, end) = (start.to_string(), end.to_string());
        let line = match self.matter {
            Matter::Attack(scenario, level) => json!({
                "attack": scenario.info().name,
                "level": level.name(),
                "start": start,
                "end": end,
                "clients": self.clients,
                "endpoints": self.endpoints,
                "detectors": scenario.info().detectors,
                "may": scenario.info().may,
                "transactions": self.transactions,
            }),
            Matter::Benign { name, may, max_severity } => json!({
                "benign": name,
                "start": start,
                "end": end,
                "endpoints": self.endpoints,
                "may": may,
                "max_severity": max_severity,
                "transactions": self.transactions,
            }),
        };
        Some(line.to_string())
    }
}

/// One line of the transaction log.
pub struct Logged<'a> {
    pub at: Timestamp,
    pub client: SocketAddr,
    pub server: SocketAddr,
    pub method: &'a str,
    pub host: &'a str,
    pub url: &'a str,
    /// None where the client gave up before the answer.
    pub status: Option<u16>,
    /// False where the client left before the end of the answer.
    pub complete: bool,
    pub label: &'a str,
}

impl Logged<'_> {
    pub fn append(&self, out: &mut Vec<u8>) {
        let line = json!({
            "t": self.at.to_string(),
            "client": self.client.ip(),
            "client_port": self.client.port(),
            "server": self.server.ip(),
            "server_port": self.server.port(),
            "method": self.method,
            "host": self.host,
            "url": self.url,
            "status": self.status,
            "complete": self.complete,
            "label": self.label,
        });
        out.extend_from_slice(line.to_string().as_bytes());
        out.push(b'\n');
    }
}
