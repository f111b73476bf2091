//! The explorer by its keys: whole screens are compared with those in `screens/`, which `BLESS=1` writes anew.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};
use std::{env, fs, thread};

use crossterm::event::{KeyCode, KeyEvent, KeyModifiers, MouseButton, MouseEvent, MouseEventKind};
use ratatui_core::backend::TestBackend;
use ratatui_core::style::{Color, Modifier};
use ratatui_core::terminal::Terminal;
use tempfile::{NamedTempFile, TempDir};

use super::app::{App, End};
use super::gather::Gather;
use super::keys::{point, press};
use super::level::{CHILDREN_MAX, Heaviest, Level, Measure, What};
use super::place::{Lens, Place};
use super::screen::draw;
use super::{Dumps, Source};
use crate::engine::{Dump, Options, Progress, report_all, row_blocks_all};
use crate::report::{Question, Report, Tally};

/// A dump, record by record.
struct Records(Vec<u8>);

impl Records {
    fn new() -> Self {
        Self(b"REDIS0009".to_vec())
    }

    fn db(mut self, db: u8) -> Self {
        self.0.extend([0xfe, db]);
        self
    }

    fn text(&mut self, text: &[u8]) {
        let length = u16::try_from(text.len()).unwrap();
        // The length in 14 bits.
        self.0.extend((0x4000 | length).to_be_bytes());
        self.0.extend(text);
    }

    /// A string of so many bytes.
    fn string(mut self, name: impl AsRef<[u8]>, bytes: usize) -> Self {
        self.0.push(0);
        self.text(name.as_ref());
        self.text(&vec![b'x'; bytes]);
        self
    }

    fn hash(mut self, name: &str, fields: u8) -> Self {
        self.0.push(4);
        self.text(name.as_bytes());
        self.0.push(fields);
        for field in 0..fields {
            self.text(format!("field:{field:02}").as_bytes());
            self.text(&vec![b'v'; usize::from(field) + 1]);
        }
        self
    }

    /// The next key expires.
    fn expiring(mut self) -> Self {
        self.0.push(0xfc);
        self.0.extend(1_700_000_000_000_u64.to_le_bytes());
        self
    }

    fn file(mut self) -> NamedTempFile {
        self.0.extend([0xff; 1]);
        self.0.extend([0; 8]);
        let mut file = tempfile::Builder::new().prefix("dump").suffix(".rdb").tempfile().unwrap();
        file.write_all(&self.0).unwrap();
        file
    }
}

fn shop() -> NamedTempFile {
    let records = Records::new().db(0).string("config", 40).string("user:1:name", 10).hash("user:1:cart", 40);
    let records = records.expiring().string("user:2:name", 20).string("user:2:avatar", 3000);
    records.string("page:home", 900).string("page:about", 700).db(3).string("queue:a", 50).file()
}

fn dumps(path: &Path) -> Dumps {
    Dumps { dumps: vec![Dump::from(path)], question: Question::default(), options: Options::default() }
}

fn report(path: &Path) -> Report {
    let Dumps { dumps, question, options } = dumps(path);
    report_all(&dumps, &question, &options, &Progress::default().into()).unwrap().0
}

/// A person at a screen.
struct Person {
    app: App,
    terminal: Terminal<TestBackend>,
    /// What stands for the name of the dump on screens that are compared.
    path: String,
}

impl Person {
    fn at(path: &Path, (columns, rows): (u16, u16)) -> Self {
        Self::of(Source::Dumps(dumps(path)), path, (columns, rows))
    }

    fn of(source: Source, path: &Path, (columns, rows): (u16, u16)) -> Self {
        let terminal = Terminal::new(TestBackend::new(columns, rows)).unwrap();
        let mut person = Self { app: App::new(source), terminal, path: path.display().to_string() };
        person.wait();
        person
    }

    /// Draws until nothing is being found out any more.
    fn wait(&mut self) {
        let deadline = Instant::now() + Duration::from_secs(60);
        loop {
            self.draw();
            self.app.ask();
            if !self.app.take_answers() && !self.app.is_waiting() {
                break;
            }
            assert!(Instant::now() < deadline, "no answer: {:?}", self.app.job);
            thread::sleep(Duration::from_millis(1));
        }
        self.draw();
    }

    fn draw(&mut self) {
        let app = &mut self.app;
        self.terminal.draw(|frame| draw(app, frame, false)).unwrap();
    }

    /// Types words: a character, a text that is one key, or `"text"`.
    fn types(&mut self, words: &str) -> &mut Self {
        for word in words.split(' ') {
            let codes: Vec<KeyCode> = match word {
                "Enter" => vec![KeyCode::Enter],
                "Esc" => vec![KeyCode::Esc],
                "Down" => vec![KeyCode::Down],
                "Up" => vec![KeyCode::Up],
                "PgDn" => vec![KeyCode::PageDown],
                "Space" => vec![KeyCode::Char(' ')],
                "Backspace" => vec![KeyCode::Backspace],
                text => text.chars().map(KeyCode::Char).collect(),
            };
            for code in codes {
                press(&mut self.app, KeyEvent::new(code, KeyModifiers::NONE));
            }
            self.wait();
        }
        self
    }

