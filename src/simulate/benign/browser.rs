//! A person with a browser on the web site: pages with their files, a session cookie, scripts that call the API; at
//! home, behind a carrier's NAT, or in an office whose proxy speaks for all.

use super::super::exchange::Host;
use super::super::people::Person;
use super::super::random::Rng;
use super::super::shop::CUSTOMERS;
use super::super::shop::login::{self, LoginStyle};
use super::super::shop::site::Files;
use super::super::shop::{account, api, site};
use super::super::stage::{Actor, Caller, Stage};
use super::{Release, act, forgotten, mistyped, think};
use crate::time::Timestamp;
use std::rc::Rc;
use std::time::Duration;

/// Sessions that come through an office's proxy, and how many people work there.
const OFFICE_SHARE: f64 = 0.12;
const OFFICES: u64 = 3;
/// Share of those who come to the login page to make an account; and of these, who have one.
const NEWCOMERS: f64 = 0.12;
const FORGETFUL: f64 = 0.15;
/// Pages whose tab is closed before they are there.
const CLOSED_TAB: f64 = 0.003;

enum Phase {
    Landing,
    Files {
        next: usize,
        until: usize,
    },
    Page {
        left: u32,
    },
    Script {
        preflight: bool,
        left: u32,
    },
    LoginPage {
        left: u32,
    },
    /// Who has no account makes one: the form asks whether the address is free.
    SignUp {
        asked: bool,
        left: u32,
    },
    SignIn {
        attempt: u32,
        failures: u32,
        resets: bool,
        left: u32,
    },
    /// The redirect after a wrong password leads here.
    Bounced {
        attempt: u32,
        failures: u32,
        resets: bool,
        left: u32,
    },
    Account {
        left: u32,
    },
}

pub struct Browser {
    caller: Caller,
    person: Person,
    cookie: Option<String>,
    consent: String,
    release: Release,
    phase: Phase,
    knows_files: bool,
    files: Rc<Files>,
}

impl Browser {
    pub fn new(stage: &Stage<'_>, who: u64, release: &Release, files: &Rc<Files>, mut rng: Rng) -> Browser {
        let agent = *rng.pick(&[
            "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/131.0.0.0 Safari/537.36",
            "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/18.1 Safari/605.1.15",
            "Mozilla/5.0 (X11; Linux x86_64; rv:132.0) Gecko/20100101 Firefox/132.0",
            "Mozilla/5.0 (Linux; Android 14; SM-A546B) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/130.0.0.0 Mobile Safari/537.36",
        ]);
        let mut lines = format!(
            "User-Agent: {agent}\r\nAccept: text/html,application/xhtml+xml,*/*;q=0.8\r\nAccept-Language: en-AU,en;q=0.7\r\n\
             Accept-Encoding: gzip, deflate\r\n"
        );
        let address = if rng.chance(OFFICE_SHARE) {
            let office = who % OFFICES;
            lines.push_str(&format!(
                "Via: 1.1 proxy{office}.office.example\r\nX-Forwarded-For: 192.168.{office}.{}\r\n",
                who % 200 + 10
            ));
            stage.world.machine(1, office)
        } else {
            stage.world.home(who)
        };
        Browser {
            person: Person(who as u32),
            cookie: None,
            consent: format!("cc=1; vid={:012x}", super::super::random::scatter(0xc0, who) >> 16),
            release: release.clone(),
            phase: Phase::Landing,
            knows_files: rng.chance(0.6),
            files: files.clone(),
            caller: Caller::new(address, lines, rng),
        }
    }

    /// Who makes an account; or the customer of that address, where it is taken.
    fn newcomer(&self, free: bool) -> Person {
        if free { Person(self.person.0 + CUSTOMERS as u32) } else { self.person }
    }

    fn left(&mut self) -> u32 {
        self.caller.rng.exponential(11.0) as u32 + 1
    }

    fn cookies(&self, stage: &mut Stage<'_>) {
        match &self.cookie {
            Some(session) => stage.exchange.header("Cookie", format_args!("{}; sid={session}", self.consent)),
            None => stage.exchange.header("Cookie", &self.consent),
        }
    }

    fn page(&mut self, stage: &mut Stage<'_>) {
        let (exchange, rng) = (&mut stage.exchange, &mut self.caller.rng);
        match rng.weighted(&[4, 40, 26, 2, 2, 6]) {
            0 => site::home(exchange, &self.files, rng),
            1 => site::product(exchange, &self.files, rng),
            2 => site::category(exchange, &self.files, rng),
            3 => site::mistyped(exchange, rng),
            4 => site::old_link(exchange, rng),
            _ => site::account(exchange, self.cookie.as_ref().map(|_| self.person), rng),
        }
    }

    /// What the pages' scripts call on the API's host.
    fn script(&mut self, now: Timestamp, stage: &mut Stage<'_>) {
        let (exchange, rng) = (&mut stage.exchange, &mut self.caller.rng);
        match rng.weighted(&[30, 20, 20, 10, 6]) {
            0 => api::reviews(exchange, rng),
            1 => api::search(exchange, rng, 1),
            2 => api::product_stock(exchange, rng),
            3 => api::events(exchange, now.seconds(), false, rng),
            _ => match self.release.live_endpoint(now, rng) {
                Some(which) => api::new_endpoint(exchange, which, rng),
                None => api::config(exchange, false),
            },
        }
        exchange.header("Origin", "http://shop.example");
        exchange.header("Referer", "http://shop.example/");
        exchange.reply_header("Access-Control-Allow-Origin", "http://shop.example");
    }

