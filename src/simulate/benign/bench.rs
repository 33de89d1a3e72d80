//! Steady traffic for benchmarks: answers rendered (and compressed) once, then sent again and again.
//!
//! Each client keeps a connection for about twelve requests. `Mixed` has JSON answers of 0.2 to 20 kB, log-uniform,
//! 30 % of them gzip, 25 % chunked; `Small` about 200 bytes; `Bulk` 1 to 10 MB. A credential on every request, a
//! sign-in at the start of some connections, 3 % answers that are 404 or 422.

use super::super::Profile;
use super::super::exchange::{Coding, Encoder, Framing, Host};
use super::super::people::Person;
use super::super::random::Rng;
use super::super::shop::login::{self, LoginStyle};
use super::super::shop::{api, write_product};
use super::super::stage::{Actor, Caller, Stage};
use crate::time::Timestamp;
use std::sync::Arc;
use std::time::Duration;

/// Requests on one connection, on the mean.
const REQUESTS_PER_CONNECTION: f64 = 12.0;
/// Different answers rendered; large ones fewer.
const VARIANTS: usize = 512;
const BULK_VARIANTS: usize = 6;

/// One rendered answer.
struct Variant {
    body: Vec<u8>,
    coding: Coding,
    framing: Framing,
}

const TEMPLATES: [(&str, &str, u64); 8] = [
    ("/v1/items/{id}", "/v1/items/", 50_000),
    ("/v1/orders/{id}", "/v1/orders/", 900_000),
    ("/v1/catalogue/{id}", "/v1/catalogue/", 1200),
    ("/v1/customers/{id}/cart", "/v1/customers/", 0),
    ("/v1/stock/{id}", "/v1/stock/", 9000),
    ("/v1/prices/{id}", "/v1/prices/", 9000),
    ("/v1/feeds/{id}", "/v1/feeds/", 300),
    ("/v1/profile", "/v1/profile", 0),
];

fn variants(profile: Profile, seed: u64) -> Vec<Variant> {
    let mut rng = Rng::named(seed, "variants", 0);
    let mut encoder = Encoder::default();
    let count = if profile == Profile::Bulk { BULK_VARIANTS } else { VARIANTS };
    (0..count)
        .map(|nth| {
            let bytes = match profile {
                Profile::Small => rng.between(60, 120) as usize,
                Profile::Bulk => rng.log_uniform(1e6, 1e7) as usize,
                Profile::Mixed | Profile::Day => rng.log_uniform(200.0, 20_000.0) as usize,
            };
            let plain = json_of(bytes, nth as u64);
            let gzip = profile != Profile::Small && rng.chance(0.30);
            let coding = if gzip { Coding::Gzip } else { Coding::Identity };
            let framing =
                if profile != Profile::Small && rng.chance(0.25) { Framing::Chunked } else { Framing::Length };
            let mut body = Vec::new();
            encoder.encode(coding, &plain, &mut body);
            Variant { body, coding, framing }
        })
        .collect()
}

/// JSON of about so many bytes: a short object, or a list of products.
fn json_of(bytes: usize, nth: u64) -> Vec<u8> {
    if bytes < 200 {
        return format!(
            r#"{{"id":{},"state":"ok","version":{},"note":"{}"}}"#,
            nth * 37,
            nth % 9,
            "x".repeat(bytes / 2)
        )
        .into_bytes();
    }
    let mut out = br#"{"items":["#.to_vec();
    let mut product = nth * 1000;
    while out.len() + 190 < bytes || product == nth * 1000 {
        if product != nth * 1000 {
            out.push(b',');
        }
        write_product(&mut out, product);
        product += 1;
    }
    out.extend_from_slice(b"]}");
    out
}

pub fn cast(stage: &mut Stage<'_>, profile: Profile) {
    let variants: Arc<[Variant]> = variants(profile, stage.world.seed).into();
    let clients = stage.world.clients.max(1);
    let period = Duration::from_secs_f64(f64::from(clients) / stage.world.rate.max(1e-6));
    for who in 0..clients {
        let mut rng = Rng::named(stage.world.seed, "bench", u64::from(who));
        let first = stage.world.start.saturating_add(period.mul_f64(rng.unit()));
        let person = Person(who);
        let token = person.token(stage.world.start.seconds(), "customer");
        let lines = format!(
            "User-Agent: ShopApp/5.2.1 (iOS 18.1)\r\nAccept: application/json\r\nAuthorization: Bearer {token}\r\n"
        );
        let small =
            format!("User-Agent: c/1\r\nX-API-Key: {:016x}\r\n", super::super::random::scatter(3, u64::from(who)));
        let lines = if profile == Profile::Small { small } else { lines };
        let client = Client {
            caller: Caller::new(stage.world.home(u64::from(who)), lines, rng),
            person,
            variants: variants.clone(),
            period,
            small: profile == Profile::Small,
            fresh: true,
        };
        stage.start(first, Box::new(client));
    }
}

struct Client {
    caller: Caller,
    person: Person,
    variants: Arc<[Variant]>,
    period: Duration,
    small: bool,
    /// Nothing was sent on this connection yet.
    fresh: bool,
}

impl Client {
    fn fill(&mut self, now: Timestamp, stage: &mut Stage<'_>) {
        let (exchange, rng) = (&mut stage.exchange, &mut self.caller.rng);
        if self.fresh && !self.small && rng.chance(0.2) {
            let (user, wrong) = (self.person.email(), rng.chance(0.03));
            let password = if wrong { super::mistyped(self.person, 0) } else { self.person.password() };
            return login::login(exchange, LoginStyle::Refusal, self.person, &user, &password, !wrong, now.seconds());
        }
        let (template, path, ids) = *rng.pick(&TEMPLATES);
        match ids {
            0 if template == "/v1/profile" && !self.small => return api::profile(exchange, self.person),
            0 if template == "/v1/profile" => exchange.ask("GET", Host::Api, template, format_args!("{path}")),
            0 => exchange.ask("GET", Host::Api, template, format_args!("{path}{}/cart", self.person.0)),
            _ => exchange.ask("GET", Host::Api, template, format_args!("{path}{}", rng.below(ids))),
        }
        if rng.chance(0.03) {
            let status = if rng.chance(0.7) { 404 } else { 422 };
            return exchange.json(status, format_args!(r#"{{"error":"no"}}"#));
        }
        let variant = rng.pick(&self.variants);
        exchange.reply_type = "application/json";
        exchange.reply.extend_from_slice(&variant.body);
        exchange.reply_coded = true;
        exchange.coding = variant.coding;
        exchange.framing = variant.framing;
    }
}

impl Actor for Client {
    fn step(&mut self, now: Timestamp, stage: &mut Stage<'_>) -> Option<Timestamp> {
        if now >= stage.world.end {
            stage.leave(&mut self.caller, now);
            return None;
        }
        self.fill(now, stage);
        let end = stage.perform(&mut self.caller, now).end;
        self.fresh = self.caller.rng.chance(1.0 / REQUESTS_PER_CONNECTION);
        let next = now.saturating_add(self.period.mul_f64(0.5 + self.caller.rng.unit())).max(end);
        if self.fresh {
            stage.leave(&mut self.caller, end);
        } else {
            stage.rest(&mut self.caller, next);
        }
        Some(next)
    }
}
