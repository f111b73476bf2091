//! What a report is asked for, and how it is found in one dump.

use std::sync::{Arc, Mutex, PoisonError};

use super::beginnings::Beginnings;
use super::groups::{Group, Matcher};
use super::largest_keys::Sort;
use super::levels::Separators;
use super::names::Rank;
use super::shorts;
use crate::analysis::filter::Filter;
use crate::memory::{Allocator, Model, Target};

/// What is asked of a report.
#[derive(Clone, Debug)]
pub struct Question {
    /// How many keys on each list.
    pub top: usize,
    /// What the largest keys of all are chosen by.
    pub sort: Sort,
    /// Which keys.
    pub filter: Filter,
    /// The server whose memory is modelled; by default the one that wrote the dump.
    pub target: Option<Target>,
    /// The allocator of that server.
    pub allocator: Allocator,
    /// Bytes that end a prefix.
    pub separators: Vec<u8>,
    /// Whether these were found by a first look at names ([`crate::look_at_names`]).
    pub are_separators_found: bool,
    /// What names begin with that no separator cuts, which keys are counted under too, in the order of their bytes.
    pub beginnings: Vec<Box<[u8]>>,
    /// The prefix that all prefixes are below, if only those are asked for: their levels are counted from its end.
    pub under: Vec<u8>,
    /// Groups that keys are counted in.
    pub groups: Vec<Group>,
    /// Whether keys are told apart by their cluster slot.
    pub has_slots: bool,
    /// Whether the keys of listed prefixes and of groups are broken down ([`super::Breakdown`]), for which dumps are read twice.
    pub has_breakdown: bool,
}

impl Default for Question {
    fn default() -> Self {
        Self {
            top: 20,
            sort: Sort::default(),
            filter: Filter::default(),
            target: None,
            allocator: Allocator::default(),
            separators: b":".to_vec(),
            are_separators_found: false,
            beginnings: Vec::new(),
            under: Vec::new(),
            groups: Vec::new(),
            has_slots: false,
            has_breakdown: false,
        }
    }
}

/// A question as it is put to one dump.
#[derive(Debug)]
#[allow(clippy::struct_excessive_bools, reason = "each spares the path of a key a look at more")]
pub(crate) struct QueryPlan {
    pub(crate) top: usize,
    pub(super) sort: Sort,
    pub(crate) filter: Filter,
    /// Whether the filter lets all keys pass.
    pub(super) takes_all: bool,
    pub(super) separators: Separators,
    pub(super) under: Vec<u8>,
    pub(super) groups: Option<Matcher>,
    pub(super) beginnings: Beginnings,
    pub(super) separator_bytes: Vec<u8>,
    pub(super) late: Late,
    pub(crate) has_slots: bool,
    /// Whether keys are counted in slots, in groups or under beginnings.
    pub(super) has_beside_prefixes: bool,
    /// Whether keys are counted by their names: under prefixes or in slots.
    pub(super) needs_names: bool,
    /// The number of the dump.
    pub(crate) dump: u32,
    /// The moment that TTLs are seen from, in milliseconds since 1970, if it is known.
    pub(crate) now_ms: Option<i64>,
    pub(crate) model: Model,
    /// The server that was given, and not told from the dump.
    pub(super) given_target: Option<Target>,
    pub(super) shorts: shorts::Costs,
}

impl QueryPlan {
    /// # Errors
    /// A sentence if the groups are too many.
    pub(crate) fn new(
        question: &Question,
        filter: Filter,
        dump: u32,
        now_ms: Option<i64>,
        target: Target,
    ) -> Result<Arc<Self>, String> {
        let model = Model::new(target, question.allocator);
        let groups = (!question.groups.is_empty()).then(|| Matcher::new(&question.groups, &question.separators));
        let groups = groups.transpose()?;
        let beginnings = Beginnings::new(&question.beginnings);
        let has_beside_prefixes = question.has_slots || groups.is_some() || !beginnings.is_empty();
        Ok(Arc::new(Self {
            top: question.top,
            sort: question.sort,
            takes_all: filter.is_of_all(),
            filter,
            separators: Separators::new(&question.separators),
            under: question.under.clone(),
            needs_names: has_beside_prefixes || !question.separators.is_empty(),
            has_beside_prefixes,
            groups,
            beginnings,
            separator_bytes: question.separators.clone(),
            late: Late::default(),
            has_slots: question.has_slots,
            dump,
            now_ms,
            given_target: question.target,
            shorts: shorts::Costs::known(&model),
            model,
        }))
    }

    /// The part of a name that prefixes are found in, if it is under the prefix that was asked for.
    #[inline]
    pub(super) fn below<'n>(&self, name: &'n [u8]) -> Option<&'n [u8]> {
        name.strip_prefix(&self.under[..])
    }
}

/// The rank from which on prefixes will find no room in the end, as far as the scan from the dump's first record tells:
/// pieces need not hold what would be dropped. Of a million prefixes each, they would spend their time on holding them.
#[derive(Debug, Default)]
pub(super) struct Late(Mutex<Option<Rank>>);

impl Late {
    pub(super) fn get(&self) -> Option<Rank> {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn lower(&self, limit: Option<Rank>) {
        let mut late = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        *late = late.into_iter().chain(limit).min();
    }
}
