//! Which of the records before damage are to be doubted: damage is met behind the place where it happened.

use super::record::{Record, What};
use crate::rdb::deep::is_tolerated;
use crate::rdb::entry::Damage;
use crate::rdb::{Context, FormatElement, ParseError, ParseErrorKind};

/// Records before the damage that may be doubted.
pub(crate) const RECENT_MAX: usize = 64;

/// Records that look right, one after the other, behind which nothing is doubted any more.
const RIGHT_RUN: u32 = 8;

/// The records read last, and whether each looks like what a server writes.
#[derive(Debug, Default)]
pub(crate) struct Recent {
    /// Where each begins, and that bit: a ring once there are [`RECENT_MAX`].
    records: Vec<(u64, bool)>,
    /// Where the oldest is.
    first: usize,
}

impl Recent {
    /// Takes in a record that begins at `start`.
    #[inline]
    pub(crate) fn push(&mut self, start: u64, looks_right: bool) {
        if self.records.len() < RECENT_MAX {
            self.records.push((start, looks_right));
        } else if let Some(oldest) = self.records.get_mut(self.first) {
            *oldest = (start, looks_right);
            self.first = (self.first + 1) % RECENT_MAX;
        }
    }

    /// Takes in those that follow.
    pub(crate) fn append(&mut self, other: &Self) {
        other.in_order().for_each(|(start, looks_right)| self.push(start, looks_right));
    }

    fn in_order(&self) -> impl DoubleEndedIterator<Item = (u64, bool)> {
        let (behind, before) = self.records.split_at_checked(self.first).unwrap_or_default();
        before.iter().chain(behind).copied()
    }

    /// Takes in a record.
    pub(crate) fn add(&mut self, context: &Context, record: &Record<'_>) {
        const NAME_BYTES_MAX: usize = 1 << 16;
        let is_loaded = |flaw: &ParseError| is_tolerated(flaw, context.dialect, context.version);
        let looks_right = match &record.what {
            What::Key(key) => {
                let expiry_looks_right = key.expires_at_ms.is_none_or(is_likely_time_ms);
                let name_looks_right = (1..=NAME_BYTES_MAX).contains(&key.name.len());
                expiry_looks_right && name_looks_right && record.flaws.iter().all(is_loaded)
            }
            What::SelectDb(db) => *db < 1 << 20,
            What::ResizeDb { .. } => true,
            _ => record.flaws.is_empty(),
        };
        self.push(record.span.start, looks_right);
    }

    /// Forgets all records: those that come stand behind damage.
    pub(crate) fn clear(&mut self) {
        self.records.clear();
        self.first = 0;
    }

    /// Where the records begin that the damage may have made: what it was met in, at the latest.
    ///
    /// A record in front of others that look wrong may have lost its end to them. So may the one before an unknown
    /// opcode or type, or before zeros: a length that is wrong in it leads to somewhere that is no record, and zeros
    /// seldom begin just where a record does.
    pub(crate) fn doubtful_from(&self, damage: &Damage, record_start: u64) -> u64 {
        let error = damage.error;
        let is_no_record = error.element == FormatElement::Opcode && error.kind != ParseErrorKind::Eof;
        let mut first_wrong = None;
        let mut right_run = 0;
        let records = self.records.len();
        for (at, (_, looks_right)) in (0..records).rev().zip(self.in_order().rev()) {
            right_run = if looks_right { right_run + 1 } else { 0 };
            // What is wrong in front of so many that are right cost itself alone.
            if right_run == RIGHT_RUN {
                break;
            }
            if !looks_right {
                first_wrong = Some(at);
            }
        }
        let first = match first_wrong {
            Some(at) => at.saturating_sub(1),
            None if is_no_record => records.saturating_sub(1),
            None => records,
        };
        self.in_order().nth(first).map_or(record_start, |(start, _)| start)
    }
}

/// Whether a key may expire at such a time: before the year 5138.
pub(crate) fn is_likely_time_ms(at_ms: i64) -> bool {
    (0..100_000_000_000_000).contains(&at_ms)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn from(looks_right: &[bool], kind: ParseErrorKind) -> usize {
        let mut recent = Recent::default();
        looks_right.iter().zip(0..).for_each(|(looks_right, at)| recent.push(at, *looks_right));
        let end = looks_right.len() as u64;
        let error = ParseError { offset: end, kind, element: FormatElement::Opcode, declared: 0 };
        let damage = Damage { error, key: None, record_offset: end };
        usize::try_from(recent.doubtful_from(&damage, end)).unwrap()
    }

    #[test]
    fn what_led_to_damage_is_doubted_and_no_more() {
        assert_eq!(from(&[true; 20], ParseErrorKind::Eof), 20);
        assert_eq!(from(&[true; 20], ParseErrorKind::UnknownOpcode), 19);
        let mut records = [true; 20];
        records[15] = false;
        assert_eq!(from(&records, ParseErrorKind::Eof), 14);
        records[13] = false;
        assert_eq!(from(&records, ParseErrorKind::Zeros), 12);
        records[2] = false;
        assert_eq!(from(&records, ParseErrorKind::Eof), 12);
        assert_eq!(from(&[], ParseErrorKind::Eof), 0);
    }

    #[test]
    fn the_last_records_are_held_however_many_came() {
        let mut whole = Recent::default();
        let mut joined = Recent::default();
        for stretch in [3, 200, 0, 40, 64, 65, 1] {
            let mut part = Recent::default();
            for _ in 0..stretch {
                let start = whole.in_order().last().map_or(0, |(start, _)| start + 1);
                whole.push(start, start % 3 == 0);
                part.push(start, start % 3 == 0);
            }
            joined.append(&part);
            assert!(whole.in_order().eq(joined.in_order()));
            assert!(whole.in_order().is_sorted() && whole.records.len() <= RECENT_MAX);
        }
    }
}
