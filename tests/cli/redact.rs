//! `--redact`: no part of a name or text is in what is printed, whatever the command and the format.

use std::fs;
use std::path::Path;

use serde_json::Value;

use super::run;
use super::support::assembler::{Listpack, Rdb};

/// Parts of names and texts that nothing else of an output has.
const PARTS: [&str; 17] = [
    "zqtenant",
    "zquser",
    "zqcart",
    "739251",
    "739252",
    "zqtag",
    "zqfield",
    "zqvalue",
    "zqmember",
    "zqelement",
    "zqgroup",
    "zqconsumer",
    "zqstring",
    "zqlong",
    "zqdamaged",
    "8675309",
    "zq-ünïcode",
];

/// The parts that are digits.
const DIGITS: [&str; 3] = ["739251", "739252", "8675309"];

fn keys(rdb: Rdb) -> Rdb {
    let fields = Listpack::new().string("zqfield").string("zqvalue").string("zqfield:739251").int(8_675_309).build();
    let members = Listpack::new().string("zqmember:739252").int(8_675_309).build();
    rdb.aux("redis-ver", "7.2.0")
        .aux("ctime", "1700000000")
        .select_db(0)
        .key(0, "zqtenant:739251:zqcart", |b| b.string("zqstring 8675309"))
        .key(0, "zqtenant:739252:zqcart", |b| b.string_i32(8_675_309))
        .key(16, "zqtenant:739251:zquser", |b| b.string(&fields))
        .key(17, "{zqtag}:zquser", |b| b.string(&members))
        .key(1, "zq-ünïcode:8675309", |b| b.strings(&["zqelement", "zqelement:739251"]))
        .key(0, format!("zqtenant:{}", "zqlong".repeat(200)), |b| b.string("x".repeat(40_000)))
}

fn write(folder: &Path, name: &str, bytes: Vec<u8>) -> String {
    let path = folder.join(name);
    fs::write(&path, bytes).expect("it is written");
    path.display().to_string()
}

/// Holds what a command prints, and what it writes to `file`, to having none of the parts.
#[track_caller]
fn has_none(parts: &[&str], arguments: &str, file: Option<&str>) -> String {
    let outcome = run(arguments);
    assert!(matches!(outcome.code, Some(0 | 1)), "{arguments}: {outcome:#?}");
    let mut text = format!("{}{}", outcome.stdout, outcome.stderr).into_bytes();
    if let Some(file) = file {
        text.extend(fs::read(file).expect("a file"));
    }
    assert!(text.len() > 40, "{arguments}: {outcome:#?}");
    for part in parts {
        let is_in = text.windows(part.len()).any(|window| window == part.as_bytes());
        assert!(!is_in, "{arguments}: {part} in\n{}", String::from_utf8_lossy(&text));
    }
    outcome.stdout
}

