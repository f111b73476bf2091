//! The service's life: takes its port, opens the store, starts who works, serves, and ends gracefully.

use std::future::Future;
use std::io;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use hyper_util::server::graceful::GracefulShutdown;
use tokio::net::TcpListener;
use tokio::signal::unix::{Signal, SignalKind, signal};

use super::app::App;
use super::config::Config;
use super::error::ServeError;
use super::notify::notify;
use super::reload::{reload, warn};
use super::tls::TlsFiles;
use super::{accept, newest, routes, schedule, watch, workers};
use crate::engine::Options;
use crate::task::{Runner, Store, StoreError};

/// How long open connections have to end.
const GRACE_SECONDS: u64 = 10;

/// Threads that wait for the disk. One request at a time changes the store, so the others are there for readers.
const BLOCKING_THREADS_MAX: usize = 32;

/// How long a change waits for another process that holds the store. It is shorter than a request may take.
const BUSY: Duration = Duration::from_secs(2);

/// How long a scheduler that died rests before it is started again.
const REST: Duration = Duration::from_secs(1);

/// Serves until SIGTERM or SIGINT comes; then running tasks wait again for the next start. SIGHUP reads the configuration again.
///
/// # Errors
/// Why it could not start.
pub fn serve(config: Config) -> Result<(), ServeError> {
    let could_not = |doing: &str| {
        let doing = doing.to_owned();
        move |error| ServeError::Io(doing, error)
    };
    let tls = config.tls.as_ref().map(TlsFiles::read).transpose()?.map(Arc::new);
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .max_blocking_threads(BLOCKING_THREADS_MAX)
        .build()
        .map_err(could_not("start the threads"))?;
    // Heard from the first moment on: unheard, each of them would end the process at once.
    let signals = runtime.block_on(async { Signals::new() }).map_err(could_not("wait for signals"))?;
    // The port is taken before anything is worked on: a second service on it must change nothing.
    let address = config.listen;
    let listener = runtime.block_on(TcpListener::bind(address));
    let listener = listener.map_err(could_not(&format!("listen on {address}")))?;
    if let Err(error) = accept::raise_open_files(config.limits.connections_at_once) {
        tracing::warn!(%error, "the limit of open files could not be raised");
    }

    let path = config.store.clone().or_else(Store::default_path).ok_or(ServeError::NoStore)?;
    let app = Arc::new(open(&path, config).map_err(|error| match error {
        Some(error) => ServeError::Store(path.clone(), error),
        None => ServeError::Busy(path.clone()),
    })?);
    workers::start(&app).map_err(could_not("start a thread"))?;
    let watched = (app.clone(), tls.clone());
    workers::spawn("bigkeys-watch".to_owned(), REST, move || watch::watch(&watched.0, watched.1.as_deref()))
        .map_err(could_not("start a thread"))?;
    let watched = app.clone();
    workers::spawn("bigkeys-dumps".to_owned(), REST, move || newest::watch(&watched))
        .map_err(could_not("start a thread"))?;
    let telling = app.clone();
    workers::spawn("bigkeys-webhook".to_owned(), REST, move || workers::tell_webhook(&telling))
        .map_err(could_not("start a thread"))?;
    runtime.block_on(listen(&app, listener, tls, signals));
    match app.runner.stop() {
        Ok(released) => tracing::info!(released, "stopped; what was running waits for the next start"),
        Err(error) => tracing::error!(%error, "stopped; what was running is taken up at the next start"),
    }
    if let Err(error) = app.store.checkpoint() {
        tracing::warn!(%error, "the store's log could not be brought into its file; the next start does that");
    }
    // Threads that still read a dump write nothing down any more; the process's end ends them.
    runtime.shutdown_background();
    Ok(())
}

