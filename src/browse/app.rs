//! What is on the screen, and what has to be found out for it.
//!
//! Whatever is shown says what it needs; if that is not there, it is asked for in the background, and a question that
//! nobody needs any more is cancelled. So leaving a place is all it takes to end its scan.

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::sync::Arc;

use super::card::Card;
use super::finding::{Target, paragraphs, targets};
use super::job::{Ending, Job};
use super::level::What;
use super::list::List;
use super::marks::Mark;
use super::place::{Lens, Place, last_prefix};
use super::source::{Answer, Ask, Source, Written};
use super::tree::{Line, Open, Order};
use super::view::{LIST_MARGIN, Prompt, View};
use super::wrap::wrap;
use crate::compare::{DatabaseChange, PrefixChange};
use crate::error::Visible;
use crate::report::{LargestKey, Report};

/// How it ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    /// The reader left.
    Left,
    /// Ctrl-C.
    Interrupted,
}

/// All of it.
#[derive(Debug)]
pub(super) struct App {
    pub(super) source: Arc<Source>,
    /// From the instance down; never empty.
    pub(super) levels: Vec<Open>,
    pub(super) views: Vec<View>,
    pub(super) order: Order,
    pub(super) lens: Lens,
    pub(super) marks: BTreeSet<Mark>,
    pub(super) findings: Option<Result<Box<Report>, String>>,
    pub(super) job: Option<Job>,
    ending: Ending,
    /// Whether a question waits until scans have ended that were cancelled.
    pub(super) is_held_back: bool,
    pub(super) writing: Option<Job>,
    pub(super) prompt: Option<Prompt>,
    /// What is to be said at the foot of the screen, until the next key.
    pub(super) message: Option<String>,
    pub(super) end: Option<End>,
    /// Lines that a list has on the screen.
    pub(super) rows: usize,
    /// Columns of the screen.
    pub(super) columns: usize,
    /// Whether the reader has opened or left anything: until then an only database is opened by itself.
    has_moved: bool,
}

impl App {
    pub(super) fn new(source: Source) -> Self {
        let mut app = Self {
            source: Arc::new(source),
            levels: vec![Open::new(Place::Instance)],
            views: Vec::new(),
            order: Order::default(),
            lens: Lens::default(),
            marks: BTreeSet::new(),
            findings: None,
            job: None,
            ending: Ending::default(),
            is_held_back: false,
            writing: None,
            prompt: None,
            message: None,
            end: None,
            rows: 12,
            columns: 60,
            has_moved: false,
        };
        app.ask();
        app
    }

    /// The level that the reader is at.
    pub(super) fn here(&self) -> Option<&Open> {
        self.levels.last()
    }

    pub(super) fn here_mut(&mut self) -> Option<&mut Open> {
        self.levels.last_mut()
    }

    /// What the screen needs and does not have.
    fn need(&self) -> Option<Ask> {
        match self.views.last() {
            Some(View::Card(card)) if !self.source.is_report() => {
                let page = card.page();
                let is_there = card.elements.as_ref().is_some_and(|(asked, _)| *asked == page);
                (!is_there && page.limit > 0).then(|| Ask::Elements(Box::new(card.key.clone()), page))
            }
            Some(View::Findings(_) | View::Finding { .. }) => self.findings.is_none().then_some(Ask::Findings),
            Some(_) => None,
            None => {
                let here = self.here()?;
                let answered = here.level.as_ref().filter(|(asked, _)| *asked == self.lens);
                let is_there = answered.is_some_and(|(_, level)| !level.as_ref().is_ok_and(|level| level.is_partial));
                (!is_there).then(|| Ask::Level(here.place.clone(), self.lens.clone()))
            }
        }
    }

    /// Asks for what the screen needs, and no longer for anything else.
    pub(super) fn ask(&mut self) {
        let need = self.need();
        self.is_held_back = false;
        if self.job.as_ref().map(|job| &job.ask) == need.as_ref() {
            return;
        }
        if let Some(job) = self.job.take() {
            self.ending.cancel(job);
        }
        if let Some(ask) = need {
            if !self.ending.has_room() {
                self.is_held_back = true;
                return;
            }
            match Job::start(&self.source, ask) {
                Ok(job) => self.job = Some(job),
                Err(sentence) => self.message = Some(sentence),
            }
        }
    }

