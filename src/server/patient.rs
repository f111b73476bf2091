//! A connection whose patience has an end: a head must be whole in time, and what is written must be taken in time. What the
//! HTTP library answers by itself, to a head that it does not understand, is given the body of every other refusal.

use std::io;
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::{Instant, Sleep, sleep, sleep_until};
use uuid::Uuid;

/// What a connection and the service behind it know of each other.
#[derive(Debug, Default)]
pub(super) struct Talk {
    /// Heads that were whole.
    heads: AtomicU64,
    is_answering: AtomicBool,
    /// An answer of ours is on its way to the connection.
    is_answer_due: AtomicBool,
    refused: Mutex<Option<Refused>>,
}

/// What was answered to a head that is not HTTP.
#[derive(Clone, Debug)]
pub(super) struct Refused {
    pub(super) request_id: String,
    pub(super) status: u16,
}

impl Talk {
    /// A request's head is whole.
    pub(super) fn begin(&self) {
        self.is_answering.store(true, Ordering::Release);
        self.heads.fetch_add(1, Ordering::Release);
    }

    /// The answer is there.
    pub(super) fn answer(&self) {
        self.is_answer_due.store(true, Ordering::Release);
        self.is_answering.store(false, Ordering::Release);
    }

    /// What was answered to a head that is not HTTP, if there was one.
    pub(super) fn refused(&self) -> Option<Refused> {
        self.refused.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn is_answering(&self) -> bool {
        self.is_answering.load(Ordering::Acquire)
    }
}

/// A connection with limits of time.
#[derive(Debug)]
pub(super) struct Patient<S> {
    stream: S,
    talk: Arc<Talk>,
    limit: Duration,
    heads_seen: u64,
    /// Since when a head has been coming in; the first one since the connection was there.
    head_since: Option<Instant>,
    head_is_late: Option<Pin<Box<Sleep>>>,
    write_stalls: Option<Pin<Box<Sleep>>>,
    /// What is written in place of the library's own answer.
    refusal: Vec<u8>,
}

impl<S: AsyncWrite + Unpin> Patient<S> {
    pub(super) fn new(stream: S, talk: Arc<Talk>, limit: Duration) -> Self {
        let head_since = Some(Instant::now());
        let (head_is_late, write_stalls, refusal) = (None, None, Vec::new());
        Self { stream, talk, limit, heads_seen: 0, head_since, head_is_late, write_stalls, refusal }
    }

    /// Lets a write wait, but not for ever.
    fn in_time<T>(&mut self, context: &mut Context<'_>, written: Poll<io::Result<T>>) -> Poll<io::Result<T>> {
        if written.is_ready() {
            self.write_stalls = None;
            return written;
        }
        let limit = self.limit;
        let stalls = self.write_stalls.get_or_insert_with(|| Box::pin(sleep(limit)));
        ready!(stalls.as_mut().poll(context));
        Poll::Ready(Err(io::ErrorKind::TimedOut.into()))
    }

    fn poll_refusal(&mut self, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        while !self.refusal.is_empty() {
            let written = Pin::new(&mut self.stream).poll_write(context, &self.refusal);
            let written = ready!(self.in_time(context, written))?;
            if written == 0 {
                return Poll::Ready(Err(io::ErrorKind::WriteZero.into()));
            }
            self.refusal.drain(..written);
        }
        Poll::Ready(Ok(()))
    }

    /// Whether bytes begin an answer that is not the service's.
    fn is_librarys(&self, bytes: &[u8]) -> bool {
        bytes.starts_with(b"HTTP/1.1 ")
            && !bytes.starts_with(b"HTTP/1.1 1")
            && !self.talk.is_answer_due.swap(false, Ordering::AcqRel)
    }

    fn refuse(&mut self, bytes: &[u8]) {
        let status = bytes.get(9..12).and_then(|digits| std::str::from_utf8(digits).ok()?.parse().ok()).unwrap_or(400);
        let request_id = Uuid::new_v4().simple().to_string();
        let (reason, what) = match status {
            431 => ("Request Header Fields Too Large", "headers"),
            414 => ("URI Too Long", "URL"),
            _ => ("Bad Request", "HTTP"),
        };
        let body = format!(r#"{{"error_code":"DCS.4800","error_msg":"Invalid {what} in the request."}}"#);
        self.refusal = format!(
            "HTTP/1.1 {status} {reason}\r\ncontent-type: application/json\r\nx-request-id: {request_id}\r\n\
             connection: close\r\ncontent-length: {}\r\n\r\n{body}",
            body.len()
        )
        .into_bytes();
        *self.talk.refused.lock().unwrap_or_else(PoisonError::into_inner) = Some(Refused { request_id, status });
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> AsyncRead for Patient<S> {
    fn poll_read(self: Pin<&mut Self>, context: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        let heads = this.talk.heads.load(Ordering::Acquire);
        if this.heads_seen != heads {
            (this.heads_seen, this.head_since, this.head_is_late) = (heads, None, None);
        }
        let filled = buffer.filled().len();
        let read = Pin::new(&mut this.stream).poll_read(context, buffer);
        if this.talk.is_answering() {
            return read;
        }
        if read.is_ready() {
            if buffer.filled().len() > filled {
                this.head_since.get_or_insert_with(Instant::now);
            }
            return read;
        }
        let Some(since) = this.head_since else { return Poll::Pending };
        let limit = this.limit;
        let is_late = this.head_is_late.get_or_insert_with(|| Box::pin(sleep_until(since + limit)));
        ready!(is_late.as_mut().poll(context));
        Poll::Ready(Err(io::ErrorKind::TimedOut.into()))
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Patient<S> {
    fn poll_write(self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        if this.refusal.is_empty() && this.is_librarys(bytes) {
            this.refuse(bytes);
            return Poll::Ready(Ok(bytes.len()));
        }
        ready!(this.poll_refusal(context))?;
        let written = Pin::new(&mut this.stream).poll_write(context, bytes);
        this.in_time(context, written)
    }

    fn poll_flush(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        ready!(this.poll_refusal(context))?;
        let flushed = Pin::new(&mut this.stream).poll_flush(context);
        this.in_time(context, flushed)
    }

    fn poll_shutdown(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        ready!(this.poll_refusal(context))?;
        let shut = Pin::new(&mut this.stream).poll_shutdown(context);
        this.in_time(context, shut)
    }
}
