//! Something at a URL that can be asked for its bytes, all or a range of them.

use std::error::Error;
use std::ops::Range;
use std::sync::OnceLock;
use std::time::SystemTime;

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use bytes::Bytes;
use futures_util::StreamExt;
use futures_util::stream::BoxStream;
use http::header::{AUTHORIZATION, CONTENT_LENGTH, CONTENT_RANGE, ETAG, IF_MATCH, LAST_MODIFIED, RANGE};
use http::{HeaderMap, HeaderValue, Request, StatusCode, Uri};
use jiff::fmt::rfc2822;
use object_store::GetOptions;
use object_store::client::{HttpClient, HttpConnector, HttpRequestBody};
use object_store::path::Path;
use reqwest::Url;

use super::authorities::trusting;
use super::client::{self, Connector, Refused};
use super::explain::{Place, Signature, changed};
use super::store::{Object, Use};
use crate::input::failure::Failure;
use crate::input::listed::seconds;

/// An object in a store, or what a web server has at a URL.
pub(super) struct Source {
    place: Place,
    way: Way,
}

enum Way {
    Store { object: Object, path: Path },
    Web { uri: Uri, authorization: Option<HeaderValue> },
}

/// By what an object is told from the one that takes its place.
#[derive(Clone, Debug, Default)]
pub(super) struct Identity {
    etag: Option<String>,
    modified_at: Option<String>,
}

/// An answer, of whose bytes none has been read.
pub(super) struct Answer {
    /// Which bytes of the object these are; none if it is all of it, whatever was asked for.
    pub(super) range: Option<Range<u64>>,
    /// How many bytes the object has; none if the server does not say.
    pub(super) size: Option<u64>,
    pub(super) identity: Identity,
    /// When the object was written, in whole seconds; none if the server does not say.
    pub(super) written_at: Option<SystemTime>,
    pub(super) bytes: BoxStream<'static, Result<Bytes, Failure>>,
}

impl Identity {
    /// Whether there is anything by which another object would be noticed.
    pub(super) fn is_known(&self) -> bool {
        self.etag.is_some() || self.modified_at.is_some()
    }

    /// Whether both may be the same object.
    pub(super) fn fits(&self, other: &Self) -> bool {
        match (&self.etag, &other.etag) {
            (Some(one), Some(other)) => one == other,
            _ => self.modified_at.as_ref().zip(other.modified_at.as_ref()).is_none_or(|(one, other)| one == other),
        }
    }

    /// What a server can compare: a weak tag fits nothing there.
    pub(super) fn strong(&self) -> Option<&String> {
        self.etag.as_ref().filter(|etag| !etag.starts_with("W/"))
    }
}

impl Source {
    /// # Errors
    /// If the URL is not one of an object that can be read.
    pub(super) fn of(url: &str) -> Result<Self, Failure> {
        if let Some(object) = Object::of(url, Use::Read) {
            let object = object?;
            let path = object.path()?;
            return Ok(Self { place: object.place.clone(), way: Way::Store { object, path } });
        }
        let invalid = |error: &dyn std::fmt::Display| Failure::last(format!("not a valid URL: {error}"));
        let mut url = Url::parse(url).map_err(|error| invalid(&error))?;
        if !matches!(url.scheme(), "http" | "https") {
            let what = "URLs of these schemes are read: s3, gs, az, abfss, https and http";
            return Err(Failure::last(what));
        }
        let authorization = basic(&url);
        // They are a header's, and have no place in what is sent.
        _ = url.set_username("");
        _ = url.set_password(None);
        url.set_fragment(None);
        let pairs: Vec<_> = url.query_pairs().collect();
        let signature = Signature::of(pairs.iter().map(|(name, value)| (&**name, &**value)));
        drop(pairs);
        let uri = url.as_str().parse().map_err(|error| invalid(&error))?;
        Ok(Self { place: Place::Web { signature }, way: Way::Web { uri, authorization } })
    }

    /// Asks for all bytes or, where the server does that, for a range of them; of no other object than `before`, if that is
    /// given.
    ///
    /// # Errors
    /// What the server answers, and what became of the connection.
    pub(super) async fn ask(&self, range: Option<Range<u64>>, before: Option<&Identity>) -> Result<Answer, Failure> {
        let etag = before.and_then(Identity::strong);
        let answer = match &self.way {
            Way::Store { object, path } => self.ask_store(object, path, range, etag).await?,
            Way::Web { uri, authorization } => self.ask_web(uri, authorization.as_ref(), range, etag).await?,
        };
        if before.is_some_and(|before| !before.fits(&answer.identity)) {
            return Err(changed());
        }
        Ok(answer)
    }

    async fn ask_store(
        &self,
        object: &Object,
        path: &Path,
        range: Option<Range<u64>>,
        etag: Option<&String>,
    ) -> Result<Answer, Failure> {
        let is_part = range.is_some();
        let options = GetOptions { range: range.map(Into::into), if_match: etag.cloned(), ..GetOptions::default() };
        let got = object.bucket.get_opts(path, options).await;
        let got = match got {
            Err(error) if is_part && is_past_end(&error) => return Ok(Answer::empty()),
            got => got.map_err(|error| self.place.failure(&error))?,
        };
        let identity = Identity { etag: got.meta.e_tag.clone(), modified_at: Some(got.meta.last_modified.to_string()) };
        let written_at = Some(seconds(got.meta.last_modified.timestamp()));
        let (size, range) = (Some(got.meta.size), is_part.then(|| got.range.clone()));
        let place = self.place.clone();
        let bytes = got.into_stream().map(move |bytes| bytes.map_err(|error| place.failure(&error))).boxed();
        Ok(Answer { range, size, identity, written_at, bytes })
    }

