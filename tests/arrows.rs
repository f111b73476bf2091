//! Who may know whom: the folders of `src/` name each other along these arrows and no others, and `unsafe` stands in
//! one file. Tests within the sources are held to it as well.
#![allow(clippy::indexing_slicing, reason = "an index out of place fails the test, as it should")]

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::fs;
use std::path::{Path, PathBuf};

use regex::Regex;

/// A folder or file directly in `src/`, and the paths below the crate that it may name besides its own. `lib.rs` names
/// them all, being the list of them; `cli/`, in a crate of its own, is held by another test.
const ARROWS: [(&str, &[&str]); 18] = [
    ("rdb", &[]),
    ("memory", &["rdb"]),
    ("error", &["rdb"]),
    ("input", &["error", "rdb::context", "rdb::header", "rdb::payload"]),
    ("analysis", &["rdb", "memory", "error"]),
    ("values", &["rdb"]),
    ("report", &["rdb", "analysis", "memory", "error"]),
    ("engine", &["input", "rdb", "analysis", "memory", "report", "values", "error"]),
    ("check", &["engine", "analysis::accumulator", "input", "rdb", "error"]),
    ("salvage", &["check", "engine::Progress", "engine::resync", "input", "rdb", "error"]),
    ("compare", &["engine", "analysis", "memory", "report", "values", "rdb", "error", "input::shown"]),
    ("extract", &["engine", "analysis", "report", "values", "input::shown", "rdb", "error"]),
    ("forensics", &["engine", "check", "analysis", "values", "rdb", "error"]),
    ("task", &["engine", "analysis", "report", "rdb", "error", "input"]),
    (
        "server",
        &[
            "analysis",
            "task",
            "engine",
            "error",
            "input",
            "report",
            "findings",
            "output::formula",
            "output::html",
            "output::human",
        ],
    ),
    ("findings", &["report", "memory", "rdb", "output::human"]),
    (
        "browse",
        &[
            "engine",
            "analysis",
            "report",
            "findings",
            "compare",
            "values",
            "output::human",
            "output::values",
            "rdb",
            "error",
            "input::shown",
        ],
    ),
    ("output", &["analysis", "memory", "report", "values", "compare", "forensics", "rdb", "error"]),
];

#[test]
fn modules_know_whom_they_may() {
    let mut strays = Vec::new();
    let mut arrows = 0;
    for Source { path, module, code } in sources() {
        let Some(top) = module.first().filter(|top| *top != "cli" && *top != "main") else { continue };
        let known = ARROWS.iter().find(|(name, _)| name == top);
        let (_, known) = known.unwrap_or_else(|| panic!("say in this table whom {top} may know"));
        for named in named_paths(&module, &code) {
            let named_top = named.first().map_or("", String::as_str);
            arrows += usize::from(named_top != top);
            let may = |known: &&str| known.split("::").eq(named.iter().take(known.split("::").count()));
            if named_top != top && !known.iter().any(may) {
                strays.push(format!("{} knows {}", path.display(), named.join("::")));
            }
        }
    }
    assert!(strays.is_empty(), "{}", strays.join("\n"));
    assert!(arrows > 20, "only {arrows} arrows were seen: this test no longer reads the sources");
}

#[test]
fn the_command_line_uses_the_library_from_outside() {
    let takes_in_files = Regex::new(r"#\s*\[\s*path\b|include!").expect("a pattern");
    let mut strays = Vec::new();
    for Source { path, module, code } in sources() {
        if !matches!(module.first().map(String::as_str), Some("cli" | "main")) {
            continue;
        }
        // What follows `bigkeys::` is public, or the program would not compile.
        for named in named_paths(&module, &code) {
            if named.first().is_none_or(|top| top != "cli" && top != "bigkeys") {
                strays.push(format!("{} knows {}", path.display(), named.join("::")));
            }
        }
        if takes_in_files.is_match(&code) {
            strays.push(format!("{} takes in a file of the library", path.display()));
        }
    }
    assert!(strays.is_empty(), "{}", strays.join("\n"));
}

#[test]
fn unsafe_stands_in_one_file() {
    let word = Regex::new(r"\bunsafe(_code)?\b").expect("a pattern");
    let with_unsafe: Vec<PathBuf> =
        sources().into_iter().filter(|source| word.is_match(&source.code)).map(|source| source.path).collect();
    assert_eq!(with_unsafe, [Path::new("src/input/map.rs")]);
}

/// No file imports one that, in some steps, imports it. A `mod.rs` that only declares its files and passes on their names
/// ties nothing: a name that it passes on belongs to the file that defines it.
#[test]
fn files_form_no_circle() {
    let sources: Vec<Source> = sources().into_iter().filter(|source| source.module != ["main"]).collect();
    let graph = imports(&sources);
    assert!(graph.iter().map(BTreeSet::len).sum::<usize>() > 300, "this test no longer reads the sources");
    let mut circles: Vec<String> = (0..graph.len())
        .filter_map(|file| circle_through(&graph, file))
        .map(|circle| {
            let names: Vec<String> = circle.iter().map(|&file| sources[file].path.display().to_string()).collect();
            names.join(" -> ")
        })
        .collect();
    circles.sort();
    assert!(circles.is_empty(), "files that import each other:\n{}", circles.join("\n"));
}

