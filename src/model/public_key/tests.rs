use rcgen::{KeyPair, PKCS_ECDSA_P256_SHA256, PKCS_ECDSA_P384_SHA384, PublicKeyData};
use serde_json::{Value, json};
use x509_parser::prelude::FromDer;

use super::*;

fn of(jwk: &Value) -> Option<PublicKey> {
    PublicKey::of_jwk(|name| jwk[name].as_str().map(ToOwned::to_owned))
}

fn coded(bytes: &[u8]) -> String {
    URL_SAFE_NO_PAD.encode(bytes)
}

#[test]
fn a_point_is_the_key_that_a_pem_has() {
    for (algorithm, curve, length) in [
        (&PKCS_ECDSA_P256_SHA256, "P-256", 32),
        (&PKCS_ECDSA_P384_SHA384, "P-384", 48),
    ] {
        let pair = KeyPair::generate_for(algorithm).unwrap();
        let (x, y) = pair.der_bytes()[1..].split_at(length);
        let read = of(&json!({"kty": "EC", "crv": curve, "x": coded(x), "y": coded(y)})).unwrap();
        let same = PublicKey::of_pem(&pair.public_key_pem()).unwrap();
        assert_eq!((read.der, read.algorithms), (same.der, same.algorithms));
    }
}

#[test]
fn numbers_of_rsa_are_written_as_a_pem_has_them() {
    // Of a key that was made for this, with its highest bit set.
    const PEM: &str = "-----BEGIN PUBLIC KEY-----\nMIIBIjANBgkqhkiG9w0BAQEFAAOCAQ8AMIIBCgKCAQEAklSKuMbaJHlBR7Etuxc8\nWlMrPWr2pITiGJEj6t2sGsRR5YCKvKdVfrTzndS5vmMWgpSMJZkbaEOtCBTBVR1W\nypmhUv9/XovZKa4xZy8W49g/iBUb9VYejsXUN/RGwavMjphFoV5GGaMKYaKkQsAi\ns7ebI5rxwkf/Qvul+yWU6QYPDEHKBCKHyRI7agyWJh44Z7JXrN8HPZta3zpa/dWh\nVLOaIzkrmDPYHyXG5+QiHzfiWG7GjHj0MDrijv7fUoA3OXlcvdMWuh7T2IsvHVNJ\nsTQSfsnl6Ro63NX4N7NUSbJgIvTSNtBk9FD1rJQ+IXTgKJvuQn8rsbJw7fnlTzWr\nawIDAQAB\n-----END PUBLIC KEY-----\n";
    let whole = PublicKey::of_pem(PEM).unwrap();
    let (_, info) = SubjectPublicKeyInfo::from_der(&whole.der).unwrap();
    let Parsed::RSA(numbers) = info.parsed().unwrap() else {
        panic!("no key of RSA");
    };
    let key = |n: &[u8]| json!({"kty": "RSA", "n": coded(n), "e": coded(numbers.exponent)});
    // A sign that is not needed is none of the number.
    for n in [numbers.modulus, &numbers.modulus[1..]] {
        let read = of(&key(n)).unwrap();
        assert_eq!(
            (read.der, read.algorithms),
            (whole.der.clone(), whole.algorithms)
        );
    }
    let short = of(&key(&numbers.modulus[..100]));
    assert!(short.is_none(), "{short:?}");
}

#[test]
fn what_verifies_nothing_is_none() {
    let x = coded(&[1; 32]);
    for jwk in [
        json!({}),
        json!({"kty": "oct", "k": "AA"}),
        json!({"kty": "OKP", "crv": "Ed25519", "x": x}),
        json!({"kty": "EC", "crv": "P-256", "x": x}),
        json!({"kty": "EC", "crv": "P-256", "x": x, "y": "AA"}),
        json!({"kty": "EC", "crv": "secp256k1", "x": x, "y": x}),
        json!({"kty": "RSA", "n": "", "e": ""}),
        json!({"kty": "RSA", "n": "?", "e": "AQAB"}),
        json!({"kty": "RSA", "n": coded(&[255; 4096]), "e": "AQAB"}),
    ] {
        assert!(of(&jwk).is_none(), "{jwk}");
    }
}
