//! Whether clients would believe a server's certificate, by whose list of authorities, and if not, what is wrong with it.
//!
//! `tls.rs` connects or does not; here somebody wants to know why. The checks are the same, those of rustls.

use std::fmt;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use tokio::net::TcpStream;
use tokio::sync::OnceCell;
use tokio::task::spawn_blocking;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;
use tokio_rustls::rustls::client::WebPkiServerVerifier;
use tokio_rustls::rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use tokio_rustls::rustls::crypto::ring as with_ring;
use tokio_rustls::rustls::crypto::{
    WebPkiSupportedAlgorithms, verify_tls12_signature, verify_tls13_signature,
};
use tokio_rustls::rustls::pki_types::{CertificateDer, ServerName, UnixTime as TlsTime};
use tokio_rustls::rustls::{
    CertificateError, ClientConfig, DigitallySignedStruct, Error, RootCertStore, SignatureScheme,
};

use super::certificate::Certificate;
use super::tls::authorities;
use crate::clock::UnixTime;

/// By whose list of authorities a certificate is believed, the widest first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Trust {
    /// Mozilla's, which browsers, Node and Python bring along.
    Web,
    /// This machine's, and not Mozilla's.
    Machine,
    /// Only what the caller named.
    Named,
}

/// Why there is no TLS connection that a client would use.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TlsRefusal {
    /// The certificate was valid until then.
    Expired(UnixTime),
    /// The certificate is valid from then on.
    NotYetValid(UnixTime),
    /// The certificate is for these names, and not for the one that was asked.
    WrongName(Vec<String>),
    /// The certificate is signed by its own key; whom it says that it is of.
    SelfSigned(String),
    /// The certificate is of an authority that is on no list.
    AuthorityUnknown(String),
    /// The server keeps to itself the certificate of the authority that signed its own.
    ChainIncomplete(String),
    /// What answers does not speak TLS.
    NotTls,
    /// Anything else, in the words of whoever complained.
    Other(String),
}

impl fmt::Display for TlsRefusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Expired(end) => write!(f, "its certificate expired at {end}"),
            Self::NotYetValid(begin) => write!(f, "its certificate is valid from {begin} on, and not yet"),
            Self::WrongName(names) if names.is_empty() => {
                f.write_str("its certificate is for no name at all")
            }
            Self::WrongName(names) => write!(f, "its certificate is for {}", names.join(", ")),
            Self::SelfSigned(subject) => write!(f, "its certificate is signed by itself ({subject})"),
            Self::AuthorityUnknown(issuer) => {
                write!(f, "its certificate is of an authority that nobody knows ({issuer})")
            }
            Self::ChainIncomplete(issuer) => {
                write!(f, "it does not send the certificate of {issuer}, which signed its own")
            }
            Self::NotTls => f.write_str("what answers there does not speak TLS"),
            Self::Other(why) => write!(f, "TLS failed: {why}"),
        }
    }
}

/// Opens TLS connections, and says whose list they rest on.
pub(super) struct TrustLists {
    named: Option<PathBuf>,
    loaded: OnceCell<Arc<[List]>>,
}

#[derive(Debug)]
struct List {
    trust: Trust,
    verifier: Arc<WebPkiServerVerifier>,
}

impl TrustLists {
    /// `named` is a PEM file of authorities that are believed besides.
    pub(super) fn new(named: Option<PathBuf>) -> Self {
        Self { named, loaded: OnceCell::new() }
    }

    /// TLS 1.2 or 1.3 over an open connection to the server of that name or address.
    pub(super) async fn connect(
        &self,
        host: &str,
        stream: TcpStream,
    ) -> Result<(TlsStream<TcpStream>, Trust), TlsRefusal> {
        let other = |why: &dyn fmt::Display| TlsRefusal::Other(why.to_string());
        let bare = host.strip_prefix('[').and_then(|host| host.strip_suffix(']')).unwrap_or(host);
        let name = ServerName::try_from(bare.to_owned()).map_err(|why| other(&why))?;
        let load = || async {
            let named = self.named.clone();
            spawn_blocking(move || load(named.as_deref())).await.map_err(io::Error::other)?
        };
        let lists = self.loaded.get_or_try_init(load).await.map_err(|why| other(&why))?;
        let provider = with_ring::default_provider();
        let algorithms = provider.signature_verification_algorithms;
        let witness = Arc::new(Witness { lists: Arc::clone(lists), algorithms, verdict: Mutex::new(None) });
        let mut config = ClientConfig::builder_with_provider(Arc::new(provider))
            .with_safe_default_protocol_versions()
            .map_err(|why| other(&why))?
            .dangerous()
            .with_custom_certificate_verifier(Arc::clone(&witness) as Arc<dyn ServerCertVerifier>)
            .with_no_client_auth();
        config.alpn_protocols = vec![b"http/1.1".to_vec()];
        let connected = TlsConnector::from(Arc::new(config)).connect(name, stream).await;
        match (connected, witness.verdict()) {
            (Ok(stream), Some(Ok(trust))) => Ok((stream, trust)),
            (_, Some(Err(refusal))) => Err(refusal),
            (Err(why), _) => Err(handshake_refusal(&why)),
            // rustls asks the verifier in every full handshake, and there is nothing here to resume.
            (Ok(_), None) => Err(TlsRefusal::Other("the server showed no certificate".to_owned())),
        }
    }
}

