//! `--evidence`: a record beside a result, for those who must show later what was read, by what, and what came of it.
//!
//! Inputs are opened for reading only. Each is read once more before the command runs and once after it: where its bytes, its size or its
//! time of change differ, the record and a message say so, and the exit code is 1. `docs/evidence.md` has the fields.

use std::fmt::Write as _;
use std::fs::{self, File};
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use bigkeys::input::{is_url, shown};
use clap::Args;
use clap::builder::ValueHint;
use jiff::Timestamp;
use serde::Serialize;
use sha2::{Digest, Sha256};

use super::exit::{Exit, Told, fail, keep_told, say, take_told};
use super::sink::{Sink, keep_inputs};
use super::version::{Build, build};

#[derive(Debug, Args)]
#[command(next_help_heading = "Output")]
pub(super) struct EvidenceArgs {
    /// Write a record of this run: tool, arguments, times, digests of inputs and result
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    evidence: Option<PathBuf>,
}

/// The version of the record's JSON.
const FORMAT: &str = "bigkeys-evidence/1";

/// The record.
#[derive(Serialize)]
struct Evidence {
    format: &'static str,
    tool: Tool,
    /// As the program was called, its name first.
    arguments: Vec<String>,
    working_directory: Option<String>,
    host: Host,
    started_at: String,
    ended_at: String,
    inputs: Vec<Input>,
    /// Whether each input had the same bytes, size and time of change before and after; none if one could not be read twice.
    are_inputs_unchanged: Option<bool>,
    /// The files that were written.
    results: Vec<Output>,
    exit_code: u8,
    /// Whether everything was read to its end and understood.
    is_understood: bool,
    #[serde(flatten)]
    told: Told,
}

/// The program that ran.
#[derive(Serialize)]
struct Tool {
    name: &'static str,
    #[serde(flatten)]
    build: Build,
    path: Option<String>,
    sha256: Option<String>,
}

/// The machine that it ran on.
#[derive(Serialize)]
struct Host {
    name: String,
    system: String,
    machine: String,
    user_id: u32,
}

/// A file that was read.
#[derive(Serialize)]
struct Input {
    path: String,
    before: Option<State>,
    after: Option<State>,
    is_unchanged: Option<bool>,
    /// Why there are no digests.
    #[serde(skip_serializing_if = "Option::is_none")]
    not_hashed: Option<String>,
}

/// A file at a moment.
#[derive(PartialEq, Eq, Serialize)]
struct State {
    size_bytes: u64,
    modified_at: Option<String>,
    sha256: String,
}

/// A file that was written.
#[derive(Serialize)]
struct Output {
    path: String,
    #[serde(flatten)]
    state: Option<State>,
}

/// Runs a command, and writes a record of it if one was asked for. `inputs` are the files that it reads, `results` those that it writes.
pub(super) fn recorded(
    args: &EvidenceArgs,
    inputs: &[PathBuf],
    results: impl Fn() -> Vec<PathBuf>,
    run: impl FnOnce() -> Exit,
) -> Exit {
    let Some(path) = args.evidence.as_deref() else { return run() };
    match try_recorded(path, inputs, &results, run) {
        Ok(exit) => exit,
        Err(sentence) => fail(&sentence),
    }
}

/// # Errors
/// The sentence that says why there is no record; the command has run unless it is about its arguments.
fn try_recorded(
    path: &Path,
    inputs: &[PathBuf],
    results: &dyn Fn() -> Vec<PathBuf>,
    run: impl FnOnce() -> Exit,
) -> Result<Exit, String> {
    keep_inputs(inputs.iter().map(PathBuf::as_path), Some(path))?;
    let is_result = |result: &PathBuf| std::path::absolute(result).ok() == std::path::absolute(path).ok();
    if results().iter().any(is_result) {
        return Err(format!("{}: the record and the result cannot be one file", shown(path)));
    }
    let mut sink = Sink::open(Some(path))?;
    let started_at = moment(Timestamp::now());
    let inputs = files(inputs);
    let before: Vec<Result<State, String>> = inputs.iter().map(|input| State::of(input)).collect();
    keep_told();
    let mut exit = run();
    let inputs: Vec<Input> = inputs.iter().zip(before).map(|(path, before)| Input::after(path, before)).collect();
    for input in inputs.iter().filter(|input| input.is_unchanged == Some(false)) {
        say(&format!("{}: changed while the command ran: what it found may be of either state", input.path));
        exit = exit.max(Exit::Damaged);
    }
    let told = take_told();
    let evidence = Evidence {
        format: FORMAT,
        tool: Tool::of_this(),
        arguments: std::env::args_os().map(|argument| argument.to_string_lossy().into_owned()).collect(),
        working_directory: std::env::current_dir().ok().map(|path| shown(&path)),
        host: Host::of_this(),
        started_at,
        are_inputs_unchanged: inputs
            .iter()
            .map(|input| input.is_unchanged)
            .reduce(|all, one| match (all, one) {
                (Some(false), _) | (_, Some(false)) => Some(false),
                (Some(true), Some(true)) => Some(true),
                _ => None,
            })
            .flatten(),
        inputs,
        results: results().iter().map(|path| Output { path: shown(path), state: State::of(path).ok() }).collect(),
        exit_code: exit as u8,
        is_understood: told.not_understood.is_empty() && matches!(exit, Exit::Sound | Exit::OverBudget),
        told,
        ended_at: moment(Timestamp::now()),
    };
    sink.write(&evidence, true)?;
    sink.finish()?;
    Ok(exit)
}

