//! Clients that are programs: pollers with API keys, hooks, a buggy app, health checks, a crawler, a report, the
//! partner's batch, an office where everybody signs in at once.

use super::super::exchange::{Exchange, Framing, Host};
use super::super::people::{Person, uuid};
use super::super::random::{Rng, scatter};
use super::super::shop::login::{self, LoginStyle};
use super::super::shop::site::Files;
use super::super::shop::{account, api, dress, office, popular_product, site, slug};
use super::super::stage::{Actor, Caller, Stage};
use crate::time::Timestamp;
use std::rc::Rc;
use std::time::Duration;

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Task {
    /// A partner reads what is in stock, with an API key in a header.
    Inventory,
    /// A partner writes what is in stock.
    Stock,
    /// A price comparison reads the catalogue page by page, several requests ahead, key in the query.
    Catalogue,
    /// The payment provider's notices.
    Hooks,
    /// An app with a bug: each of its events is refused, day and night.
    BuggyApp,
    Health(Host),
    Crawler,
    /// The internal report, by Basic credentials.
    Report,
    /// Synthetic monitoring: an account of its own that tries each function of the API in turn.
    Monitor,
}

/// Shares of the machines' rate and how many of each there are.
const TASKS: [(Task, f64, u64); 5] = [
    (Task::Inventory, 0.30, 3),
    (Task::Stock, 0.18, 2),
    (Task::Catalogue, 0.20, 1),
    (Task::Hooks, 0.12, 2),
    (Task::BuggyApp, 0.07, 1),
];
/// The batch's share; it comes in bursts.
const BATCH_SHARE: f64 = 0.08;
const SLOWEST_HEALTH: Duration = Duration::from_secs(10);
const FASTEST_MONITOR: Duration = Duration::from_secs(8);
const REPORT_PERIOD: Duration = Duration::from_secs(300);
const CRAWL_DELAY: Duration = Duration::from_secs(3);

pub fn cast(stage: &mut Stage<'_>, rate: f64, files: &Rc<Files>) {
    let start = stage.world.start;
    let mut index = 0;
    let mut hire = |stage: &mut Stage<'_>, task: Task, period: Duration| {
        index += 1;
        let machine = Machine::new(stage, task, period, index, files);
        let mut rng = Rng::named(stage.world.seed, "hire", index);
        stage.start(
            start.saturating_add(rng.span(Duration::from_millis(10), period.min(stage.world.length() / 2))),
            Box::new(machine),
        );
    };
    for (task, share, count) in TASKS {
        for _ in 0..count {
            hire(stage, task, Duration::from_secs_f64(count as f64 / (rate * share).max(1e-6)));
        }
    }
    let health = SLOWEST_HEALTH.max(Duration::from_secs_f64(4.0 / (rate * 0.04).max(1e-6)));
    for host in Host::ALL {
        hire(stage, Task::Health(host), health);
    }
    hire(stage, Task::Crawler, CRAWL_DELAY.max(Duration::from_secs_f64(1.0 / (rate * 0.05).max(1e-6))));
    hire(stage, Task::Report, REPORT_PERIOD);
    hire(stage, Task::Monitor, FASTEST_MONITOR.max(Duration::from_secs_f64(1.0 / (rate * 0.08).max(1e-6))));
    let batch = Batch::new(stage, rate * BATCH_SHARE);
    let first = start.saturating_add(batch.first);
    stage.start(first, Box::new(batch));
    let office = OfficeMorning::new(stage, rate);
    let first = start.saturating_add(stage.world.length().mul_f64(0.04)).saturating_add(Duration::from_secs(40));
    stage.start(first, Box::new(office));
}

struct Machine {
    caller: Caller,
    task: Task,
    period: Duration,
    credential: String,
    files: Rc<Files>,
    count: u64,
    /// When it would act without jitter: a program keeps its pace.
    due: Option<Timestamp>,
}

