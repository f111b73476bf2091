//! What README.md, CONTRIBUTING.md and docs/ say is true: `console` blocks print what they show, `sh` blocks run as they
//! stand in a folder with dumps of the names that they use, and links lead somewhere. A block that cannot run says why in a
//! comment before it: `<!-- not run: REASON -->`.
//!
//! `TRYCMD=overwrite cargo test --test docs` writes the `console` blocks anew.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use regex::Regex;

fn pages() -> Vec<PathBuf> {
    let mut pages: Vec<PathBuf> = ["README.md", "CONTRIBUTING.md"].map(PathBuf::from).into();
    let docs = fs::read_dir("docs").expect("the folder docs").map(|entry| entry.expect("an entry").path());
    pages.extend(docs.filter(|path| path.extension().is_some_and(|extension| extension == "md")));
    pages.sort();
    pages
}

/// A fenced block of code: its language, the comment right before it, and what is in it.
struct Block {
    line: usize,
    language: String,
    mark: Option<String>,
    code: String,
}

fn blocks(page: &str) -> Vec<Block> {
    let mut blocks = Vec::new();
    let mut lines = page.lines().enumerate();
    let mut mark = None;
    while let Some((number, line)) = lines.next() {
        if let Some(language) = line.strip_prefix("```") {
            let code: Vec<&str> = lines.by_ref().map(|(_, line)| line).take_while(|line| *line != "```").collect();
            let (language, code) = (language.to_owned(), code.join("\n"));
            blocks.push(Block { line: number + 1, language, mark: mark.take(), code });
        } else if let Some(comment) = line.strip_prefix("<!-- ").and_then(|line| line.strip_suffix(" -->")) {
            mark = Some(comment.to_owned());
        } else if !line.is_empty() {
            mark = None;
        }
    }
    blocks
}

#[test]
fn console_blocks_print_what_they_show() {
    let cases = trycmd::TestCases::new();
    for page in pages() {
        cases.case(page);
    }
}

#[test]
fn shell_blocks_run() {
    let mut run = 0;
    for path in pages() {
        let folder = folder_of_dumps();
        for Block { line, language, mark, code } in blocks(&fs::read_to_string(&path).expect("a page")) {
            let place = format!("{}:{line}", path.display());
            match mark.as_deref() {
                Some("ci: run") => continue,
                Some(reason) if reason.len() > "not run: ".len() && reason.starts_with("not run: ") => continue,
                mark => assert_eq!(mark, None, "{place}: not a mark of this test"),
            }
            if language == "console" {
                continue;
            }
            assert_eq!(language, "sh", "{place}: nothing runs this block: say why in <!-- not run: REASON -->");
            let program = Path::new(env!("CARGO_BIN_EXE_bigkeys")).parent().expect("a folder");
            let path = std::env::var("PATH").unwrap_or_default();
            let output = Command::new("bash")
                .args(["-euo", "pipefail", "-c", &code])
                .current_dir(&folder)
                .env("PATH", format!("{}:{path}", program.display()))
                .env("HOME", folder.path())
                .env_remove("XDG_DATA_HOME")
                .output()
                .expect("bash");
            assert!(output.status.success(), "{place}: {}\n{}", output.status, String::from_utf8_lossy(&output.stderr));
            run += 1;
        }
    }
    assert!(run > 5, "only {run} blocks were run: this test no longer reads the pages");
}

/// A folder with dumps of the names that the pages use.
fn folder_of_dumps() -> tempfile::TempDir {
    let folder = tempfile::tempdir().expect("a folder");
    let to = |name: &str| folder.path().join(name);
    let copy = |from: &str, name: &str| _ = fs::copy(Path::new("fixtures").join(from), to(name)).expect(from);
    copy("shop_v10.rdb", "dump.rdb");
    copy("cluster_slots_v11.rdb", "a.rdb");
    copy("shop_v10.rdb", "monday.rdb");
    copy("shop_v10.rdb", "tuesday.rdb");
    copy("cluster_slots_v12.rdb", "b.rdb");
    copy("cluster_slots_v13.rdb", "c.rdb");
    copy("refused/cut_in_string_v09.rdb", "damaged.rdb");
    fs::create_dir(to("backups")).expect("a folder");
    copy("mixed_all_v12.rdb", "backups/monday.rdb");
    copy("mixed_all_v13.rdb", "backups/tuesday.rdb");
    let gzip = Command::new("gzip").arg("-c").arg(to("dump.rdb")).output().expect("gzip");
    fs::write(to("nightly.rdb.gz"), gzip.stdout).expect("a file");
    folder
}

#[test]
fn links_lead_somewhere() {
    let link = Regex::new(r"\]\(([^)\s]+)\)").expect("a pattern");
    let mut broken = Vec::new();
    for path in pages() {
        let page = fs::read_to_string(&path).expect("a page");
        for (number, line) in page.lines().enumerate() {
            for target in link.captures_iter(line).map(|found| found[1].to_owned()) {
                if target.contains("://") {
                    continue;
                }
                let (file, anchor) = target.split_once('#').map_or((&target[..], None), |(file, id)| (file, Some(id)));
                let file = if file.is_empty() { path.clone() } else { path.with_file_name(file) };
                let leads = match anchor {
                    None => file.exists(),
                    Some(anchor) => fs::read_to_string(&file).is_ok_and(|page| anchors(&page).contains(anchor)),
                };
                if !leads {
                    broken.push(format!("{}:{}: {target}", path.display(), number + 1));
                }
            }
        }
    }
    assert!(broken.is_empty(), "{}", broken.join("\n"));
}

/// The anchors that headings become: lower case, blanks as hyphens, no punctuation.
fn anchors(page: &str) -> BTreeSet<String> {
    let headings =
        page.lines().filter_map(|line| line.strip_prefix('#').map(|line| line.trim_start_matches('#').trim()));
    headings
        .map(|heading| {
            let kept = heading.chars().filter(|letter| letter.is_alphanumeric() || " -_".contains(*letter));
            kept.collect::<String>().to_lowercase().replace(' ', "-")
        })
        .collect()
}
