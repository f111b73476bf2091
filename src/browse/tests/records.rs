//! Dumps for tests, record by record.

use std::io::Write;
use std::path::Path;

use tempfile::NamedTempFile;

use crate::browse::Dumps;
use crate::engine::{Dump, Options, Progress, report_all};
use crate::report::{Question, Report};

/// A dump, record by record.
pub(super) struct Records(Vec<u8>);

impl Records {
    pub(super) fn new() -> Self {
        Self(b"REDIS0009".to_vec())
    }

    pub(super) fn db(mut self, db: u8) -> Self {
        self.0.extend([0xfe, db]);
        self
    }

    pub(super) fn text(&mut self, text: &[u8]) {
        let length = u16::try_from(text.len()).unwrap();
        // The length in 14 bits.
        self.0.extend((0x4000 | length).to_be_bytes());
        self.0.extend(text);
    }

    /// A string of so many bytes.
    pub(super) fn string(mut self, name: impl AsRef<[u8]>, bytes: usize) -> Self {
        self.0.push(0);
        self.text(name.as_ref());
        self.text(&vec![b'x'; bytes]);
        self
    }

    pub(super) fn hash(mut self, name: &str, fields: u8) -> Self {
        self.0.push(4);
        self.text(name.as_bytes());
        self.0.push(fields);
        for field in 0..fields {
            self.text(format!("field:{field:02}").as_bytes());
            self.text(&vec![b'v'; usize::from(field) + 1]);
        }
        self
    }

    /// The next key expires.
    pub(super) fn expiring(mut self) -> Self {
        self.0.push(0xfc);
        self.0.extend(1_700_000_000_000_u64.to_le_bytes());
        self
    }

    pub(super) fn file(mut self) -> NamedTempFile {
        self.0.extend([0xff; 1]);
        self.0.extend([0; 8]);
        let mut file = tempfile::Builder::new().prefix("dump").suffix(".rdb").tempfile().unwrap();
        file.write_all(&self.0).unwrap();
        file
    }
}

pub(super) fn shop() -> NamedTempFile {
    let records = Records::new().db(0).string("config", 40).string("user:1:name", 10).hash("user:1:cart", 40);
    let records = records.expiring().string("user:2:name", 20).string("user:2:avatar", 3000);
    records.string("page:home", 900).string("page:about", 700).db(3).string("queue:a", 50).file()
}

pub(super) fn dumps(path: &Path) -> Dumps {
    Dumps { dumps: vec![Dump::from(path)], question: Question::default(), options: Options::default() }
}

pub(super) fn report(path: &Path) -> Report {
    let Dumps { dumps, question, options } = dumps(path);
    report_all(&dumps, &question, &options, &Progress::default().into()).unwrap().0
}