#[test]
fn a_circle_of_files_is_found() {
    let source = |path: &str, code: &str| Source {
        path: PathBuf::from(path),
        module: module_of(Path::new(path)),
        code: without_text(code),
    };
    let sources = [
        source("src/a/mod.rs", "pub(crate) mod b; mod c; pub use b::{B, Other}; use c::C;"),
        source("src/a/b.rs", "use super::d::D; pub struct B; #[cfg(test)] mod tests { use crate::a::c::C; }"),
        source("src/a/c.rs", "use super::B;"),
        source("src/a/d.rs", "use crate::a::c; fn f() -> c::C {}"),
    ];
    let graph = imports(&sources);
    let of = |file: usize| graph[file].iter().copied().collect::<Vec<_>>();
    // `a` passes on what is b's, but needs c itself; tests within b do not count.
    assert_eq!((of(0), of(1), of(2), of(3)), (vec![2], vec![3], vec![1], vec![2]));
    assert_eq!(circle_through(&graph, 0), None);
    assert_eq!(circle_through(&graph, 1), Some(vec![1, 3, 2, 1]));
}

/// For each file the files that it imports, by their places in `sources`.
fn imports(sources: &[Source]) -> Vec<BTreeSet<usize>> {
    let file = |module: &[String]| sources.iter().position(|source| source.module == module);
    let passed_on = Regex::new(r"pub(?:\s*\([^)]*\))?\s+use\s[^;]*;").expect("a pattern");
    let paths_of = |source: &Source, code: &str| {
        let children: Vec<&str> = sources
            .iter()
            .filter(|other| other.module.split_last().is_some_and(|(_, above)| above == source.module))
            .filter_map(|other| other.module.last().map(String::as_str))
            .collect();
        named_paths(&source.module, &with_whole_paths(code, &children))
    };
    // A name that a file passes on, and the path that it stands for.
    let mut aliases = BTreeMap::new();
    for source in sources {
        for passing in passed_on.find_iter(&source.code) {
            for path in paths_of(source, passing.as_str()) {
                let name = path.last().expect("a path has a name").clone();
                aliases.insert([&source.module[..], &[name]].concat(), path);
            }
        }
    }
    let defined_in = |path: &[String]| {
        let mut path = path.to_vec();
        // A path that stands for itself, such as a name that `mod` declares and `pub use` repeats, ends the search.
        for _ in 0..4 {
            let alias =
                (1..=path.len()).rev().find_map(|words| aliases.get(&path[..words]).map(|alias| (words, alias)));
            let Some((words, alias)) = alias.filter(|(words, alias)| alias[..] != path[..*words]) else { break };
            path = [&alias[..], &path[words..]].concat();
        }
        (1..=path.len()).rev().find_map(|words| file(&path[..words]))
    };
    let of_tests = Regex::new(r"#\[cfg\(test\)\]\s*mod tests \{").expect("a pattern");
    sources
        .iter()
        .enumerate()
        .map(|(place, source)| {
            let code = passed_on.replace_all(&source.code, " ");
            let code = of_tests.find(&code).map_or(&code[..], |tests| &code[..tests.start()]);
            paths_of(source, code).iter().filter_map(|path| defined_in(path)).filter(|file| *file != place).collect()
        })
        .collect()
}

/// The code with `self::` before each path that starts at one of these modules, which lie below the file's own.
fn with_whole_paths(code: &str, children: &[&str]) -> String {
    if children.is_empty() {
        return code.to_owned();
    }
    let start = Regex::new(&format!(r"(^|[^:\w]\s*)({})\s*::\s*([\w{{])", children.join("|"))).expect("a pattern");
    start.replace_all(code, "${1}self::${2}::${3}").into_owned()
}

/// The shortest way from a file over its imports back to it.
fn circle_through(graph: &[BTreeSet<usize>], file: usize) -> Option<Vec<usize>> {
    let mut ways = VecDeque::from([vec![file]]);
    let mut seen = BTreeSet::new();
    while let Some(way) = ways.pop_front() {
        for &next in &graph[*way.last()?] {
            if next == file {
                return Some([&way[..], &[file]].concat());
            }
            if seen.insert(next) {
                ways.push_back([&way[..], &[next]].concat());
            }
        }
    }
    None
}