/// Mozilla's list, then the machine's, then the one that was named.
fn load(named: Option<&Path>) -> io::Result<Arc<[List]>> {
    let mut web = RootCertStore::empty();
    web.extend(webpki_roots::TLS_SERVER_ROOTS.iter().cloned());
    let mut machine = RootCertStore::empty();
    machine.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
    let mut own = RootCertStore::empty();
    if let Some(path) = named {
        for certificate in authorities(path)? {
            own.add(certificate).map_err(io::Error::other)?;
        }
    }
    let lists = [(Trust::Web, web), (Trust::Machine, machine), (Trust::Named, own)];
    let lists = lists.into_iter().filter(|(_, roots)| !roots.is_empty());
    lists
        .map(|(trust, roots)| {
            let provider = Arc::new(with_ring::default_provider());
            let verifier = WebPkiServerVerifier::builder_with_provider(Arc::new(roots), provider).build();
            Ok(List { trust, verifier: verifier.map_err(io::Error::other)? })
        })
        .collect()
}

/// A failure that is not the certificate's.
fn handshake_refusal(why: &io::Error) -> TlsRefusal {
    let inner = why.get_ref().and_then(|inner| inner.downcast_ref::<Error>());
    match inner {
        Some(Error::InvalidMessage(_)) => TlsRefusal::NotTls,
        Some(Error::AlertReceived(alert)) => {
            TlsRefusal::Other(format!("the server broke the handshake off ({alert:?})"))
        }
        Some(other) => TlsRefusal::Other(other.to_string()),
        None => TlsRefusal::Other(why.to_string()),
    }
}

/// Checks a certificate by each list, and remembers what came of it.
#[derive(Debug)]
struct Witness {
    lists: Arc<[List]>,
    algorithms: WebPkiSupportedAlgorithms,
    verdict: Mutex<Option<Result<Trust, TlsRefusal>>>,
}

impl Witness {
    fn verdict(&self) -> Option<Result<Trust, TlsRefusal>> {
        self.verdict.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn conclude(&self, verdict: Result<Trust, TlsRefusal>) {
        *self.verdict.lock().unwrap_or_else(PoisonError::into_inner) = Some(verdict);
    }
}

impl ServerCertVerifier for Witness {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        server_name: &ServerName<'_>,
        ocsp_response: &[u8],
        now: TlsTime,
    ) -> Result<ServerCertVerified, Error> {
        const UNKNOWN_ISSUER: Error = Error::InvalidCertificate(CertificateError::UnknownIssuer);
        let mut refusal = UNKNOWN_ISSUER;
        for List { trust, verifier } in self.lists.iter() {
            match verifier.verify_server_cert(end_entity, intermediates, server_name, ocsp_response, now) {
                Ok(verified) => {
                    self.conclude(Ok(*trust));
                    return Ok(verified);
                }
                // That its authority is not on this list says the least.
                Err(why) if why == UNKNOWN_ISSUER => {}
                Err(why) => refusal = why,
            }
        }
        self.conclude(Err(certificate_refusal(&refusal, end_entity, intermediates)));
        Err(refusal)
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls12_signature(message, certificate, signed, &self.algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls13_signature(message, certificate, signed, &self.algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.algorithms.supported_schemes()
    }
}

/// What is wrong with a chain of certificates, in words that say what to mend.
fn certificate_refusal(
    why: &Error,
    end_entity: &CertificateDer<'_>,
    intermediates: &[CertificateDer<'_>],
) -> TlsRefusal {
    let Error::InvalidCertificate(why) = why else { return TlsRefusal::Other(why.to_string()) };
    match why {
        CertificateError::ExpiredContext { not_after, .. } => TlsRefusal::Expired(instant(*not_after)),
        CertificateError::NotValidYetContext { not_before, .. } => {
            TlsRefusal::NotYetValid(instant(*not_before))
        }
        CertificateError::NotValidForNameContext { presented, .. } => {
            TlsRefusal::WrongName(presented.iter().map(|name| plain_name(name)).collect())
        }
        // A certificate that is its own authority is often refused for that, before anybody looks for its issuer.
        _ => {
            let Some(own) = Certificate::read(end_entity) else { return TlsRefusal::Other(why.to_string()) };
            if own.is_its_own_issuer() {
                return TlsRefusal::SelfSigned(own.subject_name());
            }
            if *why != CertificateError::UnknownIssuer {
                return TlsRefusal::Other(why.to_string());
            }
            // Whoever says where its issuer's certificate is means one that belongs to the chain.
            if intermediates.is_empty() && own.tells_of_its_issuer() {
                return TlsRefusal::ChainIncomplete(own.issuer_name());
            }
            let last = intermediates.last().and_then(|last| Certificate::read(last)).unwrap_or(own);
            TlsRefusal::AuthorityUnknown(last.issuer_name())
        }
    }
}

fn instant(time: TlsTime) -> UnixTime {
    UnixTime::new(i64::try_from(time.as_secs()).unwrap_or(i64::MAX))
}

/// `DnsName("notes.example")` and `IpAddress(192.0.2.7)` without their wrapping.
fn plain_name(name: &str) -> String {
    let inner = name.split_once('(').and_then(|(_, rest)| rest.strip_suffix(')')).unwrap_or(name);
    inner.trim_matches('"').to_owned()
}
