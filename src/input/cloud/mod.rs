//! Objects in stores and on web servers, read and written: a URL in, bytes out.
//!
//! A read asks for ranges, side by side, and hands them on in order; each asks for the same object as the first, by its tag. A
//! server that knows no ranges is read from its beginning.

mod authorities;
mod client;
mod explain;
mod listing;
mod patience;
mod profile;
mod ranges;
mod source;
mod store;
mod upload;
mod whole;

use std::fs::File;
use std::io::{self, Read};
use std::ops::Range;
use std::sync::Arc;

pub use upload::Upload;

use super::failure::Failure;
use super::listed::{Listed, Look};
use ranges::{Opened, Ranged};
use source::Source;

/// Opens what is at a URL as a stream.
///
/// # Errors
/// If there is nothing, or nobody may read it.
pub(super) fn stream(url: &str) -> Result<Box<dyn Read + Send>, Failure> {
    ranges::stream(url)
}

/// What the server says of what is at a URL.
///
/// # Errors
/// As [`stream`].
pub(super) fn look_at(url: &str) -> Result<Look, Failure> {
    let opened = Opened::new(url, 1)?;
    Ok(Look { stored_bytes: opened.size(), written_at: opened.written_at() })
}

/// The URLs of the objects that a URL names, which may be a pattern.
///
/// # Errors
/// If it is a pattern that matches nothing, or too much, or if the bucket cannot be listed.
pub(super) fn matches(url: &str) -> Result<Vec<String>, Failure> {
    listing::matches(url)
}

/// As [`matches`], and what the bucket or the web server says of each.
///
/// # Errors
/// As [`matches`] and [`look_at`].
pub(super) fn listed(url: &str) -> Result<Vec<Listed>, Failure> {
    // Whoever may read an object need not have the right to list its bucket.
    listing::listed(url).unwrap_or_else(|| Ok(vec![Listed { path: url.into(), look: look_at(url)? }]))
}

/// Looks whether a URL is one that [`listed`] takes, without asking anybody.
///
/// # Errors
/// If it is not, or the settings of the environment do not go together.
pub(super) fn check_url(url: &str) -> Result<(), Failure> {
    listing::check(url).unwrap_or_else(|| Source::of(url).map(|_| ()))
}

/// Begins an object in a bucket.
///
/// # Errors
/// If the URL is not one of an object that can be written.
pub(super) fn upload(url: &str) -> Result<Upload, Failure> {
    Upload::open(url)
}

/// A file for a copy of an object; it has no name, so that nothing of it is left whatever happens.
///
/// # Errors
/// What the system answers.
pub(super) fn temporary_file() -> io::Result<File> {
    tempfile::tempfile()
}

/// An object of which any bytes can be had.
pub(crate) struct Lookup(Arc<Ranged>);

impl Lookup {
    /// None if the server knows no ranges.
    ///
    /// # Errors
    /// As [`stream`].
    pub(super) fn open(url: &str) -> Result<Option<Self>, Failure> {
        Ok(match Opened::new(url, 1)? {
            Opened::Ranged(object, _) => Some(Self(object)),
            Opened::Whole(..) => None,
        })
    }

    /// The `ETag` by which a server tells the object from others.
    pub(crate) fn version(&self) -> Option<&str> {
        self.0.version()
    }

    /// The bytes from a range's start on: those of the range are fetched side by side, those behind it when they are asked for.
    ///
    /// # Errors
    /// If no threads can be started.
    pub(crate) fn reader(&self, range: Range<u64>) -> Result<Box<dyn Read + Send>, Failure> {
        ranges::from(&self.0, range)
    }

    /// How many bytes it has.
    pub(crate) fn size(&self) -> u64 {
        self.0.size
    }

    /// The bytes of a range, as many of them as there are.
    ///
    /// # Errors
    /// If they cannot be had, or the object is another one by now.
    pub(crate) fn bytes(&self, range: Range<u64>) -> Result<Vec<u8>, Failure> {
        let object = self.0.clone();
        patience::wait(async move { object.fetch(range, None).await })
    }
}
