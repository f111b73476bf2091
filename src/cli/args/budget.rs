//! The limits that a report is held to.

use std::fs;
use std::path::{Path, PathBuf};

use bigkeys::Progress;
use bigkeys::forensics::Redaction;
use bigkeys::input::{is_url, shown};
use bigkeys::report::{Budget, Limit, Report, Verdict};
use clap::Args;
use clap::builder::ValueHint;
use toml::{Table, Value};

use crate::cli::exit::{Exit, say};
use crate::cli::report_file::read;

#[derive(Debug, Args)]
#[command(next_help_heading = "Budget")]
pub(crate) struct BudgetArgs {
    /// Fail with exit code 3 if a limit of this TOML file is exceeded, such as [key] memory = "1MiB"
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub(crate) budget: Option<PathBuf>,

    /// Fail with exit code 3 if this holds, such as 'key.memory > 1MiB'; may be repeated
    ///
    /// SUBJECT.MEASURE > VALUE. Subjects are key, prefix, group, type, db, dump and total; prefix[user:], type[hash] and db[0] are one of
    /// them. Measures are memory, allocated, serialized, elements, keys and `without_ttl`, which is a share such as 20%. With
    /// `_growth`, as in `total.memory_growth > 10%`, it is what came since the report of --baseline.
    #[arg(long, value_name = "LIMIT", value_parser = limit)]
    pub(crate) fail_if: Vec<Limit>,

    /// Measure growth against this earlier report, as JSON; a budget file can name it as baseline = "FILE"
    #[arg(long, value_name = "REPORT", value_hint = ValueHint::FilePath)]
    pub(crate) baseline: Option<PathBuf>,
}

/// Limits, and the report that growth is measured against.
pub(crate) struct LoadedBudget {
    budget: Budget,
    baseline: Option<(PathBuf, Report)>,
}

fn limit(text: &str) -> Result<Limit, String> {
    text.parse().map_err(|error: bigkeys::report::LimitError| error.to_string())
}

impl BudgetArgs {
    /// The files that are read for it.
    pub(crate) fn inputs(&self) -> Vec<PathBuf> {
        // Of a file that cannot be read, what names it is said when it is needed.
        let named = self.budget.as_ref().and_then(|path| add_file(&mut Budget::default(), path).ok().flatten());
        self.budget.iter().cloned().chain(self.baseline.clone().or(named)).collect()
    }

    /// The limits that were given, and the earlier report.
    ///
    /// # Errors
    /// A sentence if a file cannot be read or is not what it should be, with the place in it; if growth is limited without an
    /// earlier report, or one is given and growth is not limited.
    pub(crate) fn budget(&self) -> Result<LoadedBudget, String> {
        let mut budget = Budget::default();
        let mut baseline = None;
        if let Some(path) = &self.budget {
            baseline = add_file(&mut budget, path)?;
        }
        self.fail_if.iter().cloned().for_each(|limit| budget.add(limit));
        let baseline = self.baseline.clone().or(baseline);
        let baseline = match (baseline, budget.limits_growth()) {
            (None, true) => return Err("limits on growth need an earlier report: use --baseline REPORT".to_owned()),
            (Some(_), false) => return Err("--baseline has no effect: no limit is on growth".to_owned()),
            (None, false) => None,
            (Some(path), true) => {
                let report = read(&path, &Progress::default()).map_err(|what| format!("{}: {what}", shown(&path)))?;
                Some((path, report))
            }
        };
        Ok(LoadedBudget { budget, baseline })
    }
}

impl LoadedBudget {
    /// Holds a report to the limits, and says what exceeds them on standard error, with stand-ins for names if there are to be some.
    ///
    /// # Errors
    /// A sentence if growth cannot be told: the earlier report is of another question.
    pub(crate) fn hold(&self, report: &Report, redaction: Option<&Redaction>) -> Result<(Exit, Verdict), String> {
        let earlier = self.baseline.as_ref().map(|(_, report)| report);
        let verdict = match redaction {
            Some(redaction) => self.budget.check_as(report, earlier, &|name| redaction.name(name)),
            None => self.budget.check(report, earlier),
        };
        let named = |what: String| match &self.baseline {
            Some((path, _)) => format!("{}: {what}", shown(path)),
            None => what,
        };
        let verdict = verdict.map_err(named)?;
        verdict.breaches.iter().for_each(|breach| say(&breach.to_string()));
        verdict.undecided.iter().for_each(|sentence| say(sentence));
        if verdict.more > 0 {
            say(&format!("over budget: and {} more", verdict.more));
        }
        let exit = if verdict.breaches.is_empty() { Exit::Sound } else { Exit::OverBudget };
        Ok((exit, verdict))
    }
}

/// Adds the limits of a file; gives the path of the earlier report that it names.
///
/// # Errors
/// A sentence with the place in the file.
fn add_file(budget: &mut Budget, path: &Path) -> Result<Option<PathBuf>, String> {
    let named = |what: &dyn std::fmt::Display| format!("{}: {what}", path.display());
    let text = fs::read_to_string(path).map_err(|error| named(&format!("could not read it: {error}")))?;
    let mut table: Table = text.parse().map_err(|error: toml::de::Error| named(&error.to_string().trim_end()))?;
    let baseline = match table.remove("baseline") {
        None => None,
        Some(Value::String(baseline)) if is_url(Path::new(&baseline)) => Some(PathBuf::from(baseline)),
        // As with other files that name files, from the folder that it is in.
        Some(Value::String(baseline)) => Some(path.parent().unwrap_or(Path::new("")).join(baseline)),
        Some(_) => return Err(named(&"baseline: expected the path of a report")),
    };
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
    Ok(baseline)
}
