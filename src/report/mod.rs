//! The report: what a dump holds, what it costs a server, and which keys, prefixes and shards that is.
//!
//! A scan gathers a `census`, which merges in any grouping; at its end it becomes a [`Report`], the one type that all
//! formats are written from, and that is read again to be merged with others ([`Report::merge`]). Its JSON is described by
//! `schema/report.schema.json`.

mod beginnings;
mod breakdown;
mod budget;
mod build;
mod cache;
pub(crate) mod census;
mod compression;
mod expiry;
mod filters;
mod finding;
pub(crate) mod first_look;
mod groups;
mod held;
mod key_row;
pub(crate) mod largest;
mod largest_keys;
mod levels;
mod limit;
mod mapped;
mod merge;
pub(crate) mod model_notes;
pub(crate) mod name_sample;
mod names;
mod numbers;
mod prefix;
mod prefix_section;
mod question;
mod rank;
pub(crate) mod recount;
mod row;
mod row_block;
pub(crate) mod rows;
mod rules;
mod sections;
mod server;
mod shorts;
mod slots;
mod sparse_spread;
mod spread;
mod suspects;
mod tally;
mod text;
pub(crate) mod unlike;
mod value_format;
mod weight;
mod what_if;

use serde::{Deserialize, Serialize};

pub use beginnings::BeginningsFound;
pub use breakdown::{Breakdown, ClassWeight};
pub use budget::{Breach, Budget, Verdict};
pub use compression::{Compressed, CompressionFound, PrefixCompression, ValueSample};
pub use expiry::{ExpiryDay, ExpiryDays, ExpiryPeak};
pub use filters::{FilteredExpired, Filters};
pub use finding::{Evidence, Finding, Saving, SavingBasis, Severity, SlotsMoved, Subject, SubjectKind, TagMoved};
pub use groups::{Group, GroupTally, GroupsFound};
pub use key_row::KeyRow;
pub use largest_keys::{LargestKey, LargestKeys, Sort};
pub use limit::{Limit, LimitError};
pub use mapped::NameMap;
pub use names::{NameTally, NamesFound};
pub use numbers::Streams;
pub use prefix_section::{HeavyPrefixes, Prefixes};
pub(crate) use question::QueryPlan;
pub use question::Question;
pub use rank::By;
pub use row::Row;
pub use row_block::{RowBlock, RowCells};
pub use rules::{KeySize, Rules};
pub use sections::{
    DatabaseTally, DumpInfo, EncodingKeys, FrequencyTally, KindSizes, OtherDatabases, TopCut, TopKeys, TypeTally,
};
pub use server::ServerMemory;
pub use slots::{SlotTally, SlotsFound};
pub use sparse_spread::SparseSpread;
pub use spread::{KindSpreads, Spread};
pub use suspects::{SuspectKey, SuspectKeys, Suspects, Suspicion};
pub use tally::{SizeBucket, Sizes, Tally, Ttls};
pub use text::Name;
pub use weight::Weight;
pub use what_if::PackedIf;

use crate::analysis::room::Cut;
use numbers::{TALLIES_MAX, room};
use sections::is_zero;

/// The version of the report's JSON: the schema's.
const FORMAT: &str = "bigkeys-report/1";

