//! Which dumps are read.

use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use bigkeys::Dump;
use bigkeys::input::{is_url, matches, shown};
use clap::builder::{OsStringValueParser, TypedValueParser, ValueHint};
use clap::{Args, value_parser};

use super::value::shard;

/// Dumps, for commands that do not tell the shards of a cluster apart.
#[derive(Debug, Args)]
pub(crate) struct DumpArgs {
    /// A dump, in a file or at a URL; `-` is standard input
    #[arg(required = true, value_name = "DUMP", value_parser = dump_path(), value_hint = ValueHint::FilePath)]
    pub(crate) dumps: Vec<PathBuf>,

    #[command(flatten)]
    pub(crate) payload: PayloadArgs,
}

impl DumpArgs {
    /// The dumps that were named, those that patterns match included.
    ///
    /// # Errors
    /// A sentence if a pattern matches nothing.
    pub(crate) fn dumps(&self) -> Result<Vec<Dump>, String> {
        let dump = |path| Dump { payload_key: self.payload.key(), ..Dump::from(path) };
        Ok(all_matches(&self.dumps)?.into_iter().map(dump).collect())
    }
}

/// Dumps, each of which may be a shard of a cluster.
#[derive(Debug, Args)]
pub(crate) struct ShardedDumpArgs {
    /// A dump, in a file or at a URL; `-` is standard input, `ip:port=PATH` a dump and the shard it came from
    #[arg(required = true, value_name = "DUMP", value_parser = dump_path(), value_hint = ValueHint::FilePath)]
    pub(crate) dumps: Vec<PathBuf>,

    #[command(flatten)]
    pub(crate) payload: PayloadArgs,

    /// The shard of each dump, in their order, instead of `ip:port=PATH`
    #[arg(long = "shard", value_name = "IP:PORT", value_parser = shard, help_heading = "Input")]
    pub(crate) shards: Vec<String>,
}

impl ShardedDumpArgs {
    /// The dumps that were named, with their shards; those that patterns match included.
    ///
    /// # Errors
    /// A sentence if `--shard` does not fit the dumps, or a pattern matches nothing.
    pub(crate) fn dumps(&self) -> Result<Vec<Dump>, String> {
        let mut dumps = Vec::new();
        for argument in &self.dumps {
            let named = Dump { payload_key: self.payload.key(), ..dump(argument) };
            let paths = matches(&named.path).map_err(|error| error.to_string())?;
            dumps.extend(paths.into_iter().map(|path| Dump { path, ..named.clone() }));
        }
        if self.shards.is_empty() {
            return Ok(dumps);
        }
        if self.shards.len() != dumps.len() {
            let (shards, dumps) = (times(self.shards.len()), count(dumps.len(), "dump"));
            return Err(format!("--shard is given {shards} for {dumps}; give it once for each dump"));
        }
        for (dump, shard) in dumps.iter_mut().zip(&self.shards) {
            if dump.shard.replace(shard.clone()).is_some() {
                let path = shown(&dump.path);
                return Err(format!("{path}: the shard is given twice, in --shard and before the path"));
            }
        }
        Ok(dumps)
    }
}

#[derive(Debug, Args)]
pub(crate) struct PayloadArgs {
    /// Each file is not a dump but the answer of DUMP KEY, as `redis-cli --raw` stores it
    #[arg(long, value_name = "KEY", value_parser = value_parser!(OsString), help_heading = "Input")]
    pub(crate) payload: Option<OsString>,
}

impl PayloadArgs {
    /// The name of the key, which may be any bytes.
    pub(crate) fn key(&self) -> Option<Vec<u8>> {
        self.payload.as_ref().map(|key| key.as_bytes().to_vec())
    }
}

/// `ip:port=PATH`, or a path alone. A file whose name looks like the former is a path.
pub(crate) fn dump(argument: &Path) -> Dump {
    let bytes = argument.as_os_str().as_bytes();
    let split = bytes.iter().position(|byte| *byte == b'=').and_then(|at| bytes.split_at_checked(at));
    let (Some((before, after)), false) = (split, argument.exists()) else { return Dump::from(argument) };
    let path = after.get(1..).unwrap_or_default();
    match std::str::from_utf8(before).map(shard) {
        Ok(Ok(shard)) => Dump { shard: Some(shard), ..Dump::from(OsStr::from_bytes(path)) },
        _ => Dump::from(argument),
    }
}

/// What paths match: each itself, but for patterns over a bucket.
///
/// # Errors
/// A sentence if a pattern matches nothing.
pub(crate) fn all_matches(paths: &[PathBuf]) -> Result<Vec<PathBuf>, String> {
    let matched: Result<Vec<Vec<PathBuf>>, _> = paths.iter().map(|path| matches(path)).collect();
    Ok(matched.map_err(|error| error.to_string())?.concat())
}

/// The one path that a path names, which may be a pattern over a bucket.
///
/// # Errors
/// A sentence if it matches nothing, or more than one.
pub(crate) fn one_match(path: &Path) -> Result<PathBuf, String> {
    let mut matched = matches(path).map_err(|error| error.to_string())?;
    match (matched.pop(), matched.len()) {
        (Some(one), 0) => Ok(one),
        (_, more) => Err(format!("{}: {} match; name one", shown(path), count(more + 1, "object"))),
    }
}

/// The path or URL of a dump. What is a URL of something else is refused with what to do.
pub(crate) fn dump_path() -> impl TypedValueParser<Value = PathBuf> {
    OsStringValueParser::new().try_map(|argument| {
        let path = PathBuf::from(&argument);
        if !is_url(&path) {
            return Ok(path);
        }
        let url = shown(&path);
        match url.split_once("://") {
            Some(("s3" | "s3a" | "gs" | "az" | "abfs" | "abfss" | "http" | "https", _)) if cfg!(feature = "cloud") => {
                Ok(path)
            }
            Some(("file", path)) => Err(format!("give the path without file://: {path}")),
            Some(("redis" | "rediss" | "valkey" | "unix", _)) => {
                Err(format!("bigkeys reads dumps, not servers; try: redis-cli -u {url} --rdb dump.rdb"))
            }
            Some(("s3" | "s3a", _)) => Err(not_built(&format!("aws s3 cp {url} -"))),
            Some(("gs", _)) => Err(not_built(&format!("gcloud storage cat {url}"))),
            Some(("http" | "https", _)) => Err(not_built(&format!("curl -L {url}"))),
            _ => Err("URLs of these schemes are read: s3, gs, az, abfss, https and http".to_owned()),
        }
    })
}

fn not_built(fetch: &str) -> String {
    format!("this build of bigkeys does not read URLs (feature cloud); try: {fetch} | bigkeys report -")
}

/// `once`, `2 times`.
pub(crate) fn times(number: usize) -> String {
    if number == 1 { "once".to_owned() } else { format!("{number} times") }
}

/// `1 dump`, `2 dumps`.
pub(crate) fn count(number: usize, noun: &str) -> String {
    if number == 1 { format!("1 {noun}") } else { format!("{number} {noun}s") }
}
