//! What a server sends as a whole or not at all, as a stream. After a break it is asked for anew, and what was had of it is
//! stepped over.

use std::io::{self, Read};

use bytes::Bytes;
use futures_util::StreamExt;
use tokio::sync::mpsc::{Receiver, Sender, channel};

use super::patience::{Patience, runtime};
use super::source::{Answer, Source};
use crate::input::failure::{Failure, Kind};

/// Pieces that wait to be taken: of at most half a MiB each, which is as much as the connection reads at once.
const PIECES_AHEAD: usize = 64;

type Piece = Result<Bytes, Failure>;

/// A stream that is read from its beginning.
pub(super) struct Whole {
    pieces: Receiver<Piece>,
    at_hand: Bytes,
}

impl Whole {
    pub(super) fn new(source: Source, answer: Answer) -> Result<Self, Failure> {
        let (to, pieces) = channel(PIECES_AHEAD);
        runtime()?.spawn(async move {
            if let Err(failure) = send(&source, answer, &to).await {
                _ = to.send(Err(failure)).await;
            }
        });
        Ok(Self { pieces, at_hand: Bytes::new() })
    }
}

/// Hands on all bytes, unless nobody takes them any more.
async fn send(source: &Source, mut answer: Answer, to: &Sender<Piece>) -> Result<(), Failure> {
    let (size, identity) = (answer.size, answer.identity.clone());
    let (mut sent, mut patience) = (0_u64, Patience::default());
    loop {
        // Offset of the next byte of this answer.
        let mut offset = 0_u64;
        let failure = loop {
            let bytes = match answer.bytes.next().await {
                Some(Ok(bytes)) => bytes,
                Some(Err(failure)) => break failure,
                None if size.is_none_or(|size| offset == size) && offset >= sent => return Ok(()),
                None => {
                    break Failure {
                        kind: Kind::Transient,
                        sentence: "the server ends its answers too early".to_owned(),
                    };
                }
            };
            let known = usize::try_from(sent.saturating_sub(offset)).unwrap_or(usize::MAX).min(bytes.len());
            offset += bytes.len() as u64;
            let new = bytes.slice(known..);
            if new.is_empty() {
                continue;
            }
            sent = offset;
            patience.renew();
            if to.send(Ok(new)).await.is_err() {
                return Ok(());
            }
        };
        if sent > 0 && !identity.is_known() {
            let why = failure.sentence;
            return Err(Failure::last(format!(
                "{why} after {sent} bytes, and does not say whether a second answer would be of the same file: download it first"
            )));
        }
        let mut failure = failure;
        answer = loop {
            patience.wait(failure).await?;
            match source.ask(None, Some(&identity)).await {
                Ok(answer) => break answer,
                Err(again) => failure = again,
            }
        };
    }
}

impl Read for Whole {
    fn read(&mut self, to: &mut [u8]) -> io::Result<usize> {
        while self.at_hand.is_empty() {
            let Some(piece) = self.pieces.blocking_recv() else { return Ok(0) };
            self.at_hand = piece?;
        }
        let bytes = self.at_hand.as_ref().read(to)?;
        _ = self.at_hand.split_to(bytes);
        Ok(bytes)
    }
}
