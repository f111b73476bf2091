//! What a visitor is told when something went wrong.

use std::borrow::Cow;

use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use maud::html;

use super::frame::page;
use crate::server::errors::ApiError;
use crate::task::StoreError;

/// A page that says what went wrong.
#[derive(Debug)]
pub(super) struct Problem {
    status: StatusCode,
    message: Cow<'static, str>,
}

impl Problem {
    /// Something that the visitor can change.
    pub(super) fn bad(message: impl Into<Cow<'static, str>>) -> Self {
        Self { status: StatusCode::BAD_REQUEST, message: message.into() }
    }

    /// Something that nobody may do.
    pub(super) fn forbidden(message: &'static str) -> Self {
        Self { status: StatusCode::FORBIDDEN, message: message.into() }
    }

    /// Something that may pass.
    pub(super) fn unavailable(message: impl Into<Cow<'static, str>>) -> Self {
        Self { status: StatusCode::SERVICE_UNAVAILABLE, message: message.into() }
    }
}

impl From<ApiError> for Problem {
    fn from(error: ApiError) -> Self {
        Self { status: error.status, message: error.message }
    }
}

impl From<StoreError> for Problem {
    fn from(error: StoreError) -> Self {
        ApiError::from(error).into()
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let main = html! {
            p.verdict.broken { (self.message) }
            p { a href="/" { "Back to the instances" } }
        };
        let mut response = page(None, "That did not work", &[], &main);
        *response.status_mut() = self.status;
        response
    }
}
