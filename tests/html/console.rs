//! The service's pages in a real browser, through the real service: who gets in, tasks from their creation to their end, keys,
//! downloads, schedules, names that would act on their reader.

use std::ffi::OsStr;
use std::fmt::Write as _;
use std::fs;
use std::path::Path;

use serde_json::json;
use tempfile::TempDir;

use super::serving::Serving;
use super::{dumps, run, shown};
use crate::support::assembler::Rdb;
use crate::support::endless;

/// Keys without end, so that a task can be seen while it runs.
fn long_dump() -> Vec<u8> {
    let mut dump = b"REDIS0009\xfe\x00".to_vec();
    for key in 0..1_000_000_u32 {
        dump.extend_from_slice(&[0, 8]);
        dump.extend_from_slice(format!("{key:08x}").as_bytes());
        dump.extend_from_slice(b"\x01v");
    }
    dump.extend_from_slice(b"\xff\0\0\0\0\0\0\0\0");
    dump
}

/// A list and some strings of these sizes.
fn small_dump(strings: &[(&str, usize)]) -> Vec<u8> {
    let mut rdb = Rdb::redis(9).select_db(3);
    for (name, bytes) in strings {
        rdb = rdb.key(0, name.as_bytes(), |to| to.string("x".repeat(*bytes)));
    }
    rdb.eof()
}

fn write(folder: &Path, name: &str, dump: &[u8]) {
    fs::write(folder.join(name), dump).expect("a dump");
}

/// A service with an instance for each thing that is looked at.
fn place() -> TempDir {
    let folder = tempfile::tempdir().expect("a folder");
    let dumps_folder = folder.path().join("dumps");
    fs::create_dir(&dumps_folder).expect("a folder");
    write(&dumps_folder, "shop.rdb", &dumps::shop());
    write(&dumps_folder, "hostile.rdb", &dumps::hostile());
    write(&dumps_folder, "long.rdb", &long_dump());
    endless::write(&dumps_folder.join("endless.rdb"));
    write(&dumps_folder, "cut.rdb", &dumps::shop()[..900]);
    write(&dumps_folder, "small.rdb", &small_dump(&[("grows", 10), ("goes", 500), ("stays", 7)]));
    write(folder.path(), "small-later.rdb", &small_dump(&[("grows", 4000), ("=comes", 3), ("stays", 7)]));
    let mut config = "root = \"dumps\"\nstore = \"tasks.db\"\nlog = { format = \"json\" }\n\
        limits = { failed_logins_per_minute = 3 }\n\
        [[project]]\nid = \"p\"\naccess_key = [{ id = \"AK\", secret = \"a secret of many letters\" }]\n\
        token = [{ token = \"a-token-of-many-letters\" }, { token = \"a-token-that-may-look\", read_only = true }]\n"
        .to_owned();
    for name in ["shop", "hostile", "long", "endless", "cut", "small"] {
        _ = writeln!(
            config,
            "[[project.instance]]\nid = \"{name}-1\"\nname = \"{name} </title><script>hacked()</script>\"\n\
             type = \"single\"\ndumps = \"{name}.rdb\""
        );
    }
    config.push_str("[[project]]\nid = \"q\"\ntoken = [{ token = \"a-token-of-another-project\" }]\n");
    config.push_str(
        "[[project.instance]]\nid = \"other-1\"\nname = \"other\"\ntype = \"single\"\ndumps = \"shop.rdb\"\n",
    );
    fs::write(folder.path().join("bigkeys.toml"), config).expect("a file");
    folder
}

#[test]
fn a_person_works_with_the_service() {
    let place = place();
    let serving = Serving::start(&place.path().join("bigkeys.toml"));
    // Longer names are cut, and their ends are in no list.
    let names: Vec<String> =
        dumps::hostile_names().iter().filter(|name| name.len() < 4096).map(|name| shown(name)).collect();
    let names_file = place.path().join("names.json");
    fs::write(&names_file, json!(names).to_string()).expect("a file");
    run("console.mjs", &[OsStr::new(&serving.address), place.path().as_os_str()]);
    let (status, log) = serving.stop();
    let faults: Vec<_> = log.iter().filter(|event| event["level"] == "ERROR").collect();
    assert!(status.success() && faults.is_empty(), "{faults:?}");
    let text = format!("{log:?}");
    assert!(
        !text.contains("many letters") && !text.contains("many-letters") && !text.contains("may-look"),
        "no secret is in the log"
    );
}

#[test]
fn without_credentials_only_this_machine_sees_the_pages() {
    let place = place();
    let path = place.path().join("bigkeys.toml");
    let config = fs::read_to_string(&path).expect("a file");
    let without: Vec<&str> = config
        .lines()
        .map(|line| line.split("access_key =").next().unwrap_or_default().split("token =").next().unwrap_or_default())
        .filter(|line| !line.contains("may-look"))
        .collect();
    fs::write(&path, without.join("\n")).expect("a file");
    let serving = Serving::start(&path);
    run("console-open.mjs", &[OsStr::new(&serving.address)]);
    assert!(serving.stop().0.success());
}

#[test]
#[ignore = "makes pictures, in the folder BIGKEYS_SCREENSHOTS"]
fn console_screenshots() {
    let folder = std::env::var_os("BIGKEYS_SCREENSHOTS").expect("BIGKEYS_SCREENSHOTS names a folder");
    let place = place();
    let path = place.path().join("bigkeys.toml");
    let config = fs::read_to_string(&path).expect("a file").replace(" </title><script>hacked()</script>", "");
    fs::write(&path, config).expect("a file");
    let serving = Serving::start(&path);
    run("console-screenshots.mjs", &[OsStr::new(&serving.address), place.path().as_os_str(), &folder]);
    serving.stop();
}
