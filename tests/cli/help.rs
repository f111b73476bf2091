//! What the program says of itself, and what it says to arguments that it does not understand.

use std::io::Write;
use std::process::{Command, Stdio};

use super::{bigkeys, outcome, run};

#[test]
fn help_fits_a_terminal() {
    for arguments in [
        "--help",
        "-h",
        "analyze --help",
        "analyze -h",
        "merge --help",
        "completions --help",
        "man --help",
        "help",
        "task --help",
        "task create --help",
        "task list --help",
        "task run --help",
        "serve --help",
    ] {
        // Nothing here is a terminal, so the width is the variable's, and 100 columns without one.
        for (columns, most) in [(Some("80"), 80), (Some("120"), 100), (None, 100)] {
            let mut command = bigkeys(arguments);
            command.env_remove("COLUMNS");
            command.envs(columns.map(|columns| ("COLUMNS", columns)));
            let help = outcome(&mut command).expect(0, &[]);
            assert!(help.stdout.contains("Usage: bigkeys"), "{}", help.stdout);
            for line in help.stdout.lines() {
                assert!(line.chars().count() <= most, "{arguments}: more than {most} columns: {line}");
            }
        }
    }
    let version = run("--version").expect(0, &[]).stdout;
    assert_eq!(version, concat!("bigkeys ", env!("CARGO_PKG_VERSION"), "\n"));
}

#[test]
fn arguments_that_make_no_sense() {
    for (arguments, fragment) in [
        ("", "Usage: bigkeys"),
        ("--no-such", "unexpected argument '--no-such'"),
        ("no-such", "unrecognized subcommand 'no-such'"),
        ("analyze", "<DUMP>"),
        ("analyze --no-such x.rdb", "unexpected argument '--no-such'"),
        ("analyze --top many x.rdb", "'many' for '--top"),
        ("analyze --top -1 x.rdb", "unexpected argument '-1'"),
        ("analyze --threads 0 x.rdb", "'0' for '--threads"),
        ("analyze --min-bytes 1T x.rdb", "the unit T is none of K, M and G"),
        ("analyze --min-bytes 99999999999G x.rdb", "it is too large"),
        ("analyze --min-bytes 1 --big x.rdb", "cannot be used with"),
        ("analyze --min-elements 1K x.rdb", "'1K' for '--min-elements"),
        ("analyze --db first x.rdb", "'first' for '--db"),
        ("analyze --type text x.rdb", "[possible values: string, list, set, zset, hash, stream"),
        ("analyze --regex ( x.rdb", "'(' for '--regex"),
        ("analyze --expired maybe x.rdb", "[possible values: keep, skip, only]"),
        ("analyze --now yesterday x.rdb", "it is no time such as"),
        ("analyze --at 2026-13-01T00:00:00Z x.rdb", "it is no time such as"),
        ("analyze --task-id 17 x.rdb", "'17' for '--task-id"),
        ("analyze --progress sometimes x.rdb", "[possible values: auto, always, never]"),
        ("task --store", "a value is required for '--store"),
        ("task create x.rdb --format xml", "[possible values: json, table]"),
        ("serve", "--config <FILE>"),
        ("serve --config no/such.toml", "no/such.toml: could not read it: No such file"),
        ("completions tcsh", "[possible values: bash, elvish, fish, powershell, zsh]"),
        ("man no-such", "there is no command no-such"),
    ] {
        let refused = run(arguments).expect(2, &[fragment]);
        assert_eq!(refused.stdout, "", "{arguments}");
    }
    let id = "--task-id 858ee14c-2271-4489-8b82-7bda7459ae3e";
    for (arguments, fragment) in [
        (format!("analyze {id} {id} x.rdb"), "--task-id is given 2 times for 1 tasks"),
        (format!("analyze --per-file {id} x.rdb y.rdb"), "--task-id is given 1 times for 2 tasks"),
    ] {
        assert_eq!(run(&arguments).expect(2, &[fragment]).stdout, "", "{arguments}");
    }
}

#[test]
fn completions_for_each_shell() {
    for shell in ["bash", "elvish", "fish", "powershell", "zsh"] {
        let script = run(&format!("completions {shell}")).expect(0, &[]).stdout;
        assert!(script.contains("bigkeys") && script.contains("min-elements"), "{shell}: {script}");
        if shell == "bash" {
            let child = Command::new("bash").arg("-n").stdin(Stdio::piped()).stderr(Stdio::piped()).spawn();
            let mut child = child.expect("bash starts");
            child.stdin.take().expect("a pipe").write_all(script.as_bytes()).expect("bash reads");
            super::ended(child).expect(0, &[]);
        }
    }
}

#[test]
fn manual_pages() {
    for (arguments, title, word) in [
        ("man", ".TH bigkeys 1", "completions"),
        ("man analyze", ".TH bigkeys-analyze 1", "\\-\\-min\\-elements"),
        ("man completions", ".TH bigkeys-completions 1", "zsh"),
    ] {
        let page = run(arguments).expect(0, &[]).stdout;
        assert!(page.lines().any(|line| line.starts_with(title)), "{arguments}: {page}");
        assert!(page.contains(word), "{arguments}: {page}");
    }
}
