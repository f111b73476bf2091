//! Tasks as lines for people.

use std::fmt::Write;

use bigkeys::error::Visible;
use bigkeys::task::{KeyRecord, Listing, Task, TaskRecord};
use jiff::Timestamp;

/// A page of a list, one line per task. The column without a fixed width comes last.
pub(super) fn listing(listing: &Listing) -> String {
    let mut text = format!("{:36}  {:7}  {:6}  {:19}  INSTANCE\n", "ID", "STATUS", "SCAN", "CREATED (UTC)");
    for record in &listing.records {
        let TaskRecord { id, instance_id, status, scan_type, created_at, .. } = record;
        let (status, scan_type, created_at) = (status.name(), scan_type.name(), moment(*created_at));
        _ = writeln!(text, "{id:36}  {status:7}  {scan_type:6}  {created_at:19}  {}", plain(instance_id));
    }
    let shown = listing.records.len() as u64;
    if shown < listing.count {
        _ = writeln!(text, "{shown} of {} tasks; --offset and --limit show others", listing.count);
    }
    text
}

/// A task: what it is, then a line a key.
pub(super) fn task(task: &Task) -> String {
    let mut text = String::new();
    let mut line = |name: &str, value: &str| _ = writeln!(text, "{name:9} {value}");
    line("task", &task.id);
    line("instance", &plain(&task.instance_id));
    line("status", task.status.name());
    line("scan", task.scan_type.name());
    line("created", &moment(task.created_at));
    if let Some(started_at) = task.started_at {
        line("started", &moment(started_at));
    }
    if let Some(finished_at) = task.finished_at {
        line("finished", &moment(finished_at));
    }
    line("keys", &task.num.to_string());
    let keys = task.keys.as_deref().unwrap_or_default();
    if keys.is_empty() {
        return text;
    }
    let has_shards = keys.iter().any(|key| key.shard.is_some());
    let wide = |cell: fn(&KeyRecord) -> usize, least: usize| keys.iter().map(cell).max().unwrap_or(0).max(least);
    let types = wide(|key| key.type_name.len(), 4);
    let databases = wide(|key| key.db.to_string().len(), 2);
    let sizes = wide(|key| key.size.to_string().len(), 4);
    let shards = wide(|key| key.shard.as_ref().map_or(0, String::len), 5);
    _ = write!(text, "\n{:types$}  {:>databases$}  {:>sizes$}  UNIT   ", "TYPE", "DB", "SIZE");
    if has_shards {
        _ = write!(text, "{:shards$}  ", "SHARD");
    }
    text.push_str("NAME\n");
    for KeyRecord { name, type_name, shard, db, size, unit, .. } in keys {
        _ = write!(text, "{type_name:types$}  {db:>databases$}  {size:>sizes$}  {unit:5}  ");
        if has_shards {
            _ = write!(text, "{:shards$}  ", shard.as_deref().unwrap_or_default());
        }
        text.push_str(&plain(name));
        text.push('\n');
    }
    text
}

/// `2020-06-15 02:21:18`, in UTC.
fn moment(at: Timestamp) -> String {
    at.strftime("%Y-%m-%d %H:%M:%S").to_string()
}

/// Text without what a terminal would obey.
pub(super) fn plain(text: &str) -> String {
    Visible(text.as_bytes()).to_string()
}

#[cfg(test)]
mod tests {
    use bigkeys::task::{ScanType, Status};

    use super::*;

    #[test]
    fn a_task_for_people() {
        let at: Timestamp = "2020-06-15T02:21:18.669Z".parse().unwrap();
        let key = |name: &str, size, shard: Option<&str>| KeyRecord {
            name: name.to_owned(),
            name_base64: None,
            type_name: "string".to_owned(),
            shard: shard.map(str::to_owned),
            db: 0,
            size,
            unit: "byte",
            freq: None,
        };
        let ended = Task {
            id: "858ee14c-2271-4489-8b82-7bda7459ae3e".to_owned(),
            instance_id: "cache\u{1b}[31m".to_owned(),
            status: Status::Success,
            scan_type: ScanType::Auto,
            created_at: at,
            started_at: Some(at),
            finished_at: None,
            num: 2,
            keys: Some(vec![key("a\nb", 12_345, Some("10.0.0.1:6379")), key("c", 7, None)]),
        };
        let expected = "\
task      858ee14c-2271-4489-8b82-7bda7459ae3e
instance  cache\\u{1b}[31m
status    success
scan      auto
created   2020-06-15 02:21:18
started   2020-06-15 02:21:18
keys      2

TYPE    DB   SIZE  UNIT   SHARD          NAME
string   0  12345  byte   10.0.0.1:6379  a\\nb
string   0      7  byte                  c
";
        assert_eq!(task(&ended), expected);
    }
}
