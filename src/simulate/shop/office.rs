//! `admin.shop.example` and `partner.shop.example`: staff, reports, service accounts, partners.

use super::super::condition::customer_records;
use super::super::exchange::{Exchange, Host};
use super::super::people::Person;
use super::super::random::Rng;
use super::{CUSTOMERS, price, takes};
use std::io::Write as _;

pub fn orders(exchange: &mut Exchange, page: u64) {
    exchange.ask("GET", Host::Admin, "/admin/orders", format_args!("/admin/orders?page={page}&size=25"));
    exchange.reply_type = "application/json";
    super::write_list(&mut exchange.reply, 0..25, |out, nth| {
        let person = Person(((page * 25 + nth) * 7919 % CUSTOMERS) as u32);
        // Writing into memory cannot fail.
        let _ = write!(
            out,
            r#"{{"id":{},"customer":"{} {}","total":{},"status":"open"}}"#,
            person.order(0),
            person.first(),
            person.last(),
            price(nth)
        );
    });
    takes(exchange, 60);
}

pub fn order(exchange: &mut Exchange, rng: &mut Rng) {
    let person = Person(rng.below(CUSTOMERS) as u32);
    let id = person.order(0);
    exchange.ask("GET", Host::Admin, "/admin/orders/{id}", format_args!("/admin/orders/{id}"));
    exchange.json(
        200,
        format_args!(
            r#"{{"id":{id},"customer":{{"id":{},"name":"{} {}","email":"{}","phone":"{}"}},"card_last4":"{}","total":{}}}"#,
            person.0,
            person.first(),
            person.last(),
            person.email(),
            person.phone(),
            person.card_last4(),
            price(u64::from(id))
        ),
    );
    takes(exchange, 25);
}

fn write_contact(out: &mut Vec<u8>, person: Person) {
    // Writing into memory cannot fail.
    let _ = write!(
        out,
        r#"{{"id":{},"name":"{} {}","email":"{}","phone":"{}"}}"#,
        person.0,
        person.first(),
        person.last(),
        person.email(),
        person.phone()
    );
}

/// Staff looks customers up: up to twenty records, lawfully.
pub fn customers(exchange: &mut Exchange, rng: &mut Rng) {
    let sought = Person(rng.below(CUSTOMERS) as u32).last();
    exchange.ask("GET", Host::Admin, "/admin/customers", format_args!("/admin/customers?q={sought}&limit=20"));
    exchange.reply_type = "application/json";
    let (first, count) = (rng.below(CUSTOMERS), rng.between(1, 20));
    super::write_list(&mut exchange.reply, first..first + count, |out, id| write_contact(out, Person(id as u32)));
    takes(exchange, 45);
}

/// A page of the list of all customers.
pub fn customer_page(exchange: &mut Exchange, first: u64, count: u64) {
    exchange.ask(
        "GET",
        Host::Admin,
        "/admin/customers",
        format_args!("/admin/customers?q=&limit={count}&offset={first}"),
    );
    exchange.reply_type = "application/json";
    super::write_list(&mut exchange.reply, first..first + count, |out, id| write_contact(out, Person(id as u32)));
    takes(exchange, 45 + count / 4);
}

pub fn customer(exchange: &mut Exchange, rng: &mut Rng) {
    let person = Person(rng.below(CUSTOMERS) as u32);
    exchange.ask("GET", Host::Admin, "/admin/customers/{id}", format_args!("/admin/customers/{}", person.0));
    exchange.reply_type = "application/json";
    write_contact(&mut exchange.reply, person);
    takes(exchange, 15);
}

