//! Answers out of dumps: each is a scan for just what was asked.

use std::io::{self, BufWriter, Write};
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

use super::gather::Gather;
use super::level::{CHILDREN_MAX, Level};
use super::marks::{Group, new_file};
use super::place::{Lens, Place};
use crate::analysis::Pattern;
use crate::analysis::filter::Filter;
use crate::engine::{Dump, Exported, Options, Progress, export_all, export_at, report_all, row_blocks_all};
use crate::error::{Error, ErrorKind};
use crate::findings;
use crate::input::shown;
use crate::output::values::{Drain, Lines, Look, Review};
use crate::report::{LargestKey, Question, Report, Rules};

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

/// Which elements of a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Page {
    /// The first one, from 0.
    pub(super) from: u64,
    /// How many.
    pub(super) limit: u64,
    /// Whether the largest ones are asked for, rather than the first.
    pub(super) is_largest: bool,
    /// Columns of a line.
    pub(super) width: usize,
}

impl Dumps {
    /// The level of a place.
    ///
    /// # Errors
    /// A sentence if a dump cannot be opened, or the place not be searched for.
    pub(super) fn level(&self, place: &Place, lens: &Lens, progress: &Arc<Progress>) -> Result<Level, String> {
        let question = Question { filter: lens.filter(place)?, ..self.question.clone() };
        // The checksum is verified once, with the first level.
        let verify = self.options.verify && *place == Place::Instance && lens.is_of_all();
        let options = Options { verify, ..self.options.clone() };
        let mut gather = Gather::new(place, &self.question.separators, CHILDREN_MAX);
        let mut first = None;
        loop {
            let scanned =
                row_blocks_all(&self.dumps, &question, &options, progress, ROWS_MAX, |rows| gather.add(&rows));
            let (notes, damage) = scanned.map_err(|error| error.to_string())?;
            first.get_or_insert((notes, damage));
            if gather.end_scan() == 0 || progress.is_cancelled() {
                break;
            }
        }
        let mut level = gather.finish();
        let (notes, damage) = first.unwrap_or_default();
        level.notes.splice(..0, damage.iter().map(ToString::to_string).chain(notes));
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

    /// Elements of a key as lines, and what is wrong with them.
    ///
    /// # Errors
    /// A sentence if the key cannot be read.
    pub(super) fn elements(&self, key: &LargestKey, page: Page, progress: &Arc<Progress>) -> Result<String, String> {
        let dump = usize::try_from(key.key.dump).ok().and_then(|dump| self.dumps.get(dump));
        let dump = dump.ok_or("the dump of this key is not open")?;
        let look = Look {
            is_json: false,
            width: page.width,
            field: None,
            from: page.from,
            limit: page.limit,
            largest: page.is_largest,
            target: self.question.target,
            allocator: self.question.allocator,
        };
        let card = Arc::new(Mutex::new(Vec::new()));
        let drain: Drain<'_> = {
            let card = card.clone();
            Arc::new(Mutex::new(move |bytes: &[u8]| {
                card.lock().unwrap_or_else(PoisonError::into_inner).extend_from_slice(bytes);
            }))
        };
        let read = self.cards(dump, key, &look, &drain, progress);
        let card = String::from_utf8_lossy(&card.lock().unwrap_or_else(PoisonError::into_inner)).into_owned();
        // The card itself comes first, up to an empty line; what it says is known.
        let mut elements = card.split_once("\n\n").map_or(String::new(), |(_, elements)| elements.to_owned());
        for error in read? {
            elements.push_str(&error.to_string());
            elements.push('\n');
        }
        Ok(elements)
    }

    /// Writes the card of a key; gives what was wrong with it.
    fn cards(
        &self,
        dump: &Dump,
        key: &LargestKey,
        look: &Look,
        drain: &Drain<'_>,
        progress: &Arc<Progress>,
    ) -> Result<Vec<Error>, String> {
        match export_at(&dump.path, key.key.offset, None, Lines::cards(look.clone(), drain.clone())) {
            Ok(()) => return Ok(Vec::new()),
            Err(error) if matches!(error.cause, ErrorKind::Options(_)) => {}
            Err(error) if error.is_about_dump() => return Ok(vec![error]),
            Err(error) => return Err(error.to_string()),
        }
        if key.key.name_bytes.is_some() {
            return Err("its name is too long to be searched for in a dump that is not a plain file".to_owned());
        }
        let pattern = Pattern::exact(key.key.name.bytes())?;
        let filter = Filter { databases: vec![key.db], patterns: vec![pattern], ..Filter::default() };
        let form = |_: &_| Lines::cards(look.clone(), drain.clone());
        let dump = std::slice::from_ref(dump);
        let exported = export_all(dump, &filter, &self.options, progress, form).map_err(|error| error.to_string())?;
        Ok(exported.errors)
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