impl Machine {
    fn new(stage: &Stage<'_>, task: Task, period: Duration, index: u64, files: &Rc<Files>) -> Machine {
        let world = &stage.world;
        let rng = Rng::named(world.seed, "machine", index);
        let key = format!("{:016x}{:016x}", scatter(world.seed, index), scatter(world.seed ^ 9, index));
        let (address, agent, credential) = match task {
            Task::Inventory => (world.machine(2, index), "python-requests/2.32.3", format!("X-API-Key: pk_{key}\r\n")),
            Task::Stock => (world.machine(2, index), "Go-http-client/1.1", format!("X-API-Key: pk_{key}\r\n")),
            Task::Catalogue => (world.machine(3, index), "PriceWatch/2.0", format!("ck_{}", &key[..24])),
            Task::Hooks => (world.machine(4, index), "PayHooks/1.4", String::new()),
            Task::BuggyApp => (world.machine(5, index), "ShopTV/1.0.3 (AndroidTV)", String::new()),
            Task::Health(_) => (world.inside(9, 1), "ELB-HealthChecker/2.0", String::new()),
            Task::Crawler => (
                world.machine(6, index),
                "Mozilla/5.0 (compatible; Seekbot/1.2; +http://seekbot.example/bot)",
                String::new(),
            ),
            Task::Monitor => {
                let token = MONITOR_ACCOUNT.token(world.start.seconds(), "customer");
                (world.machine(9, index), "SyntheticChecks/3.1", format!("Authorization: Bearer {token}\r\n"))
            }
            Task::Report => (
                world.inside(8, 3),
                "curl/8.5.0",
                "Authorization: Basic cmVwb3J0czpYYTkhcmVwb3J0LTIwMjU=\r\n".to_owned(),
            ),
        };
        let lines = format!("User-Agent: {agent}\r\nAccept: */*\r\n");
        let caller = Caller::new(address, lines, rng);
        let caller = if address_is_inside(task) { caller.inside() } else { caller };
        Machine { caller, task, period, credential, files: files.clone(), count: 0, due: None }
    }

    fn fill(&mut self, now: Timestamp, exchange: &mut Exchange) {
        let rng = &mut self.caller.rng;
        match self.task {
            Task::Inventory => office::partner_inventory(exchange, rng),
            Task::Stock => office::partner_stock(exchange, rng),
            Task::Catalogue => {
                api::products(exchange, self.count * 40 % super::super::shop::PRODUCTS, 40);
                exchange.target.push_str("&api_key=");
                exchange.target.push_str(&self.credential);
                return dress(exchange, rng);
            }
            Task::Hooks => office::payment_hook(exchange, rng),
            Task::BuggyApp => api::events(exchange, now.seconds(), true, rng),
            Task::Health(host) => office::health(exchange, host),
            Task::Crawler => match (self.count, rng.below(100)) {
                (0, _) => site::robots(exchange),
                (_, 0..4) => site::missing(exchange, &format!("/products/{}", slug(50_000 + popular_product(rng)))),
                (_, 4..8) => site::old_link(exchange, rng),
                (_, 8..30) => site::category(exchange, &self.files, rng),
                _ => site::product(exchange, &self.files, rng),
            },
            Task::Monitor => monitored(self.count, now, exchange, rng),
            Task::Report => {
                let (year, month, day, ..) = now.civil();
                office::report(exchange, (year, month, day), rng);
                exchange.framing = Framing::Close;
            }
        }
        exchange.headers.push_str(&self.credential);
        dress(exchange, rng);
    }
}

/// The synthetic monitor's account.
const MONITOR_ACCOUNT: Person = Person(600_001);

