//! What a person does and sees.

use std::fs;
use std::path::PathBuf;

use crossterm::event::{KeyCode, KeyEvent, KeyModifiers, MouseButton, MouseEvent, MouseEventKind};
use ratatui_core::style::Color;
use tempfile::TempDir;

use super::person::Person;
use super::records::{Records, dumps, report, shop};
use crate::browse::Source;
use crate::browse::app::{App, End};
use crate::browse::keys::press;
use crate::browse::mouse::point;
use crate::browse::screen::draw;

#[test]
fn from_the_instance_down_to_a_key() {
    let file = shop();
    let mut person = Person::at(file.path(), (60, 16));
    person.sees("instance");
    person.types("j Enter").sees("database");
    person.types("Enter").sees("prefix");
    person.types("h h m");
    person.reads("by bytes in the dump");
    person.types("m s").sees("by_keys_by_name");
    person.types("? ").sees("help");
}

#[test]
fn a_card_and_its_pages() {
    let file = shop();
    let mut person = Person::at(file.path(), (80, 24));
    person.types("j Enter j Enter").reads("page:");
    person.types("h k Enter Enter").reads("avatar");
    person.types("h j Enter").sees("below_a_user");
    person.types("Enter").sees("card");
    person.types("PgDn").sees("card_next");
    person.types("L").sees("card_largest");
    person.types("Esc").reads("user:1:");
}

#[test]
fn only_some_of_the_keys() {
    let file = shop();
    let mut person = Person::at(file.path(), (80, 24));
    person.types("t").reads("string only");
    person.types("T n Enter").sees("without_ttl");
    person.types("/ name Enter").sees("with_text");
    person.types("/").control('u').types("Enter n").reads("8 keys");
}

#[test]
fn hostile_names_do_nothing() {
    let names: [&[u8]; 9] = [
        b"\x1b[2J\x1b]0;x\x07",
        "\u{202e}evil".as_bytes(),
        "e\u{301}\u{301}\u{301}".as_bytes(),
        "日本語:テスト".as_bytes(),
        b"\xff\xfe\x00",
        b"a\r\nb",
        b"$(reboot)`'\"",
        b"",
        &[b'n'; 9000],
    ];
    let mut records = Records::new().db(0);
    for (at, name) in names.iter().enumerate() {
        records = records.string(name, 100 - at);
    }
    let file = records.file();
    let mut person = Person::at(file.path(), (60, 16));
    person.sees("hostile");
    for row in 0..16 {
        let buffer = person.terminal.backend().buffer();
        let row: String = (0..60).map(|column| buffer[(column, row)].symbol()).collect();
        assert!(row.chars().all(|char| !char.is_control() && char != '\u{202e}' && char != '\u{301}'), "{row:?}");
    }
    person.types("s g Down Enter").reads("type        string");
    // Only a name that is known whole can be marked.
    person.types("Esc s g Space").reads("cannot be marked");
}

#[test]
fn sizes_of_screens() {
    let file = shop();
    for (columns, rows) in [(59, 16), (60, 15), (1, 1), (20, 3)] {
        let person = Person::at(file.path(), (columns, rows));
        assert!(person.screen().contains(if columns > 20 { "needs a window" } else { "b" }));
    }
    let mut person = Person::at(file.path(), (160, 50));
    person.types("j Enter").sees("wide");
    person.terminal.backend_mut().resize(60, 16);
    person.wait();
    person.sees("database");
}

#[test]
fn colours_are_left_out_where_they_are_not_wanted() {
    let file = shop();
    let mut person = Person::at(file.path(), (80, 24));
    let colours = |person: &Person| {
        let buffer = person.terminal.backend().buffer();
        buffer.content.iter().filter(|cell| cell.fg != Color::Reset || cell.bg != Color::Reset).count()
    };
    assert_eq!(colours(&person), 0);
    let app = &mut person.app;
    person.terminal.draw(|frame| draw(app, frame, true)).unwrap();
    assert!(colours(&person) > 0);
}

#[test]
fn findings_lead_to_their_places() {
    let mut records = Records::new().db(0);
    for key in 0..200 {
        records = records.string(format!("session:{key}"), 16_000);
    }
    let file = records.file();
    let mut person = Person::at(file.path(), (80, 24));
    person.types("f").sees("findings");
    // Its commands have the folder in them, which is not the same everywhere.
    person.types("Enter").reads("redis-cli MEMORY USAGE session:0 SAMPLES 0");
    assert!(person.screen().contains("\n>  session:0  string, db 0, 16.1 KiB\n|  session:1 "));
    person.types("Enter").reads("› db 0 › session:");
    person.types("h").reads("200 keys");
}

