//! A task's keys as files: CSV for spreadsheets, and the JSON of the API.

use std::fmt::Write;
use std::sync::Arc;

use axum::Extension;
use axum::extract::{Query, State};
use axum::http::header::{CONTENT_DISPOSITION, CONTENT_TYPE, HeaderValue};
use axum::response::{IntoResponse, Response};

use super::frame::with_headers;
use super::keys::{Filter, Key};
use super::problem::Problem;
use super::task::{Parameters, find, parameter};
use super::visitor::{TaskPath, Visitor};
use crate::output::formula::is_formula;
use crate::server::app::App;
use crate::server::errors::ApiError;
use crate::server::extract::Json;
use crate::server::work::read;
use crate::task::TaskKind;

pub(super) async fn csv(
    State(app): State<Arc<App>>,
    Extension(kind): Extension<TaskKind>,
    Extension(visitor): Extension<Visitor>,
    path: TaskPath,
    Query(parameters): Parameters,
) -> Result<Response, Problem> {
    let (instance_id, id) = visitor.task_of(path)?;
    let name = format!("keys-{id}.csv");
    let text = read(&app, &visitor.asked, move |app| {
        let found = find(app, kind, &instance_id, &id, parameter(&parameters, "compare"))?;
        Ok::<_, ApiError>(table(&Filter::new(&parameters).apply(found.keys)))
    });
    Ok(file(text.await?.into_response(), &name, "text/csv; charset=utf-8"))
}

pub(super) async fn json(
    State(app): State<Arc<App>>,
    Extension(kind): Extension<TaskKind>,
    Extension(visitor): Extension<Visitor>,
    path: TaskPath,
) -> Result<Response, Problem> {
    let (instance_id, id) = visitor.task_of(path)?;
    let name = format!("{}-{id}.json", if kind == TaskKind::Offline { "analysis" } else { "task" });
    let response = read(&app, &visitor.asked, move |app| {
        Ok(match kind {
            TaskKind::Offline => Json(app.store.offline(&instance_id, &id)?.2).into_response(),
            kind => Json(app.store.show(kind, Some(&instance_id), &id)?).into_response(),
        })
    });
    Ok(file(response.await?, &name, "application/json"))
}

fn file(mut response: Response, name: &str, content_type: &'static str) -> Response {
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(content_type));
    if let Ok(disposition) = HeaderValue::from_str(&format!("attachment; filename=\"{name}\"")) {
        headers.insert(CONTENT_DISPOSITION, disposition);
    }
    with_headers(response)
}

/// A line a key, by RFC 4180.
fn table(keys: &[Key]) -> String {
    let mut text = "name,name_base64,type,shard,db,size,unit,elements,freq,previous_size\r\n".to_owned();
    let number = |number: Option<u64>| number.map(|number| number.to_string()).unwrap_or_default();
    for key in keys {
        cell(&mut text, &key.name, ',');
        cell(&mut text, key.name_base64.as_deref().unwrap_or_default(), ',');
        cell(&mut text, &key.type_name, ',');
        cell(&mut text, key.shard.as_deref().unwrap_or_default(), ',');
        let (db, elements, freq) = (number(key.db), number(key.elements), number(key.freq.map(u64::from)));
        _ = write!(text, "{db},{},{},{elements},{freq},{}", key.size, key.unit, number(key.before));
        text.push_str("\r\n");
    }
    text
}

/// A cell of text. One that a spreadsheet would take for a formula begins with an apostrophe.
fn cell(line: &mut String, text: &str, end: char) {
    let guard = if is_formula(text.as_bytes()) { "'" } else { "" };
    if !guard.is_empty() || text.contains([',', '"', '\r', '\n']) {
        _ = write!(line, "\"{guard}{}\"", text.replace('"', "\"\""));
    } else {
        line.push_str(text);
    }
    line.push(end);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::task::KeyRecord;

    #[test]
    fn a_spreadsheet_runs_nothing() {
        let key = |name: &str| {
            let (name, type_name) = (name.to_owned(), "string".to_owned());
            Key::from(KeyRecord {
                name,
                name_base64: None,
                type_name,
                shard: None,
                db: 3,
                size: 7,
                unit: "byte",
                freq: None,
            })
        };
        let keys = ["plain", "=1+1", "@x", "a,\"b\"\n", "-5"].map(key);
        assert_eq!(
            table(&keys),
            "name,name_base64,type,shard,db,size,unit,elements,freq,previous_size\r\nplain,,string,,3,7,byte,,,\r\n\
             \"'=1+1\",,string,,3,7,byte,,,\r\n\"'@x\",,string,,3,7,byte,,,\r\n\"a,\"\"b\"\"\n\",,string,,3,7,byte,,,\r\n\
             -5,,string,,3,7,byte,,,\r\n"
        );
    }
}
