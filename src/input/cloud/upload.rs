//! An object that is written: in parts, of which nobody sees anything before the last one is there.

use std::collections::VecDeque;
use std::io::{self, Write};
use std::sync::mpsc::{Receiver, sync_channel};

use object_store::{MultipartUpload, ObjectStoreExt};

use super::explain::Place;
use super::patience::{runtime, wait};
use super::store::{Object, Use};
use crate::input::failure::Failure;

/// Bytes of a part. Stores take 10,000 of them, and some want all to be of one size.
const PART_BYTES: usize = 32 << 20;

/// Parts that are being sent beside the one that is being filled: in all 96 MiB.
const PARTS_AHEAD: usize = 2;

/// An object in the making. If it is dropped before it is finished, nothing of it is left.
#[derive(Debug)]
pub struct Upload {
    /// None once it is finished or given up.
    upload: Option<Box<dyn MultipartUpload>>,
    place: Place,
    part: Vec<u8>,
    is_begun: bool,
    sending: VecDeque<Receiver<Result<(), Failure>>>,
}

impl Upload {
    /// Begins an object in a bucket.
    ///
    /// # Errors
    /// If the URL is not one of an object that can be written.
    pub(super) fn open(url: &str) -> Result<Self, Failure> {
        let Some(object) = Object::of(url, Use::Write) else {
            return Err(Failure::last("only s3://, gs://, az:// and abfss:// can be written to"));
        };
        let object = object?;
        if object.key.contains(['*', '?', '[']) {
            return Err(Failure::last("a pattern is not the name of an object"));
        }
        let (path, place) = (object.path()?, object.place.clone());
        let upload = wait(async move {
            let upload = object.bucket.put_multipart(&path).await;
            upload.map_err(|error| object.place.failure(&error))
        })?;
        let (part, sending) = (Vec::new(), VecDeque::new());
        Ok(Self { upload: Some(upload), place, part, is_begun: false, sending })
    }

    /// Puts what was written in its place.
    ///
    /// # Errors
    /// If a part could not be sent; then the object is what it was before.
    pub fn finish(mut self) -> io::Result<()> {
        if !self.part.is_empty() || !self.is_begun {
            self.send()?;
        }
        while !self.sending.is_empty() {
            self.await_part()?;
        }
        let Some(mut upload) = self.upload.take() else { return Ok(()) };
        let place = self.place.clone();
        let completed = wait(async move {
            let completed = upload.complete().await.map(|_| ()).map_err(|error| place.failure(&error));
            Ok((completed, upload))
        });
        let (completed, upload) = completed?;
        if completed.is_err() {
            self.upload = Some(upload);
        }
        Ok(completed?)
    }

    /// Sends the part that is filled, once there is room for it.
    fn send(&mut self) -> Result<(), Failure> {
        while self.sending.len() >= PARTS_AHEAD {
            self.await_part()?;
        }
        let Some(upload) = &mut self.upload else { return Ok(()) };
        self.is_begun = true;
        let sending = upload.put_part(std::mem::take(&mut self.part).into());
        let (done, sent) = sync_channel(1);
        let place = self.place.clone();
        runtime()?.spawn(async move { _ = done.send(sending.await.map_err(|error| place.failure(&error))) });
        self.sending.push_back(sent);
        Ok(())
    }

    fn await_part(&mut self) -> Result<(), Failure> {
        let Some(sent) = self.sending.pop_front() else { return Ok(()) };
        sent.recv().unwrap_or_else(|_| Err(Failure::last("a request broke off by a fault of this program")))
    }
}

impl Write for Upload {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let taken = bytes.len().min(PART_BYTES - self.part.len());
        self.part.extend_from_slice(bytes.get(..taken).unwrap_or_default());
        if self.part.len() == PART_BYTES {
            self.send()?;
        }
        Ok(taken)
    }

    /// Does nothing: a part that is not full waits for the end.
    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Drop for Upload {
    fn drop(&mut self) {
        let Some(mut upload) = self.upload.take() else { return };
        // Parts that are on their way would come after the end.
        while !self.sending.is_empty() {
            _ = self.await_part();
        }
        // What is left in the store is in nobody's way, and rules of the bucket remove it.
        _ = wait(async move { upload.abort().await.map_err(|error| Failure::last(error.to_string())) });
    }
}
