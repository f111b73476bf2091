//! `--evidence`: the record beside a result.

use std::fs;
use std::io::Write;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use serde_json::Value;

use super::{MIXED, bigkeys, ended, outcome, run};

const CUT: &str = "fixtures/refused/cut_in_string_v09.rdb";

fn record(path: &Path) -> Value {
    serde_json::from_slice(&fs::read(path).expect("a record")).expect("JSON")
}

fn sha256sum(path: &str) -> String {
    let sum = Command::new("sha256sum").arg(path).output().expect("sha256sum").stdout;
    String::from_utf8(sum).expect("text").split_whitespace().next().expect("a sum").to_owned()
}

#[test]
fn every_command_leaves_a_record() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name).display().to_string();
    run(&format!("report -q {MIXED} -o {}", path("report.json"))).expect(0, &[]);
    let report = path("report.json");
    for (arguments, inputs, result) in [
        (format!("analyze --all-types {MIXED}"), vec![MIXED], "task.json"),
        (format!("report {MIXED}"), vec![MIXED], "r.html"),
        (format!("keys {MIXED}"), vec![MIXED], "keys.csv"),
        (format!("check {MIXED}"), vec![MIXED], ""),
        (format!("salvage {MIXED}"), vec![MIXED], "saved.rdb"),
        (format!("extract {MIXED}"), vec![MIXED], "some.rdb"),
        (format!("export {MIXED} --type string"), vec![MIXED], "values.ndjson"),
        (format!("digest {MIXED}"), vec![MIXED], "digest.txt"),
        (format!("diff {report} {MIXED}"), vec![&report, MIXED], "diff.json"),
        (format!("merge {report}"), vec![&report], "merged.json"),
    ] {
        let result = (!result.is_empty()).then(|| path(result));
        let option = result.as_ref().map_or(String::new(), |result| format!("-o {result}"));
        let arguments = format!("{arguments} {option} --evidence {}", path("evidence.json"));
        let outcome = run(&arguments);
        assert_eq!(outcome.code, Some(0), "{arguments}: {outcome:#?}");
        let record = record(&folder.path().join("evidence.json"));
        assert_eq!(record["format"], "bigkeys-evidence/1");
        let typed: Vec<&str> =
            record["arguments"].as_array().unwrap()[1..].iter().map(|one| one.as_str().unwrap()).collect();
        assert_eq!(typed, arguments.split_whitespace().collect::<Vec<_>>());
        assert_eq!((&record["exit_code"], &record["is_understood"]), (&0.into(), &true.into()), "{record:#}");
        assert_eq!(record["are_inputs_unchanged"], true);
        assert_eq!(record["inputs"].as_array().unwrap().len(), inputs.len());
        for (input, path) in record["inputs"].as_array().unwrap().iter().zip(inputs) {
            assert_eq!(input["path"], path);
            assert_eq!((&input["before"], &input["is_unchanged"]), (&input["after"], &true.into()));
            assert_eq!(input["before"]["sha256"], sha256sum(path).as_str());
            assert_eq!(input["before"]["size_bytes"], fs::metadata(path).unwrap().len());
            assert!(input["before"]["modified_at"].as_str().unwrap().ends_with('Z'));
        }
        let results = record["results"].as_array().unwrap();
        assert_eq!(results.len(), usize::from(result.is_some()));
        if let Some(result) = result {
            assert_eq!(
                (&results[0]["path"], &results[0]["sha256"]),
                (&result.as_str().into(), &sha256sum(&result).into())
            );
        }
        assert!(record["started_at"].as_str().unwrap() < record["ended_at"].as_str().unwrap());
        let version = run("--version --verbose").stdout;
        let tool = &record["tool"];
        for field in ["commit", "target", "profile"] {
            assert!(version.contains(&format!("{field}: {}\n", tool[field].as_str().unwrap())), "{version}");
        }
        assert_eq!(tool["sha256"], sha256sum(env!("CARGO_BIN_EXE_bigkeys")).as_str());
        assert!(!record["host"]["name"].as_str().unwrap().is_empty());
    }
}

