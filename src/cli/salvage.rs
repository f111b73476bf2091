//! `bigkeys salvage`: a damaged dump in, a dump that servers load and an account out.

use bigkeys::salvage::salvage;

use super::analyze::is_same;
use super::args::SalvageArgs;
use super::output::Sink;
use super::{Exit, fail, print, say};

pub(super) fn run(args: &SalvageArgs) -> Exit {
    if is_same(&args.dump, &args.output) {
        return fail(&format!("{}: it is the dump to be read, so nothing is written to it", args.dump.display()));
    }
    let mut sink = match Sink::open(Some(&args.output)) {
        Ok(sink) => sink,
        Err(sentence) => return fail(&sentence),
    };
    let account = match salvage(&args.dump, sink.writer()) {
        Ok(account) => account,
        Err(error) => {
            say(&error.to_string());
            return if error.is_about_dump() { Exit::Damaged } else { Exit::CouldNotRun };
        }
    };
    if let Err(sentence) = sink.finish() {
        return fail(&sentence);
    }
    let mut json = match serde_json::to_vec(&account) {
        Ok(json) => json,
        Err(error) => return fail(&error.to_string()),
    };
    json.push(b'\n');
    let exit = if account.complete { Exit::Sound } else { Exit::Damaged };
    exit.max(print(&json))
}
