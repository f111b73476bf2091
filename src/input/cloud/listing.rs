//! Patterns over the names in a bucket. Each part between slashes is listed for itself, so that of a bucket only the folders
//! that match are looked through.

use std::sync::Arc;

use glob::{MatchOptions, Pattern};
use object_store::list::PaginatedListOptions;

use super::patience::{persistently, wait};
use super::store::{Object, Use};
use crate::input::failure::Failure;

/// Objects that a pattern may match, and folders that may wait to be looked through.
const MATCHES_MAX: usize = 100_000;

const OPTIONS: MatchOptions =
    MatchOptions { case_sensitive: true, require_literal_separator: true, require_literal_leading_dot: false };

/// The URLs of the objects that a URL names, which may be a pattern (`*`, `?`, `[a-z]`, and `**` for any folders), in the
/// order of their names.
///
/// # Errors
/// If it is a pattern that matches nothing, or too much, or if the bucket cannot be listed.
pub(super) fn matches(url: &str) -> Result<Vec<String>, Failure> {
    let has_pattern = url.contains(['*', '?', '[']);
    let Some(object) = Object::of(url, Use::Read).filter(|_| has_pattern) else { return Ok(vec![url.to_owned()]) };
    let object = object?;
    let pattern = parsed(&object.key)?;
    for part in object.key.split('/') {
        parsed(part)?;
    }
    let base = object.base.clone();
    let mut keys = wait(async move { Listing { object: Arc::new(object), pattern }.keys().await })?;
    if keys.is_empty() {
        return Err(Failure::last(
            "no object matches: check the pattern, in which case matters and * stands for no slash",
        ));
    }
    keys.sort_unstable();
    Ok(keys.into_iter().map(|key| format!("{base}/{key}")).collect())
}

fn parsed(pattern: &str) -> Result<Pattern, Failure> {
    Pattern::new(pattern).map_err(|error| Failure::last(format!("not a pattern: {}", error.msg)))
}

struct Listing {
    object: Arc<Object>,
    pattern: Pattern,
}

/// A folder, and the parts of the pattern that what is in it must match.
struct Folder {
    /// Empty, or with a slash at its end.
    path: String,
    /// How many parts of the pattern it stands for.
    parts: usize,
}

impl Listing {
    async fn keys(&self) -> Result<Vec<String>, Failure> {
        let parts: Vec<&str> = self.object.key.split('/').collect();
        let mut keys = Vec::new();
        let mut folders = vec![Folder { path: String::new(), parts: 0 }];
        while let Some(Folder { mut path, parts: mut known }) = folders.pop() {
            // Parts that are names need not be looked for.
            while let Some(part) = parts.get(known).filter(|part| known + 1 < parts.len() && literal(part) == **part) {
                path.push_str(part);
                path.push('/');
                known += 1;
            }
            let Some(part) = parts.get(known) else { continue };
            let is_last = known + 1 == parts.len();
            let (is_deep, prefix) = (*part == "**", format!("{path}{}", literal(part)));
            let part = parsed(part)?;
            let mut page = None;
            loop {
                let (objects, below, next) = self.page(&prefix, is_deep, page).await?;
                let fits = |key: &String| self.pattern.matches_with(key, OPTIONS);
                keys.extend(objects.into_iter().filter(|_| is_last || is_deep).filter(fits));
                let fits = |below: &String| !is_last && part.matches_with(last_part(below), OPTIONS);
                let below = below.into_iter().filter(fits);
                folders.extend(below.map(|below| Folder { path: format!("{below}/"), parts: known + 1 }));
                if keys.len() > MATCHES_MAX || folders.len() > MATCHES_MAX {
                    return Err(Failure::last(format!(
                        "more than {MATCHES_MAX} objects match: use a narrower pattern"
                    )));
                }
                page = next;
                if page.is_none() {
                    break;
                }
            }
        }
        Ok(keys)
    }

    /// A page of what begins with `prefix`: objects, folders, and where the next page begins.
    async fn page(
        &self,
        prefix: &str,
        is_deep: bool,
        page_token: Option<String>,
    ) -> Result<(Vec<String>, Vec<String>, Option<String>), Failure> {
        let delimiter = (!is_deep).then(|| "/".into());
        let options = PaginatedListOptions { delimiter, page_token, ..PaginatedListOptions::default() };
        let listed = persistently(|| async {
            let listed = self.object.bucket.list_paginated(Some(prefix), options.clone()).await;
            listed.map_err(|error| self.object.place.failure(&error))
        });
        let listed = listed.await?;
        let objects = listed.result.objects.into_iter().map(|object| object.location.to_string()).collect();
        let below = listed.result.common_prefixes.into_iter().map(|path| path.to_string()).collect();
        Ok((objects, below, listed.page_token))
    }
}

/// What comes before the first character of a part that stands for others.
fn literal(part: &str) -> &str {
    part.find(['*', '?', '[']).and_then(|at| part.get(..at)).unwrap_or(part)
}

fn last_part(path: &str) -> &str {
    path.rsplit_once('/').map_or(path, |(_, last)| last)
}
