//! Patterns over the names in a bucket. Each part between slashes is listed for itself, so that of a bucket only the folders
//! that match are looked through.

use std::sync::Arc;

use glob::{MatchOptions, Pattern};
use object_store::ObjectMeta;
use object_store::list::PaginatedListOptions;

use super::patience::{persistently, wait};
use super::store::{Object, Use};
use crate::input::failure::Failure;
use crate::input::listed::{Listed, Look, seconds};

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
    let listing = Listing::of(url).filter(|_| is_pattern(url));
    let Some(listing) = listing else { return Ok(vec![url.to_owned()]) };
    let base = listing.as_ref().map(|listing| listing.object.base.clone()).unwrap_or_default();
    let objects = listing?.objects()?;
    Ok(objects.into_iter().map(|object| format!("{base}/{}", object.location)).collect())
}

/// As [`matches`], and what the bucket says of each object; none if the URL is not a pattern of a bucket.
///
/// # Errors
/// As [`matches`].
pub(super) fn listed(url: &str) -> Option<Result<Vec<Listed>, Failure>> {
    let listing = Listing::of(url).filter(|_| is_pattern(url))?;
    Some(listing.and_then(|listing| {
        let base = listing.object.base.clone();
        let listed = |object: ObjectMeta| Listed {
            path: format!("{base}/{}", object.location).into(),
            look: Look { stored_bytes: Some(object.size), written_at: Some(seconds(object.last_modified.timestamp())) },
        };
        Ok(listing.objects()?.into_iter().map(listed).collect())
    }))
}

/// Looks whether a URL could be listed; none if it is not one of a bucket.
///
/// # Errors
/// As [`matches`], as far as that shows without asking the store.
pub(super) fn check(url: &str) -> Option<Result<(), Failure>> {
    Some(Listing::of(url)?.map(|_| ()))
}

fn parsed(pattern: &str) -> Result<Pattern, Failure> {
    Pattern::new(pattern).map_err(|error| Failure::last(format!("not a pattern: {}", error.msg)))
}

/// The objects of a bucket that a pattern names.
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
    /// What a URL names; none if it is not one of a bucket.
    ///
    /// # Errors
    /// If it is not a pattern, or the bucket cannot be opened.
    fn of(url: &str) -> Option<Result<Self, Failure>> {
        Some(Object::of(url, Use::Read)?.and_then(|object| {
            let pattern = parsed(&object.key)?;
            for part in object.key.split('/') {
                parsed(part)?;
            }
            Ok(Self { object: Arc::new(object), pattern })
        }))
    }

    /// The objects in the order of their names, at least one.
    fn objects(self) -> Result<Vec<ObjectMeta>, Failure> {
        let mut objects = wait(async move { self.ask().await })?;
        if objects.is_empty() {
            return Err(Failure::last(
                "no object matches: check the pattern, in which case matters and * stands for no slash",
            ));
        }
        objects.sort_unstable_by(|one, other| one.location.cmp(&other.location));
        Ok(objects)
    }

    async fn ask(&self) -> Result<Vec<ObjectMeta>, Failure> {
        let parts: Vec<&str> = self.object.key.split('/').collect();
        let mut found = Vec::new();
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
                let fits = |object: &ObjectMeta| self.pattern.matches_with(object.location.as_ref(), OPTIONS);
                found.extend(objects.into_iter().filter(|_| is_last || is_deep).filter(fits));
                let fits = |below: &String| !is_last && part.matches_with(last_part(below), OPTIONS);
                let below = below.into_iter().filter(fits);
                folders.extend(below.map(|below| Folder { path: format!("{below}/"), parts: known + 1 }));
                if found.len() > MATCHES_MAX || folders.len() > MATCHES_MAX {
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
        Ok(found)
    }

    /// A page of what begins with `prefix`: objects, folders, and where the next page begins.
    async fn page(
        &self,
        prefix: &str,
        is_deep: bool,
        page_token: Option<String>,
    ) -> Result<(Vec<ObjectMeta>, Vec<String>, Option<String>), Failure> {
        let delimiter = (!is_deep).then(|| "/".into());
        let options = PaginatedListOptions { delimiter, page_token, ..PaginatedListOptions::default() };
        let listed = persistently(|| async {
            let listed = self.object.bucket.list_paginated(Some(prefix), options.clone()).await;
            listed.map_err(|error| self.object.place.failure(&error))
        });
        let listed = listed.await?;
        let below = listed.result.common_prefixes.into_iter().map(|path| path.to_string()).collect();
        Ok((listed.result.objects, below, listed.page_token))
    }
}

fn is_pattern(url: &str) -> bool {
    url.contains(['*', '?', '['])
}

/// What comes before the first character of a part that stands for others.
fn literal(part: &str) -> &str {
    part.find(['*', '?', '[']).and_then(|at| part.get(..at)).unwrap_or(part)
}

fn last_part(path: &str) -> &str {
    path.rsplit_once('/').map_or(path, |(_, last)| last)
}
