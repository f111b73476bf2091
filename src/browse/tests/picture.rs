//! The picture of the documentation: a screen as SVG, compared with the one in `docs/`, which `BLESS=1` writes anew.

use std::fmt::Write;
use std::path::Path;
use std::{env, fs};

use ratatui_core::buffer::Buffer;
use ratatui_core::style::{Color, Modifier};
use unicode_width::UnicodeWidthStr;

use super::person::Person;
use crate::browse::screen::draw;

/// A cell, in tenths of a pixel across and in pixels down: a font of 14 pixels has glyphs of 8.4.
const CELL: (usize, usize) = (84, 18);

const GROUND: &str = "#16181d";
const INK: &str = "#d8dee9";

/// A tenth of a pixel is what an SVG is exact to.
fn tenths(number: usize) -> String {
    format!("{}.{}", number / 10, number % 10)
}

fn ink(colour: Color, modifier: Modifier) -> &'static str {
    match colour {
        Color::Cyan => "#56b6c2",
        Color::Green => "#98c379",
        Color::Yellow => "#e5c07b",
        _ if modifier.contains(Modifier::DIM) => "#8b93a1",
        _ => INK,
    }
}

/// Eighths of a cell that a character of a bar fills; none of others.
fn eighths(symbol: &str) -> Option<usize> {
    "▏▎▍▌▋▊▉█".chars().position(|part| symbol.chars().eq([part])).map(|at| at + 1)
}

fn svg(buffer: &Buffer) -> String {
    let (columns, rows) = (usize::from(buffer.area.width), usize::from(buffer.area.height));
    let (width, height) = (tenths((columns + 2) * CELL.0), (rows + 1) * CELL.1);
    let mut svg = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {width} {height}\" width=\"{width}\" height=\"{height}\" \
         font-family=\"ui-monospace, Menlo, Consolas, 'DejaVu Sans Mono', monospace\" font-size=\"14\">\n\
         <title>bigkeys browse</title>\n<rect width=\"100%\" height=\"100%\" rx=\"6\" fill=\"{GROUND}\"/>\n"
    );
    for row in 0..rows {
        let top = row * CELL.1 + CELL.1 / 2;
        let cell = |column: usize| &buffer.content[row * columns + column];
        let is_selected = cell(0).modifier.contains(Modifier::REVERSED);
        if is_selected {
            let wide = tenths(columns * CELL.0);
            let left = tenths(CELL.0);
            _ = writeln!(svg, "<rect x=\"{left}\" y=\"{top}\" width=\"{wide}\" height=\"{}\" fill=\"{INK}\"/>", CELL.1);
        }
        let mut column = 0;
        while column < columns {
            let first = cell(column);
            let (colour, modifier, left) = (first.fg, first.modifier, tenths((column + 1) * CELL.0));
            let fill = if is_selected { GROUND } else { ink(colour, modifier) };
            let bar: Vec<usize> = (column..columns).map_while(|column| eighths(cell(column).symbol())).collect();
            if !bar.is_empty() {
                let wide = tenths(CELL.0 * bar.iter().sum::<usize>() / 8);
                let (y, high) = (top + 3, CELL.1 - 6);
                _ = writeln!(svg, "<rect x=\"{left}\" y=\"{y}\" width=\"{wide}\" height=\"{high}\" fill=\"{fill}\"/>");
                column += bar.len();
                continue;
            }
            let (mut text, mut end) = (String::new(), column);
            // A run ends where the style changes, and where columns of the screen begin.
            while end < columns && (cell(end).fg, cell(end).modifier) == (colour, modifier) && !text.ends_with("  ") {
                if eighths(cell(end).symbol()).is_some() {
                    break;
                }
                text.push_str(cell(end).symbol());
                end += cell(end).symbol().width().max(1);
            }
            column = end;
            let text = text.trim_end();
            if text.is_empty() {
                continue;
            }
            let weight = if modifier.contains(Modifier::BOLD) { " font-weight=\"bold\"" } else { "" };
            let (wide, text) = (tenths(text.width() * CELL.0), text.replace('&', "&amp;").replace('<', "&lt;"));
            let y = top + 14;
            let place = format!("x=\"{left}\" y=\"{y}\" textLength=\"{wide}\" xml:space=\"preserve\"");
            _ = writeln!(svg, "<text {place} fill=\"{fill}\"{weight}>{text}</text>");
        }
    }
    svg + "</svg>\n"
}

#[test]
fn the_picture_of_the_documentation() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut person = Person::at(&folder.join("fixtures/mixed_all_v13.rdb"), (96, 22));
    person.types("Enter");
    let app = &mut person.app;
    person.terminal.draw(|frame| draw(app, frame, true)).unwrap();
    let picture = svg(person.terminal.backend().buffer());
    let path = folder.join("docs/browse.svg");
    if env::var_os("BLESS").is_some() {
        fs::write(&path, &picture).unwrap();
    }
    assert!(fs::read_to_string(&path).unwrap_or_default() == picture, "docs/browse.svg is not what is drawn: BLESS=1");
}
