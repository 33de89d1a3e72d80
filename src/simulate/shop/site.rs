//! `shop.example`: pages, static files, and what is not there.

use super::super::exchange::{Coding, Encoder, Exchange, Framing, Host};
use super::super::people::Person;
use super::super::random::{Rng, scatter};
use super::{PRODUCTS, popular_product, price, slug, takes};
use std::cell::OnceCell;
use std::io::Write as _;

const HOST: Host = Host::Site;
const HTML: &str = "text/html; charset=utf-8";

fn write_page(out: &mut Vec<u8>, title: &str, words: u64, rng: &mut Rng) {
    let mut text = String::new();
    super::prose(&mut text, words, rng);
    // Writing into memory cannot fail.
    let _ = write!(
        out,
        "<!doctype html><html lang=\"en\"><head><title>{title}</title><link rel=\"stylesheet\" href=\"/static/site.css\">\
         <script src=\"/static/app.js\" defer></script></head><body><header>Call us: 1300 000 000</header><main>\
         <h1>{title}</h1><p>{text}</p></main><footer>&copy; 2025 Shop</footer></body></html>"
    );
}

/// Answers with a page that is the same for everybody.
fn page(exchange: &mut Exchange, files: &Files, place: usize, title: &str, words: u64, rng: &mut Rng) {
    let (plain, gzip) = files.pages[place].get_or_init(|| {
        let (mut plain, mut gzip) = (Vec::new(), Vec::new());
        write_page(&mut plain, title, words, &mut Rng::named(0, "page", place as u64));
        Encoder::default().encode(Coding::Gzip, &plain, &mut gzip);
        (plain, gzip)
    });
    exchange.status = 200;
    exchange.reply_type = HTML;
    exchange.reply_coded = true;
    exchange.coding = if rng.chance(0.75) { Coding::Gzip } else { Coding::Identity };
    exchange.framing = if rng.chance(0.4) { Framing::Chunked } else { Framing::Length };
    exchange.reply.extend_from_slice(if exchange.coding == Coding::Gzip { gzip } else { plain });
    takes(exchange, 30);
}

/// Where a page's rendered form is kept: home, sign-in, categories, products.
const HOME: usize = 0;
const SIGN_IN: usize = 1;
const CATEGORIES: usize = 2;
const PAGES_EACH: u64 = 6;
const FIRST_PRODUCT: usize = CATEGORIES + super::NOUNS.len() * PAGES_EACH as usize;
const PLACES: usize = FIRST_PRODUCT + PRODUCTS as usize;

pub fn home(exchange: &mut Exchange, files: &Files, rng: &mut Rng) {
    exchange.ask("GET", HOST, "/", format_args!("/"));
    page(exchange, files, HOME, "Shop", 180, rng);
}

pub fn product(exchange: &mut Exchange, files: &Files, rng: &mut Rng) {
    let product = popular_product(rng);
    exchange.ask("GET", HOST, "/products/{id}", format_args!("/products/{}", slug(product)));
    let title = format!("{} at {}", slug(product), price(product));
    page(exchange, files, FIRST_PRODUCT + product as usize, &title, 90, rng);
}

pub fn category(exchange: &mut Exchange, files: &Files, rng: &mut Rng) {
    let which = rng.below(super::NOUNS.len() as u64);
    let noun = super::NOUNS[which as usize]; // drawn below the length
    let number = rng.below(PAGES_EACH);
    exchange.ask("GET", HOST, "/category/{id}", format_args!("/category/{noun}?page={}", number + 1));
    page(exchange, files, CATEGORIES + (which * PAGES_EACH + number) as usize, noun, 240, rng);
}

const FILES: [(&str, &str, usize); 6] = [
    ("/static/app.js", "application/javascript", 18_000),
    ("/static/site.css", "text/css", 7_000),
    ("/static/logo.svg", "image/svg+xml", 2_200),
    ("/static/fonts/inter.woff2", "font/woff2", 24_000),
    ("/static/hero.webp", "image/webp", 45_000),
    ("/static/vendor.js", "application/javascript", 36_000),
];
pub const FILE_COUNT: usize = FILES.len();

/// The static files and the pages that are the same for everybody, rendered and compressed once.
pub struct Files {
    plain: Vec<Vec<u8>>,
    gzip: Vec<Vec<u8>>,
    /// Plain and gzip; a page is made when it is first asked for.
    pages: Vec<OnceCell<(Vec<u8>, Vec<u8>)>>,
}

