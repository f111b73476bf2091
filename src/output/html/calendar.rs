//! On which days keys expire: a table a month, a cell a day, in a stronger colour where more memory is freed; and the same in a list.

use jiff::civil::{Date, Weekday};
use jiff::tz::TimeZone;
use jiff::{Timestamp, ToSpan};
use maud::{Markup, html};

use super::parts::framed;
use crate::output::human::{bytes, count, counted, moment};
use crate::report::{ExpiryDay, ExpiryDays};

/// Classes of the style sheet, and from which share of the day that frees most each is, in hundredths.
const LEVELS: [(&str, u128, &str); 4] = [
    ("heat-4", 50, "at least half of it"),
    ("heat-3", 10, "at least a tenth"),
    ("heat-2", 1, "at least a hundredth"),
    ("heat-1", 0, "less"),
];

const WEEKDAYS: [(&str, &str); 7] = [
    ("Mo", "Monday"),
    ("Tu", "Tuesday"),
    ("We", "Wednesday"),
    ("Th", "Thursday"),
    ("Fr", "Friday"),
    ("Sa", "Saturday"),
    ("Su", "Sunday"),
];

/// A day of the calendar, and what expires on it.
type Day<'c> = (Date, &'c ExpiryDay);

/// The calendar, and what expires after its end.
pub(super) fn calendar(found: &ExpiryDays) -> Markup {
    html! {
        (grid(found))
        @if found.later_keys > 0 {
            p.note {
                (counted(found.later_keys, "key expires", "keys expire")) " after " (moment(found.until_ms)) ", with "
                (bytes(found.later_memory_bytes)) ", beyond the calendar."
            }
        }
    }
}

/// Months and a list; nothing if no key has a day.
fn grid(found: &ExpiryDays) -> Markup {
    let date =
        |day: &ExpiryDay| Some(Timestamp::from_millisecond(day.begins_at_ms).ok()?.to_zoned(TimeZone::UTC).date());
    let days: Vec<Day<'_>> = found.days.iter().filter_map(|day| Some((date(day)?, day))).collect();
    let Some((busiest, most)) = days.iter().max_by_key(|(_, day)| (day.memory_bytes, day.keys)) else {
        return html! {};
    };
    let months = days.chunk_by(|(a, _), (b, _)| a.first_of_month() == b.first_of_month());
    html! {
        h3 { "Calendar" }
        p {
            "Most memory is freed on " (busiest) ": " (bytes(most.memory_bytes)) " of "
            (counted(most.keys, "key", "keys")) ". Days are in UTC."
        }
        div.months { @for month in months { (of_month(month, most.memory_bytes)) } }
        ul.legend aria-label="Memory that is freed on a day" {
            li { "Freed on a day, against the day that frees most:" }
            @for (class, _, title) in LEVELS { li { span.swatch.(class) {} (title) } }
        }
        details {
            summary { "The days as a list (" (count(days.len() as u64)) ")" }
            (list(&days))
        }
    }
}

/// A month that has a day, all its weeks.
fn of_month(days: &[Day<'_>], most: u64) -> Markup {
    let Some((first, _)) = days.first() else { return html! {} };
    let (from, to) = (first.first_of_month(), first.last_of_month());
    let monday = from.checked_sub(i64::from(from.weekday().to_monday_zero_offset()).days()).unwrap_or(from);
    let all = monday.series(1.day()).take_while(|date| *date <= to || date.weekday() != Weekday::Monday);
    let all: Vec<Date> = all.collect();
    html! {
        table.month {
            caption { (from.strftime("%B %Y")) }
            thead { tr { @for (short, long) in WEEKDAYS { th scope="col" abbr=(long) { (short) } } } }
            tbody {
                @for week in all.chunks(7) {
                    tr {
                        @for date in week {
                            @if *date < from || *date > to {
                                td {}
                            } @else {
                                (of_day(*date, days, most))
                            }
                        }
                    }
                }
            }
        }
    }
}

fn of_day(date: Date, days: &[Day<'_>], most: u64) -> Markup {
    let Some((_, day)) = days.iter().find(|(of, _)| *of == date) else { return html! { td { (date.day()) } } };
    let share = u128::from(day.memory_bytes) * 100 / u128::from(most.max(1));
    let class = LEVELS.iter().find(|(_, from, _)| share >= *from).map_or("heat-1", |(class, ..)| *class);
    let freed = format!("{}, {}", bytes(day.memory_bytes), counted(day.keys, "key", "keys"));
    html! {
        td class=(class) title={ (date) ": " (freed) } { (date.day()) span.offscreen { ": " (freed) } }
    }
}

fn list(days: &[Day<'_>]) -> Markup {
    let mut freed = 0_u64;
    framed(
        "Keys by the day on which they expire",
        true,
        &html! {
            th scope="col" { "Day (UTC)" }
            th.number scope="col" { "Keys" }
            th.number scope="col" { "Memory" }
            th.number scope="col" { "Freed by its end" }
        },
        &html! {
            @for (date, day) in days {
                @let () = freed = freed.saturating_add(day.memory_bytes);
                tr {
                    th scope="row" { (date) }
                    td.number { (count(day.keys)) }
                    td.number { (bytes(day.memory_bytes)) }
                    td.number { (bytes(freed)) }
                }
            }
        },
    )
}
