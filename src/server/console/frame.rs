//! What all pages have in common: their head, their policy, and who is logged in.

use std::sync::LazyLock;

use axum::http::header::{CACHE_CONTROL, CONTENT_SECURITY_POLICY, HeaderName, HeaderValue, REFERRER_POLICY};
use axum::http::header::{X_CONTENT_TYPE_OPTIONS, X_FRAME_OPTIONS};
use axum::response::{Html, IntoResponse, Response};
use maud::{DOCTYPE, Markup, PreEscaped, html};

use super::visitor::{CSRF, Visitor};
use crate::output::html::{self as report, hash};

static STYLE: LazyLock<String> = LazyLock::new(|| format!("{}{}", report::STYLE, include_str!("page.css")));

const SCRIPT: &str = include_str!("page.js");

/// Nothing is fetched but the service's own answers, and nothing runs but the service's own script.
static POLICY: LazyLock<HeaderValue> = LazyLock::new(|| {
    let policy = format!(
        "default-src 'none'; script-src '{}'; style-src '{}'; img-src data:; connect-src 'self'; form-action 'self'; \
         base-uri 'none'; frame-ancestors 'none'",
        hash(SCRIPT),
        hash(&STYLE)
    );
    HeaderValue::from_str(&policy).unwrap_or(HeaderValue::from_static("default-src 'none'"))
});

/// A page: its title, what leads to it, and its content.
pub(super) fn page(visitor: Option<&Visitor>, title: &str, crumbs: &[(String, String)], main: &Markup) -> Response {
    let page = html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width, initial-scale=1";
                meta name="color-scheme" content="light dark";
                link rel="icon" href="data:,";
                title { (title) " · bigkeys" }
                style { (PreEscaped(&*STYLE)) }
            }
            body {
                a.skip href="#main" { "Skip to the content" }
                header.top {
                    p.brand { a href="/" { "bigkeys" } }
                    @if let Some(visitor) = visitor.filter(|visitor| visitor.is_logged_in()) {
                        form method="post" action="/logout" {
                            span.note { (visitor.asked.caller.name()) @if !visitor.may_change() { ", read-only" } }
                            input type="hidden" name=(CSRF) value=(visitor.csrf);
                            button { "Log out" }
                        }
                    }
                }
                @if !crumbs.is_empty() {
                    nav aria-label="Path" {
                        @for (text, to) in crumbs { a href=(to) { bdi { (text) } } }
                    }
                }
                main id="main" tabindex="-1" {
                    h1 { bdi { (title) } }
                    (main)
                }
                p #said role="status" {}
                script { (PreEscaped(SCRIPT)) }
            }
        }
    };
    with_headers(Html(page.into_string()).into_response())
}

/// An answer with the headers that every answer of the pages has.
pub(super) fn with_headers(mut response: Response) -> Response {
    let headers = response.headers_mut();
    headers.insert(CONTENT_SECURITY_POLICY, POLICY.clone());
    for (name, value) in [
        (CACHE_CONTROL, "no-store"),
        (X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (X_FRAME_OPTIONS, "DENY"),
        // With none at all, browsers would not say of which origin a form is.
        (REFERRER_POLICY, "same-origin"),
        (HeaderName::from_static("cross-origin-opener-policy"), "same-origin"),
        (HeaderName::from_static("cross-origin-resource-policy"), "same-origin"),
    ] {
        headers.insert(name, HeaderValue::from_static(value));
    }
    response
}
