//! Answers out of dumps: each is a scan for just what was asked.

use std::io::{self, BufWriter, Write};
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use super::gather::Gather;
use super::level::{CHILDREN_MAX, Level, Sketch};
use super::marks::{Group, new_file};
use super::place::{Lens, Place};
use crate::engine::{Dump, Exported, Options, Progress, export_all, report_all, row_blocks_all};
use crate::findings;
use crate::input::shown;
use crate::output::values::{Drain, Lines, Review};
use crate::report::{Question, Report, Rules};

/// Rows of a block: few calls for each, and little that waits.
const ROWS_MAX: usize = 1024;

/// Dumps, and how they are asked.
#[derive(Clone, Debug)]
pub struct Dumps {
    /// The dumps, which together are one instance.
    pub dumps: Vec<Dump>,
    /// Separators of prefixes, and the server whose memory is modelled.
    pub question: Question,
    /// How they are scanned.
    pub options: Options,
}

/// After this time a scan shows for the first time what it has come to; pauses grow from that to [`SKETCH_PAUSE_MAX`].
const SKETCH_AFTER: Duration = Duration::from_millis(250);

const SKETCH_PAUSE_MAX: Duration = Duration::from_secs(2);

/// When a scan shows what it has come to.
struct Sketched {
    next: Instant,
    pause: Duration,
}

impl Sketched {
    fn is_due(&mut self) -> bool {
        let is_due = Instant::now() >= self.next;
        if is_due {
            self.pause = (self.pause * 2).min(SKETCH_PAUSE_MAX);
            self.next = Instant::now() + self.pause;
        }
        is_due
    }
}

impl Dumps {
    /// The level of a place.
    ///
    /// # Errors
    /// A sentence if a dump cannot be opened, or the place not be searched for.
    pub(super) fn level(
        &self,
        place: &Place,
        lens: &Lens,
        progress: &Arc<Progress>,
        sketch: &Sketch,
    ) -> Result<Level, String> {
        let question = Question { filter: lens.filter(place)?, ..self.question.clone() };
        // The checksum is verified once, with the first level.
        let verify = self.options.verify && *place == Place::Instance && lens.is_of_all();
        let options = Options { verify, ..self.options.clone() };
        let separators = &self.question.separators;
        let mut gather = Gather::new(place, separators, CHILDREN_MAX);
        // An only database is what is shown next: its level comes of the same scan.
        let names = Place::names(None, &[]);
        let mut below = (*place == Place::Instance).then(|| Gather::new(&names, separators, CHILDREN_MAX));
        let mut sketched = Sketched { next: Instant::now() + SKETCH_AFTER, pause: SKETCH_AFTER };
        let scanned = row_blocks_all(&self.dumps, &question, &options, progress, ROWS_MAX, |rows| {
            gather.add(&rows);
            if gather.held() > 1 {
                below = None;
            }
            if let Some(below) = &mut below {
                below.add(&rows);
            }
            if sketched.is_due() {
                *sketch.lock().unwrap_or_else(PoisonError::into_inner) = Some(gather.so_far());
            }
        });
        let (notes, damage) = scanned.map_err(|error| error.to_string())?;
        while gather.end_scan() > 0 && !progress.is_cancelled() {
            let scanned =
                row_blocks_all(&self.dumps, &question, &options, progress, ROWS_MAX, |rows| gather.add(&rows));
            scanned.map_err(|error| error.to_string())?;
        }
        let notes: Vec<String> = damage.iter().map(ToString::to_string).chain(notes).collect();
        let finish = |gather: Gather<'_>| {
            let mut level = gather.finish();
            level.notes.splice(..0, notes.iter().cloned());
            level
        };
        let mut level = finish(gather);
        // With more prefixes than one scan can count it is left to scans of its own.
        let below = below.and_then(|mut below| (below.end_scan() == 0).then_some(below));
        level.below = below.map(|below| Box::new(finish(below)));
        Ok(level)
    }

    /// The report of all keys, with its findings.
    ///
    /// # Errors
    /// A sentence if a dump cannot be opened.
    pub(super) fn report(&self, progress: &Arc<Progress>) -> Result<Report, String> {
        let asked = report_all(&self.dumps, &self.question, &self.options, progress);
        let (mut report, ..) = asked.map_err(|error| error.to_string())?;
        report.findings = findings::judge(&report, Rules::default());
        Ok(report)
    }

    /// Writes commands about the keys of these groups to a new file; says what was written.
    ///
    /// # Errors
    /// A sentence if the file is there already, or cannot be written.
    pub(super) fn review(
        &self,
        groups: &[Group],
        review: Review,
        path: &Path,
        progress: &Arc<Progress>,
    ) -> Result<String, String> {
        let failed = |error: &io::Error| format!("{}: could not write it: {error}", shown(path));
        let mut file = BufWriter::new(new_file(path)?);
        let mut keys = 0;
        let mut errors = Vec::new();
        for group in groups {
            let filter = group.filter()?;
            let mut write_error = None;
            let exported = {
                let drain: Drain<'_> = Arc::new(Mutex::new(|bytes: &[u8]| {
                    if write_error.is_none() {
                        write_error = file.write_all(bytes).err();
                    }
                }));
                let form = |_: &_| Lines::review(review, drain.clone());
                export_all(&self.dumps, &filter, &self.options, progress, form)
            };
            if let Some(error) = write_error {
                return Err(failed(&error));
            }
            let Exported { keys: found, errors: found_errors, .. } = exported.map_err(|error| error.to_string())?;
            keys += found;
            errors.extend(found_errors);
        }
        file.flush().map_err(|error| failed(&error))?;
        let commands = if keys == 1 { "1 command".to_owned() } else { format!("{keys} commands") };
        let written = format!("wrote {commands} to {}; nothing was sent to a server", shown(path));
        Ok(errors.first().map_or(written.clone(), |error| format!("{written}; {error}")))
    }
}
