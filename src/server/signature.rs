//! SDK-HMAC-SHA256, the signature of the cloud's software development kits: what is signed of a request, and with what.
//!
//! Clients differ in which headers they sign, so the list in the request decides, as it was sent. Unlike in other
//! schemes of this family the key is the secret itself: no date, region or service is mixed in.

use std::fmt::Write;

use axum::http::{HeaderMap, Method};
use ring::{digest, hmac};

/// The algorithm's name, before the parts of the header `Authorization`.
pub const ALGORITHM: &str = "SDK-HMAC-SHA256";

/// The header with the time of the signature.
pub const DATE: &str = "x-sdk-date";

/// The header that stands for the body's hash, where a client sends it.
const CONTENT_HASH: &str = "x-sdk-content-sha256";

/// More signed headers than any client has.
const SIGNED_HEADERS_MAX: usize = 64;

/// The parts of the header `Authorization`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Authorization<'a> {
    /// The access key's ID.
    pub access_key: &'a str,
    /// The names of the signed headers, as they were sent.
    pub signed_headers: Vec<&'a str>,
    /// The signature.
    pub signature: [u8; 32],
}

/// A request, as far as it is signed.
#[derive(Clone, Copy, Debug)]
pub struct Request<'a> {
    /// The method.
    pub method: &'a Method,
    /// The path as it was sent, percent-encoded.
    pub path: &'a str,
    /// The query as it was sent, without its question mark.
    pub query: &'a str,
    /// The headers.
    pub headers: &'a HeaderMap,
    /// The whole body.
    pub body: &'a [u8],
}

impl<'a> Authorization<'a> {
    /// Takes `SDK-HMAC-SHA256 Access=…, SignedHeaders=…, Signature=…` apart; none if it has another form or algorithm.
    pub fn parse(header: &'a str) -> Option<Self> {
        let parts = header.strip_prefix(ALGORITHM)?.strip_prefix(' ')?;
        let (mut access_key, mut signed_headers, mut signature) = (None, None, None);
        for part in parts.split(',') {
            let (name, value) = part.trim().split_once('=')?;
            let place = match name {
                "Access" => &mut access_key,
                "SignedHeaders" => &mut signed_headers,
                "Signature" => &mut signature,
                _ => return None,
            };
            if place.replace(value).is_some() {
                return None;
            }
        }
        let signed_headers: Vec<&str> = signed_headers?.split(';').collect();
        if signed_headers.len() > SIGNED_HEADERS_MAX {
            return None;
        }
        Some(Self { access_key: access_key?, signed_headers, signature: from_hex(signature?)? })
    }

    /// Whether the request was signed with this secret; takes the same time for each wrong signature.
    pub fn is_by(&self, secret: &[u8], request: &Request<'_>) -> bool {
        let Some(text) = text_to_sign(request, &self.signed_headers) else { return false };
        hmac::verify(&hmac::Key::new(hmac::HMAC_SHA256, secret), &text, &self.signature).is_ok()
    }
}

/// The signature of a request under a secret; none if it cannot be signed, as [`canonical`].
pub fn sign(secret: &[u8], request: &Request<'_>, signed_headers: &[&str]) -> Option<[u8; 32]> {
    let text = text_to_sign(request, signed_headers)?;
    let tag = hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, secret), &text);
    tag.as_ref().try_into().ok()
}

fn text_to_sign(request: &Request<'_>, signed_headers: &[&str]) -> Option<Vec<u8>> {
    let mut text = format!("{ALGORITHM}\n").into_bytes();
    text.extend_from_slice(trimmed(request.headers, DATE)?);
    text.push(b'\n');
    text.extend_from_slice(hex_sha256(&canonical(request, signed_headers)?).as_bytes());
    Some(text)
}