/// The functions the synthetic monitor tries, in turn.
fn monitored(turn: u64, now: Timestamp, exchange: &mut Exchange, rng: &mut Rng) {
    let person = MONITOR_ACCOUNT;
    let cart = uuid(0xca27, 0xaa);
    let (user, password) = (person.email(), person.password());
    match turn % 28 {
        0 => api::config(exchange, false),
        1 => login::login(exchange, LoginStyle::Refusal, person, &user, &password, true, now.seconds()),
        2 => login::login(exchange, LoginStyle::AlwaysOk, person, &user, &password, true, now.seconds()),
        3 => login::refresh_token(exchange, person, now.seconds()),
        4 => account::reset_password(exchange, &person.email()),
        5 => api::profile(exchange, person),
        6 => api::change_profile(exchange, person),
        7 => api::user(exchange, person),
        8 => api::orders(exchange, person, 0),
        9 => api::order(exchange, u64::from(person.order(0)), person),
        10 => api::place_order(exchange, person, &cart, turn),
        11 => api::products(exchange, 0, 20),
        12 => api::product(exchange, rng),
        13 => api::product_stock(exchange, rng),
        14 => api::search(exchange, rng, 1),
        15 => api::cart(exchange, &cart, 2),
        16 => api::add_to_cart(exchange, &cart, rng),
        17 => api::remove_from_cart(exchange, &cart, rng),
        18 => api::pay(exchange, person, 1_900_000, rng),
        19 => api::payment(exchange, person, rng),
        20 => api::reviews(exchange, rng),
        21 => api::notifications(exchange, now.seconds() - 600, rng),
        22 => api::upload(exchange, rng),
        23 => account::is_free(exchange, &user, false),
        24 => account::register(exchange, &user, &password, person.0, false),
        25 => account::old_reset(exchange, &user, true),
        26 => account::second_factor(exchange, person, &account::code(person, now.seconds()), true, now.seconds()),
        _ => api::logout(exchange),
    }
}

fn address_is_inside(task: Task) -> bool {
    matches!(task, Task::Health(_) | Task::Report)
}

impl Actor for Machine {
    fn step(&mut self, now: Timestamp, stage: &mut Stage<'_>) -> Option<Timestamp> {
        if now >= stage.world.end {
            stage.leave(&mut self.caller, now);
            return None;
        }
        let ahead = if self.task == Task::Catalogue { 3 } else { 1 };
        let end = if ahead == 1 {
            self.fill(now, &mut stage.exchange);
            stage.perform(&mut self.caller, now).end
        } else {
            let mut exchanges: Vec<Exchange> = Vec::with_capacity(ahead);
            for _ in 0..ahead {
                let mut exchange = Exchange::default();
                self.fill(now, &mut exchange);
                self.count += 1;
                exchanges.push(exchange);
            }
            stage.pipeline(&mut self.caller, now, &mut exchanges).end
        };
        self.count += 1;
        let period = self.period * ahead as u32;
        let due = self.due.unwrap_or(now).saturating_add(period);
        self.due = Some(due);
        let next = due.saturating_add(period.mul_f64(self.caller.rng.unit() * 0.05)).max(end);
        stage.rest(&mut self.caller, next);
        Some(next)
    }
}

/// The partner's batch: customers page by page, then orders by their ids in sequence. Nightly; in simulations of less
/// than two days several times, the first one early, so that whoever learns has seen it.
struct Batch {
    caller: Caller,
    first: Duration,
    period: Duration,
    pages: u64,
    orders: u64,
    done: u64,
    runs: u32,
    begun: Timestamp,
}

/// Records on a page.
const BATCH_PAGE: u64 = 100;

impl Batch {
    fn new(stage: &Stage<'_>, rate: f64) -> Batch {
        let world = &stage.world;
        let day = Duration::from_secs(86_400);
        let nightly = world.length() >= day * 2;
        let period = if nightly { day } else { (world.length() / 4).max(Duration::from_secs(240)) };
        let first = if nightly {
            let two_at_night = (world.start.seconds() + 22 * 3600).rem_euclid(86_400);
            Duration::from_secs((86_400 - two_at_night as u64) % 86_400)
        } else {
            let learning = world.attacks_from.since(world.start);
            if learning.is_zero() { period / 20 } else { (learning / 4).min(period) }
        };
        let requests = (rate * period.as_secs_f64()) as u64;
        let (pages, orders) = ((requests / 6).clamp(4, 60), (requests * 5 / 6).clamp(20, 4000));
        let lines = "User-Agent: okhttp/4.12.0\r\nAccept: application/json\r\nAccept-Encoding: gzip\r\n\
                     X-API-Key: pk_9f2c51d07a664b0e8c1d33a0b7e45f18\r\n";
        let caller = Caller::new(world.machine(7, 0), lines.to_owned(), Rng::named(world.seed, "batch", 0));
        Batch { caller, first, period, pages, orders, done: 0, runs: 0, begun: world.start.saturating_add(first) }
    }
}

