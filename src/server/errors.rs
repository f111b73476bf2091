//! What the API answers to requests that it refuses: the published status, code and message of each.

use std::borrow::Cow;

use axum::body::Body;
use axum::http::header::{CONTENT_TYPE, HeaderValue};
use axum::http::{Response, StatusCode};
use axum::response::IntoResponse;
use serde::Serialize;

use crate::task::StoreError;

/// A refused request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct ApiError {
    pub(super) status: StatusCode,
    pub(super) code: &'static str,
    pub(super) message: Cow<'static, str>,
}

/// The body that goes with it.
#[derive(Serialize)]
struct ErrorBody<'a> {
    error_code: &'a str,
    error_msg: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    request_id: Option<&'a str>,
}

macro_rules! errors {
    ($($(#[$about:meta])* $name:ident = $status:ident $code:literal $message:literal;)*) => {
        impl ApiError {
            $($(#[$about])* pub(super) const $name: Self = Self {
                status: StatusCode::$status,
                code: $code,
                message: Cow::Borrowed($message),
            };)*
        }
    };
}

errors! {
    /// Another big key analysis of the instance waits or runs.
    ANALYSIS_RUNS = BAD_REQUEST "DCS.4918" "Instance bigkey analyze is running.";
    /// The instance's dumps cannot be had.
    CANNOT_ANALYZE = BAD_REQUEST "DCS.4919" "Does not support bigkey analyze.";
    NO_TASK = BAD_REQUEST "DCS.4942" "The bigkey id does not exist.";
    /// A running task is not deleted.
    NOT_IN_THIS_STATE = BAD_REQUEST "DCS.4957" "This operation is not allowed when the task is in the current state.";
    OFFLINE_RUNS = BAD_REQUEST "DCS.4231" "Offline key analysis of the instance is running.";
    NO_OFFLINE_TASK = BAD_REQUEST "DCS.4232" "The offline key analysis task does not exist.";
    NO_HOT_TASK = BAD_REQUEST "DCS.4941" "The hotkey id does not exist.";
    PROJECT_FORMAT = BAD_REQUEST "DCS.4002" "Invalid project ID format.";
    INSTANCE_FORMAT = BAD_REQUEST "DCS.4061" "Invalid instance ID format.";
    TASK_FORMAT = BAD_REQUEST "DCS.4070" "Invalid task ID format.";
    EMPTY_BODY = BAD_REQUEST "DCS.4004" "Empty request body.";
    NOT_JSON = BAD_REQUEST "DCS.4005" "The request body contains invalid characters or is not in JSON format.";
    INVALID_TOKEN = UNAUTHORIZED "DCS.1001" "Invalid token.";
    TOKEN_EXPIRED = UNAUTHORIZED "DCS.1002" "Token expired.";
    NO_TOKEN = UNAUTHORIZED "DCS.1003" "No token in the request.";
    OTHER_PROJECTS_TOKEN = UNAUTHORIZED "DCS.1004" "Project ID does not match the token.";
    /// The gateway's answers to signatures.
    BAD_SIGNATURE = UNAUTHORIZED "APIGW.0301" "Incorrect IAM authentication information: verify signature failed";
    SIGNATURE_USED = UNAUTHORIZED "APIGW.0301" "Incorrect IAM authentication information: the signature was used before";
    CLOCK_IS_OFF = UNAUTHORIZED "APIGW.0303" "Incorrect IAM authentication information: x-sdk-date is more than 15 minutes off";
    OTHER_PROJECT = FORBIDDEN "DCS.2003" "The role does not have the permission to perform this operation.";
    /// A page in a browser of this machine asks a service without credentials.
    NOT_LOCAL = FORBIDDEN "DCS.2003" "Without credentials the service answers programs of its own machine only.";
    NO_INSTANCE = NOT_FOUND "DCS.3022" "This DCS instance does not exist.";
    NO_SUCH_URL = NOT_FOUND "DCS.4001" "The requested URL does not exist.";
    METHOD_NOT_ALLOWED = METHOD_NOT_ALLOWED "DCS.5001" "This request method is not allowed.";
    BODY_TOO_LARGE = PAYLOAD_TOO_LARGE "DCS.4005" "The request body is too large.";
    /// The system could not look for dumps, and may at the next attempt.
    NO_LOOK = SERVICE_UNAVAILABLE "DCS.5000" "The instance's dumps cannot be looked up now.";
    HOSTS = BAD_REQUEST "DCS.4800" "Invalid Host header in the request.";
    BROKEN_BODY = BAD_REQUEST "DCS.4800" "Invalid body in the request.";
    /// A token that may only look.
    READ_ONLY = FORBIDDEN "DCS.2007" "Policy does not allow changes to be performed.";
    /// Too many wrong credentials came from the client's address in this minute.
    TOO_MANY_LOGINS = TOO_MANY_REQUESTS "APIGW.0308" "The throttling threshold has been reached: too many failed logins";
    STORE_BUSY = SERVICE_UNAVAILABLE "DCS.5000" "The task store is in use by another program.";
    STORE_FULL = SERVICE_UNAVAILABLE "DCS.5000" "The task store's disk is full.";
    INTERNAL = INTERNAL_SERVER_ERROR "DCS.5000" "Internal service error.";
    BUSY = SERVICE_UNAVAILABLE "DCS.5000" "Too many requests at once.";
    TOO_SLOW = SERVICE_UNAVAILABLE "DCS.5000" "The request took too long.";
}

impl ApiError {
    /// A parameter in the path or query that is not what it should be.
    pub(super) fn parameter(name: &str) -> Self {
        let message = Cow::Owned(format!("Invalid {name} parameter in the request."));
        Self { status: StatusCode::BAD_REQUEST, code: "DCS.4062", message }
    }

    /// A member of the body that is not what it should be.
    pub(super) fn member(name: &str) -> Self {
        let message = Cow::Owned(format!("Invalid {name} in the request."));
        Self { status: StatusCode::BAD_REQUEST, code: "DCS.4800", message }
    }
}

impl ApiError {
    /// The answer to a request. The gateway's codes come with the request's ID, the others without.
    pub(super) fn answer(&self, request_id: &str) -> Response<Body> {
        let request_id = Some(request_id).filter(|_| self.code.starts_with("APIGW."));
        let body = serde_json::to_vec(&ErrorBody { error_code: self.code, error_msg: &self.message, request_id });
        let mut response = Response::new(Body::from(body.unwrap_or_default()));
        *response.status_mut() = self.status;
        response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        response
    }
}

impl From<StoreError> for ApiError {
    /// Where an operation has a code of its own for what the store says, it looks before.
    fn from(error: StoreError) -> Self {
        match error {
            StoreError::NoTask => Self::NO_TASK,
            StoreError::Active => Self::ANALYSIS_RUNS,
            StoreError::Running | StoreError::Ended => Self::NOT_IN_THIS_STATE,
            StoreError::Replayed => Self::SIGNATURE_USED,
            error => {
                tracing::error!(%error, "the store does not answer");
                match error {
                    error if error.is_busy() => Self::STORE_BUSY,
                    error if error.is_full() => Self::STORE_FULL,
                    _ => Self::INTERNAL,
                }
            }
        }
    }
}

impl IntoResponse for ApiError {
    /// An answer that has the error beside it and is written where the request's ID is known.
    fn into_response(self) -> Response<Body> {
        let mut response = Response::new(Body::empty());
        *response.status_mut() = self.status;
        response.extensions_mut().insert(self);
        response
    }
}
