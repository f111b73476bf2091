//! Tells another program of each task that ended: a POST, signed, and tried again where it is not taken. What waits is in memory
//! alone, so a restart forgets it.

use std::collections::VecDeque;
use std::io::{self, Read, Write};
use std::net::{TcpStream, ToSocketAddrs};
use std::sync::{Condvar, Mutex, PoisonError};
use std::time::Duration;

use axum::http::Uri;
use jiff::Timestamp;
use ring::hmac;
use serde::Serialize;

use super::signature::hex;
use crate::task::{TaskKind, Worked};

/// Tasks that may wait to be told of; later ones are dropped, which is logged.
const WAITING_MAX: usize = 1024;

/// How long each step of an attempt may take.
const PATIENCE: Duration = Duration::from_secs(10);

/// The pauses between attempts.
pub(super) const PAUSES: [Duration; 5] = [
    Duration::from_secs(1),
    Duration::from_secs(2),
    Duration::from_secs(5),
    Duration::from_secs(15),
    Duration::from_mins(1),
];

/// Bytes of an answer that are read, such as `HTTP/1.1 204`: the rest decides nothing, and could come for ever.
const ANSWER_BYTES: usize = 12;

/// Where ends of tasks are told.
#[derive(Clone, PartialEq, Eq)]
pub(super) struct Webhook {
    pub(super) authority: String,
    pub(super) path: String,
    pub(super) secret: String,
}

impl std::fmt::Debug for Webhook {
    /// Without the secret.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Webhook(http://{}{})", self.authority, self.path)
    }
}

/// Ends of tasks that nobody was told of yet.
#[derive(Debug, Default)]
pub(super) struct Waiting {
    bodies: Mutex<VecDeque<(String, Vec<u8>)>>,
    came: Condvar,
}

/// What is told.
#[derive(Serialize)]
struct Message<'m> {
    event: &'static str,
    task_id: &'m str,
    instance_id: &'m str,
    kind: &'static str,
    status: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<&'m str>,
    seconds: f64,
}

impl Webhook {
    /// A webhook at a URL.
    ///
    /// # Errors
    /// The sentence that says what is wrong with it.
    pub(super) fn new(url: &str, secret: &str) -> Result<Self, &'static str> {
        const FORM: &str = "not a URL such as http://127.0.0.1:9000/tasks; https needs a proxy on this machine";
        let uri: Uri = url.parse().map_err(|_| FORM)?;
        let authority = uri.authority().filter(|_| uri.scheme_str() == Some("http")).ok_or(FORM)?;
        if authority.as_str().contains('@') {
            return Err(FORM);
        }
        if secret.len() < 16 {
            return Err("a webhook's `secret` has at least 16 characters");
        }
        let path = uri.path_and_query().map_or("/", |path| path.as_str()).to_owned();
        Ok(Self { authority: authority.as_str().to_owned(), path, secret: secret.to_owned() })
    }
}

impl Waiting {
    /// Notes the end of a task.
    pub(super) fn add(&self, worked: &Worked) {
        let Worked { claim, reason, elapsed, .. } = worked;
        let message = Message {
            event: "task.ended",
            task_id: &claim.id,
            instance_id: &claim.instance_id,
            kind: TaskKind::name(claim.kind),
            status: if reason.is_none() { "success" } else { "failed" },
            reason: reason.as_deref(),
            seconds: elapsed.as_secs_f64(),
        };
        match serde_json::to_vec(&message) {
            Ok(body) => self.push(&claim.id, body),
            Err(error) => tracing::error!(task_id = claim.id, %error, "the webhook's message cannot be written"),
        }
    }

    fn push(&self, task_id: &str, body: Vec<u8>) {
        let mut bodies = self.bodies.lock().unwrap_or_else(PoisonError::into_inner);
        if bodies.len() < WAITING_MAX {
            bodies.push_back((task_id.to_owned(), body));
            self.came.notify_one();
        } else {
            tracing::warn!(task_id, "too many ends of tasks wait for the webhook; this one is dropped");
        }
    }