    /// Where the walk goes after a page.
    fn after_page(&mut self, left: u32) -> Phase {
        let rng = &mut self.caller.rng;
        match rng.below(100) {
            0..30 => Phase::Script { preflight: rng.chance(0.25), left },
            30..33 if self.cookie.is_none() => Phase::LoginPage { left },
            _ => Phase::Page { left },
        }
    }
}

impl Actor for Browser {
    fn step(&mut self, now: Timestamp, stage: &mut Stage<'_>) -> Option<Timestamp> {
        if now >= stage.world.end {
            stage.leave(&mut self.caller, now);
            return None;
        }
        let mut pause = think(&mut self.caller.rng);
        match self.phase {
            Phase::Landing => {
                site::home(&mut stage.exchange, &self.files, &mut self.caller.rng);
                pause = self.caller.rng.millis(5, 60);
                self.phase =
                    Phase::Files { next: 0, until: self.caller.rng.between(3, site::FILE_COUNT as u64 + 1) as usize };
            }
            Phase::Files { next, until } => {
                if next >= site::FILE_COUNT {
                    site::favicon(&mut stage.exchange);
                } else {
                    site::file(&mut stage.exchange, &self.files, next, self.knows_files);
                }
                let more = next + 1 < until;
                pause = if more { self.caller.rng.millis(1, 30) } else { pause };
                self.phase = if more {
                    Phase::Files { next: next + 1, until }
                } else if self.caller.rng.chance(0.3) {
                    Phase::LoginPage { left: self.left() }
                } else {
                    Phase::Page { left: self.left() }
                };
            }
            Phase::Page { left: 0 } => {
                stage.leave(&mut self.caller, now);
                return None;
            }
            Phase::Page { left } => {
                self.page(stage);
                self.phase = self.after_page(left - 1);
                if matches!(self.phase, Phase::Script { .. }) {
                    pause = self.caller.rng.millis(50, 400);
                }
            }
            Phase::Script { preflight: true, left } => {
                api::preflight(&mut stage.exchange, "/v1/search", "/v1/search");
                pause = self.caller.rng.millis(1, 10);
                self.phase = Phase::Script { preflight: false, left };
            }
            Phase::Script { preflight: false, left } => {
                self.script(now, stage);
                self.phase = Phase::Page { left };
            }
            Phase::LoginPage { left } => {
                site::login_page(&mut stage.exchange, &self.files, &mut self.caller.rng);
                if self.caller.rng.chance(NEWCOMERS) {
                    self.phase = Phase::SignUp { asked: false, left };
                    let pause = self.caller.rng.millis(8000, 40_000);
                    self.cookies(stage);
                    return Some(act(stage, &mut self.caller, now, pause).1);
                }
                let (failures, resets) = forgotten(&mut self.caller.rng);
                pause = self.caller.rng.millis(5000, 20_000);
                self.phase = Phase::SignIn { attempt: 0, failures, resets, left };
            }
            Phase::SignUp { asked: false, left } => {
                // Some have forgotten that they have one.
                let free = !self.caller.rng.chance(FORGETFUL);
                account::is_free(&mut stage.exchange, &self.newcomer(free).email(), free);
                pause = self.caller.rng.millis(4000, 30_000);
                self.phase = Phase::SignUp { asked: free, left };
            }
            Phase::SignUp { asked: true, left } => {
                let newcomer = self.newcomer(true);
                let (email, password) = (newcomer.email(), newcomer.password());
                account::register(&mut stage.exchange, &email, &password, newcomer.0, true);
                self.phase = Phase::Page { left };
            }
            Phase::SignIn { attempt, failures, resets: true, left } if attempt >= failures => {
                account::reset_password(&mut stage.exchange, &self.person.email());
                pause = self.caller.rng.millis(40_000, 120_000);
                self.phase = Phase::SignIn { attempt, failures, resets: false, left };
            }
            Phase::SignIn { attempt, failures, resets, left } => {
                let right = attempt >= failures;
                let typed = if right { self.person.password() } else { mistyped(self.person, attempt) };
                let user = self.person.email();
                login::login(
                    &mut stage.exchange,
                    LoginStyle::Redirect,
                    self.person,
                    &user,
                    &typed,
                    right,
                    now.seconds(),
                );
                self.cookies(stage);
                pause = self.caller.rng.millis(2, 30);
                if right {
                    self.cookie = Some(self.person.session(now.seconds()));
                    self.phase = Phase::Account { left };
                } else {
                    self.phase = Phase::Bounced { attempt: attempt + 1, failures, resets, left };
                }
                let (_, next) = act(stage, &mut self.caller, now, pause);
                return Some(next);
            }
            Phase::Bounced { attempt, failures, resets, left } => {
                site::login_page(&mut stage.exchange, &self.files, &mut self.caller.rng);
                pause = self.caller.rng.millis(3000, 15_000);
                self.phase = Phase::SignIn { attempt, failures, resets, left };
            }
            Phase::Account { left } => {
                site::account(&mut stage.exchange, self.cookie.as_ref().map(|_| self.person), &mut self.caller.rng);
                self.phase = Phase::Page { left };
            }
        }
        if stage.exchange.host == Host::Site {
            self.cookies(stage);
        }
        if self.caller.rng.chance(CLOSED_TAB) {
            // Before the answer came, or in its middle.
            let patience = Duration::from_millis(self.caller.rng.between(200, 3000));
            let left = if self.caller.rng.chance(0.5) && stage.exchange.reply.len() > 600 {
                stage.break_off(&mut self.caller, now)
            } else {
                stage.give_up(&mut self.caller, now, patience)
            };
            return Some(left.saturating_add(pause));
        }
        let (_, next) = act(stage, &mut self.caller, now, pause);
        Some(next)
    }
}
