//! Where the output goes, and in which format.

use std::path::{Path, PathBuf};

use bigkeys::input::shown;
use clap::builder::ValueHint;
use clap::{Args, ValueEnum};

#[derive(Debug, Args)]
#[command(next_help_heading = "Output")]
pub(crate) struct OutputArgs {
    /// Write to this file or, by its URL, to an object in a bucket, whole or not at all
    #[arg(short, long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub(crate) output: Option<PathBuf>,
}

/// The formats of one command.
pub(crate) trait Format: ValueEnum + 'static {
    /// What the command writes, as in "a report".
    const WHAT: &'static str;

    /// Endings of file names without the dot, in lower case, and the format that each stands for.
    const ENDINGS: &'static [(&'static str, Self)];
}

/// The format that was asked for: by its name, else by the ending of the output's name, else `default`.
///
/// # Errors
/// A sentence if the ending stands for a format that the command does not write.
pub(crate) fn choose<F: Format>(given: Option<F>, output: Option<&Path>, default: F) -> Result<F, String> {
    let ending = output.and_then(Path::extension).map(|ending| ending.to_string_lossy().to_ascii_lowercase());
    let (Some(path), Some(ending), None) = (output, ending, &given) else { return Ok(given.unwrap_or(default)) };
    if let Some((_, format)) = F::ENDINGS.iter().find(|(known, _)| *known == ending) {
        return Ok(format.clone());
    }
    let advice = match ending.as_str() {
        "csv" | "ndjson" | "jsonl" | "parquet" | "arrow" if F::WHAT != "rows" => "; use `bigkeys keys`",
        "json" | "folded" if F::WHAT == "rows" => "; use `bigkeys report`",
        "csv" | "ndjson" | "jsonl" | "parquet" | "arrow" | "json" | "folded" | "html" => "",
        "gz" | "zst" | "lz4" | "xz" | "bz2" => "; bigkeys does not compress, so pipe its output into a compressor",
        _ => return Ok(default),
    };
    let names: Vec<String> = F::value_variants()
        .iter()
        .filter_map(ValueEnum::to_possible_value)
        .map(|value| value.get_name().to_owned())
        .collect();
    let (path, what, names) = (shown(path), F::WHAT, names.join(", "));
    Err(format!("{path}: {what} cannot be written as .{ending}{advice} (formats: {names})"))
}