    /// Whether something is being found out or written, whose progress is shown.
    pub(super) fn is_waiting(&self) -> bool {
        self.job.is_some() || self.writing.is_some() || self.is_held_back
    }

    /// Takes the answers that came; says whether there were any.
    pub(super) fn take_answers(&mut self) -> bool {
        let written = self.writing.take_if(|writing| writing.is_done());
        let answered = self.job.take_if(|job| job.is_done());
        self.take_sketch();
        if written.is_none() && answered.is_none() {
            return false;
        }
        if let Some(written) = written {
            self.message = Some(match written.finish().1 {
                Ok(Answer::Written(sentence)) | Err(sentence) => sentence,
                Ok(_) => "the marks were not written".to_owned(),
            });
        }
        if let Some(answered) = answered {
            let (ask, answer) = answered.finish();
            self.take(&ask, answer);
            self.ask();
        }
        true
    }

    /// Shows what the scan of the level has come to.
    fn take_sketch(&mut self) {
        let Some(job) = &self.job else { return };
        if let (Ask::Level(place, lens), Some(here)) = (&job.ask, self.levels.last_mut())
            && here.place == *place
            && let Some(sketch) = job.sketch()
        {
            here.set(lens, Ok(sketch), self.order);
        }
    }

    fn take(&mut self, ask: &Ask, answer: Result<Answer, String>) {
        match (ask, self.views.last_mut()) {
            (Ask::Level(_, lens), _) => {
                let level = answer.and_then(|answer| match answer {
                    Answer::Level(level) => Ok(level),
                    _ => Err("the scan came to no level".to_owned()),
                });
                let order = self.order;
                if let Some(here) = self.levels.last_mut() {
                    here.set(lens, level, order);
                }
                self.enter_only_database();
            }
            (Ask::Findings, _) => {
                self.findings = Some(answer.and_then(|answer| match answer {
                    Answer::Findings(report) => Ok(report),
                    _ => Err("the scan came to no findings".to_owned()),
                }));
            }
            (Ask::Elements(_, page), Some(View::Card(card))) => {
                let elements = answer.and_then(|answer| match answer {
                    Answer::Elements(elements) => Ok(elements),
                    _ => Err("the scan came to no elements".to_owned()),
                });
                card.elements = Some((*page, elements));
            }
            _ => {}
        }
    }

    /// Where there is one database, its keys are the first thing to see.
    fn enter_only_database(&mut self) {
        let [root] = &mut self.levels[..] else { return };
        if std::mem::replace(&mut self.has_moved, true) {
            return;
        }
        if let [line] = &root.lines[..]
            && let Some((Some(What::Database(db)), _)) = root.child(*line)
        {
            let mut only = Open::new(Place::names(Some(*db), &[]));
            if let Some((_, Ok(level))) = &mut root.level
                && let Some(below) = level.below.take()
            {
                only.set(&self.lens, Ok(*below), self.order);
            }
            self.levels.push(only);
        }
    }

    /// Opens the selected line.
    pub(super) fn open(&mut self) {
        self.has_moved = true;
        let Some(here) = self.here() else { return };
        let Some(line) = here.selected() else { return };
        let db = here.place.db();
        let below = match (line, here.child(line)) {
            (Line::AllDatabases, _) => Place::names(None, &[]),
            (Line::Child(_), Some((Some(what), _))) => match what {
                What::Database(db) => Place::names(Some(*db), &[]),
                What::Prefix(prefix) => Place::names(db, prefix),
                What::Key(key) => {
                    let key = LargestKey::clone(key);
                    return self.views.push(View::Card(Box::new(Card::new(key))));
                }
            },
            _ => {
                self.message = Some(
                    "these are too light to be listed: narrow what is seen with / or t, or choose another measure with m"
                        .to_owned(),
                );
                return;
            }
        };
        self.levels.push(Open::new(below));
    }

    /// Leaves what is shown.
    pub(super) fn back(&mut self) {
        self.has_moved = true;
        if self.views.pop().is_none() && self.levels.len() > 1 {
            self.levels.pop();
        }
    }

