//! The formats of a report. One that is added gets a variant, its endings, and an arm in [`write`].

#[cfg(feature = "html")]
use bigkeys::output::html;
use bigkeys::output::table::{self, Look};
use bigkeys::output::{folded, openmetrics};
use bigkeys::report::Report;
use clap::ValueEnum;

use super::args::output::Format;
use super::exit::{Exit, fail};
use super::sink::Sink;

/// The format of a report.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(super) enum ReportFormat {
    /// A table for people
    Table,
    /// JSON, as schema/report.schema.json describes it
    Json,
    /// One HTML file, which needs no network
    #[cfg(feature = "html")]
    Html,
    /// Memory by prefix, as flame graph tools read it
    Folded,
    /// Metrics for a textfile collector
    Openmetrics,
}

impl Format for ReportFormat {
    const WHAT: &'static str = "a report";
    const ENDINGS: &'static [(&'static str, Self)] = &[
        ("json", Self::Json),
        #[cfg(feature = "html")]
        ("html", Self::Html),
        #[cfg(feature = "html")]
        ("htm", Self::Html),
        ("folded", Self::Folded),
        ("prom", Self::Openmetrics),
    ];
}

/// Writes a report; `exit` is how the run ended otherwise.
pub(super) fn write(report: &Report, format: ReportFormat, mut sink: Sink, exit: Exit) -> Exit {
    let is_terminal = sink.is_terminal();
    let written = match format {
        ReportFormat::Json => sink.write(report, is_terminal),
        ReportFormat::Table => {
            let has_colour = is_terminal && std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty());
            let look = Look { width: width(is_terminal), has_colour };
            sink.write_with(|to| table::write(report, look, to))
        }
        #[cfg(feature = "html")]
        ReportFormat::Html => {
            let arguments = arguments(report.redacted.is_some());
            sink.write_with(|to| html::write(report, &arguments, to))
        }
        ReportFormat::Folded => sink.write_with(|to| folded::write(report, to)),
        ReportFormat::Openmetrics => sink.write_with(|to| openmetrics::write(report, to)),
    };
    match written {
        Ok(true) => {}
        Ok(false) => return exit,
        Err(sentence) => return fail(&sentence),
    }
    match sink.finish() {
        Ok(()) => exit,
        Err(sentence) => fail(&sentence),
    }
}

/// What the program was called with, for the foot of a page.
#[cfg(feature = "html")]
pub(super) fn arguments(is_redacted: bool) -> Vec<String> {
    // Patterns that were typed have parts of names.
    if is_redacted {
        return vec!["bigkeys".to_owned(), "(arguments left out: --redact)".to_owned()];
    }
    std::env::args_os().map(|argument| argument.to_string_lossy().into_owned()).collect()
}

/// The terminal's columns, or those of the variable `COLUMNS`, or 80.
pub(super) fn width(is_terminal: bool) -> usize {
    let from_variable = || std::env::var("COLUMNS").ok()?.parse().ok();
    let from_terminal = || terminal_size::terminal_size().map(|(width, _)| usize::from(width.0));
    is_terminal.then(from_terminal).flatten().or_else(from_variable).unwrap_or(80)
}
