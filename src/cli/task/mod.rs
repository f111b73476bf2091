//! `bigkeys task`: tasks that are kept, created and run without a service.

mod args;
mod table;

use std::io::{self, IsTerminal};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use bigkeys::Dump;
use bigkeys::task::{NewTask, Query, Runner, ScanType, Status, Store, StoreError, Task, TaskKind, Worked, settled};
use serde::Serialize;
use uuid::Uuid;

pub(super) use args::TaskArgs;
use args::{CreateArgs, Format, ListArgs, RunArgs, TaskCommand};

use super::args::input::{all_matches, dump};
use super::args::run::When;
use super::exit::{Exit, fail, print, say};
use super::progress::watched;

/// How often a task that another process works on is looked at.
const LOOK_MILLISECONDS: u64 = 200;

pub(super) fn run(args: &TaskArgs) -> Exit {
    match try_run(args) {
        Ok(exit) => exit,
        Err(sentence) => fail(&sentence),
    }
}

/// # Errors
/// The sentence that says why the program could not run.
fn try_run(args: &TaskArgs) -> Result<Exit, String> {
    let format = args.format;
    match &args.command {
        TaskCommand::Create(create_args) => create(args, create_args),
        TaskCommand::List(list_args) => {
            let store = open(args)?;
            list(&store, list_args, format).map_err(|error| told(&store, &error))
        }
        TaskCommand::Show { id } => {
            let store = open(args)?;
            let shown = store.show(TaskKind::BigKeys, None, id).map_err(|error| about(id, &store, &error))?;
            tell_reason(&store, &shown);
            Ok(print_task(&shown, format))
        }
        TaskCommand::Delete { id } => {
            let store = open(args)?;
            let deleted = store.delete(TaskKind::BigKeys, None, id).map_err(|error| about(id, &store, &error))?;
            Ok(print_task(&deleted, format))
        }
        TaskCommand::Run(run_args) => {
            let store = Arc::new(open(args)?);
            let runner =
                Runner::new(store.clone(), run_args.threads.options()).map_err(|error| told(&store, &error))?;
            let busy = || format!("{}: another process runs these tasks", store.path().display());
            run_waiting(&store, &runner.ok_or_else(busy)?, run_args.progress.progress, |task| print_line(task, format))
                .map_err(|error| told(&store, &error))
        }
    }
}

/// Opens the store, which must be there.
fn open(args: &TaskArgs) -> Result<Store, String> {
    let path = path(args)?;
    if path.symlink_metadata().is_err_and(|error| error.kind() == io::ErrorKind::NotFound) {
        return Err(format!("{}: no such task store; `bigkeys task create` creates one", path.display()));
    }
    open_or_create(&path)
}

fn open_or_create(path: &Path) -> Result<Store, String> {
    Store::open(path).map_err(|error| format!("{}: {error}", path.display()))
}

fn path(args: &TaskArgs) -> Result<PathBuf, String> {
    let path = args.store.clone().or_else(Store::default_path);
    path.ok_or_else(|| "there is no home directory to keep tasks in; use --store PATH".to_owned())
}

fn told(store: &Store, error: &StoreError) -> String {
    format!("{}: {error}", store.path().display())
}

fn about(id: &str, store: &Store, error: &StoreError) -> String {
    match error {
        StoreError::NoTask | StoreError::Running => format!("{}: {error}", table::plain(id)),
        _ => told(store, error),
    }
}

fn create(args: &TaskArgs, create_args: &CreateArgs) -> Result<Exit, String> {
    create_args.check()?;
    let mut dumps = Vec::new();
    for argument in &create_args.dumps {
        let named = dump(argument);
        for path in all_matches(std::slice::from_ref(&named.path))? {
            dumps.push(settled(&Dump { path, ..named.clone() }).map_err(|error| error.to_string())?);
        }
    }
    let store = Arc::new(open_or_create(&path(args)?)?);
    let instance_id = create_args.instance_id.clone().unwrap_or_else(|| Uuid::new_v4().to_string());
    let new = NewTask { instance_id, scan_type: ScanType::Manual, dumps, kind: TaskKind::BigKeys, offline: None };
    let mut task = store.create(&new).map_err(|error| match error {
        StoreError::Active => format!("{}: {error}", table::plain(&new.instance_id)),
        error => told(&store, &error),
    })?;
    if create_args.wait {
        let waited = wait(&store, &task.id, create_args.run).map_err(|error| about(&task.id, &store, &error))?;
        let Some(ended) = waited else { return Ok(interrupted()) };
        task = ended;
        tell_reason(&store, &task);
    }
    let exit = if task.status == Status::Failed { Exit::Damaged } else { Exit::Sound };
    Ok(print_task(&task, args.format).max(exit))
}

