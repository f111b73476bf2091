//! Which dumps are read.

use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use bigkeys::Dump;
use clap::builder::{OsStringValueParser, TypedValueParser, ValueHint};
use clap::{Args, value_parser};

use super::value::shard;

/// Dumps, for commands that do not tell the shards of a cluster apart.
#[derive(Debug, Args)]
pub(crate) struct DumpArgs {
    /// A dump; `-` is standard input
    #[arg(required = true, value_name = "DUMP", value_parser = dump_path(), value_hint = ValueHint::FilePath)]
    pub(crate) dumps: Vec<PathBuf>,

    #[command(flatten)]
    pub(crate) payload: PayloadArgs,
}

impl DumpArgs {
    /// The dumps that were named.
    pub(crate) fn dumps(&self) -> Vec<Dump> {
        let dump = |path| Dump { payload_key: self.payload.key(), ..Dump::from(path) };
        self.dumps.iter().map(dump).collect()
    }
}

/// Dumps, each of which may be a shard of a cluster.
#[derive(Debug, Args)]
pub(crate) struct ShardedDumpArgs {
    /// A dump; `-` is standard input, `ip:port=PATH` a dump and the shard it came from
    #[arg(required = true, value_name = "DUMP", value_parser = dump_path(), value_hint = ValueHint::FilePath)]
    pub(crate) dumps: Vec<PathBuf>,

    #[command(flatten)]
    pub(crate) payload: PayloadArgs,

    /// The shard of each dump, in their order, instead of `ip:port=PATH`
    #[arg(long = "shard", value_name = "IP:PORT", value_parser = shard, help_heading = "Input")]
    pub(crate) shards: Vec<String>,
}

impl ShardedDumpArgs {
    /// The dumps that were named, with their shards.
    ///
    /// # Errors
    /// A sentence if `--shard` does not fit the dumps.
    pub(crate) fn dumps(&self) -> Result<Vec<Dump>, String> {
        let sharded = |path: &PathBuf| Dump { payload_key: self.payload.key(), ..dump(path) };
        let mut dumps: Vec<Dump> = self.dumps.iter().map(sharded).collect();
        if self.shards.is_empty() {
            return Ok(dumps);
        }
        if self.shards.len() != dumps.len() {
            let (shards, dumps) = (times(self.shards.len()), count(dumps.len(), "dump"));
            return Err(format!("--shard is given {shards} for {dumps}; give it once for each dump"));
        }
        for (dump, shard) in dumps.iter_mut().zip(&self.shards) {
            if dump.shard.replace(shard.clone()).is_some() {
                let path = dump.path.display();
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

/// Whether an argument is a URL rather than a path.
pub(crate) fn is_url(argument: &OsStr) -> bool {
    let scheme = argument.to_str().and_then(|text| text.split_once("://")).map(|(scheme, _)| scheme);
    scheme.is_some_and(|scheme| !scheme.is_empty() && scheme.bytes().all(|byte| byte.is_ascii_alphanumeric()))
}

/// A path of a dump. URLs are refused with the command that fetches one.
pub(crate) fn dump_path() -> impl TypedValueParser<Value = PathBuf> {
    OsStringValueParser::new().try_map(|argument| {
        let path = PathBuf::from(&argument);
        if !is_url(&argument) || path.exists() {
            return Ok(path);
        }
        let url = argument.to_string_lossy();
        let fetch = match url.split_once("://") {
            Some(("s3", _)) => format!("aws s3 cp {url} - | bigkeys report -"),
            Some(("gs", _)) => format!("gcloud storage cat {url} | bigkeys report -"),
            Some(("file", path)) => return Err(format!("give the path without file://: {path}")),
            Some(("redis" | "rediss" | "valkey" | "unix", _)) => {
                return Err(format!("bigkeys reads dumps, not servers; try: redis-cli -u {url} --rdb dump.rdb"));
            }
            _ => format!("curl -L {url} | bigkeys report -"),
        };
        Err(format!("bigkeys does not read URLs; try: {fetch}"))
    })
}

/// `once`, `2 times`.
pub(crate) fn times(number: usize) -> String {
    if number == 1 { "once".to_owned() } else { format!("{number} times") }
}

/// `1 dump`, `2 dumps`.
pub(crate) fn count(number: usize, noun: &str) -> String {
    if number == 1 { format!("1 {noun}") } else { format!("{number} {noun}s") }
}
