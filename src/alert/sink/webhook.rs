//! Webhook: alerts as HTTP requests.
//!
//! `POST` with a body of JSON: `{"alerts": [...]}` with the records of the log, or `{"text": "..."}` for people. Where there
//! is a key the body is signed: `X-Apitap-Signature: sha256=` and the HMAC-SHA256 (RFC 2104) of its bytes in hexadecimal.
//! Answers 200 to 299 take the alerts; 400, 413 and 422 refuse them for good; all others, redirects too, mean later.

use super::delivery::{Carrier, Failure};
use super::settings::{Template, WebhookSettings};
use super::{SinkError, certificates};
use crate::alert::human::{self, Style};
use crate::alert::record::AlertRecord;
use hmac::{Hmac, Mac};
use sha2::Sha256;
use std::fmt::Write;
use std::fs;
use std::path::Path;
use std::sync::Arc;
use ureq::Agent;
use ureq::tls::{Certificate, RootCerts, TlsConfig};

pub(super) struct Webhook {
    agent: Agent,
    url: String,
    batch: usize,
    template: Template,
    key: Option<Vec<u8>>,
}

impl Webhook {
    pub fn new(settings: &WebhookSettings) -> Result<Webhook, SinkError> {
        let mut tls = TlsConfig::builder().unversioned_rustls_crypto_provider(certificates::provider());
        if settings.url.is_https() {
            let trusted = certificates::trusted(settings.ca_file.as_deref())?;
            let trusted: Vec<Certificate<'static>> =
                trusted.iter().map(|certificate| Certificate::from_der(certificate).to_owned()).collect();
            tls = tls.root_certs(RootCerts::Specific(Arc::new(trusted)));
        }
        let agent = Agent::config_builder()
            .tls_config(tls.build())
            .timeout_global(Some(settings.timeout))
            .http_status_as_error(false)
            .max_redirects(0)
            .max_redirects_will_error(false)
            .user_agent(concat!("apitap/", env!("CARGO_PKG_VERSION")))
            .build()
            .new_agent();
        Ok(Webhook {
            agent,
            url: settings.url.as_str().to_owned(),
            batch: settings.batch,
            template: settings.template,
            key: settings.secret_file.as_deref().map(key_of).transpose()?,
        })
    }
}

impl Carrier for Webhook {
    fn kind(&self) -> &'static str {
        "webhook"
    }

    /// Without path and query, which are often a secret.
    fn name(&self) -> String {
        let end = self.url.match_indices('/').nth(2).map_or(self.url.len(), |(at, _)| at);
        format!("the webhook at {}", &self.url[..end]) // `/` is a character of one byte
    }

    fn batch(&self) -> usize {
        self.batch
    }

    fn carry(&mut self, records: &[Vec<u8>]) -> Result<(), Failure> {
        let body = match self.template {
            Template::Json => as_json(records),
            Template::Slack => as_slack(records),
        };
        let mut request = self.agent.post(&self.url).header("Content-Type", "application/json");
        if let Some(key) = &self.key {
            request = request.header("X-Apitap-Signature", signature(key, &body));
        }
        let answer = request.send(&body[..]).map_err(|error| Failure::Later(error.to_string()))?;
        let status = answer.status();
        match status.as_u16() {
            200..=299 => Ok(()),
            400 | 413 | 422 => Err(Failure::Refused(format!("it answers {status}"))),
            _ => Err(Failure::Later(format!("it answers {status}"))),
        }
    }
}

/// A key is the file's content without the line feed that editors add.
fn key_of(path: &Path) -> Result<Vec<u8>, SinkError> {
    let refuse = |message: String| SinkError::File { path: path.to_owned(), message };
    let mut key = fs::read(path)
        .map_err(|error| refuse(format!("the webhook's key cannot be read: {error}; make it readable for apitap")))?;
    while key.last().is_some_and(|byte| matches!(byte, b'\n' | b'\r')) {
        key.pop();
    }
    if key.is_empty() {
        return Err(refuse("is empty; `secret_file` names a file with the webhook's key".to_owned()));
    }
    Ok(key)
}

fn signature(key: &[u8], body: &[u8]) -> String {
    let Ok(mut mac) = Hmac::<Sha256>::new_from_slice(key) else { return String::new() }; // any length is a key
    mac.update(body);
    mac.finalize().into_bytes().iter().fold("sha256=".to_owned(), |mut text, byte| {
        let _ = write!(text, "{byte:02x}"); // a `String` takes everything
        text
    })
}

fn as_json(records: &[Vec<u8>]) -> Vec<u8> {
    let mut body = b"{\"alerts\":[".to_vec();
    for (at, record) in records.iter().enumerate() {
        if at > 0 {
            body.push(b',');
        }
        body.extend(record);
    }
    body.extend(b"]}");
    body
}

/// One line of text for each alert. `&`, `<` and `>` are what Slack would act on.
fn as_slack(records: &[Vec<u8>]) -> Vec<u8> {
    let texts: Vec<String> = records
        .iter()
        .filter_map(|record| serde_json::from_slice::<AlertRecord>(record).ok())
        .map(|record| human::line(&record, Style::default()).split_whitespace().collect::<Vec<_>>().join(" "))
        .map(|line| line.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;"))
        .collect();
    serde_json::json!({ "text": texts.join("\n") }).to_string().into_bytes()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::alert::record::{samples, write_line};

    fn line() -> Vec<u8> {
        let mut line = Vec::new();
        write_line(&samples::alert(), &mut line);
        line.pop();
        line
    }

    /// Test case 2 of RFC 4231.
    #[test]
    fn signatures_are_hmac_sha256() {
        let expected = "sha256=5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843";
        assert_eq!(signature(b"Jefe", b"what do ya want for nothing?"), expected);
    }

    #[test]
    fn bodies_are_json() {
        let body: serde_json::Value = serde_json::from_slice(&as_json(&[line(), line()])).unwrap();
        assert_eq!(body["alerts"][1]["apitap"]["incident"], "9f3c00aa12de4b71");
        let mut hostile = samples::alert();
        hostile.apitap.observed = "<!channel> & <http://evil|click>".to_owned();
        let mut line = Vec::new();
        write_line(&hostile, &mut line);
        let body: serde_json::Value = serde_json::from_slice(&as_slack(&[line])).unwrap();
        let text = body["text"].as_str().unwrap();
        assert!(text.contains("credential_stuffing") && text.contains("&lt;!channel&gt; &amp; &lt;http"), "{text}");
    }

    #[test]
    fn a_key_is_read_without_its_line_feed_and_may_not_be_empty() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("key");
        fs::write(&path, "Jefe\n").unwrap();
        assert_eq!(key_of(&path).unwrap(), b"Jefe");
        fs::write(&path, "\n").unwrap();
        assert!(key_of(&path).unwrap_err().to_string().contains("is empty"));
    }
}