#[test]
fn marks_are_written_for_review() {
    let file = shop();
    let folder = TempDir::new().unwrap();
    let path = |name: &str| folder.path().join(name).display().to_string();
    let mut person = Person::at(file.path(), (80, 24));
    person.types("w").reads("nothing is marked");
    // All keys of page:, and of user: those named so that never expire.
    person.types("j Enter G k Space").reads("1 marked");
    person.types("h n / name Enter j Enter Space").reads("2 marked");
    person.types("a").sees("marks");
    let dump = file.path().display();
    let list = person.writes("l", &path("list.tsv"));
    assert_eq!(list, "0\t'page:*'\n0\t'user:*'\tdb 0, without TTL, matching '(?i)name'\n");
    let filter = person.writes("f", &path("filter.sh"));
    let first = format!("bigkeys extract {dump} --db 0 --match='page:*' -o marked-1.rdb");
    let second =
        format!("bigkeys extract {dump} --db 0 --ttl none --regex '(?i)name' --match='user:*' -o marked-2.rdb");
    assert_eq!(filter, format!("{first}\n{second}\n"));
    let unlink = person.writes("u", &path("unlink.txt"));
    let pages = "UNLINK \"page:home\"\nUNLINK \"page:about\"\n";
    assert_eq!(unlink, format!("SELECT 0\n{pages}SELECT 0\nUNLINK \"user:1:name\"\n"));
    person.reads("wrote 3 commands");
    let expire = person.writes("e Enter", &path("expire.txt"));
    assert!(expire.contains("EXPIRE \"user:1:name\" 86400\n"), "{expire}");
    // What is there stays.
    assert_eq!(person.writes("l", &path("unlink.txt")), unlink);
    person.reads("this file is there already");
    // Marks are taken away again.
    person.types("Space Space").reads("nothing is marked");
}

#[test]
fn a_report_shows_what_it_has() {
    let file = shop();
    let mut person = Person::of(Source::of_reports(report(file.path()), None).unwrap(), file.path(), (80, 24));
    person.types("Enter").sees("report");
    person.types("Enter").reads("from a report");
    person.types("d").reads("browse NEW OLD");
}

#[test]
fn what_grew_between_two_reports() {
    let (old, new) = (shop(), Records::new().db(0).string("page:home", 9000).string("user:2:name", 20).file());
    let source = Source::of_reports(report(new.path()), Some(&report(old.path()))).unwrap();
    let mut person = Person::of(source, new.path(), (80, 24));
    person.types("d").sees("grown");
    person.types("j j Enter").reads("›");
}

#[test]
fn damage_and_files_that_are_gone_are_said() {
    let file = Records::new().db(0).string("user:1", 10).file();
    let bytes = fs::read(file.path()).unwrap();
    fs::write(file.path(), &bytes[..bytes.len() - 12]).unwrap();
    let person = Person::at(file.path(), (80, 24));
    person.reads("at byte");
    let gone: PathBuf = file.path().to_owned();
    drop(file);
    Person::at(&gone, (80, 24)).reads("No such file");
}

#[test]
fn the_mouse_selects_and_opens() {
    let file = shop();
    let mut person = Person::at(file.path(), (80, 24));
    let mut point_at = |kind, row| {
        point(&mut person.app, MouseEvent { kind, column: 5, row, modifiers: KeyModifiers::NONE });
        person.wait();
        person.screen()
    };
    let left = MouseEventKind::Down(MouseButton::Left);
    assert!(point_at(left, 3).contains("\n>  db 0"));
    assert!(point_at(left, 3).contains("› db 0"));
    assert!(point_at(MouseEventKind::ScrollDown, 3).contains("\n>  config"));
    assert!(point_at(left, 23).contains("\n>  config"), "the foot is no line of the list");
    assert!(!point_at(MouseEventKind::Down(MouseButton::Right), 0).contains("› db 0"));
}

#[test]
fn leaving() {
    let file = shop();
    let mut person = Person::at(file.path(), (80, 24));
    person.types("q");
    assert_eq!(person.app.end, Some(End::Left));
    person.control('c');
    assert_eq!(person.app.end, Some(End::Interrupted));
    // A scan that nobody waits for any more is cancelled.
    let mut app = App::new(Source::Dumps(Box::new(dumps(file.path()))));
    assert!(app.is_waiting());
    press(&mut app, KeyEvent::new(KeyCode::Char('?'), KeyModifiers::NONE));
    assert!(!app.is_waiting());
}
