//! Whom TLS trusts: the certificates of a file, or else the system's.

use super::SinkError;
use rustls::crypto::CryptoProvider;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use std::path::Path;
use std::sync::Arc;

pub(super) fn trusted(ca_file: Option<&Path>) -> Result<Vec<CertificateDer<'static>>, SinkError> {
    let Some(path) = ca_file else {
        let found = rustls_native_certs::load_native_certs();
        if found.certs.is_empty() {
            let message =
                "the system has no certificates to trust; install them (Debian: ca-certificates) or set `ca_file`";
            return Err(SinkError::Tls(message.to_owned()));
        }
        return Ok(found.certs);
    };
    let refuse = |message: String| SinkError::File { path: path.to_owned(), message };
    let mut found = Vec::new();
    let read = |error| refuse(format!("the certificates cannot be read: {error}; `ca_file` names a file of PEM"));
    for certificate in CertificateDer::pem_file_iter(path).map_err(read)? {
        found.push(certificate.map_err(read)?);
    }
    if found.is_empty() {
        return Err(refuse("holds no certificate; `ca_file` names a file of PEM certificates".to_owned()));
    }
    Ok(found)
}

pub(super) fn provider() -> Arc<CryptoProvider> {
    Arc::new(rustls::crypto::ring::default_provider())
}
