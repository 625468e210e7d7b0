//! An ssl document as it is written.

use std::sync::Arc;

use schemars::{JsonSchema, Schema, SchemaGenerator};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{Clients, Draft, Ssl, Type, Versions};
use crate::model::Host;
use crate::model::bookkeeping;
use crate::model::bounds::{GATEWAYS, List};
use crate::model::certificate::{Certificates, Identity, PrivateKey};
use crate::model::decode::{self, quoted};
use crate::model::key::{Id, Key};
use crate::model::problem::Remark;
use crate::model::scalar::{Status, Timestamp, Within, each_once};

/// Further certificates that a document may have.
const IDENTITIES: usize = 16;

/// A certificate that a gateway shows to clients, or that is shown to upstreams.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, expecting = "an object")]
struct Form {
    /// What older versions of APISIX note of the certificate, which says so itself.
    #[serde(rename = "validity_start")]
    _validity_start: Option<Timestamp>,
    /// What older versions of APISIX note of the certificate, which says so itself.
    #[serde(rename = "validity_end")]
    _validity_end: Option<Timestamp>,
    /// Whom the certificate is for: `server` shows it to clients, `client` to the upstreams that refer to it.
    #[serde(default, rename = "type")]
    of: TypeForm,
    /// The certificate, with what signed it, as PEM.
    cert: Certificates,
    /// Its private key, as PEM.
    key: PrivateKey,
    /// Further certificates, for other types of keys.
    #[serde(default)]
    certs: List<Certificates, IDENTITIES>,
    /// Their private keys, in the same order.
    #[serde(default)]
    keys: List<PrivateKey, IDENTITIES>,
    /// The name that clients ask for: `www.example.com`, `*.example.com`, or `*` for every name and for none.
    sni: Option<Sni>,
    /// Several names.
    snis: Option<Vec<Sni>>,
    /// Who clients have to be; anybody when absent.
    client: Option<ClientForm>,
    /// What is spoken: TLSv1.2, TLSv1.3.
    ssl_protocols: Option<Vec<Protocol>>,
    /// 0 is as if deleted.
    status: Option<Status>,
    /// The gateways that show it; all when absent.
    #[serde(default)]
    gateways: List<Id, GATEWAYS>,
}

impl decode::Form for Form {}

impl bookkeeping::Kept for Form {}

#[derive(Debug, Default, Clone, Copy, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
enum TypeForm {
    #[default]
    Server,
    Client,
}

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, expecting = "an object")]
struct ClientForm {
    /// Who has to have signed the certificates of clients, as PEM.
    ca: Certificates,
    /// How many certificates may stand between the two; 1 when absent.
    depth: Option<Within<0, 100>>,
    /// Not served.
    skip_mtls_uri_regex: Option<Vec<String>>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
enum Protocol {
    #[serde(rename = "TLSv1.1")]
    Tls11,
    #[serde(rename = "TLSv1.2")]
    Tls12,
    #[serde(rename = "TLSv1.3")]
    Tls13,
}

/// A name that clients ask for.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord, Deserialize, JsonSchema)]
#[serde(try_from = "String")]
#[schemars(with = "String")]
enum Sni {
    Any,
    Of(Host),
}

impl TryFrom<String> for Sni {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        if text == "*" {
            return Ok(Self::Any);
        }
        let shown = quoted(&text);
        // A name that ends with the root's dot is the same name.
        let name = text.strip_suffix('.').unwrap_or(&text).to_owned();
        Host::try_from(name).map(Self::Of).map_err(|_| {
            format!("found {shown}, allowed: a name such as \"www.example.com\", \"*.example.com\", or \"*\"")
        })
    }
}

pub(crate) fn schema(generator: &mut SchemaGenerator) -> Schema {
    bookkeeping::schema::<Form>(generator)
}

pub(crate) fn read(key: &Key, value: &Value, warnings: &mut Vec<Remark>) -> Result<Draft, Remark> {
    let (form, _) = bookkeeping::read::<Form>(key, value)?;
    each_once("gateways", &form.gateways.0)?;
    let enabled = form.status != Some(Status(0));
    let of = match form.of {
        TypeForm::Client => Type::Client(form.client_identity()?),
        TypeForm::Server => Type::Server(Arc::new(form.server(key, warnings)?)),
    };
    Ok(Draft { enabled, of })
}

