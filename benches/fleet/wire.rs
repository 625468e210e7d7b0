//! One gRPC stream on a TCP connection of its own, at the least cost: HTTP/2 frames are cut out of what was read, headers are
//! never decoded.
//!
//! Enough of HTTP/2 for one long stream to a well-behaved server, and no more: the receive windows are opened as far as
//! they go once and for all, and as little is sent as never to fill the server's.

use std::cell::RefCell;
use std::net::SocketAddr;

use anyhow::{Result, bail};
use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;

const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
const PATH: &str =
    "/envoy.service.discovery.v3.AggregatedDiscoveryService/DeltaAggregatedResources";

const DATA: u8 = 0;
const HEADERS: u8 = 1;
const RST_STREAM: u8 = 3;
const SETTINGS: u8 = 4;
const PING: u8 = 6;
const GOAWAY: u8 = 7;
const WINDOW_UPDATE: u8 = 8;

/// On `DATA` and `HEADERS`.
const END_STREAM: u8 = 1;
/// On `SETTINGS` and `PING`.
const ACK: u8 = 1;
const END_HEADERS: u8 = 4;

const SETTINGS_INITIAL_WINDOW_SIZE: u16 = 4;
const LARGEST_WINDOW: u32 = (1 << 31) - 1;
/// What a connection's window is before any update.
const FIRST_WINDOW: u32 = 65_535;
/// The largest frame that every server takes.
const FRAME: usize = 16_384;
/// The bytes before each gRPC message: a flag and the length.
const PREFIX: usize = 5;

/// What all streams of the process read into, one after the other.
pub type Buffer = RefCell<Vec<u8>>;

/// A buffer that takes a large response in few reads.
pub fn buffer() -> Buffer {
    RefCell::new(vec![0; 256 * 1024])
}

/// One gRPC stream.
pub struct Stream {
    socket: TcpStream,
    input: Input,
}

impl Stream {
    /// Connects, and opens a delta ADS stream.
    pub async fn open(address: SocketAddr) -> Result<Self> {
        let mut socket = TcpStream::connect(address).await?;
        socket.set_nodelay(true)?;
        socket.write_all(&opening(address)).await?;
        let input = Input::default();
        Ok(Self { socket, input })
    }

    /// Sends a message.
    pub async fn send(&mut self, message: &[u8]) -> Result<()> {
        let mut frames = Vec::new();
        put_message(message, &mut frames);
        Ok(self.socket.write_all(&frames).await?)
    }

    /// Waits for bytes and hands on each message that they complete; sends the messages that come back. Tells how many
    /// bytes there were.
    pub async fn receive(
        &mut self,
        buffer: &Buffer,
        handle: impl FnMut(&[u8]) -> Result<Vec<Vec<u8>>>,
    ) -> Result<usize> {
        let mut out = Vec::new();
        let count = loop {
            self.socket.readable().await?;
            let mut buffer = buffer.borrow_mut();
            match self.socket.try_read(&mut buffer) {
                Ok(0) => bail!("the server closed the connection"),
                Ok(count) => {
                    self.input.feed(&buffer[..count], &mut out, handle)?;
                    break count;
                }
                Err(error) if error.kind() == std::io::ErrorKind::WouldBlock => {}
                Err(error) => return Err(error.into()),
            }
        };
        self.socket.write_all(&out).await?;
        Ok(count)
    }
}

/// What was read and is not complete yet.
#[derive(Default)]
struct Input {
    head: Vec<u8>,
    /// How much of the frame's payload is still to come.
    missing: usize,
    /// The payload of a frame that is not `DATA`.
    control: Vec<u8>,
    /// The gRPC message, its prefix included.
    message: Vec<u8>,
}

impl Input {
    fn feed(
        &mut self,
        mut bytes: &[u8],
        out: &mut Vec<u8>,
        mut handle: impl FnMut(&[u8]) -> Result<Vec<Vec<u8>>>,
    ) -> Result<()> {
        while !bytes.is_empty() {
            if self.head.len() < 9 {
                let part = take(&mut bytes, 9 - self.head.len());
                self.head.extend_from_slice(part);
                if self.head.len() < 9 {
                    return Ok(());
                }
                self.missing = usize::from(self.head[0]) << 16
                    | usize::from(self.head[1]) << 8
                    | usize::from(self.head[2]);
            }
            let part = take(&mut bytes, self.missing);
            self.missing -= part.len();
            if self.head[3] == DATA {
                self.message.extend_from_slice(part);
                self.complete(out, &mut handle)?;
            } else {
                self.control.extend_from_slice(part);
            }
            if self.missing == 0 {
                self.end_frame(out)?;
                self.head.clear();
                self.control.clear();
            }
        }
        Ok(())
    }

