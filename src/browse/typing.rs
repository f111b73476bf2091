//! What is typed at the foot of the screen: texts, numbers, names of files.

use std::path::PathBuf;

use crossterm::event::{KeyCode, KeyEvent, KeyModifiers};

use super::app::App;
use super::source::Written;
use super::view::{Asks, Prompt};
use crate::output::values::Review;

/// A key while something is typed: what is typed then, if anything still is.
pub(super) fn typed(app: &mut App, mut prompt: Prompt, key: KeyEvent) -> Option<Prompt> {
    let is_control = key.modifiers.contains(KeyModifiers::CONTROL);
    match key.code {
        KeyCode::Esc => return None,
        KeyCode::Enter => return entered(app, prompt),
        KeyCode::Backspace => _ = prompt.text.pop(),
        KeyCode::Char('u') if is_control => prompt.text.clear(),
        KeyCode::Char(_) if is_control => {}
        KeyCode::Char(char) if prompt.asks == Asks::Form => return form(app, char),
        KeyCode::Char(char) => prompt.text.push(char),
        _ => {}
    }
    Some(prompt)
}

/// What marks are written as, by a letter.
fn form(app: &mut App, letter: char) -> Option<Prompt> {
    let file = |written, name: &str| Some(Prompt { asks: Asks::File(written), text: name.to_owned() });
    match letter {
        'l' => file(Written::List, "marked.tsv"),
        'f' => file(Written::Filter, "extract.sh"),
        'u' | 'e' if app.source.is_report() => {
            app.message =
                Some("a report does not have the names of all keys: browse the dump, or write the filter".to_owned());
            None
        }
        'u' => file(Written::Commands(Review::Delete), "unlink.txt"),
        'e' => Some(Prompt { asks: Asks::Seconds, text: "86400".to_owned() }),
        _ => None,
    }
}

fn entered(app: &mut App, prompt: Prompt) -> Option<Prompt> {
    match prompt.asks {
        Asks::Text => {
            app.lens.text = prompt.text;
            None
        }
        Asks::Form => None,
        Asks::Seconds => {
            let Ok(seconds) = prompt.text.parse() else {
                app.message = Some("expected a number of seconds, such as 86400".to_owned());
                return None;
            };
            let written = Written::Commands(Review::Expire { seconds });
            Some(Prompt { asks: Asks::File(written), text: "expire.txt".to_owned() })
        }
        Asks::File(_) if prompt.text.is_empty() => None,
        Asks::File(written) => {
            app.write(written, PathBuf::from(prompt.text));
            None
        }
    }
}