impl Form {
    fn client_identity(self) -> Result<Identity, Remark> {
        let server_only = [
            ("sni", self.sni.is_some()),
            ("snis", self.snis.is_some()),
            ("client", self.client.is_some()),
            ("certs", !self.certs.0.is_empty()),
            ("keys", !self.keys.0.is_empty()),
            ("ssl_protocols", self.ssl_protocols.is_some()),
            // Who uses it is said by the upstreams that refer to it.
            ("gateways", !self.gateways.0.is_empty()),
        ];
        if let Some((field, _)) = server_only.into_iter().find(|(_, found)| *found) {
            let message = "found in a document of `type: client`, allowed: `cert` and `key` only";
            return Err(Remark::new(field, message));
        }
        Identity::new(self.cert, self.key).map_err(|said| Remark::new("key", said))
    }

    fn server(self, key: &Key, warnings: &mut Vec<Remark>) -> Result<Ssl, Remark> {
        let snis = snis(self.sni, self.snis)?;
        let identities = identities(self.cert, self.key, self.certs.0, self.keys.0)?;
        let (mut names, mut uncovered) = (Vec::new(), Vec::new());
        for (at, sni) in snis.iter().enumerate() {
            let Sni::Of(name) = sni else { continue };
            let covers = |identity: &Identity| identity.certificates.covers(name);
            if !identities.iter().any(covers) {
                uncovered.push(at);
            }
            names.push(name.clone());
        }
        if let [first, others @ ..] = uncovered.as_slice() {
            let others = match others.len() {
                0 => String::new(),
                count => format!(", and {count} more of the names"),
            };
            let message = format!(
                "stands in no certificate of the document: clients that verify refuse it{others}"
            );
            warnings.push(Remark::new(format!("snis[{first}]"), message));
        }
        Ok(Ssl {
            id: key.id.clone(),
            gateways: self.gateways.0,
            any_name: snis.contains(&Sni::Any),
            names,
            identities,
            clients: self.client.map(ClientForm::checked).transpose()?,
            versions: versions(self.ssl_protocols.as_deref(), warnings)?,
        })
    }
}

fn snis(one: Option<Sni>, many: Option<Vec<Sni>>) -> Result<Vec<Sni>, Remark> {
    let snis = match (one, many) {
        (Some(_), Some(_)) => {
            let message = "found beside `sni`, allowed: one of the two";
            return Err(Remark::new("snis", message));
        }
        (Some(one), None) => vec![one],
        (None, many) => many.unwrap_or_default(),
    };
    if snis.is_empty() {
        let message = "is missing, and `snis` is as well: for which names is the certificate?";
        return Err(Remark::new("sni", message));
    }
    each_once("snis", &snis).map(|()| snis)
}

fn identities(
    cert: Certificates,
    key: PrivateKey,
    certs: Vec<Certificates>,
    keys: Vec<PrivateKey>,
) -> Result<Vec<Identity>, Remark> {
    if certs.len() != keys.len() {
        let message = format!(
            "found {} beside {} `certs`, allowed: one for each",
            keys.len(),
            certs.len()
        );
        return Err(Remark::new("keys", message));
    }
    let first = Identity::new(cert, key).map_err(|said| Remark::new("key", said))?;
    let mut identities = vec![first];
    for (at, (cert, key)) in certs.into_iter().zip(keys).enumerate() {
        let wrong = |said| Remark::new(format!("keys[{at}]"), said);
        identities.push(Identity::new(cert, key).map_err(wrong)?);
    }
    Ok(identities)
}

impl ClientForm {
    fn checked(self) -> Result<Clients, Remark> {
        if self.skip_mtls_uri_regex.is_some() {
            let message =
                "is not served: Envoy asks for the client's certificate before there is a URI";
            return Err(Remark::new("client.skip_mtls_uri_regex", message));
        }
        Ok(Clients {
            authorities: self.ca,
            depth: self.depth.map_or(1, |depth| depth.0),
        })
    }
}

fn versions(written: Option<&[Protocol]>, warnings: &mut Vec<Remark>) -> Result<Versions, Remark> {
    let Some(written) = written else {
        return Ok(Versions::default());
    };
    let has = |protocol| written.contains(&protocol);
    let versions = match (has(Protocol::Tls12), has(Protocol::Tls13)) {
        (true, true) => Versions::Both,
        (true, false) => Versions::Only12,
        (false, true) => Versions::Only13,
        (false, false) => {
            let message = "leaves no safe version, allowed: TLSv1.2, TLSv1.3";
            return Err(Remark::new("ssl_protocols", message));
        }
    };
    if has(Protocol::Tls11) {
        let message = "TLSv1.1 is not spoken, as it is not safe; the others are";
        warnings.push(Remark::new("ssl_protocols", message));
    }
    Ok(versions)
}
