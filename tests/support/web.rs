//! A web server that can do what servers do on bad days: it drops connections, stalls, lies about lengths and knows no
//! ranges.

use std::collections::HashMap;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

/// A request, and how many there were for its path before it.
#[derive(Clone, Debug)]
pub struct Request {
    pub path: String,
    pub query: String,
    /// First and last byte.
    pub range: Option<(usize, usize)>,
    pub if_match: Option<String>,
    pub authorization: Option<String>,
    pub number: usize,
}

/// How a request is answered.
#[derive(Clone, Debug)]
pub enum Act {
    /// As it should be.
    Serve,
    /// With all bytes, whatever the range, up to so many of them; then the connection is reset.
    Whole(usize),
    /// Likewise, without saying how many they are, nor of which version.
    Chunked,
    /// As it should be up to so many bytes of the body, then the connection is reset.
    DropAfter(usize),
    /// As it should be up to so many bytes of the body, of which the rest never comes.
    StallAfter(usize),
    /// With a body that is so much shorter than what the header says of the range.
    Short(usize),
    /// With another range than the one that was asked for.
    OtherRange,
    /// With more bytes than the range has, without a length.
    TooMany,
    /// With a claim that the object is so large.
    Claim(usize),
    /// With another object, of this tag.
    Replaced(Arc<Vec<u8>>, &'static str),
    /// As it should be, and with the time at which it was written.
    Dated,
    /// With a status, headers and a body.
    Refuse(u16, &'static str, &'static str),
}

/// A server on a port of its own, until the test ends.
pub struct Web {
    pub port: u16,
    pub requests: Arc<Mutex<Vec<Request>>>,
}

impl Web {
    /// Serves these bytes at every path, in the way that `act` says.
    pub fn start(bytes: Vec<u8>, act: impl Fn(&Request) -> Act + Send + Sync + 'static) -> Self {
        Self::files(move |_| Some(Arc::new(bytes.clone())), act)
    }

    /// Serves what `file` has at a path, in the way that `act` says.
    pub fn files(
        file: impl Fn(&str) -> Option<Arc<Vec<u8>>> + Send + Sync + 'static,
        act: impl Fn(&Request) -> Act + Send + Sync + 'static,
    ) -> Self {
        Self::wrapped(file, act, |stream| stream)
    }

    /// Likewise, over connections that `wrap` makes something of.
    pub fn wrapped<S: Read + Write + 'static>(
        file: impl Fn(&str) -> Option<Arc<Vec<u8>>> + Send + Sync + 'static,
        act: impl Fn(&Request) -> Act + Send + Sync + 'static,
        wrap: impl Fn(TcpStream) -> S + Send + Sync + 'static,
    ) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let port = listener.local_addr().expect("an address").port();
        let requests = Arc::<Mutex<Vec<Request>>>::default();
        let (log, file, act, wrap) = (requests.clone(), Arc::new(file), Arc::new(act), Arc::new(wrap));
        let counts = Arc::<Mutex<HashMap<String, usize>>>::default();
        thread::spawn(move || {
            for stream in listener.incoming() {
                let Ok(stream) = stream else { continue };
                let (log, file, act, counts) = (log.clone(), file.clone(), act.clone(), counts.clone());
                let wrap = wrap.clone();
                // Or the second half of an answer waits for the client to acknowledge the first.
                _ = stream.set_nodelay(true);
                // A client that is silent for longer has given up.
                _ = stream.set_read_timeout(Some(Duration::from_mins(1)));
                // A client that goes away ends its thread by an error, which is all right.
                thread::spawn(move || {
                    _ = serve(wrap(stream), |mut request: Request| {
                        let mut counts = counts.lock().expect("a lock");
                        let count = counts.entry(request.path.clone()).or_default();
                        request.number = *count;
                        *count += 1;
                        log.lock().expect("a lock").push(request.clone());
                        (file(&request.path), act(&request), request)
                    });
                });
            }
        });
        Self { port, requests }
    }

    pub fn url(&self, path: &str) -> String {
        format!("http://127.0.0.1:{}/{path}", self.port)
    }

    /// How many bytes of ranges were asked for.
    pub fn asked_bytes(&self) -> usize {
        let requests = self.requests.lock().expect("a lock");
        requests.iter().filter_map(|request| request.range).map(|(first, last)| last + 1 - first).sum()
    }
}

type Answer = (Option<Arc<Vec<u8>>>, Act, Request);

