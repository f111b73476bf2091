//! What the program says of itself, and what it says to arguments that it does not understand.

use std::fs;
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
        "report --help",
        "report -h",
        "keys --help",
        #[cfg(feature = "browse")]
        "browse --help",
        "get --help",
        "export --help",
        "check --help",
        "salvage --help",
        "merge --help",
        "completions --help",
        "man --help",
        "help",
        "help keys",
        "task show --help",
        "task delete --help",
        "task --help",
        "task create --help",
        "task list --help",
        "task run --help",
        "serve --help",
        "store --help",
        "store backup --help",
        "store check --help",
        "store vacuum --help",
        "token --help",
        "token new --help",
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
    let verbose = run("--version --verbose").expect(0, &[]).stdout;
    assert!(verbose.starts_with(&version), "{verbose}");
    for fact in ["\ncommit: ", "\ntarget: ", "\nfeatures: cli, "] {
        assert!(verbose.contains(fact), "{verbose}");
    }
}

#[test]
fn arguments_that_make_no_sense() {
    for (arguments, fragment) in [
        ("", "Usage: bigkeys"),
        ("--no-such", "unexpected argument '--no-such'"),
        ("no-such", "no such file or command: 'no-such'"),
        ("no/such.rdb --top 5", "no such file or command: 'no/such.rdb'"),
        ("analize x.rdb", "tip: a similar command exists: 'analyze'"),
        ("task lst", "tip: a similar subcommand exists: 'list'"),
        ("ftp://host/x.rdb", "URLs of these schemes are read: s3, gs, az, abfss, https and http"),
        #[cfg(not(feature = "cloud"))]
        (
            "s3://bucket/x.rdb",
            "does not read URLs (feature cloud); try: aws s3 cp s3://bucket/x.rdb - | bigkeys report -",
        ),
        #[cfg(not(feature = "cloud"))]
        ("analyze https://host/x.rdb", "try: curl -L https://host/x.rdb | bigkeys report -"),
        ("check redis://host", "bigkeys reads dumps, not servers; try: redis-cli -u redis://host --rdb dump.rdb"),
        ("keys h:1=x.rdb", "rows do not say which shard a key is from: give the path without h:1="),
        ("merge --top 3 x.json", "tip: '--top' is an option of: analyze, report"),
        ("check --threads 2 x.rdb", "unexpected argument '--threads'"),
        ("keys --largest x.rdb", "tip: '--largest' is an option of: report"),
        ("--per-file x.rdb", "tip: '--per-file' is an option of: analyze"),
        ("task list --wait", "tip: '--wait' is an option of: task create"),
        ("report --separator / x.rdb", "tip: a similar argument exists: '--separators'"),
        ("analyze --now 2026-01-31T12:00:00 --expired skip x.rdb", "invalid time"),
        ("keys --format json x.rdb", "[possible values: csv, ndjson"),
        ("analyze --format json x.rdb", "unexpected argument '--format'"),
        ("analyze --now 0 x.rdb", "--now decides which keys have expired and how long others live"),
        ("analyze", "<DUMP>"),
        ("analyze --no-such x.rdb", "unexpected argument '--no-such'"),
        ("analyze --top many x.rdb", "'many' for '--top <N>': expected a whole number"),
        ("analyze --top -1 x.rdb", "expected a whole number, 0 or more"),
        ("analyze --threads 0 x.rdb", "'0' for '--threads <N>': expected a whole number from 1 to 1024"),
        ("analyze --min-bytes 1X x.rdb", "unknown unit 'X' (use K, M, G or T)"),
        ("analyze --min-bytes 99999999999G x.rdb", "the number is too large"),
        ("analyze --min-bytes 1 --big x.rdb", "cannot be used with"),
        ("analyze --min-elements 1K x.rdb", "'1K' for '--min-elements"),
        ("analyze --db first x.rdb", "'first' for '--db"),
        ("analyze --type text x.rdb", "[possible values: string, list, set, zset, hash, stream"),
        ("analyze --regex ( x.rdb", "'(' for '--regex"),
        ("analyze --expired maybe x.rdb", "[possible values: keep, skip, only]"),
        ("analyze --now yesterday x.rdb", "invalid time; expected e.g. 2026-01-31T12:00:00Z, 2026-01-31"),
        ("report --ttl 7d..1h x.rdb", "expected none or a range, shorter end first"),
        ("report --slot 9..5 x.rdb", "expected a range from 0 to 16383, lower end first"),
        ("analyze --at 2026-13-01T00:00:00Z x.rdb", "invalid time"),
        ("analyze --task-id 17 x.rdb", "'17' for '--task-id"),
        ("analyze --progress sometimes x.rdb", "[possible values: auto, always, never]"),
        ("task --store", "a value is required for '--store"),
        ("task create x.rdb --format xml", "[possible values: json, table]"),
        ("serve", "--config <FILE>"),
        ("serve --config no/such.toml", "no/such.toml: could not read it: No such file"),
        ("completions tcsh", "[possible values: bash, elvish, fish, powershell, zsh]"),
        ("man no-such", "no manual page: there is no command `no-such`"),
        ("completions powershell --install", "powershell has no folder for completions: use -o FILE"),
    ] {
        let refused = run(arguments).expect(2, &[fragment]);
        assert_eq!(refused.stdout, "", "{arguments}");
    }
    // Errors of arguments repeat no password and no signature.
    for arguments in [
        "check redis://me:secret@host",
        "check ftp://me:secret@host/x.rdb",
        "export --format https://host/x.rdb?sig=secret x.rdb",
        "analyze --top https://me:secret@host/x.rdb?sig=secret",
        #[cfg(not(feature = "cloud"))]
        "analyze https://me:secret@host/x.rdb?sig=secret",
        #[cfg(not(feature = "cloud"))]
        "analyze s3://me:secret@host/x.rdb",
        "task https://host/x.rdb?sig=secret",
        "completions bash https://host/x.rdb?sig=secret",
    ] {
        let refused = run(arguments).expect(2, &["://host"]);
        assert!(!refused.stderr.contains("secret"), "{arguments}: {}", refused.stderr);
    }
    let id = "--task-id 858ee14c-2271-4489-8b82-7bda7459ae3e";
    for (arguments, fragment) in [
        (format!("analyze {id} {id} x.rdb"), "--task-id is given 2 times for 1 task;"),
        (format!("analyze --per-file {id} x.rdb y.rdb"), "--task-id is given once for 2 tasks"),
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
        assert!(!script.contains("segment-bytes") && !script.contains("window-bytes"), "{shell}: hidden options");
    }
}

