//! The HTTP client of all stores: what a server refuses becomes an error that says how.

use std::error::Error;
use std::fmt;
use std::time::Duration;

use futures_util::StreamExt;
use futures_util::future::BoxFuture;
use http::{HeaderMap, StatusCode, Uri};
use object_store::client::{
    HttpClient, HttpConnector, HttpError, HttpErrorKind, HttpRequest, HttpResponse, HttpService, ReqwestConnector,
};
use object_store::{ClientConfigKey, ClientOptions};

/// How long to wait for a connection.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);

/// How long no byte may come before a connection is given up and another one is tried. Stores answer within a second.
const STALL_SECONDS: u64 = 10;

/// How long sending a part may take.
const SEND_TIMEOUT: Duration = Duration::from_mins(10);

/// Bytes of a refusal that are looked at.
const REFUSAL_BYTES_MAX: usize = 16 << 10;

/// What requests that read are made with.
pub(super) fn reading() -> ClientOptions {
    // A large object takes as long as it takes; what counts is that bytes come.
    common().with_timeout_disabled().with_config(ClientConfigKey::ReadTimeout, format!("{STALL_SECONDS}s"))
}

/// What requests that write are made with: a part that is being sent is answered after its last byte.
pub(super) fn writing() -> ClientOptions {
    common().with_timeout(SEND_TIMEOUT)
}

fn common() -> ClientOptions {
    // A user who names an endpoint by http:// means it.
    ClientOptions::new()
        .with_allow_http(true)
        .with_connect_timeout(CONNECT_TIMEOUT)
        .with_config(ClientConfigKey::UserAgent, concat!("bigkeys/", env!("CARGO_PKG_VERSION")))
}

/// Makes clients that tell refusals.
#[derive(Debug)]
pub(super) struct Connector;

impl HttpConnector for Connector {
    fn connect(&self, options: &ClientOptions) -> object_store::Result<HttpClient> {
        // If one is there already, it is as good.
        _ = tokio_rustls::rustls::crypto::ring::default_provider().install_default();
        Ok(HttpClient::new(Telling(ReqwestConnector::default().connect(options)?)))
    }
}

#[derive(Debug)]
struct Telling(HttpClient);

impl HttpService for Telling {
    fn call<'s, 'f>(&'s self, request: HttpRequest) -> BoxFuture<'f, Result<HttpResponse, HttpError>>
    where
        's: 'f,
        Self: 'f,
    {
        Box::pin(async {
            let is_metadata = is_metadata(request.uri());
            let no_credentials = || HttpError::new(HttpErrorKind::Connect, NoCredentials);
            let response = match self.0.execute(request).await {
                Err(_) if is_metadata => return Err(no_credentials()),
                response => response?,
            };
            if is_metadata && !response.status().is_success() {
                return Err(no_credentials());
            }
            if response.status().is_success() { Ok(response) } else { Err(refusal(response).await) }
        })
    }
}

/// Whether a request is one to the service that tells a machine in a cloud who it is. Where no credentials are set, the crate
/// asks it last.
fn is_metadata(uri: &Uri) -> bool {
    let of_aws = ["/latest/api/token", "/latest/meta-data/iam/"];
    let of_others = ["/computeMetadata/v1/", "/metadata/identity/oauth2/token"];
    of_aws.iter().chain(&of_others).any(|start| uri.path().starts_with(start))
}

/// There are no credentials, nor a service that would give some.
#[derive(Debug)]
pub(super) struct NoCredentials;

impl fmt::Display for NoCredentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("no credentials")
    }
}

impl Error for NoCredentials {}

async fn refusal(response: HttpResponse) -> HttpError {
    let (status, region) = (response.status(), header(response.headers(), "x-amz-bucket-region"));
    let code = header(response.headers(), "x-ms-error-code");
    let mut body = Vec::new();
    let mut stream = response.into_body().bytes_stream();
    while let Some(Ok(bytes)) = stream.next().await {
        body.extend_from_slice(&bytes);
        if body.len() > REFUSAL_BYTES_MAX {
            break;
        }
    }
    let body = String::from_utf8_lossy(&body);
    let refused = Refused {
        status,
        code: code.or_else(|| element(&body, "Code")).unwrap_or_default(),
        region: region.or_else(|| element(&body, "Region")),
    };
    // The kind decides whether the store's own retries ask again.
    HttpError::new(if refused.is_transient() { HttpErrorKind::Request } else { HttpErrorKind::Unknown }, refused)
}

fn header(headers: &HeaderMap, name: &str) -> Option<String> {
    headers.get(name)?.to_str().ok().map(str::to_owned)
}

/// The text of an element of XML that has none below it.
fn element(xml: &str, name: &str) -> Option<String> {
    let (_, after) = xml.split_once(&format!("<{name}>"))?;
    let (text, _) = after.split_once("</")?;
    let is_word = text.len() <= 100 && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-');
    is_word.then(|| text.to_owned())
}

/// An answer that is not the one that was asked for.
#[derive(Debug)]
pub(super) struct Refused {
    pub(super) status: StatusCode,
    /// The store's word for it; empty if it has none.
    pub(super) code: String,
    /// Where the bucket is instead.
    pub(super) region: Option<String>,
}

/// An error and those that it came of, the innermost last.
pub(super) fn chain<'e>(error: &'e (dyn Error + 'static)) -> impl Iterator<Item = &'e (dyn Error + 'static)> {
    std::iter::successors(Some(error), |error| Error::source(*error))
}

impl Refused {
    /// The refusal that an error came of.
    pub(super) fn within<'e>(error: &'e (dyn Error + 'static)) -> Option<&'e Self> {
        chain(error).find_map(|error| error.downcast_ref())
    }

    /// Whether the same request may succeed later.
    pub(super) fn is_transient(&self) -> bool {
        use StatusCode as Status;
        self.status.is_server_error() && self.status != Status::NOT_IMPLEMENTED
            || matches!(self.status, Status::TOO_MANY_REQUESTS | Status::REQUEST_TIMEOUT)
            || self.code == "RequestTimeout"
    }
}

impl fmt::Display for Refused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.code.as_str() {
            "" => write!(f, "{}", self.status.as_u16()),
            code => write!(f, "{} {code}", self.status.as_u16()),
        }
    }
}

impl Error for Refused {}
