//! What is a URL rather than a path, and how a dump is named to people: without what gives access to it.

use std::path::Path;

/// The URL that a path is, if it is one. A file that is there is a file, whatever its name.
pub(crate) fn url(path: &Path) -> Option<&str> {
    let text = path.to_str()?;
    let (scheme, _) = text.split_once("://")?;
    let is_scheme = !scheme.is_empty() && scheme.bytes().all(|byte| byte.is_ascii_alphanumeric());
    (is_scheme && !path.exists()).then_some(text)
}

/// Whether a path is the URL of something that is not a file.
pub fn is_url(path: impl AsRef<Path>) -> bool {
    url(path.as_ref()).is_some()
}

/// A path as messages, reports and rows name it. Of a URL this is all but user name, password, query and fragment: a
/// signature gives access to whoever reads it.
///
/// ```
/// let url = "https://me:secret@example.com/dump.rdb?X-Amz-Signature=secret";
/// assert_eq!(bigkeys::input::shown(url), "https://example.com/dump.rdb");
/// assert_eq!(bigkeys::input::shown("backups/dump.rdb"), "backups/dump.rdb");
/// ```
pub fn shown(path: impl AsRef<Path>) -> String {
    let path = path.as_ref();
    url(path).map_or_else(|| path.display().to_string(), without_secrets)
}

/// The last part of a path as [`shown`], which is the file's name; empty if it has none.
///
/// ```
/// assert_eq!(bigkeys::input::file_name("https://example.com/dump.rdb?X-Amz-Signature=secret"), b"dump.rdb");
/// ```
pub fn file_name(path: impl AsRef<Path>) -> Vec<u8> {
    let path = path.as_ref();
    let Some(url) = url(path) else {
        return path.file_name().unwrap_or_default().as_encoded_bytes().to_vec();
    };
    let shown = without_secrets(url);
    shown.rsplit_once('/').map_or(shown.as_str(), |(_, name)| name).into()
}

fn without_secrets(url: &str) -> String {
    let Some((scheme, rest)) = url.split_once("://") else { return url.to_owned() };
    // In a bucket, `?` is a character of a name or of a pattern.
    let end = if matches!(scheme, "http" | "https") { rest.find(['?', '#']) } else { None };
    let rest = rest.get(..end.unwrap_or(rest.len())).unwrap_or(rest);
    let (authority, path) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
    // Azure's is the container.
    let is_container = matches!(scheme, "abfs" | "abfss" | "az");
    let host = authority.rsplit_once('@').filter(|_| !is_container).map_or(authority, |(_, host)| host);
    format!("{scheme}://{host}{path}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn urls_and_paths() {
        for (typed, expected) in [
            ("s3://bucket/2026-11-*/node-?.rdb", "s3://bucket/2026-11-*/node-?.rdb"),
            ("s3://key:secret@bucket/a@b", "s3://bucket/a@b"),
            ("abfss://c@account.dfs.core.windows.net/a.rdb", "abfss://c@account.dfs.core.windows.net/a.rdb"),
            ("https://host:8080/a.rdb?sig=x", "https://host:8080/a.rdb"),
            ("http://u:p@host", "http://host"),
            ("http://host?u@p", "http://host"),
            ("http://host/#x", "http://host/"),
        ] {
            assert!(is_url(typed), "{typed}");
            assert_eq!(shown(typed), expected);
            let name = file_name(typed);
            assert!(expected.ends_with(&format!("/{}", String::from_utf8_lossy(&name))), "{name:?}");
        }
        for path in ["a.rdb", "./s3://a", "://a", "a b://c", "10.0.0.1:6379=s3://a/b", "Cargo.toml"] {
            assert!(!is_url(path), "{path}");
            assert_eq!(shown(path), path);
            assert_eq!(file_name(path), Path::new(path).file_name().unwrap_or_default().as_encoded_bytes());
        }
    }
}
