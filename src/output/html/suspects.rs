//! The findings that matter most, each in two sentences with what it saves and what to type next.

use maud::{Markup, html};

use super::parts::map_link;
use crate::error::Visible;
use crate::output::human::{bytes, counted};
use crate::report::{Finding, Report, SavingBasis, SubjectKind};

/// Findings that are shown; the JSON has all of them.
const FINDINGS_MAX: usize = 7;

/// Commands of a finding that are shown.
const COMMANDS_MAX: usize = 2;

/// Nothing if there is nothing to find fault with.
pub(super) fn section(report: &Report) -> Markup {
    let findings = &report.findings;
    if findings.is_empty() {
        return html! {};
    }
    html! {
        section #suspects aria-labelledby="suspects-title" {
            h2 #suspects-title { "What to do" }
            ol.findings { @for finding in findings.iter().take(FINDINGS_MAX) { (one(finding)) } }
            @if findings.len() > FINDINGS_MAX {
                p.note {
                    "and " (counted((findings.len() - FINDINGS_MAX) as u64, "more finding", "more findings"))
                    " in the JSON of the report"
                }
            }
        }
    }
}

fn one(finding: &Finding) -> Markup {
    html! {
        li class=(finding.severity.name()) {
            p { strong { (finding.severity.name()) } " " bdi { (visible(&finding.what)) } }
            p {
                bdi { (visible(&finding.action)) }
                @if let Some(saving) = &finding.bytes_saved {
                    " " span.saves {
                        @match saving.basis {
                            SavingBasis::Exact => "Saves ",
                            SavingBasis::LowerBound => "Saves at least ",
                            SavingBasis::Estimate => "Saves about ",
                        }
                        (bytes(saving.bytes)) "."
                    }
                }
            }
            @for command in finding.commands.iter().take(COMMANDS_MAX) {
                pre tabindex="0" { code { bdi { (visible(command)) } } }
            }
            @if let Some(place) = place(finding) { p { a href=(place) { "Show it on the map" } } }
            @if let Some(source) = &finding.source { p.note { (visible(source)) } }
        }
    }
}

fn visible(text: &str) -> String {
    Visible(text.as_bytes()).to_string()
}

/// The link to a prefix on the map.
fn place(finding: &Finding) -> Option<String> {
    let name = finding.subject.name.as_ref().filter(|_| finding.subject.kind == SubjectKind::Prefix)?;
    Some(map_link(name))
}
