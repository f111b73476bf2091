//! What went wrong with a store or a web server, in one sentence that says what to do. No sentence has anything of a URL's
//! query or of credentials in it.

use std::error::Error;
use std::io;

use http::StatusCode;
use jiff::civil::DateTime;
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};
use object_store::client::{HttpError, HttpErrorKind};
use tokio_rustls::rustls::pki_types::UnixTime;
use tokio_rustls::rustls::{self as tls, CertificateError};

use super::client::{NoCredentials, Refused, chain};
use crate::input::failure::{Failure, Kind};

/// What a failure is told of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Place {
    /// A bucket of S3, or of what speaks it.
    S3,
    /// Google's.
    Gcs,
    /// Azure's.
    Azure,
    /// A web server, and what the URL's signature says of its end, if it has one.
    Web { signature: Option<Signature> },
}

/// What a URL that was signed says of itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Signature {
    pub(super) expires_at: Option<Timestamp>,
}

impl Place {
    /// The failure that an error is.
    pub(super) fn failure(&self, error: &(dyn Error + 'static)) -> Failure {
        if let Some(refused) = Refused::within(error) {
            return self.refused(refused);
        }
        if let Some(error) = certificate_error(error) {
            return Failure::last(format!("{}: {}", untrusted(error), self.advice_on_certificate(error)));
        }
        // The innermost error says it best.
        let innermost = chain(error).last().map(ToString::to_string).unwrap_or_default();
        let Some(http) = chain(error).find_map(|error| error.downcast_ref::<HttpError>()) else {
            return Failure::last(self.config(&innermost));
        };
        match http.kind() {
            HttpErrorKind::Connect if chain(error).any(|error| error.downcast_ref::<NoCredentials>().is_some()) => {
                Failure {
                    kind: Kind::NoConnection,
                    sentence: format!("no credentials were found: set {}", self.credentials()),
                }
            }
            HttpErrorKind::Connect => self.no_connection(&innermost),
            HttpErrorKind::Timeout => transient("the server does not answer in time".to_owned()),
            _ => transient(format!("the connection broke off ({innermost})")),
        }
    }

    fn no_connection(&self, why: &str) -> Failure {
        let sentence = match self {
            Self::S3 => {
                format!("no connection to the store ({why}): check AWS_ENDPOINT_URL, AWS_REGION and the network")
            }
            _ => format!("no connection to the server ({why}): check the name of the host and the network"),
        };
        Failure { kind: Kind::NoConnection, sentence }
    }

    /// What to do where the crate is not content with its settings.
    fn config(&self, what: &str) -> String {
        match self {
            Self::Azure if what.contains("Account must be specified") => {
                "no storage account is named: set AZURE_STORAGE_ACCOUNT_NAME, or use abfss://CONTAINER@ACCOUNT.dfs.core.windows.net/…"
                    .to_owned()
            }
            // What the verifier of certificates says of a machine that has none.
            _ if what.contains("No CA certificates were loaded") => {
                "no certificates of authorities were found, which servers are judged by: install the package \
                 ca-certificates, or set SSL_CERT_FILE to a file of certificates in PEM"
                    .to_owned()
            }
            Self::Web { .. } => format!("the settings of the environment do not work: {what}"),
            _ => format!("the store's settings do not work: {what}"),
        }
    }

    fn advice_on_certificate(&self, error: &CertificateError) -> &'static str {
        match error {
            CertificateError::Expired | CertificateError::ExpiredContext { .. } => {
                "have it renewed, or set the clock of this machine if that is wrong"
            }
            CertificateError::NotValidYet | CertificateError::NotValidYetContext { .. } => {
                "set the clock of this machine if that is wrong"
            }
            CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. } => {
                "use the name of the host that it is for"
            }
            _ if matches!(self, Self::S3 | Self::Web { .. }) => {
                "set SSL_CERT_FILE, or AWS_CA_BUNDLE, to a file with the certificate of the authority, in PEM"
            }
            _ => "set SSL_CERT_FILE to a file with the certificate of the authority, in PEM",
        }
    }

    fn credentials(&self) -> &'static str {
        match self {
            Self::Gcs => {
                "GOOGLE_APPLICATION_CREDENTIALS or run gcloud auth application-default login, or set \
                 GOOGLE_SKIP_SIGNATURE=true for a bucket that everybody may read"
            }
            Self::Azure => {
                "AZURE_STORAGE_ACCOUNT_KEY or AZURE_STORAGE_SAS_TOKEN, or AZURE_SKIP_SIGNATURE=true for a container that \
                 everybody may read"
            }
            Self::S3 | Self::Web { .. } => {
                "AWS_PROFILE or AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or AWS_SKIP_SIGNATURE=true for a bucket that \
                 everybody may read"
            }
        }
    }

    fn refused(&self, refused: &Refused) -> Failure {
        let status = refused.status;
        if status == StatusCode::PRECONDITION_FAILED {
            return changed();
        }
        if refused.is_transient() {
            return transient(format!("the server is busy or out of order ({refused})"));
        }
        Failure::last(format!("{} ({refused}): {}", self.what(refused), self.advice(refused)))
    }

    fn what(&self, refused: &Refused) -> &'static str {
        match (refused.status, refused.code.as_str()) {
            (_, "NoSuchBucket" | "ContainerNotFound") => "there is no such bucket",
            (_, "InvalidObjectState" | "BlobArchived") => "the object is archived",
            (StatusCode::NOT_FOUND | StatusCode::GONE, _) if matches!(self, Self::Web { .. }) => {
                "there is nothing at this URL"
            }
            (StatusCode::NOT_FOUND, _) => "there is no such object",
            _ if refused.region.is_some() => "the bucket is in another region",
            (StatusCode::UNAUTHORIZED, _) => "the server asks for credentials",
            (_, "ExpiredToken" | "TokenRefreshRequired") => "the credentials have expired",
            _ if self.has_expired() => "the URL has expired",
            (StatusCode::FORBIDDEN, _) => "access is denied",
            (status, _) if status.is_redirection() => "the store is somewhere else",
            _ => "the server refuses the request",
        }
    }

    fn advice(&self, refused: &Refused) -> String {
        let advice = match (refused.status, refused.code.as_str(), self) {
            (_, "InvalidObjectState" | "BlobArchived", _) => "restore it first",
            (_, "NoSuchBucket" | "ContainerNotFound", _) => "check its name, the account and the endpoint",
            (StatusCode::NOT_FOUND | StatusCode::GONE, _, Self::Web { .. }) => "check the URL",
            (StatusCode::NOT_FOUND, _, _) => "check the name, in which case matters",
            (_, _, Self::S3) if let Some(region) = &refused.region => return format!("set AWS_REGION={region}"),
            (_, "ExpiredToken" | "TokenRefreshRequired", _) => "log in again",
            (_, "RequestTimeTooSkewed", _) => "set the clock of this machine",
            (_, _, Self::Web { signature: Some(_) }) if self.has_expired() => "have a new one signed",
            (_, _, Self::Web { signature: Some(_) }) => {
                "the signature is not for reading this object: have a GET of it signed"
            }
            (StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN, _, Self::Web { .. }) => {
                "give the URL of an object that everybody may read, or a signed one"
            }
            (_, _, Self::S3) if refused.status.is_redirection() => {
                "set AWS_REGION and AWS_ENDPOINT_URL to the bucket's"
            }
            (_, _, Self::S3) => {
                "check AWS_PROFILE or AWS_ACCESS_KEY_ID, AWS_REGION, and that these credentials have the right"
            }
            (_, _, Self::Gcs) => "check GOOGLE_APPLICATION_CREDENTIALS, and that this account has the right",
            (_, _, Self::Azure) => {
                "check AZURE_STORAGE_ACCOUNT_NAME and AZURE_STORAGE_ACCOUNT_KEY, and that they have the right"
            }
            (_, _, Self::Web { .. }) => "check the URL",
        };
        advice.to_owned()
    }

    fn has_expired(&self) -> bool {
        let Self::Web { signature: Some(Signature { expires_at: Some(expires_at) }) } = self else { return false };
        *expires_at < Timestamp::now()
    }
}

