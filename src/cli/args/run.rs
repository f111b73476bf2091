//! How a run goes: threads, verification, progress.

use bigkeys::Options;
use clap::{Args, ValueEnum};

use super::value::from_to;

#[derive(Debug, Args)]
#[command(next_help_heading = "Run")]
pub(crate) struct ScanArgs {
    /// Do not verify the checksum at the end of the dump
    #[arg(long)]
    pub(crate) no_verify: bool,

    /// After damage that hides where the next key begins, continue at the next place that looks like one
    #[arg(long)]
    pub(crate) resync: bool,

    #[command(flatten)]
    pub(crate) threads: ThreadArgs,

    #[command(flatten)]
    pub(crate) progress: ProgressArgs,

    /// No progress and no notes, only errors
    #[arg(short, long)]
    pub(crate) quiet: bool,

    /// Bytes of a segment of a mapped dump
    #[arg(long, hide = true)]
    pub(crate) segment_bytes: Option<usize>,

    /// Bytes of a window over a stream
    #[arg(long, hide = true)]
    pub(crate) window_bytes: Option<usize>,
}

impl ScanArgs {
    pub(crate) fn options(&self) -> Options {
        let mut options = self.threads.options();
        options.verify = !self.no_verify;
        options.resync = self.resync;
        options.segment_bytes = self.segment_bytes.unwrap_or(options.segment_bytes);
        options.window_bytes = self.window_bytes.unwrap_or(options.window_bytes);
        options
    }

    /// When to show progress.
    pub(crate) fn when(&self) -> When {
        if self.quiet { When::Never } else { self.progress.progress }
    }
}

#[derive(Clone, Copy, Debug, Args)]
#[command(next_help_heading = "Run")]
pub(crate) struct ThreadArgs {
    /// Number of threads; by default one per core
    #[arg(long, value_name = "N", value_parser = from_to(1, 1024), allow_negative_numbers = true)]
    pub(crate) threads: Option<u64>,
}

impl ThreadArgs {
    pub(crate) fn options(self) -> Options {
        let threads = self.threads.and_then(|threads| usize::try_from(threads).ok()).unwrap_or(0);
        Options { threads, ..Options::default() }
    }
}

#[derive(Clone, Copy, Debug, Args)]
#[command(next_help_heading = "Run")]
pub(crate) struct ProgressArgs {
    /// When to show progress on standard error
    #[arg(long, value_name = "WHEN", value_enum, default_value_t = When::Auto)]
    pub(crate) progress: When,
}

/// When to show progress.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum When {
    /// If standard error is a terminal and the work takes more than half a second
    Auto,
    /// Always; if standard error is not a terminal, one line per second and at the end
    Always,
    /// Never
    Never,
}