/// Waits until a task has ended; if no other process runs the tasks, this one does. None if Ctrl-C came first.
fn wait(store: &Arc<Store>, id: &str, args: RunArgs) -> Result<Option<Task>, StoreError> {
    loop {
        if let Some(runner) = Runner::new(store.clone(), args.threads.options())? {
            while !has_ended(&store.show(TaskKind::BigKeys, None, id)?) {
                let Some((worked, is_interrupted)) = run_one(&runner, args.progress.progress)? else { break };
                if is_interrupted {
                    return Ok(None);
                }
                if worked.claim.id == id {
                    worked.notes.iter().for_each(|note| say(note));
                }
            }
        }
        let task = store.show(TaskKind::BigKeys, None, id)?;
        if has_ended(&task) {
            return Ok(Some(task));
        }
        std::thread::sleep(Duration::from_millis(LOOK_MILLISECONDS));
    }
}

fn has_ended(task: &Task) -> bool {
    matches!(task.status, Status::Success | Status::Failed)
}

/// Runs the task that has waited longest, if there is one; true if Ctrl-C came meanwhile, so that it may wait again.
fn run_one(runner: &Runner, when: When) -> Result<Option<(Worked, bool)>, StoreError> {
    watched(when, |progress| {
        let worked = runner.work_one_watched(progress)?;
        Ok(worked.map(|worked| (worked, progress.is_cancelled())))
    })
}

fn interrupted() -> Exit {
    say("interrupted; tasks that have not ended wait for the next `bigkeys task run`");
    Exit::Interrupted
}

/// Runs all waiting tasks and hands on each that has ended, unless it was deleted since.
fn run_waiting(store: &Store, runner: &Runner, when: When, print: impl Fn(&Task) -> Exit) -> Result<Exit, StoreError> {
    let mut exit = Exit::Sound;
    while let Some((Worked { claim, reason, notes, .. }, is_interrupted)) = run_one(runner, when)? {
        if is_interrupted {
            return Ok(interrupted());
        }
        for note in &notes {
            say(note);
        }
        if let Some(reason) = &reason {
            tell(&claim.id, reason);
            exit = exit.max(Exit::Damaged);
        }
        match store.show(claim.kind, None, &claim.id) {
            Ok(task) => exit = exit.max(print(&task)),
            Err(StoreError::NoTask) => {}
            Err(error) => return Err(error),
        }
    }
    Ok(exit)
}

fn list(store: &Store, args: &ListArgs, format: Format) -> Result<Exit, StoreError> {
    let ListArgs { instance_id, status, offset, limit } = args;
    let query = Query {
        kind: TaskKind::BigKeys,
        instance_id: instance_id.clone(),
        status: *status,
        offset: *offset,
        limit: *limit,
    };
    let listing = store.list(&query)?;
    Ok(match format {
        Format::Json => print_json(&listing, io::stdout().is_terminal()),
        Format::Table => print(table::listing(&listing).as_bytes()),
    })
}

/// Says on standard error why a task failed: its JSON has no place for it.
fn tell_reason(store: &Store, task: &Task) {
    if let Ok(outcome) = store.outcome(&task.id)
        && let Some(reason) = outcome.reason
    {
        tell(&task.id, &reason);
    }
}

fn tell(id: &str, reason: &str) {
    for line in reason.lines() {
        say(&format!("task {id}: {line}"));
    }
}

fn print_task(task: &Task, format: Format) -> Exit {
    match format {
        Format::Json => print_json(task, io::stdout().is_terminal()),
        Format::Table => print(table::task(task).as_bytes()),
    }
}

/// A task on a line of its own, for who reads many.
fn print_line(task: &Task, format: Format) -> Exit {
    match format {
        Format::Json => print_json(task, false),
        Format::Table => print(table::task(task).as_bytes()),
    }
}

fn print_json(value: &impl Serialize, is_pretty: bool) -> Exit {
    let json = if is_pretty { serde_json::to_vec_pretty(value) } else { serde_json::to_vec(value) };
    match json {
        Ok(mut json) => {
            json.push(b'\n');
            print(&json)
        }
        Err(error) => fail(&error.to_string()),
    }
}
