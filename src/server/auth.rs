//! Who may ask: requests signed with an access key, or with a token, of a project.

use std::collections::{HashMap, HashSet};
use std::fmt;
use std::net::IpAddr;
use std::sync::{Mutex, PoisonError};

use axum::http::HeaderMap;
use axum::http::header::{AUTHORIZATION, HOST, ORIGIN};
use jiff::Timestamp;
use jiff::civil::DateTime;
use jiff::tz::TimeZone;

use super::errors::ApiError;
use super::signature::{self, Authorization, Request, hex_sha256};
use crate::task::Once;

/// How far the clocks of client and server may be apart.
const CLOCK_SECONDS_MAX: i64 = 15 * 60;

/// The header with a token.
const TOKEN: &str = "x-auth-token";

/// The credentials of all projects.
#[derive(Default)]
pub(super) struct Credentials {
    access_keys: HashMap<String, AccessKey>,
    /// By their hash: how long a search takes says nothing of the tokens.
    tokens: HashMap<String, Token>,
    projects: HashSet<String>,
    /// What an operator should know of them, one sentence each.
    pub(super) warnings: Vec<String>,
}

struct AccessKey {
    secret: Vec<u8>,
    project_id: String,
}

/// What a token is good for.
#[derive(Clone, Debug)]
pub(super) struct Token {
    pub(super) project_id: String,
    pub(super) expires_at: Option<Timestamp>,
    pub(super) is_read_only: bool,
}

/// Who asks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Caller {
    /// Anyone: the service has no credentials.
    Anyone,
    /// The holder of an access key.
    Signed { access_key: String, project_id: String, once: Once },
    /// Somebody who logged in with an access key on the page.
    #[cfg(feature = "console")]
    LoggedIn { access_key: String, project_id: String },
    /// The holder of a token.
    Token { project_id: String, is_read_only: bool },
}

/// What somebody logged in with, by its hash. It is looked up for each request, so a reload ends the sessions of credentials
/// that it removes.
#[cfg(feature = "console")]
#[derive(Clone, PartialEq, Eq)]
pub(super) enum Login {
    AccessKey { id: String, secret_sha256: String },
    Token { sha256: String },
}

/// What a request's head says of who asks.
#[derive(Debug)]
pub(super) enum Head<'h> {
    /// All that there is to say.
    Known(Caller),
    /// A known access key, whose signature covers the body as well.
    Signed { authorization: Authorization<'h>, signed_at: Timestamp },
}

impl fmt::Debug for Credentials {
    /// Without secrets: what is debugged may be logged.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (access_keys, tokens) = (self.access_keys.len(), self.tokens.len());
        write!(f, "Credentials({access_keys} access keys, {tokens} tokens)")
    }
}

impl Credentials {
    /// Whether there are none at all.
    pub(super) fn is_empty(&self) -> bool {
        self.projects.is_empty()
    }

    /// Whether a project has any.
    pub(super) fn has_project(&self, project_id: &str) -> bool {
        self.projects.contains(project_id)
    }

    /// False if the key is there already.
    pub(super) fn add_access_key(&mut self, id: &str, secret: &str, project_id: &str) -> bool {
        self.projects.insert(project_id.to_owned());
        let key = AccessKey { secret: secret.as_bytes().to_vec(), project_id: project_id.to_owned() };
        let is_new = !self.access_keys.contains_key(id);
        self.access_keys.entry(id.to_owned()).or_insert(key);
        is_new
    }

    /// Takes a token by its SHA-256 in lower-case hexadecimal; false if it is there already.
    pub(super) fn add_token(&mut self, sha256: String, what: Token) -> bool {
        self.projects.insert(what.project_id.clone());
        self.tokens.insert(sha256, what).is_none()
    }

