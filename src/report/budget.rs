//! Budgets: limits that the figures of a report are held to, and what exceeds them. Growth is measured against an earlier report.

use std::collections::BTreeMap;
use std::fmt;

use super::finding::{Evidence, Subject, SubjectKind};
use super::limit::{Bound, Limit, Measure, Measured, hundredths};
use super::mapped::map_row;
use super::{By, KeyRow, Name, Prefixes, Report, SuspectKey, Tally, TopKeys, Weight};

/// Breaches that are listed one by one.
const BREACHES_MAX: usize = 100;

/// Limits.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Budget {
    limits: Vec<Limit>,
}

/// What was found of a budget.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Verdict {
    /// What exceeds a limit; the first hundred.
    pub breaches: Vec<Breach>,
    /// How many more there are.
    pub more: u64,
    /// What could not be decided, a sentence each.
    pub undecided: Vec<String>,
}

/// Something that exceeds a limit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Breach {
    /// The limit, as it is typed.
    pub limit: String,
    /// What exceeds it.
    pub subject: Subject,
    /// What that has, in a part of a sentence.
    pub what: String,
    /// The figures: what it has, what it had where growth is limited, and the limit.
    pub evidence: Vec<Evidence>,
    /// The key, where it is one.
    pub key: Option<SuspectKey>,
}

impl fmt::Display for Breach {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "over budget ({}): {}", self.limit, self.what)
    }
}

impl Budget {
    /// Adds a limit.
    pub fn add(&mut self, limit: Limit) {
        self.limits.push(limit);
    }

    /// Adds the limit of a table: `memory = "1MiB"` under `[key]`, or under `[prefix."user:"]`, where `one` is the prefix.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn add_table(&mut self, subject: &str, one: Option<&str>, measure: &str, value: &str) -> Result<(), String> {
        self.limits.push(Limit::of_parts(subject, one, measure, value)?);
        Ok(())
    }

    /// Whether there are no limits.
    pub fn is_empty(&self) -> bool {
        self.limits.is_empty()
    }

    /// Whether growth is limited, for which an earlier report is needed.
    pub fn limits_growth(&self) -> bool {
        self.limits.iter().any(Limit::is_on_growth)
    }

    /// Holds a report to the limits. `earlier` is the report that growth is measured against: limits on growth are not looked at
    /// without it.
    ///
    /// # Errors
    /// A sentence if growth is limited, and the earlier report is not of the same question.
    pub fn check(&self, report: &Report, earlier: Option<&Report>) -> Result<Verdict, String> {
        self.check_as(report, earlier, &<[u8]>::to_vec)
    }

    /// As [`Budget::check`], with names in what it says as `name` has them.
    ///
    /// # Errors
    /// As [`Budget::check`].
    pub fn check_as(
        &self,
        report: &Report,
        earlier: Option<&Report>,
        name: &dyn Fn(&[u8]) -> Vec<u8>,
    ) -> Result<Verdict, String> {
        let mut verdict = Verdict::default();
        for limit in &self.limits {
            if let Some(earlier) = earlier.filter(|_| limit.is_on_growth()) {
                is_of_same_question(limit, report, earlier)?;
            }
            Check { limit, report, earlier, name, verdict: &mut verdict, came: 0 }.run();
        }
        if let Some(earlier) = earlier.filter(|earlier| !earlier.is_complete && self.limits_growth()) {
            let dump = earlier.dumps.iter().find(|dump| !dump.is_complete).map_or("", |dump| &dump.name);
            verdict
                .undecided
                .push(format!("the earlier report is incomplete ({dump}): growth may be less than it seems"));
        }
        Ok(verdict)
    }
}

