//! What an operator should know of a configuration before it serves: the dumps that it finds, and what looks like a mistake.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use super::config::Config;
use super::config_credentials::is_weak;

/// The newest dump of a node of an instance, or why there is none.
#[derive(Clone, Debug)]
pub struct NodeDump {
    /// The instance's ID.
    pub instance_id: String,
    /// The instance's name.
    pub name: String,
    /// The node's `ip:port`; none for the only node of an instance.
    pub shard: Option<String>,
    /// The newest dump and when it was written, or why there is none.
    pub dump: Result<(PathBuf, SystemTime), String>,
    /// What was passed over while it was looked for, one sentence each.
    pub skipped: Vec<String>,
}

impl Config {
    /// The newest dump of each node, by instance.
    pub fn dumps(&self) -> Vec<NodeDump> {
        let nodes = self.instances.iter().flat_map(|(id, instance)| {
            instance.shards.iter().map(move |shard| (id.clone(), instance.name.clone(), shard))
        });
        nodes
            .map(|(instance_id, name, shard)| {
                let (dump, skipped) = match shard.backups.newest(None) {
                    Ok(found) => (Ok((found.path, found.modified_at)), found.skipped),
                    Err(reason) => (Err(reason.to_string()), Vec::new()),
                };
                NodeDump { instance_id, name, shard: shard.address.clone(), dump, skipped }
            })
            .collect()
    }

    /// What looks like a mistake, one sentence each; `dumps` are those of [`Config::dumps`].
    pub fn warnings(&self, dumps: &[NodeDump]) -> Vec<String> {
        let mut warnings = Vec::new();
        if self.is_open() {
            warnings.push("no project has access keys or tokens: anyone on this machine may ask".to_owned());
        }
        warnings.extend(self.credentials.warnings.iter().cloned());
        if self.webhook.as_ref().is_some_and(|webhook| is_weak(&webhook.secret)) {
            warnings.push("the webhook's secret is the example's".to_owned());
        }
        let key = self.tls.as_ref().map(|tls| tls.key.as_path());
        let secret = Some(self.path.as_path()).filter(|_| !self.is_open() || self.webhook.is_some());
        for path in [secret, self.credentials_path.as_deref(), key].into_iter().flatten() {
            if is_for_all_eyes(path) {
                warnings.push(format!("{}: every user of this machine can read the secrets in it", path.display()));
            }
        }
        for NodeDump { instance_id, shard, dump, skipped, .. } in dumps {
            let node = shard.as_ref().map_or(String::new(), |shard| format!(", shard {shard}"));
            if let Err(reason) = dump {
                warnings.push(format!("instance {instance_id}{node} has no dump: {reason}"));
            }
            for skipped in skipped {
                warnings.push(format!("instance {instance_id}{node}: passed over {skipped}"));
            }
        }
        warnings
    }
}

fn is_for_all_eyes(path: &Path) -> bool {
    fs::metadata(path).is_ok_and(|metadata| metadata.permissions().mode() & 0o004 != 0)
}
