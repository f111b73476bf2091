//! What the figures leave out or rest on, and where the page comes from.

use std::collections::BTreeSet;

use maud::{Markup, html};

use super::data::Block;
use super::parts::{digests, named};
use crate::error::Visible;
use crate::output::human::{count, moment};
use crate::report::Report;

/// Sentences about the memory model; dumps of many servers have as many.
const MODEL_NOTES_MAX: usize = 24;

/// What is not known, a sentence each.
pub(super) fn unknown(report: &Report, data: &Block) -> Markup {
    let sentences = sentences(report, data);
    html! {
        section #unknown aria-labelledby="unknown-title" {
            h2 #unknown-title { "What is not known" }
            @if sentences.is_empty() {
                p { "Nothing is left out, and every memory figure is exact." }
            } @else {
                ul { @for sentence in &sentences { li { bdi { (Visible(sentence.as_bytes()).to_string()) } } } }
            }
        }
    }
}

fn sentences(report: &Report, data: &Block) -> Vec<String> {
    let mut sentences = Vec::new();
    let mut say = |is_so: bool, sentence: String| {
        if is_so {
            sentences.push(sentence);
        }
    };
    say(
        report.memory_unknown_keys > 0,
        format!(
            "memory is unknown for {} keys of modules or newer types, which count with none",
            count(report.memory_unknown_keys)
        ),
    );
    say(
        report.memory_lower_bound_keys > 0,
        format!(
            "memory is a lower bound for {} keys, such as hashes without their template's share",
            count(report.memory_lower_bound_keys)
        ),
    );
    say(
        report.memory_estimated_keys > 0,
        format!("memory is an estimate for {} keys", count(report.memory_estimated_keys)),
    );
    say(
        report.ttl.unknown.keys > 0,
        "when keys expire is unknown where a dump does not say when it was made; use --now to give the time".to_owned(),
    );
    let prefixes = &report.prefixes.found;
    say(
        !prefixes.is_complete,
        if prefixes.has_longer {
            "prefixes of more than 8 parts or 128 bytes are left out; their keys count under shorter ones"
        } else {
            "there are more prefixes than there was room for; keys of the others count under shorter ones"
        }
        .to_owned(),
    );
    if let Some(tags) = report.slots.as_ref().map(|slots| &slots.tags) {
        say(
            !tags.is_complete,
            if tags.has_longer {
                "hash tags of more than 128 bytes are left out"
            } else {
                "there are more hash tags than there was room for; others may gather more"
            }
            .to_owned(),
        );
    }
    say(
        data.keys_left_out > 0,
        format!("this page leaves out {} listed keys, see above", count(data.keys_left_out as u64)),
    );
    for (left_out, what) in [
        (data.prefixes_left_out, "prefixes"),
        (data.tags_left_out, "hash tags"),
        (data.databases_left_out, "databases"),
    ] {
        let left_out = count(left_out as u64);
        say(
            left_out != "0",
            format!("this page leaves out the {left_out} smallest {what}; the JSON of the report has them"),
        );
    }
    sentences.extend(report.notes());
    let notes: BTreeSet<&String> = report.dumps.iter().flat_map(|dump| &dump.model_notes).collect();
    let more = notes.len().saturating_sub(MODEL_NOTES_MAX);
    sentences.extend(notes.into_iter().take(MODEL_NOTES_MAX).cloned());
    if more > 0 {
        sentences.push(format!("there are {more} more such notes, see model_notes in the JSON"));
    }
    sentences
}

/// Where the page comes from.
pub(super) fn foot(report: &Report, arguments: &[String]) -> Markup {
    let made: BTreeSet<i64> = report.dumps.iter().filter_map(|dump| dump.ttl_measured_at_ms).collect();
    let models: BTreeSet<String> =
        report.dumps.iter().map(|dump| format!("{} with {}", dump.target, dump.allocator)).collect();
    html! {
        footer {
            p {
                "bigkeys " (env!("CARGO_PKG_VERSION"))
                @if let (Some(first), Some(last)) = (made.first(), made.last()) {
                    " · figures of " (moment(*first))
                    @if last != first { " to " (moment(*last)) }
                }
                @for model in models.iter().take(4) { " · memory as MEMORY USAGE of " (model) }
            }
            p { code { @for argument in arguments { (named(argument.as_bytes())) " " } } }
            (digests(report.dumps.iter().filter_map(|dump| Some((dump.name.as_str(), dump.sha256.as_deref()?)))))
        }
    }
}
