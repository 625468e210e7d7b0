//! A `SubjectPublicKeyInfo` (RFC 5280) made of a key's numbers.

/// `rsaEncryption`, with its parameters, which are none.
const RSA: &[u8] = &[6, 9, 42, 134, 72, 134, 247, 13, 1, 1, 1, 5, 0];
/// `id-ecPublicKey`
const CURVE: &[u8] = &[6, 7, 42, 134, 72, 206, 61, 2, 1];

const INTEGER: u8 = 2;
const BITS: u8 = 3;
const SEQUENCE: u8 = 48;

/// A key of RSA: modulus and exponent.
pub fn rsa(n: &[u8], e: &[u8]) -> Vec<u8> {
    let key = tagged(SEQUENCE, &[integer(n), integer(e)].concat());
    info(RSA, &key)
}

/// A point on the curve of this object identifier.
pub fn point(curve: &[u8], x: &[u8], y: &[u8]) -> Vec<u8> {
    // 4: both coordinates, uncompressed.
    info(&[CURVE, curve].concat(), &[&[4], x, y].concat())
}

fn info(algorithm: &[u8], key: &[u8]) -> Vec<u8> {
    // 0: all bits of the last byte are the key's.
    let key = tagged(BITS, &[&[0], key].concat());
    tagged(SEQUENCE, &[tagged(SEQUENCE, algorithm), key].concat())
}

/// A number without a sign.
fn integer(bytes: &[u8]) -> Vec<u8> {
    let first = bytes.iter().position(|byte| *byte != 0);
    let digits = &bytes[first.unwrap_or(bytes.len())..];
    let sign: &[u8] = match digits.first() {
        Some(first) if *first < 128 => &[],
        _ => &[0],
    };
    tagged(INTEGER, &[sign, digits].concat())
}

fn tagged(tag: u8, value: &[u8]) -> Vec<u8> {
    let bytes = value.len().to_be_bytes();
    let first = bytes.iter().position(|byte| *byte != 0);
    let length = &bytes[first.unwrap_or(bytes.len() - 1)..];
    let mut all = vec![tag];
    if value.len() > 127 {
        all.push(128 | u8::try_from(length.len()).unwrap_or(8));
    }
    all.extend_from_slice(length);
    all.extend_from_slice(value);
    all
}