#[test]
fn completions_are_installed_into_new_folders() {
    let folder = tempfile::tempdir().expect("a folder");
    let home = folder.path().join("home");
    for (shell, place) in [
        ("bash", ".local/share/bash-completion/completions/bigkeys"),
        ("zsh", ".local/share/zsh/site-functions/_bigkeys"),
        ("fish", ".config/fish/completions/bigkeys.fish"),
        ("elvish", ".config/elvish/lib/bigkeys.elv"),
    ] {
        let mut command = bigkeys(&format!("completions {shell} --install"));
        for name in ["BASH_COMPLETION_USER_DIR", "XDG_DATA_HOME", "XDG_CONFIG_HOME"] {
            command.env_remove(name);
        }
        let installed = outcome(command.env("HOME", &home)).expect(0, &["wrote ", place]);
        assert_eq!(installed.stdout, "");
        let script = run(&format!("completions {shell}")).expect(0, &[]).stdout;
        assert_eq!(fs::read_to_string(home.join(place)).expect("the script"), script);
        let file = folder.path().join("new").join(shell).join("script");
        run(&format!("completions {shell} -o {}", file.display())).expect(0, &[]);
        assert_eq!(fs::read_to_string(file).expect("the script"), script);
    }
}

#[test]
fn manual_pages() {
    for (arguments, title, word) in [
        ("man", ".TH bigkeys 1", "completions"),
        ("man analyze", ".TH bigkeys-analyze 1", "\\-\\-min\\-elements"),
        ("man completions", ".TH bigkeys-completions 1", "zsh"),
        ("man task create", ".TH bigkeys-task-create 1", "DUMP"),
    ] {
        let page = run(arguments).expect(0, &[]).stdout;
        assert!(page.lines().any(|line| line.starts_with(title)), "{arguments}: {page}");
        assert!(page.contains(word), "{arguments}: {page}");
    }
}
