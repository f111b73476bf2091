//! What is browsed, and what it answers: dumps, which are scanned for each question, or reports, which are in memory.

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::sync::Arc;

use super::elements::{Elements, Page};
use super::level::{Level, Sketch};
use super::marks::{self, Mark};
use super::of_dumps::Dumps;
use super::of_report;
use super::place::{Lens, Place};
use crate::compare::Difference;
use crate::engine::Progress;
use crate::findings::{self, command};
use crate::input::shown;
use crate::output::values::Review;
use crate::report::{LargestKey, Report, Rules};

/// What is browsed.
#[derive(Debug)]
pub enum Source {
    /// Dumps, which together are one instance.
    Dumps(Box<Dumps>),
    /// A report, and what it differs in from an older one, if there are two.
    Report(Box<Report>, Option<Box<Difference>>),
}

/// A question.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Ask {
    /// The level of a place.
    Level(Place, Lens),
    /// Elements of a key.
    Elements(Box<LargestKey>, Page),
    /// The findings.
    Findings,
    /// The marks, written to a new file.
    Write(BTreeSet<Mark>, Written, PathBuf),
}

/// What marks are written as.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Written {
    /// A list.
    List,
    /// Commands that extract the marked keys.
    Filter,
    /// Commands about each of the keys.
    Commands(Review),
}

/// An answer.
#[derive(Debug)]
pub(super) enum Answer {
    Level(Level),
    Elements(Elements),
    /// The report with its findings.
    Findings(Box<Report>),
    /// What was written.
    Written(String),
}

impl Source {
    /// A report, which is judged if it has no findings, and one to compare it with.
    ///
    /// # Errors
    /// A sentence if the two cannot be compared.
    pub fn of_reports(mut new: Report, old: Option<&Report>) -> Result<Self, String> {
        if new.findings.is_empty() {
            new.findings = findings::judge(&new, Rules::default());
        }
        let difference = old.map(|old| Difference::of_reports(old, &new, None)).transpose()?;
        Ok(Self::Report(Box::new(new), difference.map(Box::new)))
    }

    /// What it is called.
    pub(super) fn title(&self) -> String {
        let names: Vec<String> = match self {
            Self::Dumps(dumps) => dumps.dumps.iter().map(|dump| shown(&dump.path)).collect(),
            Self::Report(report, _) => report.dumps.iter().map(|dump| dump.name.clone()).collect(),
        };
        match &names[..] {
            [one] => one.rsplit('/').next().unwrap_or(one).to_owned(),
            names => format!("{} dumps", names.len()),
        }
    }

    /// The dump that a key is in, if there are several.
    pub(super) fn dump_of(&self, key: &LargestKey) -> Option<String> {
        let at = usize::try_from(key.key.dump).ok()?;
        match self {
            Self::Dumps(dumps) if dumps.dumps.len() > 1 => dumps.dumps.get(at).map(|dump| shown(&dump.path)),
            Self::Report(report, _) if report.dumps.len() > 1 => report.dumps.get(at).map(|dump| dump.name.clone()),
            _ => None,
        }
    }

    /// Bytes that end a prefix.
    pub(super) fn separators(&self) -> &[u8] {
        match self {
            Self::Dumps(dumps) => &dumps.question.separators,
            Self::Report(report, _) => report.prefixes.separators.bytes(),
        }
    }

    pub(super) fn is_report(&self) -> bool {
        matches!(self, Self::Report(..))
    }

    pub(super) fn difference(&self) -> Option<&Difference> {
        match self {
            Self::Report(_, difference) => difference.as_deref(),
            Self::Dumps(_) => None,
        }
    }

    /// The dumps as words for a shell.
    fn words(&self) -> String {
        match self {
            Self::Dumps(dumps) => {
                let words = dumps.dumps.iter().map(|dump| command::word(&shown(&dump.path)));
                words.collect::<Vec<_>>().join(" ")
            }
            Self::Report(report, _) => command::dumps(report),
        }
    }

    /// Answers a question; `sketch` has meanwhile what a level's scan has come to. What a cancelled scan came to is of no use.
    ///
    /// # Errors
    /// A sentence that says why there is no answer.
    pub(super) fn answer(&self, ask: &Ask, progress: &Arc<Progress>, sketch: &Sketch) -> Result<Answer, String> {
        match (ask, self) {
            (Ask::Level(place, lens), Self::Dumps(dumps)) => {
                dumps.level(place, lens, progress, sketch).map(Answer::Level)
            }
            (Ask::Level(place, lens), Self::Report(report, _)) => {
                Ok(Answer::Level(of_report::level(report, place, lens)))
            }
            (Ask::Elements(key, page), Self::Dumps(dumps)) => {
                dumps.elements(key, *page, progress).map(Answer::Elements)
            }
            (Ask::Elements(..), Self::Report(..)) => Err("a report does not have elements: browse the dump".to_owned()),
            (Ask::Findings, Self::Dumps(dumps)) => dumps.report(progress).map(Box::new).map(Answer::Findings),
            (Ask::Findings, Self::Report(report, _)) => Ok(Answer::Findings(report.clone())),
            (Ask::Write(marked, Written::List, path), _) => {
                marks::write_new(path, &marks::list(marked)).map(Answer::Written)
            }
            (Ask::Write(marked, Written::Filter, path), _) => {
                marks::write_new(path, &marks::filters(marked, &self.words())).map(Answer::Written)
            }
            (Ask::Write(marked, Written::Commands(review), path), Self::Dumps(dumps)) => {
                dumps.review(&marks::groups(marked), *review, path, progress).map(Answer::Written)
            }
            (Ask::Write(_, Written::Commands(_), _), Self::Report(..)) => {
                Err("a report does not have the names of all keys: browse the dump, or write the filter".to_owned())
            }
        }
    }
}