    /// Judges a request by its head, before its body is read: strangers cannot make the service wait for one. That an access
    /// key is unknown shows in the time of the answer; its ID is not a secret. A token decides where there is one: the
    /// cloud's kits can add one to requests, but sign them too.
    ///
    /// # Errors
    /// The published answers to credentials that are missing, wrong or too old; [`ApiError::NOT_LOCAL`] where there are none.
    pub(super) fn judge<'h>(&self, headers: &'h HeaderMap, now: Timestamp) -> Result<Head<'h>, ApiError> {
        if self.is_empty() {
            return if is_local(headers) { Ok(Head::Known(Caller::Anyone)) } else { Err(ApiError::NOT_LOCAL) };
        }
        if let Some(token) = headers.get(TOKEN) {
            let found = self.tokens.get(&hex_sha256(token.as_bytes())).ok_or(ApiError::INVALID_TOKEN)?;
            if found.expires_at.is_some_and(|expires_at| expires_at <= now) {
                return Err(ApiError::TOKEN_EXPIRED);
            }
            let Token { project_id, is_read_only, .. } = found.clone();
            return Ok(Head::Known(Caller::Token { project_id, is_read_only }));
        }
        let header = headers.get(AUTHORIZATION).ok_or(ApiError::NO_TOKEN)?;
        let authorization = header.to_str().ok().and_then(Authorization::parse).ok_or(ApiError::BAD_SIGNATURE)?;
        let signed_at = signed_at(headers).ok_or(ApiError::BAD_SIGNATURE)?;
        if (now.as_second() - signed_at.as_second()).abs() > CLOCK_SECONDS_MAX {
            return Err(ApiError::CLOCK_IS_OFF);
        }
        if !self.access_keys.contains_key(authorization.access_key) {
            return Err(ApiError::BAD_SIGNATURE);
        }
        Ok(Head::Signed { authorization, signed_at })
    }

    /// Who sent a request, of which the body is there as well.
    ///
    /// # Errors
    /// [`ApiError::BAD_SIGNATURE`].
    pub(super) fn caller(&self, head: Head<'_>, request: &Request<'_>) -> Result<Caller, ApiError> {
        let (authorization, signed_at) = match head {
            Head::Known(caller) => return Ok(caller),
            Head::Signed { authorization, signed_at } => (authorization, signed_at),
        };
        let key = self.access_keys.get(authorization.access_key).ok_or(ApiError::BAD_SIGNATURE)?;
        if !authorization.is_by(&key.secret, request) {
            return Err(ApiError::BAD_SIGNATURE);
        }
        Ok(Caller::Signed {
            access_key: authorization.access_key.to_owned(),
            project_id: key.project_id.clone(),
            once: Once {
                signature: signature::hex(&authorization.signature),
                until_ms: signed_at.as_millisecond() + 1000 * (CLOCK_SECONDS_MAX + 1),
            },
        })
    }
}

#[cfg(feature = "console")]
impl fmt::Debug for Login {
    /// Without hashes of secrets: those that people chose can be guessed from them.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::AccessKey { id, .. } => write!(f, "Login(access key {id})"),
            Self::Token { .. } => write!(f, "Login(token)"),
        }
    }
}

#[cfg(feature = "console")]
impl Login {
    pub(super) fn by_key(id: &str, secret: &str) -> Self {
        Self::AccessKey { id: id.to_owned(), secret_sha256: hex_sha256(secret.as_bytes()) }
    }

    pub(super) fn by_token(token: &str) -> Self {
        Self::Token { sha256: hex_sha256(token.as_bytes()) }
    }
}

#[cfg(feature = "console")]
impl Credentials {
    /// Who logged in; none if the credentials are unknown, wrong or too old. Hashes are compared, so the time that takes says
    /// nothing of a secret.
    pub(super) fn caller_of(&self, login: &Login, now: Timestamp) -> Option<Caller> {
        match login {
            Login::AccessKey { id, secret_sha256 } => {
                let key = self.access_keys.get(id).filter(|key| hex_sha256(&key.secret) == *secret_sha256)?;
                Some(Caller::LoggedIn { access_key: id.clone(), project_id: key.project_id.clone() })
            }
            Login::Token { sha256 } => {
                let token = self.tokens.get(sha256)?;
                if token.expires_at.is_some_and(|expires_at| expires_at <= now) {
                    return None;
                }
                let Token { project_id, is_read_only, .. } = token.clone();
                Some(Caller::Token { project_id, is_read_only })
            }
        }
    }
}

impl Caller {
    /// Whether the caller may ask for a project's instances.
    ///
    /// # Errors
    /// The published answers to another project's credentials.
    pub(super) fn check_project(&self, project_id: &str) -> Result<(), ApiError> {
        #[cfg_attr(
            feature = "console",
            allow(clippy::match_same_arms, reason = "a feature cannot add to an alternative")
        )]
        match self {
            Self::Anyone => Ok(()),
            Self::Signed { project_id: own, .. } | Self::Token { project_id: own, .. } if own == project_id => Ok(()),
            #[cfg(feature = "console")]
            Self::LoggedIn { project_id: own, .. } if own == project_id => Ok(()),
            #[cfg(feature = "console")]
            Self::LoggedIn { .. } => Err(ApiError::OTHER_PROJECT),
            Self::Signed { .. } => Err(ApiError::OTHER_PROJECT),
            Self::Token { .. } => Err(ApiError::OTHER_PROJECTS_TOKEN),
        }
    }

    /// Whether the caller may only look.
    pub(super) fn is_read_only(&self) -> bool {
        matches!(self, Self::Token { is_read_only: true, .. })
    }

    /// The signature that may change something once.
    pub(super) fn once(&self) -> Option<&Once> {
        match self {
            Self::Signed { once, .. } => Some(once),
            _ => None,
        }
    }

    /// How the log names the caller.
    pub(super) fn name(&self) -> String {
        match self {
            Self::Anyone => "anyone".to_owned(),
            Self::Signed { access_key, .. } => format!("key {access_key}"),
            #[cfg(feature = "console")]
            Self::LoggedIn { access_key, .. } => format!("key {access_key}, logged in"),
            Self::Token { project_id, .. } => format!("token of {project_id}"),
        }
    }
}