    /// Waits for the end of a task and tells who is to be told then; it is tried again after these pauses.
    pub(super) fn tell_next(&self, webhook: impl FnOnce() -> Option<Webhook>, pauses: &[Duration]) {
        let (task_id, body) = self.next();
        let Some(webhook) = webhook() else { return };
        match deliver(&webhook, &body, pauses) {
            Ok(()) => tracing::debug!(task_id, "the webhook was told"),
            Err(error) => {
                let attempts = pauses.len() + 1;
                tracing::warn!(task_id, attempts, %error, "the webhook could not be told of a task's end");
            }
        }
    }

    /// Waits for the end of a task.
    fn next(&self) -> (String, Vec<u8>) {
        let mut bodies = self.bodies.lock().unwrap_or_else(PoisonError::into_inner);
        loop {
            match bodies.pop_front() {
                Some(next) => return next,
                None => bodies = self.came.wait(bodies).unwrap_or_else(PoisonError::into_inner),
            }
        }
    }
}

/// Tries until it is taken, with these pauses between.
fn deliver(webhook: &Webhook, body: &[u8], pauses: &[Duration]) -> io::Result<()> {
    let mut pauses = pauses.iter();
    loop {
        match (send(webhook, body), pauses.next()) {
            (Err(error), Some(pause)) => {
                tracing::debug!(%error, "the webhook is tried again");
                std::thread::sleep(*pause);
            }
            (sent, _) => return sent,
        }
    }
}

/// Sends a body once.
///
/// # Errors
/// The system's answer, or that the other side's is not 2xx.
fn send(webhook: &Webhook, body: &[u8]) -> io::Result<()> {
    let Webhook { authority, path, secret } = webhook;
    let with_port = if authority.rsplit(']').next().is_some_and(|rest| rest.contains(':')) {
        authority.clone()
    } else {
        format!("{authority}:80")
    };
    let address = with_port.to_socket_addrs()?.next();
    let address = address.ok_or_else(|| io::Error::other("the webhook's name has no address"))?;
    let mut stream = TcpStream::connect_timeout(&address, PATIENCE)?;
    stream.set_read_timeout(Some(PATIENCE))?;
    stream.set_write_timeout(Some(PATIENCE))?;
    let timestamp = Timestamp::now().as_second().to_string();
    let head = format!(
        "POST {path} HTTP/1.1\r\nHost: {authority}\r\nConnection: close\r\nContent-Type: application/json\r\n\
         User-Agent: bigkeys/{}\r\nContent-Length: {}\r\nX-Bigkeys-Timestamp: {timestamp}\r\n\
         X-Bigkeys-Signature: sha256={}\r\n\r\n",
        env!("CARGO_PKG_VERSION"),
        body.len(),
        sign(secret, &timestamp, body),
    );
    stream.write_all(&[head.as_bytes(), body].concat())?;
    let mut answer = [0; ANSWER_BYTES];
    stream.read_exact(&mut answer)?;
    match answer.strip_prefix(b"HTTP/1.").and_then(|rest| rest.get(2..)) {
        Some([b'2', ..]) => Ok(()),
        Some(status) => Err(io::Error::other(format!("it answered {}", String::from_utf8_lossy(status)))),
        None => Err(io::Error::other("its answer is not HTTP")),
    }
}

/// The HMAC-SHA256 of the timestamp, a full stop and the body, so that an old message cannot be sent again unnoticed.
fn sign(secret: &str, timestamp: &str, body: &[u8]) -> String {
    let key = hmac::Key::new(hmac::HMAC_SHA256, secret.as_bytes());
    hex(hmac::sign(&key, &[timestamp.as_bytes(), b".", body].concat()).as_ref())
}

#[cfg(test)]
mod tests {
    use std::net::TcpListener;
    use std::sync::Arc;

    use super::*;

