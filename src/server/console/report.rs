//! The HTML report of a task's dumps, made when it is asked for: one at a time, and given up when nobody waits for it.

use std::sync::Arc;
use std::time::Duration;

use axum::Extension;
use axum::extract::State;
use axum::http::header::{CACHE_CONTROL, HeaderValue, X_CONTENT_TYPE_OPTIONS, X_FRAME_OPTIONS};
use axum::response::{Html, IntoResponse, Response};
use jiff::Timestamp;

use super::problem::Problem;
use super::visitor::{TaskPath, Visitor};
use crate::engine::{Dump, Options, Progress, look_into, report_all};
use crate::findings;
use crate::input;
use crate::output::html;
use crate::report::{Question, Rules};
use crate::server::app::App;
use crate::server::errors::ApiError;
use crate::server::work::read;
use crate::task::{self, TaskKind};

/// How long a report may take.
const SECONDS_MAX: u64 = 300;

/// Keys of each top list.
const TOP: usize = 100;

/// Ends a scan that nobody waits for any more.
struct CancelOnDrop(Arc<Progress>);

impl Drop for CancelOnDrop {
    fn drop(&mut self) {
        self.0.cancel();
    }
}

pub(super) async fn make(
    State(app): State<Arc<App>>,
    Extension(kind): Extension<TaskKind>,
    Extension(visitor): Extension<Visitor>,
    path: TaskPath,
) -> Result<Response, Problem> {
    let (instance_id, id) = visitor.task_of(path)?;
    let Ok(turn) = app.reporting.clone().try_acquire_owned() else {
        return Err(Problem::unavailable("Another report is being made. Try again when it is there."));
    };
    let dumps = read(&app, &visitor.asked, move |app| Ok(dumps(app, kind, &instance_id, &id))).await??;
    let options = Options { threads: visitor.config.analysis.threads.into(), ..Options::default() };
    let progress = Arc::<Progress>::default();
    let cancel = CancelOnDrop(progress.clone());
    let work = tokio::task::spawn_blocking(move || {
        let _turn = turn;
        write(&dumps, &options, &progress)
    });
    let made = tokio::time::timeout(Duration::from_secs(SECONDS_MAX), work).await;
    drop(cancel);
    let page = match made {
        Err(_) => {
            return Err(Problem::unavailable("The report takes too long. `bigkeys report` makes it without a limit."));
        }
        Ok(Err(error)) => {
            tracing::error!(%error, "a report broke off");
            return Err(ApiError::INTERNAL.into());
        }
        Ok(Ok(page)) => page?,
    };
    // The page has a policy of its own, by the hashes of its own script and style.
    let mut response = Html(page).into_response();
    let headers = response.headers_mut();
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    headers.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    headers.insert(X_FRAME_OPTIONS, HeaderValue::from_static("DENY"));
    Ok(response)
}

/// The dumps of a task, if they are still those that it was about.
fn dumps(app: &App, kind: TaskKind, instance_id: &str, id: &str) -> Result<Vec<Dump>, Problem> {
    // Looked for in the instance: an ID alone could be another project's.
    app.store.show(kind, Some(instance_id), id).map_err(ApiError::from)?;
    let dumps = app.store.outcome(id)?.dumps;
    let details = app.store.details(&[id])?.pop().flatten().ok_or(ApiError::NO_TASK)?;
    for (dump, then) in dumps.iter().zip(details.dumps) {
        let settled = task::settled(dump).ok().filter(|settled| settled.dump.path == dump.path);
        let now = settled.and_then(|settled| settled.written_at).map(Timestamp::as_millisecond);
        if now.is_none() || now != then.written_at.map(Timestamp::as_millisecond) {
            return Err(Problem::bad(format!("The dump {} has changed or is gone since this task.", then.name)));
        }
    }
    Ok(dumps)
}

/// Scans the dumps and writes the page. Dumps are named by their file names: where they are is the operator's business.
fn write(dumps: &[Dump], options: &Options, progress: &Arc<Progress>) -> Result<Vec<u8>, Problem> {
    let failed = |error: crate::error::Error| {
        tracing::warn!(%error, "a report could not be made");
        Problem::unavailable("The dumps cannot be read now; the log says why.")
    };
    let question =
        Question { top: TOP, has_slots: dumps.iter().any(|dump| dump.shard.is_some()), ..Question::default() };
    let (mut report, _, _) = report_all(dumps, &question, options, progress).map_err(failed)?;
    if progress.is_cancelled() {
        return Err(Problem::unavailable("The report was given up."));
    }
    look_into(&mut report, dumps).map_err(failed)?;
    for (info, dump) in report.dumps.iter_mut().zip(dumps) {
        let name = String::from_utf8_lossy(&input::file_name(&dump.path)).into_owned();
        if let Some(damage) = &mut info.damage {
            *damage = damage.replace(&info.name, &name);
        }
        info.name = name;
    }
    // They name dumps in commands.
    report.findings = findings::judge(&report, Rules::default());
    let mut page = Vec::new();
    html::write(&report, &[], &mut page).map_err(|error| {
        tracing::error!(%error, "a report could not be written");
        Problem::from(ApiError::INTERNAL)
    })?;
    Ok(page)
}