#[test]
fn what_is_not_understood_is_in_it() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name).display().to_string();
    let evidence = path("evidence.json");
    for command in ["report", "check", "keys", "analyze", "digest"] {
        let outcome = run(&format!("{command} {CUT} --evidence {evidence}"));
        assert_eq!(outcome.code, Some(1));
        let record = record(Path::new(&evidence));
        assert_eq!((&record["exit_code"], &record["is_understood"]), (&1.into(), &false.into()));
        let sentence = record["not_understood"][0].as_str().unwrap();
        assert!(sentence.starts_with(CUT) && sentence.contains("the dump ends inside"), "{sentence}");
    }
    run(&format!("salvage {CUT} -o {} --evidence {evidence}", path("saved.rdb"))).expect(1, &[]);
    assert!(record(Path::new(&evidence))["not_understood"][0].as_str().unwrap().contains("something was lost"));
    // What could not run leaves a record too.
    run(&format!("report no-such.rdb --evidence {evidence}")).expect(2, &["no-such.rdb"]);
    let record = record(Path::new(&evidence));
    assert_eq!((&record["exit_code"], &record["is_understood"]), (&2.into(), &false.into()));
    assert!(record["inputs"][0]["not_hashed"].as_str().unwrap().contains("could not read it"));
    assert!(record["messages"][0].as_str().unwrap().contains("no-such.rdb"));
}

#[test]
fn standard_input_has_no_digest() {
    let folder = tempfile::tempdir().unwrap();
    let evidence = folder.path().join("evidence.json");
    let mut command = bigkeys(&format!("keys - --evidence {}", evidence.display()));
    outcome(command.stdin(fs::File::open(MIXED).unwrap())).expect(0, &[]);
    let record = record(&evidence);
    assert_eq!((&record["are_inputs_unchanged"], &record["inputs"][0]["before"]), (&Value::Null, &Value::Null));
    assert_eq!(record["inputs"][0]["not_hashed"], "standard input can be read only once");
}

#[test]
fn an_input_that_changes_meanwhile_is_told() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name).display().to_string();
    let (dump, pipe, evidence) = (path("a.rdb"), path("pipe"), path("evidence.json"));
    fs::copy(MIXED, &dump).unwrap();
    assert!(Command::new("mkfifo").arg(&pipe).status().expect("mkfifo").success());
    // The command waits for the pipe, its second dump, after it has the digest of the first.
    let child = bigkeys(&format!("digest {dump} {pipe} --evidence {evidence}"))
        .stdout(std::process::Stdio::piped())
        .stderr(std::process::Stdio::piped())
        .spawn()
        .unwrap();
    let mut writer = fs::File::options().write(true).open(&pipe).unwrap();
    std::thread::sleep(Duration::from_millis(50));
    fs::File::options().append(true).open(&dump).unwrap().write_all(b"more").unwrap();
    writer.write_all(&fs::read(MIXED).unwrap()).unwrap();
    drop(writer);
    ended(child).expect(1, &["a.rdb: changed while the command ran"]);
    let record = record(Path::new(&evidence));
    assert_eq!((&record["are_inputs_unchanged"], &record["exit_code"]), (&false.into(), &1.into()));
    let input = &record["inputs"][0];
    assert_ne!(input["before"]["sha256"], input["after"]["sha256"]);
    assert_eq!(input["before"]["sha256"], sha256sum(MIXED).as_str());
}

#[test]
fn a_record_takes_the_place_of_no_input_and_no_result() {
    let folder = tempfile::tempdir().unwrap();
    let dump = folder.path().join("a.rdb");
    fs::copy(MIXED, &dump).unwrap();
    let dump = dump.display().to_string();
    run(&format!("check {dump} --evidence {dump}")).expect(2, &["refusing to overwrite an input file"]);
    let one = folder.path().join("one.json").display().to_string();
    run(&format!("report {dump} -o {one} --evidence {one}")).expect(2, &["cannot be one file"]);
    assert_eq!(fs::read(&dump).unwrap(), fs::read(MIXED).unwrap());
}