#[test]
fn no_part_of_a_name_is_printed() {
    let folder = tempfile::tempdir().unwrap();
    let place = folder.path();
    let dump = write(place, "a.rdb", keys(Rdb::redis(11)).eof());
    let newer = write(place, "b.rdb", keys(Rdb::redis(11)).key(0, "zquser:739252", |b| b.string("zqvalue")).eof());
    // A hash of an odd number of entries, and an end too early.
    let odd = Listpack::new().string("zqfield").build();
    let broken = Rdb::redis(11).select_db(0).key(16, "zqdamaged:739251", |b| b.string(&odd));
    let broken = write(place, "broken.rdb", broken.key(0, "zqdamaged:739252", |b| b.len(900)).unfinished());
    let key = write(place, "key", b"0123456789abcdef0123456789abcdef".to_vec());
    let plain = format!("{}", place.join("plain.json").display());
    let plain_newer = format!("{}", place.join("newer.json").display());
    run(&format!("report -q {dump} --largest --group zqtenant:*:zqcart -o {plain}")).expect(0, &[]);
    run(&format!("report -q {newer} --largest --group zqtenant:*:zqcart -o {plain_newer}")).expect(0, &[]);
    let hmac = format!("hmac={key}");
    for (redact, parts) in [("digits", &DIGITS[..]), ("names", &PARTS), (&hmac, &PARTS)] {
        let none = |arguments: &str| has_none(parts, &format!("{arguments} --redact {redact}"), None);
        none(&format!("analyze --all-types {dump} {broken}"));
        for format in ["table", "json", "html", "folded", "openmetrics"] {
            let options = if matches!(format, "table" | "json" | "html") { "--largest --rules aws" } else { "" };
            none(&format!("report --slots {options} --format {format} --match z* --match {{z* {dump} {broken}"));
            none(&format!("report {options} --group zqtenant:*:zqcart --format {format} {dump}"));
            none(&format!("report {options} --format {format} --fail-if prefix.memory>1TB {broken}"));
            none(&format!("merge --force --format {format} {plain} {plain_newer}"));
        }
        for format in ["csv", "ndjson"] {
            none(&format!("keys --format {format} {dump} {broken}"));
        }
        #[cfg(feature = "columnar")]
        for format in ["parquet", "arrow"] {
            let file = format!("{}", place.join(format!("rows.{format}")).display());
            has_none(parts, &format!("keys {dump} --redact {redact} -o {file}"), Some(&file));
            let arguments = format!("export --format elements {dump} --redact {redact} -o {file}");
            has_none(parts, &arguments, Some(&file));
        }
        for format in ["table", "json", "html", "folded"] {
            none(&format!("diff --format {format} {dump} {newer}"));
            none(&format!("diff --format {format} {plain} {plain_newer}"));
        }
        none(&format!("digest --keys {dump} {broken}"));
        none(&format!("digest {broken}"));
        for options in ["", "--json"] {
            none(&format!("check {options} {broken}"));
        }
        for options in ["--format ndjson", "--format elements --as csv", "--format elements --as ndjson"] {
            none(&format!("export {options} {dump} {broken}"));
        }
        for options in ["", "--json", "--largest"] {
            none(&format!("get {options} {dump} zqtenant:739251:zquser"));
            none(&format!("get {options} {dump} zqtenant:739251:zqcart"));
            none(&format!("get {options} {dump} {{zqtag}}:zquser"));
            none(&format!("get {options} {broken} zqdamaged:739251"));
        }
    }
}

/// A stream without entries, with a group whose consumer was seen.
fn with_times(rdb: Rdb) -> Rdb {
    let at_ms = 1_700_000_000_000;
    keys(rdb).expire_ms(1_800_000_000_000).key(0, "zqtenant:8675309:zqcart", |b| b.string("zqvalue")).key(
        15,
        "zqtenant:739251:zqstream",
        |b| {
            let b = b.len(0).len(0).len(at_ms).len(7).len(1);
            let b = b.string("zqgroup:739251").len(at_ms).len(3).len(0).len(1);
            b.string("zqconsumer:739252").u64(at_ms).len(0)
        },
    )
}

#[test]
fn no_part_of_what_is_found_is_printed() {
    let folder = tempfile::tempdir().unwrap();
    let place = folder.path();
    let dump =
        write(place, "a.rdb", with_times(Rdb::redis(11)).function("#!lua name=zqlong\n-- zqstring 8675309").eof());
    let odd = Listpack::new().string("zqfield").build();
    let broken = Rdb::redis(11).select_db(0).key(16, "zqdamaged:739251", |b| b.string(&odd));
    let broken = write(place, "broken.rdb", broken.key(0, "zqdamaged:739252", |b| b.len(900)).unfinished());
    let key = write(place, "key", b"0123456789abcdef0123456789abcdef".to_vec());
    let hmac = format!("hmac={key}");
    for (redact, parts) in [("digits", &DIGITS[..]), ("names", &PARTS), (&hmac, &PARTS)] {
        for options in ["", "--json", "-l", "-l --json"] {
            for pattern in ["zq", "8675309", "(?s-u)..+", "zq[a-z]+:7392", "-F zqtenant:7392"] {
                let grep = format!("grep {options} {pattern} {dump} {broken} --redact {redact}");
                let outcome = run(&grep);
                // As grep's: the damaged dump is an error, after what was found in both.
                assert_eq!(outcome.code, Some(2), "{grep}: {outcome:#?}");
                let text = format!("{}{}", outcome.stdout, outcome.stderr);
                assert!(outcome.stdout.lines().count() > 1, "{grep}: {outcome:#?}");
                for part in parts {
                    assert!(!text.contains(part), "{grep}: {part} in\n{text}");
                }
            }
        }
        for options in ["", "--format l2tcsv", "--format body", "--entries"] {
            let events = has_none(parts, &format!("timeline {options} {dump} {broken} --redact {redact}"), None);
            assert!(events.lines().count() >= 4, "{events}");
        }
    }
    // What is found has the length and the separators that it has, and is the same wherever it is.
    let found = |redact: &str| -> Vec<Value> {
        let lines = run(&format!("grep --json zqtenant:739251: {dump} {redact}")).expect(0, &[]).stdout;
        lines.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    };
    let (plain, hidden) = (found(""), found(&format!("--redact {hmac}")));
    assert_eq!((plain.len(), hidden.len()), (3, 3));
    for (plain, hidden) in plain.iter().zip(&hidden) {
        assert_eq!(
            (&plain["offset"], &plain["at"], &plain["match_bytes"]),
            (&hidden["offset"], &hidden["at"], &hidden["match_bytes"])
        );
        let [name, matched] = ["name", "match"].map(|member| hidden[member].as_str().unwrap());
        assert!(matched.len() == 16 && matched.ends_with(':') && name.starts_with(matched), "{hidden}");
    }
}

