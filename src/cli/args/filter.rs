//! Which keys are of interest.

use std::os::unix::ffi::OsStrExt;

use bigkeys::Pattern;
use bigkeys::analysis::filter::{BIG_ELEMENTS, BIG_STRING_BYTES, BIG_VALUE_BYTES, Bounds, Expired, Filter, Ttl};
use bigkeys::rdb::Kind;
use clap::builder::{OsStringValueParser, PossibleValuesParser, TypedValueParser};
use clap::{Args, ValueEnum};
use jiff::Timestamp;

use super::value::{bytes, duration_bounds, frequency_bounds, number, slot_bounds, time, ttl};

#[derive(Debug, Args)]
#[command(next_help_heading = "Filter")]
pub(crate) struct FilterArgs {
    /// Only this database; may be repeated. A key must pass every kind of filter, and of one that is repeated any value
    #[arg(long = "db", value_name = "N", value_parser = number, allow_negative_numbers = true)]
    pub(crate) databases: Vec<u64>,

    /// Only this type; may be repeated
    #[arg(long = "type", value_name = "TYPE", value_parser = kind_parser())]
    pub(crate) kinds: Vec<Kind>,

    /// Not this type; may be repeated
    #[arg(long = "not-type", value_name = "TYPE", value_parser = kind_parser())]
    pub(crate) not_kinds: Vec<Kind>,

    /// Only names that match this glob, with the syntax of KEYS and \xff for any byte; may be repeated
    #[arg(long = "match", value_name = "GLOB", value_parser = glob_parser())]
    pub(crate) globs: Vec<Pattern>,

    /// Only names that match this regular expression, over bytes ((?u) for Unicode); may be repeated
    #[arg(long = "regex", value_name = "REGEX", value_parser = Pattern::regex)]
    pub(crate) regexes: Vec<Pattern>,

    /// Not names that match this glob; may be repeated
    #[arg(long = "not-match", value_name = "GLOB", value_parser = glob_parser())]
    pub(crate) not_globs: Vec<Pattern>,

    /// Not names that match this regular expression; may be repeated
    #[arg(long = "not-regex", value_name = "REGEX", value_parser = Pattern::regex)]
    pub(crate) not_regexes: Vec<Pattern>,

    /// Only strings of at least N bytes; K, M, G and T are powers of 1,024
    #[arg(long, value_name = "N", value_parser = bytes, allow_negative_numbers = true, conflicts_with = "big")]
    pub(crate) min_bytes: Option<u64>,

    /// Only strings of at most N bytes
    #[arg(long, value_name = "N", value_parser = bytes, allow_negative_numbers = true)]
    pub(crate) max_bytes: Option<u64>,

    /// Only collections of at least N elements
    #[arg(long, value_name = "N", value_parser = number, allow_negative_numbers = true, conflicts_with = "big")]
    pub(crate) min_elements: Option<u64>,

    /// Only keys that take at least N bytes of memory; K, M, G and T are powers of 1,024
    #[arg(long, value_name = "N", value_parser = bytes, allow_negative_numbers = true)]
    pub(crate) min_memory: Option<u64>,

    /// Only keys that take at most N bytes of memory
    #[arg(long, value_name = "N", value_parser = bytes, allow_negative_numbers = true)]
    pub(crate) max_memory: Option<u64>,

    /// Only keys with a time to live from A to B, such as 1h..7d, ..1h or 30d.., or none; may be repeated
    #[arg(long = "ttl", value_name = "A..B", value_parser = ttl, allow_hyphen_values = true)]
    pub(crate) ttls: Vec<Ttl>,

    /// Only keys that have not been used for A to B, such as 30d.., where the dump has idle times; may be repeated
    #[arg(long = "idle", value_name = "A..B", value_parser = duration_bounds, allow_hyphen_values = true)]
    pub(crate) idle: Vec<Bounds>,

    /// Only keys with an LFU counter from A to B, such as 100.., where the dump has counters; may be repeated
    #[arg(long = "frequency", value_name = "A..B", value_parser = frequency_bounds, allow_hyphen_values = true)]
    pub(crate) frequencies: Vec<Bounds>,

    /// Only keys of the cluster slots from A to B; may be repeated
    #[arg(long = "slot", value_name = "A..B", value_parser = slot_bounds, allow_hyphen_values = true)]
    pub(crate) only_slots: Vec<Bounds>,

    /// Only keys over the published limits: strings over 10 KB, others over 5,000 elements or 50 MB in the dump
    #[arg(long)]
    pub(crate) big: bool,

    /// What to do with keys already expired when the dump was taken
    #[arg(long, value_name = "HOW", value_enum, default_value_t = HowExpired::Keep)]
    pub(crate) expired: HowExpired,

    /// The time that decides which keys have expired and that times to live are measured from, instead of the dump's own
    #[arg(long, value_name = "TIME", value_parser = time, allow_negative_numbers = true)]
    pub(crate) now: Option<Timestamp>,
}

impl FilterArgs {
    pub(crate) fn filter(&self) -> Filter {
        let (min_bytes, min_elements) = if self.big {
            (Some(BIG_STRING_BYTES + 1), Some(BIG_ELEMENTS + 1))
        } else {
            (self.min_bytes, self.min_elements)
        };
        Filter {
            databases: self.databases.clone(),
            kinds: self.kinds.clone(),
            not_kinds: self.not_kinds.clone(),
            patterns: self.globs.iter().chain(&self.regexes).cloned().collect(),
            not_patterns: self.not_globs.iter().chain(&self.not_regexes).cloned().collect(),
            min_bytes: min_bytes.unwrap_or(0),
            max_bytes: self.max_bytes,
            min_elements: min_elements.unwrap_or(0),
            memory_bytes: Bounds { from: self.min_memory, to: self.max_memory },
            ttls: self.ttls.clone(),
            idle_seconds: self.idle.clone(),
            frequencies: self.frequencies.clone(),
            slots: self.only_slots.clone(),
            or_value_bytes: self.big.then_some(BIG_VALUE_BYTES),
            expired: self.expired.into(),
            now_ms: self.now.map(Timestamp::as_millisecond),
        }
    }

    /// The filter, for commands to which the time matters only as part of it.
    ///
    /// # Errors
    /// A sentence if `--now` changes nothing.
    pub(crate) fn filter_without_ages(&self) -> Result<Filter, String> {
        let filter = self.filter();
        if self.now.is_some() && !filter.needs_now() {
            return Err("--now decides which keys have expired and how long others live: use it with --expired skip, \
                 --expired only or --ttl"
                .to_owned());
        }
        Ok(filter)
    }
}

/// What to do with expired keys.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum HowExpired {
    /// Include them
    Keep,
    /// Leave them out
    Skip,
    /// Only those
    Only,
}

impl From<HowExpired> for Expired {
    fn from(how: HowExpired) -> Self {
        match how {
            HowExpired::Keep => Self::Keep,
            HowExpired::Skip => Self::Skip,
            HowExpired::Only => Self::Only,
        }
    }
}

/// Globs of any bytes: names are bytes, and a shell can write them.
fn glob_parser() -> impl TypedValueParser<Value = Pattern> {
    OsStringValueParser::new().try_map(|glob| Pattern::glob_bytes(glob.as_bytes()))
}

fn kind_parser() -> impl TypedValueParser<Value = Kind> {
    PossibleValuesParser::new(Kind::ALL.map(Kind::name))
        .try_map(|name| Kind::ALL.into_iter().find(|kind| kind.name() == name).ok_or("an unknown type"))
}