/// Addresses of failed logins that are remembered.
const ADDRESSES_MAX: usize = 65_536;

/// Failed logins of this minute, by the client's address.
#[derive(Debug, Default)]
pub(super) struct Logins(Mutex<(i64, HashMap<IpAddr, u32>)>);

impl Logins {
    /// Whether an address has failed so often in this minute that it is no longer listened to.
    pub(super) fn is_over(&self, address: IpAddr, most: u32, now: Timestamp) -> bool {
        let failures = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        failures.0 == minute(now) && failures.1.get(&address).is_some_and(|failed| *failed >= most)
    }

    /// Counts a failed login.
    pub(super) fn fail(&self, address: IpAddr, now: Timestamp) {
        let mut failures = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if failures.0 != minute(now) {
            *failures = (minute(now), HashMap::new());
        }
        if failures.1.len() < ADDRESSES_MAX || failures.1.contains_key(&address) {
            *failures.1.entry(address).or_default() += 1;
        }
    }
}

fn minute(at: Timestamp) -> i64 {
    at.as_second().div_euclid(60)
}

/// Whether a request comes from a program of this machine, and not from a page in its browser: that would name itself as the
/// origin, or this machine by a name of its own.
fn is_local(headers: &HeaderMap) -> bool {
    !headers.contains_key(ORIGIN) && has_local_host(headers)
}

/// Whether a request names this machine by its loopback address: a page from elsewhere that reaches the service by a name of
/// its own does not.
pub(super) fn has_local_host(headers: &HeaderMap) -> bool {
    let is_loopback = |host: &str| {
        let name = host.rsplit_once(':').filter(|(_, port)| port.bytes().all(|byte| byte.is_ascii_digit()));
        let name = name.map_or(host, |(name, _)| name).trim_matches(['[', ']']);
        name == "localhost" || name.parse::<IpAddr>().is_ok_and(|ip| ip.is_loopback())
    };
    headers.get(HOST).is_none_or(|host| host.to_str().is_ok_and(is_loopback))
}

/// When a request says that it was signed: `20261122T110307Z`.
fn signed_at(headers: &HeaderMap) -> Option<Timestamp> {
    let text = headers.get(signature::DATE)?.to_str().ok()?.trim().strip_suffix('Z')?;
    let at = DateTime::strptime("%Y%m%dT%H%M%S", text).ok()?;
    Some(at.to_zoned(TimeZone::UTC).ok()?.timestamp())
}

#[cfg(test)]
mod tests {
    use axum::http::{HeaderValue, Method};

    use super::*;

    const NOW: &str = "2026-11-22T11:03:07Z";

    fn credentials() -> Credentials {
        let mut credentials = Credentials::default();
        assert!(credentials.add_access_key("AK", "SK", "p") && !credentials.add_access_key("AK", "other", "p"));
        let at = |time: &str| Some(time.parse().unwrap());
        let token = |expires_at| Token { project_id: "p".to_owned(), expires_at, is_read_only: false };
        assert!(credentials.add_token(hex_sha256(b"good"), token(None)));
        assert!(credentials.add_token(hex_sha256(b"old"), token(at(NOW))));
        credentials
    }

