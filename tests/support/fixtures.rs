//! The dumps in `fixtures/`, each with what is stated beside it.

use std::fs;
use std::path::{Path, PathBuf};

use serde_json::Value;

/// A dump and its JSON.
pub struct Fixture {
    /// The file's name.
    pub name: String,
    /// Where it lies.
    pub path: PathBuf,
    /// Its bytes.
    pub bytes: Vec<u8>,
    /// The JSON beside it.
    pub stated: Value,
}

/// The dumps that are read to their end.
pub fn sound() -> Vec<Fixture> {
    folder("")
}

/// The dumps that are refused, or end in damage.
pub fn refused() -> Vec<Fixture> {
    folder("refused")
}

/// The dumps with what `MEMORY USAGE` answered for each of their keys on the server that had loaded them.
pub fn with_memory() -> Vec<Fixture> {
    folder("memory")
}

/// An append-only file, which has no JSON beside it.
pub fn commands_alone() -> Vec<u8> {
    fs::read(root().join("aof_resp.aof")).expect("a fixture")
}

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures")
}

/// Every file of a folder that has a JSON beside it, by name.
fn folder(name: &str) -> Vec<Fixture> {
    let files = fs::read_dir(root().join(name)).expect("the fixtures");
    let mut paths: Vec<PathBuf> = files.map(|file| file.expect("a file").path()).collect();
    paths.retain(|path| path.extension().is_some_and(|suffix| suffix != "json"));
    paths.retain(|path| path.with_extension("json").exists());
    paths.sort();
    assert!(paths.len() > 20, "the fixtures are missing");
    paths.into_iter().map(Fixture::read).collect()
}

impl Fixture {
    fn read(path: PathBuf) -> Self {
        let json = fs::read(path.with_extension("json")).expect("a fixture's JSON");
        Self {
            name: path.file_name().unwrap_or_default().to_string_lossy().into_owned(),
            bytes: fs::read(&path).expect("a fixture"),
            stated: serde_json::from_slice(&json).expect("a fixture's JSON is well-formed"),
            path,
        }
    }

    /// Every key, in the task's order.
    pub fn keys(&self) -> &Value {
        self.stated.get("keys").expect("its JSON has the keys")
    }
}