/// Opens the store, twice, so that requests and work do not wait for each other's connection; no error stands for another
/// process that works on it.
fn open(path: &Path, config: Config) -> Result<App, Option<StoreError>> {
    let store = Store::open_with(path, BUSY)?;
    store.check(false)?;
    if let Err(error) = store.keep_reserve() {
        tracing::warn!(%error, "there is no room for a reserve beside the store");
    }
    let options = Options { threads: config.analysis.threads.into(), ..Options::default() };
    let runner = Runner::new(Arc::new(Store::open_with(path, BUSY)?), options)?.ok_or(None)?;
    let recovered = runner.recovered;
    if recovered.waiting + recovered.failed > 0 {
        let (waiting, failed) = (recovered.waiting, recovered.failed);
        tracing::warn!(waiting, failed, "the last start ended without a word; its running tasks were taken up");
    }
    let app = App::new(config, Arc::new(store), Arc::new(runner));
    for (instance_id, kind, finished_at) in app.store.last_successes()? {
        app.metrics.succeeded_before(&instance_id, kind, finished_at);
    }
    Ok(app)
}

/// The signals that the service listens to.
struct Signals {
    terminate: Signal,
    interrupt: Signal,
    hangup: Signal,
}

impl Signals {
    /// Listens from now on; within a runtime.
    fn new() -> io::Result<Self> {
        Ok(Self {
            terminate: signal(SignalKind::terminate())?,
            interrupt: signal(SignalKind::interrupt())?,
            hangup: signal(SignalKind::hangup())?,
        })
    }
}

async fn listen(app: &Arc<App>, listener: TcpListener, tls: Option<Arc<TlsFiles>>, signals: Signals) {
    let Signals { mut terminate, mut interrupt, hangup } = signals;
    let config = app.config();
    warn(&config);
    let address = listener.local_addr().unwrap_or(config.listen);
    let scheme = if tls.is_some() { "https" } else { "http" };
    tracing::info!(address = %address, instances = config.instances.len(), "listening on {scheme}://{address}");
    notify("READY=1");

    let beside =
        [tokio::spawn(keep_scheduling(app.clone())), tokio::spawn(reload_on(hangup, app.clone(), tls.clone()))];
    let graceful = GracefulShutdown::new();
    let accepting = accept::accept(&listener, app, routes::router(app.clone()), tls, &graceful);
    let until_signal = first(async { terminate.recv().await }, async { interrupt.recv().await });
    first(accepting, async { _ = until_signal.await }).await;
    notify("STOPPING=1");
    drop(listener);
    beside.iter().for_each(tokio::task::JoinHandle::abort);
    tracing::info!(connections = graceful.count(), "stopping");
    if tokio::time::timeout(Duration::from_secs(GRACE_SECONDS), graceful.shutdown()).await.is_err() {
        tracing::warn!("some connections did not end in {GRACE_SECONDS} seconds");
    }
}

/// Creates tasks as they fall due; a scheduler that dies by a fault of this program is started again.
async fn keep_scheduling(app: Arc<App>) {
    loop {
        if let Err(error) = tokio::spawn(schedule::run(app.clone())).await {
            tracing::error!(%error, "the scheduler died; it is started again");
        }
        tokio::time::sleep(REST).await;
    }
}

async fn reload_on(mut hangup: Signal, app: Arc<App>, tls: Option<Arc<TlsFiles>>) {
    while hangup.recv().await.is_some() {
        let (app, tls) = (app.clone(), tls.clone());
        if let Err(error) = tokio::task::spawn_blocking(move || reload(&app, tls.as_deref())).await {
            tracing::error!(%error, "a reload broke off");
        }
    }
}

/// Waits for whichever comes first, and drops the other.
async fn first<T>(one: impl Future<Output = T>, other: impl Future<Output = T>) -> T {
    let (mut one, mut other) = (std::pin::pin!(one), std::pin::pin!(other));
    std::future::poll_fn(|context| match one.as_mut().poll(context) {
        std::task::Poll::Pending => other.as_mut().poll(context),
        ready @ std::task::Poll::Ready(_) => ready,
    })
    .await
}