    /// Writes the marks to a file; gives what is in it then.
    fn writes(&mut self, form: &str, path: &str) -> String {
        self.types(&format!("w {form}")).control('u').types(path).types("Enter");
        fs::read_to_string(path).unwrap()
    }

    fn control(&mut self, letter: char) -> &mut Self {
        press(&mut self.app, KeyEvent::new(KeyCode::Char(letter), KeyModifiers::CONTROL));
        self.wait();
        self
    }

    fn screen(&self) -> String {
        let buffer = self.terminal.backend().buffer();
        let mut screen = String::new();
        for row in 0..buffer.area.height {
            let mut line = String::new();
            let mut skip = 0;
            for column in 0..buffer.area.width {
                let cell = &buffer[(column, row)];
                if skip == 0 {
                    line.push_str(cell.symbol());
                    skip = unicode_width::UnicodeWidthStr::width(cell.symbol()).max(1);
                }
                skip -= 1;
            }
            // The selected line is shown reversed.
            let is_selected = buffer[(0, row)].modifier.contains(Modifier::REVERSED);
            screen += if is_selected { ">" } else { "|" };
            screen += line.trim_end();
            screen.push('\n');
        }
        let name = Path::new(&self.path).file_name().unwrap().to_str().unwrap();
        assert_eq!(name.len(), "dump123456.rdb".len());
        screen.replace(name, "dump______.rdb")
    }

    /// Compares the screen with the one of this name.
    #[track_caller]
    fn sees(&self, name: &str) {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/browse/screens").join(name).with_extension("txt");
        let screen = self.screen();
        if env::var_os("BLESS").is_some() {
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(&path, &screen).unwrap();
        }
        let expected = fs::read_to_string(&path).unwrap_or_default();
        assert_eq!(screen, expected, "{name}:\n{screen}");
    }

    #[track_caller]
    fn reads(&self, part: &str) {
        assert!(self.screen().contains(part), "no {part:?} on\n{}", self.screen());
    }
}

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
    person.types("s Down Down Enter").reads("type        string");
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
    person.types("f").reads("session:");
    person.types("Enter").sees("finding");
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

fn level(path: &Path, place: &Place, held_bytes_max: usize) -> (Level, usize) {
    let Dumps { dumps, question, options } = dumps(path);
    let question = Question { filter: Lens::default().filter(place).unwrap(), ..question };
    let mut gather = Gather::new(place, b":", CHILDREN_MAX).with_held_bytes_max(held_bytes_max);
    let mut scans = 0;
    loop {
        let progress = Progress::default().into();
        row_blocks_all(&dumps, &question, &options, &progress, 100, |rows| gather.add(&rows)).unwrap();
        scans += 1;
        if gather.end_scan() == 0 {
            return (gather.finish(), scans);
        }
    }
}

#[test]
fn many_prefixes_take_several_scans_and_are_exact() {
    let mut records = Records::new().db(0);
    for key in 0..1500 {
        records = records.string(format!("a:{}:{key}", key % 700), key % 97).string(format!("a:{key}"), 5);
    }
    let file = records.file();
    let place = Place::names(Some(0), b"a:");
    let sorted = |level: &Level| {
        let mut children = level.children.clone();
        children.sort_by_key(|child| format!("{child:?}"));
        (children, level.total, level.count)
    };
    let (whole, scans) = level(file.path(), &place, usize::MAX);
    assert_eq!(scans, 1);
    let (parts, scans) = level(file.path(), &place, 30_000);
    assert!(scans > 2, "{scans}");
    assert_eq!(sorted(&whole), sorted(&parts));
    assert_eq!((whole.total.keys, whole.count), (3000, Some(2200)));
    let (shown, others) = whole.shown(Measure::Memory, false);
    let others = others.unwrap();
    assert_eq!((shown.len(), others.count), (CHILDREN_MAX, Some(1200)));
    let listed = shown.iter().map(|at| whole.children[*at].tally.memory_bytes).sum::<u64>();
    assert_eq!(listed + others.tally.memory_bytes, whole.total.memory_bytes);
}

#[test]
fn the_heaviest_are_those_of_a_sorted_list() {
    let mut heaviest = Heaviest::new(3);
    let tally = |memory_bytes, serialized_bytes| Tally { keys: 1, memory_bytes, serialized_bytes, ..Tally::default() };
    let all: Vec<(String, Tally)> =
        (0..100_u64).map(|n| (format!("p{n:02}:"), tally(n * 37 % 101, n * 53 % 103))).collect();
    for (name, tally) in &all {
        if heaviest.wants(tally, name.as_bytes()) {
            heaviest.add(super::level::Child { what: What::Prefix(name.clone().into_bytes()), tally: *tally });
        }
    }
    let held = heaviest.finish();
    for measure in Measure::ALL {
        let mut sorted = all.clone();
        sorted.sort_by_key(|(name, tally)| (std::cmp::Reverse(measure.of(tally)), name.clone()));
        for (name, _) in &sorted[..3] {
            let what = What::Prefix(name.clone().into_bytes());
            assert!(held.iter().any(|child| child.what == what), "{name} by {}", measure.name());
        }
    }
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
    let mut app = App::new(Source::Dumps(dumps(file.path())));
    assert!(app.is_waiting());
    press(&mut app, KeyEvent::new(KeyCode::Char('?'), KeyModifiers::NONE));
    assert!(!app.is_waiting());
}
