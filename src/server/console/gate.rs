//! The gate that every page but the login is behind: who may see pages, and whose forms may change something.

use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;
use std::time::{Duration, Instant};

use axum::body::Body;
use axum::extract::{Form, FromRequest, Request, State};
use axum::http::header::{COOKIE, HOST, ORIGIN};
use axum::http::{HeaderMap, Method};
use axum::middleware::Next;
use axum::response::{IntoResponse, Redirect, Response};
use jiff::Timestamp;

use super::problem::Problem;
use super::visitor::{CSRF, Fields, Visitor};
use crate::server::app::App;
use crate::server::auth::{Caller, has_local_host};
use crate::server::config::Config;
use crate::server::errors::ApiError;
use crate::server::extract::{Asked, Client};
use crate::server::identify::{Identified, read_body};

/// The name of the session's cookie.
pub(super) const COOKIE_NAME: &str = "bigkeys_session";

/// What a form is answered that is not of a page of ours, or of a page that was made before a new start.
pub(super) const FOREIGN_FORM: &str =
    "This form is not from a current page of this service. Reload the page and try again.";

/// Lets visitors pass whose session is known, with forms that are ours.
pub(super) async fn enter(State(app): State<Arc<App>>, request: Request, next: Next) -> Response {
    let config = app.config();
    let Some(visitor) = visitor(&app, &config, request.headers()).transpose() else {
        return Redirect::to("/login").into_response();
    };
    let entered = match visitor {
        Ok(visitor) => admit(&config, visitor, request).await,
        Err(error) => Err(error.into()),
    };
    let request = match entered {
        Ok(request) => request,
        Err(problem) => return problem.into_response(),
    };
    let mut response = match app.place(config.limits.requests_at_once) {
        Some(_place) => next.run(request).await,
        None => Problem::from(ApiError::BUSY).into_response(),
    };
    response.extensions_mut().insert(Identified);
    response
}

/// Lets pass who may change something.
pub(super) async fn allow_changes(request: Request, next: Next) -> Response {
    let may_change = request.extensions().get::<Visitor>().is_some_and(Visitor::may_change);
    if may_change { next.run(request).await } else { Problem::from(ApiError::READ_ONLY).into_response() }
}

/// Who asks; none for a stranger, who may log in.
fn visitor(app: &App, config: &Arc<Config>, headers: &HeaderMap) -> Result<Option<Visitor>, ApiError> {
    let (caller, csrf) = if config.is_open() {
        if !has_local_host(headers) {
            return Err(ApiError::NOT_LOCAL);
        }
        let csrf = app.sessions.open_csrf().map_err(|error| {
            tracing::error!(%error, "a page cannot be made");
            ApiError::INTERNAL
        })?;
        (Caller::Anyone, csrf)
    } else {
        let session = cookie(headers).and_then(|cookie| app.sessions.of(cookie, Instant::now()));
        let Some(session) = session else { return Ok(None) };
        let Some(caller) = config.credentials.caller_of(&session.login, Timestamp::now()) else { return Ok(None) };
        (caller, session.csrf)
    };
    let deadline = tokio::time::Instant::now() + Duration::from_secs(config.limits.request_seconds);
    Ok(Some(Visitor { asked: Asked { caller, deadline }, csrf, config: config.clone() }))
}

/// Puts who asks beside a request, and the form that came with it.
async fn admit(config: &Config, visitor: Visitor, request: Request) -> Result<Request, Problem> {
    tracing::Span::current().record("caller", visitor.asked.caller.name());
    let (method, headers) = (request.method().clone(), request.headers().clone());
    if [Method::GET, Method::HEAD].contains(&method) {
        let mut request = request;
        request.extensions_mut().insert(visitor);
        return Ok(request);
    }
    if !is_of_this_origin(&headers) {
        return Err(Problem::forbidden(FOREIGN_FORM));
    }
    let (request, fields) = form(config, request, visitor.asked.deadline).await?;
    if fields.get(CSRF) != Some(&visitor.csrf) {
        return Err(Problem::forbidden(FOREIGN_FORM));
    }
    let mut request = request;
    request.extensions_mut().insert(fields);
    request.extensions_mut().insert(visitor);
    Ok(request)
}

/// Reads a form, which a request's body is.
///
/// # Errors
/// As for every body; [`ApiError::BROKEN_BODY`] if it is not a form.
pub(super) async fn form(
    config: &Config,
    request: Request,
    deadline: tokio::time::Instant,
) -> Result<(Request, Fields), ApiError> {
    let (parts, body) = request.into_parts();
    let body = read_body(&parts.headers, body, config.limits.body_bytes, deadline).await?;
    let whole = Request::from_parts(parts.clone(), Body::from(body));
    let Form(fields) = Form::from_request(whole, &()).await.map_err(|_| ApiError::BROKEN_BODY)?;
    Ok((Request::from_parts(parts, Body::empty()), Fields(fields)))
}

/// Whether a form comes from a page of this service, as far as the browser says.
pub(super) fn is_of_this_origin(headers: &HeaderMap) -> bool {
    if let Some(site) = headers.get("sec-fetch-site") {
        return site == "same-origin" || site == "none";
    }
    let Some(origin) = headers.get(ORIGIN) else { return true };
    let origin = origin.to_str().ok().and_then(|origin| origin.split_once("://")).map(|(_, host)| host);
    origin.is_some() && origin == headers.get(HOST).and_then(|host| host.to_str().ok())
}

/// The value of the session's cookie.
pub(super) fn cookie(headers: &HeaderMap) -> Option<&str> {
    let cookies = headers.get_all(COOKIE).iter().filter_map(|header| header.to_str().ok());
    let mut pairs = cookies.flat_map(|header| header.split(';')).filter_map(|pair| pair.trim().split_once('='));
    pairs.find(|(name, _)| *name == COOKIE_NAME).map(|(_, value)| value)
}

/// The address that a request comes from.
pub(super) fn client(request: &Request) -> IpAddr {
    request.extensions().get::<Client>().map_or(IpAddr::V4(Ipv4Addr::UNSPECIFIED), |client| client.0)
}