/// The files that paths name; of a folder, such as that of an append-only file, the files in it.
fn files(paths: &[PathBuf]) -> Vec<PathBuf> {
    let mut files = Vec::new();
    for path in paths {
        match fs::read_dir(path) {
            Ok(entries) => {
                let mut inside: Vec<PathBuf> = entries.filter_map(|entry| Some(entry.ok()?.path())).collect();
                inside.retain(|path| path.is_file());
                inside.sort();
                files.append(&mut inside);
            }
            Err(_) => files.push(path.clone()),
        }
    }
    files
}

impl Input {
    /// An input after the run, of which the state before it is known or why it is not.
    fn after(path: &Path, before: Result<State, String>) -> Self {
        let path_shown = shown(path);
        let before = match before {
            Ok(before) => before,
            Err(why) => {
                return Self { path: path_shown, before: None, after: None, is_unchanged: None, not_hashed: Some(why) };
            }
        };
        let (after, not_hashed) = match State::of(path) {
            Ok(after) => (Some(after), None),
            // A file that is gone has changed.
            Err(why) => (None, Some(why)),
        };
        let is_unchanged = Some(after.as_ref() == Some(&before));
        Self { path: path_shown, before: Some(before), after, is_unchanged, not_hashed }
    }
}

impl State {
    /// A file as it is now.
    ///
    /// # Errors
    /// Why that is not known: what is not a regular file cannot be read twice.
    fn of(path: &Path) -> Result<Self, String> {
        if path == Path::new("-") {
            return Err("standard input can be read only once".to_owned());
        }
        if is_url(path) {
            return Err("an object in a store or on a web server is not read twice".to_owned());
        }
        let metadata = fs::metadata(path).map_err(|error| format!("could not read it: {error}"))?;
        if !metadata.is_file() {
            return Err("not a regular file".to_owned());
        }
        let sha256 = sha256(path).map_err(|error| format!("could not read it: {error}"))?;
        let modified_at = metadata.modified().ok().and_then(|at| Timestamp::try_from(at).ok()).map(moment);
        Ok(Self { size_bytes: metadata.len(), modified_at, sha256 })
    }
}

fn moment(at: Timestamp) -> String {
    at.strftime("%Y-%m-%dT%H:%M:%S.%9fZ").to_string()
}

/// The SHA-256 of a file, in hexadecimal.
fn sha256(path: &Path) -> io::Result<String> {
    let mut file = File::open(path)?;
    let mut digest = Sha256::new();
    let mut buffer = vec![0; 1 << 20];
    loop {
        match file.read(&mut buffer) {
            Ok(0) => break,
            Ok(bytes) => digest.update(buffer.get(..bytes).unwrap_or_default()),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    let mut hex = String::with_capacity(64);
    for byte in digest.finalize() {
        _ = write!(hex, "{byte:02x}");
    }
    Ok(hex)
}

impl Tool {
    fn of_this() -> Self {
        let path = std::env::current_exe().ok();
        let sha256 = path.as_deref().and_then(|path| sha256(path).ok());
        Self { name: "bigkeys", build: build(), path: path.as_deref().map(shown), sha256 }
    }
}

impl Host {
    fn of_this() -> Self {
        let host = rustix::system::uname();
        let text = |text: &std::ffi::CStr| text.to_string_lossy().into_owned();
        Self {
            name: text(host.nodename()),
            system: format!("{} {}", text(host.sysname()), text(host.release())),
            machine: text(host.machine()),
            user_id: rustix::process::getuid().as_raw(),
        }
    }
}
