//! The command that is meant where none is typed, and what is said where it cannot be told.

use std::ffi::{OsStr, OsString};
use std::io::ErrorKind as IoErrorKind;
use std::path::Path;

use bigkeys::input::{is_url, shown};
use clap::Command;
use clap::error::{ContextKind, ContextValue, ErrorKind};

use super::args::input::dump;

/// The command of `bigkeys DUMP...`.
pub(super) const DEFAULT: &str = "report";

/// Options of the program itself.
const OWN_OPTIONS: [&str; 5] = ["-h", "--help", "-V", "--version", "--verbose"];

/// The arguments with the default command put in front, if they begin with a dump or with an option of that command.
pub(super) fn with_default(program: &Command, mut arguments: Vec<OsString>) -> Vec<OsString> {
    let is_short_form = arguments.get(1).is_some_and(|first| {
        let is_option = first.as_encoded_bytes().starts_with(b"-") && first != "-";
        let is_command = first == "help" || program.find_subcommand(first).is_some();
        !is_command && if is_option { !OWN_OPTIONS.iter().any(|own| first == own) } else { stands_for_dump(first) }
    });
    if is_short_form {
        arguments.insert(1, DEFAULT.into());
    }
    arguments
}

/// Whether an argument names a dump, even one that cannot be opened, rather than a command.
fn stands_for_dump(argument: &OsStr) -> bool {
    use IoErrorKind::{NotADirectory, NotFound};
    let is_there = |path: &Path| match path.symlink_metadata() {
        Ok(_) => true,
        Err(error) => !matches!(error.kind(), NotFound | NotADirectory),
    };
    argument == "-" || is_url(argument) || dump(Path::new(argument)).shard.is_some() || is_there(Path::new(argument))
}

/// An error of parsing the arguments, with the advice that fits this program.
pub(super) fn explained(program: &Command, mut error: clap::Error, arguments: &[OsString]) -> clap::Error {
    hide_secrets(&mut error);
    if let Some(ContextValue::String(option)) = error.get(ContextKind::InvalidArg)
        && error.kind() == ErrorKind::UnknownArgument
    {
        let owners = owners(program, option.trim_start_matches('-'));
        if !owners.is_empty() {
            let tip = format!("'{option}' is an option of: {}", owners.join(", "));
            // The usage would show what clap took for similar.
            if error.remove(ContextKind::SuggestedArg).is_some() {
                error.remove(ContextKind::Usage);
            }
            error.insert(ContextKind::Suggested, ContextValue::StyledStrs(vec![tip.into()]));
        }
        return error;
    }
    let invalid = match error.get(ContextKind::InvalidSubcommand) {
        Some(ContextValue::String(invalid)) if error.kind() == ErrorKind::InvalidSubcommand => invalid,
        _ => return error,
    };
    if arguments.get(1).is_none_or(|first| first.to_string_lossy() != *invalid) {
        return error;
    }
    let invalid: String = invalid.escape_debug().collect();
    let similar = match error.get(ContextKind::SuggestedSubcommand) {
        Some(ContextValue::String(similar)) => Some(similar.clone()),
        Some(ContextValue::Strings(similar)) => similar.first().cloned(),
        _ => None,
    };
    let tip = similar.map(|similar| format!("  tip: a similar command exists: '{similar}'\n\n")).unwrap_or_default();
    let message =
        format!("no such file or command: '{invalid}'\n\n{tip}For the commands and examples, try 'bigkeys --help'.\n");
    clap::Error::raw(ErrorKind::InvalidSubcommand, message)
}

/// What clap repeats of the arguments, without what gives access to a URL.
fn hide_secrets(error: &mut clap::Error) {
    for kind in [ContextKind::InvalidValue, ContextKind::InvalidArg, ContextKind::InvalidSubcommand] {
        let url = match error.get(kind) {
            Some(ContextValue::String(typed)) if is_url(typed) => shown(typed),
            _ => continue,
        };
        error.insert(kind, ContextValue::String(url));
    }
}

/// The commands that have a long option.
fn owners(program: &Command, long: &str) -> Vec<String> {
    let mut owners = Vec::new();
    for command in program.get_subcommands() {
        if command.get_arguments().any(|argument| argument.get_long() == Some(long) && !argument.is_hide_set()) {
            owners.push(command.get_name().to_owned());
        }
        for below in self::owners(command, long) {
            owners.push(format!("{} {below}", command.get_name()));
        }
    }
    owners
}

#[cfg(test)]
mod tests {
    use super::*;

    fn completed(typed: &str) -> String {
        let arguments = ["bigkeys"].into_iter().chain(typed.split_whitespace()).map(OsString::from).collect();
        let program = Command::new("bigkeys").subcommands(["report", "check", "analyze"].map(Command::new));
        let words = with_default(&program, arguments);
        words[1..].iter().map(|word| word.to_string_lossy()).collect::<Vec<_>>().join(" ")
    }

    #[test]
    fn what_begins_with_no_command_is_a_report() {
        for typed in ["Cargo.toml", "--top 5 x.rdb", "-", "-q x.rdb", "h:1=x.rdb", "s3://a/b", "./check", "--no-such"] {
            let is_dump = typed != "./check";
            assert_eq!(completed(typed), if is_dump { format!("report {typed}") } else { typed.to_owned() });
        }
    }

    #[test]
    fn what_begins_with_a_command_stays() {
        for typed in ["", "check", "help report", "analyze x.rdb", "--help", "-V", "analize x.rdb", "no/such.rdb"] {
            assert_eq!(completed(typed), typed);
        }
    }
}
