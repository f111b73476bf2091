//! The levels that are open, from the instance down to where the reader is.

use super::level::{Level, Measure, Others, What};
use super::list::List;
use super::place::{Lens, Place};
use crate::report::Tally;

/// A line of a level.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Line {
    /// All databases together.
    AllDatabases,
    /// A child, by its place in the level.
    Child(usize),
    /// The children that are not shown.
    Others(Others),
}

/// A level that is open.
#[derive(Debug)]
pub(super) struct Open {
    pub(super) place: Place,
    /// The answer, and the lens that it was asked with.
    pub(super) level: Option<(Lens, Result<Level, String>)>,
    pub(super) lines: Vec<Line>,
    pub(super) list: List,
}

/// How children are weighed and sorted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Order {
    pub(super) measure: Measure,
    pub(super) is_by_name: bool,
}

impl Open {
    pub(super) fn new(place: Place) -> Self {
        Self { place, level: None, lines: Vec::new(), list: List::default() }
    }

    /// The level, if it was asked with this lens and came.
    pub(super) fn level(&self, lens: &Lens) -> Option<&Level> {
        self.level.as_ref().filter(|(asked, _)| asked == lens).and_then(|(_, level)| level.as_ref().ok())
    }

    /// Why there is no level, if it was asked with this lens and did not come.
    pub(super) fn error(&self, lens: &Lens) -> Option<&str> {
        let asked = self.level.as_ref().filter(|(asked, _)| asked == lens);
        asked.and_then(|(_, level)| level.as_ref().err()).map(String::as_str)
    }

    /// Takes an answer.
    pub(super) fn set(&mut self, lens: &Lens, level: Result<Level, String>, order: Order) {
        // Of a scan that goes on, the reader may have selected a child; else the first line is what is seen first.
        let selected = self.selected().filter(|_| self.list.at > 0).and_then(|line| self.child(line)?.0.cloned());
        self.level = Some((lens.clone(), level));
        // Those are lines of the level before.
        self.lines.clear();
        self.sort(order);
        let at = selected.and_then(|selected| {
            self.lines.iter().position(|line| self.child(*line).is_some_and(|(what, _)| what == Some(&selected)))
        });
        self.list.at = at.unwrap_or(self.list.at).min(self.lines.len().saturating_sub(1));
    }

    /// Sorts the lines; the selected child stays selected.
    pub(super) fn sort(&mut self, order: Order) {
        let selected = self.lines.get(self.list.at).copied();
        let Some((_, Ok(level))) = &self.level else {
            self.lines = Vec::new();
            return;
        };
        let (children, others) = level.shown(order.measure, order.is_by_name);
        let has_several = self.place == Place::Instance && (children.len() > 1 || others.is_some());
        self.lines = has_several.then_some(Line::AllDatabases).into_iter().collect();
        self.lines.extend(children.into_iter().map(Line::Child));
        self.lines.extend(others.map(Line::Others));
        if let Some(Line::Child(_)) = selected
            && let Some(at) = self.lines.iter().position(|line| Some(*line) == selected)
        {
            self.list.at = at;
        }
    }

    /// What a line of the level is, and its keys.
    pub(super) fn child(&self, line: Line) -> Option<(Option<&What>, Tally)> {
        let Some((_, Ok(level))) = &self.level else { return None };
        match line {
            Line::AllDatabases => Some((None, level.total)),
            Line::Child(at) => level.children.get(at).map(|child| (Some(&child.what), child.tally)),
            Line::Others(others) => Some((None, others.tally)),
        }
    }

    /// The selected line.
    pub(super) fn selected(&self) -> Option<Line> {
        self.lines.get(self.list.at).copied()
    }
}
