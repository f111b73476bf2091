//! Keys as a table with its filters, and what is no longer listed.

use maud::{Markup, html};

use super::keys::{Change, Filter, Key};
use super::overview::{encoded, pages};
use super::parts::{change, name, size};
use crate::output::human::count;

/// Rows on a page.
const PAGE: usize = 200;

/// Keys that are no longer listed and are named.
const GONE_MAX: usize = 200;

/// What the table is about.
pub(super) struct Table<'t> {
    /// Where the task is.
    pub(super) path: &'t str,
    pub(super) filter: &'t Filter,
    pub(super) page: usize,
    /// The task that this one is compared with; empty for the one before.
    pub(super) compare: &'t str,
    pub(super) is_compared: bool,
}

impl Table<'_> {
    /// The path with the filters.
    fn to(&self, ending: &str, more: &str) -> String {
        let filters: Vec<String> =
            self.filter.pairs().map(|(name, value)| format!("{name}={}&", encoded(value))).collect();
        let filters = filters.concat();
        format!("{}{ending}?{filters}compare={}{more}", self.path, encoded(self.compare))
    }

    /// The filters, the keys that they leave and where to download them. `all` are the keys that there are.
    pub(super) fn keys(&self, all: &[Key], shown: &[Key]) -> Markup {
        let has = |what: fn(&Key) -> bool| all.iter().any(what);
        let (has_shards, has_dbs) = (has(|key| key.shard.is_some()), has(|key| key.db.is_some()));
        let (has_elements, has_counters) = (has(|key| key.elements.is_some()), has(|key| key.freq.is_some()));
        let first = self.page.saturating_mul(PAGE);
        html! {
            (self.filters(all, has_dbs, has_shards))
            div.tools {
                span.note { (number(shown.len())) " of " (number(all.len())) " keys" }
                a href=(self.to("/keys.csv", "")) download { "Download CSV" }
                a href={ (self.path) "/keys.json" } download { "Download JSON" }
            }
            div.scroll tabindex="0" role="group" aria-label="Keys" {
                table.list #keys {
                    thead {
                        tr {
                            th scope="col" { "Name" }
                            th scope="col" { "Type" }
                            @if has_dbs { th.number scope="col" { "Database" } }
                            @if has_shards { th scope="col" { "Shard" } }
                            th.number scope="col" { "Size" }
                            @if has_elements { th.number scope="col" { "Elements" } }
                            @if has_counters { th.number scope="col" { "Access counter" } }
                            @if self.is_compared { th.number scope="col" { "Change" } }
                        }
                    }
                    tbody {
                        @for key in shown.iter().skip(first).take(PAGE) {
                            tr {
                                th.named scope="row" { (name(&key.name)) }
                                td { (name(&key.type_name)) }
                                @if has_dbs { td.number { @if let Some(db) = key.db { (db) } } }
                                @if has_shards { td { @if let Some(shard) = &key.shard { (name(shard)) } } }
                                td.number { (size(key.size, key.unit)) }
                                @if has_elements { td.number { @if let Some(elements) = key.elements { (count(elements)) } } }
                                @if has_counters { td.number { @if let Some(freq) = key.freq { (freq) } } }
                                @if self.is_compared { td.number { (changed(key)) } }
                            }
                        }
                    }
                }
            }
            (pages(shown.len().div_ceil(PAGE), self.page, |page| self.to("", &format!("&page={page}"))))
        }
    }

    fn filters(&self, all: &[Key], has_dbs: bool, has_shards: bool) -> Markup {
        let values = |of: fn(&Key) -> Option<String>| {
            let mut values: Vec<String> = all.iter().filter_map(of).collect();
            values.sort_unstable();
            values.dedup();
            values
        };
        let changes = || Change::ALL.map(|change| change.name().to_owned()).to_vec();
        let mut dbs: Vec<u64> = all.iter().filter_map(|key| key.db).collect();
        dbs.sort_unstable();
        dbs.dedup();
        let orders = ["size", "growth", "name", "type"].map(str::to_owned).to_vec();
        html! {
            form.tools method="get" action=(self.path) role="search" aria-label="Filter the keys" {
                input type="hidden" name="compare" value=(self.compare);
                label { "Name " input type="search" name="name" value=[self.filter.get("name")]; }
                (self.choice("Type", "type", "all", &values(|key| Some(key.type_name.clone()))))
                @if has_dbs { (self.choice("Database", "db", "all", &dbs.iter().map(u64::to_string).collect::<Vec<_>>())) }
                @if has_shards { (self.choice("Shard", "shard", "all", &values(|key| key.shard.clone()))) }
                @if self.is_compared { (self.choice("Change", "change", "all", &changes())) }
                (self.choice("Sort by", "sort", "as found", &orders))
                button { "Filter" }
            }
        }
    }

    fn choice(&self, label: &str, of: &str, all: &str, values: &[String]) -> Markup {
        html! {
            label {
                (label) " "
                select name=(of) {
                    option value="" { (all) }
                    @for value in values { option value=(value) selected[self.filter.get(of) == Some(value)] { (value) } }
                }
            }
        }
    }
}

/// The keys that were listed before, and are no longer.
pub(super) fn gone(keys: &[Key]) -> Markup {
    html! {
        @if !keys.is_empty() {
            details #gone {
                summary { (number(keys.len())) " no longer listed" }
                p.note { "They were deleted, have expired, or others are larger now." }
                ul {
                    @for key in keys.iter().take(GONE_MAX) {
                        li { (name(&key.name)) " " span.note { (key.type_name) ", " (size(key.size, key.unit)) } }
                    }
                }
                @if keys.len() > GONE_MAX { p.note { "and " (number(keys.len() - GONE_MAX)) " more" } }
            }
        }
    }
}

/// How many keys are new, grown and so on.
pub(super) fn summary(keys: &[Key]) -> String {
    let of = |change: Change| keys.iter().filter(|key| key.change() == change).count();
    let counted = Change::ALL.map(|change| format!("{} {}", number(of(change)), change.name()));
    counted.join(", ")
}

fn changed(key: &Key) -> Markup {
    html! {
        @match key.before {
            None => span.state.new { "new" },
            Some(before) if before == key.size => "",
            Some(before) => { (change(before, key.size, key.unit)) }
        }
    }
}

fn number(number: usize) -> String {
    count(u64::try_from(number).unwrap_or(u64::MAX))
}
