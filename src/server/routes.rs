//! Which request goes where, and what all of them have in common: an ID, limits, a log line, a place in the metrics.

use std::sync::Arc;
use std::time::{Duration, Instant};

use axum::body::{Body, to_bytes};
use axum::extract::{MatchedPath, Request, State};
use axum::http::Method;
use axum::http::header::{CONTENT_TYPE, HeaderValue};
use axum::middleware::{self, Next};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Extension, Router};
use jiff::Timestamp;
use serde::Serialize;
use tower_http::catch_panic::CatchPanicLayer;
use tracing::Instrument;
use uuid::Uuid;

use super::auth::Caller;
use super::errors::ApiError;
use super::extract::{Json, blocking};
use super::{App, autoscan, offline, openapi, signature, tasks};
use crate::task::StoreError;

/// The header with a request's ID.
const REQUEST_ID: &str = "x-request-id";

/// The service, apart from how requests come to it.
pub(super) fn router(app: Arc<App>) -> Router {
    const INSTANCE: &str = "/v2/{project_id}/instances/{instance_id}";
    let of_instance = |path: &str| format!("{INSTANCE}{path}");
    let api = Router::new()
        .route(&of_instance("/bigkey-task"), post(tasks::create))
        .route(&of_instance("/bigkey-tasks"), get(tasks::list))
        .route(&of_instance("/bigkey-task/{bigkey_id}"), get(tasks::show).delete(tasks::delete))
        .route(&of_instance("/bigkey/autoscan"), get(autoscan::show).put(autoscan::update))
        .route(&of_instance("/offline/key-analysis"), post(offline::create).get(offline::list))
        .route(&of_instance("/offline/key-analysis/{task_id}"), get(offline::show).delete(offline::delete))
        .route_layer(middleware::from_fn_with_state(app.clone(), authenticate));
    Router::new()
        .route("/healthz", get(health))
        .route("/metrics", get(metrics))
        .route("/openapi.json", get(document))
        .merge(api)
        .fallback(async || ApiError::NO_SUCH_URL)
        .method_not_allowed_fallback(async || ApiError::METHOD_NOT_ALLOWED)
        .layer(CatchPanicLayer::custom(|_| ApiError::INTERNAL.into_response()))
        .layer(middleware::from_fn_with_state(app.clone(), answer))
        .with_state(app)
}

/// A request's ID.
#[derive(Clone, Debug)]
struct RequestId(String);

/// What all requests have in common.
async fn answer(State(app): State<Arc<App>>, mut request: Request, next: Next) -> Response {
    let started = Instant::now();
    let request_id = Uuid::new_v4().simple().to_string();
    request.extensions_mut().insert(RequestId(request_id.clone()));
    let (method, path) = (request.method().clone(), request.uri().path().to_owned());
    let route = request.extensions().get::<MatchedPath>().map_or("none".to_owned(), |path| path.as_str().to_owned());
    let span = tracing::info_span!("request", request_id);
    let mut response = match app.requests.try_acquire() {
        Err(_) => ApiError::BUSY.into_response(),
        Ok(_permit) => {
            let limit = Duration::from_secs(app.config.limits.request_seconds);
            let answered = tokio::time::timeout(limit, next.run(request).instrument(span.clone())).await;
            answered.unwrap_or_else(|_| ApiError::TOO_SLOW.into_response())
        }
    };
    if let Ok(id) = HeaderValue::from_str(&request_id) {
        response.headers_mut().insert(REQUEST_ID, id);
    }
    let elapsed = started.elapsed();
    app.metrics.observe(&route, &method, response.status(), elapsed);
    let _entered = span.entered();
    let microseconds = u64::try_from(elapsed.as_micros()).unwrap_or(u64::MAX);
    tracing::info!(%method, path, status = response.status().as_u16(), microseconds, "answered");
    response
}

/// Lets pass whom the credentials know.
async fn authenticate(
    State(app): State<Arc<App>>,
    Extension(RequestId(request_id)): Extension<RequestId>,
    request: Request,
    next: Next,
) -> Response {
    match identify(&app, request).await {
        Ok(request) => next.run(request).await,
        Err(error) => error.answer(Some(&request_id)),
    }
}

/// Finds out who asks. A signature is taken once for what changes something.
async fn identify(app: &Arc<App>, request: Request) -> Result<Request, ApiError> {
    let (parts, body) = request.into_parts();
    let body = to_bytes(body, app.config.limits.body_bytes).await.map_err(|_| ApiError::BODY_TOO_LARGE)?;
    let signed = signature::Request {
        method: &parts.method,
        path: parts.uri.path(),
        query: parts.uri.query().unwrap_or_default(),
        headers: &parts.headers,
        body: &body,
    };
    let caller = app.config.credentials.caller(&signed, Timestamp::now())?;
    if let Caller::Signed { signature, until_ms, .. } = &caller
        && parts.method != Method::GET
    {
        let (app, signature, until_ms) = (app.clone(), signature.clone(), *until_ms);
        if !blocking(move || Ok(app.store.use_signature(&signature, until_ms)?)).await? {
            return Err(ApiError::SIGNATURE_USED);
        }
    }
    let mut request = Request::from_parts(parts, Body::from(body));
    request.extensions_mut().insert(caller);
    Ok(request)
}

async fn health(State(app): State<Arc<App>>) -> Result<Response, ApiError> {
    #[derive(Serialize)]
    struct Health {
        status: &'static str,
    }
    blocking(move || Ok(app.store.counts()?)).await?;
    Ok(Json(Health { status: "ok" }).into_response())
}

async fn metrics(State(app): State<Arc<App>>) -> Result<Response, ApiError> {
    let text = blocking(move || Ok(app.metrics.text(&app.store.counts()?, app.runner.analyzed_bytes()))).await?;
    let content_type = HeaderValue::from_static("text/plain; version=0.0.4; charset=utf-8");
    Ok(([(CONTENT_TYPE, content_type)], text).into_response())
}

async fn document() -> Response {
    Json(openapi::document()).into_response()
}

impl From<StoreError> for ApiError {
    /// Where an operation has a code of its own for what the store says, it looks before.
    fn from(error: StoreError) -> Self {
        match error {
            StoreError::NoTask => Self::NO_TASK,
            StoreError::Active => Self::ANALYSIS_RUNS,
            StoreError::Running => Self::NOT_IN_THIS_STATE,
            error => {
                tracing::error!(%error, "the store does not answer");
                Self::INTERNAL
            }
        }
    }
}
