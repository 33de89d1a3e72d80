//! What is done to accounts beside signing in: the second factor, a new account, a new password.

use super::super::exchange::{Exchange, Host};
use super::super::people::Person;
use super::takes;

/// Whether this person signs in to the app with a code besides the password.
pub fn has_second_factor(person: Person) -> bool {
    person.0.is_multiple_of(13)
}

/// The code of the moment, six digits.
pub fn code(person: Person, at: i64) -> String {
    format!("{:06}", super::scatter(0x0790, u64::from(person.0) << 32 | (at / 30) as u64) % 1_000_000)
}

/// The second step of a login.
pub fn second_factor(exchange: &mut Exchange, person: Person, code: &str, right: bool, issued: i64) {
    exchange.ask("POST", Host::Api, "/v1/login/otp", format_args!("/v1/login/otp"));
    exchange.json_body(format_args!(r#"{{"email":"{}","otp":"{code}"}}"#, person.email()));
    if right {
        let (token, refresh) = (person.token(issued, "customer"), person.session(issued));
        exchange
            .json(200, format_args!(r#"{{"access_token":"{token}","expires_in":3600,"refresh_token":"{refresh}"}}"#));
    } else {
        exchange.json(401, format_args!(r#"{{"error":"invalid_code","message":"This code is not right"}}"#));
    }
    takes(exchange, 12);
}

/// Is this address free? The form asks while one types.
pub fn is_free(exchange: &mut Exchange, email: &str, free: bool) {
    let address = email.replace('@', "%40").replace('+', "%2B");
    exchange.ask("GET", Host::Api, "/v1/accounts/available", format_args!("/v1/accounts/available?email={address}"));
    exchange.json(200, format_args!(r#"{{"available":{free}}}"#));
    takes(exchange, 6);
}

/// Makes an account, unless there is one of that address.
pub fn register(exchange: &mut Exchange, email: &str, password: &str, number: u32, free: bool) {
    exchange.ask("POST", Host::Api, "/v1/register", format_args!("/v1/register"));
    exchange.json_body(format_args!(
        r#"{{"email":"{email}","password":"{password}","name":"{}","terms":true}}"#,
        Person(number).first()
    ));
    if free {
        exchange.json(201, format_args!(r#"{{"id":{number},"verified":false}}"#));
    } else {
        exchange.json(409, format_args!(r#"{{"error":"email_taken","message":"This e-mail is already registered"}}"#));
    }
    takes(exchange, 120);
}

/// Asks for a mail with which to choose a new password; whether there is such an account is not said.
pub fn reset_password(exchange: &mut Exchange, email: &str) {
    exchange.ask("POST", Host::Api, "/v1/password/reset", format_args!("/v1/password/reset"));
    exchange.json_body(format_args!(r#"{{"email":"{email}"}}"#));
    exchange.json(202, format_args!(r#"{{"status":"sent"}}"#));
    takes(exchange, 20);
}

/// The same of the old app, which says too much.
pub fn old_reset(exchange: &mut Exchange, email: &str, is_known: bool) {
    exchange.ask("POST", Host::Api, "/legacy/forgot", format_args!("/legacy/forgot"));
    exchange.json_body(format_args!(r#"{{"username":"{email}"}}"#));
    if is_known {
        exchange.json(200, format_args!(r#"{{"success":true,"message":"Mail sent"}}"#));
    } else {
        exchange.json(404, format_args!(r#"{{"success":false,"message":"No account with that e-mail"}}"#));
    }
    takes(exchange, 20);
}
