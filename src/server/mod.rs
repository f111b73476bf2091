//! The task API over HTTP: big key analysis tasks for the instances of a configuration, whose dumps are in files.
//!
//! `serve.rs` is the service's life. A request's way: `accept.rs` takes the connection, with `patient.rs` and `connections.rs`
//! as its limits; `routes.rs` gives the request an ID, a log line and a handler; `identify.rs`, `auth.rs` and `signature.rs`
//! know who asks; `tasks.rs`, `expired.rs`, `autoscan.rs` and `offline.rs` answer from the [`Store`](crate::task::Store), each by `work.rs`,
//! and `errors.rs` has the published refusals. Beside the requests, `workers.rs` has the threads of a
//! [`Runner`](crate::task::Runner), `schedule.rs` and `newest.rs` create what is due and delete what is too old, `webhook.rs` tells
//! another program what has ended, and `watch.rs` looks whether all of this can work.
//! `console/` is the same for people with a browser. No request waits for an analysis, and no path comes from a request.

mod accept;
mod app;
mod auth;
mod autoscan;
mod backups;
mod config;
mod config_credentials;
mod config_file;
mod config_instance;
mod config_source;
mod connections;
#[cfg(feature = "console")]
mod console;
mod details;
mod error;
mod errors;
mod expired;
mod extract;
#[cfg(feature = "console")]
mod found;
mod health;
mod identify;
mod instances;
mod log;
mod metrics;
mod newest;
mod notify;
mod offline;
pub mod openapi;
mod patient;
mod reload;
mod rendered;
mod routes;
mod schedule;
mod scrape;
mod serve;
pub mod signature;
mod survey;
mod tasks;
#[cfg(test)]
mod tests;
mod throttle;
mod tls;
mod token;
mod walk;
mod watch;
mod webhook;
mod work;
mod workers;

pub use config::{Analysis, Config, Limits, Log, LogFormat, LogLevel, Tls};
pub use config_source::{ConfigError, ConfigErrors};
pub use error::ServeError;
pub use log::{LogGuard, start_log};
pub use serve::serve;
pub use survey::NodeDump;
pub use token::NewToken;
