//! The terminal: taken over, given back whatever happens, and the loop between.
//!
//! It is given back on the way out, before the message of a panic, and before the process stops or is ended by a signal.

use std::io::{self, IsTerminal};
use std::panic;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use crossterm::event::{self, DisableMouseCapture, EnableMouseCapture, Event, KeyCode, KeyModifiers};
use crossterm::execute;
use crossterm::terminal::{EnterAlternateScreen, LeaveAlternateScreen, disable_raw_mode, enable_raw_mode};
use ratatui_core::terminal::Terminal;
use signal_hook::consts::{SIGCONT, SIGHUP, SIGINT, SIGTERM, SIGTSTP};
use signal_hook::low_level::emulate_default_handler;

use super::app::{App, End};
use super::backend::TerminalBackend;
use super::keys::press;
use super::mouse::point;
use super::screen::draw;
use super::source::Source;

/// How long the loop waits for a key before it looks for answers and signals.
const TICK: Duration = Duration::from_millis(50);

/// Whether both ends of a terminal are there: keys come from one, the screen is the other.
pub fn is_there() -> bool {
    io::stdin().is_terminal() && io::stdout().is_terminal()
}

/// Lets a person browse until they leave; `has_colour` says whether more than bold and reversed text is used. A signal that ends
/// the process gives the terminal back first.
///
/// # Errors
/// Those of the terminal.
pub fn browse(source: Source, has_colour: bool) -> io::Result<End> {
    let signals = Signals::catch()?;
    let mut app = App::new(source);
    let _taken = Taken::take()?;
    let mut terminal = Terminal::new(TerminalBackend::new())?;
    let mut is_stale = true;
    loop {
        if signals.interrupted.load(Ordering::Relaxed) {
            return Ok(End::Interrupted);
        }
        is_stale |= signals.act(&mut terminal)?;
        is_stale |= app.take_answers() || app.is_waiting();
        if is_stale {
            terminal.draw(|frame| draw(&mut app, frame, has_colour))?;
            // What is shown may need more, now that its room is known.
            app.ask();
            is_stale = false;
        }
        if !event::poll(TICK)? {
            continue;
        }
        is_stale = true;
        match event::read()? {
            Event::Key(key) if key.code == KeyCode::Char('z') && key.modifiers.contains(KeyModifiers::CONTROL) => {
                signals.suspend(&mut terminal)?;
            }
            Event::Key(key) => press(&mut app, key),
            Event::Mouse(mouse) => point(&mut app, mouse),
            _ => {}
        }
        if let Some(end) = app.end {
            return Ok(end);
        }
    }
}

type Screen = Terminal<TerminalBackend>;

/// The terminal while it is taken over; dropping it gives it back.
struct Taken(Arc<AtomicBool>);

impl Taken {
    fn take() -> io::Result<Self> {
        let taken = Self(Arc::new(AtomicBool::new(true)));
        let (is_taken, owner) = (taken.0.clone(), thread::current().id());
        let before = panic::take_hook();
        panic::set_hook(Box::new(move |panic| {
            if !is_taken.load(Ordering::Relaxed) {
                before(panic);
            } else if thread::current().id() == owner {
                give_back();
                before(panic);
            }
            // A message of another thread would be written over the screen; whoever joins that thread shows it.
        }));
        take_over()?;
        Ok(taken)
    }
}

impl Drop for Taken {
    fn drop(&mut self) {
        self.0.store(false, Ordering::Relaxed);
        give_back();
    }
}

fn take_over() -> io::Result<()> {
    enable_raw_mode()?;
    execute!(io::stdout(), EnterAlternateScreen, EnableMouseCapture)
}

/// Gives the terminal back; what cannot be given back any more has nobody to tell it to.
fn give_back() {
    _ = execute!(io::stdout(), DisableMouseCapture, LeaveAlternateScreen, crossterm::cursor::Show);
    _ = disable_raw_mode();
}

/// Takes the terminal over again; whatever was written to it meanwhile is drawn over.
fn resume(terminal: &mut Screen) -> io::Result<()> {
    take_over()?;
    terminal.clear()
}

/// The signals that the loop looks for.
struct Signals {
    interrupted: Arc<AtomicBool>,
    ended: [(i32, Arc<AtomicBool>); 2],
    stopped: Arc<AtomicBool>,
    went_on: Arc<AtomicBool>,
}

impl Signals {
    fn catch() -> io::Result<Self> {
        let caught = |signal| -> io::Result<Arc<AtomicBool>> {
            let flag = Arc::new(AtomicBool::new(false));
            signal_hook::flag::register(signal, flag.clone())?;
            Ok(flag)
        };
        Ok(Self {
            interrupted: caught(SIGINT)?,
            ended: [(SIGTERM, caught(SIGTERM)?), (SIGHUP, caught(SIGHUP)?)],
            stopped: caught(SIGTSTP)?,
            went_on: caught(SIGCONT)?,
        })
    }

    /// Does what the signals that came ask for; says whether the screen must be drawn anew.
    fn act(&self, terminal: &mut Screen) -> io::Result<bool> {
        for (signal, came) in &self.ended {
            if came.swap(false, Ordering::Relaxed) {
                give_back();
                emulate_default_handler(*signal)?;
            }
        }
        if self.stopped.swap(false, Ordering::Relaxed) {
            self.suspend(terminal)?;
            return Ok(true);
        }
        if self.went_on.swap(false, Ordering::Relaxed) {
            // It may have been stopped by a signal that cannot be caught, and the shell have set the terminal since.
            resume(terminal)?;
            return Ok(true);
        }
        Ok(false)
    }
    /// Gives the terminal back, stops the process, and takes the terminal over again once the process goes on.
    fn suspend(&self, terminal: &mut Screen) -> io::Result<()> {
        give_back();
        emulate_default_handler(SIGTSTP)?;
        self.went_on.store(false, Ordering::Relaxed);
        resume(terminal)
    }
}

#[cfg(test)]
mod tests {
    use std::env;
    use std::process::Command;

    use super::*;

    #[test]
    #[ignore = "the test below runs it, in a terminal"]
    fn panic_in_a_terminal() {
        let taken = Taken::take().expect("a terminal");
        let of_another_thread = thread::spawn(|| panic!("by a scan")).join();
        assert!(of_another_thread.is_err() && taken.0.load(Ordering::Relaxed));
        panic!("by the screen");
    }

    #[test]
    fn a_panic_gives_the_terminal_back_before_it_is_told() {
        let program = env::current_exe().expect("this program");
        let test = "browse::terminal::tests::panic_in_a_terminal --exact --ignored --nocapture --test-threads 1";
        let command = format!("{} {test}; stty -a", program.display());
        let output = Command::new("script").args(["-qc", &command, "/dev/null"]).output().expect("script starts");
        let output = String::from_utf8_lossy(&output.stdout).into_owned();
        let at = |text: &str| output.find(text).unwrap_or_else(|| panic!("no {text:?} in {output:?}"));
        let (taken, given_back) = (at("\x1b[?1049h"), at("\x1b[?1049l"));
        assert!(taken < given_back && given_back < at("by the screen"), "{output:?}");
        assert!(!output.contains("by a scan"), "{output:?}");
        let modes = &output[at("by the screen")..];
        assert!(modes.contains(" icanon ") && modes.contains(" echo "), "{modes:?}");
    }
}
