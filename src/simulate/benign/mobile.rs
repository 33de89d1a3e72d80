//! A person with the app: config, sign-in or a refreshed token, a walk through the shop, perhaps an order.

use super::super::exchange::Exchange;
use super::super::people::{Person, uuid};
use super::super::random::Rng;
use super::super::shop::login::{self, LoginStyle};
use super::super::shop::{account, api};
use super::super::stage::{Actor, Caller, Stage};
use super::deploy::NEW_VERSION;
use super::{Release, act, bearer, forgotten, mistyped, think};
use crate::time::Timestamp;
use std::time::Duration;

/// Part of the apps that are still the old one, with the old login.
const OLD_APP_SHARE: f64 = 0.12;
/// Sessions that begin with a password; the others still have a refresh token.
const PASSWORD_SHARE: f64 = 0.3;

/// Codes that are mistyped.
const MISTYPED_CODE: f64 = 0.1;

/// Requests that meet no network, and tokens that have just expired.
const NO_NETWORK: f64 = 0.006;
const EXPIRED: f64 = 0.008;

enum Phase {
    Config,
    SignIn { attempt: u32, failures: u32, resets: bool },
    SecondFactor { mistyped: bool },
    Refresh,
    Browse { left: u32 },
    CheckOut { step: u32 },
    SignOut,
}

pub struct Mobile {
    caller: Caller,
    person: Person,
    style: LoginStyle,
    token: String,
    cart: String,
    phase: Phase,
    release: Release,
    page: u64,
    /// A request that got no answer, to be sent again.
    unanswered: Option<Box<Exchange>>,
    is_new_version: bool,
}

impl Mobile {
    pub fn new(stage: &Stage<'_>, who: u64, now: Timestamp, release: &Release, mut rng: Rng) -> Mobile {
        let old = super::super::random::scatter(0x01d, who) % 100 < (OLD_APP_SHARE * 100.0) as u64;
        let version = if old { "4.9.2" } else { release.app_version(now, who) };
        let phone =
            *rng.pick(&["iOS 18.1; iPhone15,2", "iOS 17.6; iPhone13,1", "Android 15; Pixel 8", "Android 14; SM-S918B"]);
        let lines = format!(
            "User-Agent: ShopApp/{version} ({phone})\r\nAccept: application/json\r\nAccept-Encoding: gzip, deflate\r\n\
             X-App-Version: {version}\r\n"
        );
        let cart = uuid(0xca27, who + (now.seconds() as u64 / 7200) * 1_000_003);
        Mobile {
            person: Person(who as u32),
            style: if old { LoginStyle::AlwaysOk } else { LoginStyle::Refusal },
            token: String::new(),
            cart,
            phase: Phase::Config,
            release: release.clone(),
            page: 0,
            unanswered: None,
            is_new_version: version == NEW_VERSION,
            caller: Caller::new(stage.world.home(who), lines, rng),
        }
    }

    /// One call of the walk, with credentials.
    fn browse(&mut self, now: Timestamp, stage: &mut Stage<'_>) {
        let (exchange, rng, person) = (&mut stage.exchange, &mut self.caller.rng, self.person);
        match rng.weighted(&[14, 8, 4, 14, 16, 3, 9, 8, 9, 2, 5, 6, 1, 4, 2, 1]) {
            0 => {
                api::products(exchange, self.page * 20, 20);
                self.page += 1;
            }
            1 => api::profile(exchange, person),
            2 => api::orders(exchange, person, if rng.chance(0.3) { 5 } else { 0 }),
            3 => api::search(exchange, rng, 1),
            4 => api::product(exchange, rng),
            5 => {
                let nth = rng.below(u64::from(person.order_count())) as u32;
                api::order(exchange, u64::from(person.order(nth)), person);
            }
            6 => api::events(exchange, now.seconds(), false, rng),
            7 => api::reviews(exchange, rng),
            8 => api::add_to_cart(exchange, &self.cart, rng),
            9 => api::remove_from_cart(exchange, &self.cart, rng),
            10 => api::cart(exchange, &self.cart, rng.between(0, 5)),
            11 => api::notifications(exchange, now.seconds() - 600, rng),
            12 => api::upload(exchange, rng),
            13 => match self.release.live_endpoint(now, rng) {
                Some(which) => api::new_endpoint(exchange, which, rng),
                None => api::product_stock(exchange, rng),
            },
            14 => api::user(exchange, Person(rng.below(400_000) as u32)),
            _ => api::change_profile(exchange, person),
        }
        bearer(exchange, &self.token);
    }

    fn check_out(&mut self, step: u32, stage: &mut Stage<'_>) {
        let (exchange, rng) = (&mut stage.exchange, &mut self.caller.rng);
        match step {
            0 => api::cart(exchange, &self.cart, 3),
            1 => api::place_order(exchange, self.person, &self.cart, rng.next_u64() >> 20),
            2 => api::pay(exchange, self.person, 1_900_000 + rng.below(90_000), rng),
            _ => api::payment(exchange, self.person, rng),
        }
        bearer(exchange, &self.token);
    }
}