pub fn change_product(exchange: &mut Exchange, rng: &mut Rng) {
    let product = rng.below(super::PRODUCTS);
    exchange.ask("PUT", Host::Admin, "/admin/products/{id}", format_args!("/admin/products/{product}"));
    exchange.json_body(format_args!(r#"{{"price":{},"stock":{}}}"#, price(product), rng.below(200)));
    exchange.json(200, format_args!(r#"{{"id":{product},"saved":true}}"#));
    takes(exchange, 35);
}

/// The internal report, by Basic credentials, as CSV.
pub fn report(exchange: &mut Exchange, day: (i64, u32, u32), rng: &mut Rng) {
    let (year, month, day) = day;
    let template = "/admin/reports/daily";
    exchange.ask("GET", Host::Admin, template, format_args!("{template}?date={year}-{month:02}-{day:02}"));
    exchange.reply_type = "text/csv";
    exchange.reply.extend_from_slice(b"sku,sold,revenue\n");
    for product in 0..120 {
        let _ = writeln!(exchange.reply, "SKU-{product:06},{},{}", rng.below(40), price(product));
    }
    takes(exchange, 900);
}

pub fn health(exchange: &mut Exchange, host: Host) {
    exchange.ask("GET", host, "/healthz", format_args!("/healthz"));
    exchange.json(200, format_args!(r#"{{"status":"ok"}}"#));
    takes(exchange, 1);
}

/// The nightly batch of a partner with a contract: many customers' records, with credentials.
pub fn partner_customers(exchange: &mut Exchange, cursor: u64, count: u64) {
    let template = "/partner/v2/customers";
    exchange.ask("GET", Host::Partner, template, format_args!("{template}?cursor={cursor}&limit={count}"));
    exchange.reply_type = "application/json";
    let _ = write!(exchange.reply, r#"{{"next":{},"customers":"#, cursor + count);
    super::write_list(&mut exchange.reply, cursor..cursor + count, |out, id| write_contact(out, Person(id as u32)));
    exchange.reply.push(b'}');
    takes(exchange, 180);
}

/// The warehouse's service account reads one order after the other.
pub fn partner_order(exchange: &mut Exchange, id: u64) {
    exchange.ask("GET", Host::Partner, "/partner/v2/orders/{id}", format_args!("/partner/v2/orders/{id}"));
    let person = Person((id * 31 % CUSTOMERS) as u32);
    let (suburb, state, postcode) = person.town();
    exchange.json(
        200,
        format_args!(
            r#"{{"id":{id},"lines":[{{"sku":"SKU-{:06}","qty":{}}}],"ship_to":"{} {}, {}, {suburb} {state} {postcode}"}}"#,
            id % super::PRODUCTS,
            id % 3 + 1,
            person.first(),
            person.last(),
            person.street()
        ),
    );
    takes(exchange, 12);
}

pub fn partner_stock(exchange: &mut Exchange, rng: &mut Rng) {
    exchange.ask("POST", Host::Partner, "/partner/v2/stock", format_args!("/partner/v2/stock"));
    exchange.json_body(format_args!(r#"{{"sku":"SKU-{:06}","stock":{}}}"#, rng.below(super::PRODUCTS), rng.below(300)));
    exchange.json(200, format_args!(r#"{{"accepted":true}}"#));
}

pub fn partner_inventory(exchange: &mut Exchange, rng: &mut Rng) {
    let since = rng.below(super::PRODUCTS);
    let template = "/partner/v2/inventory";
    exchange.ask("GET", Host::Partner, template, format_args!("{template}?since={since}&limit=30"));
    exchange.reply_type = "application/json";
    super::write_list(&mut exchange.reply, since..since + 30, super::write_product);
    takes(exchange, 40);
}

/// The payment provider tells what became of a payment.
pub fn payment_hook(exchange: &mut Exchange, rng: &mut Rng) {
    exchange.ask("POST", Host::Partner, "/hooks/payments", format_args!("/hooks/payments"));
    exchange.header("X-Signature", format_args!("sha256={:016x}{:016x}", rng.next_u64(), rng.next_u64()));
    exchange.json_body(format_args!(
        r#"{{"event":"payment.captured","payment":"{}","amount":{}}}"#,
        super::super::people::uuid(rng.next_u64(), 1),
        price(rng.below(super::PRODUCTS))
    ));
    exchange.json(200, format_args!(r#"{{"ok":true}}"#));
}

/// Customers with identity documents: what must never leave without credentials.
pub fn identity_documents(exchange: &mut Exchange, first: u64, count: u64) {
    exchange.reply_type = "application/json";
    exchange.status = 200;
    super::write_list(&mut exchange.reply, first..first + count, |out, id| {
        let person = Person(id as u32);
        let _ = write!(
            out,
            r#"{{"customer_id":{id},"full_name":"{} {}","date_of_birth":"{}","email":"{}","phone":"{}","passport_number":"{}","medicare_number":"{}"}}"#,
            person.first(),
            person.last(),
            person.birth_date(),
            person.email(),
            person.phone(),
            person.passport(),
            person.medicare()
        );
    });
}

/// The same shape as an exposing answer, for an endpoint that is itself new.
pub fn leaked_customers(exchange: &mut Exchange, first: u64, count: u64) {
    exchange.reply_type = "application/json";
    exchange.status = 200;
    customer_records(&mut exchange.reply, (first..first + count).map(|id| Person(id as u32)));
}
