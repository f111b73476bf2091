//! The service's life: opens the store, starts the runner, accepts connections, and ends gracefully.

use std::future::Future;
use std::io;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::server::graceful::GracefulShutdown;
use hyper_util::service::TowerToHyperService;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpListener;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::Semaphore;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::ServerConfig;
use tokio_rustls::rustls::crypto::ring;
use tokio_rustls::rustls::pki_types::pem::PemObject;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer};

use super::config::{Config, Limits, Tls};
use super::{App, ServeError, routes, schedule};
use crate::engine::Options;
use crate::task::{Runner, Store, StoreError, Worked};

/// How long open connections have to end.
const GRACE_SECONDS: u64 = 10;

/// How long nothing is accepted where the system has no descriptor left.
const ACCEPT_PAUSE_MS: u64 = 100;

/// Headers of a request.
const HEADERS_MAX: usize = 64;

/// Threads that wait for the disk.
const BLOCKING_THREADS_MAX: usize = 32;

/// Serves until SIGTERM or SIGINT comes; then running tasks wait again for the next start.
///
/// # Errors
/// Why it could not start.
pub fn serve(config: Config) -> Result<(), ServeError> {
    let path = config.store.clone().or_else(Store::default_path).ok_or(ServeError::NoStore)?;
    let in_store = |error| ServeError::Store(path.clone(), error);
    let store = Arc::new(Store::open(&path).map_err(in_store)?);
    let options = Options { threads: config.analysis.threads.into(), ..Options::default() };
    let runner = Runner::new(store.clone(), options).map_err(in_store)?;
    let runner = Arc::new(runner.ok_or_else(|| ServeError::Busy(path.clone()))?);
    let tls = config.tls.as_ref().map(acceptor).transpose()?;
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .max_blocking_threads(BLOCKING_THREADS_MAX)
        .build()
        .map_err(|error| ServeError::Io("start the threads".to_owned(), error))?;

    let recovered = runner.recovered;
    if recovered.waiting + recovered.failed > 0 {
        let (waiting, failed) = (recovered.waiting, recovered.failed);
        tracing::warn!(waiting, failed, "the last start ended without a word; its running tasks were taken up");
    }
    for worker in 0..config.analysis.workers {
        let runner = runner.clone();
        std::thread::Builder::new()
            .name(format!("bigkeys-task-{worker}"))
            .spawn(move || runner.work_until_stopped(log))
            .map_err(|error| ServeError::Io("start a thread".to_owned(), error))?;
    }
    let app = Arc::new(App::new(config, store, runner.clone()));
    let served = runtime.block_on(listen(app, tls));
    let released = runner.stop().map_err(in_store)?;
    tracing::info!(released, "stopped; what was running waits for the next start");
    // Threads that still read a dump write nothing down any more; the process's end ends them.
    runtime.shutdown_background();
    served
}

/// Says how a task went.
fn log(worked: Result<Worked, StoreError>) {
    match worked {
        Ok(Worked { claim, reason, notes, elapsed, is_kept }) => {
            let (task_id, instance_id, seconds) = (claim.id, claim.instance_id, elapsed.as_secs_f64());
            for note in notes {
                tracing::info!(task_id, note, "noticed");
            }
            match reason {
                _ if !is_kept => tracing::info!(task_id, instance_id, "given up"),
                None => tracing::info!(task_id, instance_id, seconds, "success"),
                Some(reason) => tracing::warn!(task_id, instance_id, seconds, reason, "failed"),
            }
        }
        Err(error) => tracing::error!(%error, "the store does not answer"),
    }
}