#[test]
fn every_way_to_write_a_path_is_seen() {
    let code = r#"
        //! Not [`crate::comment`].
        use crate::one::{self, Two, three::{Four, five}};
        pub(crate) use super::six as seven;
        pub(in crate::eight) fn f<'a>(x: &'a str) -> crate :: nine::Ten { '{'; "crate::text \" crate::text"; g() }
        /* crate::comment */
        mod tests { use super::*; use super::super::eleven; fn f() { super::twelve(b'"', br"crate::raw") } }
        fn h() { $crate::thirteen!(self::own::thing()) }
        type Fifteen = ::bigkeys::Fourteen<bigkeys::Fifteen>;
    "#;
    let module = ["top".to_owned(), "below".to_owned()];
    let named: Vec<String> = named_paths(&module, &without_text(code)).iter().map(|path| path.join("::")).collect();
    let expected = "one|one::Two|one::three::Four|one::three::five|top::six|eight|nine::Ten|top::below::*|top::eleven|\
                    top::below::twelve|thirteen|top::below::own::thing|bigkeys::Fourteen|bigkeys::Fifteen";
    assert_eq!(named.join("|"), expected);
}

/// A file of `src/`.
struct Source {
    path: PathBuf,
    /// `src/a/b.rs` and `src/a/b/mod.rs` are `[a, b]`; `lib.rs` is empty.
    module: Vec<String>,
    /// What the compiler reads: no comments, no text between quotes.
    code: String,
}

fn sources() -> Vec<Source> {
    let mut sources = Vec::new();
    let mut folders = vec![PathBuf::from("src")];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder).expect("a folder") {
            let path = entry.expect("an entry").path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                let code = without_text(&fs::read_to_string(&path).expect("source code"));
                sources.push(Source { module: module_of(&path), path, code });
            }
        }
    }
    sources.sort_by(|a, b| a.path.cmp(&b.path));
    sources
}

fn module_of(path: &Path) -> Vec<String> {
    let words = path.with_extension("");
    let words = words.strip_prefix("src").expect("a file of src").iter();
    words.map(|word| word.to_string_lossy().into_owned()).filter(|word| word != "mod" && word != "lib").collect()
}

/// The code with a blank in the place of each comment, string and character.
fn without_text(code: &str) -> String {
    let text = [
        r"//[^\n]*",
        r"/\*(?s:.*?)\*/",
        r##"\b[bc]?r#"(?s:.*?)"#"##,
        r#"\b[bc]?r"[^"]*""#,
        r#"(?:\b[bc])?"(?:\\(?s:.)|[^"\\])*""#,
        r"(?:\bb)?'(?:\\[^\n]+?|[^\\'\n])'",
    ];
    Regex::new(&text.join("|")).expect("a pattern").replace_all(code, " ").into_owned()
}

/// Every path that starts at the crate's root, at `super` or at the library's name, from the root on.
fn named_paths(module: &[String], code: &str) -> Vec<Vec<String>> {
    let words = Regex::new(r"\w+|::|[^\w\s]").expect("a pattern");
    let words: Vec<&str> = words.find_iter(code).map(|word| word.as_str()).collect();
    let mut module = module.to_vec();
    // For each open brace whether it is a module's.
    let mut braces = Vec::new();
    let mut paths = Vec::new();
    for (at, word) in words.iter().enumerate() {
        let (before, after) = words.split_at(at);
        // Not in the middle of a path that was followed from its start.
        let is_start = after.get(1) == Some(&"::") && !before.ends_with(&["super", "::"]);
        match *word {
            "{" => {
                let name = match before {
                    [.., "mod", name] => Some((*name).to_owned()),
                    _ => None,
                };
                braces.push(name.is_some());
                module.extend(name);
            }
            "}" if braces.pop() == Some(true) => _ = module.pop(),
            "crate" if is_start => _ = follow(&mut Vec::new(), &after[2..], &mut paths),
            "self" if is_start && after.get(1) == Some(&"::") => {
                _ = follow(&mut module.clone(), &after[2..], &mut paths);
            }
            "bigkeys" if is_start => _ = follow(&mut vec!["bigkeys".to_owned()], &after[2..], &mut paths),
            "super" if is_start => {
                let ups = after.chunks(2).take_while(|pair| *pair == ["super", "::"]).count();
                let above = module.len().checked_sub(ups).expect("no module is above the crate");
                follow(&mut module[..above].to_vec(), &after[2 * ups..], &mut paths);
            }
            _ => {}
        }
    }
    paths
}

/// Adds the path, or the tree of paths, that continues `path`; returns how many words that took.
fn follow(path: &mut Vec<String>, words: &[&str], paths: &mut Vec<Vec<String>>) -> usize {
    let depth = path.len();
    let mut at = 0;
    while let Some(word) = words.get(at) {
        at += 1;
        match *word {
            "{" => {
                while words.get(at).is_some_and(|word| *word != "}") {
                    at += follow(path, &words[at..], paths);
                    at += usize::from(words.get(at) == Some(&","));
                }
                path.truncate(depth);
                return at + 1;
            }
            "self" => {}
            name => path.push(name.to_owned()),
        }
        if words.get(at) != Some(&"::") {
            break;
        }
        at += 1;
    }
    // A renamed import knows the thing by its own name.
    at += if words.get(at) == Some(&"as") { 2 } else { 0 };
    paths.push(path.clone());
    path.truncate(depth);
    at
}