/// The canonical request: what two programs must write down alike for one signature. None if a signed header is missing
/// or comes twice, or the hash that a header states is not the body's.
pub fn canonical(request: &Request<'_>, signed_headers: &[&str]) -> Option<Vec<u8>> {
    let Request { method, path, query, headers, body } = request;
    let mut text = format!("{method}\n{}\n{}\n", canonical_path(path), canonical_query(query)).into_bytes();
    let mut names: Vec<String> = signed_headers.iter().map(|name| name.to_ascii_lowercase()).collect();
    for name in &names {
        text.extend_from_slice(name.as_bytes());
        text.push(b':');
        text.extend_from_slice(trimmed(headers, name)?);
        text.push(b'\n');
    }
    names.sort_unstable();
    text.extend_from_slice(format!("\n{}\n", names.join(";")).as_bytes());
    let hash = hex_sha256(body);
    // A body that is not signed, which the header can also say, could be anyone's.
    if !body.is_empty() && headers.contains_key(CONTENT_HASH) && trimmed(headers, CONTENT_HASH)? != hash.as_bytes() {
        return None;
    }
    text.extend_from_slice(hash.as_bytes());
    Some(text)
}

/// The path, decoded as a whole and encoded again segment by segment, with a slash at its end.
fn canonical_path(path: &str) -> String {
    let mut canonical = String::with_capacity(path.len() + 1);
    for segment in decoded(path).split('/') {
        encode(segment, &mut canonical);
        canonical.push('/');
    }
    // A path that ends in a slash has one already.
    if canonical.ends_with("//") {
        canonical.pop();
    }
    canonical
}

fn canonical_query(query: &str) -> String {
    let pair = |pair: &str| {
        let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
        (decoded(name), decoded(value))
    };
    let mut pairs: Vec<(String, String)> = query.split('&').filter(|text| !text.is_empty()).map(pair).collect();
    pairs.sort();
    let mut canonical = String::with_capacity(query.len());
    for (at, (name, value)) in pairs.iter().enumerate() {
        if at > 0 {
            canonical.push('&');
        }
        encode(name, &mut canonical);
        canonical.push('=');
        encode(value, &mut canonical);
    }
    canonical
}

/// The only value of a header, without the blanks around it.
fn trimmed<'h>(headers: &'h HeaderMap, name: &str) -> Option<&'h [u8]> {
    let mut values = headers.get_all(name).iter();
    let value = values.next()?;
    values.next().is_none().then(|| value.as_bytes().trim_ascii())
}

/// Percent-decodes; what is not UTF-8 becomes U+FFFD, as clients have it.
fn decoded(text: &str) -> String {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((first, behind)) = rest.split_first() {
        let escaped = behind.split_first_chunk().filter(|_| *first == b'%');
        if let Some((byte, behind)) = escaped.and_then(|(digits, behind)| Some((from_hex_pair(*digits)?, behind))) {
            bytes.push(byte);
            rest = behind;
        } else {
            bytes.push(*first);
            rest = behind;
        }
    }
    String::from_utf8(bytes).unwrap_or_else(|error| String::from_utf8_lossy(error.as_bytes()).into_owned())
}

fn encode(text: &str, to: &mut String) {
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"-_.~".contains(&byte) {
            to.push(char::from(byte));
        } else {
            _ = write!(to, "%{byte:02X}");
        }
    }
}

/// The SHA-256 of bytes, in hexadecimal digits.
pub fn hex_sha256(bytes: &[u8]) -> String {
    hex(digest::digest(&digest::SHA256, bytes).as_ref())
}

/// Bytes as hexadecimal digits.
pub(super) fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::with_capacity(2 * bytes.len()), |mut text, byte| {
        _ = write!(text, "{byte:02x}");
        text
    })
}

fn from_hex(text: &str) -> Option<[u8; 32]> {
    let (pairs, []) = text.as_bytes().as_chunks::<2>() else { return None };
    let mut bytes = [0; 32];
    if pairs.len() != bytes.len() {
        return None;
    }
    for (byte, pair) in bytes.iter_mut().zip(pairs) {
        *byte = from_hex_pair(*pair)?;
    }
    Some(bytes)
}

