//! What is shown over the tree, and what is asked for at the foot of the screen.

use super::card::Card;
use super::list::List;
use super::source::Written;

/// The first row of a list on the screen.
pub(super) const LIST_ROW: u16 = 2;

/// Columns before a line of a list.
pub(super) const LIST_MARGIN: usize = 2;

/// What is shown over the tree.
#[derive(Debug)]
pub(super) enum View {
    Card(Box<Card>),
    /// The findings.
    Findings(List),
    /// One of them, and the places that it names.
    Finding {
        at: usize,
        list: List,
    },
    /// What two reports differ in.
    Grown(List),
    /// The marks.
    Marks(List),
    /// All keys of the keyboard.
    Help(List),
    /// What is to be known of the level.
    Notes(List),
}

/// What is being typed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Prompt {
    pub(super) asks: Asks,
    pub(super) text: String,
}

/// What is asked for at the foot of the screen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Asks {
    /// The text that names must contain.
    Text,
    /// What marks are written as, a letter.
    Form,
    /// After how many seconds marked keys expire.
    Seconds,
    /// The file that marks are written to.
    File(Written),
}