async fn listen(app: Arc<App>, tls: Option<TlsAcceptor>) -> Result<(), ServeError> {
    let signals = || -> io::Result<_> { Ok((signal(SignalKind::terminate())?, signal(SignalKind::interrupt())?)) };
    let (mut terminate, mut interrupt) =
        signals().map_err(|error| ServeError::Io("wait for signals".to_owned(), error))?;
    let address = app.config.listen;
    let listener = TcpListener::bind(address).await;
    let listener = listener.map_err(|error| ServeError::Io(format!("listen on {address}"), error))?;
    let address = listener.local_addr().unwrap_or(address);
    let scheme = if tls.is_some() { "https" } else { "http" };
    if app.config.is_open() {
        tracing::warn!("no project has access keys or tokens: anyone on this machine may ask");
    }
    tracing::info!(address = %address, instances = app.config.instances.len(), "listening on {scheme}://{address}");

    let scheduled = tokio::spawn(schedule::run(app.clone()));
    let graceful = GracefulShutdown::new();
    let accepting = accept(&listener, &app.config.limits, routes::router(app.clone()), tls, &graceful);
    let until_signal = first(async { terminate.recv().await }, async { interrupt.recv().await });
    first(accepting, async { _ = until_signal.await }).await;
    drop(listener);
    scheduled.abort();
    tracing::info!(connections = graceful.count(), "stopping");
    if tokio::time::timeout(Duration::from_secs(GRACE_SECONDS), graceful.shutdown()).await.is_err() {
        tracing::warn!("some connections did not end in {GRACE_SECONDS} seconds");
    }
    Ok(())
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

/// Accepts connections for ever, as many at once as the limits allow; others wait in the system's queue.
async fn accept(
    listener: &TcpListener,
    limits: &Limits,
    router: Router,
    tls: Option<TlsAcceptor>,
    graceful: &GracefulShutdown,
) {
    let places = Arc::new(Semaphore::new(limits.connections_at_once));
    let seconds = Duration::from_secs(limits.request_seconds);
    let mut http = http1::Builder::new();
    http.timer(TokioTimer::new())
        .header_read_timeout(seconds)
        .max_headers(HEADERS_MAX)
        .max_buf_size(limits.header_bytes);
    loop {
        let Ok(place) = places.clone().acquire_owned().await else { return };
        let stream = match listener.accept().await {
            Ok((stream, _)) => stream,
            Err(error) => {
                tracing::warn!(%error, "a connection could not be accepted");
                tokio::time::sleep(Duration::from_millis(ACCEPT_PAUSE_MS)).await;
                continue;
            }
        };
        _ = stream.set_nodelay(true);
        let (http, router, tls, watcher) = (http.clone(), router.clone(), tls.clone(), graceful.watcher());
        tokio::spawn(async move {
            let _place = place;
            match tls {
                None => talk(&http, router, stream, watcher).await,
                Some(tls) => match tokio::time::timeout(seconds, tls.accept(stream)).await {
                    Ok(Ok(stream)) => talk(&http, router, stream, watcher).await,
                    Ok(Err(error)) => tracing::debug!(%error, "no TLS"),
                    Err(_) => tracing::debug!("TLS took too long"),
                },
            }
        });
    }
}

/// Answers the requests of one connection.
async fn talk(
    http: &http1::Builder,
    router: Router,
    stream: impl AsyncRead + AsyncWrite + Unpin + 'static,
    watcher: hyper_util::server::graceful::Watcher,
) {
    let service = TowerToHyperService::new(tower::ServiceExt::map_request(router, |request: hyper::Request<_>| {
        request.map(Body::new)
    }));
    let connection = http.serve_connection(TokioIo::new(stream), service);
    if let Err(error) = watcher.watch(connection).await {
        tracing::debug!(%error, "a connection broke off");
    }
}

fn acceptor(tls: &Tls) -> Result<TlsAcceptor, ServeError> {
    let wrong = |path: &Path, what: String| ServeError::Tls(path.to_owned(), what);
    let certificates = CertificateDer::pem_file_iter(&tls.certificate)
        .and_then(Iterator::collect::<Result<Vec<_>, _>>)
        .map_err(|error| wrong(&tls.certificate, format!("could not read the certificate: {error}")))?;
    let key = PrivateKeyDer::from_pem_file(&tls.key)
        .map_err(|error| wrong(&tls.key, format!("could not read the key: {error}")))?;
    let config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .and_then(|builder| builder.with_no_client_auth().with_single_cert(certificates, key))
        .map_err(|error| wrong(&tls.certificate, format!("the certificate and its key cannot be used: {error}")))?;
    Ok(TlsAcceptor::from(Arc::new(config)))
}
