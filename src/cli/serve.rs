//! `bigkeys serve`: the task API over HTTP.

use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;

use bigkeys::server::{Config, Log, LogFormat, LogLevel, serve};
use clap::Args;
use tracing::Level;

use super::exit::{Exit, fail};

const EXAMPLES: &str = "\
Examples:
  bigkeys serve --config bigkeys.toml
  bigkeys serve --config bigkeys.toml --listen 127.0.0.1:9000";

/// Answer the task API over HTTP
///
/// Serves big key analysis tasks, their schedules and offline key analyses for the instances of a configuration, until
/// SIGTERM or SIGINT comes. Running tasks then wait for the next start. It logs to standard error.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct ServeArgs {
    /// The configuration; bigkeys.example.toml shows all of it, with comments
    #[arg(long, value_name = "FILE", value_hint = clap::builder::ValueHint::FilePath)]
    config: PathBuf,

    /// The address to listen on, instead of the configuration's
    #[arg(long, value_name = "IP:PORT")]
    listen: Option<SocketAddr>,
}

pub(super) fn run(args: &ServeArgs) -> Exit {
    let mut config = match Config::read(&args.config) {
        Ok(config) => config,
        Err(error) => return fail(&error.to_string()),
    };
    if let Some(listen) = args.listen {
        config.listen = listen;
        if let Err(sentence) = config.check_listen() {
            return fail(&format!("--listen {listen}: {sentence}"));
        }
    }
    log(config.log);
    match serve(config) {
        Ok(()) => Exit::Sound,
        Err(error) => fail(&error.to_string()),
    }
}

/// From here on the library's events go to standard error.
fn log(Log { format, level }: Log) {
    let level = match level {
        LogLevel::Error => Level::ERROR,
        LogLevel::Warn => Level::WARN,
        LogLevel::Info => Level::INFO,
        LogLevel::Debug => Level::DEBUG,
    };
    let subscriber = tracing_subscriber::fmt().with_max_level(level).with_target(false).with_writer(io::stderr);
    match format {
        LogFormat::Text => subscriber.with_ansi(false).init(),
        LogFormat::Json => subscriber.json().flatten_event(true).with_current_span(true).with_span_list(false).init(),
    }
}
