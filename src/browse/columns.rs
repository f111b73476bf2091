//! The columns of a line: how they share the width, and what is in them.

use super::level::{Others, What};
use super::place::Place;
use super::tree::Line;
use super::wrap::wrap;
use crate::compare::Change;
use crate::error::Visible;
use crate::output::human;
use crate::report::{Finding, Tally};

/// Columns of a share, of a number of bytes, and of a number of keys.
pub(super) const SHARE: usize = 7;
pub(super) const BYTES: usize = 9;
pub(super) const KEYS: usize = 14;

/// Columns that a name has at least, and a bar at most.
const NAME_MIN: usize = 20;
const BAR_MAX: usize = 60;

/// How the columns of a line share its width.
pub(super) struct Columns {
    pub(super) name: usize,
    pub(super) bar: usize,
    pub(super) has_keys: bool,
}

impl Columns {
    /// The columns of lines so wide, of whose names the longest is so long.
    pub(super) fn new(width: usize, longest: usize) -> Self {
        let has_keys = width >= 80;
        // A mark, three gaps, and one column that stays free.
        let fixed = 2 + 1 + 1 + SHARE + 1 + BYTES + if has_keys { KEYS + 1 } else { 0 };
        let left = width.saturating_sub(fixed);
        // Names come first: a bar has a quarter of the room, and more where names leave it.
        let name = longest.max(NAME_MIN).min(left - left / 4);
        Self { name, bar: (left - name).min(BAR_MAX), has_keys }
    }

    /// The room that names have at most on a line so wide.
    pub(super) fn name_max(width: usize) -> usize {
        Self::new(width, usize::MAX).name
    }
}

/// What a line is called.
pub(super) fn line_name(line: Line, what: Option<&What>, place: &Place, width: usize) -> String {
    match line {
        Line::AllDatabases => "all databases".to_owned(),
        Line::Others(Others { count: Some(count), .. }) => format!("and {} others", human::count(count)),
        Line::Others(_) => "and others".to_owned(),
        Line::Child(_) => child_name(what, place, width),
    }
}

/// What a child is called: of a long prefix what follows that of the level.
fn child_name(what: Option<&What>, place: &Place, width: usize) -> String {
    let prefix = place.prefix().len();
    match what {
        None => String::new(),
        Some(What::Database(db)) => format!("db {db}"),
        Some(What::Prefix(name)) => human::name(name.get(prefix..).unwrap_or_default(), width),
        Some(What::Key(key)) => {
            // A name that is no longer than the prefix is shown whole.
            let name = key.key.name.bytes();
            let name = name.get(prefix..).filter(|below| !below.is_empty()).unwrap_or(name);
            let db = if place.db().is_none() { format!("  db {}", key.db) } else { String::new() };
            human::name(name, width.saturating_sub(db.len())) + &db
        }
    }
}

/// How many keys there are, or the type of the only one.
pub(super) fn what_it_is(what: Option<&What>, tally: &Tally) -> String {
    match what {
        Some(What::Key(key)) => human::name(key.kind.as_bytes(), KEYS),
        _ if tally.keys == 1 => "1 key".to_owned(),
        _ => format!("{} keys", human::count(tally.keys)),
    }
}

/// A finding in the list of them.
pub(super) fn finding_line(finding: &Finding, width: usize) -> String {
    let saves = finding.bytes_saved.map_or(String::new(), |saving| human::bytes(saving.bytes));
    let what = Visible(finding.what.as_bytes()).to_string();
    // Two blanks are before a line, and two columns are left for what is cut.
    let mut lines = wrap(&what, width.saturating_sub(2 + 7 + BYTES + 2 + 2));
    let end = if lines.len() > 1 { " …" } else { "" };
    format!("{:<7}{}  {}{end}", finding.severity.name(), human::right(&saves, BYTES), lines.swap_remove(0))
}

/// What grew.
pub(super) fn grown_line(name: &str, change: &Change, width: usize) -> String {
    let by = change.memory_bytes_change;
    let sign = match by {
        0 => "",
        ..0 => "-",
        _ => "+",
    };
    let by = format!("{sign}{}", human::bytes(by.unsigned_abs()));
    let [old, new] = [change.old, change.new].map(|amount| human::right(&human::bytes(amount.memory_bytes), BYTES + 1));
    // Two blanks before a line, and one column that stays free.
    let name = human::left(name, width.saturating_sub(2 * (BYTES + 1) + BYTES + 2 + 3));
    format!("{name}{old}{new}{}", human::right(&by, BYTES + 2))
}
