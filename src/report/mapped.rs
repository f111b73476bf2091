//! A report with other names for keys, prefixes, groups and hash tags, in its lists, filters and sentences.

use super::Report;
use super::key_row::KeyRow;
use super::text::Name;

/// What names and sentences of a report are written as.
pub struct NameMap<'m> {
    /// What says so ([`Report::redacted`]).
    pub mark: &'m str,
    /// The stand-in of a name. Of a prefix it must be a prefix of that of each name under it.
    pub name: &'m dyn Fn(&[u8]) -> Vec<u8>,
    /// A sentence with stand-ins for the names in it.
    pub sentence: &'m dyn Fn(&str) -> String,
}

impl std::fmt::Debug for NameMap<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("NameMap").field("mark", &self.mark).finish_non_exhaustive()
    }
}

impl Report {
    /// Writes all names of keys as `map` has them: of prefixes, groups, filters, hash tags and largest elements too. Names that get
    /// the same stand-in are counted together where they have sums. Lists keep their order. Findings go: they are to be judged anew.
    ///
    /// The order in which names are given up where there is no room follows from the names as they were. So where a list was cut,
    /// a merged report has of it what is heavy, and nothing of hash tags.
    pub fn map_names(&mut self, map: &NameMap<'_>) {
        let NameMap { mark, name, sentence } = *map;
        let text = |text: &mut String| *text = String::from_utf8_lossy(&name(text.as_bytes())).into_owned();
        self.redacted = Some(mark.to_owned());
        self.findings.clear();
        for dump in &mut self.dumps {
            dump.damage = dump.damage.as_deref().map(sentence);
        }
        self.filters.texts_mut().for_each(text);
        let listed = self.top.iter_mut().flat_map(|list| &mut list.keys);
        let largest = self.largest_keys.keys.iter_mut().map(|largest| &mut largest.key);
        for key in listed.chain(largest).chain(self.suspects.rows_mut()) {
            map_row(key, name);
        }
        self.prefixes.map_names(name);
        self.beginnings.map_names(name);
        for group in self.groups.iter_mut().flat_map(|groups| &mut groups.groups) {
            text(&mut group.group.name);
            group.group.patterns.iter_mut().for_each(text);
        }
        if let Some(slots) = &mut self.slots {
            slots.tags.map_names(name);
        }
        if let Some(compression) = &mut self.compression {
            compression.map_names(name);
        }
    }
}

pub(super) fn map_row(key: &mut KeyRow, name: &dyn Fn(&[u8]) -> Vec<u8>) {
    key.name = Name::new(name(key.name.bytes()));
    key.largest_element = key.largest_element.take().map(|element| Name::new(name(element.bytes())));
}