fn from_hex_pair([high, low]: [u8; 2]) -> Option<u8> {
    let digit = |digit: u8| char::from(digit).to_digit(16);
    u8::try_from(digit(high)? * 16 + digit(low)?).ok()
}

#[cfg(test)]
mod tests {
    use axum::http::HeaderValue;

    use super::*;

    const BASE: &str = "/v2/a4d31cb6a5f94fd58ec96e3a41e47f71/instances/5560df16-cebf-4473-95c4-d1b573c16e79";
    const SIGNED: &str = "content-type;host;user-agent;x-project-id;x-sdk-date";

    fn headers(content_type: &'static str) -> HeaderMap {
        let mut headers = HeaderMap::new();
        for (name, value) in [
            ("content-type", content_type),
            ("host", "127.0.0.1:8080"),
            ("user-agent", "probe/1"),
            ("x-project-id", "a4d31cb6a5f94fd58ec96e3a41e47f71"),
            (DATE, "20260102T030405Z"),
        ] {
            headers.insert(name, HeaderValue::from_static(value));
        }
        headers
    }

    /// What the cloud's own Python kit (`huaweicloudsdkcore` 3.1.219) signs, with the access key PROBEAK and the secret
    /// PROBESK: method, path, query, content type, body, the hash of the canonical request, the signature.
    #[test]
    fn the_vectors_of_the_real_client() {
        let json = "application/json";
        let vectors = [
            (
                Method::GET,
                "/bigkey-tasks",
                "limit=10&offset=0&status=success",
                json,
                "",
                "2a9a6d583f8dfa176e2c0cfe1d26d76a93e9342aa6647bd1e5bb0edb17830786",
                "3a2d7597a0b15d3cd70307eb0b284d2cd9fc84e0d1321fc5f67cf6eaf7c270eb",
            ),
            (
                Method::POST,
                "/bigkey-task",
                "",
                json,
                "",
                "13c1b317ed51e9133019eaa0484c133fb29143969c4c89e1fb5a7c95de04a14a",
                "ce99e169c766d79f127b987f8f5ce6c0941662d2eb29f4dd38e816bcd53f1143",
            ),
            (
                Method::PUT,
                "/bigkey/autoscan",
                "",
                "application/json;charset=utf-8",
                r#"{"enable_auto_scan": true, "schedule_at": ["21:00"]}"#,
                "fc4a4df1bf6d60dc11d2e870f1142dc624e002befe179d0678de10f68e4cfd5a",
                "363332cb5f90930e1ac2ea790fe03f1e1270a26ab2efab9050467ca4157129fc",
            ),
            (
                Method::DELETE,
                "/bigkey-task/858ee14c-2271-4489-8b82-7bda7459ae3e",
                "",
                json,
                "",
                "70aba83f481f10eb37b321a9a83626a0c112b13b553798383e527d347396b4fa",
                "5fe23ba4f1bdb67d01f99c695ee3f0dd230e0da24634b3ac80ae03ee32cbf750",
            ),
            (
                Method::GET,
                "/bigkey-task/a%2Fb%20c%3F%C3%BC~x",
                "status=a%20b%2Bc%2F%C3%BC",
                json,
                "",
                "56c490768708cad91862fe21b1124e3987e785beed1de1264437bcd013287ad5",
                "b963547abf7a2fdefeda2063d1400e857f7a95f737ec10e5b33bb5654435475b",
            ),
        ];
        for (method, path, query, content_type, body, hash, signature) in vectors {
            let path = format!("{BASE}{path}");
            let headers = headers(content_type);
            let (method, body) = (&method, body.as_bytes());
            let request = Request { method, path: &path, query, headers: &headers, body };
            let signed: Vec<&str> = SIGNED.split(';').collect();
            assert_eq!(hex_sha256(&canonical(&request, &signed).unwrap()), hash, "{path}");
            let header = format!("{ALGORITHM} Access=PROBEAK, SignedHeaders={SIGNED}, Signature={signature}");
            let authorization = Authorization::parse(&header).unwrap();
            assert_eq!(authorization.access_key, "PROBEAK");
            assert!(authorization.is_by(b"PROBESK", &request), "{path}");
            assert_eq!(sign(b"PROBESK", &request, &signed), Some(authorization.signature));

            // Anything else under the same signature is refused.
            assert!(!authorization.is_by(b"PROBESK2", &request));
            let others = [
                Request { method: &Method::PATCH, ..request },
                Request { path: "/v2", ..request },
                Request { query: "limit=11", ..request },
                Request { body: b"{}", ..request },
                Request { headers: &HeaderMap::new(), ..request },
            ];
            assert!(others.iter().all(|other| !authorization.is_by(b"PROBESK", other)));
        }
    }