#[test]
fn structure_length_and_equality_stay() {
    let folder = tempfile::tempdir().unwrap();
    let dump = write(folder.path(), "a.rdb", keys(Rdb::redis(11)).eof());
    let key = write(folder.path(), "key", b"0123456789abcdef".to_vec());
    let rows = |options: &str| -> Vec<Value> {
        let rows = run(&format!("keys --format ndjson {dump} {options}")).expect(0, &[]).stdout;
        rows.lines().map(|row| serde_json::from_str(row).unwrap()).collect()
    };
    let redact = format!("--redact hmac={key}");
    let (plain, hidden) = (rows(""), rows(&redact));
    assert_eq!(hidden, rows(&redact), "the same key gives the same");
    let name = |row: &Value| row["name"].as_str().unwrap().to_owned();
    for (plain, hidden) in plain.iter().zip(&hidden) {
        assert_eq!((&plain["offset"], &plain["memory_bytes"]), (&hidden["offset"], &hidden["memory_bytes"]));
        assert_eq!(name(plain).len(), name(hidden).len());
        assert_eq!(name(plain).matches([':', '{', '}']).count(), name(hidden).matches([':', '{', '}']).count());
    }
    let parts: Vec<Vec<String>> = hidden.iter().map(|row| name(row).split(':').map(str::to_owned).collect()).collect();
    // zqtenant:739251:zqcart, zqtenant:739252:zqcart, zqtenant:739251:zquser, {zqtag}:zquser
    assert_eq!((&parts[0][0], &parts[0][2]), (&parts[1][0], &parts[1][2]));
    assert_ne!(parts[0][1], parts[1][1]);
    assert_eq!(parts[0][..2], parts[2][..2]);
    assert_eq!(parts[2][2], parts[3][1]);
    // The prefixes of a report are those of the rows, and so are the names of other commands.
    let report = run(&format!("report --format json {redact} --slots {dump}")).expect(0, &[]).stdout;
    let report: Value = serde_json::from_str(&report).unwrap();
    assert!(report["redacted"].as_str().unwrap().starts_with("hmac "), "{report}");
    let prefixes: Vec<&str> =
        report["prefixes"]["names"].as_array().unwrap().iter().map(|prefix| prefix["name"].as_str().unwrap()).collect();
    assert!(prefixes.contains(&&*format!("{}:{}:", parts[0][0], parts[0][1])), "{prefixes:?}");
    let tag = parts[3][0].trim_matches(['{', '}']);
    assert_eq!(report["slots"]["tags"]["names"][0]["name"], tag);
    let task = run(&format!("analyze {redact} {dump}")).expect(0, &[]).keys();
    assert!(task.iter().any(|key| key["name"] == name(&hidden[0]).as_str()), "{task:?}");
    // What is asked for is asked for by its own name.
    let got = run(&format!("get --json {redact} {dump} zqtenant:739251:zquser --field zqfield")).expect(0, &[]).stdout;
    let got: Value = serde_json::from_str(&got).unwrap();
    assert_eq!((&got["name"], &got["elements_matched"]), (&hidden[2]["name"], &1.into()));
}

