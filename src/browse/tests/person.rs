//! A person at a screen: whole screens are compared with those in `../screens/`, which `BLESS=1` writes anew.

use std::path::Path;
use std::time::{Duration, Instant};
use std::{env, fs, thread};

use crossterm::event::{KeyCode, KeyEvent, KeyModifiers};
use ratatui_core::backend::TestBackend;
use ratatui_core::style::Modifier;
use ratatui_core::terminal::Terminal;

use super::records::dumps;
use crate::browse::Source;
use crate::browse::app::App;
use crate::browse::keys::press;
use crate::browse::screen::draw;

/// A person at a screen.
pub(super) struct Person {
    pub(super) app: App,
    pub(super) terminal: Terminal<TestBackend>,
    /// What stands for the name of the dump on screens that are compared.
    path: String,
}

impl Person {
    pub(super) fn at(path: &Path, (columns, rows): (u16, u16)) -> Self {
        Self::of(Source::Dumps(Box::new(dumps(path))), path, (columns, rows))
    }

    pub(super) fn of(source: Source, path: &Path, (columns, rows): (u16, u16)) -> Self {
        let terminal = Terminal::new(TestBackend::new(columns, rows)).unwrap();
        let mut person = Self { app: App::new(source), terminal, path: path.display().to_string() };
        person.wait();
        person
    }

    /// Draws until nothing is being found out any more.
    pub(super) fn wait(&mut self) {
        let deadline = Instant::now() + Duration::from_mins(1);
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

    pub(super) fn draw(&mut self) {
        let app = &mut self.app;
        self.terminal.draw(|frame| draw(app, frame, false)).unwrap();
    }

    /// Types words: a character, a text that is one key, or `"text"`.
    pub(super) fn types(&mut self, words: &str) -> &mut Self {
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
    pub(super) fn writes(&mut self, form: &str, path: &str) -> String {
        self.types(&format!("w {form}")).control('u').types(path).types("Enter");
        fs::read_to_string(path).unwrap()
    }

    pub(super) fn control(&mut self, letter: char) -> &mut Self {
        press(&mut self.app, KeyEvent::new(KeyCode::Char(letter), KeyModifiers::CONTROL));
        self.wait();
        self
    }

    pub(super) fn screen(&self) -> String {
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
    pub(super) fn sees(&self, name: &str) {
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
    pub(super) fn reads(&self, part: &str) {
        assert!(self.screen().contains(part), "no {part:?} on\n{}", self.screen());
    }
}
