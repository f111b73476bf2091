//! What pages are made of: names, moments, states, buttons, lines.

use jiff::Timestamp;
use maud::{Markup, html};

use super::visitor::{CSRF, Visitor};
use crate::error::Visible;
use crate::output::human::{bytes, count, duration};
use crate::task::Status;

/// A name as text of its own direction, with what cannot be seen in it made visible.
pub(super) fn name(text: &str) -> Markup {
    html! { bdi.name { @if text.is_empty() { "\"\"" } @else { (Visible(text.as_bytes()).to_string()) } } }
}

/// A moment, and how long ago it was.
pub(super) fn moment(at: Timestamp) -> Markup {
    let seconds = Timestamp::now().as_second() - at.as_second();
    let age = u64::try_from(seconds).map_or("in the future".to_owned(), |seconds| match seconds {
        0..2 => "just now".to_owned(),
        seconds => format!("{} ago", duration(seconds)),
    });
    html! {
        time datetime=(format!("{at:.3}")) {
            (at.strftime("%Y-%m-%d %H:%M:%S").to_string()) " " span.note { "(" (age) ")" }
        }
    }
}

/// A task's state.
pub(super) fn state(status: Status) -> Markup {
    html! { span.state.(status.name()) { (status.name()) } }
}

/// A size with its unit.
pub(super) fn size(size: u64, unit: &str) -> String {
    if unit == "byte" { bytes(size) } else { count(size) }
}

/// By how much a size has changed.
pub(super) fn change(before: u64, now: u64, unit: &str) -> String {
    if now >= before {
        format!("+{}", size(now - before, unit))
    } else {
        format!("\u{2212}{}", size(before - now, unit))
    }
}

/// A form that is one button, and changes something.
pub(super) fn button(visitor: &Visitor, action: &str, label: &str, of: &str) -> Markup {
    html! {
        form.one method="post" action=(action) {
            input type="hidden" name=(CSRF) value=(visitor.csrf);
            button aria-label=[(!of.is_empty()).then(|| format!("{label} {of}"))] { (label) }
        }
    }
}

/// A button that is asked for before it does something.
pub(super) fn guarded(visitor: &Visitor, action: &str, label: &str, of: &str) -> Markup {
    html! {
        details.guard {
            summary aria-label=(format!("{label} {of}")) { (label) "…" }
            (button(visitor, action, &format!("{label} for good"), of))
        }
    }
}

/// A line of numbers over time, the last of them as text.
pub(super) fn line(label: &str, points: &[u64], text: impl Fn(u64) -> String) -> Markup {
    let (Some(first), Some(last)) = (points.first(), points.last()) else { return html! {} };
    let most = points.iter().copied().max().unwrap_or(0).max(1);
    let steps = u64::try_from(points.len().saturating_sub(1)).unwrap_or(1).max(1);
    let place = |(step, point): (u64, &u64)| {
        let height = u128::from(*point) * 28 / u128::from(most);
        format!("{},{}", 2 + step * 96 / steps, 30 - height)
    };
    let path: Vec<String> = (0..).zip(points).map(place).collect();
    let said =
        format!("{label}: {} points, from {} to {}, at most {}", points.len(), text(*first), text(*last), text(most));
    html! {
        span.line {
            svg viewBox="0 0 100 32" preserveAspectRatio="none" role="img" aria-label=(said) {
                @if let [only] = path.as_slice() { polyline points={ (only) " 98," (only.split(',').nth(1).unwrap_or("30")) } {} }
                @else { polyline points=(path.join(" ")) {} }
            }
            span { (label) " " b { (text(*last)) } }
        }
    }
}
