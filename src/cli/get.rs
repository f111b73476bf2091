//! `bigkeys get`: one key and what is in it.

use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use bigkeys::analysis::filter::Filter;
use bigkeys::engine::{Exported, export_all, export_at};
use bigkeys::input::shown;
use bigkeys::output::values::{Drain, LARGEST_MAX, Lines, Look};
use bigkeys::values::{Mapped, Mapping, TextMap};
use bigkeys::{Dump, Pattern};
use clap::Args;
use clap::builder::ValueHint;

use super::args::input::{dump_path, one_match};
use super::args::memory::MemoryArgs;
use super::args::redact::{RedactArgs, SEPARATORS};
use super::args::run::ScanArgs;
use super::args::value::{escaped_name, number};
use super::exit::{Exit, fail, redacted, say, tell_redacted};
use super::progress::watched;
use super::report_format::width;
use super::sink::Sink;

/// Elements that a person is shown.
const LIMIT: u64 = 50;

const EXAMPLES: &str = r"Examples:
  bigkeys get dump.rdb user:1
  bigkeys get dump.rdb cart --field item:7
  bigkeys get dump.rdb queue --from 1000000 --limit 10
  bigkeys get dump.rdb big:hash --largest --limit 5
  bigkeys get dump.rdb --offset 48213 --json

In KEY and NAME, \xff is the byte ff; write \\xff for a name that has these
four characters.

Exit codes: 0 found, 1 the dump is damaged or refused, 2 could not run, or no
key has this name, 130 Ctrl-C.";

/// Print one key: what it is, what it costs, and its elements
///
/// The dump is scanned for the name. With --offset, which `report` and `keys` print for each key, the key is read at
/// once, from a file that is not compressed.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct GetArgs {
    /// A dump, in a file or at a URL; `-` is standard input
    #[arg(value_name = "DUMP", value_parser = dump_path(), value_hint = ValueHint::FilePath)]
    dump: PathBuf,

    /// The name of the key
    #[arg(value_name = "KEY", value_parser = escaped_name, required_unless_present_any = ["key_base64", "offset"])]
    key: Option<Name>,

    /// The name of the key in Base64, instead of KEY
    #[arg(long, value_name = "BASE64", value_parser = base64_name, conflicts_with = "key")]
    key_base64: Option<Name>,

    /// Only the key of this database
    #[arg(long, value_name = "N", value_parser = number, conflicts_with = "offset")]
    db: Option<u64>,

    /// The key whose record is at this offset
    #[arg(long, value_name = "N", value_parser = number)]
    offset: Option<u64>,

    /// Only the field or member of this name
    #[arg(long, value_name = "NAME", value_parser = escaped_name, help_heading = "Elements")]
    field: Option<Name>,

    /// The first element to print, counted from 0
    #[arg(long, value_name = "N", value_parser = number, default_value = "0", help_heading = "Elements")]
    from: u64,

    /// The number of elements to print; by default 50, with --json all
    #[arg(long, value_name = "N", value_parser = number, help_heading = "Elements")]
    limit: Option<u64>,

    /// The largest elements instead of the first ones
    #[arg(long, conflicts_with = "from", help_heading = "Elements")]
    largest: bool,

    /// Print one JSON object
    #[arg(long, help_heading = "Output")]
    json: bool,

    #[command(flatten)]
    memory: MemoryArgs,

    #[command(flatten)]
    redact: RedactArgs,

    #[command(flatten)]
    scan: ScanArgs,
}

/// A name, which may be any bytes.
pub(super) type Name = std::sync::Arc<[u8]>;

fn base64_name(text: &str) -> Result<Name, String> {
    BASE64_STANDARD.decode(text).map(Into::into).map_err(|error| format!("expected Base64: {error}"))
}

pub(super) fn run(args: &GetArgs) -> Exit {
    match try_run(args) {
        Ok(exit) => exit,
        Err(sentence) => fail(&sentence),
    }
}

