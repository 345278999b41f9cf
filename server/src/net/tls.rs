//! TLS: a certificate, its key, and the versions that are spoken.

use std::fmt;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustls_pki_types::pem::{self, PemObject as _};
use rustls_pki_types::{CertificateDer, PrivateKeyDer};
use tokio_rustls::rustls::crypto::ring;
use tokio_rustls::rustls::{self, ServerConfig};

/// Why TLS cannot be had.
#[derive(Debug)]
pub enum TlsFault {
    /// The file cannot be read.
    Unreadable(PathBuf, io::Error),
    /// The file is no PEM, or broken PEM.
    NotPem(PathBuf),
    /// There is no `CERTIFICATE` in the file.
    NoCertificate(PathBuf),
    /// There is no key in the file.
    NoKey(PathBuf),
    /// Certificate and key are not taken, or do not belong to each other.
    Refused(rustls::Error),
}

impl fmt::Display for TlsFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            TlsFault::Unreadable(path, error) => write!(f, "{}: {error}", path.display()),
            TlsFault::NotPem(path) => write!(f, "{}: not a PEM file, or a broken one", path.display()),
            TlsFault::NoCertificate(path) => {
                write!(
                    f,
                    "{}: expected a certificate (-----BEGIN CERTIFICATE-----)",
                    path.display()
                )
            }
            TlsFault::NoKey(path) => write!(
                f,
                "{}: expected an unencrypted private key (PRIVATE KEY, RSA PRIVATE KEY or EC PRIVATE KEY)",
                path.display()
            ),
            TlsFault::Refused(rustls::Error::InconsistentKeys(_)) => {
                f.write_str("the key is not the key of the first certificate")
            }
            TlsFault::Refused(error) => write!(f, "certificate or key cannot be used: {error}"),
        }
    }
}

impl std::error::Error for TlsFault {}

/// Reads a chain of certificates, the server's own first, and its key (PKCS #8, PKCS #1 or SEC 1), both PEM, which may
/// be one file. TLS 1.2 and 1.3 are spoken, HTTP/2 and HTTP/1.1 offered. Reads files: not for async threads.
///
/// # Errors
///
/// What is wrong with which file.
pub fn load(certificates: &Path, key: &Path) -> Result<Arc<ServerConfig>, TlsFault> {
    let chain = read(certificates)?;
    let chain: Vec<CertificateDer<'static>> = CertificateDer::pem_slice_iter(&chain)
        .collect::<Result<_, _>>()
        .map_err(|_| TlsFault::NotPem(certificates.to_owned()))?;
    if chain.is_empty() {
        return Err(TlsFault::NoCertificate(certificates.to_owned()));
    }
    let secret = PrivateKeyDer::from_pem_slice(&read(key)?).map_err(|error| match error {
        pem::Error::NoItemsFound => TlsFault::NoKey(key.to_owned()),
        _ => TlsFault::NotPem(key.to_owned()),
    })?;
    // Named, not the process's default: another crate may have installed another, or none.
    let mut config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_protocol_versions(&[&rustls::version::TLS13, &rustls::version::TLS12])
        .map_err(TlsFault::Refused)?
        .with_no_client_auth()
        .with_single_cert(chain, secret)
        .map_err(TlsFault::Refused)?;
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    Ok(Arc::new(config))
}

fn read(path: &Path) -> Result<Vec<u8>, TlsFault> {
    std::fs::read(path).map_err(|error| TlsFault::Unreadable(path.to_owned(), error))
}