/// # Errors
/// A sentence if the growth that is limited cannot be told from two reports.
fn is_of_same_question(limit: &Limit, report: &Report, earlier: &Report) -> Result<(), String> {
    if report.filters != earlier.filters {
        return Err(format!("it was made with {}, the report of now with {}", earlier.filters, report.filters));
    }
    let models = |report: &Report| {
        let mut models: Vec<String> =
            report.dumps.iter().map(|dump| format!("{} with {}", dump.target, dump.allocator)).collect();
        models.sort_unstable();
        models.dedup();
        models.join(", ")
    };
    let (then, now) = (models(earlier), models(report));
    if matches!(limit.measure, Measure::Memory | Measure::Allocated) && then != now {
        return Err(format!(
            "its memory is that of {then}, now it is that of {now}; --target and --allocator make them alike"
        ));
    }
    let by_name = matches!(limit.subject, Measured::Prefix | Measured::Group);
    if by_name && report.redacted != earlier.redacted {
        let mark = earlier.redacted.as_deref().unwrap_or("none");
        return Err(format!("its names are redacted by {mark}, which leaves no prefix or group to compare"));
    }
    let asked = |prefixes: &Prefixes| (prefixes.separators.clone(), prefixes.under.clone());
    if limit.subject == Measured::Prefix && asked(&report.prefixes) != asked(&earlier.prefixes) {
        return Err("it was made with other --separators or --under".to_owned());
    }
    if limit.subject == Measured::Group {
        let is_alike = match (&report.groups, &earlier.groups) {
            (Some(now), Some(then)) => now.is_like(then),
            (now, _) => now.is_none(),
        };
        if !is_alike {
            return Err("it was made with other groups".to_owned());
        }
    }
    Ok(())
}

/// The figures of a subject, and the most that they lack.
#[derive(Clone, Copy, Default)]
struct Known {
    tally: Tally,
    missed: Weight,
}

impl Known {
    fn exactly(tally: Tally) -> Self {
        Self { tally, missed: Weight::default() }
    }

    fn least(&self, limit: &Limit) -> u64 {
        limit.of_tally(&self.tally)
    }

    fn most(&self, limit: &Limit) -> u64 {
        match limit.measure {
            Measure::Memory => self.tally.memory_bytes.saturating_add(self.missed.memory_bytes),
            Measure::Keys => self.tally.keys.saturating_add(self.missed.keys),
            _ if self.missed == Weight::default() => limit.of_tally(&self.tally),
            _ => u64::MAX,
        }
    }
}

/// A limit, and the reports that it is held against.
struct Check<'c> {
    limit: &'c Limit,
    report: &'c Report,
    earlier: Option<&'c Report>,
    name: &'c dyn Fn(&[u8]) -> Vec<u8>,
    verdict: &'c mut Verdict,
    /// Subjects that had nothing in the earlier report, and so no share to grow by.
    came: u64,
}

