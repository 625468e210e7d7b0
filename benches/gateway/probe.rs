//! A client that asks for one path over one connection, as often as it takes until the answer is the expected one.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddrV4, TcpStream};
use std::thread::sleep;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};

use crate::shapes::Target;

/// Between two questions: long enough to leave the processor to those that are measured.
const PAUSE: Duration = Duration::from_micros(300);
/// How long an answer may take to become the expected one.
const PATIENCE: Duration = Duration::from_secs(180);

/// The client. It blocks, so that no other task's turn is part of what it measures.
pub struct Probe {
    address: SocketAddrV4,
    request: Vec<u8>,
    connection: Option<Connection>,
    /// Answers other than 200, since there was a first.
    pub failed: usize,
}

impl Probe {
    pub fn new(address: SocketAddrV4, target: &Target) -> Self {
        Self {
            address,
            request: request(target),
            connection: None,
            failed: 0,
        }
    }

    /// Asks until this is answered for the first time; whatever comes before that is no failure.
    pub fn first(&mut self, expected: &str) -> Result<Instant> {
        let at = self.until(expected)?;
        self.failed = 0;
        Ok(at)
    }

    /// Asks until this is answered, and tells when that was.
    pub fn until(&mut self, expected: &str) -> Result<Instant> {
        let start = Instant::now();
        loop {
            match self.ask() {
                Ok(answer) if answer.status == 200 && answer.body == expected.as_bytes() => {
                    return Ok(Instant::now());
                }
                Ok(answer) if answer.status == 200 => {}
                Ok(_) | Err(_) => self.failed += 1,
            }
            if start.elapsed() > PATIENCE {
                bail!("{expected:?} is not answered within {PATIENCE:?}");
            }
            sleep(PAUSE);
        }
    }

    fn ask(&mut self) -> Result<Answer> {
        let mut connection = match self.connection.take() {
            Some(connection) => connection,
            None => Connection::open(self.address)?,
        };
        connection.send(&self.request)?;
        let answer = connection.answer()?;
        self.connection = Some(connection);
        Ok(answer)
    }
}

pub fn request((host, path): &Target) -> Vec<u8> {
    format!("GET {path} HTTP/1.1\r\nHost: {host}\r\n\r\n").into_bytes()
}

/// An HTTP/1.1 connection that stays open.
pub struct Connection(BufReader<TcpStream>);

pub struct Answer {
    pub status: u16,
    pub body: Vec<u8>,
}

impl Connection {
    pub fn open(address: SocketAddrV4) -> Result<Self> {
        let socket = TcpStream::connect(address)?;
        socket.set_nodelay(true)?;
        socket.set_read_timeout(Some(PATIENCE))?;
        Ok(Self(BufReader::new(socket)))
    }

    pub fn send(&mut self, request: &[u8]) -> Result<()> {
        Ok(self.0.get_mut().write_all(request)?)
    }

    pub fn answer(&mut self) -> Result<Answer> {
        let mut line = String::new();
        self.0.read_line(&mut line)?;
        let status = line.split_whitespace().nth(1);
        let status = status.context("no status in an answer")?.parse()?;
        let mut length = 0;
        loop {
            line.clear();
            ensure!(self.0.read_line(&mut line)? > 0, "an answer without end");
            let Some((name, value)) = line.split_once(':') else {
                break;
            };
            if name.eq_ignore_ascii_case("content-length") {
                length = value.trim().parse()?;
            }
        }
        let mut body = vec![0; length];
        self.0.read_exact(&mut body)?;
        Ok(Answer { status, body })
    }
}
