//! The shop's logins, in the three styles that are found in the field.

use super::super::exchange::{Exchange, Host};
use super::super::people::Person;
use super::takes;

/// How a login tells success from failure.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum LoginStyle {
    /// The app's API: JSON, 401 for a wrong password.
    Refusal,
    /// The web site: a form; a redirect to the account, or back to the login page.
    Redirect,
    /// The old app's API: always 200, the body says whether it worked.
    AlwaysOk,
}

impl LoginStyle {
    pub const ALL: [LoginStyle; 3] = [LoginStyle::Refusal, LoginStyle::Redirect, LoginStyle::AlwaysOk];
}

/// A login of `user` with `password`; `right` if the pair is right. `issued` is the second of the token given.
pub fn login(
    exchange: &mut Exchange,
    style: LoginStyle,
    person: Person,
    user: &str,
    password: &str,
    right: bool,
    issued: i64,
) {
    match style {
        LoginStyle::Refusal => {
            exchange.ask("POST", Host::Api, "/v1/login", format_args!("/v1/login"));
            exchange.json_body(format_args!(r#"{{"email":"{user}","password":"{password}","remember":true}}"#));
            if right {
                let (token, refresh) = (person.token(issued, "customer"), person.session(issued));
                exchange.json(
                    200,
                    format_args!(
                        r#"{{"access_token":"{token}","token_type":"Bearer","expires_in":3600,"refresh_token":"{refresh}","user":{{"id":{}}}}}"#,
                        person.0
                    ),
                );
            } else {
                exchange.json(
                    401,
                    format_args!(r#"{{"error":"invalid_credentials","message":"Wrong e-mail or password"}}"#),
                );
            }
        }
        LoginStyle::Redirect => {
            exchange.ask("POST", Host::Site, "/account/login", format_args!("/account/login"));
            let user = user.replace('@', "%40").replace('+', "%2B");
            let password = password.replace('!', "%21");
            exchange
                .form_body(format_args!("username={user}&password={password}&csrf={:016x}", issued as u64 ^ 0x5bd1));
            exchange.empty(302);
            if right {
                exchange.reply_header("Location", "/account");
                exchange.reply_header(
                    "Set-Cookie",
                    format_args!("sid={}; Path=/; HttpOnly; SameSite=Lax", person.session(issued)),
                );
            } else {
                exchange.reply_header("Location", "/account/login?error=1");
            }
        }
        LoginStyle::AlwaysOk => {
            exchange.ask("POST", Host::Api, "/legacy/signin", format_args!("/legacy/signin"));
            exchange.json_body(format_args!(r#"{{"username":"{user}","pwd":"{password}","device":"a{}"}}"#, person.0));
            if right {
                exchange.json(
                    200,
                    format_args!(r#"{{"success":true,"session":"{}","user_id":{}}}"#, person.session(issued), person.0),
                );
            } else {
                exchange.json(200, format_args!(r#"{{"success":false,"code":17,"message":"Login failed"}}"#));
            }
        }
    }
    takes(exchange, 110); // a password hash takes its time
}

pub fn refresh_token(exchange: &mut Exchange, person: Person, issued: i64) {
    exchange.ask("POST", Host::Api, "/v1/token/refresh", format_args!("/v1/token/refresh"));
    exchange.json_body(format_args!(r#"{{"refresh_token":"{}"}}"#, person.session(issued - 86_400)));
    exchange.json(200, format_args!(r#"{{"access_token":"{}","expires_in":3600}}"#, person.token(issued, "customer")));
}
