//! The codecs of responses: gRPC frames whose resources are shared bytes.

use std::sync::Arc;

use bytes::{BufMut, Bytes, BytesMut};
use prost::encoding::{WireType, encode_key, encode_varint, encoded_len_varint};

use crate::snapshot::{ResourceType, Version};

/// One response, ready to be written.
#[derive(Debug)]
pub struct Response {
    pub resource_type: ResourceType,
    /// The version of all that the client has of this type once it accepts.
    pub version: Version,
    /// The store's revision of the snapshot that it brings.
    pub revision: i64,
    /// Names it by which the client answers.
    pub nonce: String,
    /// How many resources it carries.
    pub resources: usize,
    /// How many resources it takes away by name.
    pub removed: usize,
    /// The gRPC message, its length prefix included. All but the first piece are shared.
    pub pieces: Vec<Bytes>,
}

impl Response {
    /// The size on the wire, in bytes.
    pub fn size(&self) -> usize {
        self.pieces.iter().map(Bytes::len).sum()
    }
}

/// The numbers of the fields: the same in both messages, as is `resources`, 2.
const VERSION: u32 = 1;
const TYPE_URL: u32 = 4;
const NONCE: u32 = 5;
/// Of `DeltaDiscoveryResponse` alone.
const REMOVED_RESOURCES: u32 = 6;

/// The pieces of a response: its gRPC frame and head, then the resources. `entries` are whole `resources` fields of the protocol's message.
pub fn encode(
    type_url: &str,
    version: Version,
    nonce: &str,
    entries: &[Bytes],
    removed: &[Arc<str>],
) -> Vec<Bytes> {
    let mut head = BytesMut::with_capacity(192);
    put_text(VERSION, &version.to_string(), &mut head);
    put_text(TYPE_URL, type_url, &mut head);
    put_text(NONCE, nonce, &mut head);
    for name in removed {
        put_text(REMOVED_RESOURCES, name, &mut head);
    }
    let length = head.len() + entries.iter().map(Bytes::len).sum::<usize>();
    let mut first = BytesMut::with_capacity(5 + head.len());
    first.put_u8(0);
    first.put_u32(u32::try_from(length).unwrap_or(u32::MAX));
    first.extend_from_slice(&head);
    let mut pieces = Vec::with_capacity(1 + entries.len());
    if let [entry] = entries
        && entry.len() < crate::snapshot::set::PAGE
    {
        first.extend_from_slice(entry);
        pieces.push(first.freeze());
    } else {
        pieces.push(first.freeze());
        pieces.extend_from_slice(entries);
    }
    pieces
}

fn put_text(tag: u32, text: &str, out: &mut BytesMut) {
    out.reserve(text.len() + 1 + encoded_len_varint(text.len() as u64));
    encode_key(tag, WireType::LengthDelimited, out);
    encode_varint(text.len() as u64, out);
    out.extend_from_slice(text.as_bytes());
}
