//! What is said of URLs where the feature `cloud` is not built in.

use std::fs::File;
use std::io::{self, Read, Write};
use std::ops::Range;

use super::failure::Failure;
use super::listed::{Listed, Look};

fn refused<T>() -> Result<T, Failure> {
    Err(Failure::last(
        "this build of the program does not read URLs: build it with the feature cloud, or download the file first",
    ))
}

pub(super) fn stream(_: &str) -> Result<Box<dyn Read + Send>, Failure> {
    refused()
}

pub(super) fn look_at(_: &str) -> Result<Look, Failure> {
    refused()
}

pub(super) fn matches(_: &str) -> Result<Vec<String>, Failure> {
    refused()
}

pub(super) fn listed(_: &str) -> Result<Vec<Listed>, Failure> {
    refused()
}

pub(super) fn check_url(_: &str) -> Result<(), Failure> {
    refused()
}

pub(super) fn upload(_: &str) -> Result<Upload, Failure> {
    refused()
}

pub(super) fn temporary_file() -> io::Result<File> {
    Err(io::ErrorKind::Unsupported.into())
}

/// An object in the making, of which there is none.
#[derive(Debug)]
pub enum Upload {}

impl Upload {
    /// Puts what was written in its place.
    ///
    /// # Errors
    /// None.
    pub fn finish(self) -> io::Result<()> {
        match self {}
    }
}

impl Write for Upload {
    fn write(&mut self, _: &[u8]) -> io::Result<usize> {
        match *self {}
    }

    fn flush(&mut self) -> io::Result<()> {
        match *self {}
    }
}

/// An object of which any bytes can be had, of which there is none.
pub(crate) enum Lookup {}

impl Lookup {
    pub(super) fn open(_: &str) -> Result<Option<Self>, Failure> {
        refused()
    }

    pub(crate) fn version(&self) -> Option<&str> {
        match *self {}
    }

    pub(crate) fn reader(&self, _: Range<u64>) -> Result<Box<dyn Read + Send>, Failure> {
        match *self {}
    }

    pub(crate) fn size(&self) -> u64 {
        match *self {}
    }

    pub(crate) fn bytes(&self, _: Range<u64>) -> Result<Vec<u8>, Failure> {
        match *self {}
    }
}
