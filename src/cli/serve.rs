//! `bigkeys serve`: the task API over HTTP.

use std::fmt::Write;
use std::net::SocketAddr;
use std::path::PathBuf;

use bigkeys::input::shown;
use bigkeys::server::{Config, ConfigErrors, NodeDump, serve, start_log};
use clap::Args;
use jiff::Timestamp;

use super::exit::{Exit, fail, print, say};

const EXAMPLES: &str = "\
Examples:
  bigkeys serve --config bigkeys.toml
  bigkeys serve --config bigkeys.toml --check-config
  bigkeys serve --config bigkeys.toml --listen 127.0.0.1:9000";

/// Answer the task API over HTTP
///
/// Serves big key analysis tasks, their schedules and offline key analyses for the instances of a configuration, until
/// SIGTERM or SIGINT comes. Running tasks then wait for the next start. SIGHUP reloads credentials, instances, limits and
/// certificates. It logs to standard error.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct ServeArgs {
    /// The configuration; bigkeys.example.toml shows all of it, with comments
    #[arg(long, value_name = "FILE", value_hint = clap::builder::ValueHint::FilePath)]
    config: PathBuf,

    /// The address to listen on, instead of the configuration's
    #[arg(long, value_name = "IP:PORT")]
    listen: Option<SocketAddr>,

    /// Print all mistakes and warnings and the newest dump of each instance, and exit with 0 if there is no mistake
    #[arg(long)]
    check_config: bool,
}

pub(super) fn run(args: &ServeArgs) -> Exit {
    let mut config = match Config::read(&args.config) {
        Ok(config) => config,
        Err(ConfigErrors(mistakes)) => {
            for mistake in mistakes {
                say(&mistake.to_string());
            }
            return Exit::CouldNotRun;
        }
    };
    if let Some(listen) = args.listen {
        config.listen = listen;
        if let Err(sentence) = config.check_listen() {
            return fail(&format!("--listen {listen}: {sentence}"));
        }
    }
    if args.check_config {
        return check(&config);
    }
    let _guard = match start_log(config.log) {
        Ok(guard) => guard,
        Err(error) => return fail(&format!("could not start a thread for the log: {error}")),
    };
    match serve(config) {
        Ok(()) => Exit::Sound,
        Err(error) => fail(&error.to_string()),
    }
}

/// Prints what a good configuration finds, and what looks like a mistake in it.
fn check(config: &Config) -> Exit {
    let dumps = config.dumps();
    for warning in config.warnings(&dumps) {
        say(&format!("warning: {warning}"));
    }
    let mut text = String::new();
    for NodeDump { instance_id, name, shard, dump, .. } in dumps {
        let node = format!("{instance_id}\t{name}\t{}", shard.unwrap_or_default());
        _ = match dump {
            Ok((path, written_at)) => {
                let written_at = Timestamp::try_from(written_at).unwrap_or(Timestamp::UNIX_EPOCH);
                writeln!(text, "{node}\t{written_at:.0}\t{}", shown(path))
            }
            Err(reason) => writeln!(text, "{node}\tno dump\t{reason}"),
        };
    }
    print(text.as_bytes())
}
