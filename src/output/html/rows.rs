//! Rows of the block that a page's script draws from: as many as there is room for, and in text that can end no element.

use std::collections::HashMap;
use std::io;

use serde::Serialize;

use crate::report::Name;

/// The first rows of a list, as many as there is room for.
pub(super) struct Fitting {
    /// JSON, with commas between the rows.
    pub(super) rows: String,
    pub(super) count: usize,
    pub(super) left_out: usize,
}

impl Fitting {
    pub(super) fn take<R: Serialize>(rows: impl Iterator<Item = R>, bytes_max: usize) -> io::Result<Self> {
        let mut fitting = Self { rows: String::new(), count: 0, left_out: 0 };
        for row in rows {
            if fitting.left_out > 0 {
                fitting.left_out += 1;
                continue;
            }
            let row = text(&row)?;
            if fitting.rows.len() + row.len() >= bytes_max {
                fitting.left_out = 1;
                continue;
            }
            if fitting.count > 0 {
                fitting.rows.push(',');
            }
            fitting.rows += &row;
            fitting.count += 1;
        }
        Ok(fitting)
    }
}

/// JSON without the one character that begins whatever could end the block: `</script>` and `<!--` stand in it as text.
pub(super) fn text(value: &impl Serialize) -> io::Result<String> {
    Ok(serde_json::to_string(value)?.replace('<', "\\u003c"))
}

/// A name: its text, and where that does not say all, its bytes too.
#[derive(Serialize)]
#[serde(untagged)]
pub(super) enum NameCell {
    Text(String),
    Bytes(String, String),
}

impl NameCell {
    pub(super) fn of(name: &Name) -> Self {
        if std::str::from_utf8(name.bytes()).is_ok() {
            Self::Text(name.to_string())
        } else {
            Self::Bytes(name.to_string(), name.base64())
        }
    }
}

/// Where in the list of prefixes each is.
pub(super) type Places<'r> = HashMap<&'r [u8], usize>;

/// The longest listed prefix of a name that is shorter than `below` bytes.
pub(super) fn longest(name: &[u8], below: usize, separators: &[u8], places: &Places<'_>) -> Option<usize> {
    let ends = (1..=name.len().min(below.saturating_sub(1))).rev();
    let mut prefixes = ends
        .filter_map(|end| name.get(..end))
        .filter(|prefix| prefix.last().is_some_and(|last| separators.contains(last)));
    prefixes.find_map(|prefix| places.get(prefix).copied())
}
