//! The ways in which the analyzer can be given a dump, and its answer in a form that two ways can be compared in.

use std::fs;
use std::io::Cursor;
use std::path::{Path, PathBuf};

use bigkeys::{BigKey, Options, Report};
use serde_json::Value;
use tempfile::TempDir;

/// How a dump is read.
#[derive(Clone, Copy, Debug)]
pub enum Way {
    /// From a file, in segments of this many bytes.
    Mapped { threads: usize, segment_bytes: usize },
    /// From a reader, through windows of this many bytes.
    Streamed { window_bytes: usize },
}

/// From a file, in segments of this many bytes on this many threads.
pub fn mapped(threads: usize, segment_bytes: usize) -> Way {
    Way::Mapped { threads, segment_bytes }
}

/// From a file, as a user's run reads it, but for the number of threads.
pub fn mapped_whole(threads: usize) -> Way {
    mapped(threads, Options::default().segment_bytes)
}

/// From a reader, through windows of this many bytes.
pub fn streamed(window_bytes: usize) -> Way {
    Way::Streamed { window_bytes }
}

impl Way {
    /// Analyzes a dump that lies in the file `path` and in memory, whichever this way reads.
    pub fn answer(self, path: &Path, bytes: &[u8]) -> Answer {
        let mut options = every_key();
        match self {
            Self::Mapped { threads, segment_bytes } => {
                options.threads = threads;
                options.segment_bytes = segment_bytes;
                let report = bigkeys::analyze(path, &options);
                Answer::of(report.expect("the file can be opened"), &path.display().to_string())
            }
            Self::Streamed { window_bytes } => {
                options.window_bytes = window_bytes;
                let reader = Box::new(Cursor::new(bytes.to_vec()));
                let report = bigkeys::analyze_reader("a reader", reader, &options);
                Answer::of(report.expect("a reader in memory never fails"), "a reader")
            }
        }
    }
}

/// Options that leave no key out.
pub fn every_key() -> Options {
    let mut options = Options::default();
    options.question.top = usize::MAX;
    options.question.all_kinds = true;
    options
}

/// What came of a dump, its name left out.
#[derive(Clone, Debug, PartialEq)]
pub struct Answer {
    /// Every key, in the report's order.
    pub keys: Vec<BigKey>,
    /// How many keys the scan saw.
    pub keys_scanned: u64,
    /// What was noticed that is no damage.
    pub notes: Vec<String>,
    /// The sentences about the damage, a line each.
    pub damage: Option<String>,
}

impl Answer {
    /// What a report says of its one dump, which goes by this name.
    pub fn of(report: Report, name: &str) -> Self {
        let without_name = |sentence: &String| {
            let rest = sentence.strip_prefix(name).and_then(|rest| rest.strip_prefix(": "));
            rest.unwrap_or_else(|| panic!("the sentence does not begin with the dump's name: {sentence}")).to_owned()
        };
        let damage: Vec<String> = report.damage.iter().map(ToString::to_string).collect();
        assert_eq!(report.is_complete(), damage.is_empty());
        Self {
            keys_scanned: report.keys_scanned,
            notes: report.notes.iter().map(without_name).collect(),
            damage: (!damage.is_empty()).then(|| damage.iter().map(without_name).collect::<Vec<_>>().join("\n")),
            keys: report.keys,
        }
    }

    /// Whether the dump was read to its end and found sound.
    pub fn is_complete(&self) -> bool {
        self.damage.is_none()
    }

    /// The keys as the task's JSON has them.
    pub fn keys_json(&self) -> Value {
        let records = self.keys.iter().cloned().map(bigkeys::task::KeyRecord::from);
        records.map(|record| serde_json::to_value(record).expect("a record is plain data")).collect()
    }
}

/// A folder for dumps that live as long as a test does, in memory where the system has a place for that.
pub struct Scratch(TempDir);

impl Scratch {
    /// An empty folder.
    pub fn new() -> Self {
        let folder = tempfile::tempdir_in("/dev/shm").or_else(|_| tempfile::tempdir());
        Self(folder.expect("a scratch folder"))
    }

    /// A file's path in it.
    pub fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    /// Writes a file in it, anew if there is one.
    pub fn write(&self, name: &str, bytes: &[u8]) -> PathBuf {
        let path = self.path(name);
        fs::write(&path, bytes).expect("the scratch folder can be written");
        path
    }
}

/// Says on stderr what was being done when a test failed.
pub struct Doing<F: Fn() -> String>(pub F);

impl<F: Fn() -> String> Drop for Doing<F> {
    #[allow(clippy::print_stderr, reason = "the test runner shows it with the failure")]
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("it failed at: {}", (self.0)());
        }
    }
}
