//! A connection of a client with what is spoken on it: exchanges in, the bytes of HTTP/1.1 or HTTP/2 out.

use super::exchange::{Encoder, Exchange};
use super::http2::Session;
use super::wire::connection::Connection;

pub struct Link {
    pub connection: Connection,
    /// None where it is HTTP/1.1.
    pub http2: Option<Session>,
}

impl Link {
    /// Appends the request's head, and its body unless the client waits before it.
    pub fn request(&mut self, exchange: &Exchange, client: &str, out: &mut Vec<u8>) {
        match &mut self.http2 {
            Some(session) => session.request(exchange, client, out),
            None => exchange.write_request(out, client),
        }
    }

    /// Appends the server's word that the client may send the body.
    pub fn proceed(&mut self, out: &mut Vec<u8>) {
        match &mut self.http2 {
            Some(session) => session.proceed(out),
            None => out.extend_from_slice(b"HTTP/1.1 100 Continue\r\n\r\n"),
        }
    }

    /// Appends the body that the client waited with.
    pub fn body(&mut self, exchange: &Exchange, out: &mut Vec<u8>) {
        match &mut self.http2 {
            Some(session) => session.body(exchange, out),
            None => out.extend_from_slice(&exchange.body),
        }
    }

    /// Appends the response to the oldest request without one.
    pub fn response(&mut self, exchange: &mut Exchange, date: &str, encoder: &mut Encoder, out: &mut Vec<u8>) {
        match &mut self.http2 {
            Some(session) => session.response(exchange, date, encoder, out),
            None => exchange.write_response(out, date, encoder),
        }
    }
}
