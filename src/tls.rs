//! Which cryptography TLS uses: one provider for the whole process. Must not configure anybody's connections.

/// Makes ring the provider of every TLS connection. Clients that are built without a provider of their own need it
/// first; a second call changes nothing.
pub fn install() {
    if rustls::crypto::CryptoProvider::get_default().is_none() {
        // Losing a race against another caller is as good: that one has installed the same.
        let _ = rustls::crypto::ring::default_provider().install_default();
    }
}
