//! The least of an HTTP client: one request, one connection.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::Duration;

use serde_json::Value;

/// A hung service must still end the test.
const SECONDS_MAX: u64 = 60;

/// What came back.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Answer {
    pub status: u16,
    pub header: String,
    pub body: Vec<u8>,
}

impl Answer {
    pub(crate) fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|error| panic!("{error}: {self:?}"))
    }
}

/// Asks with a token; none if the connection broke off before the whole answer came.
pub(crate) fn ask(address: &str, method: &str, path: &str, body: &str) -> Option<Answer> {
    let bytes = body.len();
    let request = format!(
        "{method} {path} HTTP/1.1\r\nHost: {address}\r\nX-Auth-Token: token\r\nConnection: close\r\n\
         Content-Length: {bytes}\r\n\r\n{body}"
    );
    let mut stream = TcpStream::connect(address).ok()?;
    stream.set_read_timeout(Some(Duration::from_secs(SECONDS_MAX))).ok()?;
    stream.write_all(request.as_bytes()).ok()?;
    let mut bytes = Vec::new();
    stream.read_to_end(&mut bytes).ok()?;
    answer(&bytes)
}

/// Takes an answer apart; none if it is not whole.
pub(crate) fn answer(bytes: &[u8]) -> Option<Answer> {
    let end = bytes.windows(4).position(|window| window == b"\r\n\r\n")?;
    let header = String::from_utf8(bytes[..end].to_vec()).ok()?;
    let body = bytes[end + 4..].to_vec();
    let length =
        header.lines().find_map(|line| line.to_ascii_lowercase().strip_prefix("content-length: ")?.parse().ok());
    let status = header.split(' ').nth(1)?.parse().ok()?;
    (length == Some(body.len())).then_some(Answer { status, header, body })
}
