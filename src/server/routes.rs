//! Which request goes where, and what all of them have in common: an ID, a log line, a place in the metrics.

use std::sync::{Arc, LazyLock};
use std::time::Instant;

use axum::body::Bytes;
use axum::extract::{MatchedPath, Request, State};
use axum::http::StatusCode;
use axum::http::header::{CONTENT_TYPE, HOST, HeaderValue};
use axum::middleware::{self, Next};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Extension, Router};
use serde::Serialize;
use tower_http::catch_panic::CatchPanicLayer;
use tracing::Instrument;
use tracing::field::Empty;
use uuid::Uuid;

use super::app::App;
#[cfg(feature = "console")]
use super::console;
use super::errors::ApiError;
use super::extract::{Client, Json};
use super::identify::{self, Identified};
use super::{autoscan, expired, instances, offline, openapi, scrape, tasks};
use crate::task::TaskKind;

/// The header with a request's ID.
const REQUEST_ID: &str = "x-request-id";

/// How much of a path is logged.
const PATH_BYTES_LOGGED: usize = 256;

/// The service, apart from how requests come to it.
pub(super) fn router(app: Arc<App>) -> Router {
    const INSTANCE: &str = "/v2/{project_id}/instances/{instance_id}";
    let of_instance = |path: &str| format!("{INSTANCE}{path}");
    let task = |path: &str, kind: TaskKind| {
        let task = Router::new().route(path, get(tasks::show).delete(tasks::delete));
        task.route(&format!("{path}/cancel"), post(tasks::cancel)).route_layer(Extension(kind))
    };
    let scans = |word: &str, kind: TaskKind| {
        Router::new()
            .route(&of_instance(&format!("/{word}-task")), post(tasks::create))
            .route(&of_instance(&format!("/{word}-tasks")), get(tasks::list))
            .route(&of_instance(&format!("/{word}/autoscan")), get(autoscan::show).put(autoscan::update))
            .route_layer(Extension(kind))
            .merge(task(&of_instance(&format!("/{word}-task/{{{word}_id}}")), kind))
    };
    let api = Router::new()
        .merge(scans("bigkey", TaskKind::BigKeys))
        .merge(scans("hotkey", TaskKind::HotKeys))
        .route(&of_instance("/scan-expire-keys-task"), post(expired::create))
        .route(&of_instance("/auto-expire/scan"), post(expired::create))
        .route(&of_instance("/auto-expire/histories"), get(expired::list))
        .merge(task(&of_instance("/scan-expire-keys-task/{task_id}"), TaskKind::ExpiredKeys))
        .route(&of_instance("/offline/key-analysis"), post(offline::create).get(offline::list))
        .route(&of_instance("/offline/key-analysis/{task_id}"), get(offline::show).delete(offline::delete))
        .route(&of_instance("/offline/key-analysis/{task_id}/cancel"), post(offline::cancel))
        .route(&of_instance("/offline/key-analysis/{task_id}/nodes"), get(offline::nodes))
        .route("/v2/{project_id}/instances", get(instances::list))
        .route(INSTANCE, get(instances::show))
        .route(&of_instance("/backups"), get(instances::backups))
        .route_layer(middleware::from_fn_with_state(app.clone(), identify::authenticate));
    let router = Router::new()
        .route("/healthz", get(live))
        .route("/livez", get(live))
        .route("/readyz", get(ready))
        .route("/metrics", get(metrics))
        .route("/openapi.json", get(document))
        .merge(api);
    #[cfg(feature = "console")]
    let router = router.merge(console::router(&app));
    router
        .fallback(async || ApiError::NO_SUCH_URL)
        .method_not_allowed_fallback(async || ApiError::METHOD_NOT_ALLOWED)
        .layer(CatchPanicLayer::custom(|_| ApiError::INTERNAL.into_response()))
        .layer(middleware::from_fn_with_state(app.clone(), answer))
        .with_state(app)
}

/// What all requests have in common.
async fn answer(State(app): State<Arc<App>>, request: Request, next: Next) -> Response {
    let started = Instant::now();
    let request_id = Uuid::new_v4().simple().to_string();
    let (method, path) = (request.method().clone(), request.uri().path().to_owned());
    let route = request.extensions().get::<MatchedPath>().map_or("none".to_owned(), |path| path.as_str().to_owned());
    let client = request.extensions().get::<Client>().map(|Client(address)| tracing::field::display(*address));
    let span = tracing::info_span!("request", request_id, client, caller = Empty);
    // With two, a proxy before this service could have believed the other one.
    let mut response = if request.headers().get_all(HOST).iter().count() > 1 {
        ApiError::HOSTS.into_response()
    } else {
        next.run(request).instrument(span.clone()).await
    };
    let is_known = response.extensions_mut().remove::<Identified>().is_some();
    if let Some(error) = response.extensions_mut().remove::<ApiError>() {
        response = error.answer(&request_id);
        app.metrics.refused(error.code);
    }
    if let Ok(id) = HeaderValue::from_str(&request_id) {
        response.headers_mut().insert(REQUEST_ID, id);
    }
    let elapsed = started.elapsed();
    app.metrics.observe(&route, &method, response.status(), elapsed);
    let unlogged = if is_known { Some(0) } else { app.strangers.pass(started) };
    if let Some(unlogged) = unlogged {
        let _entered = span.entered();
        let path = cut(&path);
        let microseconds = u64::try_from(elapsed.as_micros()).unwrap_or(u64::MAX);
        let unlogged = Some(unlogged).filter(|unlogged| *unlogged > 0);
        tracing::info!(%method, path, status = response.status().as_u16(), microseconds, unlogged, "answered");
    }
    response
}

/// The beginning of a path, which a client can make as long as a head may be.
fn cut(path: &str) -> &str {
    let end = (0..=PATH_BYTES_LOGGED.min(path.len())).rev().find(|end| path.is_char_boundary(*end));
    path.get(..end.unwrap_or(0)).unwrap_or(path)
}

/// Says that the service answers, and looks at nothing for it.
async fn live() -> Response {
    #[derive(Serialize)]
    struct Live {
        status: &'static str,
    }
    Json(Live { status: "ok" }).into_response()
}

/// Says whether the service can do its work, as the watch found last.
async fn ready(State(app): State<Arc<App>>) -> Response {
    match app.health.readiness() {
        Ok(readiness) => Json(readiness).into_response(),
        Err(readiness) => (StatusCode::SERVICE_UNAVAILABLE, Json(readiness)).into_response(),
    }
}

async fn metrics(State(app): State<Arc<App>>) -> Result<Response, ApiError> {
    let scraped = tokio::task::spawn_blocking(move || scrape::text(&app)).await;
    let text = scraped.map_err(|_| ApiError::INTERNAL)??;
    let content_type = HeaderValue::from_static("text/plain; version=0.0.4; charset=utf-8");
    Ok(([(CONTENT_TYPE, content_type)], text).into_response())
}

async fn document() -> Response {
    static DOCUMENT: LazyLock<Bytes> = LazyLock::new(|| Bytes::from(openapi::document().to_string()));
    let content_type = HeaderValue::from_static("application/json");
    ([(CONTENT_TYPE, content_type)], DOCUMENT.clone()).into_response()
}