    #[test]
    fn urls() {
        let new = |url| Webhook::new(url, "a secret of many letters");
        let webhook = new("http://127.0.0.1:9000/tasks?of=p").unwrap();
        assert_eq!((webhook.authority.as_str(), webhook.path.as_str()), ("127.0.0.1:9000", "/tasks?of=p"));
        assert_eq!(new("http://hooks").unwrap().path, "/");
        assert!(!format!("{webhook:?}").contains("letters"));
        for wrong in ["https://hooks/", "hooks", "/tasks", "http://user:password@hooks/", "ftp://hooks/"] {
            assert!(new(wrong).is_err(), "{wrong}");
        }
        assert!(Webhook::new("http://hooks/", "short").is_err());
    }

    /// Answers connections one after the other, and returns what was sent.
    fn receiver(answers: &'static [&'static str]) -> (String, std::thread::JoinHandle<Vec<String>>) {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let authority = listener.local_addr().unwrap().to_string();
        let receive = move |answer: &&str| {
            let (mut stream, _) = listener.accept().unwrap();
            let mut bytes = Vec::new();
            while !bytes.ends_with(b"}") {
                let mut buffer = [0; 1024];
                let read = stream.read(&mut buffer).unwrap();
                bytes.extend_from_slice(&buffer[..read]);
            }
            stream.write_all(answer.as_bytes()).unwrap();
            String::from_utf8(bytes).unwrap()
        };
        (authority, std::thread::spawn(move || answers.iter().map(receive).collect()))
    }

    #[test]
    fn what_is_not_taken_is_sent_again() {
        let (authority, receiver) =
            receiver(&["HTTP/1.1 503 Busy\r\n\r\n", "no HTTP", "HTTP/1.1 204 No Content\r\n\r\n"]);
        let secret = "a secret of many letters";
        let webhook = Webhook::new(&format!("http://{authority}/tasks"), secret).unwrap();
        deliver(&webhook, br#"{"event":"task.ended"}"#, &[Duration::ZERO; 5]).unwrap();
        let requests = receiver.join().unwrap();
        assert_eq!(requests.len(), 3);
        let (head, body) = requests[2].split_once("\r\n\r\n").unwrap();
        assert!(head.starts_with(&format!("POST /tasks HTTP/1.1\r\nHost: {authority}\r\n")), "{head}");
        let header = |name: &str| head.lines().find_map(|line| line.strip_prefix(name)).unwrap();
        let signature = sign(secret, header("X-Bigkeys-Timestamp: "), body.as_bytes());
        assert_eq!(header("X-Bigkeys-Signature: "), format!("sha256={signature}"));
        assert_eq!(header("Content-Length: "), body.len().to_string());
    }

    #[test]
    fn what_nobody_takes_is_given_up_and_logged() {
        // Nobody listens there any more.
        let authority = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
        let webhook = Webhook::new(&format!("http://{authority}/"), "a secret of many letters").unwrap();
        let log = tempfile::NamedTempFile::new().unwrap();
        let subscriber =
            tracing_subscriber::fmt().with_ansi(false).with_writer(Arc::new(log.reopen().unwrap())).finish();
        let waiting = Waiting::default();
        tracing::subscriber::with_default(subscriber, || {
            for number in 0..=WAITING_MAX {
                waiting.push(&format!("task-{number}"), b"{}".to_vec());
            }
            waiting.tell_next(|| Some(webhook), &[Duration::ZERO; 2]);
        });
        let log = std::fs::read_to_string(log.path()).unwrap();
        let lines: Vec<&str> = log.lines().collect();
        assert!(
            lines.len() == 2 && lines[0].contains("this one is dropped") && lines[0].contains("task-1024"),
            "{log}"
        );
        for part in ["WARN", "could not be told of a task's end", "task-0", "attempts=3", "Connection refused"] {
            assert!(lines[1].contains(part), "{log}");
        }
    }

    #[test]
    fn the_signature_is_the_usual_one() {
        // printf '1700000000.{}' | openssl dgst -sha256 -hmac 'a secret of many letters'
        let expected = "e01ea0064645dbc1a1725967ae6a4b8bc6456bdfbe49e0edd4be7df5b02f5638";
        assert_eq!(sign("a secret of many letters", "1700000000", b"{}"), expected);
    }
}