impl Files {
    pub fn new() -> Files {
        let mut encoder = Encoder::default();
        let plain: Vec<Vec<u8>> = (0..FILES.len()).map(rendered).collect();
        let gzip = plain.iter().map(|body| {
            let mut coded = Vec::new();
            encoder.encode(Coding::Gzip, body, &mut coded);
            coded
        });
        Files { gzip: gzip.collect(), plain, pages: (0..PLACES).map(|_| OnceCell::new()).collect() }
    }
}

fn rendered(which: usize) -> Vec<u8> {
    let (_, kind, bytes) = FILES[which]; // callers count up to the length
    let mut body = Vec::with_capacity(bytes + 40);
    let mut word = 0;
    while body.len() < bytes {
        word += 1;
        if is_binary(kind) {
            body.extend_from_slice(&scatter(which as u64, word).to_le_bytes());
        } else {
            let _ = writeln!(body, "function f{word}(a,b){{return a+b*{};}}", scatter(which as u64, word) % 977);
        }
    }
    body
}

fn is_binary(kind: &str) -> bool {
    kind == "image/webp" || kind == "font/woff2"
}

/// A static file; a browser that has it gets 304.
pub fn file(exchange: &mut Exchange, files: &Files, which: usize, known: bool) {
    let which = which % FILES.len();
    let (path, kind, bytes) = FILES[which]; // a remainder of the length
    exchange.ask("GET", HOST, path, format_args!("{path}"));
    exchange.reply_header("ETag", format_args!("\"{bytes:x}-6920\""));
    exchange.reply_header("Cache-Control", "public, max-age=3600");
    takes(exchange, 1);
    if known {
        exchange.header("If-None-Match", format_args!("\"{bytes:x}-6920\""));
        exchange.empty(304);
        return;
    }
    exchange.reply_type = kind;
    exchange.reply_coded = true;
    exchange.coding = if is_binary(kind) { Coding::Identity } else { Coding::Gzip };
    let bodies = if is_binary(kind) { &files.plain } else { &files.gzip };
    exchange.reply.extend_from_slice(&bodies[which]); // one body a file
}

pub fn favicon(exchange: &mut Exchange) {
    exchange.ask("GET", HOST, "/favicon.ico", format_args!("/favicon.ico"));
    missing_page(exchange);
}

fn missing_page(exchange: &mut Exchange) {
    exchange.status = 404;
    exchange.reply_type = HTML;
    exchange.reply.extend_from_slice(b"<html><head><title>404 Not Found</title></head><body>Not here.</body></html>");
    takes(exchange, 2);
}

pub fn missing(exchange: &mut Exchange, target: &str) {
    exchange.ask("GET", HOST, "/*", format_args!("{target}"));
    missing_page(exchange);
}

/// A link that was mistyped or has grown old.
pub fn mistyped(exchange: &mut Exchange, rng: &mut Rng) {
    let mut name = slug(popular_product(rng));
    name.truncate(name.len() - 2);
    missing(exchange, &format!("/product/{name}"));
}

pub fn old_link(exchange: &mut Exchange, rng: &mut Rng) {
    let product = popular_product(rng);
    exchange.ask("GET", HOST, "/p/{id}", format_args!("/p/{product}"));
    exchange.empty(301);
    exchange.reply_header("Location", format_args!("/products/{}", slug(product)));
}

pub fn login_page(exchange: &mut Exchange, files: &Files, rng: &mut Rng) {
    exchange.ask("GET", HOST, "/account/login", format_args!("/account/login"));
    page(exchange, files, SIGN_IN, "Sign in", 12, rng);
}

/// One's account page; without a session it leads to the login.
pub fn account(exchange: &mut Exchange, person: Option<Person>, rng: &mut Rng) {
    exchange.ask("GET", HOST, "/account", format_args!("/account"));
    match person {
        Some(person) => {
            exchange.reply_type = HTML;
            write_page(&mut exchange.reply, &format!("Hello {}", person.first()), 20, rng);
            let _ = write!(exchange.reply, "<!-- {} -->", person.email());
        }
        None => {
            exchange.empty(302);
            exchange.reply_header("Location", "/account/login?next=%2Faccount");
        }
    }
}

pub fn robots(exchange: &mut Exchange) {
    exchange.ask("GET", HOST, "/robots.txt", format_args!("/robots.txt"));
    exchange.reply_type = "text/plain";
    exchange.reply.extend_from_slice(b"User-agent: *\nDisallow: /account\nCrawl-delay: 2\n");
}
