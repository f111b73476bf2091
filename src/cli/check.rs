//! `bigkeys check`: what dumps are, and whether they are sound.

use std::io::{self, Write};

use bigkeys::check::{Options, Report, check};

use super::args::CheckArgs;
use super::{Exit, say};

pub(super) fn run(args: &CheckArgs) -> Exit {
    let mut options = Options::default();
    options.quick = args.quick;
    options.resync = args.resync;
    options.payload_key = args.payload.as_ref().map(|key| key.clone().into_bytes());
    let mut exit = Exit::Sound;
    for path in &args.dumps {
        let report = match check(path, &options) {
            Ok(report) => report,
            // The other dumps are still worth a look.
            Err(error) => {
                exit = Exit::CouldNotRun;
                say(&error.to_string());
                continue;
            }
        };
        if !report.sound {
            exit = exit.max(Exit::Damaged);
        }
        if args.quiet && report.sound {
            continue;
        }
        match print(&report, args.json) {
            Ok(()) => {}
            Err(error) if error.kind() == io::ErrorKind::BrokenPipe => return exit,
            Err(error) => return super::fail(&format!("standard output: could not write to it: {error}")),
        }
    }
    exit
}

fn print(report: &Report, is_json: bool) -> io::Result<()> {
    let mut stdout = io::stdout().lock();
    if is_json {
        serde_json::to_writer(&mut stdout, report)?;
        stdout.write_all(b"\n")?;
    } else {
        write!(stdout, "{report}")?;
    }
    stdout.flush()
}
