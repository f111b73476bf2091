//! The profiles of AWS's tools: keys, region and endpoint in `~/.aws/config` and `~/.aws/credentials`.

use std::path::PathBuf;
use std::{env, fs, io};

use object_store::aws::AmazonS3ConfigKey as Key;

use crate::input::failure::Failure;

/// What the profile says that AWS_PROFILE names, or `default`: the credentials unless others come before it, region and
/// endpoint. Profiles that log in, assume roles or run programs have none of the former.
///
/// # Errors
/// If AWS_PROFILE names a profile that is in no file, or has credentials of a kind that is not read.
pub(super) fn read(has_credentials: bool) -> Result<Vec<(Key, String)>, Failure> {
    let named = ["AWS_PROFILE", "AWS_DEFAULT_PROFILE"]
        .iter()
        .find_map(|name| env::var(name).ok().filter(|name| !name.is_empty()));
    let name = named.as_deref().unwrap_or("default");
    let config = text("AWS_CONFIG_FILE", "config")?;
    let credentials = text("AWS_SHARED_CREDENTIALS_FILE", "credentials")?;
    let headers = [format!("profile {name}"), name.to_owned()];
    let sections = [section(&credentials, &headers[1..]), section(&config, &headers)];
    if named.is_some() && sections.iter().all(Option::is_none) {
        return Err(Failure::last(format!("no profile {name} is in ~/.aws/config or ~/.aws/credentials")));
    }
    let mut settings = Vec::new();
    let mut foreign = None;
    for (key, value) in sections.into_iter().flatten().flatten() {
        let key = match key {
            "aws_access_key_id" if !has_credentials => Key::AccessKeyId,
            "aws_secret_access_key" if !has_credentials => Key::SecretAccessKey,
            "aws_session_token" if !has_credentials => Key::Token,
            "region" => Key::Region,
            "endpoint_url" => Key::Endpoint,
            "sso_session" | "sso_start_url" | "role_arn" | "credential_process" | "login_session"
                if !has_credentials =>
            {
                foreign = Some(key);
                continue;
            }
            _ => continue,
        };
        settings.push((key, value.to_owned()));
    }
    let has_key = settings.iter().any(|(key, _)| *key == Key::AccessKeyId);
    match foreign {
        Some(key) if named.is_some() && !has_key => Err(Failure::last(format!(
            "the profile {name} has its credentials by {key}, which is not read: \
             eval \"$(aws configure export-credentials --profile {name} --format env)\" first"
        ))),
        _ => Ok(settings),
    }
}

/// A file of `~/.aws`, or the one that a variable names; nothing if there is none.
fn text(variable: &str, name: &str) -> Result<String, Failure> {
    let path = env::var_os(variable).map(PathBuf::from);
    let Some(path) = path.or_else(|| Some(env::home_dir()?.join(".aws").join(name))) else { return Ok(String::new()) };
    match fs::read_to_string(&path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(String::new()),
        read => read.map_err(|error| Failure::last(format!("{} could not be read: {error}", path.display()))),
    }
}

/// The lines `key = value` below `[header]`, for the first of these headers that is there.
fn section<'t>(text: &'t str, headers: &[String]) -> Option<Vec<(&'t str, &'t str)>> {
    headers.iter().find_map(|header| {
        let mut lines = text.lines();
        lines.find(|line| {
            line.trim().strip_prefix('[').and_then(|line| line.strip_suffix(']')).map(str::trim) == Some(header)
        })?;
        let lines = lines.take_while(|line| !line.starts_with('['));
        // Indented lines belong to settings of other services.
        let pairs =
            lines.filter(|line| !line.starts_with([' ', '\t', '#', ';'])).filter_map(|line| line.split_once('='));
        Some(pairs.map(|(key, value)| (key.trim(), value.trim())).collect())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sections_of_an_ini_file() {
        let text = "[default]\nregion=eu-west-1\n\n[profile work]\n# x = y\nregion = us-east-2\ns3 =\n  endpoint_url = http://x\nrole_arn=a=b\n[other]\nregion=z\n";
        let of = |name: &str| section(text, &[format!("profile {name}"), name.to_owned()]);
        assert_eq!(of("default"), Some(vec![("region", "eu-west-1")]));
        assert_eq!(of("work"), Some(vec![("region", "us-east-2"), ("s3", ""), ("role_arn", "a=b")]));
        assert_eq!(of("none"), None);
    }
}
