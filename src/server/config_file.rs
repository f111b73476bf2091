//! The configuration file of the service: TOML in, a checked [`Config`] out, or the lines and columns of the mistakes.

use std::collections::{BTreeMap, HashSet};
use std::fs;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use serde::Deserialize;
use toml::Spanned;

use super::auth::Credentials;
use super::backups::{Backups, Pattern};
use super::config::{Analysis, Config, Instance, Limits, Log, Shard, Tls, is_id};
use super::config_credentials::{self, AccessKeyEntry, TokenEntry};
use super::config_instance::{self, Keep, KeysEntry};
use super::config_source::{ConfigError, ConfigErrors, Source};
use super::webhook::Webhook;
use crate::input;

/// A body is held in memory: 64 MiB.
const BODY_BYTES_MAX: u64 = 64 << 20;

/// Where the service listens if nobody says otherwise.
const LISTEN: SocketAddr = SocketAddr::new(std::net::IpAddr::V4(std::net::Ipv4Addr::LOCALHOST), 8080);

/// The file, as it is written.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    listen: Option<Spanned<String>>,
    store: Option<PathBuf>,
    root: Option<Spanned<PathBuf>>,
    credentials: Option<Spanned<PathBuf>>,
    tls: Option<Tls>,
    #[serde(default)]
    log: Log,
    analysis: Option<Spanned<Analysis>>,
    limits: Option<Spanned<Limits>>,
    webhook: Option<Spanned<WebhookEntry>>,
    #[serde(default)]
    project: Vec<ProjectEntry>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct WebhookEntry {
    url: String,
    secret: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ProjectEntry {
    id: Spanned<String>,
    #[serde(default)]
    access_key: Vec<AccessKeyEntry>,
    #[serde(default)]
    token: Vec<Spanned<TokenEntry>>,
    #[serde(default)]
    instance: Vec<InstanceEntry>,
}

#[derive(Clone, Copy, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "lowercase")]
enum InstanceType {
    Single,
    Cluster,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct InstanceEntry {
    id: Spanned<String>,
    name: String,
    #[serde(rename = "type")]
    instance_type: InstanceType,
    dumps: Option<Spanned<String>>,
    #[serde(default)]
    analyze_new_dumps: bool,
    keys: Option<Spanned<KeysEntry>>,
    keep: Option<Spanned<Keep>>,
    #[serde(default)]
    shard: Vec<ShardEntry>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ShardEntry {
    address: Spanned<String>,
    dumps: Spanned<String>,
}

impl Config {
    /// Reads a configuration. Relative paths in it are relative to its own folder; those of dumps to `root`.
    ///
    /// # Errors
    /// All mistakes, with their lines and columns.
    pub fn read(path: &Path) -> Result<Self, ConfigErrors> {
        let source = Source::read(path)?;
        let file: File = source.parse()?;
        let folder = path.parent().unwrap_or(Path::new(""));
        let root = file.root.as_ref().map(|root| {
            let path = fs::canonicalize(folder.join(root.get_ref()));
            let path = path.and_then(|path| fs::read_dir(&path).map(|_| path));
            path.map_err(|error| source.error(root, format!("could not open this folder: {error}")))
        });
        let root = root.transpose()?;

        let mut mistakes = Vec::new();
        let mut reading = Reading { source: &source, root, projects: HashSet::new(), instances: BTreeMap::new() };
        let mut credentials = Credentials::default();
        for project in &file.project {
            reading.project(project, &mut mistakes);
            let ProjectEntry { id, access_key, token, .. } = project;
            config_credentials::add(&source, id.get_ref(), access_key, token, &mut credentials, &mut mistakes);
        }
        if let Some(path) = &file.credentials {
            let path = folder.join(path.get_ref());
            config_credentials::add_file(&path, &reading.projects, &mut credentials, &mut mistakes);
        }
        let is_open = credentials.is_empty();
        for project in file.project.iter().filter(|p| !is_open && !credentials.has_project(p.id.get_ref())) {
            let what =
                "this project has neither access keys nor tokens, so nobody could use it: other projects have some";
            mistakes.push(source.error(&project.id, what));
        }
        let listen = file.listen.as_ref().map_or(Ok(LISTEN), |listen| {
            let parsed = listen.get_ref().parse();
            parsed.map_err(|_| source.error(listen, "not an address with a port, such as 127.0.0.1:8080 or [::1]:8080"))
        });
        let analysis = file.analysis.map_or(Ok(Analysis::default()), |analysis| checked_analysis(&source, &analysis));
        let limits = file.limits.map_or(Ok(Limits::default()), |limits| checked_limits(&source, &limits));
        let webhook = file.webhook.as_ref().and_then(|entry| {
            let WebhookEntry { url, secret } = entry.get_ref();
            good(Webhook::new(url, secret).map_err(|message| source.error(entry, message)), &mut mistakes)
        });
        let in_folder = |path: PathBuf| folder.join(path);
        let config = Self {
            path: path.to_owned(),
            listen: good(listen, &mut mistakes).unwrap_or(LISTEN),
            store: file.store.map(in_folder),
            tls: file
                .tls
                .map(|Tls { certificate, key }| Tls { certificate: in_folder(certificate), key: in_folder(key) }),
            credentials_path: file.credentials.map(|path| in_folder(path.into_inner())),
            log: file.log,
            analysis: good(analysis, &mut mistakes).unwrap_or_default(),
            limits: good(limits, &mut mistakes).unwrap_or_default(),
            webhook,
            instances: reading.instances,
            credentials,
        };
        if let (Err(message), Some(listen)) = (config.check_listen(), &file.listen) {
            mistakes.push(source.error(listen, message));
        }
        if mistakes.is_empty() { Ok(config) } else { Err(ConfigErrors(mistakes)) }
    }
}

/// What was read, or nothing and one mistake more.
fn good<T>(read: Result<T, ConfigError>, mistakes: &mut Vec<ConfigError>) -> Option<T> {
    read.map_err(|mistake| mistakes.push(mistake)).ok()
}

/// What has been read of the projects.
struct Reading<'s> {
    source: &'s Source,
    root: Option<PathBuf>,
    projects: HashSet<String>,
    instances: BTreeMap<String, Instance>,
}

impl Reading<'_> {
    fn project(&mut self, project: &ProjectEntry, mistakes: &mut Vec<ConfigError>) {
        good(self.check_id(&project.id), mistakes);
        if !self.projects.insert(project.id.get_ref().clone()) {
            mistakes.push(self.source.error(&project.id, "another project has this ID"));
        }
        for instance in &project.instance {
            good(self.check_id(&instance.id), mistakes);
            let Some(read) = good(self.instance(project.id.get_ref(), instance), mistakes) else { continue };
            if self.instances.insert(instance.id.get_ref().clone(), read).is_some() {
                mistakes.push(self.source.error(&instance.id, "another instance has this ID"));
            }
        }
    }

    fn check_id(&self, id: &Spanned<String>) -> Result<(), ConfigError> {
        if is_id(id.get_ref()) {
            return Ok(());
        }
        Err(self.source.error(id, "an ID has 1 to 64 letters, digits, hyphens and underscores"))
    }

    fn instance(&self, project_id: &str, instance: &InstanceEntry) -> Result<Instance, ConfigError> {
        let InstanceEntry { id, name, instance_type, dumps, analyze_new_dumps, keys, keep, shard: entries } = instance;
        let shards = match (instance_type, dumps, entries.as_slice()) {
            (InstanceType::Single, Some(dumps), []) => {
                vec![Shard { address: None, backups: self.backups(dumps)? }]
            }
            (InstanceType::Single, _, _) => {
                return Err(self.source.error(id, "a single instance has `dumps` and no shards"));
            }
            (InstanceType::Cluster, None, [_, ..]) => self.shards(entries)?,
            (InstanceType::Cluster, _, _) => {
                return Err(self.source.error(id, "a cluster has its `dumps` in its shards, at least one"));
            }
        };
        Ok(Instance {
            project_id: project_id.to_owned(),
            name: name.clone(),
            shards,
            question: keys.as_ref().map(|keys| config_instance::question(self.source, keys)).transpose()?,
            keep: keep.as_ref().map_or(Ok(Keep::default()), |keep| config_instance::keep(self.source, keep))?,
            analyzes_new_dumps: *analyze_new_dumps,
        })
    }

    fn shards(&self, entries: &[ShardEntry]) -> Result<Vec<Shard>, ConfigError> {
        let mut addresses = HashSet::new();
        let mut shards = Vec::new();
        for ShardEntry { address, dumps } in entries {
            let has_port = address.get_ref().rsplit_once(':').is_some_and(|(host, port)| {
                !host.is_empty() && !host.contains('/') && port.parse::<u16>().is_ok_and(|port| port > 0)
            });
            if !has_port {
                return Err(self.source.error(address, "not an ip:port, such as 10.0.0.1:6379"));
            }
            if !addresses.insert(address.get_ref()) {
                return Err(self.source.error(address, "another shard of this cluster has this address"));
            }
            shards.push(Shard { address: Some(address.get_ref().clone()), backups: self.backups(dumps)? });
        }
        Ok(shards)
    }

    fn backups(&self, dumps: &Spanned<String>) -> Result<Backups, ConfigError> {
        let text = dumps.get_ref();
        if input::is_url(text) {
            input::check_url(text).map_err(|error| self.source.error(dumps, error.to_string()))?;
            return Ok(Backups::Url(text.clone()));
        }
        let Some(root) = &self.root else {
            return Err(self
                .source
                .error(dumps, "there is no `root`, the folder that dumps are below unless they are URLs"));
        };
        let pattern = Pattern::new(root, text).map_err(|message| self.source.error(dumps, message))?;
        Ok(Backups::Files(root.clone(), pattern))
    }
}

fn checked_analysis(source: &Source, analysis: &Spanned<Analysis>) -> Result<Analysis, ConfigError> {
    let Analysis { workers, threads } = *analysis.get_ref();
    if workers == 0 || workers > 64 || threads > 1024 {
        return Err(source.error(analysis, "`workers` is 1 to 64 and `threads` 0 to 1024"));
    }
    Ok(*analysis.get_ref())
}

fn checked_limits(source: &Source, limits: &Spanned<Limits>) -> Result<Limits, ConfigError> {
    let Limits {
        body_bytes,
        header_bytes,
        request_seconds,
        idle_seconds,
        requests_at_once,
        connections_at_once,
        connections_per_address,
        failed_logins_per_minute,
    } = *limits.get_ref();
    let count = |count: usize| u64::try_from(count).unwrap_or(u64::MAX);
    for (name, value, least, most) in [
        ("body_bytes", count(body_bytes), 1, BODY_BYTES_MAX),
        // The least is what the HTTP library reads heads into.
        ("header_bytes", count(header_bytes), 8192, 1 << 20),
        ("request_seconds", request_seconds, 1, 3600),
        ("idle_seconds", idle_seconds, 1, 3600),
        ("requests_at_once", count(requests_at_once), 1, 65_536),
        ("connections_at_once", count(connections_at_once), 1, 65_536),
        ("connections_per_address", count(connections_per_address), 1, 65_536),
        ("failed_logins_per_minute", failed_logins_per_minute.into(), 1, 1_000_000),
    ] {
        if !(least..=most).contains(&value) {
            return Err(source.error(limits, format!("`{name}` is {least} to {most}")));
        }
    }
    Ok(*limits.get_ref())
}

#[cfg(test)]
mod tests {
    use super::*;

    const GOOD: &str = r#"root = "."
[[project]]
id = "p"
[[project.access_key]]
id = "AK"
secret = "SK"
[[project.instance]]
id = "i"
name = "one"
type = "single"
dumps = "*.rdb"
"#;

    #[cfg(feature = "cloud")]
    const URL_MISTAKE: &str =
        "line 11, column 9: ftp://h/a.rdb: could not use this URL: URLs of these schemes are read: s3, gs, az";
    #[cfg(not(feature = "cloud"))]
    const URL_MISTAKE: &str =
        "line 11, column 9: ftp://h/a.rdb: could not use this URL: this build of the program does not read URLs";

    fn read(text: &str) -> Result<Config, String> {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("c.toml");
        fs::write(&path, text).unwrap();
        Config::read(&path).map_err(|error| {
            let text = error.to_string();
            text.split_once("c.toml: ").map_or(text.clone(), |(_, sentence)| sentence.to_owned())
        })
    }

    #[test]
    fn the_example_is_good_and_shows_the_defaults() {
        let config = Config::read(&Path::new(env!("CARGO_MANIFEST_DIR")).join("bigkeys.example.toml")).unwrap();
        assert_eq!((config.listen, config.instances.len()), (LISTEN, 2));
        assert_eq!(config.instances["5f9057b5-c330-4ee2-8138-7e69896eeec3"].shards.len(), 2);
        assert_eq!(format!("{:?}", config.limits), format!("{:?}", Limits::default()));
        assert_eq!(format!("{:?}", config.analysis), format!("{:?}", Analysis::default()));
        assert_eq!(format!("{:?}", config.log), format!("{:?}", Log::default()));
        for shard in config.instances.values().flat_map(|instance| &instance.shards) {
            shard.backups.newest(None).unwrap();
        }
    }

    #[test]
    fn mistakes_have_a_line_and_a_column() {
        assert!(read(GOOD).is_ok());
        let cluster = |shards: &str| GOOD.replace("\"single\"\ndumps = \"*.rdb\"", &format!("\"cluster\"\n{shards}"));
        let shard = "[[project.instance.shard]]\naddress = \"h:1\"\ndumps = \"a\"\n";
        assert!(read(&cluster(shard)).is_ok());
        for (text, mistake) in [
            ("root = ".to_owned(), "line 1, column 8: "),
            (GOOD.replace("root = \".\"", ""), "line 11, column 9: there is no `root`"),
            (GOOD.replace("*.rdb", "ftp://h/a.rdb"), URL_MISTAKE),
            (
                GOOD.replace("root = \".\"", "root = \"nowhere\""),
                "line 1, column 8: could not open this folder: No such",
            ),
            (format!("wrong = 1\n{GOOD}"), "line 1, column 1: unknown field `wrong`"),
            (format!("listen = \"here\"\n{GOOD}"), "line 1, column 10: not an address with a port"),
            (format!("store = 3\n{GOOD}"), "line 1, column 9: invalid type"),
            (format!("{GOOD}port = 1\n"), "line 12, column 1: unknown field `port`"),
            (GOOD.replace("\"p\"", "\"p q\""), "line 3, column 6: an ID has 1 to 64"),
            (GOOD.replace("\"i\"", "\"\""), "line 8, column 6: an ID has 1 to 64"),
            (GOOD.replace("\"AK\"", "\"A,K\""), "line 5, column 6: an access key's ID"),
            (GOOD.replace("\"SK\"", "\"\""), "line 6, column 10: an empty secret"),
            (GOOD.replace("\"single\"", "\"many\""), "line 10, column 8: unknown variant `many`"),
            (GOOD.replace("\"*.rdb\"", "\"../a\""), "line 11, column 9: dumps are below the root"),
            (GOOD.replace("\"*.rdb\"", "\"a/[\""), "line 11, column 9: not a glob"),
            (GOOD.replace("dumps = \"*.rdb\"", ""), "line 8, column 6: a single instance has `dumps`"),
            (GOOD.replace("\"single\"", "\"cluster\""), "line 8, column 6: a cluster has its `dumps` in its shards"),
            (cluster(&shard.replace("h:1", "h")), "line 12, column 11: not an ip:port"),
            (cluster(&shard.repeat(2)), "line 15, column 11: another shard of this cluster has this address"),
            (format!("{GOOD}[[project]]\nid = \"p\"\n"), "line 13, column 6: another project has this ID"),
            (format!("{GOOD}[[project]]\nid = \"q\"\n"), "line 13, column 6: this project has neither access keys nor"),
            (
                format!("{GOOD}[[project.instance]]\nid = \"i\"\nname = \"\"\ntype = \"single\"\ndumps = \"a\"\n"),
                "line 13, column 6: another instance has this ID",
            ),
            (
                format!("{GOOD}[[project.access_key]]\nid = \"AK\"\nsecret = \"x\"\n"),
                "line 13, column 6: this access key is",
            ),
            (
                format!("{GOOD}[[project.token]]\ntoken = \"t\"\nexpires_at = \"soon\"\n"),
                "line 14, column 14: not a time",
            ),
            (format!("{GOOD}[limits]\nbody_bytes = 0\n"), "line 12, column 1: `body_bytes` is 1 to"),
            (format!("{GOOD}[limits]\nheader_bytes = 1\n"), "line 12, column 1: `header_bytes` is 8192 to"),
            (
                format!("{GOOD}[limits]\nrequests_at_once = 2305843009213693952\n"),
                "line 12, column 1: `requests_at_once` is 1 to",
            ),
            (
                format!("{GOOD}[limits]\nrequest_seconds = 9223372036854775807\n"),
                "line 12, column 1: `request_seconds` is 1 to",
            ),
            (
                format!("{GOOD}[[project.token]]\ntoken_sha256 = \"ab\"\n"),
                "line 13, column 16: not a SHA-256 in hexadecimal",
            ),
            (format!("{GOOD}[[project.token]]\nread_only = true\n"), "line 12, column 1: a token entry has either"),
            (format!("{GOOD}keys = {{ top = 0 }}\n"), "line 12, column 8: `top` is 1 to"),
            (format!("{GOOD}keys = {{ top_per = \"shard\" }}\n"), "line 12, column 20: unknown variant `shard`"),
            (format!("{GOOD}keep = {{ tasks = 101 }}\n"), "line 12, column 8: `tasks` is 1 to 100"),
            (format!("{GOOD}keep = {{ days = 4294967295 }}\n"), "line 12, column 8: `days` is at most 36500"),
            (
                format!("{GOOD}[webhook]\nurl = \"https://h/\"\nsecret = \"a secret of many letters\"\n"),
                "line 12, column 1: not a URL",
            ),
            (format!("{GOOD}[analysis]\nworkers = 0\n"), "line 12, column 1: `workers` is 1 to 64"),
            (format!("{GOOD}[log]\nlevel = \"all\"\n"), "line 13, column 9: unknown variant `all`"),
            (
                format!(
                    "listen = \"0.0.0.0:80\"\n{}",
                    GOOD.replace("[[project.access_key]]\nid = \"AK\"\nsecret = \"SK\"\n", "")
                ),
                "line 1, column 10: no project has access keys or tokens",
            ),
        ] {
            let found = read(&text).map(|_| ()).unwrap_err();
            assert!(found.starts_with(mistake), "{mistake:?} is expected of\n{text}\nnot {found:?}");
            assert!(!found.contains('\n'), "{found:?}");
        }
    }

    #[test]
    fn all_mistakes_are_found() {
        let wrong = GOOD.replace("\"p\"", "\"p q\"").replace("\"i\"", "\"\"").replace("\"SK\"", "\"\"");
        let found = read(&format!("listen = \"here\"\n{wrong}[limits]\nbody_bytes = 0\n")).map(|_| ()).unwrap_err();
        let lines: Vec<&str> =
            found.lines().map(|line| line.split_once("line ").map_or(line, |(_, line)| line)).collect();
        let places: Vec<&str> = lines.iter().map(|line| line.split(',').next().unwrap_or_default()).collect();
        assert_eq!(places, ["4", "9", "7", "1", "13"], "{found}");
    }

    #[test]
    fn credentials_in_a_file_of_their_own() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("c.toml");
        fs::write(&path, format!("credentials = \"s.toml\"\n{GOOD}")).unwrap();
        assert!(Config::read(&path).unwrap_err().to_string().contains("s.toml: could not read it"));
        let secrets = "[[project]]\nid = \"p\"\n[[project.token]]\ntoken = \"t\"\n";
        fs::write(folder.path().join("s.toml"), secrets).unwrap();
        assert_eq!(format!("{:?}", Config::read(&path).unwrap().credentials), "Credentials(1 access keys, 1 tokens)");
        fs::write(folder.path().join("s.toml"), secrets.replace("\"p\"", "\"q\"")).unwrap();
        let mistake = Config::read(&path).unwrap_err().to_string();
        assert!(mistake.ends_with("s.toml: line 2, column 6: there is no project q"), "{mistake}");
        fs::write(&path, "credentials = \"c.toml\"\nroot = \".\"\n").unwrap();
        assert!(Config::read(&path).unwrap_err().to_string().contains("unknown field `credentials`"));
    }
}