/// # Errors
/// The sentence that says why the program could not run.
fn try_run(args: &GetArgs) -> Result<Exit, String> {
    let name = args.key.as_deref().or(args.key_base64.as_deref());
    let limit = args.limit.unwrap_or(if args.json && !args.largest { u64::MAX } else { LIMIT });
    if args.largest && limit > LARGEST_MAX {
        return Err(format!("--largest prints at most {LARGEST_MAX} elements"));
    }
    let redaction = args.redact.redaction(SEPARATORS)?;
    if args.field.is_some() && redaction.as_ref().is_some_and(|redaction| !redaction.keeps_names_apart()) {
        return Err("--field finds one name, and --redact digits makes one of several: use --redact names".to_owned());
    }
    let dump = one_match(&args.dump)?;
    let mut sink = Sink::open(None)?;
    let look = Look {
        is_json: args.json,
        width: width(sink.is_terminal()),
        // Fields are compared as they are printed.
        field: args.field.as_deref().map(|field| match &redaction {
            Some(redaction) => redaction.name(field),
            None => field.to_vec(),
        }),
        from: args.from,
        limit,
        largest: args.largest,
        target: args.memory.target,
        allocator: args.memory.allocator,
    };
    let texts = redaction.clone().map(|redaction| (TextMap::new(move |text| redaction.name(text)), Mapping::All));
    let mut exit = Exit::Sound;
    let mut keys = 0;
    let written = watched(args.scan.when(), |progress| {
        sink.write_with(|to| {
            let failed = Mutex::new(None);
            let drain: Drain<'_> = Arc::new(Mutex::new(|bytes: &[u8]| {
                let mut failed = failed.lock().unwrap_or_else(PoisonError::into_inner);
                if failed.is_none() {
                    *failed = to.write_all(bytes).err();
                    if failed.is_some() {
                        progress.cancel();
                    }
                }
            }));
            let looked = if let Some(offset) = args.offset {
                keys = 1;
                let form = Mapped::new(Lines::cards(look.clone(), drain.clone()), texts.clone());
                match export_at(&dump, offset, name, form) {
                    Ok(()) => Ok(Exported::default()),
                    Err(error) if error.is_about_dump() => Ok(Exported { errors: vec![error], ..Exported::default() }),
                    Err(error) => Err(error.to_string()),
                }
            } else {
                let dumps = [Dump::from(&dump)];
                Pattern::exact(name.unwrap_or_default())
                    .map_err(|_| "the name is too long to be searched for: use --offset".to_owned())
                    .and_then(|pattern| {
                        let filter = Filter {
                            databases: args.db.into_iter().collect(),
                            patterns: vec![pattern],
                            ..Filter::default()
                        };
                        let form = |_: &_| Mapped::new(Lines::cards(look.clone(), drain.clone()), texts.clone());
                        let exported = export_all(&dumps, &filter, &args.scan.options(), progress, form);
                        keys = exported.as_ref().map_or(0, |exported| exported.keys);
                        exported.map_err(|error| error.to_string())
                    })
            };
            let failed = failed.lock().unwrap_or_else(PoisonError::into_inner).take();
            match (failed, looked) {
                (Some(error), _) => return Err(error),
                (None, Ok(Exported { errors, notes, .. })) => {
                    exit = tell_redacted(&errors, &notes, args.scan.quiet, redaction.as_ref());
                }
                (None, Err(sentence)) => exit = fail(&redacted(&sentence, redaction.as_ref())),
            }
            Ok(())
        })
    });
    if !written? {
        return Ok(Exit::Sound);
    }
    if keys == 0 && exit == Exit::Sound {
        let place = args.db.map_or(String::new(), |db| format!(" in database {db}"));
        return Err(format!("{}: no key of this name{place}", shown(&dump)));
    }
    if keys > 1 && !args.scan.quiet {
        say(&format!("the name is in {keys} databases; --db chooses one"));
    }
    Ok(exit)
}
