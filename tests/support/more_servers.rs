//! Further servers that a test may ask: `BIGKEYS_MORE_SERVERS` names a file of them, a line each:
//! `Redis 8.0.2 | redis-8.0 | debian | PROGRAM ARGUMENT...`.
#![allow(clippy::indexing_slicing, reason = "a line that is out of shape fails the test, as it should")]

use std::fs;
use std::path::Path;
use std::process::Command;

use bigkeys::memory::{Allocator, Target};

use super::server::{self, Kind, Server};
use super::skipped;

/// A line of the list.
pub struct Listed {
    pub version: String,
    pub target: Target,
    pub allocator: Allocator,
    /// The program with its arguments.
    pub command: Vec<String>,
}

/// The servers of the list; none without one.
pub fn listed() -> Vec<Listed> {
    let Some(list) = std::env::var_os("BIGKEYS_MORE_SERVERS") else {
        skipped::note("other servers: set BIGKEYS_MORE_SERVERS to have them asked");
        return Vec::new();
    };
    let list = fs::read_to_string(list).expect("the list of servers");
    let of_line = |line: &str| {
        let parts: Vec<&str> = line.split('|').map(str::trim).collect();
        Listed {
            version: parts[0].to_owned(),
            target: parts[1].parse().expect("a target"),
            allocator: parts[2].parse().expect("an allocator"),
            command: parts[3].split_whitespace().map(str::to_owned).collect(),
        }
    };
    list.lines().map(of_line).collect()
}

/// A server, and how to run it.
pub struct Known {
    pub target: Target,
    pub version: String,
    /// Whether CI has it.
    pub is_of_ci: bool,
    command: Vec<String>,
}

/// The two servers of CI and those of the list.
pub fn all() -> Vec<Known> {
    let of_ci = [(Kind::Redis, Target::Redis7_0, "Redis 7.0"), (Kind::Valkey, Target::Valkey9_1, "Valkey 9.1")];
    let mut all = Vec::new();
    for (kind, target, version) in of_ci {
        let Some(program) = server::program(kind) else {
            server::skip(kind);
            continue;
        };
        let command = vec![program.into_string().expect("a path of UTF-8")];
        all.push(Known { target, version: version.to_owned(), is_of_ci: true, command });
    }
    all.extend(listed().into_iter().map(|Listed { version, target, command, .. }| Known {
        target,
        version,
        is_of_ci: false,
        command,
    }));
    all
}

impl Known {
    /// The server, on a dump if there is one, with more arguments.
    pub fn start(&self, dump: Option<&Path>, arguments: &[&str]) -> Server {
        let kind = if self.version.starts_with("Valkey") { Kind::Valkey } else { Kind::Redis };
        let mut command = Command::new(&self.command[0]);
        command.args(&self.command[1..]);
        if self.target > Target::Redis6_2 {
            command.args(["--enable-debug-command", "local"]);
        }
        Server::start_as(kind, command, dump, arguments)
    }
}
