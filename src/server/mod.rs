//! The task API over HTTP: big key analysis tasks for the instances of a configuration, whose dumps lie in files.
//!
//! A request's way: `listen.rs` accepts it, `routes.rs` gives it an ID, limits and a log line and knows who answers it,
//! `auth.rs` and `signature.rs` know who asks, `tasks.rs`, `autoscan.rs` and `offline.rs` answer by the [`Store`], and
//! `errors.rs` has the published refusals. A [`Runner`] on threads of its own works off what was created, and
//! `schedule.rs` creates what is due. No request waits for an analysis, and no path comes from a request.

mod auth;
mod autoscan;
mod backups;
mod config;
mod config_file;
mod errors;
mod extract;
mod listen;
mod metrics;
mod offline;
pub mod openapi;
mod routes;
mod schedule;
pub mod signature;
mod tasks;
#[cfg(test)]
mod tests;

use std::fmt;
use std::sync::Arc;

use tokio::sync::Semaphore;

pub use config::{Analysis, Config, Limits, Log, LogFormat, LogLevel, Tls};
pub use config_file::ConfigError;
pub use listen::serve;

use crate::task::{Runner, Store, StoreError};
use metrics::Metrics;

/// What all requests share.
#[derive(Debug)]
struct App {
    config: Config,
    store: Arc<Store>,
    runner: Arc<Runner>,
    metrics: Metrics,
    requests: Semaphore,
}

impl App {
    fn new(config: Config, store: Arc<Store>, runner: Arc<Runner>) -> Self {
        let requests = Semaphore::new(config.limits.requests_at_once);
        Self { config, store, runner, metrics: Metrics::default(), requests }
    }
}

/// Why the service could not run.
#[derive(Debug)]
pub enum ServeError {
    /// Nobody said where the store is, and there is no home directory.
    NoStore,
    /// The store cannot be opened, or cannot be worked on.
    Store(std::path::PathBuf, StoreError),
    /// Another process works on the store's tasks.
    Busy(std::path::PathBuf),
    /// A certificate or key cannot be used.
    Tls(std::path::PathBuf, String),
    /// The system's answer to what was tried.
    Io(String, std::io::Error),
}

impl std::error::Error for ServeError {}

impl fmt::Display for ServeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoStore => write!(f, "there is no home directory to keep tasks in: say where with `store`"),
            Self::Store(path, error) => write!(f, "{}: {error}", path.display()),
            Self::Busy(path) => write!(f, "{}: another process works on these tasks", path.display()),
            Self::Tls(path, what) => write!(f, "{}: {what}", path.display()),
            Self::Io(doing, error) => write!(f, "could not {doing}: {error}"),
        }
    }
}
