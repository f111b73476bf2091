//! Logging in by access key or token, and logging out.

use std::sync::Arc;
use std::time::{Duration, Instant};

use axum::Extension;
use axum::extract::{Request, State};
use axum::http::StatusCode;
use axum::http::header::{HeaderMap, HeaderValue, ORIGIN, SET_COOKIE};
use axum::response::{IntoResponse, Redirect, Response};
use jiff::Timestamp;
use maud::html;

use super::frame::page;
use super::gate::{COOKIE_NAME, FOREIGN_FORM, client, cookie, form, is_of_this_origin};
use super::problem::Problem;
use super::session::LIFE;
use super::visitor::Visitor;
use crate::server::app::App;
use crate::server::auth::Login;
use crate::server::config::Config;
use crate::server::errors::ApiError;

/// The form to log in with.
pub(super) async fn show(State(app): State<Arc<App>>) -> Response {
    if app.config().is_open() { Redirect::to("/").into_response() } else { login_page(None) }
}

fn login_page(problem: Option<&str>) -> Response {
    let main = html! {
        @if let Some(problem) = problem { p.broken role="alert" { (problem) } }
        div.logins {
            form method="post" action="/login" {
                h2 { "With an access key" }
                label { "Access key" input name="access_key" autocomplete="username" required; }
                label { "Secret" input name="secret" type="password" autocomplete="current-password" required; }
                button { "Log in" }
            }
            form method="post" action="/login" {
                h2 { "With a token" }
                label { "Token" input name="token" type="password" autocomplete="off" required; }
                button { "Log in with the token" }
            }
        }
    };
    page(None, "Log in", &[], &main)
}

/// Logs in. Wrong credentials count as they do for the API.
pub(super) async fn enter(State(app): State<Arc<App>>, request: Request) -> Result<Response, Problem> {
    let config = app.config();
    let Some(_place) = app.place(config.limits.requests_at_once) else { return Err(ApiError::BUSY.into()) };
    let (now, client) = (Timestamp::now(), client(&request));
    if app.logins.is_over(client, config.limits.failed_logins_per_minute, now) {
        return Err(ApiError::TOO_MANY_LOGINS.into());
    }
    if !is_of_this_origin(request.headers()) {
        return Err(Problem::forbidden(FOREIGN_FORM));
    }
    let is_secure = is_secure(&config, request.headers());
    let deadline = tokio::time::Instant::now() + Duration::from_secs(config.limits.request_seconds);
    let (_, fields) = form(&config, request, deadline).await?;
    let login = match (fields.get("token"), fields.get("access_key"), fields.get("secret")) {
        (Some(token), None, None) => Login::by_token(token.trim()),
        (None, Some(id), Some(secret)) => Login::by_key(id.trim(), secret),
        _ => return Err(ApiError::BROKEN_BODY.into()),
    };
    let Some(caller) = config.credentials.caller_of(&login, now) else {
        app.logins.fail(client, now);
        let mut response = login_page(Some("These credentials are wrong, or no longer valid."));
        *response.status_mut() = StatusCode::UNAUTHORIZED;
        return Ok(response);
    };
    let cookie = app.sessions.begin(login, Instant::now()).map_err(|error| {
        tracing::error!(%error, "a session cannot begin");
        ApiError::INTERNAL
    })?;
    tracing::info!(caller = caller.name(), "logged in");
    Ok(with_cookie(Redirect::to("/"), &cookie, LIFE.as_secs(), is_secure))
}

/// Logs out.
pub(super) async fn leave(
    State(app): State<Arc<App>>,
    Extension(visitor): Extension<Visitor>,
    headers: HeaderMap,
) -> Response {
    if let Some(cookie) = cookie(&headers) {
        app.sessions.end(cookie);
    }
    with_cookie(Redirect::to("/login"), "", 0, is_secure(&visitor.config, &headers))
}

/// Whether the browser speaks TLS, with this service or with a proxy before it.
fn is_secure(config: &Config, headers: &HeaderMap) -> bool {
    let by_proxy = headers.get(ORIGIN).is_some_and(|origin| origin.as_bytes().starts_with(b"https://"));
    config.tls.is_some() || by_proxy
}

fn with_cookie(redirect: Redirect, value: &str, seconds: u64, is_secure: bool) -> Response {
    let secure = if is_secure { "; Secure" } else { "" };
    let cookie = format!("{COOKIE_NAME}={value}; Path=/; Max-Age={seconds}; HttpOnly; SameSite=Strict{secure}");
    let mut response = redirect.into_response();
    if let Ok(cookie) = HeaderValue::from_str(&cookie) {
        response.headers_mut().insert(SET_COOKIE, cookie);
    }
    response
}