    /// Shows a place of the tree, or a key's card in it.
    pub(super) fn jump(&mut self, target: &Target) {
        // What is known of the instance stays.
        self.levels.truncate(1);
        self.views.clear();
        self.has_moved = true;
        self.lens = Lens::default();
        let (place, key) = match target {
            Target::Place(place) => (place.clone(), None),
            Target::Key(key) => {
                let prefix = last_prefix(key.key.name.bytes(), self.source.separators());
                (Place::names(Some(key.db), prefix), Some(key))
            }
        };
        if let Place::Names { db, prefix } = &place {
            self.levels.push(Open::new(Place::names(*db, &[])));
            if !prefix.is_empty() {
                self.levels.push(Open::new(place));
            }
        }
        if let Some(key) = key {
            self.views.push(View::Card(Box::new(Card::new(LargestKey::clone(key)))));
        }
    }

    /// A finding: its text in lines, and the places that it names.
    pub(super) fn finding(&self, at: usize) -> Option<(Vec<String>, Vec<Target>)> {
        let Some(Ok(report)) = &self.findings else { return None };
        let finding = report.findings.get(at)?;
        let width = self.columns.saturating_sub(LIST_MARGIN);
        let text = paragraphs(finding).into_iter().flat_map(|text| wrap(&Visible(text.as_bytes()).to_string(), width));
        // An empty line is between the text and the places.
        Some((text.chain([String::new()]).collect(), targets(report, finding)))
    }

    /// Opens a finding; the first of its places is selected.
    pub(super) fn open_finding(&mut self, at: usize) {
        if let Some((text, targets)) = self.finding(at) {
            let at_target = if targets.is_empty() { 0 } else { text.len() };
            self.views.push(View::Finding { at, list: List { at: at_target, first: 0 } });
        }
    }

    /// The databases and prefixes that differ between two reports.
    pub(super) fn grown(&self) -> (&[DatabaseChange], &[PrefixChange]) {
        self.source.difference().map(|grown| (&grown.databases[..], &grown.prefixes[..])).unwrap_or_default()
    }

    /// Marks the selected line, or no longer.
    pub(super) fn mark(&mut self) {
        match self.mark_of_selected() {
            Ok(mark) => {
                if !self.marks.remove(&mark) {
                    self.marks.insert(mark);
                }
            }
            Err(sentence) => self.message = Some(sentence.to_owned()),
        }
    }

    /// The mark that the selected line would have.
    ///
    /// # Errors
    /// A sentence if it can have none.
    fn mark_of_selected(&self) -> Result<Mark, &'static str> {
        let line = self.here().and_then(Open::selected).ok_or("there is nothing to mark")?;
        self.mark_of(line).ok_or("this line cannot be marked: it stands for keys without a name of their own")
    }

    /// The mark that a line of the level would have.
    pub(super) fn mark_of(&self, line: Line) -> Option<Mark> {
        let here = self.here()?;
        let lens = self.lens.clone();
        let Line::Child(_) = line else { return None };
        match here.child(line)?.0? {
            What::Database(db) => Some(Mark { db: Some(*db), name: Vec::new(), is_prefix: true, lens }),
            What::Prefix(prefix) => Some(Mark { db: here.place.db(), name: prefix.clone(), is_prefix: true, lens }),
            // Of a name that is cut the rest is not known.
            What::Key(key) if key.key.name_bytes.is_some() => None,
            What::Key(key) => Some(Mark {
                db: Some(key.db),
                name: key.key.name.bytes().to_vec(),
                is_prefix: false,
                lens: Lens::default(),
            }),
        }
    }

    /// Starts to write the marks.
    pub(super) fn write(&mut self, written: Written, path: PathBuf) {
        match Job::start(&self.source, Ask::Write(self.marks.clone(), written, path)) {
            Ok(job) => self.writing = Some(job),
            Err(sentence) => self.message = Some(sentence),
        }
    }

    /// Sorts the levels anew.
    pub(super) fn sort(&mut self) {
        let order = self.order;
        self.levels.iter_mut().for_each(|level| level.sort(order));
    }
}

impl Drop for App {
    fn drop(&mut self) {
        for job in [self.job.take(), self.writing.take()].into_iter().flatten() {
            self.ending.cancel(job);
        }
    }
}
