//! Secrets in documents as APISIX encrypts them (its `data_encryption`), so that both read what either has written: AES-CBC
//! whose initial vector is the key (the first 16 bytes of one of 32), PKCS#7, base64. The first key of the ring encrypts, and
//! each in turn decrypts. Equal texts are equal when they are sealed, as APISIX has it, so a sealed document can be compared.

mod fields;

use std::fmt;
use std::sync::Arc;

use aes::{Aes128, Aes256};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use cbc::cipher::block_padding::Pkcs7;
use cbc::cipher::{BlockModeDecrypt, BlockModeEncrypt, KeyIvInit};
use cbc::{Decryptor, Encryptor};

pub use fields::Opened;

/// Bytes of a block, and of the initial vector.
const BLOCK: usize = 16;

/// Keys that what is secret in documents is encrypted with. Without any, everything is as it is written.
#[derive(Clone, Default)]
pub struct Keyring(Arc<[Key]>);

#[derive(Clone)]
enum Key {
    Short([u8; 16]),
    Long([u8; 32]),
}

impl Keyring {
    /// Keys of 16 or 32 bytes. What is wrong is said without them.
    pub fn new(keys: &[String]) -> Result<Self, String> {
        let count = keys.len();
        let read = keys.iter().enumerate().map(|(at, text)| {
            Key::read(text).ok_or_else(|| {
                format!(
                    "key {} of {count} has {} bytes, allowed: 16 or 32",
                    at + 1,
                    text.len()
                )
            })
        });
        read.collect::<Result<_, _>>().map(Self)
    }

    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The text as it is stored.
    pub fn seal(&self, text: &str) -> String {
        match self.0.first() {
            Some(key) => STANDARD.encode(key.encrypt(text.as_bytes())),
            None => text.to_owned(),
        }
    }

    /// The text that was sealed; nothing where no key of the ring opens it.
    pub fn open(&self, sealed: &str) -> Option<String> {
        let bytes = sealed_bytes(sealed)?;
        let mut opened = self.0.iter().filter_map(|key| {
            let text = key.decrypt(&bytes)?;
            String::from_utf8(text).ok()
        });
        opened.next()
    }
}

/// The bytes of what may be a sealed text.
fn sealed_bytes(text: &str) -> Option<Vec<u8>> {
    let bytes = STANDARD.decode(text).ok()?;
    let is_whole = !bytes.is_empty() && bytes.len().is_multiple_of(BLOCK);
    is_whole.then_some(bytes)
}

impl Key {
    fn read(text: &str) -> Option<Self> {
        let bytes = text.as_bytes();
        let short = bytes.try_into().map(Self::Short);
        short.or_else(|_| bytes.try_into().map(Self::Long)).ok()
    }

    fn encrypt(&self, text: &[u8]) -> Vec<u8> {
        match self {
            Self::Short(key) => {
                Encryptor::<Aes128>::new(key.into(), key.into()).encrypt_padded_vec::<Pkcs7>(text)
            }
            Self::Long(key) => Encryptor::<Aes256>::new(key.into(), &vector(key).into())
                .encrypt_padded_vec::<Pkcs7>(text),
        }
    }

    fn decrypt(&self, bytes: &[u8]) -> Option<Vec<u8>> {
        let text = match self {
            Self::Short(key) => {
                Decryptor::<Aes128>::new(key.into(), key.into()).decrypt_padded_vec::<Pkcs7>(bytes)
            }
            Self::Long(key) => Decryptor::<Aes256>::new(key.into(), &vector(key).into())
                .decrypt_padded_vec::<Pkcs7>(bytes),
        };
        text.ok()
    }
}

/// What APISIX's library takes of a key for the initial vector.
fn vector(key: &[u8; 32]) -> [u8; BLOCK] {
    std::array::from_fn(|at| key[at])
}

impl fmt::Debug for Keyring {
    /// Without the keys.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Keyring({})", self.0.len())
    }
}

#[cfg(test)]
mod tests;
