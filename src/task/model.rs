//! A task and its keys. Fields are in the published order; one that has no value yet is left out, never null.

use jiff::Timestamp;
use serde::{Serialize, Serializer};

use crate::analysis::{BigKey, Report};
use crate::error::name_text;

/// A big key analysis task.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Task {
    /// The task's UUID.
    pub id: String,
    /// The UUID of the instance that was analyzed.
    pub instance_id: String,
    /// How far the task is.
    pub status: Status,
    /// Who asked for it.
    pub scan_type: ScanType,
    /// When it was created.
    #[serde(serialize_with = "milliseconds")]
    pub created_at: Timestamp,
    /// When it was started.
    #[serde(serialize_with = "milliseconds_of", skip_serializing_if = "Option::is_none")]
    pub started_at: Option<Timestamp>,
    /// When it ended.
    #[serde(serialize_with = "milliseconds_of", skip_serializing_if = "Option::is_none")]
    pub finished_at: Option<Timestamp>,
    /// How many keys follow.
    pub num: usize,
    /// The big keys; none before the task has ended.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub keys: Option<Vec<KeyRecord>>,
}

/// How far a task is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Status {
    /// It was created, and no one has begun to work on it.
    Waiting,
    /// Its dumps are being read.
    Running,
    /// Every dump was read to its end and found sound.
    Success,
    /// A dump is damaged or could not be read; the keys found before that are in the task.
    Failed,
}

/// Who asked for a task.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum ScanType {
    /// A person or a program, at the moment of its creation.
    Manual,
    /// The instance's schedule.
    Auto,
}

/// A big key.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct KeyRecord {
    /// The name; where it is not UTF-8, each offending byte is written as `\xff`. One that is too long to be held is cut, and
    /// its length and the offset of its record follow.
    pub name: String,
    /// The name without loss, where it is not UTF-8.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name_base64: Option<String>,
    /// The type, as `TYPE` names it.
    #[serde(rename = "type")]
    pub type_name: String,
    /// `ip:port` of the shard, for keys of a cluster.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub shard: Option<String>,
    /// The database.
    pub db: u64,
    /// Bytes of a string, elements of a collection.
    pub size: u64,
    /// `byte` or `count`.
    pub unit: &'static str,
    /// In a hot key analysis the access counter of the server's LFU policy, which grows with the logarithm of use.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub freq: Option<u8>,
}

impl Task {
    /// A task that has ended with this report.
    pub fn ended(id: String, instance_id: String, times: Times, report: Report) -> Self {
        let status = if report.is_complete() { Status::Success } else { Status::Failed };
        Self {
            id,
            instance_id,
            status,
            scan_type: ScanType::Manual,
            created_at: times.created_at,
            started_at: Some(times.started_at),
            finished_at: Some(times.finished_at),
            num: report.keys.len(),
            keys: Some(report.keys.into_iter().map(KeyRecord::from).collect()),
        }
    }
}

impl Status {
    /// All states, in the order in which a task passes through them.
    pub const ALL: [Self; 4] = [Self::Waiting, Self::Running, Self::Success, Self::Failed];

    /// The state's name in the task's JSON.
    pub fn name(self) -> &'static str {
        match self {
            Self::Waiting => "waiting",
            Self::Running => "running",
            Self::Success => "success",
            Self::Failed => "failed",
        }
    }
}

impl ScanType {
    /// Both of them.
    pub const ALL: [Self; 2] = [Self::Manual, Self::Auto];

    /// The name in the task's JSON.
    pub fn name(self) -> &'static str {
        match self {
            Self::Manual => "manual",
            Self::Auto => "auto",
        }
    }
}

/// The moments of a task's life.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Times {
    /// When it was created.
    pub created_at: Timestamp,
    /// When it was started.
    pub started_at: Timestamp,
    /// When it ended.
    pub finished_at: Timestamp,
}

impl From<BigKey> for KeyRecord {
    fn from(key: BigKey) -> Self {
        let type_name = key.type_name();
        let unit = key.unit().name();
        let cut = key.has_cut_name().then(|| format!("... ({} bytes, at byte {})", key.name_bytes, key.offset));
        let (mut name, name_base64) = name_text(key.name);
        name.extend(cut);
        Self { name, name_base64, type_name, shard: key.shard, db: key.db, size: key.size, unit, freq: None }
    }
}

/// `2020-06-15T02:21:18.669Z`: UTC, always three fraction digits.
pub(super) fn milliseconds<S: Serializer>(time: &Timestamp, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_str(&format_args!("{time:.3}"))
}

/// As [`milliseconds`]; for a moment that has not come yet the field is left out, never null.
#[allow(clippy::ref_option, reason = "serde hands out a reference to the field")]
pub(super) fn milliseconds_of<S: Serializer>(time: &Option<Timestamp>, serializer: S) -> Result<S::Ok, S::Error> {
    match time {
        Some(time) => milliseconds(time, serializer),
        None => serializer.serialize_none(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rdb::Kind;

    #[test]
    fn the_json_is_the_published_one() {
        let key = |name: &[u8], shard: Option<&str>| BigKey {
            name: name.to_vec(),
            name_bytes: name.len() as u64,
            kind: Kind::String,
            module: None,
            shard: shard.map(str::to_owned),
            db: 0,
            size: 3000,
            offset: 0,
        };
        let at: Timestamp = "2020-06-15T02:21:18.669Z".parse().unwrap();
        let times = Times { created_at: at, started_at: at, finished_at: "2020-06-15T02:21:25Z".parse().unwrap() };
        let keys = vec![key(b"dcs-bigkey-test", Some("192.168.1.134:6379")), key(b"a\xff\"", None)];
        let report = Report { keys, ..Report::default() };
        let task = Task::ended("858ee14c".to_owned(), "5f9057b5".to_owned(), times, report);
        assert_eq!(
            serde_json::to_string(&task).unwrap(),
            r#"{"id":"858ee14c","instance_id":"5f9057b5","status":"success","scan_type":"manual","#.to_owned()
                + r#""created_at":"2020-06-15T02:21:18.669Z","started_at":"2020-06-15T02:21:18.669Z","#
                + r#""finished_at":"2020-06-15T02:21:25.000Z","num":2,"keys":["#
                + r#"{"name":"dcs-bigkey-test","type":"string","shard":"192.168.1.134:6379","db":0,"size":3000,"unit":"byte"},"#
                + r#"{"name":"a\\xff\"","name_base64":"Yf8i","type":"string","db":0,"size":3000,"unit":"byte"}]}"#
        );
    }
}
