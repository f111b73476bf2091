//! The explorer in a real terminal: tmux's.

use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};
use std::{fs, thread};

use super::support::assembler::Rdb;
use super::support::skipped::skip;
use super::{MIXED, run};

/// A terminal of tmux, with a server of its own that ends with it.
struct Tmux {
    socket: String,
    folder: tempfile::TempDir,
}

impl Tmux {
    /// Starts a shell in a terminal of this size; none without tmux.
    fn start(name: &str, columns: u16, rows: u16) -> Option<Self> {
        if !Command::new("tmux").arg("-V").stdout(Stdio::null()).status().is_ok_and(|status| status.success()) {
            skip("tmux is not installed");
            return None;
        }
        let folder = tempfile::tempdir().expect("a folder");
        let tmux = Self { socket: format!("bigkeys-{name}-{}", std::process::id()), folder };
        let (columns, rows) = (columns.to_string(), rows.to_string());
        let shell = ["env", "-u", "NO_COLOR", "PS1=ready> ", "bash", "--norc", "--noprofile"];
        tmux.run(&[&["-f", "/dev/null", "new-session", "-d", "-x", &columns, "-y", &rows], &shell[..]].concat());
        tmux.sees("ready>");
        Some(tmux)
    }

    fn run(&self, arguments: &[&str]) -> String {
        let output = Command::new("tmux").args(["-L", &self.socket]).args(arguments).output().expect("tmux starts");
        assert!(output.status.success(), "{arguments:?}: {output:?}");
        String::from_utf8(output.stdout).expect("text")
    }

    /// Types text and a key.
    fn types(&self, text: &str, key: &str) {
        if !text.is_empty() {
            self.run(&["send-keys", "-l", text]);
        }
        if !key.is_empty() {
            self.run(&["send-keys", key]);
        }
    }

    fn screen(&self) -> String {
        self.run(&["capture-pane", "-p"])
    }

    /// Whether anything on the screen has a colour.
    fn has_colours(&self) -> bool {
        self.run(&["capture-pane", "-p", "-e"]).contains("\x1b[38;5;")
    }

    /// Waits for a text on the screen.
    #[track_caller]
    fn sees(&self, text: &str) -> String {
        self.waits(&format!("{text:?}"), |screen| screen.contains(text))
    }

    #[track_caller]
    fn waits(&self, what: &str, is_there: impl Fn(&str) -> bool) -> String {
        let deadline = Instant::now() + Duration::from_mins(1);
        loop {
            let screen = self.screen();
            if is_there(&screen) {
                return screen;
            }
            assert!(Instant::now() < deadline, "no {what} on\n{screen}");
            thread::sleep(Duration::from_millis(20));
        }
    }

    /// Starts the explorer of a dump.
    fn browse(&self, arguments: &str) {
        let program = env!("CARGO_BIN_EXE_bigkeys");
        self.types(&format!("clear; {program} browse {arguments}; echo code=$?"), "Enter");
    }

    /// The process that runs the explorer.
    fn explorer(&self) -> String {
        let shell = self.run(&["display-message", "-p", "#{pane_pid}"]);
        let children =
            Command::new("ps").args(["-o", "pid=,comm=", "--ppid", shell.trim()]).output().expect("ps starts");
        let children = String::from_utf8(children.stdout).expect("text");
        let line = children.lines().find(|line| line.contains("bigkeys")).expect("the explorer");
        line.split_whitespace().next().expect("a number").to_owned()
    }

    /// The shell is there again, with a terminal that echoes, and the explorer's screen is gone.
    fn has_its_terminal_back(&self, code: &str) {
        let screen = self.sees(code);
        assert!(!screen.contains("Esc back"), "{screen}");
        self.types("stty -a | grep -o ' echo '; echo again", "Enter");
        let screen = self.waits("a terminal that echoes", |screen| screen.lines().any(|line| line.trim() == "again"));
        assert!(screen.lines().any(|line| line.trim() == "echo"), "{screen}");
        assert_eq!(self.run(&["display-message", "-p", "#{alternate_on}#{mouse_any_flag}"]).trim(), "00");
    }
}

impl Drop for Tmux {
    fn drop(&mut self) {
        _ = Command::new("tmux").args(["-L", &self.socket, "kill-server"]).status();
    }
}

fn signal(name: &str, process: &str) {
    assert!(Command::new("kill").args([name, process]).status().expect("kill starts").success());
}

#[test]
fn a_person_in_tmux() {
    let Some(tmux) = Tmux::start("person", 60, 16) else { return };
    let dump = fs::canonicalize(MIXED).expect("a fixture");
    tmux.browse(&dump.display().to_string());
    tmux.sees("db 0");
    tmux.types("j", "Enter");
    tmux.sees("› db 0");
    tmux.types("?", "");
    tmux.sees("the next line");
    // It follows the size of the window, and says if that is too small.
    tmux.run(&["resize-window", "-x", "40", "-y", "10"]);
    tmux.sees("needs a window");
    tmux.run(&["resize-window", "-x", "80", "-y", "24"]);
    tmux.sees("only keys without TTL");
    tmux.types("?", "");
    tmux.sees("session:");
    tmux.types("", "Space");
    tmux.sees("1 marked");
    tmux.types("wl", "C-u");
    let list = tmux.folder.path().join("list.tsv");
    tmux.types(&list.display().to_string(), "Enter");
    tmux.sees("wrote 1 line");
    assert!(fs::read_to_string(&list).expect("the list").starts_with("0\t"));
    tmux.types("q", "");
    tmux.has_its_terminal_back("code=0");
}

