//! Reports in files, as `bigkeys report --format json` prints them, and reports whose names are replaced.

use std::io::{self, Read};
use std::path::Path;

use bigkeys::Progress;
use bigkeys::forensics::Redaction;
use bigkeys::input::reader;
use bigkeys::report::{NameMap, Report};

/// The report in a file.
///
/// # Errors
/// A sentence if it cannot be read or is not a report.
pub(super) fn read(path: &Path, progress: &Progress) -> Result<Report, String> {
    let reader = reader(path).map_err(|error| error.cause.to_string())?;
    let reader = Counted { reader, progress };
    let report: Report = serde_json::from_reader(io::BufReader::new(reader)).map_err(|error| {
        if error.is_io() {
            format!("could not read it: {error}")
        } else {
            format!("not a bigkeys report (expected the JSON of `bigkeys report --format json`): {error}")
        }
    })?;
    report.check()?;
    Ok(report)
}

/// Gives a report's names stand-ins, if there are to be some.
///
/// # Errors
/// A sentence if they are stand-ins already.
pub(super) fn redact(report: &mut Report, redaction: Option<&Redaction>) -> Result<(), String> {
    let Some(redaction) = redaction else { return Ok(()) };
    if let Some(mark) = &report.redacted {
        return Err(format!("--redact: the names are redacted already ({mark})"));
    }
    let (name, sentence) = (|name: &[u8]| redaction.name(name), |sentence: &str| redaction.sentence(sentence));
    report.map_names(&NameMap { mark: redaction.mark(), name: &name, sentence: &sentence });
    Ok(())
}

/// A reader that counts what was read, and that ends when it is cancelled.
struct Counted<'p, R> {
    reader: R,
    progress: &'p Progress,
}

impl<R: Read> Read for Counted<'_, R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.progress.is_cancelled() {
            return Err(io::Error::other("interrupted"));
        }
        let bytes = self.reader.read(buffer)?;
        self.progress.add(bytes as u64, 0);
        Ok(bytes)
    }
}
