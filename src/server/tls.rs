//! Certificate and key, read again when their files change, so that a renewed certificate needs no restart.

use std::fs;
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::SystemTime;

use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::ServerConfig;
use tokio_rustls::rustls::crypto::ring;
use tokio_rustls::rustls::pki_types::pem::PemObject;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer};

use super::config::Tls;
use super::error::ServeError;

/// The files, and what was read of them last.
pub(super) struct TlsFiles {
    files: Tls,
    current: Mutex<Current>,
}

struct Current {
    /// Of the files that were read last, whether they could be used or not.
    stamp: Stamp,
    acceptor: TlsAcceptor,
}

/// By which a file is known to have changed.
type Stamp = [Option<(SystemTime, u64)>; 2];

impl std::fmt::Debug for TlsFiles {
    /// Without the key.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.files.fmt(f)
    }
}

impl TlsFiles {
    /// # Errors
    /// [`ServeError::Tls`] if the files cannot be used.
    pub(super) fn read(files: &Tls) -> Result<Self, ServeError> {
        let current = Current { stamp: stamp(files), acceptor: acceptor(files)? };
        Ok(Self { files: files.clone(), current: Mutex::new(current) })
    }

    /// For the next connection.
    pub(super) fn acceptor(&self) -> TlsAcceptor {
        self.current().acceptor.clone()
    }

    /// Reads the files again if they have changed; true if they had.
    ///
    /// # Errors
    /// [`ServeError::Tls`] if they cannot be used: one file may have been replaced, and the other not yet. What was read before
    /// stays in use, and they are read again at their next change.
    pub(super) fn refresh(&self) -> Result<bool, ServeError> {
        let stamp = stamp(&self.files);
        if self.current().stamp == stamp {
            return Ok(false);
        }
        let acceptor = acceptor(&self.files);
        let mut current = self.current();
        current.stamp = stamp;
        current.acceptor = acceptor?;
        Ok(true)
    }

    fn current(&self) -> MutexGuard<'_, Current> {
        self.current.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn stamp(files: &Tls) -> Stamp {
    [&files.certificate, &files.key].map(|path| {
        let metadata = fs::metadata(path).ok()?;
        Some((metadata.modified().ok()?, metadata.len()))
    })
}

fn acceptor(tls: &Tls) -> Result<TlsAcceptor, ServeError> {
    let wrong = |path: &Path, what: String| ServeError::Tls(path.to_owned(), what);
    let certificates = CertificateDer::pem_file_iter(&tls.certificate)
        .and_then(Iterator::collect::<Result<Vec<_>, _>>)
        .map_err(|error| wrong(&tls.certificate, format!("could not read the certificate: {error}")))?;
    let key = PrivateKeyDer::from_pem_file(&tls.key)
        .map_err(|error| wrong(&tls.key, format!("could not read the key: {error}")))?;
    let config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .and_then(|builder| builder.with_no_client_auth().with_single_cert(certificates, key))
        .map_err(|error| wrong(&tls.certificate, format!("the certificate and its key cannot be used: {error}")))?;
    Ok(TlsAcceptor::from(Arc::new(config)))
}
