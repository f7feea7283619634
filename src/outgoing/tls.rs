//! TLS towards others: whom we trust, read once and only when it is needed.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use tokio::net::TcpStream;
use tokio::sync::OnceCell;
use tokio::task::spawn_blocking;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;
use tokio_rustls::rustls::crypto::ring as with_ring;
use tokio_rustls::rustls::pki_types::pem::PemObject as _;
use tokio_rustls::rustls::pki_types::{CertificateDer, ServerName};
use tokio_rustls::rustls::{ClientConfig, RootCertStore};

/// Opens TLS connections.
pub(super) struct Tls {
    own_roots: Option<PathBuf>,
    /// The system's list takes tens of milliseconds to read, which a server that fetches nothing never pays.
    connector: OnceCell<TlsConnector>,
}

impl Tls {
    /// `own_roots` is a PEM file of authorities that are trusted besides the system's.
    pub(super) fn new(own_roots: Option<PathBuf>) -> Self {
        Self { own_roots, connector: OnceCell::new() }
    }

    /// TLS 1.2 or 1.3 over an open connection to the server of that name or address.
    pub(super) async fn connect(&self, host: &str, stream: TcpStream) -> io::Result<TlsStream<TcpStream>> {
        let bare = host.strip_prefix('[').and_then(|host| host.strip_suffix(']')).unwrap_or(host);
        let name = ServerName::try_from(bare.to_owned()).map_err(io::Error::other)?;
        let connector = self.connector.get_or_try_init(|| make(self.own_roots.clone())).await?;
        connector.connect(name, stream).await
    }
}

async fn make(own_roots: Option<PathBuf>) -> io::Result<TlsConnector> {
    let roots = spawn_blocking(move || roots(own_roots.as_deref())).await.map_err(io::Error::other)??;
    let mut config = ClientConfig::builder_with_provider(Arc::new(with_ring::default_provider()))
        .with_safe_default_protocol_versions()
        .map_err(io::Error::other)?
        .with_root_certificates(roots)
        .with_no_client_auth();
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    Ok(TlsConnector::from(Arc::new(config)))
}

fn roots(own: Option<&Path>) -> io::Result<RootCertStore> {
    let mut roots = RootCertStore::empty();
    // A certificate of the system's that cannot be read is not trusted; the others are.
    roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
    if roots.is_empty() {
        roots.extend(webpki_roots::TLS_SERVER_ROOTS.iter().cloned());
    }
    if let Some(path) = own {
        for certificate in authorities(path)? {
            roots.add(certificate).map_err(io::Error::other)?;
        }
    }
    Ok(roots)
}

/// The certificates of a PEM file, of which there is at least one.
pub(super) fn authorities(path: &Path) -> io::Result<Vec<CertificateDer<'static>>> {
    let certificates: Vec<_> = CertificateDer::pem_file_iter(path)
        .and_then(Iterator::collect)
        .map_err(|source| io::Error::other(source.to_string()))?;
    if certificates.is_empty() {
        return Err(io::Error::other("there is no certificate in it"));
    }
    Ok(certificates)
}