/// What is wrong with a server's certificate, if an error came of that.
fn certificate_error<'e>(error: &'e (dyn Error + 'static)) -> Option<&'e CertificateError> {
    let mut next = Some(error);
    while let Some(error) = next {
        if let Some(tls::Error::InvalidCertificate(error)) = error.downcast_ref() {
            return Some(error);
        }
        // An I/O error does not count what it was made of among its sources.
        let inner = error.downcast_ref::<io::Error>().and_then(io::Error::get_ref);
        next = inner.map(|inner| inner as &(dyn Error + 'static)).or_else(|| error.source());
    }
    None
}

fn untrusted(error: &CertificateError) -> String {
    let date = |time: &UnixTime| {
        let at = i64::try_from(time.as_secs()).ok().and_then(|seconds| Timestamp::from_second(seconds).ok());
        at.map_or("another time".to_owned(), |at| at.to_string())
    };
    match error {
        CertificateError::Expired => "the server's certificate has expired".to_owned(),
        CertificateError::ExpiredContext { not_after, .. } => {
            format!("the server's certificate expired at {}", date(not_after))
        }
        CertificateError::NotValidYet => "the server's certificate is not valid yet".to_owned(),
        CertificateError::NotValidYetContext { not_before, .. } => {
            format!("the server's certificate is not valid before {}", date(not_before))
        }
        CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. } => {
            "the server's certificate is for another host".to_owned()
        }
        // Another authority of the same name may be trusted.
        CertificateError::UnknownIssuer | CertificateError::BadSignature => {
            "the server's certificate is not of an authority that this machine trusts".to_owned()
        }
        other => format!("the server's certificate is not accepted ({other})"),
    }
}

fn transient(sentence: String) -> Failure {
    Failure { kind: Kind::Transient, sentence }
}

/// What is told of an object that is not the one whose first bytes were read.
pub(super) fn changed() -> Failure {
    Failure { kind: Kind::Changed, sentence: "the object was replaced while it was read: read it again".to_owned() }
}

/// What a failure that did not go away is told as.
pub(super) fn after_tries(failure: &Failure, tries: u32) -> Failure {
    Failure { kind: failure.kind, sentence: format!("{}; given up after {tries} tries", failure.sentence) }
}

impl Signature {
    /// What the query of a URL says, if it has a signature of S3, Google or Azure.
    pub(super) fn of<'q>(query: impl Iterator<Item = (&'q str, &'q str)>) -> Option<Self> {
        let (mut is_signed, mut signed_at, mut seconds, mut expires_at) = (false, None, None, None);
        for (name, value) in query {
            match name {
                "X-Amz-Signature" | "X-Goog-Signature" | "Signature" | "sig" => is_signed = true,
                "X-Amz-Date" | "X-Goog-Date" => signed_at = compact(value),
                "X-Amz-Expires" | "X-Goog-Expires" => seconds = value.parse().ok(),
                "Expires" => expires_at = value.parse().ok().and_then(|seconds| Timestamp::from_second(seconds).ok()),
                "se" => expires_at = value.parse().ok(),
                _ => {}
            }
        }
        let after =
            signed_at.zip(seconds).and_then(|(at, seconds)| at.checked_add(SignedDuration::from_secs(seconds)).ok());
        is_signed.then_some(Self { expires_at: expires_at.or(after) })
    }
}

/// `20260131T120000Z`.
fn compact(text: &str) -> Option<Timestamp> {
    let time = DateTime::strptime("%Y%m%dT%H%M%SZ", text).ok()?;
    Some(time.to_zoned(TimeZone::UTC).ok()?.timestamp())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn signatures_say_when_they_end() {
        let ends = |pairs: &[(&'static str, &'static str)]| {
            Signature::of(pairs.iter().copied()).map(|signature| signature.expires_at.map(jiff::Timestamp::as_second))
        };
        let date = ("X-Amz-Date", "19700101T000100Z");
        assert_eq!(ends(&[date, ("X-Amz-Expires", "60"), ("X-Amz-Signature", "ff")]), Some(Some(120)));
        assert_eq!(ends(&[("Expires", "17"), ("Signature", "ff")]), Some(Some(17)));
        assert_eq!(ends(&[("se", "1970-01-01T00:00:05Z"), ("sig", "ff")]), Some(Some(5)));
        assert_eq!(ends(&[date, ("X-Amz-Expires", "9999999999999999999"), ("X-Amz-Signature", "ff")]), Some(None));
        assert_eq!(ends(&[("version", "3")]), None);
    }

    #[test]
    fn refusals_say_what_to_do() {
        let s3 = Place::S3;
        let refused = |status, code: &str, region: Option<&str>| Refused {
            status: StatusCode::from_u16(status).unwrap(),
            code: code.to_owned(),
            region: region.map(str::to_owned),
        };
        let expired = Place::Web { signature: Some(Signature { expires_at: Some(Timestamp::UNIX_EPOCH) }) };
        let plain = Place::Web { signature: None };
        for (place, refused, words) in [
            (&s3, refused(404, "NoSuchKey", None), "no such object (404 NoSuchKey): check the name"),
            (&s3, refused(404, "NoSuchBucket", None), "no such bucket"),
            (&s3, refused(301, "PermanentRedirect", Some("eu-west-1")), "set AWS_REGION=eu-west-1"),
            (&s3, refused(403, "AccessDenied", None), "check AWS_PROFILE"),
            (&s3, refused(400, "ExpiredToken", None), "the credentials have expired (400 ExpiredToken): log in again"),
            (&Place::Gcs, refused(403, "", None), "GOOGLE_APPLICATION_CREDENTIALS"),
            (&Place::Azure, refused(403, "AuthenticationFailed", None), "AZURE_STORAGE_ACCOUNT_KEY"),
            (
                &expired,
                refused(403, "AccessDenied", None),
                "the URL has expired (403 AccessDenied): have a new one signed",
            ),
            (&plain, refused(403, "", None), "a signed one"),
            (&plain, refused(404, "", None), "nothing at this URL (404)"),
        ] {
            let failure = place.failure(&refused);
            assert!(failure.kind == Kind::Final && failure.sentence.contains(words), "{}", failure.sentence);
        }
        assert_eq!(s3.failure(&refused(503, "SlowDown", None)).kind, Kind::Transient);
        assert_eq!(plain.failure(&refused(412, "", None)).kind, Kind::Changed);
    }
}
