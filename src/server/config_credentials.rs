//! Access keys and tokens, in the configuration or in a file of their own.

use std::collections::HashSet;
use std::path::Path;

use jiff::Timestamp;
use serde::Deserialize;
use toml::Spanned;

use super::auth::{Credentials, Token};
use super::config_source::{ConfigError, Source};
use super::signature::hex_sha256;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct AccessKeyEntry {
    id: Spanned<String>,
    secret: Spanned<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct TokenEntry {
    token: Option<Spanned<String>>,
    /// The token's SHA-256 in hexadecimal, so that who reads the file cannot use it.
    token_sha256: Option<Spanned<String>>,
    expires_at: Option<Spanned<String>>,
    #[serde(default)]
    read_only: bool,
}

/// The file that credentials may be in, apart from the rest.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct CredentialsFile {
    #[serde(default)]
    project: Vec<ProjectCredentials>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ProjectCredentials {
    id: Spanned<String>,
    #[serde(default)]
    access_key: Vec<AccessKeyEntry>,
    #[serde(default)]
    token: Vec<Spanned<TokenEntry>>,
}

/// Adds the credentials of a file of their own.
pub(super) fn add_file(
    path: &Path,
    projects: &HashSet<String>,
    credentials: &mut Credentials,
    mistakes: &mut Vec<ConfigError>,
) {
    let read = Source::read(path).and_then(|source| source.parse::<CredentialsFile>().map(|file| (source, file)));
    let (source, file) = match read {
        Ok(read) => read,
        Err(mistake) => return mistakes.push(mistake),
    };
    for ProjectCredentials { id, access_key, token } in &file.project {
        if projects.contains(id.get_ref()) {
            add(&source, id.get_ref(), access_key, token, credentials, mistakes);
        } else {
            mistakes.push(source.error(id, format!("there is no project {}", id.get_ref())));
        }
    }
}

/// Adds a project's credentials.
pub(super) fn add(
    source: &Source,
    project_id: &str,
    access_keys: &[AccessKeyEntry],
    tokens: &[Spanned<TokenEntry>],
    credentials: &mut Credentials,
    mistakes: &mut Vec<ConfigError>,
) {
    let access_keys =
        access_keys.iter().map(|key| add_access_key(source, project_id, key, credentials)).collect::<Vec<_>>();
    let tokens = tokens.iter().map(|token| add_token(source, project_id, token, credentials));
    mistakes.extend(access_keys.into_iter().chain(tokens).filter_map(Result::err));
}

/// Whether a secret can be guessed: `bigkeys token new` makes better ones.
pub(super) fn is_weak(secret: &str) -> bool {
    secret.len() < 16 || secret.starts_with("change-this")
}

fn add_access_key(
    source: &Source,
    project_id: &str,
    AccessKeyEntry { id, secret }: &AccessKeyEntry,
    credentials: &mut Credentials,
) -> Result<(), ConfigError> {
    if id.get_ref().is_empty() || !id.get_ref().chars().all(|c| c.is_ascii_graphic() && c != ',') {
        return Err(source.error(id, "an access key's ID has visible ASCII characters, and no comma"));
    }
    if secret.get_ref().is_empty() {
        return Err(source.error(secret, "an empty secret keeps no secret"));
    }
    if is_weak(secret.get_ref()) {
        let warning =
            format!("the secret of access key {} is the example's, or shorter than 16 characters", id.get_ref());
        credentials.warnings.push(warning);
    }
    if !credentials.add_access_key(id.get_ref(), secret.get_ref(), project_id) {
        return Err(source.error(id, "this access key is there twice"));
    }
    Ok(())
}

fn add_token(
    source: &Source,
    project_id: &str,
    entry: &Spanned<TokenEntry>,
    credentials: &mut Credentials,
) -> Result<(), ConfigError> {
    let TokenEntry { token, token_sha256, expires_at, read_only } = entry.get_ref();
    let (sha256, place) = match (token, token_sha256) {
        (Some(token), None) => {
            if token.get_ref().is_empty() || !token.get_ref().chars().all(|c| c.is_ascii_graphic()) {
                return Err(source.error(token, "a token has visible ASCII characters"));
            }
            if is_weak(token.get_ref()) {
                let warning =
                    format!("a token of project {project_id} is the example's, or shorter than 16 characters");
                credentials.warnings.push(warning);
            }
            (hex_sha256(token.get_ref().as_bytes()), token)
        }
        (None, Some(sha256)) => {
            let digits = sha256.get_ref();
            if digits.len() != 64 || !digits.bytes().all(|byte| byte.is_ascii_hexdigit()) {
                return Err(source.error(sha256, "not a SHA-256 in hexadecimal, which has 64 digits"));
            }
            (digits.to_ascii_lowercase(), sha256)
        }
        _ => return Err(source.error(entry, "a token entry has either `token` or `token_sha256`")),
    };
    let expires_at = match expires_at {
        None => None,
        Some(at) => {
            let parsed = at.get_ref().parse::<Timestamp>();
            Some(parsed.map_err(|_| source.error(at, "not a time, such as 2027-01-31T12:00:00Z"))?)
        }
    };
    if let Some(expires_at) = expires_at.filter(|expires_at| *expires_at <= Timestamp::now()) {
        credentials.warnings.push(format!("a token of project {project_id} expired at {expires_at:.0}"));
    }
    let what = Token { project_id: project_id.to_owned(), expires_at, is_read_only: *read_only };
    if !credentials.add_token(sha256, what) {
        return Err(source.error(place, "this token is there twice"));
    }
    Ok(())
}
