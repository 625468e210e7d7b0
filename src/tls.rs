//! TLS, as both ports speak it: which cryptography it uses, certificates that are read again when their files change, and what
//! clients showed of themselves. Must not know who may call.

pub mod certificates;
mod credentials;

use rustls::pki_types::CertificateDer;
use tokio::net::TcpStream;
use tokio_rustls::server::TlsStream;
use tokio_util::either::Either;

pub use certificates::{Certificates, Error, Files, Listener, names};
pub use credentials::{Credentials, InForce};

/// What a connection runs over: plain text, or TLS.
pub type Io = Either<TcpStream, TlsStream<TcpStream>>;

/// Makes ring the provider of every TLS connection. Clients that are built without a provider of their own need it
/// first; a second call changes nothing.
pub fn install() {
    if rustls::crypto::CryptoProvider::get_default().is_none() {
        // Losing a race against another caller is as good: that one has installed the same.
        let _ = rustls::crypto::ring::default_provider().install_default();
    }
}

/// What a client showed of itself in the handshake.
pub fn shown(io: &Io) -> Option<&[CertificateDer<'static>]> {
    match io {
        Either::Left(_) => None,
        Either::Right(stream) => stream.get_ref().1.peer_certificates(),
    }
}
