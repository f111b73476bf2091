//! What an instance's tasks list, and how long they are kept.

use serde::Deserialize;
use toml::Spanned;

use super::config_source::{ConfigError, Source};
use crate::analysis::filter::Filter;
use crate::analysis::{Pattern, Question};
use crate::task::{TASKS_KEPT, TaskQuestion};

/// The most keys of a type that a task lists: names of as many fit into the analysis's memory.
const TOP_MAX: usize = 10_000;

/// The longest that tasks are kept for, if not for ever: 100 years.
const DAYS_MAX: u32 = 36_500;

/// Which keys an instance's tasks list.
#[derive(Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct KeysEntry {
    top: usize,
    top_per: TopPer,
    min_bytes: u64,
    min_elements: u64,
    #[serde(rename = "match")]
    patterns: Vec<String>,
    databases: Vec<u64>,
}

/// Whether the top list of a type is of each database, or of the instance.
#[derive(Clone, Copy, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "lowercase")]
enum TopPer {
    Database,
    Instance,
}

/// How long an instance's tasks that have ended are kept.
#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Eq)]
#[serde(deny_unknown_fields, default)]
pub(super) struct Keep {
    /// The newest of each kind.
    pub(super) tasks: u32,
    /// No older ones than this; 0 for any age.
    pub(super) days: u32,
}

impl Default for KeysEntry {
    fn default() -> Self {
        let top = Question::default().top;
        let (patterns, databases) = (Vec::new(), Vec::new());
        Self { top, top_per: TopPer::Database, min_bytes: 0, min_elements: 0, patterns, databases }
    }
}

impl Default for Keep {
    fn default() -> Self {
        Self { tasks: TASKS_KEPT, days: 0 }
    }
}

/// What an instance's tasks are asked.
///
/// # Errors
/// A number out of its bounds, or a pattern that is not one.
pub(super) fn question(source: &Source, keys: &Spanned<KeysEntry>) -> Result<TaskQuestion, ConfigError> {
    let KeysEntry { top, top_per, min_bytes, min_elements, patterns, databases } = keys.get_ref();
    if !(1..=TOP_MAX).contains(top) {
        return Err(source.error(keys, format!("`top` is 1 to {TOP_MAX}")));
    }
    let patterns = patterns.iter().map(|glob| Pattern::glob(glob)).collect::<Result<_, _>>();
    let patterns = patterns.map_err(|message| source.error(keys, format!("`match`: {message}")))?;
    let filter = Filter {
        patterns,
        databases: databases.clone(),
        min_bytes: *min_bytes,
        min_elements: *min_elements,
        ..Filter::default()
    };
    let question = Question { top: *top, filter, ..Question::default() };
    Ok(TaskQuestion { question, is_of_instance: *top_per == TopPer::Instance })
}

/// How long an instance's tasks are kept.
///
/// # Errors
/// A number out of its bounds.
pub(super) fn keep(source: &Source, keep: &Spanned<Keep>) -> Result<Keep, ConfigError> {
    let Keep { tasks, days } = *keep.get_ref();
    if !(1..=TASKS_KEPT).contains(&tasks) {
        return Err(source.error(keep, format!("`tasks` is 1 to {TASKS_KEPT}")));
    }
    if days > DAYS_MAX {
        return Err(source.error(keep, format!("`days` is at most {DAYS_MAX}; 0 is any age")));
    }
    Ok(Keep { tasks, days })
}
