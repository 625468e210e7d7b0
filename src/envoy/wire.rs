//! Protobuf's wire format, as little of it as putting encoded parts together and in order takes.
//!
//! Knows no message: field numbers are the caller's.

use prost::encoding::{WireType, decode_key, decode_varint, encode_key, encode_varint};

/// Appends a field that holds bytes: a string, an encoded message.
pub fn put(buffer: &mut Vec<u8>, number: u32, bytes: &[u8]) {
    put_header(buffer, number, bytes.len());
    buffer.extend_from_slice(bytes);
}

/// Appends what stands before the `length` bytes of a field; the caller appends those.
pub fn put_header(buffer: &mut Vec<u8>, number: u32, length: usize) {
    encode_key(number, WireType::LengthDelimited, buffer);
    encode_varint(length as u64, buffer);
}

/// One field of an encoded message.
pub struct Field<'a> {
    pub number: u32,
    /// The field as it stands there, key included.
    pub whole: &'a [u8],
    /// What a string, a message or a map entry holds; nothing for a number.
    pub content: Option<&'a [u8]>,
}

/// The fields of an encoded message, in the order in which they stand there. Ends early where the bytes are no message.
pub struct Fields<'a>(pub &'a [u8]);

impl Fields<'_> {
    /// Whether every byte was read.
    pub fn complete(&self) -> bool {
        self.0.is_empty()
    }
}

impl<'a> Iterator for Fields<'a> {
    type Item = Field<'a>;

    fn next(&mut self) -> Option<Field<'a>> {
        let mut rest = self.0;
        let (number, wire_type) = decode_key(&mut rest).ok()?;
        let (skip, delimited) = match wire_type {
            WireType::Varint => (decode_varint(&mut rest).map(|_| 0).ok()?, false),
            WireType::SixtyFourBit => (8, false),
            WireType::ThirtyTwoBit => (4, false),
            WireType::LengthDelimited => {
                (usize::try_from(decode_varint(&mut rest).ok()?).ok()?, true)
            }
            WireType::StartGroup | WireType::EndGroup => return None,
        };
        let (content, rest) = rest.split_at_checked(skip)?;
        let whole = &self.0[..self.0.len() - rest.len()];
        self.0 = rest;
        Some(Field {
            number,
            whole,
            content: delimited.then_some(content),
        })
    }
}