/// What one or several dumps hold.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Report {
    /// What this JSON is: `bigkeys-report/1`.
    pub format: String,
    /// Whether every dump was read to its end and found sound.
    pub is_complete: bool,
    /// What names were replaced by, if they were: `digits`, or `names` or `hmac` with an ID of the key. Reports of the same are
    /// comparable.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub redacted: Option<String>,
    /// What is worth doing something about, the most severe first, if it was judged ([`crate::findings::judge`]). A report
    /// that took in another has none until it is judged anew.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub findings: Vec<Finding>,
    /// The dumps, in the order in which they were read.
    pub dumps: Vec<DumpInfo>,
    /// Which keys it is about.
    pub filters: Filters,
    /// All keys together.
    pub totals: Tally,
    /// Keys whose memory is not known: values of modules, and of types that no model has. They count with none.
    pub memory_unknown_keys: u64,
    /// Keys with names of more than 8 MiB, which are in no prefix and no slot.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub oversized_names: u64,
    /// Keys whose memory is a lower bound: hashes in templates, without their share of the template.
    #[serde(default)]
    pub memory_lower_bound_keys: u64,
    /// Keys whose memory is an estimate: what the server leaves to chance, and rules that were not checked on it.
    #[serde(default)]
    pub memory_estimated_keys: u64,
    /// By database, type and encoding.
    pub databases: Vec<DatabaseTally>,
    /// The keys of all databases above these, if there are too many to have tallies each.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub other_databases: Option<OtherDatabases>,
    /// The largest keys of all.
    #[serde(default)]
    pub largest_keys: LargestKeys,
    /// The top keys of each database and type.
    pub top: Vec<TopKeys>,
    /// How many keys a list has at most.
    pub top_keys_max: usize,
    /// What was cut of the lists, if they would have held too much.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub top_cut: Option<TopCut>,
    /// Whether the listed keys were looked into for their largest elements, of one dump at least.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub has_largest_elements: bool,
    /// Keys by how soon they expire, seen from [`DumpInfo::ttl_measured_at_ms`].
    pub ttl: Ttls,
    /// Keys by the day on which they expire, if a dump of a known time has any that have not.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expiry_days: Option<ExpiryDays>,
    /// Keys by their sizes.
    pub sizes: Vec<KindSizes>,
    /// Percentiles of the keys' figures, by type.
    #[serde(default)]
    pub percentiles: Vec<KindSpreads>,
    /// Keys by how many seconds they have not been used, if the dump has it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub idle_seconds: Vec<SizeBucket>,
    /// Keys by their LFU counter, if the dump has it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub frequencies: Vec<FrequencyTally>,
    /// Prefixes of names.
    pub prefixes: Prefixes,
    /// What names begin with that no separator cuts, where separators were looked for: at least 1 % of all memory.
    #[serde(default, skip_serializing_if = "BeginningsFound::is_empty")]
    pub beginnings: BeginningsFound,
    /// Groups of keys, if they were asked for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub groups: Option<GroupsFound>,
    /// Slots and hash tags, if they were asked for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub slots: Option<SlotsFound>,
    /// What streams hold besides entries.
    pub streams: Streams,
    /// Values of modules, by module type.
    pub modules: NamesFound,
    /// Keys that rules are about.
    #[serde(default, skip_serializing_if = "Suspects::is_empty")]
    pub suspects: Suspects,
    /// What tables would take packed, by type and by the server's limits.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub packed_if: Vec<PackedIf>,
    /// How well values compress, and what they are.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub compression: Option<CompressionFound>,
}

impl Report {
    /// How far the lists are cut, and how many keys were asked for.
    fn cut(&self) -> (Cut, usize) {
        let asked = self.top_cut.as_ref().map_or(self.top_keys_max, |cut| cut.keys_asked);
        let mut cut = Cut::none(self.top_keys_max);
        if let Some(TopCut { without_databases_from, .. }) = self.top_cut {
            let room = room(asked);
            cut.name_bytes_max = room.name_bytes / room.keys;
            cut.first_unlisted_db = without_databases_from;
        }
        (cut, asked)
    }

    fn set_cut(&mut self, cut: &Cut, asked: usize) {
        self.top_keys_max = cut.keys_max;
        let is_cut = cut.keys_max < asked || cut.first_unlisted_db.is_some();
        self.top_cut = is_cut.then_some(TopCut { keys_asked: asked, without_databases_from: cut.first_unlisted_db });
    }

    /// What is not in the report for want of room, in sentences.
    pub fn notes(&self) -> Vec<String> {
        let (cut, asked) = self.cut();
        let listed = self.top.iter().flat_map(|list| &list.keys);
        let mut cut_names: Vec<(u32, u64)> =
            listed.filter(|key| key.name_bytes.is_some()).map(|key| (key.dump, key.offset)).collect();
        cut_names.sort_unstable();
        cut_names.dedup();
        let mut notes = cut.notes(room(asked), asked, cut_names.len());
        if let Some(OtherDatabases { from_db, tally, .. }) = &self.other_databases {
            notes.push(format!(
                "the {} keys of databases from {from_db} on are counted together (limit: {TALLIES_MAX} tallies by \
                 database, type and encoding); use --db to count them apart",
                tally.keys
            ));
        }
        if self.oversized_names > 0 {
            notes.push(oversized_note(self.oversized_names, "not in prefixes and slots"));
        }
        notes
    }

    /// Whether this is a report that this version can merge.
    ///
    /// # Errors
    /// A sentence if its JSON is of another version.
    pub fn check(&self) -> Result<(), String> {
        if self.format == FORMAT {
            Ok(())
        } else {
            Err(format!("unknown report format {} (expected {FORMAT})", self.format))
        }
    }
}

/// How many keys have names that are too long to be held, and what that means for them.
pub(crate) fn oversized_note(keys: u64, what: &str) -> String {
    match keys {
        1 => format!("1 key has a name of more than 8 MiB: {what}"),
        _ => format!("{keys} keys have names of more than 8 MiB: {what}"),
    }
}
