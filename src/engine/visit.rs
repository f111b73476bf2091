//! A walk over a dump on one thread that hands on each key: for who wants more of a key than its place in a list.

use std::fs::File;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use super::window::Window;
use super::{Options, Outcome, Progress, conclude, stream};
use crate::analysis::Analysis;
use crate::error::{Cause, Error};
use crate::input::{self, Bytes, Input};
use crate::rdb::entry::{Step, step};
use crate::rdb::source::Keep;
use crate::rdb::{Entry, Fault, header};

/// Reads a dump from its start to its end and hands each key to `on_key`; what came before damage has been handed on.
/// Returns the damage that ended the walk.
///
/// # Errors
/// [`Cause::Io`] if the dump cannot be opened or no thread can be started.
pub(crate) fn visit(
    path: &Path,
    options: &Options,
    progress: &Arc<Progress>,
    mut on_key: impl FnMut(&Entry<'_>) -> Result<(), Fault>,
) -> Result<Option<Error>, Error> {
    let name = path.display().to_string();
    let io = |doing| {
        let name = name.clone();
        move |source| Error::new(name, Cause::Io { doing, source })
    };
    let file = File::open(path).map_err(io("open it"))?;
    let input = match input::from_reader(name.clone(), Box::new(file)) {
        Err(error) if error.is_about_dump() => return Ok(Some(error)),
        input => input?,
    };
    let Input { bytes: Bytes::Stream(reader), read_bytes, .. } = input else {
        unreachable!("a reader is no mapped file")
    };
    let (progress, mut last_bytes) = (progress.clone(), 0);
    let on_chunk = Box::new(move || {
        let bytes = read_bytes.load(Ordering::Relaxed);
        progress.add(bytes - last_bytes, 0);
        last_bytes = bytes;
    });
    let mut window =
        Window::new(reader, options.window_bytes, options.verify, on_chunk).map_err(io("start a thread"))?;
    let (context, outcome) = match header::read(&mut window) {
        Err(trouble) => Outcome::without_start(options, 0, trouble, window.end()),
        Ok(context) => {
            let ending = loop {
                match step(&mut window, &context, |source, found| on_key(&found.entry(source.kept()))) {
                    Ok(Step::Key | Step::SelectDb(_)) => {}
                    Ok(Step::End) => break Ok(stream::end(&mut window, &context)),
                    Err(damage) => break Err(damage),
                }
            };
            // The keys went to the caller.
            let analysis = Analysis::new(Arc::new(options.question.clone()), 0, None);
            (context, Outcome { analysis, ending, dump_bytes: window.end() })
        }
    };
    let broken_input = window.error.take().map(|source| input::read_error(source, window.end()));
    Ok(conclude(name, &context, outcome, broken_input).damage)
}
