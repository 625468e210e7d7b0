//! An authority and the certificates that it gives, made when a test needs them: none expires in the repository.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use rcgen::{
    BasicConstraints, CertificateParams, CertificateRevocationListParams, DnType,
    ExtendedKeyUsagePurpose, IsCa, Issuer, KeyIdMethod, KeyPair, KeyUsagePurpose,
    RevokedCertParams, SanType, SerialNumber,
};

/// A moment as certificates have it.
macro_rules! at {
    ($moment:expr) => {{
        let since = $moment.duration_since(SystemTime::UNIX_EPOCH).unwrap();
        rcgen::date_time_ymd(1970, 1, 1) + since
    }};
}

/// An authority.
pub struct Authority {
    issuer: Issuer<'static, KeyPair>,
    pem: String,
}

/// A certificate and its key, as PEM.
pub struct Identity {
    pub cert: String,
    pub key: String,
}

/// Where a certificate, its key, and the authority to trust are.
pub struct Files {
    pub cert: PathBuf,
    pub key: PathBuf,
    pub ca: PathBuf,
}

impl Authority {
    pub fn new() -> Self {
        let key = KeyPair::generate().unwrap();
        let mut params = CertificateParams::default();
        params
            .distinguished_name
            .push(DnType::CommonName, "Test Authority");
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
        let pem = params.self_signed(&key).unwrap().pem();
        Self {
            issuer: Issuer::new(params, key),
            pem,
        }
    }

    /// Its own certificate.
    pub fn pem(&self) -> &str {
        &self.pem
    }

    /// A certificate for these names: URIs where they have a scheme, addresses, else DNS names. It serves both ends.
    pub fn identity(&self, names: &[&str]) -> Identity {
        self.identity_until(names, SystemTime::UNIX_EPOCH + Duration::from_secs(1 << 33))
    }

    /// A certificate that ends then.
    pub fn identity_until(&self, names: &[&str], end: SystemTime) -> Identity {
        let key = KeyPair::generate().unwrap();
        let mut params = CertificateParams::default();
        let common_name = names.first().copied().unwrap_or("nobody");
        params
            .distinguished_name
            .push(DnType::CommonName, common_name);
        params.subject_alt_names = names.iter().map(|name| san(name)).collect();
        params.not_after = at!(end);
        params.use_authority_key_identifier_extension = true;
        params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        params.extended_key_usages = vec![
            ExtendedKeyUsagePurpose::ServerAuth,
            ExtendedKeyUsagePurpose::ClientAuth,
        ];
        Identity {
            cert: params.signed_by(&key, &self.issuer).unwrap().pem(),
            key: key.serialize_pem(),
        }
    }

    /// The list of those of its certificates that it takes back, as PEM.
    pub fn revocations(&self, revoked: &[&Identity]) -> String {
        let now = SystemTime::now();
        let revoked_certs = revoked.iter().map(|identity| RevokedCertParams {
            serial_number: serial(&identity.cert),
            revocation_time: at!(now),
            reason_code: None,
            invalidity_date: None,
        });
        let list = CertificateRevocationListParams {
            this_update: at!(now),
            next_update: at!(now + Duration::from_secs(3600)),
            crl_number: SerialNumber::from(1),
            issuing_distribution_point: None,
            revoked_certs: revoked_certs.collect(),
            key_identifier_method: KeyIdMethod::Sha256,
        };
        list.signed_by(&self.issuer).unwrap().pem().unwrap()
    }

    /// Writes an identity, and this authority beside it, to files named after `name`.
    pub fn write(&self, identity: &Identity, folder: &Path, name: &str) -> Files {
        let files = Files {
            cert: folder.join(format!("{name}.pem")),
            key: folder.join(format!("{name}.key")),
            ca: folder.join(format!("{name}-ca.pem")),
        };
        fs::write(&files.cert, &identity.cert).unwrap();
        fs::write(&files.key, &identity.key).unwrap();
        fs::write(&files.ca, &self.pem).unwrap();
        files
    }
}

fn serial(pem: &str) -> SerialNumber {
    let (_, pem) = x509_parser::pem::parse_x509_pem(pem.as_bytes()).unwrap();
    let serial = pem.parse_x509().unwrap().raw_serial().to_vec();
    SerialNumber::from(serial)
}

fn san(name: &str) -> SanType {
    if name.contains("://") {
        return SanType::URI(name.try_into().unwrap());
    }
    match name.parse() {
        Ok(address) => SanType::IpAddress(address),
        Err(_) => SanType::DnsName(name.try_into().unwrap()),
    }
}
