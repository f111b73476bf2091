//! What the service is told: where it listens, what it logs, its limits, its instances, and who may ask for them.

use std::collections::{BTreeMap, HashMap};
use std::net::SocketAddr;
use std::path::PathBuf;

use serde::Deserialize;

use super::auth::Credentials;
use super::backups::Backups;
use super::config_instance::Keep;
use super::webhook::Webhook;
use crate::task::TaskQuestion;

/// A checked configuration.
#[derive(Debug)]
pub struct Config {
    /// The file that it was read from.
    pub path: PathBuf,
    /// Where the service listens.
    pub listen: SocketAddr,
    /// Where the tasks are kept; none for the user's data directory.
    pub store: Option<PathBuf>,
    /// Certificate and key, for TLS.
    pub tls: Option<Tls>,
    /// The file with credentials, where they have one of their own.
    pub(super) credentials_path: Option<PathBuf>,
    /// How it logs.
    pub log: Log,
    /// How dumps are analyzed.
    pub analysis: Analysis,
    /// What a client may ask for.
    pub limits: Limits,
    /// Who is told of ends of tasks.
    pub(super) webhook: Option<Webhook>,
    /// Instances by their IDs.
    pub(super) instances: BTreeMap<String, Instance>,
    /// Who may ask.
    pub(super) credentials: Credentials,
}

/// An instance whose dumps can be analyzed.
#[derive(Debug)]
pub(super) struct Instance {
    pub(super) project_id: String,
    pub(super) name: String,
    pub(super) shards: Vec<Shard>,
    /// What its tasks are asked; none for what all are.
    pub(super) question: Option<TaskQuestion>,
    pub(super) keep: Keep,
    /// Whether a task is created when a new dump appears.
    pub(super) analyzes_new_dumps: bool,
}

/// A node of an instance, and where its dumps lie.
#[derive(Debug)]
pub(super) struct Shard {
    /// `ip:port`; none for the only node of an instance.
    pub(super) address: Option<String>,
    pub(super) backups: Backups,
}

/// Certificate and key, in PEM files.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Tls {
    /// The certificate, with those between it and the root behind it.
    pub certificate: PathBuf,
    /// Its private key.
    pub key: PathBuf,
}

/// How the service logs.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Log {
    /// In which form.
    pub format: LogFormat,
    /// From which level on.
    pub level: LogLevel,
}

/// The form of a log.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum LogFormat {
    /// For people.
    #[default]
    Text,
    /// A JSON object a line.
    Json,
}

/// The least level that is logged.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
#[allow(missing_docs, reason = "the levels speak for themselves")]
pub enum LogLevel {
    Error,
    Warn,
    #[default]
    Info,
    Debug,
}

/// How dumps are analyzed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Analysis {
    /// Tasks at once.
    pub workers: u16,
    /// Threads for each of them; 0 for one a core.
    pub threads: u16,
}

impl Default for Analysis {
    fn default() -> Self {
        Self { workers: 1, threads: 0 }
    }
}

/// What a client may ask for.
#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Limits {
    /// Bytes of a request's body.
    pub body_bytes: usize,
    /// Bytes of a request's line and headers.
    pub header_bytes: usize,
    /// Seconds until a request is given up, its body included; the same for its headers, and for an answer that is not taken.
    pub request_seconds: u64,
    /// Seconds until a connection is closed on which nothing is asked.
    pub idle_seconds: u64,
    /// Requests that are worked on at once; others are refused with 503.
    pub requests_at_once: usize,
    /// Open connections; others wait.
    pub connections_at_once: usize,
    /// Open connections from one address, or one IPv6 network of 64 bits; others are refused with 503.
    pub connections_per_address: usize,
    /// Requests with wrong credentials from one address in a minute, after which it is refused with 429.
    pub failed_logins_per_minute: u32,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            body_bytes: 64 << 10,
            header_bytes: 16 << 10,
            request_seconds: 10,
            // Longer than the pauses of clients that poll, and than those of proxies that keep connections for 60 s.
            idle_seconds: 75,
            requests_at_once: 256,
            connections_at_once: 1024,
            connections_per_address: 256,
            failed_logins_per_minute: 60,
        }
    }
}

impl Config {
    /// Whether anyone who reaches the service may use it.
    pub fn is_open(&self) -> bool {
        self.credentials.is_empty()
    }

    /// What is asked of tasks, by instance, where that is not what all are asked.
    pub(super) fn questions(&self) -> HashMap<String, TaskQuestion> {
        let of_instances = self.instances.iter();
        of_instances.filter_map(|(id, instance)| Some((id.clone(), instance.question.clone()?))).collect()
    }

    /// Looks whether the service may listen where it is told to.
    ///
    /// # Errors
    /// The sentence that says why not.
    pub fn check_listen(&self) -> Result<(), String> {
        if self.is_open() && !self.listen.ip().is_loopback() {
            return Err(
                "no project has access keys or tokens, so the service listens on a loopback address only, such \
                        as 127.0.0.1:8080"
                    .to_owned(),
            );
        }
        Ok(())
    }
}

/// Whether a text has the form of an ID.
pub(super) fn is_id(text: &str) -> bool {
    (1..=64).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_".contains(&byte))
}