    /// Hands on the messages that are complete.
    fn complete(
        &mut self,
        out: &mut Vec<u8>,
        handle: &mut impl FnMut(&[u8]) -> Result<Vec<Vec<u8>>>,
    ) -> Result<()> {
        while let Some((prefix, rest)) = self.message.split_first_chunk::<PREFIX>() {
            let [_, length @ ..] = *prefix;
            let length = u32::from_be_bytes(length) as usize;
            if rest.len() < length {
                let missing = length - rest.len();
                self.message.reserve(missing);
                return Ok(());
            }
            for answer in handle(&rest[..length])? {
                put_message(&answer, out);
            }
            // Given back at once, so that the next stream finds the memory warm.
            self.message = rest[length..].to_vec();
        }
        Ok(())
    }

    fn end_frame(&self, out: &mut Vec<u8>) -> Result<()> {
        let (kind, flags) = (self.head[3], self.head[4]);
        match kind {
            DATA | HEADERS if flags & END_STREAM != 0 => bail!("the server ended the stream"),
            RST_STREAM => bail!("the server reset the stream"),
            GOAWAY => bail!("the server is going away"),
            SETTINGS if flags & ACK == 0 => put_frame(SETTINGS, ACK, 0, &[], out),
            PING if flags & ACK == 0 => put_frame(PING, ACK, 0, &self.control, out),
            _ => {}
        }
        Ok(())
    }
}

fn take<'a>(bytes: &mut &'a [u8], most: usize) -> &'a [u8] {
    let (part, rest) = bytes.split_at(most.min(bytes.len()));
    *bytes = rest;
    part
}

/// The preface, the windows, and the request's headers on stream 1.
fn opening(address: SocketAddr) -> Vec<u8> {
    let mut out = PREFACE.to_vec();
    let mut settings = SETTINGS_INITIAL_WINDOW_SIZE.to_be_bytes().to_vec();
    settings.extend(LARGEST_WINDOW.to_be_bytes());
    put_frame(SETTINGS, 0, 0, &settings, &mut out);
    let more = LARGEST_WINDOW - FIRST_WINDOW;
    put_frame(WINDOW_UPDATE, 0, 0, &more.to_be_bytes(), &mut out);
    // HPACK (RFC 7541): indexed fields, then literals without indexing under an indexed or a new name.
    let mut headers = vec![0x83, 0x86]; // :method POST, :scheme http
    put_literal(&[0x04], PATH, &mut headers); // :path
    put_literal(&[0x01], &address.to_string(), &mut headers); // :authority
    put_literal(&[0x0f, 0x10], "application/grpc", &mut headers); // content-type
    put_literal(&[0x00, 2, b't', b'e'], "trailers", &mut headers);
    put_frame(HEADERS, END_HEADERS, 1, &headers, &mut out);
    out
}

fn put_literal(name: &[u8], value: &str, out: &mut Vec<u8>) {
    out.extend_from_slice(name);
    // One byte of length: every value here is shorter than 127.
    out.push(value.len() as u8);
    out.extend_from_slice(value.as_bytes());
}

fn put_message(message: &[u8], out: &mut Vec<u8>) {
    let mut framed = vec![0];
    framed.extend((message.len() as u32).to_be_bytes());
    framed.extend_from_slice(message);
    for part in framed.chunks(FRAME) {
        put_frame(DATA, 0, 1, part, out);
    }
}

fn put_frame(kind: u8, flags: u8, stream: u32, payload: &[u8], out: &mut Vec<u8>) {
    out.extend_from_slice(&(payload.len() as u32).to_be_bytes()[1..]);
    out.extend_from_slice(&[kind, flags]);
    out.extend_from_slice(&stream.to_be_bytes());
    out.extend_from_slice(payload);
}