    async fn ask_web(
        &self,
        uri: &Uri,
        authorization: Option<&HeaderValue>,
        range: Option<Range<u64>>,
        etag: Option<&String>,
    ) -> Result<Answer, Failure> {
        let mut request = Request::get(uri.clone());
        if let Some(range) = &range {
            request = request.header(RANGE, format!("bytes={}-{}", range.start, range.end.saturating_sub(1)));
        }
        if let Some(etag) = etag {
            request = request.header(IF_MATCH, etag);
        }
        if let Some(authorization) = authorization {
            request = request.header(AUTHORIZATION, authorization);
        }
        let request = request.body(HttpRequestBody::empty()).map_err(|error| self.place.failure(&error))?;
        let response = match web(&self.place)?.execute(request).await {
            Err(error) if range.is_some() && is_past_end(&error) => return Ok(Answer::empty()),
            response => response.map_err(|error| self.place.failure(&error))?,
        };
        let headers = response.headers();
        let identity = Identity { etag: text(headers, ETAG), modified_at: text(headers, LAST_MODIFIED) };
        let written_at = identity.modified_at.as_deref().and_then(|date| rfc2822::parse(date).ok());
        let written_at = written_at.map(|date| seconds(date.timestamp().as_second()));
        let (sent, size) = match range.filter(|_| response.status() == StatusCode::PARTIAL_CONTENT) {
            None => (None, text(headers, CONTENT_LENGTH).and_then(|bytes| bytes.parse().ok())),
            Some(asked) => {
                let stated = text(headers, CONTENT_RANGE).as_deref().and_then(content_range);
                let fits =
                    |(range, size): &(Range<u64>, u64)| range.start == asked.start && range.end == asked.end.min(*size);
                let (range, size) = stated.filter(fits).ok_or_else(|| {
                    Failure::last(
                        "the server answers another range than the one it was asked for: download the file first",
                    )
                })?;
                (Some(range), Some(size))
            }
        };
        let place = self.place.clone();
        let bytes = response.into_body().bytes_stream();
        let bytes = bytes.map(move |bytes| bytes.map_err(|error| place.failure(&error))).boxed();
        Ok(Answer { range: sent, size, identity, written_at, bytes })
    }
}

impl Answer {
    /// The answer for a range that begins where the object has ended.
    fn empty() -> Self {
        let bytes = futures_util::stream::empty().boxed();
        Self { range: Some(0..0), size: Some(0), identity: Identity::default(), written_at: None, bytes }
    }
}

/// The client for web servers that are not stores.
fn web(place: &Place) -> Result<&'static HttpClient, Failure> {
    static CLIENT: OnceLock<HttpClient> = OnceLock::new();
    if let Some(client) = CLIENT.get() {
        return Ok(client);
    }
    let client = Connector.connect(&trusting(client::reading())?).map_err(|error| place.failure(&error))?;
    Ok(CLIENT.get_or_init(|| client))
}

/// Whether a range begins after the last byte: of what is empty every one does.
fn is_past_end(error: &(dyn Error + 'static)) -> bool {
    Refused::within(error).is_some_and(|refused| refused.status == StatusCode::RANGE_NOT_SATISFIABLE)
}

fn text(headers: &HeaderMap, name: http::HeaderName) -> Option<String> {
    headers.get(name)?.to_str().ok().map(str::to_owned)
}

/// `bytes 0-99/1234`.
fn content_range(text: &str) -> Option<(Range<u64>, u64)> {
    let (range, size) = text.trim().strip_prefix("bytes ")?.split_once('/')?;
    let (first, last) = range.split_once('-')?;
    Some((first.parse().ok()?..last.parse::<u64>().ok()?.checked_add(1)?, size.parse().ok()?))
}

/// The header that a URL's user name and password stand for.
fn basic(url: &Url) -> Option<HeaderValue> {
    if url.username().is_empty() && url.password().is_none() {
        return None;
    }
    let decoded = |text: &str| percent_encoding::percent_decode_str(text).collect::<Vec<u8>>();
    let pair = [&decoded(url.username())[..], b":", &decoded(url.password().unwrap_or_default())].concat();
    let mut header: HeaderValue = format!("Basic {}", BASE64_STANDARD.encode(pair)).parse().ok()?;
    header.set_sensitive(true);
    Some(header)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_of_answers() {
        assert_eq!(content_range("bytes 0-99/1234"), Some((0..100, 1234)));
        for wrong in ["bytes */1234", "bytes 0-99/*", "bytes 5", "0-99/1234", "bytes 0-18446744073709551615/9"] {
            assert_eq!(content_range(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn identities() {
        let of = |etag: Option<&str>, modified_at: Option<&str>| Identity {
            etag: etag.map(str::to_owned),
            modified_at: modified_at.map(str::to_owned),
        };
        assert!(of(Some("a"), Some("1")).fits(&of(Some("a"), Some("2"))), "a tag is enough");
        assert!(!of(Some("a"), None).fits(&of(Some("b"), None)));
        assert!(!of(Some("a"), Some("1")).fits(&of(None, Some("2"))));
        assert!(of(None, None).fits(&of(Some("b"), Some("2"))), "nothing is known");
        assert_eq!(of(Some("W/\"a\""), None).strong(), None);
    }
}