#[test]
fn the_terminal_is_given_back() {
    let Some(tmux) = Tmux::start("signals", 80, 24) else { return };
    let dump = fs::canonicalize(MIXED).expect("a fixture").display().to_string();
    tmux.browse(&dump);
    tmux.sees("Esc back");
    tmux.types("", "C-c");
    tmux.has_its_terminal_back("code=130");

    for (name, code) in [("-INT", "code=130"), ("-TERM", "code=143"), ("-HUP", "code=129")] {
        tmux.browse(&dump);
        tmux.sees("Esc back");
        signal(name, &tmux.explorer());
        tmux.has_its_terminal_back(code);
    }

    // Suspended by a key and by a signal, and back again.
    for by_key in [true, false] {
        tmux.browse(&dump);
        tmux.sees("Esc back");
        if by_key {
            tmux.types("", "C-z");
        } else {
            signal("-TSTP", &tmux.explorer());
        }
        tmux.has_its_terminal_back("Stopped");
        tmux.types("fg", "Enter");
        tmux.sees("Esc back");
        tmux.types("q", "");
        tmux.waits("the shell", |screen| !screen.contains("Esc back"));
        tmux.types("clear", "Enter");
    }
}

#[test]
fn it_ends_with_its_terminal() {
    let Some(tmux) = Tmux::start("gone", 80, 24) else { return };
    tmux.browse(&fs::canonicalize(MIXED).expect("a fixture").display().to_string());
    tmux.sees("Esc back");
    let process = Path::new("/proc").join(tmux.explorer());
    assert!(process.exists());
    tmux.run(&["kill-server"]);
    let begun = Instant::now();
    while process.exists() {
        assert!(begun.elapsed() < Duration::from_secs(20), "it goes on without a terminal");
        thread::sleep(Duration::from_millis(20));
    }
}

#[test]
fn hostile_names_in_tmux() {
    let Some(tmux) = Tmux::start("hostile", 80, 24) else { return };
    let names: [&[u8]; 6] = [
        b"\x1b[2J\x1b]0;gone\x07",
        "\u{202e}evil".as_bytes(),
        b"nul\0",
        "e\u{301}".as_bytes(),
        b"\xc2",
        "日本語".as_bytes(),
    ];
    let rdb = names.iter().fold(Rdb::redis(12).select_db(0), |rdb, name| rdb.key(0, name, |value| value.string(name)));
    let dump = tmux.folder.path().join("names.rdb");
    fs::write(&dump, rdb.eof()).expect("a dump");
    let dump = dump.display().to_string();
    let shown = ["\\u{1b}[2J\\u{1b}]0;gone\\u{7}", "\\u{202e}evil", "nul\\u{0}", "e\\u{301}", "\\xc2", "日本語"];
    tmux.browse(&dump);
    let screen = tmux.sees("6 keys");
    for name in shown {
        assert!(screen.contains(name), "no {name} on\n{screen}");
    }
    assert!(tmux.has_colours());
    // Each key's card is opened and left.
    for _ in names {
        tmux.types("", "Enter");
        let has_both = |card: &str| shown.iter().any(|name| card.matches(name).count() == 2);
        tmux.waits("a name and a value like it", |card| card.contains("at offset") && has_both(card));
        tmux.types("hj", "");
        tmux.sees("6 keys");
    }
    tmux.types("q", "");
    tmux.has_its_terminal_back("code=0");

    tmux.types("export NO_COLOR=1", "Enter");
    tmux.browse(&dump);
    tmux.sees("6 keys");
    assert!(!tmux.has_colours());
    tmux.types("q", "");
    tmux.has_its_terminal_back("code=0");
}

#[test]
fn what_cannot_be_browsed_is_said() {
    run(&format!("browse {MIXED}")).expect(2, &["browse needs a terminal"]);
    let Some(tmux) = Tmux::start("refused", 100, 24) else { return };
    let folder = tmux.folder.path();
    fs::write(folder.join("old.json"), "{\"not\": \"a report\"}").expect("a file");
    for (arguments, sentence) in [
        ("none.rdb", "none.rdb: could not open it"),
        ("-", "browse reads a dump again for each level"),
        ("old.json", "old.json: "),
        ("old.json --separators .", "--separators has no effect on a report"),
        ("old.json old.json old.json", "at most two reports"),
    ] {
        tmux.types(&format!("clear; cd {}", folder.display()), "Enter");
        tmux.waits("an empty screen", |screen| !screen.contains("code="));
        tmux.browse(arguments);
        let screen = tmux.sees("code=2");
        assert!(screen.replace('\n', " ").contains(sentence), "{arguments}: {screen}");
    }
}
