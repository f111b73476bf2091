//! Accepts connections, as many at once as the limits allow, and answers the requests of each.

use std::io;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use axum::Router;
use axum::body::Body;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::server::graceful::{GracefulShutdown, Watcher};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};
use tower::ServiceExt;

use super::app::App;
use super::config::Limits;
use super::extract::Client;
use super::patient::{Patient, Talk};
use super::tls::TlsFiles;

/// How long nothing is accepted where the system has no descriptor left.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// Headers of a request.
const HEADERS_MAX: usize = 64;

/// What a connection too many from an address is answered.
const TOO_MANY: &[u8] = b"HTTP/1.1 503 Service Unavailable\r\ncontent-type: application/json\r\nconnection: close\r\n\
    retry-after: 1\r\ncontent-length: 84\r\n\r\n\
    {\"error_code\":\"DCS.5000\",\"error_msg\":\"Too many connections at once from an address\"}";

/// Accepts connections for ever; those over the limit wait in the system's queue.
pub(super) async fn accept(
    listener: &TcpListener,
    app: &Arc<App>,
    router: Router,
    tls: Option<Arc<TlsFiles>>,
    graceful: &GracefulShutdown,
) {
    loop {
        app.connections.until_below(app.config().limits.connections_at_once).await;
        let (stream, address) = match listener.accept().await {
            Ok((stream, address)) => (stream, address.ip().to_canonical()),
            Err(error) => {
                if let Some(unlogged) = app.strangers.pass(Instant::now()) {
                    tracing::warn!(%error, unlogged, "a connection could not be accepted");
                }
                tokio::time::sleep(ACCEPT_PAUSE).await;
                continue;
            }
        };
        let limits = app.config().limits;
        let Some(place) = app.connections.enter(address, limits.connections_per_address) else {
            refuse(app, &stream, address, tls.is_some());
            continue;
        };
        _ = stream.set_nodelay(true);
        let (app, router, tls, watcher) = (app.clone(), router.clone(), tls.clone(), graceful.watcher());
        tokio::spawn(async move {
            let _place = place;
            let Some(tls) = tls else { return talk(&app, &limits, router, stream, address, watcher).await };
            let seconds = Duration::from_secs(limits.request_seconds);
            match tokio::time::timeout(seconds, tls.acceptor().accept(stream)).await {
                Ok(Ok(stream)) => talk(&app, &limits, router, stream, address, watcher).await,
                Ok(Err(error)) => tracing::debug!(client = %address, %error, "no TLS"),
                Err(_) => tracing::debug!(client = %address, "TLS took too long"),
            }
        });
    }
}

/// Tells a connection too many so, as far as that can be done without waiting.
fn refuse(app: &App, stream: &TcpStream, address: IpAddr, is_tls: bool) {
    if !is_tls && let Err(error) = stream.try_write(TOO_MANY) {
        tracing::debug!(client = %address, %error, "a connection could not be refused");
    }
    if let Some(unlogged) = app.strangers.pass(Instant::now()) {
        tracing::warn!(client = %address, unlogged, "too many connections at once from this address");
    }
}

/// Answers the requests of one connection.
async fn talk(
    app: &App,
    limits: &Limits,
    router: Router,
    stream: impl AsyncRead + AsyncWrite + Unpin + 'static,
    address: IpAddr,
    watcher: Watcher,
) {
    let talk = Arc::<Talk>::default();
    let service = service_fn(|request: hyper::Request<hyper::body::Incoming>| {
        talk.begin();
        let mut request = request.map(Body::new);
        request.extensions_mut().insert(Client(address));
        let (router, talk) = (router.clone(), talk.clone());
        async move {
            let answer = router.oneshot(request).await;
            talk.answer();
            answer
        }
    });
    let stream = Patient::new(stream, talk.clone(), Duration::from_secs(limits.request_seconds));
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        // The library counts from the end of the answer before; a head that has begun has less time.
        .header_read_timeout(Duration::from_secs(limits.idle_seconds))
        .max_headers(HEADERS_MAX)
        .max_buf_size(limits.header_bytes)
        .serve_connection(TokioIo::new(stream), service);
    let Err(error) = watcher.watch(connection).await else { return };
    let Some(refused) = talk.refused() else {
        return tracing::debug!(client = %address, %error, "a connection broke off");
    };
    app.metrics.refused("malformed");
    if let Some(unlogged) = app.strangers.pass(Instant::now()) {
        let unlogged = Some(unlogged).filter(|unlogged| *unlogged > 0);
        let (request_id, status) = (refused.request_id, refused.status);
        tracing::info!(request_id, client = %address, status, %error, unlogged, "refused what is not HTTP");
    }
}

/// Lets the process have as many open files as it may, and says how many connections they are enough for.
///
/// # Errors
/// The system's answer.
pub(super) fn raise_open_files(connections: usize) -> io::Result<()> {
    use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
    /// Files that are open beside the connections: the store's, dumps, libraries.
    const OTHERS: u64 = 128;
    let Rlimit { current, maximum } = getrlimit(Resource::Nofile);
    if current != maximum {
        setrlimit(Resource::Nofile, Rlimit { current: maximum, maximum })?;
    }
    let needed = u64::try_from(connections).unwrap_or(u64::MAX).saturating_add(OTHERS);
    if let Some(most) = maximum.filter(|most| *most < needed) {
        tracing::warn!(
            most,
            needed,
            "the system lets this process open fewer files than the limit of connections needs"
        );
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_answer_to_a_connection_too_many_is_whole() {
        let text = std::str::from_utf8(TOO_MANY).unwrap();
        let (head, body) = text.split_once("\r\n\r\n").unwrap();
        assert!(head.contains(&format!("content-length: {}", body.len())), "{}", body.len());
        assert!(serde_json::from_str::<serde_json::Value>(body).unwrap()["error_code"] == "DCS.5000");
    }
}
