//! The report as an HTML file, in a real browser without a network: what can be read, zoomed, sorted, filtered, copied,
//! downloaded, linked and printed; names that would act on their reader; and how soon thousands of names are drawn.
//!
//! `BIGKEYS_SCREENSHOTS=FOLDER cargo test --test html screenshots -- --ignored` makes the pictures.
#![allow(clippy::indexing_slicing, reason = "an index out of place fails the test, as it should")]

#[cfg(feature = "console")]
mod console;
mod dumps;
#[cfg(feature = "console")]
#[allow(dead_code, reason = "tests of the service need more of it")]
#[path = "../service/serving.rs"]
mod serving;
#[path = "../support/mod.rs"]
mod support;

use std::ffi::OsStr;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use regex::Regex;
use serde_json::Value;
use sha2::{Digest, Sha256};
use support::server::{self, Kind};
use support::skipped::skip;
use tempfile::TempDir;

/// A folder with a dump and its page.
struct Page {
    folder: TempDir,
    path: PathBuf,
    html: String,
}

/// The page of a dump, by the program.
fn page(dump_name: &str, dump: &[u8], options: &[&str]) -> Page {
    let folder = tempfile::tempdir().expect("a folder");
    fs::write(folder.path().join(dump_name), dump).expect("a dump");
    bigkeys(folder.path(), &[&["report", "-o", "page.html"], options, &[&format!("./{dump_name}")]].concat());
    let path = folder.path().join("page.html");
    let html = fs::read_to_string(&path).expect("a page");
    Page { folder, path, html }
}

/// The page of what changed between two dumps, by the program.
fn difference(names: [&str; 2], dumps: [&[u8]; 2], options: &[&str]) -> Page {
    let folder = tempfile::tempdir().expect("a folder");
    for (name, dump) in names.iter().zip(dumps) {
        fs::write(folder.path().join(name), dump).expect("a dump");
    }
    let paths = names.map(|name| format!("./{name}"));
    bigkeys(folder.path(), &[&["diff", "-o", "page.html"], options, &[&paths[0], &paths[1]]].concat());
    let path = folder.path().join("page.html");
    let html = fs::read_to_string(&path).expect("a page");
    Page { folder, path, html }
}

fn shops(options: &[&str]) -> Page {
    difference(["monday.rdb", "sunday.rdb"], [&dumps::shop(), &dumps::shop_a_week_later()], options)
}

fn bigkeys(folder: &Path, arguments: &[&str]) {
    let output =
        Command::new(env!("CARGO_BIN_EXE_bigkeys")).args(arguments).current_dir(folder).output().expect("the program");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}

const SCRIPTS: &str = "tests/html";

/// Runs one of the scripts, whose times and counts are in the test's output; says so if what it needs is not there, which on CI is an error.
fn run(script: &str, arguments: &[&OsStr]) -> Option<String> {
    let chromium = std::env::var_os("BIGKEYS_CHROMIUM").unwrap_or_else(|| "/usr/bin/chromium".into());
    if !Path::new(&chromium).exists() {
        skip("no Chromium, or one that BIGKEYS_CHROMIUM names");
        return None;
    }
    node(Command::new("node").arg(Path::new(SCRIPTS).join(script)).args(arguments))
}

#[allow(clippy::print_stdout, reason = "the runner shows it of a test that fails, or when asked to")]
fn node(command: &mut Command) -> Option<String> {
    let has_packages = Path::new(SCRIPTS).join("node_modules").is_dir();
    if !has_packages || !support::tools::require("node") {
        skip("no Node.js with the packages of tests/html");
        return None;
    }
    let output = command.output().expect("node");
    let (said, failed) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "{said}\n{failed}");
    println!("{said}");
    Some(said.into_owned())
}

#[test]
fn the_script_has_sound_types_and_style() {
    for script in ["types", "lint"] {
        node(Command::new("npm").args(["--prefix", SCRIPTS, "run", "--silent", script]));
    }
}

/// Every element that can fetch or run something, with its attributes.
#[test]
fn the_page_is_one_file_that_fetches_nothing() {
    for Page { html, .. } in [page("shop.rdb", &dumps::shop(), &["--sha256"]), shops(&[])] {
        fetches_nothing(&html);
    }
}

