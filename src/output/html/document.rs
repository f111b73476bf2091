//! What every page has: one file, whose policy lets its own script and style sheet run, by their hashes, and forbids everything
//! else.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use maud::{DOCTYPE, Markup, PreEscaped, html};
use sha2::{Digest, Sha256};

/// How pages look; those of the service build on it.
pub(crate) const STYLE: &str = include_str!("page.css");

/// A page in its parts.
pub(super) struct Document<'d> {
    pub(super) title: &'d str,
    pub(super) script: &'static str,
    /// JSON that can end no element of the page.
    pub(super) data: &'d str,
    /// Their ids, and what the table of contents calls them.
    pub(super) sections: Vec<(&'static str, &'static str)>,
    pub(super) head: Markup,
    pub(super) main: Markup,
    pub(super) foot: Markup,
}

pub(super) fn page(document: &Document<'_>) -> Markup {
    let Document { title, script, data, sections, head, main, foot } = document;
    let policy = format!(
        "default-src 'none'; script-src '{}'; style-src '{}'; base-uri 'none'; form-action 'none'",
        hash(script),
        hash(STYLE)
    );
    html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta http-equiv="Content-Security-Policy" content=(policy);
                meta name="viewport" content="width=device-width, initial-scale=1";
                meta name="color-scheme" content="light dark";
                meta name="referrer" content="no-referrer";
                meta name="generator" content=(concat!("bigkeys ", env!("CARGO_PKG_VERSION")));
                title { "bigkeys: " (title) }
                style { (PreEscaped(STYLE)) }
            }
            body {
                a.skip href="#main" { "Skip to the report" }
                (head)
                nav aria-label="Sections" {
                    @for (id, title) in sections { a href={ "#" (id) } { (title) } }
                }
                main id="main" tabindex="-1" {
                    noscript { p.note { "The map and the lists need JavaScript; everything else is here." } }
                    (main)
                }
                (foot)
                p #said role="status" {}
                script #data type="application/json" { (PreEscaped(data)) }
                script { (PreEscaped(script)) }
            }
        }
    }
}

/// What a policy calls a script or a style sheet.
pub(crate) fn hash(text: &str) -> String {
    format!("sha256-{}", STANDARD.encode(Sha256::digest(text.as_bytes())))
}