impl Actor for Mobile {
    fn step(&mut self, now: Timestamp, stage: &mut Stage<'_>) -> Option<Timestamp> {
        if now >= stage.world.end {
            stage.leave(&mut self.caller, now);
            return None;
        }
        let mut pause = think(&mut self.caller.rng);
        if let Some(again) = self.unanswered.take() {
            stage.exchange = *again;
            return Some(act(stage, &mut self.caller, now, pause).1);
        }
        match self.phase {
            Phase::Config => {
                api::config(&mut stage.exchange, self.caller.rng.chance(0.7));
                if self.is_new_version {
                    stage.exchange.target.push_str("?schema=4");
                    stage.counted_by = Some(self.release.rollout_record);
                }
                pause = self.caller.rng.millis(20, 200);
                self.phase = if self.caller.rng.chance(PASSWORD_SHARE) {
                    let (failures, resets) = forgotten(&mut self.caller.rng);
                    pause = self.caller.rng.millis(4000, 15_000);
                    Phase::SignIn { attempt: 0, failures, resets }
                } else {
                    Phase::Refresh
                };
            }
            Phase::SignIn { attempt, failures, resets } if attempt < failures => {
                let typed = mistyped(self.person, attempt);
                let user = self.person.email();
                login::login(&mut stage.exchange, self.style, self.person, &user, &typed, false, now.seconds());
                pause = self.caller.rng.millis(3000, 12_000);
                self.phase = Phase::SignIn { attempt: attempt + 1, failures, resets };
            }
            Phase::SignIn { attempt, failures, resets: true } => {
                match self.style {
                    LoginStyle::AlwaysOk => account::old_reset(&mut stage.exchange, &self.person.email(), true),
                    _ => account::reset_password(&mut stage.exchange, &self.person.email()),
                }
                pause = self.caller.rng.millis(40_000, 120_000);
                self.phase = Phase::SignIn { attempt, failures, resets: false };
            }
            Phase::SignIn { .. } => {
                let (user, password) = (self.person.email(), self.person.password());
                login::login(&mut stage.exchange, self.style, self.person, &user, &password, true, now.seconds());
                self.token = self.person.token(now.seconds(), "customer");
                self.phase = if self.style == LoginStyle::Refusal && account::has_second_factor(self.person) {
                    pause = self.caller.rng.millis(4000, 20_000);
                    Phase::SecondFactor { mistyped: self.caller.rng.chance(MISTYPED_CODE) }
                } else {
                    Phase::Browse { left: self.caller.rng.exponential(12.0) as u32 + 2 }
                };
            }
            Phase::SecondFactor { mistyped } => {
                let code = account::code(self.person, now.seconds() + if mistyped { 86_400 } else { 0 });
                account::second_factor(&mut stage.exchange, self.person, &code, !mistyped, now.seconds());
                self.phase = if mistyped {
                    pause = self.caller.rng.millis(3000, 15_000);
                    Phase::SecondFactor { mistyped: self.caller.rng.chance(MISTYPED_CODE) }
                } else {
                    Phase::Browse { left: self.caller.rng.exponential(12.0) as u32 + 2 }
                };
            }
            Phase::Refresh => {
                login::refresh_token(&mut stage.exchange, self.person, now.seconds());
                self.token = self.person.token(now.seconds(), "customer");
                pause = self.caller.rng.millis(20, 200);
                self.phase = Phase::Browse { left: self.caller.rng.exponential(12.0) as u32 + 2 };
            }
            Phase::Browse { left } => {
                self.browse(now, stage);
                if self.caller.rng.chance(NO_NETWORK) {
                    return Some(self.retry(now, stage));
                }
                if self.caller.rng.chance(EXPIRED) {
                    api::unauthorized(&mut stage.exchange);
                    self.phase = Phase::Refresh;
                    pause = self.caller.rng.millis(5, 50);
                    return Some(act(stage, &mut self.caller, now, pause).1);
                }
                self.phase = match left {
                    0 if self.caller.rng.chance(0.12) => Phase::CheckOut { step: 0 },
                    0 => Phase::SignOut,
                    _ => Phase::Browse { left: left - 1 },
                };
            }
            Phase::CheckOut { step } => {
                self.check_out(step, stage);
                self.phase = if step < 3 { Phase::CheckOut { step: step + 1 } } else { Phase::SignOut };
            }
            Phase::SignOut => {
                let mut end = now;
                if self.caller.rng.chance(0.15) {
                    api::logout(&mut stage.exchange);
                    bearer(&mut stage.exchange, &self.token);
                    end = stage.perform(&mut self.caller, now).end;
                }
                stage.leave(&mut self.caller, end);
                return None;
            }
        }
        let (status, next) = act(stage, &mut self.caller, now, pause);
        // A server error is tried again soon, by the same walk.
        Some(if status >= 500 { next.max(now.saturating_add(Duration::from_secs(2))) } else { next })
    }
}

impl Mobile {
    /// The network is gone: the request in the form stays unanswered; after some seconds it is sent again.
    fn retry(&mut self, now: Timestamp, stage: &mut Stage<'_>) -> Timestamp {
        let patience = self.caller.rng.millis(3000, 10_000);
        let given_up = stage.give_up(&mut self.caller, now, patience);
        self.unanswered = Some(Box::new(stage.exchange.clone()));
        given_up.saturating_add(Duration::from_millis(300))
    }
}