impl Check<'_> {
    fn run(mut self) {
        match self.limit.subject {
            Measured::Key => self.keys(),
            Measured::Prefix => self.prefixes(),
            Measured::Type => self.types(),
            Measured::Db => self.databases(),
            Measured::Dump => {
                for dump in self.report.dumps.iter().filter(|dump| self.limit.is_about(dump.name.as_bytes())) {
                    let subject = Subject::named(SubjectKind::Dump, dump.name.as_bytes());
                    self.hold(subject, &format!("dump {}", dump.name), Known::exactly(dump.keys), None);
                }
            }
            Measured::Group => self.groups(),
            Measured::Total => {
                let then = self.earlier.map(|earlier| Known::exactly(earlier.totals));
                self.hold(Subject::only(SubjectKind::Dump), "total", Known::exactly(self.report.totals), then);
            }
        }
        if self.came > 0 {
            self.undecided(&format!(
                "{} had nothing in the earlier report, and so no share to grow by; limit the growth to an amount to see {}",
                self.came,
                if self.came == 1 { "it" } else { "them" }
            ));
        }
    }

    fn shown(&self, name: &[u8]) -> Name {
        Name::new((self.name)(name))
    }

    /// The limit as it is typed, with names as they are shown.
    fn typed(&self) -> String {
        let by_name = matches!(self.limit.subject, Measured::Prefix | Measured::Group);
        let one = self.limit.one.as_ref().filter(|_| by_name).map(|one| self.shown(one.bytes()));
        Limit { one: one.or_else(|| self.limit.one.clone()), ..self.limit.clone() }.to_string()
    }

    fn undecided(&mut self, what: &str) {
        let sentence = format!("{}: {what}", self.typed());
        self.verdict.undecided.push(sentence);
    }

    fn types(&mut self) {
        let earlier = self.earlier.map(by_type);
        for (kind, tally) in by_type(self.report) {
            if self.limit.is_about(kind.as_bytes()) {
                let then = earlier.as_ref().map(|types| types.get(kind).copied().unwrap_or_default());
                let subject = Subject::named(SubjectKind::Type, kind);
                self.hold(subject, &format!("type {kind}"), Known::exactly(tally), then.map(Known::exactly));
            }
        }
    }

    fn databases(&mut self) {
        for database in &self.report.databases {
            let db = database.db.to_string();
            if !self.limit.is_about(db.as_bytes()) {
                continue;
            }
            let then = self.earlier.map(|earlier| {
                let of_db = earlier.databases.iter().find(|then| then.db == database.db);
                let together = earlier.other_databases.as_ref().filter(|other| database.db >= other.from_db);
                let missed = together.map_or_else(Weight::default, |other| Weight::of(&other.tally));
                Known { tally: of_db.map(|then| then.tally).unwrap_or_default(), missed }
            });
            let subject = Subject::named(SubjectKind::Database, db.as_bytes());
            self.hold(subject, &format!("database {db}"), Known::exactly(database.tally), then);
        }
        if let Some(other) = &self.report.other_databases {
            self.undecided(&format!("databases from {} on are counted together", other.from_db));
        }
    }

    fn groups(&mut self) {
        let Some(found) = &self.report.groups else {
            return self.undecided("there are no groups; use --group or --groups");
        };
        // Groups are the same in the same order, or the limit is not on growth.
        let earlier = self.earlier.and_then(|earlier| earlier.groups.as_ref()).map(|found| &found.groups);
        let mut is_any = false;
        for (number, found) in found.groups.iter().enumerate() {
            let name = found.group.name.as_bytes();
            if self.limit.is_about(name) {
                is_any = true;
                let then = earlier.and_then(|groups| groups.get(number)).map(|then| Known::exactly(then.tally));
                let shown = self.shown(name);
                let subject = Subject { kind: SubjectKind::Group, name: Some(shown.clone()) };
                self.hold(subject, &format!("group {shown}"), Known::exactly(found.tally), then);
            }
        }
        if !is_any {
            self.undecided("no group has this name");
        }
    }

    fn keys(&mut self) {
        let (limit, report) = (self.limit, self.report);
        let Bound::Most(most) = limit.bound else { return };
        let is_of_order = |list: &&TopKeys| list.by == limit.by() && !list.is_without_ttl;
        for list in report.top.iter().filter(is_of_order) {
            let value = |key: &KeyRow| limit.by().of(key);
            for key in list.keys.iter().filter(|key| value(key) > most) {
                let mut key = key.clone();
                map_row(&mut key, self.name);
                let shown = key.name.clone();
                let what = format!("{} in database {} {shown} has {}", list.kind, list.db, limit.value(value(&key)));
                let evidence = vec![Evidence::new(limit.evidence(), value(&key)), Evidence::new("limit", most)];
                let key = SuspectKey { db: Some(list.db), kind: list.kind.clone().into(), key };
                self.breach(Subject { kind: SubjectKind::Key, name: Some(shown) }, what, evidence, Some(key));
            }
            // A full list whose last key is too large may go on with others.
            let is_full = list.keys.len() >= report.top_keys_max;
            if is_full && list.keys.last().is_some_and(|last| value(last) > most) {
                let more = format!("database {} may have more such keys of type {}", list.db, list.kind);
                self.undecided(&format!("{more}; use a larger --top to see them"));
            }
        }
        let is_cut = report.top_cut.as_ref().is_some_and(|cut| cut.without_databases_from.is_some());
        if is_cut || report.top_keys_max == 0 {
            self.undecided("some keys are on no list; use --db or a larger --top to list them");
        }
        if limit.by() == By::Memory && report.memory_unknown_keys > 0 {
            self.undecided(&format!("the memory of {} keys is unknown", report.memory_unknown_keys));
        }
    }

    fn prefixes(&mut self) {
        let (limit, prefixes) = (self.limit, &self.report.prefixes);
        let earlier = self.earlier.map(|earlier| {
            let known = |found: &super::NameTally| {
                (found.name.clone(), Known { tally: found.tally, missed: found.missed_max.unwrap_or_default() })
            };
            let names: BTreeMap<Name, Known> = earlier.prefixes.found.names.iter().map(known).collect();
            let bound = earlier.prefixes.heavy.as_ref().map(|heavy| heavy.bound).unwrap_or_default();
            (names, Known { tally: Tally::default(), missed: bound })
        });
        for found in prefixes.found.names.iter().filter(|found| limit.is_about(&prefixes.whole(found))) {
            let then = earlier.as_ref().map(|(names, unlisted)| names.get(&found.name).copied().unwrap_or(*unlisted));
            let now = Known { tally: found.tally, missed: found.missed_max.unwrap_or_default() };
            let shown = self.shown(&prefixes.whole(found));
            let subject = Subject { kind: SubjectKind::Prefix, name: Some(shown.clone()) };
            self.hold(subject, &format!("prefix {shown}"), now, then);
        }
        let is_listed = |one: &Name| prefixes.found.names.iter().any(|found| prefixes.whole(found) == one.bytes());
        let may_be_unlisted = limit.one.as_ref().is_none_or(|one| !is_listed(one));
        if let Some(heavy) = prefixes.heavy.as_ref().filter(|_| may_be_unlisted) {
            let unlisted = Known { tally: Tally::default(), missed: heavy.bound };
            let allowed = match limit.bound {
                Bound::Most(most) | Bound::Growth(most) => most,
                Bound::GrowthShare(_) => 0,
            };
            if unlisted.most(limit) > allowed {
                self.undecided("prefixes that are not listed may exceed it");
            }
        }
    }

    /// Holds a subject to the limit: what it has now, and what it had then.
    fn hold(&mut self, subject: Subject, label: &str, now: Known, then: Option<Known>) {
        let limit = self.limit;
        let (least, most) = (now.least(limit), now.most(limit));
        let (is_over, may_be) = match (limit.bound, then) {
            (Bound::Most(allowed), _) => (least > allowed, most > allowed),
            (_, None) => return,
            (Bound::Growth(allowed), Some(then)) => {
                let grown = |now: u64, then: u64| now.saturating_sub(then) > allowed;
                (grown(least, then.most(limit)), grown(most, then.least(limit)))
            }
            (Bound::GrowthShare(_), Some(then)) if then.most(limit) == 0 => {
                self.came += u64::from(most > 0);
                return;
            }
            (Bound::GrowthShare(share), Some(then)) => {
                let allowed = 10_000 + u128::from(share);
                let grown = |now: u64, then: u64| u128::from(now) * 10_000 > u128::from(then) * allowed;
                (grown(least, then.most(limit)), grown(most, then.least(limit)))
            }
        };
        if is_over {
            let (what, evidence) = self.said(label, least, then.map(|then| then.least(limit)));
            self.breach(subject, what, evidence, None);
        } else if may_be {
            self.undecided(&format!("{label} may exceed it: its figures are within a bound"));
        }
    }

    /// What a subject has, and had, in a part of a sentence and in figures.
    fn said(&self, label: &str, now: u64, then: Option<u64>) -> (String, Vec<Evidence>) {
        let limit = self.limit;
        let mut evidence = vec![Evidence::new(limit.evidence(), now)];
        let mut what = format!("{label} has {}", limit.value(now));
        if let Some(then) = then.filter(|_| limit.is_on_growth()) {
            evidence.push(Evidence { name: format!("earlier_{}", limit.evidence()).into(), value: then });
            let share = (u128::from(now.saturating_sub(then)) * 10_000).checked_div(u128::from(then));
            let share = share.and_then(|share| u64::try_from(share).ok());
            let share = share.map_or_else(String::new, |share| format!(", {} % more", hundredths(share)));
            what = format!("{what}{share}; it had {}", limit.value(then));
        }
        evidence.push(match limit.bound {
            Bound::Most(most) => Evidence::new("limit", most),
            Bound::Growth(growth) => Evidence::new("growth_limit", growth),
            Bound::GrowthShare(share) => Evidence::new("growth_limit_basis_points", share),
        });
        (what, evidence)
    }

    fn breach(&mut self, subject: Subject, what: String, evidence: Vec<Evidence>, key: Option<SuspectKey>) {
        if self.verdict.breaches.len() < BREACHES_MAX {
            let limit = self.typed();
            self.verdict.breaches.push(Breach { limit, subject, what, evidence, key });
        } else {
            self.verdict.more += 1;
        }
    }
}

/// The keys of all databases by type.
fn by_type(report: &Report) -> BTreeMap<&str, Tally> {
    let mut types: BTreeMap<&str, Tally> = BTreeMap::new();
    let others = report.other_databases.iter().flat_map(|other| &other.types);
    for of_type in report.databases.iter().flat_map(|database| &database.types).chain(others) {
        types.entry(&of_type.kind).or_default().merge(&of_type.tally);
    }
    types
}
