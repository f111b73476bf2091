//! Which master of a cluster has which slots, as `nodes.conf` and `CLUSTER NODES` say it.

use crate::rdb::limits::SLOTS;

/// The masters of a cluster that have slots.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Masters {
    /// Their IDs, in the order of the file.
    pub ids: Vec<String>,
    /// The place among these, by slot.
    owners: Vec<Option<usize>>,
}

impl Masters {
    /// Reads the text of a `nodes.conf`, or what `CLUSTER NODES` answers.
    ///
    /// # Errors
    /// A sentence with the number of the line that is not understood.
    pub fn parse(text: &str) -> Result<Self, String> {
        let mut masters = Self { ids: Vec::new(), owners: vec![None; usize::try_from(SLOTS).unwrap_or(0)] };
        for (number, line) in (1..).zip(text.lines()) {
            masters.line(line).map_err(|what| format!("line {number}: {what}"))?;
        }
        if masters.ids.is_empty() {
            return Err("no master with slots is in it (expected what CLUSTER NODES prints)".to_owned());
        }
        Ok(masters)
    }

    fn line(&mut self, line: &str) -> Result<(), String> {
        let words: Vec<&str> = line.split_whitespace().collect();
        let [id, _, flags, _, _, _, _, _, slots @ ..] = &words[..] else {
            let is_known = words.is_empty() || words.first() == Some(&"vars");
            return if is_known { Ok(()) } else { Err("expected at least eight words".to_owned()) };
        };
        // Slots on their way to or from another node are in brackets.
        let mut slots = slots.iter().filter(|slot| !slot.starts_with('[')).peekable();
        if slots.peek().is_none() || !flags.split(',').any(|flag| flag == "master") {
            return Ok(());
        }
        let is_name = !id.is_empty() && id.bytes().all(|byte| byte.is_ascii_alphanumeric());
        if !is_name {
            return Err("the ID of the node is not of letters and digits".to_owned());
        }
        if self.ids.iter().any(|known| known == id) {
            return Err(format!("the node {id} is there twice"));
        }
        let place = self.ids.len();
        self.ids.push((*id).to_owned());
        for slot in slots {
            let (first, last) = slot.split_once('-').unwrap_or((slot, slot));
            let range =
                first.parse::<usize>().ok().zip(last.parse::<usize>().ok()).filter(|(first, last)| first <= last);
            let owners = range.and_then(|(first, last)| self.owners.get_mut(first..=last));
            for owner in owners.ok_or_else(|| format!("expected slots from 0 to {}, found {slot:?}", SLOTS - 1))? {
                if owner.replace(place).is_some() {
                    return Err(format!("slots of {slot} belong to two masters"));
                }
            }
        }
        Ok(())
    }

    /// The place among [`Masters::ids`] of the master that has a slot, if one has.
    pub(super) fn owner(&self, slot: u16) -> Option<usize> {
        self.owners.get(usize::from(slot)).copied().flatten()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NODE: &str = "07c37d 127.0.0.1:30004@31004,host master - 0 1426238317239 4 connected";

    #[test]
    fn masters_and_their_slots() {
        let text = format!(
            "{NODE} 0-5460 [5461->-a1]\n67ed2d :30002@31002 slave 07c37d 0 1 2 connected\n\
             e7d1ee :30006@31006 myself,master - 0 0 1 connected 5461 5462-16383\nvars currentEpoch 6 lastVoteEpoch 0\n"
        );
        let masters = Masters::parse(&text).unwrap();
        assert_eq!(masters.ids, ["07c37d", "e7d1ee"]);
        assert_eq!(
            [0, 5460, 5461, 16383, 16384].map(|slot| masters.owner(slot)),
            [Some(0), Some(0), Some(1), Some(1), None]
        );
    }

    #[test]
    fn what_is_not_a_list_of_nodes() {
        for (text, sentence) in [
            (String::new(), "no master with slots"),
            ("port 6379".to_owned(), "line 1: expected at least eight words"),
            (format!("{NODE} 0-16384"), "line 1: expected slots from 0 to 16383, found \"0-16384\""),
            (format!("{NODE} 5-1"), "found \"5-1\""),
            (format!("{NODE} 0\n{NODE} 1"), "line 2: the node 07c37d is there twice"),
            (format!("{NODE} 0-9\n{} 9", NODE.replace("07c37d", "aa")), "line 2: slots of 9 belong to two masters"),
            (format!("{} 9", NODE.replace("07c37d", "../x")), "line 1: the ID of the node"),
        ] {
            let refused = Masters::parse(&text).unwrap_err();
            assert!(refused.contains(sentence), "{refused}");
        }
    }
}