fn fetches_nothing(html: &str) {
    let policy = Regex::new(r#"<meta http-equiv="Content-Security-Policy" content="([^"]*)">"#).expect("a pattern");
    let policy = policy.captures(html).expect("a policy")[1].to_owned();
    assert!(policy.starts_with("default-src 'none'; "), "{policy}");
    for (element, directive) in [("script", "script-src"), ("style", "style-src")] {
        let text = Regex::new(&format!("(?s)<{element}>(.*?)</{element}>")).expect("a pattern");
        let texts: Vec<String> = text.captures_iter(html).map(|found| found[1].to_owned()).collect();
        assert_eq!(texts.len(), 1, "{element}");
        let hash = STANDARD.encode(Sha256::digest(texts[0].as_bytes()));
        assert!(policy.contains(&format!("{directive} 'sha256-{hash}'")), "{policy}");
    }
    let without_code = Regex::new("(?s)<(script|style).*?</(script|style)>").expect("a pattern").replace_all(html, "");
    let fetching = Regex::new(
        r"(?i)<(link|img|iframe|object|embed|base|form|video|audio)\b|\b(src|srcset|action|on\w+|style)=|url\(",
    )
    .expect("a pattern");
    assert_eq!(fetching.find(&without_code).map(|found| found.as_str()), None);
    let links = Regex::new(r#"href="([^"]*)""#).expect("a pattern");
    assert!(links.captures_iter(&without_code).all(|link| link[1].starts_with('#')));
    let code = Regex::new(r"fetch\(|XMLHttpRequest|import\(|WebSocket|innerHTML|eval\(").expect("a pattern");
    assert_eq!(code.find(html).map(|found| found.as_str()), None);
}

#[test]
fn the_same_report_gives_the_same_page() {
    let folder = tempfile::tempdir().expect("a folder");
    let [a, b] = ["cluster_slots_v11.rdb", "cluster_slots_v12.rdb"]
        .map(|name| format!("{}/fixtures/{name}", env!("CARGO_MANIFEST_DIR")));
    for (name, dump) in [("a.json", &a), ("b.json", &b)] {
        bigkeys(folder.path(), &["report", "--slots", "-o", name, dump]);
    }
    let merged = |output: &str| {
        bigkeys(folder.path(), &["merge", "a.json", "b.json", "--format", "html", "-o", output]);
        fs::read_to_string(folder.path().join(output)).expect("a page")
    };
    let (once, twice) = (merged("one.html"), merged("two.html"));
    assert_eq!(once.replace("one.html", "two.html"), twice);
    assert!(once.contains("All 2 dumps were read to the end"));
    assert!(once.contains("of 16,384 slots have keys"));
}

#[test]
fn a_damaged_dump_is_said_to_be_damaged() {
    let folder = tempfile::tempdir().expect("a folder");
    let dump = format!("{}/fixtures/refused/cut_in_string_v09.rdb", env!("CARGO_MANIFEST_DIR"));
    let output = Command::new(env!("CARGO_BIN_EXE_bigkeys"))
        .args(["report", "-o", "page.html", &dump])
        .current_dir(folder.path())
        .output()
        .expect("the program");
    assert_eq!(output.status.code(), Some(1));
    let html = fs::read_to_string(folder.path().join("page.html")).expect("a page");
    assert!(html.contains("<strong>Incomplete.</strong>") && !html.contains("Sound."), "{html}");
    assert!(html.contains("the dump ends inside"), "the damage itself");
}

#[test]
fn a_reader_goes_through_the_page() {
    let page = page("shop.rdb", &dumps::shop(), &["--top", "100", "--largest", "--breakdown", "--group", "cart:*"]);
    assert!(page.html.len() < 700_000, "{} bytes", page.html.len());
    run("tour.mjs", &[page.path.as_os_str(), page.folder.path().as_os_str()]);
}

#[test]
fn a_reader_goes_through_what_changed() {
    let page = shops(&["--top", "100", "--maxmemory", "64M"]);
    assert!(page.html.len() < 700_000, "{} bytes", page.html.len());
    let once_more = shops(&["--top", "100", "--maxmemory", "64M"]);
    assert!(page.html == once_more.html, "the same difference gives the same page");
    run("changes_tour.mjs", &[page.path.as_os_str(), page.folder.path().as_os_str()]);
}

/// Reports have no single keys, and say so.
#[test]
fn what_changed_between_reports_is_a_page_too() {
    let folder = tempfile::tempdir().expect("a folder");
    for (name, dump) in [("old", dumps::shop()), ("new", dumps::shop_a_week_later())] {
        fs::write(folder.path().join(format!("{name}.rdb")), dump).expect("a dump");
        let (report, dump) = (format!("{name}.json"), format!("{name}.rdb"));
        let options = if name == "new" { &["--sha256"][..] } else { &[] };
        let groups = ["report", "--group", "cart:*", "--group", "session:*", "-o", &report, &dump];
        bigkeys(folder.path(), &[&groups[..], options].concat());
    }
    bigkeys(folder.path(), &["diff", "old.json", "new.json", "-o", "page.html"]);
    let html = fs::read_to_string(folder.path().join("page.html")).expect("a page");
    for wanted in ["keys were not compared one by one", "Types, databases and groups", "unclassified", ">cart:<"] {
        assert!(html.contains(wanted), "{wanted}");
    }
    assert!(!html.contains("What became of keys"));
    // Digests as on the page of a report: of the side whose report has them.
    let new = fs::read(folder.path().join("new.json")).expect("a report");
    let new: Value = serde_json::from_slice(&new).expect("JSON");
    let sha256 = new["dumps"][0]["sha256"].as_str().expect("a digest");
    let digest = format!("<p>SHA-256 <code>{sha256}</code> <bdi class=\"name\">new.rdb</bdi></p>");
    assert!(html.contains(&digest) && html.matches("SHA-256").count() == 1, "{digest}");
}

/// What keys of prefixes are is there if it was asked for, of the largest prefixes first, and says what it leaves out.
#[test]
fn what_keys_of_prefixes_are() {
    let plain = page("crowd.rdb", &dumps::crowd(), &[]);
    assert!(!plain.html.contains("What keys of prefixes are"));
    let page = page("crowd.rdb", &dumps::crowd(), &["--breakdown", "--top", "500"]);
    assert!(page.html.len() <= 1_500_000, "{} bytes", page.html.len());
    let section = Regex::new(r#"(?s)<section id="breakdown".*?</section>"#).expect("a pattern");
    let section = section.find(&page.html).expect("a section").as_str();
    assert_eq!((section.matches("<table").count(), section.matches("<th scope=\"row\">").count()), (2, 2 * 24));
    assert!(section.contains("more prefixes, which the JSON of the report has"), "{section}");
}

#[test]
fn hostile_names_that_came_are_text() {
    let names = ["old\"><script>hacked().rdb", "<img src=x onerror=hacked()>.rdb"];
    let page = difference(names, [&dumps::before_hostile(), &dumps::hostile()], &["--top", "500"]);
    let data = Regex::new(r#"(?s)<script id="data" type="application/json">(.*?)</script>"#).expect("a pattern");
    let data = data.captures(&page.html).expect("data")[1].to_owned();
    assert!(!data.contains('<'));
    let parsed: Value = serde_json::from_str(&data).expect("JSON");
    assert_eq!(parsed["keys"].as_array().map(Vec::len), Some(dumps::hostile_names().len() * 5 + 1));
    // Of a long name a difference holds the first bytes.
    let names: Vec<String> = dumps::hostile_names().iter().map(|name| shown(&name[..name.len().min(1024)])).collect();
    let (names_file, commands_file) = (page.folder.path().join("names.json"), page.folder.path().join("commands.json"));
    fs::write(&names_file, serde_json::to_vec(&names).expect("JSON")).expect("a file");
    run("hostile.mjs", &[page.path.as_os_str(), names_file.as_os_str(), commands_file.as_os_str()]);
}

#[test]
fn hostile_names_are_text() {
    let options = ["--top", "500", "--slots", "--breakdown"];
    let page = page("<img src=x onerror=hacked()>.rdb", &dumps::hostile(), &options);
    let data = Regex::new(r#"(?s)<script id="data" type="application/json">(.*?)</script>"#).expect("a pattern");
    let data = data.captures(&page.html).expect("data")[1].to_owned();
    assert!(!data.contains('<'));
    let parsed: Value = serde_json::from_str(&data).expect("JSON");
    assert_eq!(parsed["keys"].as_array().map(Vec::len), Some(dumps::hostile_names().len() * 5));
    let names: Vec<String> = dumps::hostile_names().iter().map(|name| shown(name)).collect();
    let (names_file, commands_file) = (page.folder.path().join("names.json"), page.folder.path().join("commands.json"));
    fs::write(&names_file, serde_json::to_vec(&names).expect("JSON")).expect("a file");
    if run("hostile.mjs", &[page.path.as_os_str(), names_file.as_os_str(), commands_file.as_os_str()]).is_none() {
        return;
    }
    let commands: Value = serde_json::from_slice(&fs::read(&commands_file).expect("commands")).expect("JSON");
    let prefixes = parsed["prefixes"].as_array().expect("prefixes");
    commands_reach_their_keys(&commands, prefixes, page.folder.path());
}

/// A name as the page shows it.
fn shown(name: &[u8]) -> String {
    if name.is_empty() { "\"\"".to_owned() } else { bigkeys::error::Visible(name).to_string() }
}

/// Pasted into a shell, the commands ask a real server for the very keys and run nothing else.
fn commands_reach_their_keys(commands: &Value, prefixes: &[Value], folder: &Path) {
    let Some(mut server) = server::require(Kind::Redis) else { return };
    if !support::tools::require("redis-cli") {
        return;
    }
    let dump = fs::read_dir(folder).expect("a folder").map(|entry| entry.expect("an entry").path());
    let dump = dump.into_iter().find(|path| path.extension().is_some_and(|ending| ending == "rdb")).expect("the dump");
    fs::copy(&dump, server.dump()).expect("a copy");
    server.ask(&["DEBUG", "RELOAD", "NOSAVE"]);
    let keys = server.ask(&["DBSIZE"]).into_count();
    assert_eq!(keys, dumps::hostile_names().len() as u64 * 5);
    // What is pasted calls a redis-cli that finds the server.
    let bin = folder.join("bin");
    fs::create_dir(&bin).expect("a folder");
    let real = std::env::split_paths(&std::env::var_os("PATH").expect("a path"))
        .map(|path| path.join("redis-cli"))
        .find(|path| path.is_file());
    let wrapper = format!(
        "#!/bin/sh\nexec '{}' -s '{}' \"$@\"\n",
        real.expect("redis-cli").display(),
        server.file("socket").display()
    );
    fs::write(bin.join("redis-cli"), wrapper).expect("a file");
    fs::set_permissions(bin.join("redis-cli"), fs::Permissions::from_mode(0o755)).expect("rights");
    let path = format!("{}:{}", bin.display(), std::env::var("PATH").expect("a path"));
    let paste = |command: &Value| {
        let command = command.as_str().expect("a command");
        assert!(command.chars().all(|character| !character.is_control()), "{command:?}");
        let output =
            Command::new("sh").args(["-c", command]).env("PATH", &path).current_dir(&bin).output().expect("sh");
        assert!(output.status.success(), "{command}: {}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8_lossy(&output.stdout).into_owned()
    };
    let asked = commands["keys"].as_array().expect("commands");
    assert_eq!(asked.len() as u64, keys);
    for command in asked {
        let answer = paste(command);
        assert!(answer.trim().parse::<u64>().is_ok_and(|bytes| bytes > 0), "{command}: {answer}");
    }
    let listed = commands["prefixes"].as_array().expect("commands");
    assert_eq!(listed.len(), prefixes.len());
    for (command, prefix) in listed.iter().zip(prefixes) {
        // A name may have lines of its own.
        let (lines, keys_under) = (paste(command).lines().count() as u64, prefix[1][2].as_u64().expect("keys"));
        assert!((keys_under..keys).contains(&lines), "{command}: {lines} lines for {keys_under} keys");
    }
    assert_eq!(fs::read_dir(&bin).expect("a folder").count(), 1, "a command wrote a file");
}

#[test]
fn thousands_of_names_are_small_and_drawn_at_once() {
    let page = page("crowd.rdb", &dumps::crowd(), &["--top", "500"]);
    let parsed = Regex::new(r#"(?s)type="application/json">(.*?)</script>"#).expect("a pattern");
    let parsed: Value = serde_json::from_str(&parsed.captures(&page.html).expect("data")[1]).expect("JSON");
    let prefixes = parsed["prefixes"].as_array().expect("prefixes").len();
    assert!(prefixes >= 2048, "{prefixes} prefixes");
    assert_eq!(parsed["databases"].as_array().map(Vec::len), Some(16));
    let keys = parsed["keys"].as_array().expect("keys").len();
    assert!(keys > 3000, "{keys} keys");
    assert!(page.html.len() <= 1_500_000, "{} bytes", page.html.len());
    assert!(page.html.contains("This page has room for"), "what is left out is said");
    // Not the 300 ms that it takes on a quiet machine, which the script prints: a page that takes this long hangs.
    run("time.mjs", &[page.path.as_os_str(), OsStr::new("5000")]);
}

#[test]
#[ignore = "makes pictures, in the folder BIGKEYS_SCREENSHOTS"]
fn screenshots() {
    let folder = std::env::var_os("BIGKEYS_SCREENSHOTS").expect("BIGKEYS_SCREENSHOTS names a folder");
    let page = page("shop.rdb", &dumps::shop(), &["--top", "100", "--largest", "--slots", "--sha256", "--breakdown"]);
    run("screenshots.mjs", &[page.path.as_os_str(), &folder]);
    let changed = shops(&["--top", "100", "--maxmemory", "64M"]);
    let folder = Path::new(&folder).join("diff");
    fs::create_dir_all(&folder).expect("a folder");
    run("screenshots.mjs", &[changed.path.as_os_str(), folder.as_os_str()]);
}
