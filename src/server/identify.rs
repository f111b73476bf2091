//! Who may pass to the API: judged by the head of a request first, then, where a signature covers it, with its body.

use std::net::{IpAddr, Ipv4Addr};
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use axum::body::{Body, HttpBody};
use axum::extract::{Request, State};
use axum::http::header::CONTENT_LENGTH;
use axum::http::{HeaderMap, Method};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use jiff::Timestamp;
use tokio::time::{Instant, timeout_at};

use super::app::App;
use super::config::Config;
use super::errors::ApiError;
use super::extract::{Asked, Client};
use super::signature;

/// Beside an answer: the request had good credentials.
#[derive(Clone, Copy, Debug)]
pub(super) struct Identified;

/// Lets pass whom the credentials know, and as many at once as the limits allow.
pub(super) async fn authenticate(State(app): State<Arc<App>>, request: Request, next: Next) -> Response {
    let config = app.config();
    let request = match identify(&app, &config, request).await {
        Ok(request) => request,
        Err(error) => return error.into_response(),
    };
    let answered = match app.place(config.limits.requests_at_once) {
        Some(_place) => next.run(request).await,
        None => ApiError::BUSY.into_response(),
    };
    let mut response = answered;
    response.extensions_mut().insert(Identified);
    response
}

/// Finds out who asks.
async fn identify(app: &App, config: &Config, request: Request) -> Result<Request, ApiError> {
    let deadline = Instant::now() + Duration::from_secs(config.limits.request_seconds);
    let now = Timestamp::now();
    let client = request.extensions().get::<Client>().map_or(IpAddr::V4(Ipv4Addr::UNSPECIFIED), |client| client.0);
    let (parts, body) = request.into_parts();
    if app.logins.is_over(client, config.limits.failed_logins_per_minute, now) {
        return Err(ApiError::TOO_MANY_LOGINS);
    }
    let failed = |error: ApiError| {
        if [ApiError::INVALID_TOKEN, ApiError::BAD_SIGNATURE].contains(&error) {
            app.logins.fail(client, now);
        }
        error
    };
    let head = config.credentials.judge(&parts.headers, now).map_err(failed)?;
    let body = read_body(&parts.headers, body, config.limits.body_bytes, deadline).await?;
    let signed = signature::Request {
        method: &parts.method,
        path: parts.uri.path(),
        query: parts.uri.query().unwrap_or_default(),
        headers: &parts.headers,
        body: &body,
    };
    let caller = config.credentials.caller(head, &signed).map_err(failed)?;
    tracing::Span::current().record("caller", caller.name());
    if caller.is_read_only() && ![Method::GET, Method::HEAD].contains(&parts.method) {
        return Err(ApiError::READ_ONLY);
    }
    let mut request = Request::from_parts(parts, Body::from(body));
    request.extensions_mut().insert(Asked { caller, deadline });
    Ok(request)
}

/// The whole body, of at most so many bytes, and no later than the deadline.
pub(super) async fn read_body(
    headers: &HeaderMap,
    body: Body,
    most: usize,
    deadline: Instant,
) -> Result<Vec<u8>, ApiError> {
    let length = headers.get(CONTENT_LENGTH).and_then(|length| length.to_str().ok()?.parse::<usize>().ok());
    if length.is_some_and(|length| length > most) {
        return Err(ApiError::BODY_TOO_LARGE);
    }
    let mut body = body;
    let mut bytes = Vec::new();
    let reading = async {
        while let Some(frame) = std::future::poll_fn(|context| Pin::new(&mut body).poll_frame(context)).await {
            let Ok(data) = frame.map_err(|_| ApiError::BROKEN_BODY)?.into_data() else { continue };
            if bytes.len() + data.len() > most {
                return Err(ApiError::BODY_TOO_LARGE);
            }
            bytes.extend_from_slice(&data);
        }
        Ok(())
    };
    timeout_at(deadline, reading).await.unwrap_or(Err(ApiError::TOO_SLOW))?;
    Ok(bytes)
}
