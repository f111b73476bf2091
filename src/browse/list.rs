//! Which line of a list is selected, and which is the first on the screen.

/// A selection.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct List {
    /// The selected line.
    pub(super) at: usize,
    /// The first line on the screen.
    pub(super) first: usize,
}

/// Moves of a selection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Move {
    Up(usize),
    Down(usize),
    First,
    Last,
}

impl List {
    /// Moves the selection in a list of so many lines.
    pub(super) fn go(&mut self, to: Move, lines: usize) {
        self.at = match to {
            Move::Up(by) => self.at.saturating_sub(by),
            Move::Down(by) => self.at.saturating_add(by),
            Move::First => 0,
            Move::Last => usize::MAX,
        };
        self.at = self.at.min(lines.saturating_sub(1));
    }

    /// Scrolls so that the selection is among the `rows` on the screen, and no row is empty without need.
    pub(super) fn scroll(&mut self, lines: usize, rows: usize) {
        self.at = self.at.min(lines.saturating_sub(1));
        let least = (self.at + 1).saturating_sub(rows);
        self.first = self.first.max(least).min(self.at).min(lines.saturating_sub(rows));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_selection_stays_on_the_screen() {
        let mut list = List::default();
        list.go(Move::Down(7), 20);
        list.scroll(20, 5);
        assert_eq!(list, List { at: 7, first: 3 });
        list.go(Move::Up(2), 20);
        list.scroll(20, 5);
        assert_eq!(list, List { at: 5, first: 3 });
        list.go(Move::Last, 20);
        list.scroll(20, 5);
        assert_eq!(list, List { at: 19, first: 15 });
        list.scroll(20, 30);
        assert_eq!(list, List { at: 19, first: 0 });
        list.go(Move::Down(1), 0);
        list.scroll(0, 0);
        assert_eq!(list.at, 0);
    }
}