    /// A signed request, changed by `change` after it was signed.
    fn ask(date: &str, secret: &str, change: impl Fn(&mut HeaderMap)) -> Result<Caller, ApiError> {
        fn request(headers: &HeaderMap) -> Request<'_> {
            Request { method: &Method::GET, path: "/v2/p", query: "", headers, body: b"" }
        }
        let mut headers = HeaderMap::new();
        headers.insert(signature::DATE, HeaderValue::from_str(date).unwrap());
        headers.insert("host", HeaderValue::from_static("h:1"));
        let signed_headers = ["host", signature::DATE];
        let signed = signature::sign(secret.as_bytes(), &request(&headers), &signed_headers).unwrap();
        let hex = signature::hex(&signed);
        let text = format!("SDK-HMAC-SHA256 Access=AK, SignedHeaders=host;x-sdk-date, Signature={hex}");
        headers.insert(AUTHORIZATION, HeaderValue::from_str(&text).unwrap());
        change(&mut headers);
        let credentials = credentials();
        let head = credentials.judge(&headers, NOW.parse().unwrap())?;
        credentials.caller(head, &request(&headers))
    }

    #[test]
    fn signatures() {
        let caller = ask("20261122T110307Z", "SK", |_| ()).unwrap();
        assert!(matches!(&caller, Caller::Signed { project_id, .. } if project_id == "p"));
        assert_eq!(caller.check_project("p"), Ok(()));
        assert_eq!(caller.check_project("q"), Err(ApiError::OTHER_PROJECT));
        assert!(ask("20261122T104807Z", "SK", |_| ()).is_ok() && ask("20261122T111807Z", "SK", |_| ()).is_ok());
        for off in ["20261122T104806Z", "20261122T111808Z", "20251122T110307Z"] {
            assert_eq!(ask(off, "SK", |_| ()), Err(ApiError::CLOCK_IS_OFF), "{off}");
        }
        assert_eq!(ask("20261122T110307Z", "wrong", |_| ()), Err(ApiError::BAD_SIGNATURE));
        for date in ["20261122T110307", "2026-11-22T11:03:07Z", "20261199T110307Z", ""] {
            assert_eq!(ask(date, "SK", |_| ()), Err(ApiError::BAD_SIGNATURE), "{date}");
        }
        let moved =
            |headers: &mut HeaderMap| _ = headers.insert(signature::DATE, HeaderValue::from_static("20261122T110308Z"));
        assert_eq!(ask("20261122T110307Z", "SK", moved), Err(ApiError::BAD_SIGNATURE));
        let unknown = |headers: &mut HeaderMap| {
            let text = headers[AUTHORIZATION].to_str().unwrap().replace("Access=AK", "Access=KA");
            headers.insert(AUTHORIZATION, HeaderValue::from_str(&text).unwrap());
        };
        assert_eq!(ask("20261122T110307Z", "SK", unknown), Err(ApiError::BAD_SIGNATURE));
        assert_eq!(ask("20261122T110307Z", "SK", HeaderMap::clear), Err(ApiError::NO_TOKEN));
    }

    #[test]
    fn tokens_decide_where_there_are_any() {
        let with = |token: &'static str| {
            move |headers: &mut HeaderMap| _ = headers.insert(TOKEN, HeaderValue::from_static(token))
        };
        let caller = ask("20261122T110307Z", "wrong", with("good")).unwrap();
        assert_eq!(caller.check_project("q"), Err(ApiError::OTHER_PROJECTS_TOKEN));
        assert_eq!(ask("20261122T110307Z", "SK", with("old")), Err(ApiError::TOKEN_EXPIRED));
        assert_eq!(ask("20261122T110307Z", "SK", with("bad")), Err(ApiError::INVALID_TOKEN));
    }

    #[test]
    fn without_credentials_only_this_machine_may_ask() {
        let ask = |name: &'static str, value: &'static str| {
            let headers = HeaderMap::from_iter([(name.parse().unwrap(), HeaderValue::from_static(value))]);
            match Credentials::default().judge(&headers, NOW.parse().unwrap())? {
                Head::Known(caller) => Ok(caller),
                Head::Signed { .. } => panic!("there are no keys"),
            }
        };
        for host in ["127.0.0.1:8080", "127.0.0.2", "localhost:1", "localhost", "[::1]:8080", "[::1]"] {
            assert_eq!(ask("host", host), Ok(Caller::Anyone), "{host}");
        }
        for host in ["example.org", "127.0.0.1.example.org:80", "10.0.0.1:8080", "localhost.example.org", ""] {
            assert_eq!(ask("host", host), Err(ApiError::NOT_LOCAL), "{host}");
        }
        assert_eq!(ask("origin", "http://127.0.0.1:8080"), Err(ApiError::NOT_LOCAL));
    }

    #[test]
    fn who_fails_too_often_is_not_listened_to_for_a_minute() {
        let logins = Logins::default();
        let (one, other): (IpAddr, IpAddr) = ("10.0.0.1".parse().unwrap(), "10.0.0.2".parse().unwrap());
        let now: Timestamp = NOW.parse().unwrap();
        for _ in 0..3 {
            assert!(!logins.is_over(one, 3, now));
            logins.fail(one, now);
        }
        assert!(logins.is_over(one, 3, now) && !logins.is_over(other, 3, now));
        assert!(!logins.is_over(one, 3, now + jiff::SignedDuration::from_mins(1)));
    }

    #[test]
    fn secrets_are_not_debugged() {
        let text = format!("{:?}", credentials());
        assert_eq!(text, "Credentials(1 access keys, 2 tokens)");
    }
}