fn serve(stream: impl Read + Write, mut answer: impl FnMut(Request) -> Answer) -> std::io::Result<()> {
    let mut reader = BufReader::new(stream);
    while let Some(request) = read_request(&mut reader)? {
        let (file, act, request) = answer(request);
        let to = reader.get_mut();
        let Some(bytes) = file else {
            to.write_all(b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n")?;
            continue;
        };
        if !respond(to, &bytes, &act, &request)? {
            return Ok(());
        }
    }
    Ok(())
}

fn read_request(reader: &mut impl BufRead) -> std::io::Result<Option<Request>> {
    let mut line = String::new();
    if reader.read_line(&mut line)? == 0 {
        return Ok(None);
    }
    let target = line.split(' ').nth(1).unwrap_or_default().trim_start_matches('/').to_owned();
    let (path, query) = target.split_once('?').unwrap_or((&target, ""));
    let mut request = Request {
        path: path.to_owned(),
        query: query.to_owned(),
        range: None,
        if_match: None,
        authorization: None,
        number: 0,
    };
    loop {
        line.clear();
        reader.read_line(&mut line)?;
        let Some((name, value)) = line.trim_end().split_once(": ") else { return Ok(Some(request)) };
        match name.to_ascii_lowercase().as_str() {
            "range" => {
                let range = value.strip_prefix("bytes=").and_then(|range| range.split_once('-'));
                request.range = range.and_then(|(first, last)| Some((first.parse().ok()?, last.parse().ok()?)));
            }
            "if-match" => request.if_match = Some(value.to_owned()),
            "authorization" => request.authorization = Some(value.to_owned()),
            _ => {}
        }
    }
}

const TAG: &str = "\"one\"";

/// Answers one request; false if that ends the connection.
fn respond(to: &mut (impl Read + Write), bytes: &[u8], act: &Act, request: &Request) -> std::io::Result<bool> {
    let (mut bytes, mut tag, mut size) = (bytes, TAG, bytes.len());
    match act {
        Act::Refuse(status, headers, body) => {
            write!(to, "HTTP/1.1 {status} X\r\n{headers}Content-Length: {}\r\n\r\n{body}", body.len())?;
            return Ok(true);
        }
        Act::Chunked => {
            to.write_all(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")?;
            for chunk in bytes.chunks(1000) {
                write!(to, "{:x}\r\n", chunk.len())?;
                to.write_all(chunk)?;
                to.write_all(b"\r\n")?;
            }
            to.write_all(b"0\r\n\r\n")?;
            return Ok(true);
        }
        Act::Replaced(other, other_tag) => (bytes, tag, size) = (other, other_tag, other.len()),
        Act::Claim(claim) => size = *claim,
        _ => {}
    }
    if request.if_match.as_ref().is_some_and(|wanted| wanted != tag) {
        to.write_all(b"HTTP/1.1 412 Precondition Failed\r\nContent-Length: 0\r\n\r\n")?;
        return Ok(true);
    }
    let range = request.range.filter(|_| !matches!(act, Act::Whole(_)));
    if range.is_some_and(|(first, _)| first >= bytes.len()) {
        to.write_all(b"HTTP/1.1 416 Range Not Satisfiable\r\nContent-Length: 0\r\n\r\n")?;
        return Ok(true);
    }
    let (first, last) = range.unwrap_or((0, bytes.len().saturating_sub(1)));
    let body = bytes.get(first..bytes.len().min(last + 1)).unwrap_or_default();
    let mut head = format!("ETag: {tag}\r\n");
    if matches!(act, Act::Dated) {
        head += "Last-Modified: Fri, 20 Nov 2026 10:00:00 GMT\r\n";
    }
    if range.is_some() {
        let shift = usize::from(matches!(act, Act::OtherRange));
        let (first, last) = (first + shift, first + body.len() - 1 + shift);
        head = format!("{head}Content-Range: bytes {first}-{last}/{size}\r\n");
    }
    if !matches!(act, Act::TooMany) {
        let short = if let Act::Short(bytes) = act { *bytes } else { 0 };
        head = format!("{head}Content-Length: {}\r\n", body.len() - short.min(body.len()));
    }
    let status = if range.is_some() { "206 Partial Content" } else { "200 OK" };
    write!(to, "HTTP/1.1 {status}\r\n{head}\r\n")?;
    match act {
        Act::DropAfter(some) | Act::Whole(some) => {
            to.write_all(body.get(..*some).unwrap_or(body))?;
            Ok(*some >= body.len())
        }
        Act::StallAfter(some) if *some < body.len() => {
            to.write_all(body.get(..*some).unwrap_or_default())?;
            // Until the client gives up.
            _ = to.read(&mut [0]);
            Ok(false)
        }
        Act::Short(short) => {
            to.write_all(body.get(..body.len() - short.min(&body.len())).unwrap_or_default())?;
            Ok(true)
        }
        Act::TooMany => {
            to.write_all(body)?;
            to.write_all(b"more than was asked for")?;
            Ok(false)
        }
        _ => {
            to.write_all(body)?;
            Ok(true)
        }
    }
}
