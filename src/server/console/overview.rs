//! The first page: all instances, how their last tasks went and how old their dumps are.

use std::sync::Arc;

use axum::Extension;
use axum::extract::{Query, State};
use axum::response::Response;
use maud::{Markup, html};

use super::frame::page;
use super::parts::{line, moment, name, state};
use super::problem::Problem;
use super::visitor::Visitor;
use crate::output::human::{bytes, count};
use crate::server::app::App;
use crate::server::errors::ApiError;
use crate::server::found::Newest;
use crate::server::work::read;
use crate::task::{self, BiggestKeys, StoreError, TaskKind, TaskRecord};

/// Instances on a page.
const PAGE: usize = 50;

/// Tasks that the lines go over.
const POINTS: u32 = 20;

/// An instance, as the table has it.
struct Line {
    id: String,
    name: String,
    last: Option<TaskRecord>,
    newest: Option<Newest>,
    points: Vec<BiggestKeys>,
}

pub(super) async fn show(
    State(app): State<Arc<App>>,
    Extension(visitor): Extension<Visitor>,
    Query(parameters): Query<Vec<(String, String)>>,
) -> Result<Response, Problem> {
    let wanted = |of: &str| parameters.iter().find(|(name, _)| name == of).map(|(_, value)| value.as_str());
    let text = wanted("name").unwrap_or_default().to_owned();
    let number: usize = wanted("page").and_then(|page| page.parse().ok()).unwrap_or(0);
    let matching = |(id, instance): &(&String, &crate::server::config::Instance)| {
        id.contains(&text) || instance.name.contains(&text)
    };
    let instances: Vec<(String, String)> =
        visitor.instances().filter(matching).map(|(id, instance)| (id.clone(), instance.name.clone())).collect();
    let all = instances.len();
    let shown: Vec<_> = instances.into_iter().skip(number.saturating_mul(PAGE)).take(PAGE).collect();
    let lines = read(&app, &visitor.asked, move |app| {
        let lines = shown.into_iter().map(|(id, name)| line_of(app, id, name));
        Ok::<_, ApiError>(lines.collect::<Result<Vec<_>, _>>()?)
    });
    let lines = lines.await?;
    let is_active = lines.iter().filter_map(|line| line.last.as_ref()).any(|task| task.finished_at.is_none());
    let main = html! {
        form.tools method="get" action="/" role="search" {
            label { "Name or ID " input type="search" name="name" value=(text); }
            button { "Find" }
            span.note { (count(u64::try_from(all).unwrap_or(u64::MAX))) " instances" }
        }
        div.scroll tabindex="0" role="group" aria-label="Instances" {
            table #instances data-poll=(if is_active { "1" } else { "10" }) {
                thead {
                    tr {
                        th scope="col" { "Instance" }
                        th scope="col" { "Last task" }
                        th scope="col" { "Newest dump" }
                        th scope="col" { "Biggest keys over time" }
                    }
                }
                tbody {
                    @for line in &lines { (row(line)) }
                }
            }
        }
        (pages(all.div_ceil(PAGE), number, |page| format!("/?name={}&page={page}", encoded(&text))))
    };
    Ok(page(Some(&visitor), "Instances", &[], &main))
}

fn line_of(app: &App, id: String, name: String) -> Result<Line, StoreError> {
    let query =
        task::Query { kind: TaskKind::BigKeys, instance_id: Some(id.clone()), status: None, offset: 0, limit: 1 };
    let last = app.store.list(&query)?.records.pop();
    Ok(Line { last, newest: app.found.of(&id), points: app.store.biggest_keys(&id, POINTS)?, id, name })
}

fn row(Line { id, name: title, last, newest, points }: &Line) -> Markup {
    html! {
        tr id={ "i-" (id) } data-live data-state=[last.as_ref().map(|task| task.status.name())] data-said=(title) {
            th scope="row" {
                a href={ "/instances/" (id) } { (name(if title.is_empty() { id } else { title })) }
                br;
                code.note { (id) }
            }
            td {
                @match last {
                    Some(task) => { (state(task.status)) br; (moment(task.finished_at.unwrap_or(task.created_at))) }
                    None => span.note { "none yet" }
                }
            }
            td { (newest_dump(newest.as_ref())) }
            td { (biggest(points)) }
        }
    }
}

/// The newest dump of an instance, as far as it was looked for.
pub(super) fn newest_dump(newest: Option<&Newest>) -> Markup {
    match newest {
        Some(Newest::Dump(dump)) => html! { (name(&dump.name)) br; (moment(dump.written_at)) },
        Some(Newest::Missing) => html! { span.broken { "a node has no dump" } },
        None => html! { span.note { "not looked for yet" } },
    }
}

/// Lines of the biggest keys.
pub(super) fn biggest(points: &[BiggestKeys]) -> Markup {
    let strings: Vec<u64> = points.iter().filter_map(|point| point.string_bytes).collect();
    let elements: Vec<u64> = points.iter().filter_map(|point| point.elements).collect();
    html! {
        (line("Largest string", &strings, bytes))
        (line("Most elements", &elements, count))
    }
}

/// Links to the pages of a list that has several.
pub(super) fn pages(all: usize, number: usize, to: impl Fn(usize) -> String) -> Markup {
    html! {
        @if all > 1 {
            nav.pages aria-label="Pages" {
                @if number > 0 { a href=(to(number - 1)) rel="prev" { "Previous" } }
                span { "Page " (number + 1) " of " (all) }
                @if number + 1 < all { a href=(to(number + 1)) rel="next" { "Next" } }
            }
        }
    }
}

/// A text as a value in a query.
pub(super) fn encoded(text: &str) -> String {
    use std::fmt::Write;
    text.bytes().fold(String::new(), |mut encoded, byte| {
        match byte {
            b'0'..=b'9' | b'A'..=b'Z' | b'a'..=b'z' | b'-' | b'_' | b'.' | b'~' => encoded.push(char::from(byte)),
            byte => _ = write!(encoded, "%{byte:02X}"),
        }
        encoded
    })
}
