//! The limits that a report is held to.

use std::fs;
use std::path::{Path, PathBuf};

use bigkeys::forensics::Redaction;
use bigkeys::report::{Budget, Limit, Report};
use clap::Args;
use clap::builder::ValueHint;
use toml::{Table, Value};

use crate::cli::exit::{Exit, say};

#[derive(Debug, Args)]
#[command(next_help_heading = "Budget")]
pub(crate) struct BudgetArgs {
    /// Fail with exit code 3 if a limit of this TOML file is exceeded, such as [key] memory = "1MiB"
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub(crate) budget: Option<PathBuf>,

    /// Fail with exit code 3 if this holds, such as 'key.memory > 1MiB'; may be repeated
    ///
    /// SUBJECT.MEASURE > VALUE. Subjects are key, prefix, group, type, db, dump and total; prefix[user:], type[hash] and db[0] are one of
    /// them. Measures are memory, allocated, serialized, elements, keys and `without_ttl`, which is a share such as 20%.
    #[arg(long, value_name = "LIMIT", value_parser = limit)]
    pub(crate) fail_if: Vec<Limit>,
}

fn limit(text: &str) -> Result<Limit, String> {
    text.parse().map_err(|error: bigkeys::report::LimitError| error.to_string())
}

impl BudgetArgs {
    /// The limits that were given.
    ///
    /// # Errors
    /// A sentence if the file cannot be read or is not a budget, with the place in it.
    pub(crate) fn budget(&self) -> Result<Budget, String> {
        let mut budget = Budget::default();
        if let Some(path) = &self.budget {
            add_file(&mut budget, path)?;
        }
        self.fail_if.iter().cloned().for_each(|limit| budget.add(limit));
        Ok(budget)
    }
}

/// Holds a report to a budget, and says what exceeds it on standard error, with stand-ins for names if there are to be some.
pub(crate) fn hold(budget: &Budget, report: &Report, redaction: Option<&Redaction>) -> Exit {
    let verdict = match redaction {
        Some(redaction) => budget.check_as(report, &|name| redaction.name(name)),
        None => budget.check(report),
    };
    for sentence in verdict.breaches.iter().chain(&verdict.undecided) {
        say(sentence);
    }
    if verdict.more > 0 {
        say(&format!("over budget: and {} more", verdict.more));
    }
    if verdict.breaches.is_empty() { Exit::Sound } else { Exit::OverBudget }
}

fn add_file(budget: &mut Budget, path: &Path) -> Result<(), String> {
    let named = |what: &dyn std::fmt::Display| format!("{}: {what}", path.display());
    let text = fs::read_to_string(path).map_err(|error| named(&format!("could not read it: {error}")))?;
    let table: Table = text.parse().map_err(|error: toml::de::Error| named(&error.to_string().trim_end()))?;
    for (subject, limits) in &table {
        let Value::Table(limits) = limits else { return Err(named(&format!("{subject}: expected a table of limits"))) };
        for (name, value) in limits {
            let (one, limits) = match value {
                Value::Table(limits) => (Some(name.as_str()), limits.iter().collect()),
                value => (None, vec![(name, value)]),
            };
            for (measure, value) in limits {
                let text = match value {
                    Value::String(text) => text.clone(),
                    Value::Integer(number) => number.to_string(),
                    _ => return Err(named(&format!("{subject}.{name}: expected a number or a text such as \"1MiB\""))),
                };
                let place = one.map_or_else(|| subject.clone(), |one| format!("{subject}.{one}"));
                budget
                    .add_table(subject, one, measure, &text)
                    .map_err(|what| named(&format!("[{place}] {measure}: {what}")))?;
            }
        }
    }
    Ok(())
}