#[test]
fn names_that_become_one_are_counted_together() {
    let folder = tempfile::tempdir().unwrap();
    let dump = write(folder.path(), "a.rdb", keys(Rdb::redis(11)).eof());
    let report = run(&format!("report --format json --redact digits {dump}")).expect(0, &[]).stdout;
    let report: Value = serde_json::from_str(&report).unwrap();
    let prefixes = report["prefixes"]["names"].as_array().unwrap();
    let of_tenants: Vec<&Value> = prefixes.iter().filter(|prefix| prefix["name"] == "zqtenant:######:").collect();
    assert!(of_tenants.len() == 1 && of_tenants[0]["keys"] == 3, "{of_tenants:?}");
}

#[test]
fn redacted_reports_are_merged_and_compared() {
    let folder = tempfile::tempdir().unwrap();
    let place = folder.path();
    let dump = write(place, "a.rdb", keys(Rdb::redis(11)).eof());
    let newer = write(place, "b.rdb", keys(Rdb::redis(11)).key(0, "zquser:739252", |b| b.string("zqvalue")).eof());
    let keys =
        [("k1", b"0123456789abcdef"), ("k2", b"0123456789abcdeF")].map(|(name, key)| write(place, name, key.to_vec()));
    let report = |dump: &str, redact: &str, name: &str| {
        let path = place.join(name).display().to_string();
        run(&format!("report -q {dump} --redact {redact} -o {path}")).expect(0, &[]);
        path
    };
    let [one, two] = &keys;
    let old = report(&dump, &format!("hmac={one}"), "old.json");
    let new = report(&newer, &format!("hmac={one}"), "new.json");
    let other = report(&newer, &format!("hmac={two}"), "other.json");
    let drawn = report(&newer, "names", "drawn.json");
    let merged = run(&format!("merge --format json {old} {new}")).expect(0, &[]).stdout;
    let merged: Value = serde_json::from_str(&merged).unwrap();
    assert_eq!(merged["totals"]["keys"], 13);
    assert!(merged["redacted"].as_str().unwrap().starts_with("hmac "));
    for not_alike in [&other, &drawn, &dump] {
        if not_alike != &dump {
            run(&format!("merge {old} {not_alike}")).expect(2, &["its names are redacted by"]);
        }
        run(&format!("diff {old} {not_alike}")).expect(2, &["the names of the old side are redacted by"]);
    }
    let forced = run(&format!("merge --force --format json {old} {other}")).expect(0, &[]).stdout;
    assert_eq!(serde_json::from_str::<Value>(&forced).unwrap()["redacted"], "mixed");
    // A report that was redacted, and a dump that is redacted alike.
    let changed = run(&format!("diff --format json {old} {newer} --redact hmac={one}")).expect(0, &[]).stdout;
    let changed: Value = serde_json::from_str(&changed).unwrap();
    assert_eq!(changed["prefixes"].as_array().unwrap().len(), 1, "{changed}");
    run(&format!("merge {old} --redact names")).expect(2, &["the names are redacted already (hmac "]);
}

#[test]
fn what_cannot_be_redacted_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let dump = write(folder.path(), "a.rdb", keys(Rdb::redis(11)).eof());
    let short = write(folder.path(), "short", b"secret".to_vec());
    for format in ["resp", "delete", "resp --as restore", "expire --expire-in 1d"] {
        run(&format!("export {dump} --format {format} --redact names")).expect(2, &["--redact is for --format ndjson"]);
    }
    run(&format!("extract {dump} --redact names -o x.rdb")).expect(2, &["--redact"]);
    run(&format!("keys {dump} --redact all")).expect(2, &["use digits, names or hmac=KEYFILE"]);
    run(&format!("keys {dump} --redact hmac=/no/such/file")).expect(2, &["could not read it"]);
    run(&format!("keys {dump} --redact hmac={short}")).expect(2, &["the key has 6 bytes; it needs at least 16"]);
    run(&format!("get {dump} k --field f --redact digits")).expect(2, &["use --redact names"]);
}
