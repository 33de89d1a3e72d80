//! `api.shop.example`: what the apps and the site's scripts call.

use super::super::exchange::{Exchange, Host};
use super::super::people::{Person, uuid};
use super::super::random::Rng;
use super::{popular_product, price, product_name, slug, takes, write_list, write_product};
use std::io::Write as _;

const HOST: Host = Host::Api;

/// Settings of the app; mostly the client has them already.
pub fn config(exchange: &mut Exchange, known: bool) {
    exchange.ask("GET", HOST, "/v1/config", format_args!("/v1/config"));
    exchange.reply_header("ETag", r#""c-2025-11-20-3""#);
    if known {
        exchange.header("If-None-Match", r#""c-2025-11-20-3""#);
        exchange.empty(304);
    } else {
        exchange.json(
            200,
            format_args!(r#"{{"currency":"AUD","features":{{"reviews":true,"express":false}},"min_version":"4.9.0","poll_s":60}}"#),
        );
    }
    takes(exchange, 2);
}

/// One's own record: natural personal data, one record.
pub fn profile(exchange: &mut Exchange, person: Person) {
    exchange.ask("GET", HOST, "/v1/profile", format_args!("/v1/profile"));
    let (suburb, state, postcode) = person.town();
    exchange.json(
        200,
        format_args!(
            r#"{{"id":{},"name":"{} {}","email":"{}","phone":"{}","address":{{"line":"{}","suburb":"{suburb}","state":"{state}","postcode":"{postcode}"}},"card":{{"brand":"visa","last4":"{}"}},"since":"20{:02}-03-0{}"}}"#,
            person.0,
            person.first(),
            person.last(),
            person.email(),
            person.phone(),
            person.street(),
            person.card_last4(),
            person.0 % 15 + 10,
            person.0 % 9 + 1,
        ),
    );
}

pub fn change_profile(exchange: &mut Exchange, person: Person) {
    exchange.ask("PATCH", HOST, "/v1/profile", format_args!("/v1/profile"));
    exchange.json_body(format_args!(r#"{{"phone":"{}"}}"#, person.phone()));
    exchange.json(200, format_args!(r#"{{"id":{},"updated":true}}"#, person.0));
    takes(exchange, 25);
}

/// The public card of another user (author of a review).
pub fn user(exchange: &mut Exchange, person: Person) {
    exchange.ask("GET", HOST, "/v1/users/{id}", format_args!("/v1/users/{}", person.0));
    exchange.json(
        200,
        format_args!(
            r#"{{"id":{},"display_name":"{} {}.","reviews":{},"avatar":"/static/avatars/{}.png"}}"#,
            person.0,
            person.first(),
            &person.last()[..1],
            person.0 % 23,
            person.0 % 64
        ),
    );
}

fn write_order(out: &mut Vec<u8>, id: u64, person: Person, detail: bool) {
    let product = id % super::PRODUCTS;
    let (adjective, noun) = product_name(product);
    // Writing into memory cannot fail.
    let _ = write!(
        out,
        r#"{{"id":{id},"number":"SO-{id}","status":"{}","placed_at":"2025-{:02}-{:02}T{:02}:{:02}:{:02}Z","total":{},"items":[{{"product_id":{product},"name":"{adjective} {noun}","qty":{}}}]"#,
        if id.is_multiple_of(4) { "shipped" } else { "delivered" },
        id % 11 + 1,
        id % 28 + 1,
        id % 24,
        id % 60,
        id % 59,
        price(product),
        id % 3 + 1,
    );
    if detail {
        let (suburb, state, postcode) = person.town();
        let _ = write!(
            out,
            r#","ship_to":{{"name":"{} {}","line":"{}","suburb":"{suburb}","state":"{state}","postcode":"{postcode}","phone":"{}"}},"card_last4":"{}","tracking":"AP{:010}AU""#,
            person.first(),
            person.last(),
            person.street(),
            person.phone(),
            person.card_last4(),
            id * 7919,
        );
    }
    out.push(b'}');
}

pub fn orders(exchange: &mut Exchange, person: Person, offset: u32) {
    exchange.ask("GET", HOST, "/v1/orders", format_args!("/v1/orders?limit=5&offset={offset}"));
    exchange.reply_type = "application/json";
    let total = person.order_count();
    let _ = write!(exchange.reply, r#"{{"total":{total},"offset":{offset},"orders":"#);
    let ids = (offset..total.min(offset + 5)).map(|nth| u64::from(person.order(nth)));
    write_list(&mut exchange.reply, ids, |out, id| write_order(out, id, person, false));
    exchange.reply.push(b'}');
    takes(exchange, 22);
}

pub fn order(exchange: &mut Exchange, id: u64, owner: Person) {
    exchange.ask("GET", HOST, "/v1/orders/{id}", format_args!("/v1/orders/{id}"));
    exchange.reply_type = "application/json";
    write_order(&mut exchange.reply, id, owner, true);
    takes(exchange, 14);
}

pub fn place_order(exchange: &mut Exchange, person: Person, cart: &str, nth: u64) {
    exchange.ask("POST", HOST, "/v1/orders", format_args!("/v1/orders"));
    exchange.header("Idempotency-Key", uuid(nth, u64::from(person.0)));
    exchange.json_body(format_args!(r#"{{"cart":"{cart}","shipping":"standard"}}"#));
    let id = 1_900_000 + nth % 90_000;
    exchange.reply_header("Location", format_args!("/v1/orders/{id}"));
    exchange.json(201, format_args!(r#"{{"id":{id},"status":"pending"}}"#));
    takes(exchange, 90);
}

pub fn products(exchange: &mut Exchange, cursor: u64, limit: u64) {
    exchange.ask(
        "GET",
        HOST,
        "/v1/products",
        format_args!("/v1/products?limit={limit}&cursor=p{:08x}", cursor.wrapping_mul(0x9e37_79b1) as u32),
    );
    exchange.reply_type = "application/json";
    let _ =
        write!(exchange.reply, r#"{{"next":"p{:08x}","products":"#, (cursor + limit).wrapping_mul(0x9e37_79b1) as u32);
    write_list(&mut exchange.reply, cursor..cursor + limit, write_product);
    exchange.reply.push(b'}');
    takes(exchange, 18);
}

pub fn product(exchange: &mut Exchange, rng: &mut Rng) {
    let product = popular_product(rng);
    exchange.ask("GET", HOST, "/v1/products/{id}", format_args!("/v1/products/{product}"));
    exchange.reply_type = "application/json";
    write_product(&mut exchange.reply, product);
    takes(exchange, 6);
}

/// Is it still there? A HEAD, as the stock badge sends it.
pub fn product_stock(exchange: &mut Exchange, rng: &mut Rng) {
    let product = popular_product(rng);
    exchange.ask("HEAD", HOST, "/v1/products/{id}", format_args!("/v1/products/{product}"));
    exchange.reply_type = "application/json";
    write_product(&mut exchange.reply, product);
    takes(exchange, 3);
}

pub fn search(exchange: &mut Exchange, rng: &mut Rng, page: u64) {
    let (adjective, noun) = product_name(rng.below(4000));
    exchange.ask("GET", HOST, "/v1/search", format_args!("/v1/search?q={adjective}%20{noun}&page={page}"));
    exchange.reply_type = "application/json";
    let hits = if rng.chance(0.12) { 0 } else { rng.between(1, 20) };
    let _ = write!(exchange.reply, r#"{{"query":"{adjective} {noun}","took_ms":{},"hits":"#, rng.between(3, 80));
    let first = rng.below(super::PRODUCTS);
    write_list(&mut exchange.reply, first..first + hits, write_product);
    exchange.reply.push(b'}');
    takes(exchange, 55);
}

pub fn cart(exchange: &mut Exchange, cart: &str, items: u64) {
    exchange.ask("GET", HOST, "/v1/carts/{id}", format_args!("/v1/carts/{cart}"));
    exchange.reply_type = "application/json";
    let _ = write!(exchange.reply, r#"{{"id":"{cart}","items":"#);
    write_list(&mut exchange.reply, 0..items, |out, n| write_product(out, n * 17 + items));
    exchange.reply.push(b'}');
}

pub fn add_to_cart(exchange: &mut Exchange, cart: &str, rng: &mut Rng) {
    exchange.ask("POST", HOST, "/v1/carts/{id}/items", format_args!("/v1/carts/{cart}/items"));
    let product = popular_product(rng);
    exchange.json_body(format_args!(r#"{{"product_id":{product},"quantity":{}}}"#, rng.between(1, 4)));
    if rng.chance(0.015) {
        exchange.json(409, format_args!(r#"{{"error":"out_of_stock","product_id":{product}}}"#));
    } else {
        exchange.json(201, format_args!(r#"{{"cart":"{cart}","product_id":{product},"price":{}}}"#, price(product)));
    }
    takes(exchange, 16);
}

pub fn remove_from_cart(exchange: &mut Exchange, cart: &str, rng: &mut Rng) {
    let product = popular_product(rng);
    exchange.ask("DELETE", HOST, "/v1/carts/{id}/items/{id}", format_args!("/v1/carts/{cart}/items/{product}"));
    exchange.empty(204);
}

/// Pays by a card kept with the payment provider: only a token and the last four digits are seen here.
pub fn pay(exchange: &mut Exchange, person: Person, order: u64, rng: &mut Rng) {
    exchange.ask("POST", HOST, "/v1/payments", format_args!("/v1/payments"));
    exchange.json_body(format_args!(
        r#"{{"order_id":{order},"method":"card","token":"tok_{:016x}","amount":{}}}"#,
        rng.next_u64(),
        price(order % super::PRODUCTS)
    ));
    let id = uuid(rng.next_u64(), order);
    if rng.chance(0.03) {
        exchange.json(402, format_args!(r#"{{"error":"card_declined","payment":"{id}"}}"#));
    } else {
        exchange.json(
            201,
            format_args!(
                r#"{{"payment":"{id}","status":"authorised","card":{{"brand":"visa","last4":"{}"}}}}"#,
                person.card_last4()
            ),
        );
    }
    takes(exchange, 320);
}

pub fn payment(exchange: &mut Exchange, person: Person, rng: &mut Rng) {
    let id = uuid(rng.next_u64(), 5);
    exchange.ask("GET", HOST, "/v1/payments/{id}", format_args!("/v1/payments/{id}"));
    exchange.json(
        200,
        format_args!(r#"{{"payment":"{id}","status":"captured","card":{{"last4":"{}"}}}}"#, person.card_last4()),
    );
}

pub fn reviews(exchange: &mut Exchange, rng: &mut Rng) {
    let product = popular_product(rng);
    exchange.ask("GET", HOST, "/v1/reviews", format_args!("/v1/reviews?product={product}&sort=newest"));
    exchange.reply_type = "application/json";
    let mut text = String::new();
    super::prose(&mut text, rng.between(4, 30), rng);
    let count = rng.between(0, 12);
    write_list(&mut exchange.reply, 0..count, |out, nth| {
        let _ = write!(
            out,
            r#"{{"id":{},"stars":{},"author":"{}","text":"{text}"}}"#,
            product * 100 + nth,
            nth % 3 + 3,
            Person((product * 31 + nth) as u32).first()
        );
    });
    takes(exchange, 20);
}

pub fn notifications(exchange: &mut Exchange, since: i64, rng: &mut Rng) {
    exchange.ask("GET", HOST, "/v1/notifications", format_args!("/v1/notifications?since={since}"));
    let first = rng.below(90_000);
    exchange.reply_type = "application/json";
    write_list(&mut exchange.reply, 0..rng.clone().below(4), |out, nth| {
        let _ = write!(out, r#"{{"id":{},"kind":"offer","text":"{}","at":{since}}}"#, first + nth, slug(first + nth));
    });
    takes(exchange, 5);
}

/// Usage events. A buggy app sends them with a field missing, and is refused.
pub fn events(exchange: &mut Exchange, at: i64, buggy: bool, rng: &mut Rng) {
    exchange.ask("POST", HOST, "/v1/events", format_args!("/v1/events"));
    let screen = product_name(rng.below(200)).1;
    if buggy {
        exchange.json_body(format_args!(r#"{{"events":[{{"screen":"{screen}","ms":{}}}]}}"#, rng.below(9000)));
        exchange.json(400, format_args!(r#"{{"error":"missing_field","field":"events[0].at"}}"#));
    } else {
        exchange
            .json_body(format_args!(r#"{{"events":[{{"at":{at},"screen":"{screen}","ms":{}}}]}}"#, rng.below(9000)));
        exchange.empty(204);
    }
    takes(exchange, 3);
}

/// A photo for a review, as multipart.
pub fn upload(exchange: &mut Exchange, rng: &mut Rng) {
    exchange.ask("POST", HOST, "/v1/uploads", format_args!("/v1/uploads"));
    exchange.content_type = "multipart/form-data; boundary=----form7MA4YWxkTrZu0gW";
    let _ = write!(
        exchange.body,
        "------form7MA4YWxkTrZu0gW\r\nContent-Disposition: form-data; name=\"photo\"; filename=\"IMG_{:04}.jpg\"\r\n\
         Content-Type: image/jpeg\r\n\r\n",
        rng.below(10_000)
    );
    exchange.body.extend_from_slice(&[0xff, 0xd8, 0xff, 0xe0]);
    let bytes = rng.log_uniform(4e3, 2e5) as usize;
    for _ in 0..bytes / 8 {
        exchange.body.extend_from_slice(&rng.next_u64().to_le_bytes());
    }
    exchange.body.extend_from_slice(b"\r\n------form7MA4YWxkTrZu0gW--\r\n");
    exchange.expects_continue = rng.chance(0.3);
    exchange.json(201, format_args!(r#"{{"id":"{}","bytes":{bytes}}}"#, uuid(rng.next_u64(), 3)));
    takes(exchange, 140);
}

/// What a browser asks before the site's script may call the API.
pub fn preflight(exchange: &mut Exchange, target: &str, template: &'static str) {
    exchange.ask("OPTIONS", HOST, template, format_args!("{target}"));
    exchange.header("Origin", "http://shop.example");
    exchange.header("Access-Control-Request-Method", "GET");
    exchange.header("Access-Control-Request-Headers", "authorization,content-type");
    exchange.empty(204);
    exchange.reply_header("Access-Control-Allow-Origin", "http://shop.example");
    exchange.reply_header("Access-Control-Max-Age", "600");
    takes(exchange, 1);
}

pub fn logout(exchange: &mut Exchange) {
    exchange.ask("POST", HOST, "/v1/logout", format_args!("/v1/logout"));
    exchange.empty(204);
}

/// Endpoints that deploys add, one after the other.
pub const NEW_ENDPOINTS: [&str; 5] =
    ["/v1/recommendations", "/v1/wishlist", "/v1/loyalty/points", "/v1/stores/nearby", "/v1/gift-cards"];

pub fn new_endpoint(exchange: &mut Exchange, which: usize, rng: &mut Rng) {
    let template = NEW_ENDPOINTS[which % NEW_ENDPOINTS.len()]; // a remainder of the length
    exchange.ask("GET", HOST, template, format_args!("{template}?limit={}", rng.between(4, 12)));
    exchange.reply_type = "application/json";
    let first = rng.below(super::PRODUCTS);
    write_list(&mut exchange.reply, first..first + 6, write_product);
    takes(exchange, 35);
}

pub fn not_found(exchange: &mut Exchange, target: &str) {
    exchange.ask("GET", HOST, "/*", format_args!("{target}"));
    exchange.json(404, format_args!(r#"{{"error":"not_found","path":"{target}"}}"#));
    takes(exchange, 1);
}

pub fn unauthorized(exchange: &mut Exchange) {
    exchange.json(401, format_args!(r#"{{"error":"token_expired"}}"#));
    exchange.reply_header("WWW-Authenticate", r#"Bearer error="invalid_token""#);
}