impl Actor for Batch {
    fn step(&mut self, now: Timestamp, stage: &mut Stage<'_>) -> Option<Timestamp> {
        if now >= stage.world.end {
            stage.leave(&mut self.caller, now);
            return None;
        }
        if self.done < self.pages {
            office::partner_customers(&mut stage.exchange, self.done * BATCH_PAGE, BATCH_PAGE);
        } else {
            let nth = self.done - self.pages + u64::from(self.runs) * self.orders;
            office::partner_order(&mut stage.exchange, 1_000_000 + nth);
        }
        self.done += 1;
        let pause = self.caller.rng.millis(20, 80);
        let (_, next) = super::act(stage, &mut self.caller, now, pause);
        if self.done < self.pages + self.orders {
            return Some(next);
        }
        stage.leave(&mut self.caller, next);
        self.done = 0;
        self.runs += 1;
        self.begun = self.begun.saturating_add(self.period);
        Some(self.begun.max(next))
    }
}

/// A call centre begins its day: dozens sign in within minutes from one address, and some mistype.
struct OfficeMorning {
    rng: Rng,
    people: u32,
    signed_in: u32,
    wrong_before: u32,
    period: Duration,
    begun: Timestamp,
}

impl OfficeMorning {
    fn new(stage: &Stage<'_>, rate: f64) -> OfficeMorning {
        let world = &stage.world;
        let rng = Rng::named(world.seed, "morning", 0);
        let period = (world.length() / 3).clamp(Duration::from_secs(400), Duration::from_secs(86_400));
        let people = ((rate * period.as_secs_f64() * 0.02) as u32).clamp(3, 45);
        OfficeMorning { rng, people, signed_in: 0, wrong_before: 0, period, begun: world.start }
    }
}

impl Actor for OfficeMorning {
    fn step(&mut self, now: Timestamp, stage: &mut Stage<'_>) -> Option<Timestamp> {
        if now >= stage.world.end {
            return None;
        }
        if self.signed_in == 0 && self.wrong_before == 0 {
            self.begun = now;
        }
        let person = Person(700_000 + self.signed_in);
        let right = self.wrong_before >= 2 || !self.rng.chance(0.12);
        let lines = format!(
            "User-Agent: ShopApp/5.2.1 (Android 14; Tab{})\r\nAccept: application/json\r\n",
            self.signed_in % 7
        );
        let mut caller = Caller::new(stage.world.machine(8, 0), lines, Rng::new(self.rng.next_u64()));
        let (user, password) = (person.email(), person.password());
        let typed = if right { password } else { super::mistyped(person, self.wrong_before) };
        login::login(&mut stage.exchange, LoginStyle::Refusal, person, &user, &typed, right, now.seconds());
        let mut end = stage.perform(&mut caller, now).end;
        if right {
            api::profile(&mut stage.exchange, person);
            super::bearer(&mut stage.exchange, &person.token(now.seconds(), "customer"));
            end = stage.perform(&mut caller, end.saturating_add(Duration::from_millis(150))).end;
        }
        stage.leave(&mut caller, end);
        (self.signed_in, self.wrong_before) =
            if right { (self.signed_in + 1, 0) } else { (self.signed_in, self.wrong_before + 1) };
        if self.signed_in < self.people {
            return Some(end.saturating_add(self.rng.millis(1500, 9000)));
        }
        self.signed_in = 0;
        Some(self.begun.saturating_add(self.period).max(end))
    }
}