    #[test]
    fn a_body_goes_by_its_own_hash() {
        fn request(headers: &HeaderMap) -> Request<'_> {
            Request { method: &Method::PUT, path: "/", query: "", headers, body: b"{}" }
        }
        let mut headers = headers("text/plain");
        let plain = canonical(&request(&headers), &["host"]).unwrap();
        headers.insert(CONTENT_HASH, HeaderValue::from_str(&hex_sha256(b"{}")).unwrap());
        assert_eq!(canonical(&request(&headers), &["host"]), Some(plain));
        for other in ["UNSIGNED-PAYLOAD", &hex_sha256(b"")] {
            headers.insert(CONTENT_HASH, HeaderValue::from_str(other).unwrap());
            assert_eq!(canonical(&request(&headers), &["host"]), None, "{other}");
        }
    }

    #[test]
    fn headers_that_cannot_be_signed() {
        fn request(headers: &HeaderMap) -> Request<'_> {
            Request { method: &Method::GET, path: "/", query: "", headers, body: b"" }
        }
        let mut headers = headers("application/json");
        assert!(canonical(&request(&headers), &["Host", "USER-AGENT"]).is_some());
        assert_eq!(canonical(&request(&headers), &["host", "x-missing"]), None);
        headers.append("host", HeaderValue::from_static("other"));
        assert_eq!(canonical(&request(&headers), &["host"]), None, "two values");
    }

    #[test]
    fn other_authorizations() {
        let signature = "0".repeat(64);
        let good = format!("{ALGORITHM} Access=A, SignedHeaders=host, Signature={signature}");
        assert!(Authorization::parse(&good).is_some());
        for bad in [
            good.replace("SHA256", "SM3"),
            good.replace("SDK-HMAC-SHA256", "V11-HMAC-SHA256"),
            good.replace("Access=A, ", ""),
            good.replace("Access=A", "Access=A, Access=B"),
            good.replace("Signature=0", "Signature="),
            good.replace("Signature=0", "Signature=g"),
            good.replace("host", &"h;".repeat(SIGNED_HEADERS_MAX)),
            format!("{good}, More=1"),
            String::new(),
        ] {
            assert_eq!(Authorization::parse(&bad), None, "{bad}");
        }
    }

    #[test]
    fn paths_and_queries() {
        for (path, canonical) in
            [("/", "/"), ("/a", "/a/"), ("/a/", "/a/"), ("/a%2fb%", "/a/b%25/"), ("/%ff", "/%EF%BF%BD/")]
        {
            assert_eq!(canonical_path(path), canonical);
        }
        for (query, canonical) in [
            ("", ""),
            ("b=2&a=1", "a=1&b=2"),
            ("a=2&a=1", "a=1&a=2"),
            ("a", "a="),
            ("%c3%bc=&a=1+1", "a=1%2B1&%C3%BC="),
            ("&&", ""),
        ] {
            assert_eq!(canonical_query(query), canonical);
        }
    }
}
